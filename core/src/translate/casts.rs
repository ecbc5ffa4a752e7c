//! Casts, and integers as references.

use super::{CastTarget, Loc, Num, Operand, Run, Sink};
use crate::{
    binary::heap_type,
    op::Op,
    types::{HeapType, RefType},
};

impl<S: Sink> Run<'_, S> {
    pub(super) fn visit_ref_eq(&mut self) {
        self.binary(Op::I64Eq, Num::u32);
    }

    pub(super) fn visit_ref_i31(&mut self) {
        self.unary(Op::RefI31, Num::handle);
    }

    pub(super) fn visit_i31_get_s(&mut self) {
        self.unary(Op::I31GetS, Num::u32);
    }

    pub(super) fn visit_i31_get_u(&mut self) {
        self.unary(Op::I31GetU, Num::u32);
    }

    /// The reference stays as it is.
    pub(super) fn visit_any_convert_extern(&mut self) {}

    /// The reference stays as it is.
    pub(super) fn visit_extern_convert_any(&mut self) {}

    pub(super) fn visit_ref_test_non_null(&mut self, ty: wasmparser::HeapType) {
        let to = self.ref_type(ty, false);
        self.ref_test(to);
    }

    pub(super) fn visit_ref_test_nullable(&mut self, ty: wasmparser::HeapType) {
        let to = self.ref_type(ty, true);
        self.ref_test(to);
    }

    pub(super) fn visit_ref_cast_non_null(&mut self, ty: wasmparser::HeapType) {
        let to = self.ref_type(ty, false);
        self.ref_cast(to);
    }

    pub(super) fn visit_ref_cast_nullable(&mut self, ty: wasmparser::HeapType) {
        let to = self.ref_type(ty, true);
        self.ref_cast(to);
    }

    pub(super) fn visit_br_on_cast(
        &mut self,
        depth: u32,
        _: wasmparser::RefType,
        to: wasmparser::RefType,
    ) {
        let condition = self.is_of(to);
        self.branch_if(condition, true, depth);
    }

    pub(super) fn visit_br_on_cast_fail(
        &mut self,
        depth: u32,
        _: wasmparser::RefType,
        to: wasmparser::RefType,
    ) {
        let condition = self.is_of(to);
        self.branch_if(condition, false, depth);
    }

    /// Whether the topmost reference, which stays, is of a type.
    fn is_of(&mut self, ty: wasmparser::RefType) -> Operand {
        let to = self.ref_type(ty.heap_type(), ty.is_nullable());
        self.duplicate();
        self.ref_test(to);
        self.pop().1
    }

    fn ref_type(&self, ty: wasmparser::HeapType, nullable: bool) -> RefType {
        // Whatever validation let pass can be converted.
        let heap = heap_type(ty, &self.module.types, 0).unwrap_or(HeapType::Any);
        RefType { nullable, heap }
    }

    fn cast_target(&self, ty: RefType) -> CastTarget {
        let is_final = match ty.heap {
            HeapType::Concrete(ty) => self.module.types[ty.index as usize].is_final,
            _ => false,
        };
        CastTarget { ty, is_final }
    }

    fn ref_test(&mut self, to: RefType) {
        let is_top = to.heap == to.heap.top();
        let is_bottom = to.heap == to.heap.bottom();
        match (is_top, is_bottom, to.nullable) {
            (true, _, false) => {
                self.push(Loc::Const(0), Num::u64);
                self.binary(Op::I64Ne, Num::u32);
            }
            (_, true, true) => self.equals_zero(Op::I64Eq),
            (true, ..) | (_, true, _) => {
                self.visit_drop();
                self.push(Loc::Const(u64::from(is_top)), Num::u32);
            }
            _ if to.heap == HeapType::I31 && !to.nullable => {
                self.unary(Op::RefTestI31, Num::u32);
            }
            _ => {
                let (_, a) = self.pop();
                self.sink.ref_test(self.cast_target(to), a, a.height);
                self.push_temp(Num::u32);
            }
        }
    }

    fn ref_cast(&mut self, to: RefType) {
        if to.nullable && to.heap == to.heap.top() {
            return;
        }
        let (ty, a) = self.pop();
        if to.heap == HeapType::I31 && !to.nullable {
            self.sink.unary(Op::RefCastI31, a, a.height);
        } else {
            self.sink.ref_cast(self.cast_target(to), a, a.height);
        }
        self.push_temp(ty);
    }
}
