//! Operators on vectors, which go by the op table.

use super::{Loc, Num, Operand, Run, Sink};
use crate::op::{Class, Op};
use wasmparser::{MemArg, V128, VisitSimdOperator};

/// One method of the visitor: which way a row of wasmparser's table goes.
macro_rules! method {
    // Relaxed operators for which the deterministic profile prescribes what others do.
    (@relaxed_simd I8x16RelaxedSwizzle {} $visit:ident) => { method!(op I8x16Swizzle $visit); };
    (@relaxed_simd I32x4RelaxedTruncF32x4S {} $visit:ident) => { method!(op I32x4TruncSatF32x4S $visit); };
    (@relaxed_simd I32x4RelaxedTruncF32x4U {} $visit:ident) => { method!(op I32x4TruncSatF32x4U $visit); };
    (@relaxed_simd I32x4RelaxedTruncF64x2SZero {} $visit:ident) => { method!(op I32x4TruncSatF64x2SZero $visit); };
    (@relaxed_simd I32x4RelaxedTruncF64x2UZero {} $visit:ident) => { method!(op I32x4TruncSatF64x2UZero $visit); };
    (@relaxed_simd I8x16RelaxedLaneselect {} $visit:ident) => { method!(op V128Bitselect $visit); };
    (@relaxed_simd I16x8RelaxedLaneselect {} $visit:ident) => { method!(op V128Bitselect $visit); };
    (@relaxed_simd I32x4RelaxedLaneselect {} $visit:ident) => { method!(op V128Bitselect $visit); };
    (@relaxed_simd I64x2RelaxedLaneselect {} $visit:ident) => { method!(op V128Bitselect $visit); };
    (@relaxed_simd F32x4RelaxedMin {} $visit:ident) => { method!(op F32x4Min $visit); };
    (@relaxed_simd F32x4RelaxedMax {} $visit:ident) => { method!(op F32x4Max $visit); };
    (@relaxed_simd F64x2RelaxedMin {} $visit:ident) => { method!(op F64x2Min $visit); };
    (@relaxed_simd F64x2RelaxedMax {} $visit:ident) => { method!(op F64x2Max $visit); };
    (@relaxed_simd I16x8RelaxedQ15mulrS {} $visit:ident) => { method!(op I16x8Q15MulrSatS $visit); };

    (@simd V128Const { value: $ty:ty } $visit:ident) => {
        fn $visit(&mut self, value: V128) -> Self::Output {
            if self.dead == 0 {
                let to = self.height();
                self.sink.vector_const(value.into(), to);
                self.push_temp(Num::v128);
            }
            Ok(())
        }
    };
    (@$proposal:ident $op:ident {} $visit:ident) => { method!(op $op $visit); };
    (@$proposal:ident $op:ident { lane: $ty:ty } $visit:ident) => {
        fn $visit(&mut self, lane: u8) -> Self::Output {
            self.vector(Op::$op, lane.into());
            Ok(())
        }
    };
    (@$proposal:ident $op:ident { lanes: $ty:ty } $visit:ident) => {
        fn $visit(&mut self, lanes: [u8; 16]) -> Self::Output {
            self.vector(Op::$op, u128::from_le_bytes(lanes));
            Ok(())
        }
    };
    (@$proposal:ident $op:ident { memarg: $ty:ty } $visit:ident) => {
        fn $visit(&mut self, memarg: MemArg) -> Self::Output {
            self.vector_access(Op::$op, memarg, 0);
            Ok(())
        }
    };
    (@$proposal:ident $op:ident { memarg: $ty:ty, lane: $lane:ty } $visit:ident) => {
        fn $visit(&mut self, memarg: MemArg, lane: u8) -> Self::Output {
            self.vector_access(Op::$op, memarg, lane);
            Ok(())
        }
    };
    (op $op:ident $visit:ident) => {
        fn $visit(&mut self) -> Self::Output {
            self.vector(Op::$op, 0);
            Ok(())
        }
    };
}

macro_rules! methods {
    ($( @$proposal:ident $op:ident $({ $($args:tt)* })? => $visit:ident $arity:tt )*) => {
        $( method!(@$proposal $op { $($($args)*)? } $visit); )*
    };
}

impl<'a, S: Sink> VisitSimdOperator<'a> for Run<'_, S> {
    wasmparser::for_each_visit_simd_operator!(methods);
}

impl<S: Sink> Run<'_, S> {
    /// An op that does not touch memory, with an immediate if its class has one.
    fn vector(&mut self, op: Op, immediate: u128) {
        if self.dead > 0 {
            return;
        }
        let count = match op.class() {
            Class::vternary => 3,
            Class::vbin | Class::vshift | Class::replace | Class::shuffle | Class::swizzle => 2,
            _ => 1,
        };
        let operands = self.pop_operands(count);
        self.sink.vector(op, &operands[..count], immediate, operands[0].height);
        self.push_temp(op.result());
    }

    fn vector_access(&mut self, op: Op, arg: MemArg, lane: u8) {
        if self.dead > 0 {
            return;
        }
        let at = self.memarg(arg);
        let count = if matches!(op.class(), Class::vload | Class::vwiden) { 1 } else { 2 };
        let operands = self.pop_operands(count);
        self.sink.vector_access(op, &operands[..count], at, lane, operands[0].height);
        if !matches!(op.class(), Class::vstore | Class::store_lane) {
            self.push_temp(Num::v128);
        }
    }

    /// The `count` topmost operands, in the order in which they were pushed.
    fn pop_operands(&mut self, count: usize) -> [Operand; 3] {
        let mut operands = [Operand { loc: Loc::Const(0), height: 0 }; 3];
        for operand in operands[..count].iter_mut().rev() {
            *operand = self.pop().1;
        }
        operands
    }
}
