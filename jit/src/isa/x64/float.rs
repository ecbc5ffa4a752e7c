//! Ops on floats.

use super::{
    asm::{Opcode, Rm, cc, op_0f, op_660f3a, op_p0f},
    function::{Dst, Emit, Src},
    regs::*,
};
use crate::{
    ir::{Arg, Vreg},
    isa::Unsupported,
};

/// How a float is rounded to an integral one: by the processor's number for it, without complaints.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rounding {
    ToEven = 8,
    Down = 9,
    Up = 10,
    ToZero = 11,
}

/// An instruction on the lowest float of a register: on an `f64` or an `f32`.
pub(super) const fn scalar(wide: bool, byte: u8) -> Opcode {
    op_p0f(if wide { 0xf2 } else { 0xf3 }, byte)
}

/// `ucomisd` or `ucomiss`
pub(super) const fn ucomis(wide: bool) -> Opcode {
    if wide { op_p0f(0x66, 0x2e) } else { op_0f(0x2e) }
}

pub(super) const MOVAPS: Opcode = op_0f(0x28);
const ANDPS: Opcode = op_0f(0x54);
const ORPS: Opcode = op_0f(0x56);
const XORPS: Opcode = op_0f(0x57);
const PCMPEQD: Opcode = op_p0f(0x66, 0x76);

impl Emit<'_> {
    pub(super) fn zero_float(&mut self, reg: u8) {
        self.asm.sse(XORPS, reg, Rm::Reg(reg));
    }

    /// Puts a float in a register.
    #[inline]
    pub(super) fn mov_float(&mut self, wide: bool, reg: u8, src: Src) {
        match src {
            Src::Rm(Rm::Reg(from)) if from == reg => {}
            Src::Rm(from @ Rm::Reg(_)) => self.asm.sse(MOVAPS, reg, from),
            Src::Rm(memory) => self.asm.sse(scalar(wide, 0x10), reg, memory),
            Src::Const(bits) if float_bits(wide, bits) == 0 => self.zero_float(reg),
            Src::Const(bits) => {
                self.asm.sse(scalar(wide, 0x10), reg, Rm::Const(float_bits(wide, bits)));
            }
        }
    }

    /// The same: nothing that moves a float changes flags.
    pub(super) fn mov_float_keeping_flags(&mut self, wide: bool, reg: u8, src: Src) {
        self.mov_float(wide, reg, src);
    }

    /// The register that a float is in, or `scratch` with it.
    #[inline]
    pub(super) fn float_reg(&mut self, wide: bool, src: Src, scratch: u8) -> u8 {
        match src {
            Src::Rm(Rm::Reg(reg)) => reg,
            _ => {
                self.mov_float(wide, scratch, src);
                scratch
            }
        }
    }

    /// A float as an operand of an instruction that reads no more than it.
    #[inline]
    pub(super) fn float_rm(&mut self, wide: bool, src: Src, scratch: u8) -> Rm {
        match src {
            Src::Rm(rm) => rm,
            Src::Const(bits) if float_bits(wide, bits) == 0 => {
                self.zero_float(scratch);
                Rm::Reg(scratch)
            }
            Src::Const(bits) => Rm::Const(float_bits(wide, bits)),
        }
    }

    /// Stores a result if it does not live in a register.
    #[inline]
    pub(super) fn put_float(&mut self, wide: bool, dst: Dst) {
        if let Some(home) = dst.home {
            self.asm.sse(scalar(wide, 0x11), dst.reg, home);
        }
    }

    /// The same for one that is in another register.
    pub(super) fn put_float_from(&mut self, wide: bool, dst: Dst, reg: u8) {
        match dst.home {
            Some(home) => self.asm.sse(scalar(wide, 0x11), reg, home),
            None => self.mov_float(wide, dst.reg, Src::reg(reg)),
        }
    }

    /// Addition and the like.
    pub(super) fn float_op(
        &mut self,
        wide: bool,
        opcode: u8,
        commutes: bool,
        dst: Vreg,
        a: Arg,
        b: Arg,
    ) {
        let (mut a, mut b) = (self.src(a), self.src(b));
        let dst = self.dst(dst, X15);
        let mut reg = dst.reg;
        if b.is(reg) && !a.is(reg) {
            if commutes {
                (a, b) = (b, a);
            } else {
                reg = X15;
            }
        }
        self.mov_float(wide, reg, a);
        let b = self.float_rm(wide, b, X14);
        self.asm.sse(scalar(wide, opcode), reg, b);
        self.put_float_from(wide, dst, reg);
    }

    pub(super) fn min_max(&mut self, wide: bool, max: bool, dst: Vreg, a: Arg, b: Arg) {
        let (mut a, mut b) = (self.src(a), self.src(b));
        let dst = self.dst(dst, X15);
        let reg = dst.reg;
        if b.is(reg) && !a.is(reg) {
            (a, b) = (b, a);
        }
        let b = Rm::Reg(self.float_reg(wide, b, X14));
        self.mov_float(wide, reg, a);
        self.asm.sse(ucomis(wide), reg, b);
        let differ = self.asm.skip(cc::NE);
        let nan = self.asm.skip(cc::P);
        // Equal floats differ at most in the sign of zero.
        self.asm.sse(if max { ANDPS } else { ORPS }, reg, b);
        let equal = self.asm.skip_always();
        self.asm.land(nan);
        self.asm.sse(scalar(wide, 0x58), reg, b);
        let done = self.asm.skip_always();
        self.asm.land(differ);
        self.asm.sse(scalar(wide, if max { 0x5f } else { 0x5d }), reg, b);
        self.asm.land(equal);
        self.asm.land(done);
        self.put_float(wide, dst);
    }

    /// `abs`, or otherwise `neg`.
    pub(super) fn sign(&mut self, wide: bool, abs: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        let opcode = if abs { ANDPS } else { XORPS };
        match a {
            Src::Rm(from @ Rm::Reg(reg)) if reg != dst.reg => {
                self.mask(wide, abs, dst.reg);
                self.asm.sse(opcode, dst.reg, from);
            }
            _ => {
                self.mov_float(wide, dst.reg, a);
                self.mask(wide, abs, X14);
                self.asm.sse(opcode, dst.reg, Rm::Reg(X14));
            }
        }
        self.put_float(wide, dst);
    }

    pub(super) fn copysign(&mut self, wide: bool, dst: Vreg, a: Arg, b: Arg) {
        let (a, b) = (self.src(a), self.src(b));
        let dst = self.dst(dst, X15);
        // The sign of one.
        self.mask(wide, false, X14);
        match b {
            Src::Rm(from @ Rm::Reg(_)) => self.asm.sse(ANDPS, X14, from),
            _ => {
                self.mov_float(wide, X15, b);
                self.asm.sse(ANDPS, X14, Rm::Reg(X15));
            }
        }
        // And all but the sign of the other.
        self.mov_float(wide, dst.reg, a);
        self.without_sign(wide, dst.reg);
        self.asm.sse(ORPS, dst.reg, Rm::Reg(X14));
        self.put_float(wide, dst);
    }

    /// Clears the sign by shifting it out and in.
    fn without_sign(&mut self, wide: bool, reg: u8) {
        let opcode = op_p0f(0x66, if wide { 0x73 } else { 0x72 });
        for number in [6, 2] {
            self.asm.sse(opcode, number, Rm::Reg(reg));
            self.asm.byte(1);
        }
    }

    /// A register with the sign bit only, or with all others.
    fn mask(&mut self, wide: bool, others: bool, reg: u8) {
        self.asm.sse(PCMPEQD, reg, Rm::Reg(reg));
        // `psrld`, `psrlq`, `pslld` or `psllq` with a count.
        let opcode = op_p0f(0x66, if wide { 0x73 } else { 0x72 });
        let (number, count) = match (others, wide) {
            (true, _) => (2, 1),
            (false, true) => (6, 63),
            (false, false) => (6, 31),
        };
        self.asm.sse(opcode, number, Rm::Reg(reg));
        self.asm.byte(count);
    }

    pub(super) fn sqrt(&mut self, wide: bool, dst: Vreg, a: Arg) {
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        let a = self.float_rm(wide, a, X14);
        self.unless_same(dst.reg, a);
        self.asm.sse(scalar(wide, 0x51), dst.reg, a);
        self.put_float(wide, dst);
    }

    pub(super) fn round(
        &mut self,
        wide: bool,
        rounding: Rounding,
        dst: Vreg,
        a: Arg,
    ) -> Result<(), Unsupported> {
        if !self.isa.features.sse41 {
            return Err(Unsupported("the processor does not round floats"));
        }
        let a = self.src(a);
        let dst = self.dst(dst, X15);
        // Its immediate stands between the address of a constant and the next instruction.
        let a = match a {
            Src::Const(_) => Rm::Reg(self.float_reg(wide, a, X14)),
            Src::Rm(rm) => rm,
        };
        self.unless_same(dst.reg, a);
        self.asm.sse(op_660f3a(if wide { 0x0b } else { 0x0a }), dst.reg, a);
        self.asm.byte(rounding as u8);
        self.put_float(wide, dst);
        Ok(())
    }

    /// Clears a register of which the next instruction writes a part, so that it does not wait for the rest.
    pub(super) fn unless_same(&mut self, reg: u8, a: Rm) {
        if a != Rm::Reg(reg) {
            self.zero_float(reg);
        }
    }
}

/// The bits that count.
fn float_bits(wide: bool, bits: u64) -> u64 {
    if wide { bits } else { u64::from(bits as u32) }
}
