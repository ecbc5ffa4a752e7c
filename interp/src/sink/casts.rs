//! Casts.

use super::Builder;
use crate::{
    exec::casts::{ABSTRACT, FUNCTION, NULLABLE},
    forms::code,
    kinds::REFERENCE,
};
use kinglet_core::{
    op::Num,
    translate::{CastTarget, Operand, Sink},
    types::{HeapType, RefType, TypeKind},
};

impl Builder {
    pub(super) fn emit_ref_test(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (_, flags) = number(to);
        let first = match (flags & (ABSTRACT | FUNCTION) == 0, to.is_final) {
            (true, true) => code::REF_TEST_FINAL,
            (true, false) => code::REF_TEST,
            (false, _) => code::REF_TEST_OTHER,
        };
        self.emit_cast(first, Num::u32, to, a, height);
    }

    pub(super) fn emit_ref_cast(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (_, flags) = number(to);
        let is_object = flags & (ABSTRACT | FUNCTION) == 0;
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
        let (number, flags) = number(to);
        self.u32(number);
        self.u16(flags);
    }
}

/// The type as operands: a number, and flags.
fn number(CastTarget { ty: RefType { nullable, heap }, .. }: CastTarget) -> (u32, u16) {
    let (number, flags) = match heap {
        HeapType::Concrete(ty) if ty.kind == TypeKind::Func => (ty.index, FUNCTION),
        HeapType::Concrete(ty) => (ty.index, 0),
        heap => (abstract_number(heap), ABSTRACT),
    };
    (number, if nullable { flags | NULLABLE } else { flags })
}

/// The abstract types that something can be cast to, by number.
pub(crate) const ABSTRACT_TYPES: [HeapType; 12] = [
    HeapType::Func,
    HeapType::NoFunc,
    HeapType::Extern,
    HeapType::NoExtern,
    HeapType::Any,
    HeapType::Eq,
    HeapType::I31,
    HeapType::Struct,
    HeapType::Array,
    HeapType::None,
    HeapType::Exn,
    HeapType::NoExn,
];

fn abstract_number(ty: HeapType) -> u32 {
    ABSTRACT_TYPES.iter().position(|&other| other == ty).unwrap_or(0) as u32
}
