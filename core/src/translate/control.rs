//! Structured control to labels and jumps.

use super::{Callee, Entry, Live, Loc, Num, Operand, Run, Sink, num};
use crate::{
    index::*,
    module::Module,
    types::{FuncType, ValType, slot_count},
};
use alloc::vec::Vec;
use core::iter;
use wasmparser::{BlockType, FrameKind};

/// A block that is open.
#[derive(Debug)]
pub(super) struct Frame<L, F> {
    pub(super) kind: FrameKind,
    /// Height of the operand stack below the block's parameters.
    pub(super) height: u32,
    pub(super) ty: FrameType,
    /// Where a branch to the block leads: its end, or its beginning if it is a loop. The function itself has none.
    pub(super) label: Option<L>,
    /// Where the `br_table` at hand leads that has the block among its targets, if that takes more than a jump.
    pub(super) stub: Option<L>,
    /// Where exceptions lead that are caught by branching to the block, if that takes more than a jump.
    pub(super) pad: Option<L>,
    /// How many `try_table`s are open around the block.
    pub(super) tries: u32,
    /// The number of an old `try`, and what it catches so far.
    #[cfg(feature = "legacy-exceptions")]
    pub(super) number: u32,
    #[cfg(feature = "legacy-exceptions")]
    pub(super) clauses: Vec<super::Catch<L>>,
    /// Where the condition of an `if` leads when it is false.
    otherwise: Option<L>,
    /// How many operators stand before the block.
    operators: u32,
    /// Jumps back to the loop, the cost of which is known at its end.
    fuel: Vec<F>,
    /// The references that are live at the head of a loop, if there are notes.
    live: Live,
}

/// The type of a block, without allocation.
#[derive(Clone, Copy, Debug)]
pub(super) enum FrameType {
    Empty,
    Result(Num),
    Type(TypeIdx),
}

impl FrameType {
    pub(super) fn func(self, module: &Module) -> Option<&FuncType> {
        match self {
            FrameType::Type(ty) => Some(module.signature(ty)),
            _ => None,
        }
    }

    fn params(self, module: &Module) -> &[ValType] {
        self.func(module).map_or(&[], FuncType::params)
    }

    /// Types of the parameters, as they are in slots.
    pub(super) fn slot_params(self, module: &Module) -> impl Iterator<Item = Num> {
        self.params(module).iter().copied().map(num)
    }

    /// Types of the results, as they are in slots.
    pub(super) fn slot_results(self, module: &Module) -> impl Iterator<Item = Num> {
        let (one, many) = match self {
            FrameType::Empty => (None, &[][..]),
            FrameType::Result(ty) => (Some(ty), &[][..]),
            FrameType::Type(ty) => (None, module.signature(ty).results()),
        };
        one.into_iter().chain(many.iter().copied().map(num))
    }

    /// How many slots the parameters take.
    fn param_slots(self, module: &Module) -> u32 {
        slot_count(self.params(module))
    }

    /// How many slots the results take.
    pub(super) fn result_slots(self, module: &Module) -> u32 {
        match self {
            FrameType::Empty => 0,
            FrameType::Result(ty) => ty.slots(),
            FrameType::Type(ty) => slot_count(module.signature(ty).results()),
        }
    }
}

impl<S: Sink> Run<'_, S> {
    pub(super) fn enter_function(&mut self, func: FuncIdx) {
        self.t.frames.push(Frame {
            kind: FrameKind::Block,
            height: 0,
            ty: FrameType::Type(self.module.funcs[func]),
            label: None,
            stub: None,
            pad: None,
            tries: 0,
            #[cfg(feature = "legacy-exceptions")]
            number: 0,
            #[cfg(feature = "legacy-exceptions")]
            clauses: Vec::new(),
            otherwise: None,
            operators: 0,
            fuel: Vec::new(),
            live: Live::default(),
        });
        if self.metered {
            self.note_live(0);
            self.entry_fuel = Some(self.sink.fuel());
        }
    }

    pub(super) fn enter(&mut self, kind: FrameKind, ty: BlockType) {
        if self.dead > 0 {
            self.dead += 1;
            self.t.dead.push(kind);
            return;
        }
        let ty = match ty {
            BlockType::Empty => FrameType::Empty,
            BlockType::Type(ty) => FrameType::Result(self.num(ty)),
            BlockType::FuncType(ty) => FrameType::Type(TypeIdx(ty)),
        };
        let condition = (kind == FrameKind::If).then(|| self.pop().1);
        let params = ty.param_slots(self.module);
        self.settle_reads();
        if matches!(kind, FrameKind::Loop | FrameKind::If) {
            for height in self.height() - params..self.height() {
                self.keep(height);
            }
        }
        self.sink.settle(self.height());
        let (module, height) = (self.module, self.height() - params);
        let otherwise = condition.map(|condition| {
            let label = self.sink.label(height, ty.slot_params(module));
            self.sink.jump_if(condition, false, label);
            label
        });
        let label = Some(if kind == FrameKind::Loop {
            self.sink.bind_loop(height, ty.slot_params(module))
        } else {
            self.sink.label(height, ty.slot_results(module))
        });
        let live = match &self.t.notes {
            Some(notes) => notes.live(self.height()),
            None => Live::default(),
        };
        self.t.frames.push(Frame {
            kind,
            height,
            ty,
            label,
            stub: None,
            pad: None,
            tries: self.tries,
            #[cfg(feature = "legacy-exceptions")]
            number: 0,
            #[cfg(feature = "legacy-exceptions")]
            clauses: Vec::new(),
            otherwise,
            operators: self.operators,
            fuel: Vec::new(),
            live,
        });
    }

    pub(super) fn visit_else(&mut self) {
        if self.dead > 1 {
            return;
        }
        let Some(frame) = self.t.frames.last_mut() else { return };
        let (height, ty, label, otherwise) =
            (frame.height, frame.ty, frame.label, frame.otherwise.take());
        frame.kind = FrameKind::Else;
        if self.dead == 0 {
            self.place_results(height, ty.result_slots(self.module));
            if let Some(label) = label {
                self.sink.jump(label, false);
            }
        }
        self.dead = 0;
        self.truncate(height);
        if let Some(otherwise) = otherwise {
            self.sink.bind(otherwise, false);
        }
        self.push_types(ty.params(self.module));
    }

    pub(super) fn visit_end(&mut self) {
        if self.dead > 1 {
            self.dead -= 1;
            self.t.dead.pop();
            return;
        }
        let reachable = self.dead == 0;
        if self.t.frames.len() == 1 {
            if reachable {
                self.visit_return();
            }
            let pad = self.t.frames[0].pad;
            self.land(pad);
            self.t.frames.pop();
            if let Some(point) = self.entry_fuel.take() {
                self.sink.set_cost(point, self.operators);
            }
            return;
        }
        let Some(frame) = self.t.frames.pop() else { return };
        let is_loop = frame.kind == FrameKind::Loop;
        if reachable && is_loop {
            // No label follows: they stay.
            for height in frame.height..self.height() {
                self.keep_here(height);
            }
        } else if reachable {
            self.place_results(frame.height, frame.ty.result_slots(self.module));
        }
        self.dead = 0;
        self.truncate(frame.height);
        match frame.kind {
            FrameKind::TryTable => self.end_try(frame.tries, frame.tries),
            #[cfg(feature = "legacy-exceptions")]
            FrameKind::LegacyTry | FrameKind::LegacyCatch | FrameKind::LegacyCatchAll => {
                self.end_old_try(&frame);
            }
            _ => {}
        }
        for &point in &frame.fuel {
            self.sink.set_cost(point, self.operators - frame.operators);
        }
        if let (true, Some(pad), Some(label)) = (is_loop, frame.pad, frame.label) {
            self.t.pads.push((pad, label, self.operators - frame.operators, frame.live));
        }
        let mut open = reachable;
        if let Some(otherwise) = frame.otherwise {
            self.sink.bind(otherwise, open);
            open = true;
        }
        if let Some(label) = frame.label.filter(|_| !is_loop) {
            self.sink.bind(label, open);
        } else if !open {
            // Nothing comes from above and nothing branches to the end of a loop: what follows cannot be reached.
            self.dead = 1;
        }
        match frame.ty {
            FrameType::Empty => {}
            FrameType::Result(ty) => self.push_temp(ty),
            FrameType::Type(ty) => self.push_types(self.module.signature(ty).results()),
        }
    }

    /// Moves the operands of the `count` topmost slots to those from height `to`, in order, so that none is overwritten before it is read.
    pub(super) fn place_results(&mut self, to: u32, count: u32) {
        let base = self.height() - count;
        for i in 0..count {
            self.place(base + i, to + i);
        }
    }

    /// The frame that a branch leads to, and how many slots the values take that it takes along.
    fn target(&self, depth: u32) -> (usize, u32) {
        let at = self.t.frames.len() - 1 - depth as usize;
        let frame = &self.t.frames[at];
        let count = if frame.kind == FrameKind::Loop {
            frame.ty.param_slots(self.module)
        } else {
            frame.ty.result_slots(self.module)
        };
        (at, count)
    }

    /// Where a branch to the frame leads, if a plain jump will do.
    fn plain_label(&self, at: usize, count: u32) -> Option<S::Label> {
        self.t.frames[at].label.filter(|_| self.is_plain(at, count))
    }

    /// Whether a branch to the frame can be a plain jump: all values stand where they are wanted.
    fn is_plain(&self, at: usize, count: u32) -> bool {
        let frame = &self.t.frames[at];
        let base = self.height() - count;
        at != 0
            && !(self.metered && frame.kind == FrameKind::Loop)
            && (count == 0
                || base == frame.height
                    && self.t.stack[base as usize..].iter().all(|e| e.loc == Loc::Temp))
    }

    /// An unconditional branch, leaving the operand stack as it is.
    fn branch(&mut self, at: usize, count: u32) {
        let frame = &self.t.frames[at];
        let (height, metered) = (frame.height, self.metered && frame.kind == FrameKind::Loop);
        let live = frame.live;
        let Some(label) = frame.label else { return self.emit_return() };
        self.place_results(height, count);
        if metered {
            self.say_live(live);
        }
        if let Some(point) = self.sink.jump(label, metered) {
            self.t.frames[at].fuel.push(point);
        }
    }

    pub(super) fn visit_br(&mut self, depth: u32) {
        let (at, count) = self.target(depth);
        self.branch(at, count);
        self.die();
    }

    pub(super) fn visit_br_if(&mut self, depth: u32) {
        let (_, condition) = self.pop();
        self.branch_if(condition, true, depth);
    }

    /// A branch that is taken if the truth of `condition` is `when`. The operand stack stays as it is, with all that stands below the
    /// condition.
    pub(super) fn branch_if(&mut self, condition: Operand, when: bool, depth: u32) {
        let (at, count) = self.target(depth);
        match self.plain_label(at, count) {
            Some(label) => {
                if count > 0 {
                    self.sink.settle(self.height());
                }
                self.sink.jump_if(condition, when, label);
            }
            None => {
                self.sink.settle(self.height());
                let skip = self.sink.label(condition.height, iter::empty());
                self.sink.jump_if(condition, !when, skip);
                self.branch(at, count);
                self.sink.bind(skip, false);
            }
        }
    }

    /// A branch that finds something out about the topmost operand, which is what `refine` says by ops, if somebody wants to know.
    /// Where the branch is not taken, the operand is as it was.
    pub(super) fn branch_refining(
        &mut self,
        condition: Operand,
        when: bool,
        depth: u32,
        refine: impl FnOnce(&mut Self),
    ) {
        if !self.explicit {
            return self.branch_if(condition, when, depth);
        }
        self.sink.settle(self.height());
        let skip = self.sink.label(condition.height, iter::empty());
        self.sink.jump_if(condition, !when, skip);
        let loc = self.t.stack[self.t.stack.len() - 1].loc;
        refine(self);
        let (at, count) = self.target(depth);
        self.branch(at, count);
        self.sink.bind(skip, false);
        let (ty, _) = self.pop();
        self.push(loc, ty);
    }

    pub(super) fn visit_br_table(&mut self, table: wasmparser::BrTable<'_>) {
        let (_, index) = self.pop();
        self.sink.settle(self.height());
        self.t.targets.clear();
        self.t.stubs.clear();
        // Validation has read the table before, without an error.
        for depth in table.targets().flatten().chain([table.default()]) {
            let (at, count) = self.target(depth);
            let label = self.plain_label(at, count).or(self.t.frames[at].stub);
            let label = label.unwrap_or_else(|| {
                let stub = self.sink.label(self.t.stack.len() as u32, iter::empty());
                self.t.frames[at].stub = Some(stub);
                self.t.stubs.push((depth, stub));
                stub
            });
            self.t.targets.push(label);
        }
        self.sink.jump_table(index, &self.t.targets);
        let stubs = core::mem::take(&mut self.t.stubs);
        for &(depth, label) in &stubs {
            self.sink.bind(label, false);
            let (at, count) = self.target(depth);
            self.t.frames[at].stub = None;
            self.branch(at, count);
        }
        self.t.stubs = stubs;
        self.die();
    }

    pub(super) fn visit_return(&mut self) {
        self.emit_return();
        self.die();
    }

    fn emit_return(&mut self) {
        let count = self.t.frames[0].ty.result_slots(self.module);
        let base = self.height() - count;
        match self.t.stack.get(base as usize) {
            None => self.sink.ret(None),
            Some(&Entry { loc, ty: Some(ty), .. }) if count == ty.slots() => {
                self.sink.ret(Some((ty, Operand { loc, height: base })));
            }
            _ => {
                self.place_top(count);
                self.sink.ret_many(base, count);
            }
        }
    }

    pub(super) fn visit_unreachable(&mut self) {
        self.sink.unreachable();
        self.die();
    }

    /// Nothing up to the end of the block can be reached.
    pub(super) fn die(&mut self) {
        let height = self.t.frames.last().map_or(0, |f| f.height);
        self.truncate(height);
        self.dead = 1;
    }

    fn callee(&self, func: u32) -> (Callee, TypeIdx) {
        let func = FuncIdx(func);
        let callee = if func.0 < self.module.imported_funcs {
            Callee::Import(func)
        } else {
            Callee::Func(func)
        };
        (callee, self.module.funcs[func])
    }

    fn indirect_callee(&mut self, ty: u32, table: u32) -> (Callee, TypeIdx) {
        let (_, index) = self.pop();
        let is_64 = self.module.tables[table as usize].is_64;
        (Callee::Table { table: TableIdx(table), is_64, ty: TypeIdx(ty), index }, TypeIdx(ty))
    }

    fn call(&mut self, (callee, index): (Callee, TypeIdx)) {
        let ty = self.module.signature(index);
        let base = self.place_top(slot_count(ty.params()));
        self.note_live(base);
        self.sink.call(callee, index, ty, base);
        self.truncate(base);
        self.push_types(ty.results());
    }

    fn tail_call(&mut self, (callee, index): (Callee, TypeIdx)) {
        let ty = self.module.signature(index);
        let base = self.place_top(slot_count(ty.params()));
        self.sink.tail_call(callee, index, ty, base);
        self.die();
    }

    pub(super) fn visit_call(&mut self, func: u32) {
        let callee = self.callee(func);
        self.call(callee);
    }

    pub(super) fn visit_call_indirect(&mut self, ty: u32, table: u32) {
        let callee = self.indirect_callee(ty, table);
        self.call(callee);
    }

    fn referred_callee(&mut self, ty: u32) -> (Callee, TypeIdx) {
        let (_, func) = self.pop();
        (Callee::Ref { func }, TypeIdx(ty))
    }

    pub(super) fn visit_call_ref(&mut self, ty: u32) {
        let callee = self.referred_callee(ty);
        self.call(callee);
    }

    pub(super) fn visit_return_call_ref(&mut self, ty: u32) {
        let callee = self.referred_callee(ty);
        self.tail_call(callee);
    }

    pub(super) fn visit_return_call(&mut self, func: u32) {
        let callee = self.callee(func);
        self.tail_call(callee);
    }

    pub(super) fn visit_return_call_indirect(&mut self, ty: u32, table: u32) {
        let callee = self.indirect_callee(ty, table);
        self.tail_call(callee);
    }
}
