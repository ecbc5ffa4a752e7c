//! One method per operator: numeric ones go by the op table, the others have a method of the same name here or in `control`.

use super::{Loc, Num, Operand, Run, Sink, num};
use crate::{binary::heap_type, error::Error, index::*, op::Op};
use alloc::vec::Vec;
use wasmparser::{
    BlockType, FrameKind, FrameStack, HeapType, Ieee32, Ieee64, MemArg, ValType, VisitOperator,
};

impl<S: Sink> FrameStack for Run<'_, S> {
    fn current_frame(&self) -> Option<FrameKind> {
        let frames = &self.t.frames;
        self.t.dead.last().copied().or_else(|| frames.last().map(|frame| frame.kind))
    }
}

/// What validation let pass although it belongs to no proposal that is supported. Saying which operator would bring the names of
/// all of them into the binary.
#[cold]
fn unsupported() -> Error {
    Error::unsupported("an operator is not supported by this version", 0)
}

/// One method of the visitor: which way a row of wasmparser's table goes.
macro_rules! method {
    // These look like rows of the op table, but are not.
    (@mvp I32Eqz $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@mvp I64Eqz $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    // Control goes on where code cannot be reached: it ends there.
    (@mvp Block $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@mvp Loop $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@mvp If $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@mvp Else $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@mvp End $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@exceptions TryTable $args:tt $visit:ident $arity:tt) => { method!(always $visit $args); };
    (@legacy_exceptions $op:ident $args:tt $visit:ident $arity:tt) => { legacy!($op $visit $args); };
    // Operators whose meaning is their row of the op table.
    (@mvp $op:ident {} $visit:ident (arity 1 -> 1)) => { method!(numeric $op $visit); };
    (@mvp $op:ident {} $visit:ident (arity 2 -> 1)) => { method!(numeric $op $visit); };
    (@sign_extension $op:ident {} $visit:ident $arity:tt) => { method!(numeric $op $visit); };
    (@saturating_float_to_int $op:ident {} $visit:ident $arity:tt) => { method!(numeric $op $visit); };
    (@mvp $op:ident { $memarg:ident: $ty:ty } $visit:ident (arity memarg $($n:tt)*)) => {
        fn $visit(&mut self, $memarg: MemArg) -> Self::Output {
            if self.dead == 0 {
                let at = self.memarg($memarg);
                self.access(Op::$op, at);
            }
            Ok(())
        }
    };
    // Operators with a method of their own.
    (@mvp $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@bulk_memory $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@exceptions $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@tail_call $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@reference_types TypedSelectMulti $args:tt $visit:ident $arity:tt) => { method!(unsupported $visit $args); };
    (@reference_types $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@wide_arithmetic $op:ident {} $visit:ident (arity $operands:literal -> $results:literal)) => {
        fn $visit(&mut self) -> Self::Output {
            if self.dead == 0 {
                self.multi(Op::$op, $operands, $results);
            }
            Ok(())
        }
    };
    (@gc StructNew $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc StructNewDefault $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc StructGet $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc StructGetS $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc StructGetU $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc StructSet $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayNew $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayNewDefault $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayNewFixed $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayNewData $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayNewElem $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayGet $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayGetS $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayGetU $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArraySet $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayLen $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayFill $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayCopy $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayInitData $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ArrayInitElem $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefEq $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefTestNonNull $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefTestNullable $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefCastNonNull $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefCastNullable $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc BrOnCast $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc BrOnCastFail $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc AnyConvertExtern $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc ExternConvertAny $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc RefI31 $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc I31GetS $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@gc I31GetU $args:tt $visit:ident $arity:tt) => { method!(gc $visit $args); };
    (@function_references $op:ident $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@threads AtomicFence $args:tt $visit:ident $arity:tt) => { method!(own $visit $args); };
    (@threads $op:ident { $memarg:ident: $ty:ty } $visit:ident $arity:tt) => {
        fn $visit(&mut self, $memarg: MemArg) -> Self::Output {
            if self.dead == 0 {
                self.atomic(Op::$op, $memarg);
            }
            Ok(())
        }
    };
    (@$proposal:ident $op:ident $args:tt $visit:ident $arity:tt) => { method!(unsupported $visit $args); };

    (gc $visit:ident $args:tt) => {
        #[cfg(feature = "gc")]
        method!(own $visit $args);
        #[cfg(not(feature = "gc"))]
        method!(unsupported $visit $args);
    };
    (numeric $op:ident $visit:ident) => {
        fn $visit(&mut self) -> Self::Output {
            if self.dead == 0 {
                self.numeric(Op::$op);
            }
            Ok(())
        }
    };
    (always $visit:ident { $($arg:ident: $ty:ty),* }) => {
        fn $visit(&mut self $(, $arg: $ty)*) -> Self::Output {
            Run::$visit(self $(, $arg)*);
            Ok(())
        }
    };
    (own $visit:ident { $($arg:ident: $ty:ty),* }) => {
        fn $visit(&mut self $(, $arg: $ty)*) -> Self::Output {
            if self.dead == 0 {
                Run::$visit(self $(, $arg)*);
            }
            Ok(())
        }
    };
    (unsupported $visit:ident { $($arg:ident: $ty:ty),* }) => {
        fn $visit(&mut self $(, _: $ty)*) -> Self::Output {
            Err(unsupported())
        }
    };
}

/// A method for one of the instructions from before `try_table`.
#[cfg(feature = "legacy-exceptions")]
macro_rules! legacy {
    (Rethrow $visit:ident $args:tt) => { method!(own $visit $args); };
    ($op:ident $visit:ident $args:tt) => { method!(always $visit $args); };
}
#[cfg(not(feature = "legacy-exceptions"))]
macro_rules! legacy {
    ($op:ident $visit:ident $args:tt) => { method!(unsupported $visit $args); };
}

macro_rules! methods {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident $arity:tt )*) => {
        $( method!(@$proposal $op { $($($arg: $ty),*)? } $visit $arity); )*
    };
}

impl<'a, S: Sink> VisitOperator<'a> for Run<'_, S> {
    type Output = Result<(), Error>;

    #[cfg(feature = "simd")]
    fn simd_visitor(
        &mut self,
    ) -> Option<&mut dyn wasmparser::VisitSimdOperator<'a, Output = Self::Output>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(methods);
}

/// Loads and stores, by their opcodes.
const ACCESSES: [Op; 0x3f - FIRST_ACCESS as usize] = {
    use Op::*;
    [
        I32Load, I64Load, F32Load, F64Load, I32Load8S, I32Load8U, I32Load16S, I32Load16U,
        I64Load8S, I64Load8U, I64Load16S, I64Load16U, I64Load32S, I64Load32U, I32Store, I64Store,
        F32Store, F64Store, I32Store8, I32Store16, I64Store8, I64Store16, I64Store32,
    ]
};
const FIRST_ACCESS: u8 = 0x28;

/// An unsigned number of one or two bytes, and how many it has.
#[inline(always)]
fn short_number(code: &[u8]) -> Option<(u32, usize)> {
    match *code {
        [low @ ..0x80, ..] => Some((low.into(), 1)),
        [low, high @ ..0x80, ..] => Some((u32::from(low & 0x7f) | u32::from(high) << 7, 2)),
        _ => None,
    }
}

/// What most code consists of, without the detour over a parser of everything.
impl<S: Sink> Run<'_, S> {
    /// Translates the operator that comes next, if it is a common one with small operands. Returns how many bytes it has.
    #[inline(always)]
    pub(super) fn short(&mut self, code: &[u8]) -> Option<usize> {
        let (&opcode, rest) = code.split_first()?;
        if self.dead > 0 {
            return None;
        }
        match opcode {
            0x20..=0x22 => {
                let (local, len) = short_number(rest)?;
                match opcode {
                    0x20 => self.visit_local_get(local),
                    0x21 => self.visit_local_set(local),
                    _ => self.visit_local_tee(local),
                }
                Some(1 + len)
            }
            FIRST_ACCESS..=0x3e => {
                // The alignment, without flags.
                let ([..0x10, rest @ ..], op) = (rest, ACCESSES[(opcode - FIRST_ACCESS) as usize])
                else {
                    return None;
                };
                let (offset, len) = short_number(rest)?;
                self.access(op, self.place_in(0, offset.into()));
                Some(2 + len)
            }
            0x41 => {
                let (value, len) = short_number(rest)?;
                let unused = 32 - 7 * len;
                self.visit_i32_const((value << unused) as i32 >> unused);
                Some(1 + len)
            }
            _ => None,
        }
    }
}

impl<S: Sink> Run<'_, S> {
    fn visit_block(&mut self, ty: BlockType) {
        self.enter(FrameKind::Block, ty);
    }

    fn visit_loop(&mut self, ty: BlockType) {
        self.enter(FrameKind::Loop, ty);
    }

    fn visit_if(&mut self, ty: BlockType) {
        self.enter(FrameKind::If, ty);
    }

    fn visit_nop(&mut self) {}

    pub(super) fn visit_drop(&mut self) {
        let (ty, value) = self.pop();
        self.sink.discard(ty, value);
    }

    fn visit_select(&mut self) {
        self.select();
    }

    fn visit_typed_select(&mut self, _: ValType) {
        self.select();
    }

    fn visit_local_get(&mut self, local: u32) {
        let slot = self.local_slot(local);
        self.push(Loc::Local(slot), self.t.locals[slot as usize]);
    }

    fn visit_local_set(&mut self, local: u32) {
        self.local_set(self.local_slot(local));
    }

    fn visit_local_tee(&mut self, local: u32) {
        let slot = self.local_slot(local);
        let ty = self.local_set(slot);
        self.push(Loc::Local(slot), ty);
    }

    fn visit_global_get(&mut self, global: u32) {
        let ty = num(self.module.globals[global as usize].content);
        self.sink.global_get(GlobalIdx(global), ty, self.height());
        self.push_temp(ty);
    }

    fn visit_global_set(&mut self, global: u32) {
        let (ty, value) = self.pop();
        self.sink.global_set(GlobalIdx(global), ty, value);
    }

    fn visit_i32_const(&mut self, value: i32) {
        self.push(Loc::Const(u64::from(value as u32)), Num::u32);
    }

    fn visit_i64_const(&mut self, value: i64) {
        self.push(Loc::Const(value as u64), Num::u64);
    }

    fn visit_f32_const(&mut self, value: Ieee32) {
        self.push(Loc::Const(u64::from(value.bits())), Num::f32);
    }

    fn visit_f64_const(&mut self, value: Ieee64) {
        self.push(Loc::Const(value.bits()), Num::f64);
    }

    fn visit_i32_eqz(&mut self) {
        self.equals_zero(Op::I32Eq);
    }

    fn visit_i64_eqz(&mut self) {
        self.equals_zero(Op::I64Eq);
    }

    fn memory_type(&self, memory: u32) -> Num {
        Self::index_type(self.module.memories[memory as usize].is_64)
    }

    fn table_type(&self, table: u32) -> Num {
        Self::index_type(self.module.tables[table as usize].is_64)
    }

    fn visit_atomic_fence(&mut self, _: wasmparser::Ordering) {
        self.slots(Op::AtomicFence, [0, 0], 0, None);
    }

    fn visit_memory_size(&mut self, memory: u32) {
        let ty = self.memory_type(memory);
        self.slots(Op::MemorySize, [memory, 0], 0, Some(ty));
    }

    fn visit_memory_grow(&mut self, memory: u32) {
        let ty = self.memory_type(memory);
        self.slots(Op::MemoryGrow, [memory, 0], 1, Some(ty));
    }

    fn visit_memory_init(&mut self, data: u32, memory: u32) {
        self.slots(Op::MemoryInit, [memory, data], 3, None);
    }

    fn visit_data_drop(&mut self, data: u32) {
        self.slots(Op::DataDrop, [data, 0], 0, None);
    }

    fn visit_memory_copy(&mut self, to: u32, from: u32) {
        self.slots(Op::MemoryCopy, [to, from], 3, None);
    }

    fn visit_memory_fill(&mut self, memory: u32) {
        self.slots(Op::MemoryFill, [memory, 0], 3, None);
    }

    fn visit_table_init(&mut self, elem: u32, table: u32) {
        self.slots(Op::TableInit, [table, elem], 3, None);
    }

    fn visit_elem_drop(&mut self, elem: u32) {
        self.slots(Op::ElemDrop, [elem, 0], 0, None);
    }

    fn visit_table_copy(&mut self, to: u32, from: u32) {
        self.slots(Op::TableCopy, [to, from], 3, None);
    }

    fn visit_ref_null(&mut self, ty: HeapType) {
        let is_func = heap_type(ty, &self.module.types, 0).is_ok_and(|ty| ty.is_func());
        self.push(Loc::Const(0), if is_func { Num::u64 } else { Num::handle });
    }

    fn visit_ref_is_null(&mut self) {
        self.equals_zero(Op::I64Eq);
    }

    fn visit_ref_func(&mut self, func: u32) {
        self.slots(Op::RefFunc, [func, 0], 0, Some(Num::u64));
    }

    fn visit_table_fill(&mut self, table: u32) {
        self.slots(Op::TableFill, [table, 0], 3, None);
    }

    fn visit_table_get(&mut self, table: u32) {
        let ty = num(crate::types::ValType::Ref(self.module.tables[table as usize].element));
        self.slots(Op::TableGet, [table, 0], 1, Some(ty));
    }

    fn visit_table_set(&mut self, table: u32) {
        self.slots(Op::TableSet, [table, 0], 2, None);
    }

    fn visit_table_grow(&mut self, table: u32) {
        let ty = self.table_type(table);
        self.slots(Op::TableGrow, [table, 0], 2, Some(ty));
    }

    fn visit_table_size(&mut self, table: u32) {
        let ty = self.table_type(table);
        self.slots(Op::TableSize, [table, 0], 0, Some(ty));
    }

    pub(super) fn visit_ref_as_non_null(&mut self) {
        let (ty, a) = self.pop();
        self.sink.unary(Op::RefAsNonNull, a, a.height);
        self.push_temp(ty);
    }

    /// Whether the topmost reference, which stays, is null.
    fn is_null(&mut self) -> Operand {
        let reference = self.peek();
        let height = self.height();
        let zero = Operand { loc: Loc::Const(0), height: height + 1 };
        self.sink.binary(Op::I64Eq, reference, zero, height);
        Operand { loc: Loc::Temp, height }
    }

    fn visit_br_on_null(&mut self, depth: u32) {
        let null = self.is_null();
        // The branch does not take it along.
        let (ty, reference) = self.pop();
        self.branch_if(null, true, depth);
        self.push(reference.loc, ty);
        if self.explicit {
            self.visit_ref_as_non_null();
        }
    }

    fn visit_br_on_non_null(&mut self, depth: u32) {
        let null = self.is_null();
        self.branch_refining(null, false, depth, Self::visit_ref_as_non_null);
        self.visit_drop();
    }
}
