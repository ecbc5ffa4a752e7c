//! Labels and jumps.

use super::{Builder, LabelState, put, standing};
use crate::ir::{Arg, CallSite, Callee, Inst, Label, Vreg};
use kinglet_core::{
    index::TypeIdx,
    op::{Class, Num, Op},
    translate::{self, Catch, Operand, num},
    types::{FuncType, slot_count},
};

/// Which values a label takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Those that have been placed. Nobody reads them any more where they stand.
    Placed,
    /// Those that stand on the operand stack, for the last time.
    Popped,
    /// The same, but they stay there if the jump is not taken.
    Standing,
}

impl Builder {
    pub(super) fn new_label(&mut self, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        let start = self.label_types.len() as u32;
        for num in types {
            let ty = self.ty(num);
            self.label_types.push(ty);
        }
        self.check_size();
        let types = (start, self.label_types.len() as u32 - start);
        self.labels.push(LabelState { height, types, used: None, saved: None, table: 0 });
        self.labels.len() as u32 - 1
    }

    /// Gives a label its number and registers. To be called where it can be reached.
    fn use_label(&mut self, label: u32) -> (Label, Vreg) {
        if let Some((number, first)) = self.labels[label as usize].used {
            return (Label(number), first);
        }
        let LabelState { types: (start, count), .. } = self.labels[label as usize];
        let (number, first) = (self.function.labels.len() as u32, self.function.vregs.len() as u32);
        for i in 0..count {
            self.function.vregs.push(self.label_types[(start + i) as usize]);
            self.function.joined.push(Vreg(first + i));
        }
        self.function.labels.push(u32::MAX);
        self.labels[label as usize].used = Some((number, Vreg(first)));
        self.check_size();
        (Label(number), Vreg(first))
    }

    /// Binds a label that is used. Its registers are on the operand stack, above what stood there before.
    fn place_label(&mut self, at: u32, is_loop: bool) {
        let (label, first) = self.use_label(at);
        let LabelState { height, types: (_, count), saved, .. } = self.labels[at as usize];
        if self.unsupported.is_some() {
            return;
        }
        self.dead = false;
        self.drop_jump(label);
        let len = self.function.insts.len();
        self.ended = self.function.blocks.last().is_none_or(|block| block.start as usize != len);
        self.emit(Inst::Label { label, is_loop });
        self.fix();
        self.function.labels[label.0 as usize] = self.function.blocks.len() as u32 - 1;
        if let Some((start, end)) = saved {
            // Where control comes from elsewhere, as at the end of the function, the stack is another one.
            self.stack.clear();
            for i in start..end {
                let (height, arg) = self.saved[i as usize];
                self.put(height, arg);
            }
        }
        self.popped(height);
        for (height, vreg) in (height..height + count).zip(first.0..) {
            self.put(height, Vreg(vreg).into());
            put(&mut self.placed, height, Vreg(vreg).into());
        }
    }

    /// Takes the last instruction back if it is a jump to this label, which is about to be bound here.
    fn drop_jump(&mut self, label: Label) {
        let function = &mut self.function;
        let Some(&Inst::Jump { to }) = function.insts.last() else { return };
        let at = function.insts.len() as u32 - 1;
        if to == label && self.handlers.segments.last().is_none_or(|segment| segment.0 <= at) {
            function.insts.pop();
            if let Some(notes) = &mut function.notes {
                notes.offsets.pop();
            }
        }
    }

    pub(super) fn bind_label(&mut self, at: u32, reachable: bool) {
        let LabelState { height, types: (start, count), used, .. } = self.labels[at as usize];
        let falls = reachable && !self.dead;
        match (falls, used) {
            (true, Some((_, first))) => {
                self.move_values(Values::Placed, height, first, count);
                self.place_label(at, false);
            }
            (false, Some(_)) => self.place_label(at, false),
            (true, None) => {
                // Nobody jumps here. The results stay what they are, but for locals, which may change.
                self.popped(height + count);
                for i in 0..count {
                    let value = self.placed.get((height + i) as usize).copied();
                    let value = self.known(value.unwrap_or(Arg::NONE));
                    let is_local = value.vreg().is_some_and(|v| v.0 < self.function.locals);
                    if is_local {
                        let dst = self.vreg(self.label_types[(start + i) as usize]);
                        self.emit(Inst::Move { dst, a: value });
                        self.put(height + i, dst.into());
                    } else {
                        self.put(height + i, value);
                    }
                }
            }
            (false, None) => self.dead = true,
        }
    }

    pub(super) fn bind_loop_label(&mut self, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        let label = self.new_label(height, types);
        if !self.dead {
            let (_, first) = self.use_label(label);
            self.move_values(Values::Popped, height, first, self.labels[label as usize].types.1);
            self.place_label(label, true);
        }
        label
    }

    pub(super) fn bind_handler_label(
        &mut self,
        number: u32,
        height: u32,
        types: impl Iterator<Item = Num>,
    ) -> u32 {
        self.dead = self.unsupported.is_some()
            || !self.live_tries.get(number as usize).copied().unwrap_or(false);
        let label = self.new_label(height, types);
        if !self.dead {
            self.place_label(label, false);
        }
        label
    }

    /// Moves values from a height on to the registers of a label.
    fn move_values(&mut self, which: Values, height: u32, first: Vreg, count: u32) {
        if count == 0 || self.dead {
            return;
        }
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        let list = if which == Values::Placed { &self.placed } else { &self.stack };
        values.extend(
            (height..height + count).map(|h| list.get(h as usize).copied().unwrap_or(Arg::NONE)),
        );
        if values.contains(&Arg::NONE) {
            self.known(Arg::NONE);
        }
        let place = |arg: Arg| {
            let i = arg.vreg()?.0.checked_sub(first.0)?;
            (i < count).then_some(i)
        };
        if which != Values::Standing
            && let Some(i) = values.iter().rposition(|&value| self.maker(value).is_some())
        {
            let to = Vreg(first.0 + i as u32);
            let is_read = values.iter().any(|&value| value == to.into());
            if !is_read {
                self.retarget(to);
                values[i] = to.into();
            }
        }
        if (0..).zip(&values).any(|(i, &value)| place(value).is_some_and(|j| j < i)) {
            // Some would be overwritten before they are read.
            for (value, to) in values.iter_mut().zip(first.0..) {
                let dst = self.vreg(self.function.vregs[to as usize]);
                self.emit(Inst::Move { dst, a: *value });
                *value = dst.into();
            }
        }
        for (&value, to) in values.iter().zip(first.0..) {
            if value != Vreg(to).into() {
                self.emit(Inst::Move { dst: Vreg(to), a: value });
            }
        }
        self.values = values;
        self.check_size();
    }

    pub(super) fn emit_jump(&mut self, to: u32, metered: bool) -> Option<u32> {
        if self.dead {
            return metered.then(|| self.emit_fuel());
        }
        let (label, first) = self.use_label(to);
        let LabelState { height, types: (_, count), .. } = self.labels[to as usize];
        self.move_values(Values::Placed, height, first, count);
        let point = metered.then(|| {
            self.note_stack(height, Some((first, count)));
            self.emit_fuel()
        });
        self.emit_end(Inst::Jump { to: label });
        self.dead = true;
        point
    }

    /// Points that cannot be reached count as well, as both tiers number them.
    pub(super) fn emit_fuel(&mut self) -> u32 {
        let point = self.function.costs.len() as u32;
        self.function.costs.push(0);
        self.emit(Inst::Fuel { point });
        self.fix();
        point
    }

    pub(super) fn emit_jump_if(&mut self, condition: Operand, when: bool, to: u32) {
        if self.dead {
            return;
        }
        let value = self.arg(condition);
        self.popped(condition.height);
        let test = match self.function.const_bits(value) {
            Some(bits) if (bits as u32 != 0) != when => return,
            Some(_) => None,
            None => Some(self.test(value, when)),
        };
        let (label, first) = self.use_label(to);
        let LabelState { height, types: (_, count), .. } = self.labels[to as usize];
        self.move_values(Values::Standing, height, first, count);
        match test {
            Some((op, when, a, b)) => self.emit_end(Inst::Branch { op, when, a, b, to: label }),
            None => {
                self.emit_end(Inst::Jump { to: label });
                self.dead = true;
            }
        }
    }

    /// The comparison that tells whether the truth of a value is `when`: the one that made it, if that has just been emitted.
    fn test(&mut self, value: Arg, when: bool) -> (Op, bool, Arg, Arg) {
        let zero = self.constant(0);
        let mut test = (Op::I32Ne, when, value, zero);
        while let (Op::I32Ne | Op::I32Eq, when, value, other) = test
            && self.function.const_bits(other) == Some(0)
            && let Some(Inst::Op { op, a, b, .. }) = self.maker(value)
            && op.class() == Class::cmp
        {
            self.take_back();
            test = (op, when == (test.0 == Op::I32Ne), a, b);
        }
        match test {
            (op, false, a, b) => match op.negated() {
                Some(negated) => (negated, true, a, b),
                None => test,
            },
            _ => test,
        }
    }

    pub(super) fn emit_jump_table(&mut self, index: Operand, targets: &[u32]) {
        if self.dead {
            return;
        }
        let value = self.arg(index);
        self.popped(index.height);
        let last = targets.len() - 1;
        if let Some(bits) = self.function.const_bits(value) {
            let to = targets[last.min(bits as u32 as usize)];
            let (label, first) = self.use_label(to);
            let LabelState { height, types: (_, count), .. } = self.labels[to as usize];
            self.move_values(Values::Standing, height, first, count);
            self.emit_end(Inst::Jump { to: label });
        } else {
            let start = self.function.targets.len() as u32;
            self.tables += 1;
            for &to in targets {
                let (label, first) = self.use_label(to);
                let LabelState { height, types: (_, count), .. } = self.labels[to as usize];
                self.function.targets.push(label);
                // What any of the targets takes is moved in front of the jump.
                let moved = std::mem::replace(&mut self.labels[to as usize].table, self.tables);
                if moved != self.tables {
                    self.move_values(Values::Standing, height, first, count);
                }
                if self.dead {
                    return;
                }
            }
            let targets = crate::ir::List { start, len: targets.len() as u32 };
            self.emit_end(Inst::JumpTable { index: value, targets });
        }
        self.dead = true;
    }

    pub(super) fn emit_call(
        &mut self,
        callee: translate::Callee,
        ty: TypeIdx,
        signature: &FuncType,
        base: u32,
        tail: bool,
    ) {
        if self.dead {
            return;
        }
        let callee = match callee {
            translate::Callee::Func(func) => Callee::Func(func),
            translate::Callee::Import(func) => Callee::Import(func),
            translate::Callee::Table { table, is_64, index, .. } => {
                Callee::Table { table, is_64, index: self.arg(index) }
            }
            translate::Callee::Ref { func } => Callee::Ref { func: self.arg(func) },
        };
        let args = self.placed(base, slot_count(signature.params()));
        let site = self.function.calls.len() as u32;
        self.note_stack(base, None);
        let inst = if tail { Inst::TailCall { site } } else { Inst::Call { site } };
        let results = if tail { &[][..] } else { signature.results() };
        let results = self.results(base, results.iter().copied().map(num));
        self.function.calls.push(CallSite { callee, ty, args, results });
        if tail {
            self.emit_end(inst);
            self.dead = true;
        } else {
            self.emit(inst);
        }
    }

    pub(super) fn emit_return(&mut self, values: crate::ir::List) {
        self.emit_end(Inst::Return { values });
        self.dead = true;
    }

    pub(super) fn start_try(&mut self) -> u32 {
        self.fix();
        self.live_tries.push(!self.dead);
        self.handlers.begin(self.function.insts.len() as u32)
    }

    pub(super) fn finish_try(&mut self, outer: u32) {
        self.fix();
        self.handlers.end(self.function.insts.len() as u32, outer);
    }

    pub(super) fn set_clauses(&mut self, number: u32, clauses: &[Catch<u32>]) {
        if !self.live_tries.get(number as usize).copied().unwrap_or(false) {
            return;
        }
        let first = self.handlers.clauses.len() as u32;
        for &Catch { tag, to, height, slots, reference, wanted, goes_back } in clauses {
            if self.unsupported.is_some() {
                return;
            }
            self.save_below(to, goes_back);
            let label_height = self.labels[to as usize].height;
            let (label, vreg) = self.use_label(to);
            let start = self.function.pool.len();
            let value = |height: u32| Vreg(vreg.0 + (height - label_height));
            self.function.pool.extend((height..height + slots).map(|h| Arg::from(value(h))));
            let values = self.list_since(start);
            let reference = reference.map(value);
            let clause = crate::ir::Clause { tag, to: label, values, reference, wanted };
            self.handlers.clauses.push(clause);
        }
        self.handlers.tries[number as usize].clauses = (first, self.handlers.clauses.len() as u32);
    }

    /// Remembers what stands below the values of a label that exceptions lead to. If control goes back to a loop from there, that lives on
    /// beyond its last use in the order of instructions.
    fn save_below(&mut self, label: u32, goes_back: bool) {
        let LabelState { height, saved, .. } = self.labels[label as usize];
        let below = self.stack.len().min(height as usize);
        match self.notes_left.checked_sub(below) {
            Some(left) => self.notes_left = left,
            None => self.refuse("too large"),
        }
        if saved.is_none() && !self.dead {
            if goes_back {
                let vregs = self.stack[..below].iter().filter_map(|arg| arg.vreg());
                self.function.joined.extend(vregs.filter(|vreg| vreg.0 >= self.function.locals));
            }
            let start = self.saved.len() as u32;
            self.saved.extend(standing(&self.stack[..below]));
            self.labels[label as usize].saved = Some((start, self.saved.len() as u32));
        }
    }
}
