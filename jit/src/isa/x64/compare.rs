//! Comparisons, and what reads the flags that they set: truth values and selections.

use super::{
    asm::{Alu, Rm, cc, imm},
    float,
    function::{Dst, Emit, Src},
    regs::*,
};
use crate::ir::{Arg, Inst, Vreg};
use kinglet_core::op::{Num, Op};

/// What the flags say. Comparisons of floats for (in)equality need two conditions, because of NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cond {
    /// One condition holds.
    One(u8),
    /// Both hold.
    Both(u8, u8),
    /// One of them holds, or both.
    Either(u8, u8),
}

impl Cond {
    pub(super) fn negated(self) -> Cond {
        match self {
            Cond::One(a) => Cond::One(a ^ 1),
            Cond::Both(a, b) => Cond::Either(a ^ 1, b ^ 1),
            Cond::Either(a, b) => Cond::Both(a ^ 1, b ^ 1),
        }
    }
}

impl Emit<'_> {
    /// A comparison, the result of which is a truth value.
    pub(super) fn truth(&mut self, op: Op, dst: Vreg, a: Arg, b: Arg) {
        let reg = self.dst(dst, RAX).reg;
        // The upper bits can be cleared before, unless that destroys an operand.
        let free = reg != RAX && !self.src(a).uses(reg) && !self.src(b).uses(reg);
        let dst = self.dst(dst, RAX);
        if free {
            self.asm.zero(reg);
        }
        match self.compare(op, a, b) {
            Cond::One(condition) if free => self.asm.setcc(condition, reg),
            Cond::One(condition) => {
                self.asm.setcc(condition, RAX);
                self.asm.movzx8(dst.reg, RAX);
            }
            Cond::Both(first, second) => {
                x64!(self.asm.code; mov ecx, 0);
                self.asm.setcc(first, RAX);
                self.asm.movzx8(dst.reg, RAX);
                self.asm.cmov(second ^ 1, false, dst.reg, Rm::Reg(RCX));
            }
            Cond::Either(first, second) => {
                x64!(self.asm.code; mov ecx, 1);
                self.asm.setcc(first, RAX);
                self.asm.movzx8(dst.reg, RAX);
                self.asm.cmov(second, false, dst.reg, Rm::Reg(RCX));
            }
        }
        self.put_int(dst);
    }

    /// Compares. The flags say the result.
    pub(super) fn compare(&mut self, op: Op, a: Arg, b: Arg) -> Cond {
        match op.row().from {
            Some(Num::f32) => self.compare_floats(op, false, a, b),
            Some(Num::f64) => self.compare_floats(op, true, a, b),
            from => self.compare_ints(op, from == Some(Num::u64), a, b),
        }
    }

    fn compare_ints(&mut self, op: Op, wide: bool, a: Arg, b: Arg) -> Cond {
        let (mut op, mut a, mut b) = (op, self.src(a), self.src(b));
        if matches!(a, Src::Const(_)) && !matches!(b, Src::Const(_)) {
            (op, a, b) = (op.swapped().unwrap_or(op), b, a);
        }
        let a = self.int_rm(wide, a, RAX);
        match (a, b) {
            (_, Src::Const(bits)) => match (a, imm(wide, bits)) {
                (Rm::Reg(reg), Some(0)) => self.asm.test(wide, reg, a),
                (_, Some(value)) => self.asm.alu_imm(Alu::Cmp, wide, a, value),
                (_, None) => {
                    self.asm.mov_imm(RDX, bits);
                    self.asm.alu_to(Alu::Cmp, wide, a, RDX);
                }
            },
            (Rm::Reg(reg), Src::Rm(b)) => self.asm.alu(Alu::Cmp, wide, reg, b),
            (_, Src::Rm(Rm::Reg(reg))) => self.asm.alu_to(Alu::Cmp, wide, a, reg),
            (_, Src::Rm(b)) => {
                self.asm.mov(wide, RAX, a);
                self.asm.alu(Alu::Cmp, wide, RAX, b);
            }
        }
        use Op::*;
        Cond::One(match op {
            I32Eq | I64Eq => cc::E,
            I32Ne | I64Ne => cc::NE,
            I32LtS | I64LtS => cc::L,
            I32LtU | I64LtU => cc::B,
            I32GtS | I64GtS => cc::G,
            I32GtU | I64GtU => cc::A,
            I32LeS | I64LeS => cc::LE,
            I32LeU | I64LeU => cc::BE,
            I32GeS | I64GeS => cc::GE,
            _ => cc::AE,
        })
    }

    fn compare_floats(&mut self, op: Op, wide: bool, a: Arg, b: Arg) -> Cond {
        use Op::*;
        let (a, b) = (self.src(a), self.src(b));
        // What is not ordered looks like "below or equal".
        let (a, b, cond) = match op {
            F32Eq | F64Eq => (a, b, Cond::Both(cc::NP, cc::E)),
            F32Ne | F64Ne => (a, b, Cond::Either(cc::P, cc::NE)),
            F32Lt | F64Lt => (b, a, Cond::One(cc::A)),
            F32Gt | F64Gt => (a, b, Cond::One(cc::A)),
            F32Le | F64Le => (b, a, Cond::One(cc::AE)),
            _ => (a, b, Cond::One(cc::AE)),
        };
        let a = self.float_reg(wide, a, X15);
        let b = self.float_rm(wide, b, X14);
        self.asm.sse(float::ucomis(wide), a, b);
        cond
    }

    pub(super) fn select_plain(&mut self, dst: Vreg, condition: Arg, a: Arg, b: Arg) {
        if self.is_nowhere(dst) {
            return;
        }
        match self.int_rm(false, self.src(condition), RAX) {
            Rm::Reg(reg) => self.asm.test(false, reg, Rm::Reg(reg)),
            memory => self.asm.alu_imm(Alu::Cmp, false, memory, 0),
        }
        self.select(Cond::One(cc::NE), dst, a, b);
    }

    /// `dst = cond ? a : b`
    pub(super) fn select(&mut self, cond: Cond, dst: Vreg, a: Arg, b: Arg) {
        if self.is_nowhere(dst) {
            return;
        }
        let ty = self.ty(dst);
        let (a, b) = (self.src(a), self.src(b));
        // What stays if none of the conditions holds, and the other.
        let (base, other, conditions) = match cond {
            Cond::One(condition) => (b, a, (condition, None)),
            Cond::Both(first, second) => (a, b, (first ^ 1, Some(second ^ 1))),
            Cond::Either(first, second) => (b, a, (first, Some(second))),
        };
        if ty.is_float() {
            self.select_float(ty.is_wide(), self.dst(dst, X15), base, other, conditions);
        } else {
            self.select_int(ty.is_wide(), self.dst(dst, RAX), base, other, conditions);
        }
    }

    fn select_int(
        &mut self,
        wide: bool,
        dst: Dst,
        base: Src,
        other: Src,
        conditions: (u8, Option<u8>),
    ) {
        let (mut base, mut other, (mut first, second)) = (base, other, conditions);
        let constant = |src| matches!(src, Src::Const(_));
        let better = other.is(dst.reg) || !base.is(dst.reg) && constant(other) && !constant(base);
        if second.is_none() && better {
            (base, other, first) = (other, base, first ^ 1);
        }
        let reg = if other.is(dst.reg) { RAX } else { dst.reg };
        let other = self.int_rm_keeping_flags(wide, other, RDX);
        self.mov_int_keeping_flags(wide, reg, base);
        self.asm.cmov(first, wide, reg, other);
        if let Some(second) = second {
            self.asm.cmov(second, wide, reg, other);
        }
        self.put_int_from(dst, reg);
    }

    fn select_float(
        &mut self,
        wide: bool,
        dst: Dst,
        base: Src,
        other: Src,
        conditions: (u8, Option<u8>),
    ) {
        let (mut base, mut other, (mut first, second)) = (base, other, conditions);
        if second.is_none() && other.is(dst.reg) {
            (base, other, first) = (other, base, first ^ 1);
        }
        let reg = if other.is(dst.reg) { X15 } else { dst.reg };
        self.mov_float_keeping_flags(wide, reg, base);
        let taken = second.map(|_| self.asm.skip(first));
        let over = self.asm.skip(second.unwrap_or(first) ^ 1);
        if let Some(taken) = taken {
            self.asm.land(taken);
        }
        self.mov_float_keeping_flags(wide, reg, other);
        self.asm.land(over);
        self.put_float_from(wide, dst, reg);
    }

    /// If the next instruction selects by the value that this one computes, and nobody else reads it, its operands.
    pub(super) fn next_select(&self, condition: Vreg) -> Option<(Vreg, Arg, Arg)> {
        match self.function.insts.get(self.inst + 1) {
            Some(&Inst::Select { dst, condition: read, a, b })
                if read == Arg::from(condition) && self.is_single(condition) =>
            {
                Some((dst, a, b))
            }
            _ => None,
        }
    }
}
