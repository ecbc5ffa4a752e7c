//! Casts, and integers as references.

use super::{Loc, Num, Operand, Run, Sink};
use crate::{
    binary::heap_type,
    op::Op,
    types::{CastTarget, HeapType, RefType},
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
        from: wasmparser::RefType,
        to: wasmparser::RefType,
    ) {
        let condition = self.is_of(to);
        self.branch_on_cast(condition, true, depth, from, to);
    }

    pub(super) fn visit_br_on_cast_fail(
        &mut self,
        depth: u32,
        from: wasmparser::RefType,
        to: wasmparser::RefType,
    ) {
        let condition = self.is_of(to);
        self.branch_on_cast(condition, false, depth, from, to);
    }

    /// A branch that is taken if the topmost reference, of type `from`, turns out to be of type `to`, or to be of another.
    fn branch_on_cast(
        &mut self,
        condition: Operand,
        when: bool,
        depth: u32,
        from: wasmparser::RefType,
        to: wasmparser::RefType,
    ) {
        let refine = |run: &mut Self, is_of: bool| {
            if is_of {
                let to = run.ref_type(to.heap_type(), to.is_nullable());
                run.ref_cast(to);
            } else if from.is_nullable() && to.is_nullable() {
                // Null would have been of the type.
                run.visit_ref_as_non_null();
            }
        };
        self.branch_refining(condition, when, depth, |run| refine(run, when));
        if self.explicit {
            refine(self, !when);
        }
    }

    /// Whether the topmost reference, which stays, is of a type.
    fn is_of(&mut self, ty: wasmparser::RefType) -> Operand {
        let to = self.ref_type(ty.heap_type(), ty.is_nullable());
        let reference = self.peek();
        let height = self.height();
        let loc = self.test(to, reference, height);
        Operand { loc, height }
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
        let (ty, a) = self.pop();
        let loc = self.test(to, a, a.height);
        if loc != Loc::Temp {
            self.sink.discard(ty, a);
        }
        self.push(loc, Num::u32);
    }

    /// Tests whether a reference is of a type. Answers where the result is, if not at `height` of the operand stack.
    fn test(&mut self, to: RefType, a: Operand, height: u32) -> Loc {
        let zero = Operand { loc: Loc::Const(0), height: height + 1 };
        let (top, bottom) = (to.heap.top(), to.heap.bottom());
        match (to.heap, to.nullable) {
            (heap, true) if heap == top => return Loc::Const(1),
            (heap, false) if heap == bottom => return Loc::Const(0),
            (heap, false) if heap == top => self.sink.binary(Op::I64Ne, a, zero, height),
            (heap, true) if heap == bottom => self.sink.binary(Op::I64Eq, a, zero, height),
            (HeapType::I31, false) => self.sink.unary(Op::RefTestI31, a, height),
            _ => self.sink.ref_test(self.cast_target(to), a, height),
        }
        Loc::Temp
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
