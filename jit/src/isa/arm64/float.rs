//! Ops on floats, and conversions.

use super::{
    Emit, Rare, Unsupported,
    asm::{Cond, F0, F1, S0, S1, float},
};
use crate::ir::{Arg, Vreg};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::op::Op;

impl Emit<'_> {
    /// Compares floats. With NaN, C and V are set and N and Z are not: a condition and its opposite are right for both cases.
    pub(super) fn float_flags(&mut self, op: Op, wide: bool, a: Arg, b: Arg) -> Cond {
        use Op::*;
        let a = self.float(a, wide, F0);
        if self.constant(b, wide) == Some(0) {
            if wide {
                dynasm!(self.asm.code ; .arch aarch64 ; fcmp D(a), 0.0);
            } else {
                dynasm!(self.asm.code ; .arch aarch64 ; fcmp S(a), 0.0);
            }
        } else {
            let b = self.float(b, wide, F1);
            float!(self.asm, wide, fcmp a, b);
        }
        match op {
            F32Eq | F64Eq => Cond::EQ,
            F32Lt | F64Lt => Cond::MI,
            F32Gt | F64Gt => Cond::GT,
            F32Le | F64Le => Cond::LS,
            F32Ge | F64Ge => Cond::GE,
            _ => Cond::NE,
        }
    }

    pub(super) fn float_binary(
        &mut self,
        op: Op,
        wide: bool,
        dst: Vreg,
        a: Arg,
        b: Arg,
    ) -> Result<(), Unsupported> {
        use Op::*;
        let a = self.float(a, wide, F0);
        let b = self.float(b, wide, F1);
        let d = self.target(dst, F0);
        match op {
            F32Add | F64Add => float!(self.asm, wide, fadd d, a, b),
            F32Sub | F64Sub => float!(self.asm, wide, fsub d, a, b),
            F32Mul | F64Mul => float!(self.asm, wide, fmul d, a, b),
            F32Div | F64Div => float!(self.asm, wide, fdiv d, a, b),
            F32Min | F64Min => float!(self.asm, wide, fmin d, a, b),
            F32Max | F64Max => float!(self.asm, wide, fmax d, a, b),
            F32Copysign => dynasm!(self.asm.code
                ; .arch aarch64
                ; fmov W(S0), S(a)
                ; fmov W(S1), S(b)
                ; lsr W(S1), W(S1), 31
                ; bfi W(S0), W(S1), 31, 1
                ; fmov S(d), W(S0)
            ),
            F64Copysign => dynasm!(self.asm.code
                ; .arch aarch64
                ; fmov X(S0), D(a)
                ; fmov X(S1), D(b)
                ; lsr X(S1), X(S1), 63
                ; bfi X(S0), X(S1), 63, 1
                ; fmov D(d), X(S0)
            ),
            _ => return Err(Unsupported("an op")),
        }
        self.finish(dst, d);
        Ok(())
    }

    /// Ops with one float.
    pub(super) fn float_unary(
        &mut self,
        op: Op,
        wide: bool,
        dst: Vreg,
        a: Arg,
    ) -> Result<(), Unsupported> {
        use Op::*;
        let a = self.float(a, wide, F0);
        if !self.ty(dst).is_float() {
            return self.int_from_float(op, wide, dst, a);
        }
        let d = self.target(dst, F0);
        match op {
            F32Abs | F64Abs => float!(self.asm, wide, fabs d, a),
            F32Neg | F64Neg => float!(self.asm, wide, fneg d, a),
            F32Ceil | F64Ceil => float!(self.asm, wide, frintp d, a),
            F32Floor | F64Floor => float!(self.asm, wide, frintm d, a),
            F32Trunc | F64Trunc => float!(self.asm, wide, frintz d, a),
            F32Nearest | F64Nearest => float!(self.asm, wide, frintn d, a),
            F32Sqrt | F64Sqrt => float!(self.asm, wide, fsqrt d, a),
            F32DemoteF64 => dynasm!(self.asm.code ; .arch aarch64 ; fcvt S(d), D(a)),
            F64PromoteF32 => dynasm!(self.asm.code ; .arch aarch64 ; fcvt D(d), S(a)),
            _ => return Err(Unsupported("an op")),
        }
        self.finish(dst, d);
        Ok(())
    }

    pub(super) fn float_from_int(&mut self, op: Op, dst: Vreg, a: Arg) -> Result<(), Unsupported> {
        use Op::*;
        let a = self.int_or_zero(a, S0);
        let d = self.target(dst, F0);
        match op {
            F32ConvertI32S => dynasm!(self.asm.code ; .arch aarch64 ; scvtf S(d), W(a)),
            F32ConvertI32U => dynasm!(self.asm.code ; .arch aarch64 ; ucvtf S(d), W(a)),
            F32ConvertI64S => dynasm!(self.asm.code ; .arch aarch64 ; scvtf S(d), X(a)),
            F32ConvertI64U => dynasm!(self.asm.code ; .arch aarch64 ; ucvtf S(d), X(a)),
            F64ConvertI32S => dynasm!(self.asm.code ; .arch aarch64 ; scvtf D(d), W(a)),
            F64ConvertI32U => dynasm!(self.asm.code ; .arch aarch64 ; ucvtf D(d), W(a)),
            F64ConvertI64S => dynasm!(self.asm.code ; .arch aarch64 ; scvtf D(d), X(a)),
            F64ConvertI64U => dynasm!(self.asm.code ; .arch aarch64 ; ucvtf D(d), X(a)),
            F32ReinterpretI32 => dynasm!(self.asm.code ; .arch aarch64 ; fmov S(d), W(a)),
            F64ReinterpretI64 => dynasm!(self.asm.code ; .arch aarch64 ; fmov D(d), X(a)),
            _ => return Err(Unsupported("an op")),
        }
        self.finish(dst, d);
        Ok(())
    }

    /// Conversions of the float in `a`. The instructions saturate, and make 0 of NaN.
    fn int_from_float(&mut self, op: Op, wide: bool, dst: Vreg, a: u8) -> Result<(), Unsupported> {
        use Op::*;
        if let Some(bounds) = bounds(op) {
            self.check_range(wide, a, bounds);
        }
        let d = self.target(dst, S0);
        match op {
            I32TruncF32S | I32TruncSatF32S => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzs W(d), S(a));
            }
            I32TruncF32U | I32TruncSatF32U => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzu W(d), S(a));
            }
            I32TruncF64S | I32TruncSatF64S => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzs W(d), D(a));
            }
            I32TruncF64U | I32TruncSatF64U => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzu W(d), D(a));
            }
            I64TruncF32S | I64TruncSatF32S => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzs X(d), S(a));
            }
            I64TruncF32U | I64TruncSatF32U => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzu X(d), S(a));
            }
            I64TruncF64S | I64TruncSatF64S => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzs X(d), D(a));
            }
            I64TruncF64U | I64TruncSatF64U => {
                dynasm!(self.asm.code ; .arch aarch64 ; fcvtzu X(d), D(a));
            }
            I32ReinterpretF32 => dynasm!(self.asm.code ; .arch aarch64 ; fmov W(d), S(a)),
            I64ReinterpretF64 => dynasm!(self.asm.code ; .arch aarch64 ; fmov X(d), D(a)),
            _ => return Err(Unsupported("an op")),
        }
        self.finish(dst, d);
        Ok(())
    }

    /// Traps unless the float lies between these bounds.
    fn check_range(&mut self, wide: bool, a: u8, (lower, upper): (f64, f64)) {
        // The bounds of a narrow float are narrow floats.
        let bits =
            |bound: f64| if wide { bound.to_bits() } else { (bound as f32).to_bits().into() };
        self.asm.float(F1, bits(lower), wide);
        float!(self.asm, wide, fcmp a, F1);
        let from = self.asm.jump_if(Cond::LE);
        self.rarely(from, Rare::NoInteger { reg: a, wide });
        self.asm.float(F1, bits(upper), wide);
        float!(self.asm, wide, fcmp a, F1);
        let from = self.asm.jump_if(Cond::PL);
        self.rarely(from, Rare::NoInteger { reg: a, wide });
    }
}

/// The floats next to the range of a truncation that traps, outside of it.
fn bounds(op: Op) -> Option<(f64, f64)> {
    use Op::*;
    Some(match op {
        I32TruncF32S => (-2147483904.0, 2147483648.0),
        I32TruncF64S => (-2147483649.0, 2147483648.0),
        I32TruncF32U | I32TruncF64U => (-1.0, 4294967296.0),
        I64TruncF32S => (-9223373136366403584.0, 9223372036854775808.0),
        I64TruncF64S => (-9223372036854777856.0, 9223372036854775808.0),
        I64TruncF32U | I64TruncF64U => (-1.0, 18446744073709551616.0),
        _ => return None,
    })
}
