//! The compiler's form of a function: a flat list of instructions over virtual registers.
//!
//! It is not SSA. Locals are the first registers and keep their numbers: register *i* is the local of slot *i*. A value on the
//! operand stack is a register with one definition, but for what blocks give and loops take: those have one definition for each
//! jump. An `i32` in a machine register has its upper half zero; in a spill slot it takes 8 bytes, the upper half zero as well.
//!
//! All lists are reused from function to function.

use kinglet_core::{
    index::{FuncIdx, GlobalIdx, TableIdx, TagIdx, TypeIdx},
    op::{Num, Op},
    runtime::handlers::Segment,
    translate::MemArg,
    trap::Trap,
};
use std::fmt;

pub use kinglet_core::runtime::handlers::Try;

/// A virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vreg(pub u32);

/// The type of a virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// `i32`
    I32,
    /// `i64`, and references to functions.
    I64,
    /// A reference that the collector has to know of: a handle, like an `i64`.
    Ref,
    /// `f32`
    F32,
    /// `f64`
    F64,
}

impl Ty {
    /// Whether values are in registers for floats.
    #[inline]
    pub fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    /// Whether values have 64 bits.
    #[inline]
    pub fn is_wide(self) -> bool {
        !matches!(self, Ty::I32 | Ty::F32)
    }

    /// The type of a slot; `None` for vectors, which are not compiled.
    pub fn of(num: Num) -> Option<Ty> {
        Some(match num {
            Num::u32 | Num::bool | Num::i32 | Num::i8 | Num::u8 | Num::i16 | Num::u16 => Ty::I32,
            Num::u64 => Ty::I64,
            Num::handle => Ty::Ref,
            Num::f32 => Ty::F32,
            Num::f64 => Ty::F64,
            Num::v128 => return None,
        })
    }
}

/// An operand: a virtual register, or a constant by its place in [`Function::consts`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arg(u32);

const CONST: u32 = 1 << 31;

impl Arg {
    /// No operand.
    pub const NONE: Arg = Arg(u32::MAX);

    /// Fills [`Operands`].
    const FILLER: Arg = Arg(u32::MAX - 1);

    /// The register, if it is one.
    #[inline]
    pub fn vreg(self) -> Option<Vreg> {
        (self.0 & CONST == 0).then_some(Vreg(self.0))
    }

    /// The place in the list of constants, if it is one.
    #[inline]
    pub fn constant(self) -> Option<usize> {
        (self.0 & CONST != 0 && self != Arg::NONE).then_some((self.0 & !CONST) as usize)
    }

    /// The constant at a place in the list.
    #[inline]
    pub fn of_constant(at: usize) -> Arg {
        Arg(at as u32 | CONST)
    }
}

impl From<Vreg> for Arg {
    #[inline]
    fn from(vreg: Vreg) -> Arg {
        Arg(vreg.0)
    }
}

impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.vreg(), self.constant()) {
            (Some(vreg), _) => write!(f, "v{}", vreg.0),
            (_, Some(at)) => write!(f, "const[{at}]"),
            _ => write!(f, "-"),
        }
    }
}

/// A place in the code that jumps lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(pub u32);

/// Operands or registers in [`Function::pool`], from a place on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The first.
    pub start: u32,
    /// How many there are.
    pub len: u32,
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are described with their instruction")]
pub enum Inst {
    /// An op of the numeric classes of the op table (`un`, `un_trap`, `bin`, `bin_trap`, `cmp`). `b` is [`Arg::NONE`] for one operand.
    Op { op: Op, dst: Vreg, a: Arg, b: Arg },
    /// `dst = a + (b << shift)`, with a shift of 1 to 3.
    ShiftAdd { wide: bool, shift: u8, dst: Vreg, a: Arg, b: Arg },
    /// `dst = a`; the type is that of `dst`.
    Move { dst: Vreg, a: Arg },
    /// `dst = condition != 0 ? a : b`
    Select { dst: Vreg, condition: Arg, a: Arg, b: Arg },
    /// An op of the class `load`, on the first memory, which is a 32-bit one and not shared.
    Load { op: Op, dst: Vreg, address: Arg, offset: u32 },
    /// An op of the class `store`, on such a memory.
    Store { op: Op, address: Arg, value: Arg, offset: u32 },
    /// The same, on any memory: by the place in [`Function::memargs`].
    LoadFar { op: Op, dst: Vreg, address: Arg, at: u32 },
    /// The same, on any memory: by the place in [`Function::memargs`].
    StoreFar { op: Op, address: Arg, value: Arg, at: u32 },
    /// Reads a global.
    GlobalGet { dst: Vreg, global: GlobalIdx },
    /// Writes a global of this type.
    GlobalSet { ty: Ty, global: GlobalIdx, value: Arg },
    /// Here a label is bound. `is_loop`: jumps lead here from below.
    Label { label: Label, is_loop: bool },
    /// Jumps.
    Jump { to: Label },
    /// Jumps if the comparison `op` of `a` and `b` is `when`. A plain condition is compared with 0.
    Branch { op: Op, when: bool, a: Arg, b: Arg, to: Label },
    /// Jumps to the label of number `index` of a list in [`Function::targets`], or to the last one.
    JumpTable { index: Arg, targets: List },
    /// Calls: by the place in [`Function::calls`].
    Call { site: u32 },
    /// Calls a function in place of this one. The site has no results.
    TailCall { site: u32 },
    /// Returns these values.
    Return { values: List },
    /// An op that is done by the runtime: by the place in [`Function::runtimes`].
    Runtime { site: u32 },
    /// Takes fuel, or stops: by the place in [`Function::costs`].
    Fuel { point: u32 },
    /// Traps.
    Trap { trap: Trap },
}

/// What is called, with which operands.
#[derive(Clone, Copy, Debug)]
pub struct CallSite {
    /// What is called.
    pub callee: Callee,
    /// The type of what is called.
    pub ty: TypeIdx,
    /// The arguments.
    pub args: List,
    /// Registers for the results.
    pub results: List,
}

/// What a call calls.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "as in the translator")]
pub enum Callee {
    /// A function that the module defines.
    Func(FuncIdx),
    /// An imported function.
    Import(FuncIdx),
    /// An element of a table, which must be of the site's type.
    Table { table: TableIdx, is_64: bool, index: Arg },
    /// What a reference refers to. It may be null.
    Ref { func: Arg },
}

/// An op that is done by the runtime.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeSite {
    /// What is done.
    pub op: RuntimeOp,
    /// Its immediate operands, as the op defines them.
    pub immediates: [u32; 3],
    /// The operands: they are put in consecutive slots.
    pub args: List,
    /// Registers for the results, which are found in the same slots.
    pub results: List,
}

/// What the runtime does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeOp {
    /// An op of the class `slots` (immediates `x, y`), `multi`, or one of the atomic classes (immediates memory, offset in two halves).
    Op(Op),
    /// Whether a reference is of a type: immediates are [`CastTarget::operands`](kinglet_core::types::CastTarget::operands).
    RefTest,
    /// The same, and traps if it is not. The result is the reference.
    RefCast,
    /// Reads a field: immediates are how it is stored ([`Num`] as `u32`), the type of the value, and the offset.
    StructGet,
    /// Writes a field.
    StructSet,
    /// Reads an element: immediates are how it is stored and the type of the value.
    ArrayGet,
    /// Writes an element.
    ArraySet,
    /// Reads how many elements an array has.
    ArrayLen,
    /// Throws a new exception with the tag that it names. Does not return: a trap follows, which is never reached.
    Throw(TagIdx),
    /// Throws an exception that there is. The same.
    ThrowRef,
}

/// What catches exceptions.
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// The tag that an exception must have, if not all are caught.
    pub tag: Option<TagIdx>,
    /// Where control goes on.
    pub to: Label,
    /// The registers for what the exception carries.
    pub values: List,
    /// The register for a reference to the exception, if one goes anywhere.
    pub reference: Option<Vreg>,
    /// Whether anybody reads the reference. Otherwise it is null.
    pub wanted: bool,
}

/// What an instruction reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'f> {
    /// What it reads; the rest is no register.
    pub args: [Arg; 3],
    /// What it reads besides.
    pub list: &'f [Arg],
    /// The register that it writes, if it is one.
    pub dst: Arg,
    /// What it writes besides.
    pub results: &'f [Arg],
}

/// Some of the instructions, without a jump or a label between them.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The first instruction.
    pub start: u32,
}

/// A function.
#[derive(Debug, Default)]
pub struct Function {
    /// Which one of the module.
    pub func: FuncIdx,
    /// How many of the first registers are locals.
    pub locals: u32,
    /// How many of these are parameters.
    pub params: u32,
    /// Types of all registers.
    pub vregs: Vec<Ty>,
    /// The registers that are not locals and have several definitions, or may be read before that in the order of instructions; in order.
    pub joined: Vec<Vreg>,
    /// The instructions.
    pub insts: Vec<Inst>,
    /// Blocks, in order. The first begins with the function, maybe with the label of a loop; one begins at each label and behind each
    /// jump, return or trap.
    pub blocks: Vec<Block>,
    /// The block of each label.
    pub labels: Vec<u32>,
    /// Constants, by the bits of their slots.
    pub consts: Vec<u64>,
    /// Operands of calls, returns and the like.
    pub pool: Vec<Arg>,
    /// Targets of jump tables.
    pub targets: Vec<Label>,
    /// Loads and stores that are not of the common kind.
    pub memargs: Vec<MemArg>,
    /// Calls.
    pub calls: Vec<CallSite>,
    /// Ops that are done by the runtime.
    pub runtimes: Vec<RuntimeSite>,
    /// What fuel points take.
    pub costs: Vec<u32>,
    /// `try_table`s.
    pub tries: Vec<Try>,
    /// Their clauses.
    pub clauses: Vec<Clause>,
    /// From which instruction on which `try_table` is the innermost, in order.
    pub segments: Vec<Segment>,
    /// Notes for whoever rebuilds frames, if wanted.
    pub notes: Option<Notes>,
}

/// What is known about instructions beyond what compiling them takes.
#[derive(Debug, Default)]
pub struct Notes {
    /// The offset in the binary of each instruction.
    pub offsets: Vec<u32>,
    /// For instructions that call or stop, in order: the instruction, and its part of [`Notes::stack`].
    pub stacks: Vec<(u32, List)>,
    /// Operands that stand on the operand stack below the instruction's own: height and value. Those at a jump back to a loop that
    /// takes fuel have what the loop takes.
    pub stack: Vec<(u32, Arg)>,
}

impl Function {
    /// Empties it, but for its allocations. Notes are dropped.
    pub fn clear(&mut self) {
        self.vregs.clear();
        self.joined.clear();
        self.insts.clear();
        self.blocks.clear();
        self.labels.clear();
        self.consts.clear();
        self.pool.clear();
        self.targets.clear();
        self.memargs.clear();
        self.calls.clear();
        self.runtimes.clear();
        self.costs.clear();
        self.tries.clear();
        self.clauses.clear();
        self.segments.clear();
        self.notes = None;
    }

    /// The operands of a list.
    #[inline]
    pub fn list(&self, list: List) -> &[Arg] {
        &self.pool[list.start as usize..(list.start + list.len) as usize]
    }

    /// The bits of an operand that is a constant.
    #[inline]
    pub fn const_bits(&self, arg: Arg) -> Option<u64> {
        arg.constant().map(|at| self.consts[at])
    }

    /// The instructions of a block.
    #[inline]
    pub fn block(&self, block: usize) -> std::ops::Range<usize> {
        let end = self.blocks.get(block + 1).map_or(self.insts.len(), |next| next.start as usize);
        self.blocks[block].start as usize..end
    }

    /// What an instruction reads and writes.
    #[inline(always)]
    pub fn operands(&self, inst: &Inst) -> Operands<'_> {
        const FILLER: Arg = Arg::FILLER;
        let plain = |dst: Arg, args| Operands { args, list: &[], dst, results: &[] };
        match *inst {
            Inst::Op { dst, a, b, .. } | Inst::ShiftAdd { dst, a, b, .. } => {
                plain(dst.into(), [a, b, FILLER])
            }
            Inst::Branch { a, b, .. } => plain(FILLER, [a, b, FILLER]),
            Inst::Move { dst, a } => plain(dst.into(), [a, FILLER, FILLER]),
            Inst::Select { dst, condition, a, b } => plain(dst.into(), [condition, a, b]),
            Inst::Load { dst, address, .. } | Inst::LoadFar { dst, address, .. } => {
                plain(dst.into(), [address, FILLER, FILLER])
            }
            Inst::Store { address, value, .. } | Inst::StoreFar { address, value, .. } => {
                plain(FILLER, [address, value, FILLER])
            }
            Inst::GlobalGet { dst, .. } => plain(dst.into(), [FILLER; 3]),
            Inst::GlobalSet { value, .. } => plain(FILLER, [value, FILLER, FILLER]),
            Inst::JumpTable { index, .. } => plain(FILLER, [index, FILLER, FILLER]),
            Inst::Call { site } | Inst::TailCall { site } => {
                let site = &self.calls[site as usize];
                let callee = match site.callee {
                    Callee::Table { index, .. } => index,
                    Callee::Ref { func } => func,
                    Callee::Func(_) | Callee::Import(_) => FILLER,
                };
                Operands {
                    args: [callee, FILLER, FILLER],
                    list: self.list(site.args),
                    dst: FILLER,
                    results: self.list(site.results),
                }
            }
            Inst::Return { values } => {
                Operands { args: [FILLER; 3], list: self.list(values), dst: FILLER, results: &[] }
            }
            Inst::Runtime { site } => {
                let site = &self.runtimes[site as usize];
                Operands {
                    args: [FILLER; 3],
                    list: self.list(site.args),
                    dst: FILLER,
                    results: self.list(site.results),
                }
            }
            Inst::Label { .. } | Inst::Jump { .. } | Inst::Fuel { .. } | Inst::Trap { .. } => {
                plain(FILLER, [FILLER; 3])
            }
        }
    }

    /// Calls `each` with every operand that an instruction reads.
    #[inline]
    pub fn uses(&self, inst: &Inst, mut each: impl FnMut(Arg)) {
        let Operands { args, list, .. } = self.operands(inst);
        for &arg in args.iter().chain(list).filter(|&&arg| arg != Arg::FILLER) {
            each(arg);
        }
    }

    /// Calls `each` with every register that an instruction writes.
    #[inline]
    pub fn defs(&self, inst: &Inst, each: impl FnMut(Vreg)) {
        let Operands { dst, results, .. } = self.operands(inst);
        dst.vreg().into_iter().chain(results.iter().filter_map(|arg| arg.vreg())).for_each(each);
    }

    /// The register that an instruction writes, if it is one.
    #[inline]
    pub fn only_def(&self, inst: &Inst) -> Option<Vreg> {
        let one = |list: List| if let [arg] = self.list(list) { arg.vreg() } else { None };
        match *inst {
            Inst::Op { dst, .. }
            | Inst::ShiftAdd { dst, .. }
            | Inst::Move { dst, .. }
            | Inst::Select { dst, .. }
            | Inst::Load { dst, .. }
            | Inst::LoadFar { dst, .. }
            | Inst::GlobalGet { dst, .. } => Some(dst),
            Inst::Call { site } => one(self.calls[site as usize].results),
            Inst::Runtime { site } => one(self.runtimes[site as usize].results),
            _ => None,
        }
    }

    /// Whether an instruction calls something, so that registers that callees do not save are lost.
    #[inline]
    pub fn is_call(inst: &Inst) -> bool {
        matches!(inst, Inst::Call { .. } | Inst::Runtime { .. })
    }
}
