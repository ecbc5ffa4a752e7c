//! Casts.

use super::Builder;
use crate::{
    exec::casts::{ABSTRACT, ELSEWHERE, FINAL, NULLABLE},
    kinds::REFERENCE,
};
use kinglet_core::{
    op::Num,
    translate::{CastTarget, Operand, Sink},
    types::{HeapType, RefType, TypeKind},
};

impl Builder {
    /// One of the forms that begin with `first`, with a result of type `ty`.
    pub(super) fn emit_cast(
        &mut self,
        first: u16,
        ty: Num,
        to: CastTarget,
        a: Operand,
        height: u32,
    ) {
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
fn number(CastTarget { ty: RefType { nullable, heap }, is_final }: CastTarget) -> (u32, u16) {
    let (number, special) = match heap {
        HeapType::Concrete(ty) if ty.kind == TypeKind::Func => (ty.index | ELSEWHERE, 0),
        HeapType::Concrete(ty) => (ty.index, 0),
        heap => (abstract_number(heap) | ELSEWHERE, ABSTRACT),
    };
    let flags = if nullable { NULLABLE } else { 0 } | if is_final { FINAL } else { 0 };
    (number, flags | special)
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
