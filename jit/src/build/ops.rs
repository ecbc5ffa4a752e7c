//! Ops that give values, and what they become when something is known of their operands.

use super::{
    Builder,
    fold::{Simpler, fold, simplify},
};
use crate::ir::{Arg, Inst, List, RuntimeOp, RuntimeSite, Ty, Vreg};
use kinglet_core::{
    op::{Class, Num, Op},
    translate::{Loc, MemArg, Operand},
};

impl Builder {
    /// An instruction with one result, which is pushed at a height.
    fn emit_to(&mut self, to: u32, ty: Ty, inst: impl FnOnce(Vreg) -> Inst) {
        let dst = self.vreg(ty);
        self.emit(inst(dst));
        self.push(to, dst.into());
    }

    /// Pushes a value that is there already.
    fn push_same(&mut self, to: u32, ty: Ty, a: Arg) {
        let is_own =
            a.constant().is_some() || self.stack.get(to as usize) == Some(&a) || self.is_made(a);
        if is_own {
            return self.push(to, a);
        }
        self.emit_to(to, ty, |dst| Inst::Move { dst, a });
    }

    fn is_made(&self, a: Arg) -> bool {
        self.maker(a).is_some()
    }

    pub(super) fn emit_unary(&mut self, op: Op, a: Operand, to: u32) {
        if self.dead {
            return;
        }
        let a = self.arg(a);
        if let Some(bits) = self.function.const_bits(a)
            && let Some(bits) = fold(op, bits, 0)
        {
            let value = self.constant(bits);
            return self.push(to, value);
        }
        let ty = match op {
            Op::RefI31 | Op::RefCastI31 => Ty::Ref,
            Op::RefAsNonNull => a.vreg().map_or(Ty::Ref, |v| self.function.vregs[v.0 as usize]),
            _ => self.ty(op.result()),
        };
        self.emit_to(to, ty, |dst| Inst::Op { op, dst, a, b: Arg::NONE });
    }

    pub(super) fn emit_binary(&mut self, mut op: Op, a: Operand, b: Operand, to: u32) {
        if self.dead {
            return;
        }
        let (mut a, mut b) = (self.arg(a), self.arg(b));
        let ty = self.ty(op.result());
        match (self.function.const_bits(a), self.function.const_bits(b)) {
            (Some(x), Some(y)) => {
                if let Some(bits) = fold(op, x, y) {
                    let value = self.constant(bits);
                    return self.push(to, value);
                }
            }
            (Some(_), None) if op.row().commutes => std::mem::swap(&mut a, &mut b),
            (Some(_), None) => {
                if let Some(swapped) = op.swapped() {
                    op = swapped;
                    std::mem::swap(&mut a, &mut b);
                }
            }
            _ => {}
        }
        if let Some(bits) = self.function.const_bits(b) {
            match simplify(op, bits) {
                Some(Simpler::Left) => return self.push_same(to, ty, a),
                Some(Simpler::Bits(bits)) => {
                    let value = self.constant(bits);
                    return self.push(to, value);
                }
                Some(Simpler::Op(other, bits)) => (op, b) = (other, self.constant(bits)),
                None => {}
            }
        }
        if self.negate(op, a, b) {
            return self.push(to, a);
        }
        if matches!(op, Op::I32Add | Op::I64Add) {
            for (base, index) in [(a, b), (b, a)] {
                if let Some((shift, shifted)) = self.scaled(op, base, index) {
                    self.take_back();
                    let (wide, a, b) = (op == Op::I64Add, base, shifted);
                    return self.emit_to(to, ty, |dst| Inst::ShiftAdd { wide, shift, dst, a, b });
                }
            }
        }
        self.emit_to(to, ty, |dst| Inst::Op { op, dst, a, b });
    }

    /// If this asks whether the comparison before it holds or not, makes that give the answer.
    fn negate(&mut self, op: Op, a: Arg, b: Arg) -> bool {
        if !matches!(op, Op::I32Eq | Op::I32Ne)
            || self.function.const_bits(b) != Some(0)
            || self.maker(a).is_none()
        {
            return false;
        }
        let Some(Inst::Op { op: test, .. }) = self.function.insts.last_mut() else { return false };
        match (op, test.negated()) {
            (Op::I32Ne, _) => test.class() == Class::cmp,
            (_, Some(negated)) => {
                *test = negated;
                true
            }
            _ => false,
        }
    }

    /// By how much `index` has just been shifted, and what, if it can be added to `base` in one go.
    fn scaled(&self, add: Op, base: Arg, index: Arg) -> Option<(u8, Arg)> {
        base.vreg()?;
        let Some(Inst::Op { op, a, b, .. }) = self.maker(index) else { return None };
        let shl = if add == Op::I32Add { Op::I32Shl } else { Op::I64Shl };
        let shift = self.function.const_bits(b)?;
        (op == shl && a.vreg().is_some() && (1..=3).contains(&shift)).then_some((shift as u8, a))
    }

    pub(super) fn emit_select(
        &mut self,
        ty: Num,
        condition: Operand,
        a: Operand,
        b: Operand,
        to: u32,
    ) {
        let ty = self.ty(ty);
        if self.dead {
            return;
        }
        let (mut a, mut b, mut condition) = (self.arg(a), self.arg(b), self.arg(condition));
        if let Some(bits) = self.function.const_bits(condition) {
            return self.push_same(to, ty, if bits as u32 != 0 { a } else { b });
        }
        while let Some(Inst::Op { op: op @ (Op::I32Eq | Op::I32Ne), a: tested, b: zero, .. }) =
            self.maker(condition)
            && self.function.const_bits(zero) == Some(0)
        {
            self.take_back();
            condition = tested;
            if op == Op::I32Eq {
                std::mem::swap(&mut a, &mut b);
            }
        }
        self.emit_to(to, ty, |dst| Inst::Select { dst, condition, a, b });
    }

    pub(super) fn emit_local_set(&mut self, local: u32, value: Operand) {
        if self.dead {
            return;
        }
        let from = self.arg(value);
        self.popped(value.height);
        self.assign(Vreg(local), from);
    }

    /// Gives a value a place of its own, if it is read from a local.
    pub(super) fn emit_keep(&mut self, ty: Num, value: Operand) {
        let ty = self.ty(ty);
        if self.dead || value.loc == Loc::Temp {
            return;
        }
        let mut arg = self.arg(value);
        if let Loc::Local(local) = value.loc {
            let dst = self.vreg(ty);
            let inst = Inst::Move { dst, a: arg };
            arg = dst.into();
            self.emit(inst);
            self.move_up(Vreg(local));
        }
        self.put(value.height, arg);
    }

    /// Puts the copy of a local, just emitted, in front of the instruction before it, if that makes a value for the op that comes
    /// next, which can then still change it.
    fn move_up(&mut self, local: Vreg) {
        let insts = &mut self.function.insts;
        let len = insts.len();
        if len < self.fixed + 2 {
            return;
        }
        let dst = match insts[len - 2] {
            Inst::Op { dst, .. }
            | Inst::ShiftAdd { dst, .. }
            | Inst::Select { dst, .. }
            | Inst::Load { dst, .. }
            | Inst::LoadFar { dst, .. }
            | Inst::GlobalGet { dst, .. } => dst,
            _ => return,
        };
        if dst.0 >= self.function.locals && dst != local {
            insts.swap(len - 1, len - 2);
            if let Some(notes) = &mut self.function.notes {
                notes.offsets[len - 1] = notes.offsets[len - 2];
            }
        }
    }

    pub(super) fn emit_load(&mut self, op: Op, address: Operand, at: MemArg, to: u32) {
        if self.dead {
            return;
        }
        let address = self.arg(address);
        let ty = self.ty(op.result());
        match near(at) {
            Some(offset) => self.emit_to(to, ty, |dst| Inst::Load { op, dst, address, offset }),
            None => {
                let at = self.memarg(at);
                self.emit_to(to, ty, |dst| Inst::LoadFar { op, dst, address, at });
            }
        }
    }

    pub(super) fn emit_store(&mut self, op: Op, address: Operand, value: Operand, at: MemArg) {
        if self.dead {
            return;
        }
        let base = address.height;
        let (address, value) = (self.arg(address), self.arg(value));
        self.popped(base);
        match near(at) {
            Some(offset) => self.emit(Inst::Store { op, address, value, offset }),
            None => {
                let at = self.memarg(at);
                self.emit(Inst::StoreFar { op, address, value, at });
            }
        }
    }

    fn memarg(&mut self, at: MemArg) -> u32 {
        self.function.memargs.push(at);
        self.function.memargs.len() as u32 - 1
    }

    pub(super) fn emit_global_get(
        &mut self,
        global: kinglet_core::index::GlobalIdx,
        ty: Num,
        to: u32,
    ) {
        let ty = self.ty(ty);
        if !self.dead {
            self.emit_to(to, ty, |dst| Inst::GlobalGet { dst, global });
        }
    }

    /// An op that the runtime does with what has been placed at height `base` and above.
    pub(super) fn emit_placed(
        &mut self,
        op: RuntimeOp,
        immediates: [u32; 3],
        operands: u32,
        results: impl Iterator<Item = Num>,
        base: u32,
    ) {
        if !self.dead {
            let args = self.placed(base, operands);
            self.emit_runtime(op, immediates, args, results, base);
        }
    }

    /// An op that the runtime does with these operands, with at most one result.
    pub(super) fn emit_outside(
        &mut self,
        op: RuntimeOp,
        immediates: [u32; 3],
        operands: &[Operand],
        result: Option<Num>,
        base: u32,
    ) {
        if self.dead {
            return;
        }
        let start = self.function.pool.len();
        for &operand in operands {
            let arg = self.arg(operand);
            self.function.pool.push(arg);
        }
        let args = self.list_since(start);
        self.emit_runtime(op, immediates, args, result.into_iter(), base);
    }

    fn emit_runtime(
        &mut self,
        op: RuntimeOp,
        immediates: [u32; 3],
        args: List,
        results: impl Iterator<Item = Num>,
        base: u32,
    ) {
        self.note_stack(base, None);
        let results = self.results(base, results);
        let site = self.function.runtimes.len() as u32;
        self.function.runtimes.push(RuntimeSite { op, immediates, args, results });
        self.emit(Inst::Runtime { site });
    }
}

/// The offset of an access to the first memory, if that has 32-bit addresses and is not shared.
fn near(at: MemArg) -> Option<u32> {
    if at.is_64 || at.shared || at.memory.0 != 0 { None } else { u32::try_from(at.offset).ok() }
}
