//! Ops on integers and references, and which op is done by what.

use super::{
    asm::{Alu, Opcode, Rm, Shift, cc, imm, op, op_0f, op_p0f},
    compare::Cond,
    float::Rounding,
    function::{Dst, Emit, Src},
    regs::*,
};
use crate::{
    ir::{Arg, Inst, Label, Vreg},
    isa::Unsupported,
};
use kinglet_core::{
    op::{Class, Op},
    trap::Trap,
};

impl Emit<'_> {
    /// An op of the numeric classes.
    pub(super) fn op(&mut self, op: Op, dst: Vreg, a: Arg, b: Arg) -> Result<(), Unsupported> {
        let class = op.class();
        if self.is_nowhere(dst) && matches!(class, Class::un | Class::bin | Class::cmp) {
            return Ok(());
        }
        if class == Class::cmp {
            self.comparison(op, dst, a, b);
            return Ok(());
        }
        use Op::*;
        let wide = op >= I64Add && op <= I64RemU;
        match op {
            I32Add | I64Add => self.alu(Alu::Add, wide, dst, a, b),
            I32Sub | I64Sub => self.alu(Alu::Sub, wide, dst, a, b),
            I32And | I64And => self.and(wide, dst, a, b),
            I32Or | I64Or => self.alu(Alu::Or, wide, dst, a, b),
            I32Xor | I64Xor => self.alu(Alu::Xor, wide, dst, a, b),
            I32Mul | I64Mul => self.mul(wide, dst, a, b),
            I32Shl | I64Shl => self.shift(Shift::Shl, wide, dst, a, b),
            I32ShrS | I64ShrS => self.shift(Shift::Sar, wide, dst, a, b),
            I32ShrU | I64ShrU => self.shift(Shift::Shr, wide, dst, a, b),
            I32Rotl | I64Rotl => self.shift(Shift::Rol, wide, dst, a, b),
            I32Rotr | I64Rotr => self.shift(Shift::Ror, wide, dst, a, b),
            I32DivS | I64DivS => self.div(wide, true, false, dst, a, b),
            I32DivU | I64DivU => self.div(wide, false, false, dst, a, b),
            I32RemS | I64RemS => self.div(wide, true, true, dst, a, b),
            I32RemU | I64RemU => self.div(wide, false, true, dst, a, b),

            I32Clz => self.count(0xbd, self.isa.features.lzcnt, false, dst, a)?,
            I64Clz => self.count(0xbd, self.isa.features.lzcnt, true, dst, a)?,
            I32Ctz => self.count(0xbc, self.isa.features.bmi1, false, dst, a)?,
            I64Ctz => self.count(0xbc, self.isa.features.bmi1, true, dst, a)?,
            I32Popcnt => self.count(0xb8, self.isa.features.popcnt, false, dst, a)?,
            I64Popcnt => self.count(0xb8, self.isa.features.popcnt, true, dst, a)?,
            I32Extend8S => self.extend(op_0f(0xbe), true, 0, dst, a),
            I64Extend8S => self.extend(op_0f(0xbe), true, 0x48, dst, a),
            I32Extend16S => self.extend(op_0f(0xbf), false, 0, dst, a),
            I64Extend16S => self.extend(op_0f(0xbf), false, 0x48, dst, a),
            I64Extend32S | I64ExtendI32S => self.extend(MOVSXD, false, 0x48, dst, a),
            I32WrapI64 => self.low_half(dst, a),
            I64ExtendI32U => {
                let dst = self.dst(dst, RAX);
                self.mov_int(false, dst.reg, self.src(a));
                self.put_int(dst);
            }

            F32Add => self.float_op(false, 0x58, true, dst, a, b),
            F64Add => self.float_op(true, 0x58, true, dst, a, b),
            F32Sub => self.float_op(false, 0x5c, false, dst, a, b),
            F64Sub => self.float_op(true, 0x5c, false, dst, a, b),
            F32Mul => self.float_op(false, 0x59, true, dst, a, b),
            F64Mul => self.float_op(true, 0x59, true, dst, a, b),
            F32Div => self.float_op(false, 0x5e, false, dst, a, b),
            F64Div => self.float_op(true, 0x5e, false, dst, a, b),
            F32Min => self.min_max(false, false, dst, a, b),
            F64Min => self.min_max(true, false, dst, a, b),
            F32Max => self.min_max(false, true, dst, a, b),
            F64Max => self.min_max(true, true, dst, a, b),
            F32Copysign => self.copysign(false, dst, a, b),
            F64Copysign => self.copysign(true, dst, a, b),
            F32Abs => self.sign(false, true, dst, a),
            F64Abs => self.sign(true, true, dst, a),
            F32Neg => self.sign(false, false, dst, a),
            F64Neg => self.sign(true, false, dst, a),
            F32Ceil => self.round(false, Rounding::Up, dst, a)?,
            F64Ceil => self.round(true, Rounding::Up, dst, a)?,
            F32Floor => self.round(false, Rounding::Down, dst, a)?,
            F64Floor => self.round(true, Rounding::Down, dst, a)?,
            F32Trunc => self.round(false, Rounding::ToZero, dst, a)?,
            F64Trunc => self.round(true, Rounding::ToZero, dst, a)?,
            F32Nearest => self.round(false, Rounding::ToEven, dst, a)?,
            F64Nearest => self.round(true, Rounding::ToEven, dst, a)?,
            F32Sqrt => self.sqrt(false, dst, a),
            F64Sqrt => self.sqrt(true, dst, a),

            F32ConvertI32S => self.convert_int(false, true, false, dst, a),
            F32ConvertI32U => self.convert_int(false, false, false, dst, a),
            F32ConvertI64S => self.convert_int(false, true, true, dst, a),
            F32ConvertI64U => self.convert_int(false, false, true, dst, a),
            F64ConvertI32S => self.convert_int(true, true, false, dst, a),
            F64ConvertI32U => self.convert_int(true, false, false, dst, a),
            F64ConvertI64S => self.convert_int(true, true, true, dst, a),
            F64ConvertI64U => self.convert_int(true, false, true, dst, a),
            F32DemoteF64 => self.resize(true, dst, a),
            F64PromoteF32 => self.resize(false, dst, a),
            I32ReinterpretF32 => self.float_bits(false, dst, a),
            I64ReinterpretF64 => self.float_bits(true, dst, a),
            F32ReinterpretI32 => self.float_of_bits(false, dst, a),
            F64ReinterpretI64 => self.float_of_bits(true, dst, a),

            I32TruncF32S => self.truncate(false, true, false, dst, a),
            I32TruncF32U => self.truncate(false, false, false, dst, a),
            I32TruncF64S => self.truncate(true, true, false, dst, a),
            I32TruncF64U => self.truncate(true, false, false, dst, a),
            I64TruncF32S => self.truncate(false, true, true, dst, a),
            I64TruncF32U => self.truncate(false, false, true, dst, a),
            I64TruncF64S => self.truncate(true, true, true, dst, a),
            I64TruncF64U => self.truncate(true, false, true, dst, a),
            I32TruncSatF32S => self.saturate(false, true, false, dst, a),
            I32TruncSatF32U => self.saturate(false, false, false, dst, a),
            I32TruncSatF64S => self.saturate(true, true, false, dst, a),
            I32TruncSatF64U => self.saturate(true, false, false, dst, a),
            I64TruncSatF32S => self.saturate(false, true, true, dst, a),
            I64TruncSatF32U => self.saturate(false, false, true, dst, a),
            I64TruncSatF64S => self.saturate(true, true, true, dst, a),
            I64TruncSatF64U => self.saturate(true, false, true, dst, a),

            RefAsNonNull => {
                let reg = self.not_null(Trap::NullReference, a);
                self.put_int_from(self.dst(dst, RAX), reg);
            }
            RefI31 => self.ref_i31(dst, a),
            I31GetS => self.i31_get(Shift::Sar, dst, a),
            I31GetU => self.i31_get(Shift::Shr, dst, a),
            RefTestI31 => {
                let dst = self.dst(dst, RAX);
                self.mov_int(false, dst.reg, self.src(a));
                self.asm.alu_imm(Alu::And, false, Rm::Reg(dst.reg), 1);
                self.put_int(dst);
            }
            RefCastI31 => {
                let reg = self.int_reg(true, self.src(a), RAX);
                self.asm.test_imm(false, Rm::Reg(reg), 1);
                self.trap_if(cc::E, Trap::CastFailure);
                self.put_int_from(self.dst(dst, RAX), reg);
            }
            _ => return Err(Unsupported("an op that is not numeric")),
        }
        Ok(())
    }

    fn comparison(&mut self, op: Op, dst: Vreg, a: Arg, b: Arg) {
        let Some((selected, x, y)) = self.next_select(dst) else {
            return self.truth(op, dst, a, b);
        };
        let cond = self.compare(op, a, b);
        self.folded = None;
        self.inst += 1;
        self.written(selected);
        self.select(cond, selected, x, y);
    }

    /// Two operands, the second perhaps in memory or immediate, the first replaced by the result.
    pub(super) fn alu(&mut self, alu: Alu, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (mut a, mut b) = (self.src(a), self.src(b));
        if alu.commutes() && matches!(a, Src::Const(_)) {
            (a, b) = (b, a);
        }
        let dst = self.dst(dst, RAX);
        if let Src::Const(bits) = b
            && imm(wide, bits).is_none()
        {
            self.asm.mov_imm(RDX, bits);
            b = Src::reg(RDX);
        }
        // A spill slot in place.
        if let Some(home) = dst.home
            && a == Src::Rm(home)
        {
            match b {
                Src::Rm(Rm::Reg(reg)) => return self.asm.alu_to(alu, wide, home, reg),
                Src::Const(bits) => {
                    return self.asm.alu_imm(alu, wide, home, bits as i32);
                }
                Src::Rm(_) => {}
            }
        }
        if let (Src::Rm(Rm::Reg(from)), true) = (a, matches!(alu, Alu::Add | Alu::Sub)) {
            match b {
                Src::Const(bits) if from != dst.reg => {
                    let value = bits as i32;
                    let value = if alu == Alu::Add { Some(value) } else { value.checked_neg() };
                    if let Some(value) = value {
                        self.asm.lea(wide, dst.reg, Rm::At(from, value));
                        return self.put_int(dst);
                    }
                }
                Src::Rm(Rm::Reg(with)) if alu == Alu::Add && from != dst.reg && with != dst.reg => {
                    self.asm.lea(wide, dst.reg, Rm::Sum(from, with, 0));
                    return self.put_int(dst);
                }
                _ => {}
            }
        }
        let mut reg = dst.reg;
        if b.uses(reg) && !a.is(reg) {
            if alu.commutes() {
                // Memory that is addressed with the register is read before it is written.
                (a, b) = (b, a);
            } else if b.is(reg) && alu == Alu::Sub {
                self.asm.unary(3, wide, Rm::Reg(reg));
                let a = self.int_rm(wide, a, RAX);
                return self.asm.alu(Alu::Add, wide, reg, a);
            } else {
                reg = RAX;
            }
        }
        self.mov_int(wide, reg, a);
        match b {
            Src::Rm(b) => self.asm.alu(alu, wide, reg, b),
            Src::Const(bits) => match (alu, bits as i32) {
                // Adding -128 has a shorter immediate.
                (Alu::Add, 128) => self.asm.alu_imm(Alu::Sub, wide, Rm::Reg(reg), -128),
                (Alu::Sub, 128) => self.asm.alu_imm(Alu::Add, wide, Rm::Reg(reg), -128),
                (_, value) => self.asm.alu_imm(alu, wide, Rm::Reg(reg), value),
            },
        }
        self.put_int_from(dst, reg);
    }

    fn and(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        if let Some((equal, to)) = self.next_bit_test(wide, dst) {
            self.test(wide, a, b);
            self.folded = None;
            self.inst += 1;
            return self.jump_on(Cond::One(if equal { cc::E } else { cc::NE }), to);
        }
        let mask = self.function.const_bits(b);
        match (mask, self.src(a)) {
            (Some(0xff), Src::Rm(from @ (Rm::Reg(_) | Rm::Frame(_)))) => {
                let dst = self.dst(dst, RAX);
                let rex = if matches!(from, Rm::Reg(reg) if reg >= 4) { 0x40 } else { 0 };
                self.asm.rm(op_0f(0xb6), rex, dst.reg, from);
                self.put_int(dst);
            }
            (Some(0xffff), Src::Rm(from @ (Rm::Reg(_) | Rm::Frame(_)))) => {
                let dst = self.dst(dst, RAX);
                self.asm.rm(op_0f(0xb7), 0, dst.reg, from);
                self.put_int(dst);
            }
            (Some(0xffff_ffff), Src::Rm(from @ (Rm::Reg(_) | Rm::Frame(_)))) if wide => {
                let dst = self.dst(dst, RAX);
                self.asm.mov(false, dst.reg, from);
                self.put_int(dst);
            }
            _ => self.alu(Alu::And, wide, dst, a, b),
        }
    }

    /// If the next instruction jumps where a value is zero (or if it is not), and is the only one to read it: whether, and to where.
    fn next_bit_test(&self, wide: bool, value: Vreg) -> Option<(bool, Label)> {
        let Some(&Inst::Branch { op, when, a, b, to }) = self.function.insts.get(self.inst + 1)
        else {
            return None;
        };
        let (of_wide, equal) = match op {
            Op::I32Eq => (false, true),
            Op::I32Ne => (false, false),
            Op::I64Eq => (true, true),
            Op::I64Ne => (true, false),
            _ => return None,
        };
        let zero = self.function.const_bits(b) == Some(0);
        let fits = zero && wide == of_wide && a == Arg::from(value) && self.is_single(value);
        fits.then_some((equal == when, to))
    }

    /// Sets flags by the bits that are in both.
    fn test(&mut self, wide: bool, a: Arg, b: Arg) {
        let (mut a, mut b) = (self.src(a), self.src(b));
        if matches!(a, Src::Const(_)) || matches!(b, Src::Rm(Rm::Reg(_))) {
            (a, b) = (b, a);
        }
        let a = self.int_rm(wide, a, RAX);
        match b {
            Src::Const(bits) => match imm(wide, bits) {
                // The upper half of the mask is zero.
                Some(value) if value >= 0 => self.asm.test_imm(false, a, value),
                Some(value) => self.asm.test_imm(wide, a, value),
                None => {
                    self.asm.mov_imm(RDX, bits);
                    self.asm.test(wide, RDX, a);
                }
            },
            Src::Rm(b) => {
                let b = self.int_reg(wide, Src::Rm(b), RDX);
                self.asm.test(wide, b, a);
            }
        }
    }

    fn mul(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (mut a, mut b) = (self.src(a), self.src(b));
        if matches!(a, Src::Const(_)) {
            (a, b) = (b, a);
        }
        let dst = self.dst(dst, RAX);
        if let Src::Const(bits) = b {
            let bits = if wide { bits } else { u64::from(bits as u32) };
            if bits == 0 {
                self.mov_int(wide, dst.reg, Src::Const(0));
                return self.put_int(dst);
            }
            if bits.is_power_of_two() {
                self.mov_int(wide, dst.reg, a);
                if bits != 1 {
                    self.asm.shift_imm(Shift::Shl, wide, dst.reg, bits.trailing_zeros() as u8);
                }
                return self.put_int(dst);
            }
            if let (3 | 5 | 9, Src::Rm(Rm::Reg(from))) = (bits, a) {
                let shift = (bits - 1).trailing_zeros() as u8;
                self.asm.lea_scaled(wide, dst.reg, from, from, shift);
                return self.put_int(dst);
            }
            if let Some(value) = imm(wide, bits) {
                let a = self.int_rm(wide, a, RAX);
                self.asm.imul_imm(wide, dst.reg, a, value);
                return self.put_int(dst);
            }
            self.asm.mov_imm(RDX, bits);
            b = Src::reg(RDX);
        }
        if b.uses(dst.reg) && !a.is(dst.reg) {
            (a, b) = (b, a);
        }
        self.mov_int(wide, dst.reg, a);
        let b = self.int_rm(wide, b, RDX);
        self.asm.imul(wide, dst.reg, b);
        self.put_int(dst);
    }

    fn shift(&mut self, shift: Shift, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = (self.src(a), self.src(b));
        let dst = self.dst(dst, RAX);
        let rotates = matches!(shift, Shift::Rol | Shift::Ror);
        let bmi2 = self.isa.features.bmi2;
        if let Src::Const(count) = b {
            let mask = if wide { 63 } else { 31 };
            let count = count as u8 & mask;
            match a {
                Src::Rm(Rm::Reg(from)) if rotates && bmi2 && from != dst.reg && count != 0 => {
                    let right = if shift == Shift::Ror { count } else { mask + 1 - count };
                    self.asm.rorx(wide, dst.reg, from, right);
                }
                _ => {
                    self.mov_int(wide, dst.reg, a);
                    if count != 0 {
                        self.asm.shift_imm(shift, wide, dst.reg, count);
                    }
                }
            }
        } else if bmi2 && !rotates {
            let count = self.int_reg(false, b, RCX);
            let from = self.int_reg(wide, a, RAX);
            self.asm.shift_x(shift, wide, dst.reg, from, count);
        } else {
            self.mov_int(false, RCX, b);
            self.mov_int(wide, dst.reg, a);
            self.asm.shift_cl(shift, wide, dst.reg);
        }
        self.put_int(dst);
    }

    pub(super) fn shift_add(&mut self, wide: bool, shift: u8, dst: Vreg, a: Arg, b: Arg) {
        if self.is_nowhere(dst) {
            return;
        }
        let (a, b) = (self.src(a), self.src(b));
        let dst = self.dst(dst, RAX);
        let index = self.int_reg(wide, b, RDX);
        match a {
            Src::Const(bits) if imm(wide, bits).is_some() => {
                self.asm.lea_table(wide, dst.reg, index, shift & 3, bits as i32);
            }
            _ => {
                let base = self.int_reg(wide, a, RAX);
                self.asm.lea_scaled(wide, dst.reg, base, index, shift & 3);
            }
        }
        self.put_int(dst);
    }

    fn div(&mut self, wide: bool, signed: bool, rem: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = (self.src(a), self.src(b));
        let known = match b {
            Src::Const(bits) if wide => Some(bits as i64),
            Src::Const(bits) if signed => Some(i64::from(bits as i32)),
            Src::Const(bits) => Some(i64::from(bits as u32)),
            Src::Rm(_) => None,
        };
        let dst = self.dst(dst, if rem { RDX } else { RAX });
        if let Some(known) = known
            && known != 0
            && self.div_known(wide, signed, rem, dst, a, known)
        {
            return;
        }
        let by = self.int_reg(wide, b, RCX);
        if matches!(known, None | Some(0)) {
            self.asm.test(wide, by, Rm::Reg(by));
            self.trap_if(cc::E, Trap::IntegerDivisionByZero);
        }
        self.mov_int(wide, RAX, a);
        let mut over = None;
        if !signed {
            self.asm.zero(RDX);
            self.asm.unary(6, wide, Rm::Reg(by));
        } else {
            if known.is_none() {
                // The quotient by -1 may not fit, which the processor would complain about.
                self.asm.alu_imm(Alu::Cmp, wide, Rm::Reg(by), -1);
                let usual = self.asm.skip(cc::NE);
                if rem {
                    self.asm.zero(RDX);
                } else {
                    self.asm.unary(3, wide, Rm::Reg(RAX));
                    self.trap_if(cc::O, Trap::IntegerOverflow);
                }
                over = Some(self.asm.skip_always());
                self.asm.land(usual);
            }
            if wide {
                x64!(self.asm.code; cqo);
            } else {
                x64!(self.asm.code; cdq);
            }
            self.asm.unary(7, wide, Rm::Reg(by));
        }
        if let Some(over) = over {
            self.asm.land(over);
        }
        self.put_int_from(dst, if rem { RDX } else { RAX });
    }

    /// Divides by a constant that is not zero, if there is a better way than to divide.
    fn div_known(
        &mut self,
        wide: bool,
        signed: bool,
        rem: bool,
        dst: Dst,
        a: Src,
        by: i64,
    ) -> bool {
        if signed && by == -1 {
            if rem {
                self.asm.zero(dst.reg);
            } else {
                self.mov_int(wide, dst.reg, a);
                self.asm.unary(3, wide, Rm::Reg(dst.reg));
                self.trap_if(cc::O, Trap::IntegerOverflow);
            }
        } else if !signed && (by as u64).is_power_of_two() {
            let mask = by as u64 - 1;
            if !rem {
                self.mov_int(wide, dst.reg, a);
                if by != 1 {
                    self.asm.shift_imm(Shift::Shr, wide, dst.reg, by.trailing_zeros() as u8);
                }
            } else if let Some(mask) = imm(wide, mask) {
                self.mov_int(wide, dst.reg, a);
                self.asm.alu_imm(Alu::And, wide, Rm::Reg(dst.reg), mask);
            } else {
                return false;
            }
        } else {
            return false;
        }
        self.put_int(dst);
        true
    }

    fn count(
        &mut self,
        opcode: u8,
        there: bool,
        wide: bool,
        dst: Vreg,
        a: Arg,
    ) -> Result<(), Unsupported> {
        if !there {
            return Err(Unsupported("the processor does not count bits"));
        }
        let dst = self.dst(dst, RAX);
        let a = self.int_rm(wide, self.src(a), RAX);
        // Some processors wait for what the register had before.
        if !a.uses(dst.reg) {
            self.asm.zero(dst.reg);
        }
        self.asm.sse_int(op_p0f(0xf3, opcode), wide, dst.reg, a);
        self.put_int(dst);
        Ok(())
    }

    fn extend(&mut self, opcode: Opcode, byte: bool, rex: u8, dst: Vreg, a: Arg) {
        let dst = self.dst(dst, RAX);
        let a = self.int_rm(true, self.src(a), RAX);
        let prefix = matches!(a, Rm::Reg(reg) if byte && reg >= 4);
        self.asm.rm(opcode, if prefix { rex | 0x40 } else { rex }, dst.reg, a);
        self.put_int(dst);
    }

    fn low_half(&mut self, dst: Vreg, a: Arg) {
        let dst = self.dst(dst, RAX);
        match self.src(a) {
            Src::Rm(rm) => self.asm.mov(false, dst.reg, rm),
            a => self.mov_int(false, dst.reg, a),
        }
        self.put_int(dst);
    }

    /// Traps if a reference is null. Returns the register that it is in.
    fn not_null(&mut self, trap: Trap, a: Arg) -> u8 {
        let reg = self.int_reg(true, self.src(a), RAX);
        self.asm.test(true, reg, Rm::Reg(reg));
        self.trap_if(cc::E, trap);
        reg
    }

    fn ref_i31(&mut self, dst: Vreg, a: Arg) {
        let dst = self.dst(dst, RAX);
        let from = self.int_reg(false, self.src(a), RAX);
        self.asm.lea(false, dst.reg, Rm::Sum(from, from, 1));
        self.put_int(dst);
    }

    fn i31_get(&mut self, shift: Shift, dst: Vreg, a: Arg) {
        let from = self.not_null(Trap::NullI31Reference, a);
        let dst = self.dst(dst, RAX);
        self.mov_int(false, dst.reg, Src::reg(from));
        self.asm.shift_imm(shift, false, dst.reg, 1);
        self.put_int(dst);
    }

    /// Whether a register has one definition and one user.
    pub(super) fn is_single(&self, vreg: Vreg) -> bool {
        vreg.0 >= self.function.locals && self.function.joined.binary_search(&vreg).is_err()
    }
}

const MOVSXD: Opcode = op(0x63);
