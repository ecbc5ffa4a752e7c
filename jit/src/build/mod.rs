//! From base ops to [`Function`]s, in one pass.
//!
//! The translator's operand stack is kept as a list of [`Arg`]s by height: reads of locals and constants stay what they are until an op
//! takes them. All improvements look at the last instructions only, as long as control comes from nowhere but there and the
//! result has not been read yet: each temporary on the operand stack is read once, by the op that pops it.
//!
//! What blocks give and loops take has a register for each value and label. A jump moves what it takes along there. Such a register is
//! never on the operand stack but at the height for which it has been made. That is why values may be moved to the registers of a
//! label before a conditional jump: what is overwritten is below no operand that is still there if control does not go that way.
//!
//! Code that cannot be reached gives no instructions. A function that is refused is treated like that from there on.

mod control;
mod fold;
mod ops;
mod sink;
#[cfg(test)]
mod tests;

use crate::ir::{Arg, Block, Clause, Function, Inst, List, Notes, Ty, Vreg};
use kinglet_core::{
    op::Num,
    translate::{Loc, Operand, Recorder, Shape},
};

/// Makes the [`Function`] of one function after the other; reused, for its allocations.
#[derive(Debug, Default)]
pub struct Builder {
    /// The function made last.
    pub function: Function,
    /// Why the function cannot be compiled, if so. Then there is nothing in it.
    pub unsupported: Option<&'static str>,
    /// Whether to fill [`Function::notes`]. The instructions are the same with and without.
    pub take_notes: bool,
    /// What stands at which height of the operand stack; [`Arg::NONE`] where the translator has reads of locals or constants.
    stack: Vec<Arg>,
    /// What has been placed for the next op, by height.
    placed: Vec<Arg>,
    labels: Vec<LabelState>,
    /// Types of the values that labels take, label by label.
    label_types: Vec<Ty>,
    handlers: Recorder<Clause>,
    /// For each `try_table` whether it can be reached.
    live_tries: Vec<bool>,
    /// What stands below the handlers of exceptions.
    saved: Vec<(u32, Arg)>,
    values: Vec<Arg>,
    /// How many jump tables there are so far.
    tables: u32,
    /// Whether nothing that comes next can be reached.
    dead: bool,
    /// Whether the next instruction begins a block.
    ended: bool,
    /// Instructions before this one stay as they are.
    fixed: usize,
    /// The offset in the binary of what comes next.
    offset: u32,
    /// How many entries all lists together may have.
    max_size: usize,
    /// How many entries notes of stacks may still have, whether they are taken or not.
    notes_left: usize,
}

/// A label, and what is known of it.
#[derive(Clone, Copy, Debug)]
struct LabelState {
    /// The height of the first value that it takes.
    height: u32,
    /// The place of its types, and how many there are.
    types: (u32, u32),
    /// Its number in the function and the first of its registers, once it is used.
    used: Option<(u32, Vreg)>,
    /// What stands below, from and up to a place in `saved`.
    saved: Option<(u32, u32)>,
    /// The number of the last jump table that leads there.
    table: u32,
}

/// Entries of all lists that any function may have.
const MIN_SIZE: usize = 1 << 16;
/// Entries that a function may have for every byte of its body.
const SIZE_PER_BYTE: usize = 64;

impl Builder {
    fn start(&mut self, shape: &Shape<'_>) {
        self.function.clear();
        self.function.func = shape.func;
        self.function.locals = shape.locals.len() as u32;
        self.function.params = shape.params;
        self.function.notes = self.take_notes.then(Notes::default);
        self.function.blocks.push(Block { start: 0 });
        self.unsupported = None;
        self.stack.clear();
        self.placed.clear();
        self.labels.clear();
        self.label_types.clear();
        self.handlers.clear();
        self.live_tries.clear();
        self.saved.clear();
        self.tables = 0;
        (self.dead, self.ended, self.fixed, self.offset) = (false, false, 0, 0);
        let size = MIN_SIZE.saturating_add(shape.body_len.saturating_mul(SIZE_PER_BYTE));
        self.max_size = size.saturating_add(shape.locals.len()).min(1 << 30);
        self.notes_left = size;
        for &num in shape.locals {
            let ty = self.ty(num);
            self.function.vregs.push(ty);
        }
    }

    fn finish(&mut self) {
        let function = &mut self.function;
        if self.unsupported.is_some() {
            return function.clear();
        }
        function.joined.sort_unstable();
        function.joined.dedup();
        std::mem::swap(&mut function.tries, &mut self.handlers.tries);
        std::mem::swap(&mut function.clauses, &mut self.handlers.clauses);
        std::mem::swap(&mut function.segments, &mut self.handlers.segments);
        debug_assert_eq!(function.validate(), Ok(()), "{function}");
    }

    /// The function will not be compiled.
    #[cold]
    fn refuse(&mut self, why: &'static str) {
        self.unsupported.get_or_insert(why);
        self.dead = true;
    }

    /// Refuses a function that grows out of proportion.
    fn check_size(&mut self) {
        let Function { insts, vregs, consts, pool, targets, .. } = &self.function;
        let size = insts.len() + vregs.len() + consts.len() + pool.len() + targets.len();
        if size + self.label_types.len() > self.max_size {
            self.refuse("too large");
        }
    }

    /// The type of a register for a value.
    fn ty(&mut self, num: Num) -> Ty {
        Ty::of(num).unwrap_or_else(|| {
            self.refuse("vectors");
            Ty::I64
        })
    }

    /// A new register.
    fn vreg(&mut self, ty: Ty) -> Vreg {
        self.function.vregs.push(ty);
        Vreg(self.function.vregs.len() as u32 - 1)
    }

    fn constant(&mut self, bits: u64) -> Arg {
        let consts = &mut self.function.consts;
        if consts.last() != Some(&bits) {
            consts.push(bits);
        }
        Arg::of_constant(consts.len() - 1)
    }

    /// What an operand is.
    fn arg(&mut self, operand: Operand) -> Arg {
        let at = operand.height as usize;
        let arg = match operand.loc {
            Loc::Local(local) => Vreg(local).into(),
            Loc::Const(bits) => self.constant(bits),
            Loc::Temp => self.stack.get(at).copied().unwrap_or(Arg::NONE),
        };
        self.known(arg)
    }

    /// An operand, which must be somewhere. If it is not, the translator is wrong, and the function better left alone.
    fn known(&mut self, arg: Arg) -> Arg {
        if arg == Arg::NONE && !self.dead {
            debug_assert!(false, "an operand is nowhere");
            self.refuse("an operand that is nowhere");
        }
        arg
    }

    /// Operands from this height on have been popped.
    fn popped(&mut self, height: u32) {
        self.stack.truncate(height as usize);
    }

    /// A value is pushed at a height.
    fn push(&mut self, to: u32, arg: Arg) {
        self.stack.truncate(to as usize);
        if self.stack.len() < to as usize {
            self.stack.resize(to as usize, Arg::NONE);
        }
        self.stack.push(arg);
    }

    /// A value stands at a height from now on.
    fn put(&mut self, height: u32, arg: Arg) {
        put(&mut self.stack, height, arg);
    }

    fn emit(&mut self, inst: Inst) {
        if self.dead {
            return;
        }
        let at = self.function.insts.len();
        if std::mem::take(&mut self.ended) {
            self.function.blocks.push(Block { start: at as u32 });
        }
        self.function.insts.push(inst);
        if let Some(notes) = &mut self.function.notes {
            notes.offsets.push(self.offset);
        }
    }

    /// Emits an instruction that ends a block.
    fn emit_end(&mut self, inst: Inst) {
        if self.dead {
            return;
        }
        self.emit(inst);
        self.ended = true;
        self.fix();
    }

    /// The instructions so far stay as they are.
    fn fix(&mut self) {
        self.fixed = self.function.insts.len();
    }

    /// The last instruction, if it makes this value, a temporary, and may still be changed.
    fn maker(&self, value: Arg) -> Option<Inst> {
        let vreg = value.vreg().filter(|vreg| vreg.0 >= self.function.locals)?;
        let &last = self.function.insts[self.fixed..].last()?;
        (self.function.only_def(&last) == Some(vreg)).then_some(last)
    }

    /// Takes the last instruction back, which [`maker`](Builder::maker) has given.
    fn take_back(&mut self) {
        let function = &mut self.function;
        let inst = function.insts.pop();
        if let Some(notes) = &mut function.notes {
            notes.offsets.pop();
        }
        let dst = inst.and_then(|inst| function.only_def(&inst));
        if dst.is_some_and(|dst| dst.0 as usize + 1 == function.vregs.len()) {
            function.vregs.pop();
        }
    }

    /// Writes a value to a register that may have other definitions: by the instruction that makes it, if it is the last one.
    fn assign(&mut self, to: Vreg, value: Arg) {
        if value == to.into() {
            return;
        }
        match self.maker(value) {
            Some(_) => self.retarget(to),
            None => self.emit(Inst::Move { dst: to, a: value }),
        }
    }

    /// The last instruction, which makes a temporary, makes the value there.
    fn retarget(&mut self, to: Vreg) {
        let function = &mut self.function;
        let Some(last) = function.insts.last().copied() else { return };
        if function.only_def(&last).is_some_and(|old| old.0 as usize + 1 == function.vregs.len()) {
            function.vregs.pop();
        }
        let Some(last) = function.insts.last_mut() else { return };
        match last {
            Inst::Op { dst, .. }
            | Inst::ShiftAdd { dst, .. }
            | Inst::Move { dst, .. }
            | Inst::Select { dst, .. }
            | Inst::Load { dst, .. }
            | Inst::LoadFar { dst, .. }
            | Inst::GlobalGet { dst, .. } => *dst = to,
            Inst::Call { site } => {
                let results = function.calls[*site as usize].results;
                function.pool[results.start as usize] = to.into();
            }
            Inst::Runtime { site } => {
                let results = function.runtimes[*site as usize].results;
                function.pool[results.start as usize] = to.into();
            }
            _ => {}
        }
    }

    /// What has been appended to the pool since it had this length.
    fn list_since(&mut self, start: usize) -> List {
        self.check_size();
        List { start: start as u32, len: (self.function.pool.len() - start) as u32 }
    }

    /// The values that have been placed at a height and above.
    fn placed(&mut self, base: u32, count: u32) -> List {
        let start = self.function.pool.len();
        for height in base..base + count {
            let arg = self.placed.get(height as usize).copied().unwrap_or(Arg::NONE);
            let arg = self.known(arg);
            self.function.pool.push(arg);
        }
        self.list_since(start)
    }

    /// New registers, pushed from a height on.
    fn results(&mut self, base: u32, types: impl Iterator<Item = Num>) -> List {
        self.popped(base);
        let start = self.function.pool.len();
        for (num, height) in types.zip(base..) {
            let ty = self.ty(num);
            let vreg = self.vreg(ty);
            self.function.pool.push(vreg.into());
            self.push(height, vreg.into());
        }
        self.list_since(start)
    }

    /// Notes what stands below a height at the instruction that comes next; `above` it what a loop takes.
    fn note_stack(&mut self, height: u32, above: Option<(Vreg, u32)>) {
        let below = self.stack.len().min(height as usize);
        let size = below + above.map_or(0, |(_, count)| count as usize);
        match self.notes_left.checked_sub(size) {
            Some(left) => self.notes_left = left,
            None => self.refuse("too large"),
        }
        let Some(notes) = self.function.notes.as_mut().filter(|_| !self.dead) else { return };
        let start = notes.stack.len();
        notes.stack.extend(standing(&self.stack[..below]));
        let (first, count) = above.unwrap_or((Vreg(0), 0));
        notes.stack.extend((0..count).map(|i| (height + i, Vreg(first.0 + i).into())));
        let list = List { start: start as u32, len: (notes.stack.len() - start) as u32 };
        notes.stacks.push((self.function.insts.len() as u32, list));
    }
}

fn put(list: &mut Vec<Arg>, height: u32, arg: Arg) {
    let at = height as usize;
    if at >= list.len() {
        list.resize(at + 1, Arg::NONE);
    }
    list[at] = arg;
}

/// What stands in a stack, with its height.
fn standing(stack: &[Arg]) -> impl Iterator<Item = (u32, Arg)> {
    (0..).zip(stack.iter().copied()).filter(|&(_, arg)| arg != Arg::NONE)
}
