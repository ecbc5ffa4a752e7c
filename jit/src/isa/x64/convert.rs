//! Conversions between integers and floats.

use super::{
    asm::{Alu, Opcode, Rm, Shift, cc, op, op_0f, op_p0f},
    float::{scalar, ucomis},
    function::{Dst, Emit, Src},
    regs::*,
};
use crate::ir::{Arg, Vreg};
use kinglet_core::trap::Trap;

const MOVD_TO_XMM: Opcode = op_p0f(0x66, 0x6e);
const MOVD_FROM_XMM: Opcode = op_p0f(0x66, 0x7e);

impl Emit<'_> {
    /// An integer (`wide`: of 64 bits) as a float (`double`: an `f64`).
    pub(super) fn convert_int(
        &mut self,
        double: bool,
        signed: bool,
        wide: bool,
        dst: Vreg,
        a: Arg,
    ) {
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        // The upper half of an `i32` is zero, so as an `i64` it has the value that it has without a sign.
        let a = match a {
            Src::Rm(rm @ (Rm::Reg(_) | Rm::Frame(_))) => rm,
            _ => Rm::Reg(self.int_reg(wide, a, RAX)),
        };
        let convert = scalar(double, 0x2a);
        if signed || !wide {
            self.zero_float(dst.reg);
            self.asm.sse_int(convert, !signed || wide, dst.reg, a);
            return self.put_float(double, dst);
        }
        let from = self.int_reg(true, Src::Rm(a), RAX);
        self.zero_float(dst.reg);
        self.asm.test(true, from, Rm::Reg(from));
        let large = self.asm.skip(cc::S);
        self.asm.sse_int(convert, true, dst.reg, Rm::Reg(from));
        let done = self.asm.skip_always();
        self.asm.land(large);
        // Half of it, with a bit for what is lost so that it is rounded right.
        self.asm.mov(true, RCX, Rm::Reg(from));
        self.asm.mov(true, RDX, Rm::Reg(from));
        x64!(self.asm.code; shr rcx, 1; and edx, BYTE 1; or rcx, rdx);
        self.asm.sse_int(convert, true, dst.reg, Rm::Reg(RCX));
        self.asm.sse(scalar(double, 0x58), dst.reg, Rm::Reg(dst.reg));
        self.asm.land(done);
        self.put_float(double, dst);
    }

    /// An `f64` as an `f32`, or the reverse.
    pub(super) fn resize(&mut self, demote: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        let a = self.float_rm(demote, a, X14);
        self.unless_same(dst.reg, a);
        self.asm.sse(scalar(demote, 0x5a), dst.reg, a);
        self.put_float(!demote, dst);
    }

    pub(super) fn float_bits(&mut self, wide: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let dst = self.dst(dst, RAX);
        match a {
            Src::Rm(Rm::Reg(reg)) => match dst.home {
                Some(home) if wide => self.asm.sse(scalar(true, 0x11), reg, home),
                _ => {
                    self.asm.sse_int(MOVD_FROM_XMM, wide, reg, Rm::Reg(dst.reg));
                    self.put_int(dst);
                }
            },
            // What is in memory looks the same.
            _ => {
                self.mov_int(wide, dst.reg, a);
                self.put_int(dst);
            }
        }
    }

    pub(super) fn float_of_bits(&mut self, wide: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        match (a, dst.home) {
            (Src::Rm(Rm::Reg(reg)), Some(home)) => self.asm.mov_to(true, home, reg),
            (Src::Rm(from @ Rm::Reg(_)), None) => {
                self.asm.sse_int(MOVD_TO_XMM, wide, dst.reg, from);
            }
            _ => {
                self.mov_float(wide, dst.reg, a);
                self.put_float(wide, dst);
            }
        }
    }

    /// A float (`double`: an `f64`) as an integer (`wide`: of 64 bits), if it fits.
    pub(super) fn truncate(&mut self, double: bool, signed: bool, wide: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let a = self.float_reg(double, a, X14);
        let dst = self.dst(dst, RAX);
        let reg = dst.reg;
        let fits = if signed {
            self.truncate_signed(double, wide, reg, a)
        } else if wide {
            return self.truncate_large(double, dst, a);
        } else {
            self.truncate_unsigned(double, reg, a)
        };
        self.asm.sse(ucomis(double), a, Rm::Reg(a));
        self.trap_if(cc::P, Trap::BadConversionToInteger);
        if signed {
            // The lowest integer is also what the processor gives if none fits.
            let (lower, usual) = lower_bound(double, wide);
            self.asm.sse(ucomis(double), a, Rm::Const(lower));
            self.trap_if(if usual { cc::B } else { cc::BE }, Trap::IntegerOverflow);
            self.zero_float(X15);
            self.asm.sse(ucomis(double), a, Rm::Reg(X15));
            self.trap_if(cc::AE, Trap::IntegerOverflow);
        } else {
            self.trap_always(Trap::IntegerOverflow);
        }
        self.asm.land(fits);
        self.put_int(dst);
    }

    /// The same, with the nearest integer if it does not fit, and 0 for NaN.
    pub(super) fn saturate(&mut self, double: bool, signed: bool, wide: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let a = self.float_reg(double, a, X14);
        let dst = self.dst(dst, RAX);
        let reg = dst.reg;
        if !signed && wide {
            return self.saturate_large(double, dst, a);
        }
        let fits = if signed {
            self.truncate_signed(double, wide, reg, a)
        } else {
            self.truncate_unsigned(double, reg, a)
        };
        self.zero_float(X15);
        if signed {
            // What there is now is the lowest integer; the highest is the one before, so to say.
            self.asm.sse(ucomis(double), a, Rm::Reg(X15));
            let number = self.asm.skip(cc::NP);
            self.asm.zero(reg);
            let nan = self.asm.skip_always();
            self.asm.land(number);
            let low = self.asm.skip(cc::B);
            self.asm.rm(op(0xff), if wide { 0x48 } else { 0 }, 1, Rm::Reg(reg));
            self.asm.land(nan);
            self.asm.land(low);
        } else {
            self.asm.zero(reg);
            self.asm.sse(ucomis(double), a, Rm::Reg(X15));
            let low = self.asm.skip(cc::BE);
            self.asm.rm(op(0xff), 0, 1, Rm::Reg(reg));
            self.asm.land(low);
        }
        self.asm.land(fits);
        self.put_int(dst);
    }

    /// A jump that is taken if the integer is right.
    fn truncate_signed(&mut self, double: bool, wide: bool, reg: u8, a: u8) -> u32 {
        self.asm.sse_int(scalar(double, 0x2c), wide, reg, Rm::Reg(a));
        // Only the lowest integer overflows.
        self.asm.alu_imm(Alu::Cmp, wide, Rm::Reg(reg), 1);
        self.asm.skip(cc::NO)
    }

    /// The same for an integer of 32 bits without a sign.
    fn truncate_unsigned(&mut self, double: bool, reg: u8, a: u8) -> u32 {
        self.asm.sse_int(scalar(double, 0x2c), true, reg, Rm::Reg(a));
        self.asm.mov(true, RDX, Rm::Reg(reg));
        self.asm.shift_imm(Shift::Shr, true, RDX, 32);
        self.asm.skip(cc::E)
    }

    /// To an integer of 64 bits without a sign.
    fn truncate_large(&mut self, double: bool, dst: Dst, a: u8) {
        let reg = dst.reg;
        let large = self.split_large(double, a);
        self.asm.sse_int(scalar(double, 0x2c), true, reg, Rm::Reg(a));
        self.asm.test(true, reg, Rm::Reg(reg));
        let fits = self.asm.skip(cc::NS);
        self.asm.sse(ucomis(double), a, Rm::Reg(a));
        self.trap_if(cc::P, Trap::BadConversionToInteger);
        self.trap_always(Trap::IntegerOverflow);
        self.asm.land(large);
        self.less_half(double, reg, a);
        self.trap_if(cc::S, Trap::IntegerOverflow);
        self.flip_sign(reg);
        self.asm.land(fits);
        self.put_int(dst);
    }

    fn saturate_large(&mut self, double: bool, dst: Dst, a: u8) {
        let reg = dst.reg;
        let large = self.split_large(double, a);
        self.asm.sse_int(scalar(double, 0x2c), true, reg, Rm::Reg(a));
        self.asm.test(true, reg, Rm::Reg(reg));
        let fits = self.asm.skip(cc::NS);
        self.asm.zero(reg);
        let low = self.asm.skip_always();
        self.asm.land(large);
        self.less_half(double, reg, a);
        let in_range = self.asm.skip(cc::NS);
        self.asm.mov_imm(reg, u64::MAX);
        let high = self.asm.skip_always();
        self.asm.land(in_range);
        self.flip_sign(reg);
        self.asm.land(fits);
        self.asm.land(low);
        self.asm.land(high);
        self.put_int(dst);
    }

    /// A jump that is taken if a float is at least 2 to the power of 63. That is in xmm15 then.
    fn split_large(&mut self, double: bool, a: u8) -> u32 {
        let half = if double { HALF.to_bits() } else { u64::from((HALF as f32).to_bits()) };
        self.mov_float(double, X15, Src::Const(half));
        self.asm.sse(ucomis(double), a, Rm::Reg(X15));
        self.asm.skip(cc::AE)
    }

    /// Adds 2 to the power of 63.
    fn flip_sign(&mut self, reg: u8) {
        self.asm.rm(op_0f(0xba), 0x48, 7, Rm::Reg(reg));
        self.asm.byte(63);
    }

    /// Truncates what the float is beyond xmm15, and sets the flags by that.
    fn less_half(&mut self, double: bool, reg: u8, a: u8) {
        self.mov_float(double, X14, Src::reg(a));
        self.asm.sse(scalar(double, 0x5c), X14, Rm::Reg(X15));
        self.asm.sse_int(scalar(double, 0x2c), true, reg, Rm::Reg(X14));
        self.asm.test(true, reg, Rm::Reg(reg));
    }
}

/// 2 to the power of 63.
const HALF: f64 = 9223372036854775808.0;

/// A float that is not above what may be truncated, and whether it is itself in range.
fn lower_bound(double: bool, wide: bool) -> (u64, bool) {
    match (double, wide) {
        (true, false) => ((-2147483649.0f64).to_bits(), false),
        (true, true) => ((-HALF).to_bits(), true),
        (false, false) => (u64::from((-2147483648.0f32).to_bits()), true),
        (false, true) => (u64::from((-HALF as f32).to_bits()), true),
    }
}
