//! Casts.

use super::Builder;
use crate::{forms::code, kinds::REFERENCE};
use kinglet_core::{
    op::Num,
    translate::{Operand, Sink},
    types::CastTarget,
};

impl Builder {
    pub(super) fn emit_ref_test(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (_, flags) = to.operands();
        let first = match (flags & (CastTarget::ABSTRACT | CastTarget::FUNCTION) == 0, to.is_final)
        {
            (true, true) => code::REF_TEST_FINAL,
            (true, false) => code::REF_TEST,
            (false, _) => code::REF_TEST_OTHER,
        };
        self.emit_cast(first, Num::u32, to, a, height);
    }

    pub(super) fn emit_ref_cast(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (_, flags) = to.operands();
        let is_object = flags & (CastTarget::ABSTRACT | CastTarget::FUNCTION) == 0;
        let first = if is_object { code::REF_CAST } else { code::REF_CAST_OTHER };
        self.emit_cast(first, Num::u64, to, a, height);
    }

    /// One of the forms that begin with `first`, with a result of type `ty`.
    fn emit_cast(&mut self, first: u16, ty: Num, to: CastTarget, a: Operand, height: u32) {
        self.flush();
        let (kind, a) = self.take_kind(Num::u64, a, REFERENCE);
        // It may stop, and then only the accumulator of integers survives.
        self.settle(u32::MAX);
        self.forget();
        self.op_with_result(first + 2 * kind, ty, height);
        self.arg(a);
        let (number, flags) = to.operands();
        self.u32(number);
        self.u16(flags);
    }
}
