//! Where everything is while a function stands at a call: found out by compiling it again.

use crate::{
    compile::{Again, Machine, Options, again},
    ir::{Arg, Function, Inst, List, Ty, Vreg},
    isa::{FrameLayout, buffer::Site},
    regs::{Allocation, Place, Reg},
};
use kinglet_core::{
    index::{FuncIdx, TagIdx},
    module::Module,
};
use std::ops::Range;

/// What is known of the code of a function.
#[derive(Debug, Default)]
pub struct FunctionNotes {
    /// How its frame is laid out.
    pub frame: FrameLayout,
    /// How many slots its locals take.
    pub locals: u32,
    /// Its return addresses, in order.
    sites: Vec<SiteNotes>,
    values: Vec<Value>,
    constants: Vec<u64>,
    tries: Vec<Try>,
    clauses: Vec<Clause>,
}

/// What is known of a place where a function calls or stops.
#[derive(Clone, Debug)]
pub struct SiteNotes {
    /// The return address, as an offset from the beginning of the function.
    at: u32,
    /// Where the op is in the binary.
    pub offset: u32,
    /// Whether the call has changed the instance, which the frame keeps.
    pub crosses: bool,
    /// What the op is.
    pub kind: Kind,
    /// Which of the function's fuel points it is, if it is one.
    pub fuel_point: Option<u32>,
    /// Locals that are used behind the op, by slot.
    locals: Range<u32>,
    /// Operands on the stack below those of the op, by height.
    operands: Range<u32>,
    /// Everything that is used behind the op and that the collector has to know of.
    refs: Range<u32>,
    /// The operands of an op of the runtime that the collector has to know of, by their place among all of them.
    args: Range<u32>,
    /// The innermost `try_table`.
    innermost: Option<u32>,
}

/// What stands at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call.
    Call,
    /// A call in place of the function, which catches nothing any more.
    TailCall,
    /// An op of the runtime, with so many operands. If a reference or value is on the stack, its operands come behind it.
    Runtime,
    /// A point that takes fuel.
    Fuel,
    /// Something that traps.
    Trap,
}

/// A value: which one, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The slot of a local, the height of an operand, or the like.
    pub number: u32,
    /// Its type.
    pub ty: Ty,
    /// Where it is.
    pub at: At,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In a register.
    Reg(Reg),
    /// On the stack, so many bytes above the stack pointer of the function.
    Stack(u32),
    /// It is a constant, by its number.
    Const(u32),
    /// Nobody knows, because nobody will ask.
    Nowhere,
}

/// A `try_table`.
#[derive(Clone, Copy, Debug)]
struct Try {
    outer: Option<u32>,
    clauses: (u32, u32),
}

/// What catches exceptions.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The tag that an exception must have, if not all are caught.
    pub tag: Option<TagIdx>,
    /// Where control goes on, as an offset from the beginning of the function.
    pub target: u32,
    /// Where the values go that the exception carries, in order.
    values: Range<u32>,
    /// Where a reference to the exception goes.
    pub reference: Option<At>,
    /// Whether anybody reads it. Otherwise it is null.
    pub wanted: bool,
}

impl FunctionNotes {
    /// Compiles a function again. Answers its code, not linked, as well; `None` if it is none that can be compiled.
    pub fn new(
        module: &Module,
        machine: &Machine,
        options: Options,
        func: FuncIdx,
    ) -> Option<(FunctionNotes, Unlinked)> {
        again(module, machine, options, func, |again| {
            let unlinked = Unlinked {
                bytes: again.code.bytes.clone(),
                relocations: again.code.relocations.iter().map(|&(at, _)| at).collect(),
            };
            (Taker::new(&again).take(), unlinked)
        })
    }

    /// What is known about a return address, given as an offset from the beginning of the function.
    pub fn site(&self, at: u32) -> Option<&SiteNotes> {
        let found = self.sites.binary_search_by_key(&at, |site| site.at).ok()?;
        Some(&self.sites[found])
    }

    /// Everything that is known about return addresses, in their order.
    pub fn sites(&self) -> &[SiteNotes] {
        &self.sites
    }

    /// The locals that are used behind a site.
    pub fn locals(&self, site: &SiteNotes) -> &[Value] {
        self.values(&site.locals)
    }

    /// The operands below those of the op at a site.
    pub fn operands(&self, site: &SiteNotes) -> &[Value] {
        self.values(&site.operands)
    }

    /// Everything that is used behind a site and that the collector has to know of.
    pub fn refs(&self, site: &SiteNotes) -> &[Value] {
        self.values(&site.refs)
    }

    /// Which operands of the op at a site the collector has to know of.
    pub fn ref_args(&self, site: &SiteNotes) -> impl Iterator<Item = u32> {
        self.values(&site.args).iter().map(|value| value.number)
    }

    /// What catches exceptions at a site, innermost first.
    pub fn clauses(&self, site: &SiteNotes) -> impl Iterator<Item = &Clause> {
        let mut next = site.innermost;
        let tries = std::iter::from_fn(move || {
            let of = self.tries[next? as usize];
            next = of.outer;
            Some(&self.clauses[of.clauses.0 as usize..of.clauses.1 as usize])
        });
        tries.flatten()
    }

    /// Where the values go that an exception carries.
    pub fn caught(&self, clause: &Clause) -> &[Value] {
        self.values(&clause.values)
    }

    /// The bits of a constant.
    pub fn constant(&self, number: u32) -> u64 {
        self.constants[number as usize]
    }

    fn values(&self, range: &Range<u32>) -> &[Value] {
        &self.values[range.start as usize..range.end as usize]
    }
}

/// The code of a function before it is linked.
#[derive(Debug)]
pub struct Unlinked {
    bytes: Vec<u8>,
    relocations: Vec<u32>,
}

impl Unlinked {
    /// Whether this is the same code, linked.
    pub fn is(&self, linked: &[u8]) -> bool {
        let patched = |at: usize| {
            let after = self.relocations.partition_point(|&start| start as usize <= at);
            after.checked_sub(1).is_some_and(|last| at - (self.relocations[last] as usize) < 4)
        };
        self.bytes.len() == linked.len()
            && (0..linked.len()).all(|at| self.bytes[at] == linked[at] || patched(at))
    }
}

/// Takes the notes of a function.
struct Taker<'a> {
    again: &'a Again<'a>,
    notes: FunctionNotes,
    /// All registers that the collector has to know of.
    refs: Vec<Vreg>,
}

impl<'a> Taker<'a> {
    fn new(again: &'a Again<'a>) -> Taker<'a> {
        let notes = FunctionNotes {
            frame: again.frame.clone(),
            locals: again.function.locals,
            constants: again.function.consts.clone(),
            ..FunctionNotes::default()
        };
        let refs = (0..).zip(&again.function.vregs).filter(|&(_, &ty)| ty == Ty::Ref);
        Taker { again, notes, refs: refs.map(|(number, _)| Vreg(number)).collect() }
    }

    fn take(mut self) -> FunctionNotes {
        let Again { function, code, .. } = *self.again;
        for site in code.sites.iter().flatten() {
            let site = self.site(site);
            self.notes.sites.push(site);
        }
        self.notes.sites.sort_by_key(|site| site.at);
        self.notes.tries = function
            .tries
            .iter()
            .map(|&crate::ir::Try { outer, clauses }| Try { outer, clauses })
            .collect();
        for clause in &function.clauses {
            let values = self.list(clause.values);
            self.notes.clauses.push(Clause {
                tag: clause.tag,
                target: code.labels[clause.to.0 as usize],
                values,
                reference: clause.reference.map(|vreg| self.place(vreg)),
                wanted: clause.wanted,
            });
        }
        self.notes
    }

    fn site(&mut self, &Site { at, inst, crosses }: &Site) -> SiteNotes {
        let Again { function, liveness, .. } = *self.again;
        let number = inst as usize;
        let kind = match function.insts[number] {
            Inst::Call { .. } => Kind::Call,
            Inst::TailCall { .. } => Kind::TailCall,
            Inst::Runtime { .. } => Kind::Runtime,
            Inst::Fuel { .. } => Kind::Fuel,
            _ => Kind::Trap,
        };
        let noted = function.notes.as_ref();
        let mut site = SiteNotes {
            at,
            offset: noted.and_then(|noted| noted.offsets.get(number).copied()).unwrap_or_default(),
            crosses,
            kind,
            fuel_point: match function.insts[number] {
                Inst::Fuel { point } => Some(point),
                _ => None,
            },
            locals: 0..0,
            operands: 0..0,
            refs: 0..0,
            args: 0..0,
            innermost: innermost(function, inst),
        };
        if kind == Kind::Trap || kind == Kind::TailCall {
            return site;
        }
        let live = liveness.live_across(function, number);
        let is_live = |vreg: Vreg| live.contains(vreg);
        let start = self.start();
        for local in (0..function.locals).filter(|&local| is_live(Vreg(local))) {
            self.push(local, Vreg(local));
        }
        site.locals = start..self.start();
        let start = self.start();
        let found = noted.and_then(|noted| {
            let at = noted.stacks.binary_search_by_key(&inst, |&(inst, _)| inst).ok()?;
            let List { start, len } = noted.stacks[at].1;
            Some(&noted.stack[start as usize..(start + len) as usize])
        });
        for &(height, arg) in found.unwrap_or_default() {
            self.operand(height, arg, is_live);
        }
        site.operands = start..self.start();
        let start = self.start();
        for at in 0..self.refs.len() {
            let vreg = self.refs[at];
            if is_live(vreg) {
                self.push(vreg.0, vreg);
            }
        }
        site.refs = start..self.start();
        if let Inst::Runtime { site: of } = function.insts[number] {
            let start = self.start();
            let args = function.list(function.runtimes[of as usize].args);
            for (number, arg) in (0..).zip(args) {
                if let Some(vreg) = arg.vreg()
                    && function.vregs[vreg.0 as usize] == Ty::Ref
                {
                    self.push(number, vreg);
                }
            }
            site.args = start..self.start();
        }
        site
    }

    fn start(&self) -> u32 {
        self.notes.values.len() as u32
    }

    fn push(&mut self, number: u32, vreg: Vreg) {
        let (ty, at) = (self.again.function.vregs[vreg.0 as usize], self.place(vreg));
        self.notes.values.push(Value { number, ty, at });
    }

    fn operand(&mut self, height: u32, arg: Arg, is_live: impl Fn(Vreg) -> bool) {
        match (arg.vreg(), arg.constant()) {
            (Some(vreg), _) if is_live(vreg) => self.push(height, vreg),
            // Nobody will read it, but a collection may look there.
            (Some(_), _) => {
                self.notes.values.push(Value { number: height, ty: Ty::I64, at: At::Nowhere });
            }
            (_, Some(constant)) => {
                let at = At::Const(constant as u32);
                self.notes.values.push(Value { number: height, ty: Ty::I64, at });
            }
            _ => {}
        }
    }

    /// All registers of a list, which has nothing else.
    fn list(&mut self, list: List) -> Range<u32> {
        let start = self.start();
        for (number, arg) in (0..).zip(self.again.function.list(list)) {
            match arg.vreg() {
                Some(vreg) => self.push(number, vreg),
                None => self.notes.values.push(Value { number, ty: Ty::I64, at: At::Nowhere }),
            }
        }
        start..self.start()
    }

    fn place(&self, vreg: Vreg) -> At {
        place(self.again.allocation, &self.again.frame, vreg)
    }
}

fn place(allocation: &Allocation, frame: &FrameLayout, vreg: Vreg) -> At {
    match allocation.place(vreg) {
        Place::Nowhere => At::Nowhere,
        Place::Reg(reg) => At::Reg(reg),
        Place::Slot(slot) => At::Stack(frame.slots_at + 8 * slot),
    }
}

/// The innermost `try_table` that an instruction is in.
fn innermost(function: &Function, inst: u32) -> Option<u32> {
    let after = function.segments.partition_point(|&(start, _)| start <= inst);
    function.segments[after.checked_sub(1)?].1
}
