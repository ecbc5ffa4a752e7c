//! Functions for tests, made by hand or at random.

use crate::{
    ir::{
        Arg, Block, CallSite, Callee, Clause, Function, Inst, Label, List, RuntimeOp, RuntimeSite,
        Try, Ty, Vreg,
    },
    regs::{Reg, RegSet, Registers},
};
use kinglet_core::{
    index::{FuncIdx, GlobalIdx, TagIdx, TypeIdx},
    op::Op,
    trap::Trap,
};

const TYPES: [Ty; 5] = [Ty::I32, Ty::I64, Ty::Ref, Ty::F32, Ty::F64];

/// Very few registers.
pub(crate) static TINY: Registers = Registers {
    caller_saved: RegSet::of(&[Reg::int(0), Reg::int(1), Reg::float(0), Reg::float(1)]),
    callee_saved: RegSet::of(&[Reg::int(2)]),
    int_args: &[Reg::int(1), Reg::int(0)],
    float_args: &[Reg::float(0)],
};

/// Those of x86-64.
pub(crate) static LARGE: Registers = Registers {
    caller_saved: RegSet(0xfc0 | 0x3fff << 32),
    callee_saved: RegSet::of(&[Reg::int(3), Reg::int(5), Reg::int(12), Reg::int(13)]),
    int_args: &[Reg::int(7), Reg::int(6), Reg::int(8), Reg::int(9), Reg::int(10), Reg::int(11)],
    float_args: &[
        Reg::float(0),
        Reg::float(1),
        Reg::float(2),
        Reg::float(3),
        Reg::float(4),
        Reg::float(5),
        Reg::float(6),
        Reg::float(7),
    ],
};

/// Puts a function together.
#[derive(Default)]
pub(crate) struct Maker {
    pub(crate) function: Function,
    /// Whether the last instruction ends its block.
    ended: bool,
}

impl Maker {
    pub(crate) fn new(params: &[Ty], locals: &[Ty]) -> Maker {
        let mut function = Function {
            params: params.len() as u32,
            locals: (params.len() + locals.len()) as u32,
            ..Function::default()
        };
        function.vregs.extend(params.iter().chain(locals));
        function.blocks.push(Block { start: 0 });
        Maker { function, ended: false }
    }

    /// A new register.
    pub(crate) fn vreg(&mut self, ty: Ty) -> Vreg {
        self.function.vregs.push(ty);
        Vreg(self.function.vregs.len() as u32 - 1)
    }

    /// A new register with several definitions.
    pub(crate) fn joined(&mut self, ty: Ty) -> Vreg {
        let vreg = self.vreg(ty);
        self.function.joined.push(vreg);
        vreg
    }

    pub(crate) fn constant(&mut self, bits: u64) -> Arg {
        self.function.consts.push(bits);
        Arg::of_constant(self.function.consts.len() - 1)
    }

    pub(crate) fn list(&mut self, args: impl IntoIterator<Item = Arg>) -> List {
        let start = self.function.pool.len() as u32;
        self.function.pool.extend(args);
        List { start, len: self.function.pool.len() as u32 - start }
    }

    pub(crate) fn inst(&mut self, inst: Inst) {
        let start = self.function.insts.len() as u32;
        let last = self.function.blocks.last().map_or(0, |block| block.start);
        if start > last && (self.ended || matches!(inst, Inst::Label { .. })) {
            self.function.blocks.push(Block { start });
        }
        self.ended = matches!(
            inst,
            Inst::Jump { .. }
                | Inst::Branch { .. }
                | Inst::JumpTable { .. }
                | Inst::Return { .. }
                | Inst::TailCall { .. }
                | Inst::Trap { .. }
        );
        self.function.insts.push(inst);
    }

    pub(crate) fn label(&mut self) -> Label {
        self.function.labels.push(u32::MAX);
        Label(self.function.labels.len() as u32 - 1)
    }

    pub(crate) fn bind(&mut self, label: Label, is_loop: bool) {
        self.inst(Inst::Label { label, is_loop });
        self.function.labels[label.0 as usize] = self.function.blocks.len() as u32 - 1;
    }

    pub(crate) fn add(&mut self, dst: Vreg, a: impl Into<Arg>, b: impl Into<Arg>) {
        self.inst(Inst::Op { op: Op::I32Add, dst, a: a.into(), b: b.into() });
    }

    pub(crate) fn branch(&mut self, a: impl Into<Arg>, to: Label) {
        let b = self.constant(0);
        self.inst(Inst::Branch { op: Op::I32Ne, when: true, a: a.into(), b, to });
    }

    pub(crate) fn site(&mut self, args: &[Arg], results: &[Vreg]) -> u32 {
        let args = self.list(args.iter().copied());
        let results = self.list(results.iter().map(|&vreg| vreg.into()));
        self.function.calls.push(CallSite {
            callee: Callee::Func(FuncIdx(0)),
            ty: TypeIdx(0),
            args,
            results,
        });
        self.function.calls.len() as u32 - 1
    }

    pub(crate) fn call(&mut self, args: &[Arg], results: &[Vreg]) {
        let site = self.site(args, results);
        self.inst(Inst::Call { site });
    }

    pub(crate) fn runtime(&mut self, op: RuntimeOp, args: &[Arg], results: &[Vreg]) {
        let args = self.list(args.iter().copied());
        let results = self.list(results.iter().map(|&vreg| vreg.into()));
        self.function.runtimes.push(RuntimeSite { op, immediates: [0; 3], args, results });
        self.inst(Inst::Runtime { site: self.function.runtimes.len() as u32 - 1 });
    }

    pub(crate) fn ret(&mut self, values: &[Arg]) {
        let values = self.list(values.iter().copied());
        self.inst(Inst::Return { values });
    }

    /// Enters a `try_table`.
    pub(crate) fn enter(&mut self, outer: Option<u32>, clauses: &[Clause]) -> u32 {
        let from = self.function.clauses.len() as u32;
        self.function.clauses.extend(clauses);
        let to = self.function.clauses.len() as u32;
        self.function.tries.push(Try { outer, clauses: (from, to) });
        let inner = self.function.tries.len() as u32 - 1;
        self.function.segments.push((self.function.insts.len() as u32, Some(inner)));
        inner
    }

    /// Leaves it.
    pub(crate) fn leave(&mut self, outer: Option<u32>) {
        self.function.segments.push((self.function.insts.len() as u32, outer));
    }
}

/// xorshift64*
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// What random functions are like.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) insts: usize,
    pub(crate) locals: usize,
    pub(crate) calls: bool,
    pub(crate) tries: bool,
}

/// A structured function, at random.
pub(crate) fn random(seed: u64, style: Style) -> Function {
    let mut rng = Rng::new(seed);
    let mut types = |most| -> Vec<Ty> { (0..rng.below(most)).map(|_| rng.pick(&TYPES)).collect() };
    let (params, locals) = (types(12), types(style.locals + 1));
    let mut random = Random {
        maker: Maker::new(&params, &locals),
        rng,
        style,
        stack: Vec::new(),
        controls: Vec::new(),
        innermost: None,
        base: 0,
    };
    while random.maker.function.insts.len() < style.insts {
        random.body(0);
    }
    let values = random.args(5);
    random.maker.ret(&values);
    random.maker.function
}

/// What a jump may lead to.
struct Control {
    label: Label,
    takes: Vec<Vreg>,
}

struct Random {
    maker: Maker,
    rng: Rng,
    style: Style,
    stack: Vec<Arg>,
    controls: Vec<Control>,
    innermost: Option<u32>,
    /// Operands below this height belong to what is around.
    base: usize,
}

impl Random {
    /// Some instructions. Returns whether control goes on behind them.
    fn body(&mut self, depth: usize) -> bool {
        let base = std::mem::replace(&mut self.base, self.stack.len());
        let mut goes_on = true;
        for _ in 0..self.rng.below(12) {
            if self.maker.function.insts.len() > self.style.insts {
                break;
            }
            if depth < 7 && self.rng.one_in(5) {
                self.construct(depth + 1);
            } else if !self.controls.is_empty() && self.rng.one_in(8) {
                goes_on = self.jump();
            } else {
                self.simple();
            }
            if !goes_on {
                break;
            }
        }
        if !goes_on || self.rng.one_in(2) {
            self.stack.truncate(self.base);
        }
        self.base = base;
        goes_on
    }

    fn construct(&mut self, depth: usize) {
        let takes: Vec<Ty> = (0..self.rng.below(4)).map(|_| self.ty()).collect();
        let results: Vec<Vreg> = takes.iter().map(|&ty| self.maker.joined(ty)).collect();
        let end = self.maker.label();
        let kind = self.rng.below(4);
        // What a loop takes: its label's values are not its results.
        let taken: Vec<Vreg> = takes.iter().map(|&ty| self.maker.joined(ty)).collect();
        if kind == 0 {
            self.give(&taken);
        }
        let height = self.stack.len();
        let base = std::mem::replace(&mut self.base, height);
        match kind {
            0 => {
                let start = self.maker.label();
                self.maker.bind(start, true);
                if self.rng.one_in(2) {
                    self.maker.inst(Inst::Fuel { point: 0 });
                }
                self.controls.push(Control { label: end, takes: results.clone() });
                self.controls.push(Control { label: start, takes: taken.clone() });
                self.stack.extend(taken.iter().map(|&vreg| Arg::from(vreg)));
                let goes_on = self.body(depth);
                if goes_on && self.rng.one_in(2) {
                    let condition = self.arg(Ty::I32);
                    self.give(&taken);
                    self.maker.branch(condition, start);
                }
                self.finish(goes_on, &results, height);
                self.controls.pop();
                self.controls.pop();
            }
            1 => {
                self.controls.push(Control { label: end, takes: results.clone() });
                let other = self.maker.label();
                let condition = self.arg(Ty::I32);
                self.maker.branch(condition, other);
                let goes_on = self.body(depth);
                self.finish(goes_on, &results, height);
                if goes_on {
                    self.maker.inst(Inst::Jump { to: end });
                }
                self.maker.bind(other, false);
                let goes_on = self.body(depth);
                self.finish(goes_on, &results, height);
                self.controls.pop();
            }
            2 if self.style.tries && !self.controls.is_empty() => {
                self.controls.push(Control { label: end, takes: results.clone() });
                self.try_table(depth, end, &results, height);
                self.controls.pop();
            }
            _ => {
                self.controls.push(Control { label: end, takes: results.clone() });
                let goes_on = self.body(depth);
                self.finish(goes_on, &results, height);
                self.controls.pop();
            }
        }
        self.base = base;
        self.maker.bind(end, false);
        self.stack.extend(results.iter().map(|&vreg| Arg::from(vreg)));
    }

    fn try_table(&mut self, depth: usize, end: Label, results: &[Vreg], height: usize) {
        let mut clauses = Vec::new();
        let mut landings = Vec::new();
        for _ in 0..1 + self.rng.below(3) {
            let at = self.rng.below(self.controls.len());
            let Control { label, takes } = &self.controls[at];
            let (mut to, mut takes) = (*label, takes.clone());
            if self.rng.one_in(2) {
                to = self.maker.label();
                let types: Vec<Ty> =
                    takes.iter().map(|vreg| self.maker.function.vregs[vreg.0 as usize]).collect();
                takes = types.into_iter().map(|ty| self.maker.vreg(ty)).collect();
                landings.push((to, takes.clone(), at));
            }
            let is_ref = |vreg: &Vreg| self.maker.function.vregs[vreg.0 as usize] == Ty::Ref;
            let reference = takes.pop_if(|last| is_ref(last));
            let values = self.maker.list(takes.iter().map(|&vreg| vreg.into()));
            clauses.push(Clause { tag: Some(TagIdx(0)), to, values, reference, wanted: true });
        }
        let outer = self.innermost;
        self.innermost = Some(self.maker.enter(outer, &clauses));
        let goes_on = self.body(depth);
        self.innermost = outer;
        self.finish(goes_on, results, height);
        self.maker.leave(outer);
        if !landings.is_empty() && goes_on {
            self.maker.inst(Inst::Jump { to: end });
        }
        for (label, values, at) in landings {
            self.maker.bind(label, false);
            let Control { label, takes } = &self.controls[at];
            let to = *label;
            for (&dst, value) in takes.clone().iter().zip(values) {
                self.maker.inst(Inst::Move { dst, a: value.into() });
            }
            self.maker.inst(Inst::Jump { to });
        }
    }

    /// Gives results, and forgets all other operands of a block.
    fn finish(&mut self, goes_on: bool, results: &[Vreg], height: usize) {
        if goes_on {
            self.give(results);
        }
        self.stack.truncate(height);
    }

    /// Moves operands to what a jump's target takes.
    fn give(&mut self, takes: &[Vreg]) {
        for &dst in takes {
            let a = self.arg(self.maker.function.vregs[dst.0 as usize]);
            self.maker.inst(Inst::Move { dst, a });
        }
    }

    /// Some jump. Returns whether control goes on behind it.
    fn jump(&mut self) -> bool {
        let at = self.rng.below(self.controls.len());
        let Control { label, takes } = &self.controls[at];
        let (to, takes) = (*label, takes.clone());
        match self.rng.below(9) {
            0 => {
                self.give(&takes);
                self.maker.inst(Inst::Jump { to });
                false
            }
            1 => {
                let index = self.arg(Ty::I32);
                let start = self.maker.function.targets.len() as u32;
                let len = 1 + self.rng.below(5);
                for _ in 0..len {
                    let at = self.rng.below(self.controls.len());
                    let Control { label, takes } = &self.controls[at];
                    self.maker.function.targets.push(*label);
                    let takes = takes.clone();
                    self.give(&takes);
                }
                let targets = List { start, len: len as u32 };
                self.maker.inst(Inst::JumpTable { index, targets });
                false
            }
            2 => {
                let values = self.args(4);
                self.maker.ret(&values);
                false
            }
            3 => {
                let args = self.args(4);
                let site = self.maker.site(&args, &[]);
                self.maker.inst(Inst::TailCall { site });
                false
            }
            4 => {
                self.maker.inst(Inst::Trap { trap: Trap::UnreachableCodeReached });
                false
            }
            5 if self.style.tries => {
                let args = self.args(4);
                self.maker.runtime(RuntimeOp::Throw(TagIdx(0)), &args, &[]);
                false
            }
            _ => {
                let condition = self.arg(Ty::I32);
                self.give(&takes);
                self.maker.branch(condition, to);
                true
            }
        }
    }

    fn simple(&mut self) {
        let ty = self.ty();
        match self.rng.below(14) {
            0..3 => {
                let (a, b) = (self.arg(ty), self.arg(ty));
                let dst = self.dst(ty);
                self.maker.add(dst, a, b);
            }
            3 => {
                let a = self.arg(ty);
                let dst = self.dst(ty);
                self.maker.inst(Inst::Move { dst, a });
            }
            4 | 5 => {
                if let Some(local) = self.local(ty) {
                    self.stack.push(local.into());
                }
            }
            6 => {
                let address = self.arg(Ty::I32);
                let dst = self.dst(Ty::I32);
                self.maker.inst(Inst::Load { op: Op::I32Load, dst, address, offset: 8 });
            }
            7 => {
                let (value, address) = (self.arg(Ty::I32), self.arg(Ty::I32));
                self.maker.inst(Inst::Store { op: Op::I32Store, address, value, offset: 8 });
            }
            8 | 9 if self.style.calls => {
                let args = self.args(9);
                let results: Vec<Vreg> = (0..self.rng.below(4))
                    .map(|_| {
                        let ty = self.ty();
                        self.maker.vreg(ty)
                    })
                    .collect();
                if self.rng.one_in(3) {
                    self.maker.runtime(RuntimeOp::RefTest, &args, &results);
                } else {
                    self.maker.call(&args, &results);
                }
                let read = results.into_iter().filter(|_| !self.rng.one_in(4));
                self.stack.extend(read.map(Arg::from));
            }
            10 => {
                let (a, b, condition) = (self.arg(ty), self.arg(ty), self.arg(Ty::I32));
                let dst = self.dst(ty);
                self.maker.inst(Inst::Select { dst, condition, a, b });
            }
            11 => {
                self.arg(ty);
            }
            12 => {
                let dst = self.dst(ty);
                self.maker.inst(Inst::GlobalGet { dst, global: GlobalIdx(0) });
            }
            _ => {
                let value = self.arg(ty);
                self.maker.inst(Inst::GlobalSet { ty, global: GlobalIdx(0), value });
            }
        }
    }

    fn ty(&mut self) -> Ty {
        self.rng.pick(&TYPES)
    }

    /// Where a result goes: to a local, or to the operand stack.
    fn dst(&mut self, ty: Ty) -> Vreg {
        if self.rng.one_in(3)
            && let Some(local) = self.local(ty)
        {
            return local;
        }
        let vreg = self.maker.vreg(ty);
        self.stack.push(vreg.into());
        vreg
    }

    fn local(&mut self, ty: Ty) -> Option<Vreg> {
        let locals = self.maker.function.locals as usize;
        if locals == 0 {
            return None;
        }
        let from = self.rng.below(locals);
        let mut order = (from..locals).chain(0..from);
        let local = order.find(|&local| self.maker.function.vregs[local] == ty)?;
        Some(Vreg(local as u32))
    }

    /// An operand: from the stack, if it is of the type.
    fn arg(&mut self, ty: Ty) -> Arg {
        if self.stack.len() > self.base {
            let vreg = self.stack.last().and_then(|last| last.vreg());
            if vreg.is_some_and(|vreg| self.maker.function.vregs[vreg.0 as usize] == ty) {
                return self.stack.pop().unwrap_or(Arg::NONE);
            }
        }
        match self.local(ty).filter(|_| !self.rng.one_in(3)) {
            Some(local) => local.into(),
            None => self.maker.constant(1),
        }
    }

    fn args(&mut self, most: usize) -> Vec<Arg> {
        (0..self.rng.below(most))
            .map(|_| {
                let ty = self.ty();
                self.arg(ty)
            })
            .collect()
    }
}
