//! Ops on integers and references.

use super::{
    Emit, Unsupported,
    asm::{Cond, F1, S0, S1, S2, ZERO, sized, sized_imm},
};
use crate::{
    ir::{Arg, List, Vreg},
    regs::Place,
};
use dynasmrt::{
    DynasmApi,
    aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit},
    dynasm,
};
use kinglet_core::{
    op::{Class, Num, Op},
    trap::Trap,
};

/// A bitwise op.
#[derive(Clone, Copy)]
enum Logical {
    And,
    Or,
    Xor,
}

/// A shift or rotation to the right, or one to the left.
#[derive(Clone, Copy)]
enum Shift {
    Left,
    Signed,
    Unsigned,
    Rotate,
    RotateLeft,
}

impl Emit<'_> {
    /// An op of the numeric classes.
    pub(super) fn op(&mut self, op: Op, dst: Vreg, a: Arg, b: Arg) -> Result<(), Unsupported> {
        use Op::*;
        let row = op.row();
        let pure = matches!(row.class, Class::un | Class::bin | Class::cmp);
        if pure && self.allocation.place(dst) == Place::Nowhere {
            return Ok(());
        }
        if row.class == Class::cmp {
            let cond = self.flags(op, a, b);
            self.set(dst, cond);
            return Ok(());
        }
        let wide = matches!(row.from, Some(Num::u64 | Num::f64));
        match op {
            I32Add | I64Add => self.add(wide, dst, a, b),
            I32Sub | I64Sub => self.sub(wide, dst, a, b),
            I32Mul | I64Mul => self.mul(wide, dst, a, b),
            I32And | I64And => self.logical(Logical::And, wide, dst, a, b),
            I32Or | I64Or => self.logical(Logical::Or, wide, dst, a, b),
            I32Xor | I64Xor => self.logical(Logical::Xor, wide, dst, a, b),
            I32Shl | I64Shl => self.shift(Shift::Left, wide, dst, a, b),
            I32ShrS | I64ShrS => self.shift(Shift::Signed, wide, dst, a, b),
            I32ShrU | I64ShrU => self.shift(Shift::Unsigned, wide, dst, a, b),
            I32Rotl | I64Rotl => self.shift(Shift::RotateLeft, wide, dst, a, b),
            I32Rotr | I64Rotr => self.shift(Shift::Rotate, wide, dst, a, b),
            I32DivS | I64DivS => self.divide(true, false, wide, dst, a, b),
            I32DivU | I64DivU => self.divide(false, false, wide, dst, a, b),
            I32RemS | I64RemS => self.divide(true, true, wide, dst, a, b),
            I32RemU | I64RemU => self.divide(false, true, wide, dst, a, b),
            _ if b == Arg::NONE => match row.from {
                Some(Num::f32 | Num::f64) => return self.float_unary(op, wide, dst, a),
                _ => return self.unary(op, wide, dst, a),
            },
            _ => return self.float_binary(op, wide, dst, a, b),
        }
        Ok(())
    }

    pub(super) fn shift_add(&mut self, wide: bool, shift: u8, dst: Vreg, a: Arg, b: Arg) {
        let a = self.int_or_zero(a, S0);
        let b = self.int_or_zero(b, S1);
        let d = self.target(dst, S0);
        let shift = u32::from(shift & 31);
        if wide {
            dynasm!(self.asm.code ; .arch aarch64 ; add X(d), X(a), X(b), lsl shift);
        } else {
            dynasm!(self.asm.code ; .arch aarch64 ; add W(d), W(a), W(b), lsl shift);
        }
        self.finish(dst, d);
    }

    /// Compares, and returns the condition by which the comparison holds.
    pub(super) fn flags(&mut self, op: Op, a: Arg, b: Arg) -> Cond {
        let from = op.row().from;
        let wide = matches!(from, Some(Num::u64 | Num::f64));
        if matches!(from, Some(Num::f32 | Num::f64)) {
            return self.float_flags(op, wide, a, b);
        }
        let (mut op, mut a, mut b) = (op, a, b);
        if let (Some(_), None, Some(swapped)) = (a.constant(), b.constant(), op.swapped()) {
            op = swapped;
            (a, b) = (b, a);
        }
        let reg = self.int(a, S0);
        let done = match self.signed(b, wide) {
            Some(value) => self.asm.cmp_imm(wide, reg, value),
            None => false,
        };
        if !done {
            let b = self.int(b, S1);
            sized!(self.asm, wide, cmp reg, b);
        }
        condition(op)
    }

    /// Writes whether a condition holds.
    pub(super) fn set(&mut self, dst: Vreg, cond: Cond) {
        let d = self.target(dst, S0);
        self.asm.cset(d, cond);
        self.finish(dst, d);
    }

    /// An op on numbers of 128 bits. Does nothing and returns false for others.
    pub(super) fn multi(&mut self, op: Op, args: List, results: List) -> bool {
        let function = self.function;
        let &[low, high] = function.list(results) else { return false };
        match (op, function.list(args)) {
            (Op::I64Add128 | Op::I64Sub128, &[a0, a1, b0, b1]) => {
                let subtracts = op == Op::I64Sub128;
                let [a, b] = [self.int(a0, S0), self.int(b0, S1)];
                if subtracts {
                    sized!(self.asm, true, subs S0, a, b);
                } else {
                    sized!(self.asm, true, adds S0, a, b);
                }
                // Loads and constants leave the flags alone.
                let [a, b] = [self.int(a1, S1), self.int(b1, S2)];
                if subtracts {
                    sized!(self.asm, true, sbc S1, a, b);
                } else {
                    sized!(self.asm, true, adc S1, a, b);
                }
            }
            (Op::I64MulWideS | Op::I64MulWideU, &[a, b]) => {
                let [a, b] = [self.int(a, S0), self.int(b, S1)];
                if op == Op::I64MulWideS {
                    dynasm!(self.asm.code ; .arch aarch64 ; smulh X(S2), X(a), X(b));
                } else {
                    dynasm!(self.asm.code ; .arch aarch64 ; umulh X(S2), X(a), X(b));
                }
                sized!(self.asm, true, mul S0, a, b);
                self.asm.mov(S1, S2);
            }
            _ => return false,
        }
        for (result, reg) in [(low, S0), (high, S1)] {
            if let Some(vreg) = result.vreg() {
                self.finish(vreg, reg);
            }
        }
        true
    }

    fn add(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = if a.constant().is_some() { (b, a) } else { (a, b) };
        let value = self.signed(b, wide);
        let a = self.int(a, S0);
        let d = self.target(dst, S0);
        if !value.is_some_and(|value| self.asm.add_imm(wide, d, a, value)) {
            let b = self.int(b, S1);
            sized!(self.asm, wide, add d, a, b);
        }
        self.finish(dst, d);
    }

    fn sub(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let value = self.signed(b, wide).and_then(i64::checked_neg);
        let d = self.target(dst, S0);
        let is_zero = self.constant(a, wide) == Some(0);
        let reg = if is_zero { ZERO } else { self.int(a, S0) };
        if is_zero || !value.is_some_and(|value| self.asm.add_imm(wide, d, reg, value)) {
            let b = self.int(b, S1);
            sized!(self.asm, wide, sub d, reg, b);
        }
        self.finish(dst, d);
    }

    fn mul(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = if a.constant().is_some() { (b, a) } else { (a, b) };
        let factor = self.constant(b, wide);
        let a = self.int(a, S0);
        let d = self.target(dst, S0);
        match factor {
            Some(factor) if factor.is_power_of_two() => {
                let bits = factor.trailing_zeros();
                sized_imm!(self.asm, wide, lsl d, a, bits);
            }
            _ => {
                let b = self.int(b, S1);
                sized!(self.asm, wide, mul d, a, b);
            }
        }
        self.finish(dst, d);
    }

    fn logical(&mut self, op: Logical, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = if a.constant().is_some() { (b, a) } else { (a, b) };
        let mask = self.constant(b, wide).filter(|&mask| encodes(mask, wide));
        let all = if wide { u64::MAX } else { u32::MAX.into() };
        let inverts = matches!(op, Logical::Xor) && self.constant(b, wide) == Some(all);
        let a = self.int(a, S0);
        let d = self.target(dst, S0);
        if let Some(mask) = mask {
            macro_rules! by_mask {
                ($op:ident) => {
                    if wide {
                        dynasm!(self.asm.code ; .arch aarch64 ; $op XSP(d), X(a), mask)
                    } else {
                        dynasm!(self.asm.code ; .arch aarch64 ; $op WSP(d), W(a), mask as u32)
                    }
                };
            }
            match op {
                Logical::And => by_mask!(and),
                Logical::Or => by_mask!(orr),
                Logical::Xor => by_mask!(eor),
            }
        } else if inverts {
            sized!(self.asm, wide, mvn d, a);
        } else {
            let b = self.int_or_zero(b, S1);
            match op {
                Logical::And => sized!(self.asm, wide, and d, a, b),
                Logical::Or => sized!(self.asm, wide, orr d, a, b),
                Logical::Xor => sized!(self.asm, wide, eor d, a, b),
            }
        }
        self.finish(dst, d);
    }

    fn shift(&mut self, shift: Shift, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let size = if wide { 64 } else { 32 };
        if let Some(by) = self.constant(b, wide) {
            let by = by as u32 % size;
            let a = self.int(a, S0);
            let d = self.target(dst, S0);
            match shift {
                Shift::Left => sized_imm!(self.asm, wide, lsl d, a, by),
                Shift::Signed => sized_imm!(self.asm, wide, asr d, a, by),
                Shift::Unsigned => sized_imm!(self.asm, wide, lsr d, a, by),
                Shift::Rotate => sized_imm!(self.asm, wide, ror d, a, by),
                Shift::RotateLeft => {
                    let by = (size - by) % size;
                    sized_imm!(self.asm, wide, ror d, a, by);
                }
            }
            self.finish(dst, d);
            return;
        }
        let a = self.int_or_zero(a, S0);
        let b = self.int(b, S1);
        let d = self.target(dst, S0);
        match shift {
            Shift::Left => sized!(self.asm, wide, lsl d, a, b),
            Shift::Signed => sized!(self.asm, wide, asr d, a, b),
            Shift::Unsigned => sized!(self.asm, wide, lsr d, a, b),
            Shift::Rotate => sized!(self.asm, wide, ror d, a, b),
            Shift::RotateLeft => {
                sized!(self.asm, wide, neg S1, b);
                sized!(self.asm, wide, ror d, a, S1);
            }
        }
        self.finish(dst, d);
    }

    fn divide(&mut self, signed: bool, rem: bool, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let divisor = self.constant(b, wide);
        let minus_one = if wide { u64::MAX } else { u32::MAX.into() };
        if let (false, Some(divisor)) = (signed, divisor)
            && divisor.is_power_of_two()
        {
            let a = self.int(a, S0);
            let d = self.target(dst, S0);
            if !rem {
                let by = divisor.trailing_zeros();
                sized_imm!(self.asm, wide, lsr d, a, by);
            } else if divisor == 1 {
                self.asm.imm(d, 0);
            } else if wide {
                dynasm!(self.asm.code ; .arch aarch64 ; and XSP(d), X(a), divisor - 1);
            } else {
                dynasm!(self.asm.code ; .arch aarch64 ; and WSP(d), W(a), divisor as u32 - 1);
            }
            self.finish(dst, d);
            return;
        }
        let a = self.int(a, S0);
        let b = self.int(b, S1);
        if divisor.is_none_or(|divisor| divisor == 0) {
            self.trap_if_zero(wide, b, Trap::IntegerDivisionByZero);
        }
        if signed && !rem && divisor.is_none_or(|divisor| divisor == minus_one) {
            // Only the lowest number overflows when 1 is taken from it.
            if wide {
                dynasm!(self.asm.code ; .arch aarch64 ; cmn XSP(b), 1 ; ccmp X(a), 1, 0, eq);
            } else {
                dynasm!(self.asm.code ; .arch aarch64 ; cmn WSP(b), 1 ; ccmp W(a), 1, 0, eq);
            }
            self.trap_if(Cond::VS, Trap::IntegerOverflow);
        }
        let d = self.target(dst, S0);
        // The quotient of the lowest number by -1 is that number: its remainder comes out as 0.
        let quotient = if rem { S2 } else { d };
        if signed {
            sized!(self.asm, wide, sdiv quotient, a, b);
        } else {
            sized!(self.asm, wide, udiv quotient, a, b);
        }
        if rem {
            sized!(self.asm, wide, msub d, quotient, b, a);
        }
        self.finish(dst, d);
    }

    /// Ops with one integer.
    fn unary(&mut self, op: Op, wide: bool, dst: Vreg, a: Arg) -> Result<(), Unsupported> {
        use Op::*;
        if matches!(op.result(), Num::f32 | Num::f64) {
            return self.float_from_int(op, dst, a);
        }
        let a = self.int(a, S0);
        let d = self.target(dst, S0);
        match op {
            I32Clz | I64Clz => sized!(self.asm, wide, clz d, a),
            I32Ctz | I64Ctz => {
                sized!(self.asm, wide, rbit d, a);
                sized!(self.asm, wide, clz d, d);
            }
            I32Popcnt | I64Popcnt => {
                if wide {
                    dynasm!(self.asm.code ; .arch aarch64 ; fmov D(F1), X(a));
                } else {
                    dynasm!(self.asm.code ; .arch aarch64 ; fmov S(F1), W(a));
                }
                dynasm!(self.asm.code
                    ; .arch aarch64
                    ; cnt V(F1).b8, V(F1).b8
                    ; addv B(F1), V(F1).b8
                    ; fmov W(d), S(F1)
                );
            }
            I32Extend8S | I64Extend8S if wide => {
                dynasm!(self.asm.code ; .arch aarch64 ; sxtb X(d), W(a));
            }
            I32Extend8S | I64Extend8S => dynasm!(self.asm.code ; .arch aarch64 ; sxtb W(d), W(a)),
            I32Extend16S | I64Extend16S if wide => {
                dynasm!(self.asm.code ; .arch aarch64 ; sxth X(d), W(a));
            }
            I32Extend16S | I64Extend16S => {
                dynasm!(self.asm.code ; .arch aarch64 ; sxth W(d), W(a));
            }
            I64Extend32S | I64ExtendI32S => {
                dynasm!(self.asm.code ; .arch aarch64 ; sxtw X(d), W(a));
            }
            I32WrapI64 | I64ExtendI32U => self.asm.mov32(d, a),
            RefAsNonNull => {
                self.trap_if_zero(true, a, Trap::NullReference);
                self.asm.mov(d, a);
            }
            RefI31 => dynasm!(self.asm.code
                ; .arch aarch64
                ; lsl W(d), W(a), 1
                ; orr WSP(d), W(d), 1
            ),
            I31GetS => {
                self.trap_if_zero(true, a, Trap::NullI31Reference);
                dynasm!(self.asm.code ; .arch aarch64 ; asr W(d), W(a), 1);
            }
            I31GetU => {
                self.trap_if_zero(true, a, Trap::NullI31Reference);
                dynasm!(self.asm.code ; .arch aarch64 ; lsr W(d), W(a), 1);
            }
            RefTestI31 => dynasm!(self.asm.code ; .arch aarch64 ; and WSP(d), W(a), 1),
            RefCastI31 => {
                dynasm!(self.asm.code ; .arch aarch64 ; tst W(a), 1);
                self.trap_if(Cond::EQ, Trap::CastFailure);
                self.asm.mov(d, a);
            }
            _ => return Err(Unsupported("an op")),
        }
        self.finish(dst, d);
        Ok(())
    }
}

/// The condition by which a comparison of integers holds.
fn condition(op: Op) -> Cond {
    use Op::*;
    match op {
        I32Eq | I64Eq => Cond::EQ,
        I32LtS | I64LtS => Cond::LT,
        I32LtU | I64LtU => Cond::LO,
        I32GtS | I64GtS => Cond::GT,
        I32GtU | I64GtU => Cond::HI,
        I32LeS | I64LeS => Cond::LE,
        I32LeU | I64LeU => Cond::LS,
        I32GeS | I64GeS => Cond::GE,
        I32GeU | I64GeU => Cond::HS,
        _ => Cond::NE,
    }
}

/// Whether a mask fits a bitwise op.
fn encodes(mask: u64, wide: bool) -> bool {
    if wide {
        encode_logical_immediate_64bit(mask).is_some()
    } else {
        encode_logical_immediate_32bit(mask as u32).is_some()
    }
}
