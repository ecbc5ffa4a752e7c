//! What the translator calls.

use super::Builder;
use crate::ir::{Inst, RuntimeOp};
use kinglet_core::{
    error::Error,
    index::{GlobalIdx, TagIdx, TypeIdx},
    op::{Class, Num, Op},
    translate::{Callee, Catch, Live, Loc, MemArg, Operand, Shape, Sink},
    trap::Trap,
    types::FuncType,
};
#[cfg(feature = "gc")]
use kinglet_core::{
    translate::{Access, num},
    types::{CastTarget, ValType},
};

impl Sink for Builder {
    type Label = u32;
    type FuelPoint = u32;

    fn begin(&mut self, shape: &Shape<'_>) -> Result<(), Error> {
        self.start(shape);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }

    fn position(&mut self, offset: usize) -> Result<(), Error> {
        self.offset = offset as u32;
        Ok(())
    }

    /// References are found by the types of registers.
    fn live(&mut self, _: Live) {}

    fn unary(&mut self, op: Op, a: Operand, to: u32) {
        self.emit_unary(op, a, to);
    }

    fn binary(&mut self, op: Op, a: Operand, b: Operand, to: u32) {
        self.emit_binary(op, a, b, to);
    }

    fn load(&mut self, op: Op, address: Operand, at: MemArg, to: u32) {
        self.emit_load(op, address, at, to);
    }

    fn store(&mut self, op: Op, address: Operand, value: Operand, at: MemArg) {
        self.emit_store(op, address, value, at);
    }

    fn multi(&mut self, op: Op, operands: u32, results: u32, base: u32) {
        let results = (0..results).map(|_| op.result());
        self.emit_placed(RuntimeOp::Op(op), [0; 3], operands, results, base);
    }

    fn atomic(&mut self, op: Op, at: MemArg, base: u32) {
        let immediates = [at.memory.0, at.offset as u32, (at.offset >> 32) as u32];
        let operands = op.class().atomic_operands().unwrap_or_default();
        let result = (op.class() != Class::atomic_store).then(|| op.result());
        self.emit_placed(RuntimeOp::Op(op), immediates, operands, result.into_iter(), base);
    }

    fn slots(&mut self, op: Op, [x, y]: [u32; 2], operands: u32, result: Option<Num>, base: u32) {
        self.emit_placed(RuntimeOp::Op(op), [x, y, 0], operands, result.into_iter(), base);
    }

    #[cfg(feature = "gc")]
    fn ref_test(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (number, flags) = to.operands();
        let immediates = [number, flags.into(), 0];
        self.emit_outside(RuntimeOp::RefTest, immediates, &[a], Some(Num::u32), height);
    }

    #[cfg(feature = "gc")]
    fn ref_cast(&mut self, to: CastTarget, a: Operand, height: u32) {
        let (number, flags) = to.operands();
        let immediates = [number, flags.into(), 0];
        let ty = num(ValType::Ref(to.ty));
        self.emit_outside(RuntimeOp::RefCast, immediates, &[a], Some(ty), height);
    }

    #[cfg(feature = "gc")]
    fn struct_get(&mut self, access: Access, offset: u32, object: Operand, ty: Num, to: u32) {
        let immediates = [access.stored as u32, access.value as u32, offset];
        self.emit_outside(RuntimeOp::StructGet, immediates, &[object], Some(ty), to);
    }

    #[cfg(feature = "gc")]
    fn struct_set(&mut self, access: Access, offset: u32, object: Operand, value: Operand) {
        let immediates = [access.stored as u32, access.value as u32, offset];
        let base = object.height;
        self.emit_outside(RuntimeOp::StructSet, immediates, &[object, value], None, base);
    }

    #[cfg(feature = "gc")]
    fn array_get(&mut self, access: Access, array: Operand, index: Operand, ty: Num, to: u32) {
        let immediates = [access.stored as u32, access.value as u32, 0];
        self.emit_outside(RuntimeOp::ArrayGet, immediates, &[array, index], Some(ty), to);
    }

    #[cfg(feature = "gc")]
    fn array_set(&mut self, access: Access, array: Operand, index: Operand, value: Operand) {
        let immediates = [access.stored as u32, access.value as u32, 0];
        let operands = [array, index, value];
        self.emit_outside(RuntimeOp::ArraySet, immediates, &operands, None, array.height);
    }

    #[cfg(feature = "gc")]
    fn array_len(&mut self, array: Operand, to: u32) {
        self.emit_outside(RuntimeOp::ArrayLen, [0; 3], &[array], Some(Num::u32), to);
    }

    #[cfg(feature = "simd")]
    fn vector(&mut self, _: Op, _: &[Operand], _: u128, _: u32) {
        self.refuse("vectors");
    }

    #[cfg(feature = "simd")]
    fn vector_access(&mut self, _: Op, _: &[Operand], _: MemArg, _: u8, _: u32) {
        self.refuse("vectors");
    }

    #[cfg(feature = "simd")]
    fn vector_const(&mut self, _: u128, _: u32) {
        self.refuse("vectors");
    }

    fn select(&mut self, ty: Num, condition: Operand, a: Operand, b: Operand, to: u32) {
        self.emit_select(ty, condition, a, b, to);
    }

    fn local_set(&mut self, local: u32, _: Num, value: Operand) {
        self.emit_local_set(local, value);
    }

    fn global_get(&mut self, global: GlobalIdx, ty: Num, to: u32) {
        self.emit_global_get(global, ty, to);
    }

    fn global_set(&mut self, global: GlobalIdx, ty: Num, value: Operand) {
        let ty = self.ty(ty);
        if !self.dead {
            let from = self.arg(value);
            self.popped(value.height);
            self.emit(Inst::GlobalSet { ty, global, value: from });
        }
    }

    fn discard(&mut self, _: Num, value: Operand) {
        if !self.dead && value.loc == Loc::Temp {
            self.popped(value.height);
        }
    }

    fn place(&mut self, ty: Num, value: Operand, to: u32) {
        self.ty(ty);
        if !self.dead {
            let arg = self.arg(value);
            super::put(&mut self.placed, to, arg);
        }
    }

    fn keep(&mut self, ty: Num, value: Operand) {
        self.emit_keep(ty, value);
    }

    /// Values are where they are.
    fn settle(&mut self, _: u32) {}

    fn label(&mut self, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        self.new_label(height, types)
    }

    fn bind(&mut self, label: u32, reachable: bool) {
        self.bind_label(label, reachable);
    }

    fn bind_loop(&mut self, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        self.bind_loop_label(height, types)
    }

    fn bind_handler(&mut self, number: u32, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        self.bind_handler_label(number, height, types)
    }

    fn jump(&mut self, to: u32, metered: bool) -> Option<u32> {
        self.emit_jump(to, metered)
    }

    fn jump_if(&mut self, condition: Operand, when: bool, to: u32) {
        self.emit_jump_if(condition, when, to);
    }

    fn jump_table(&mut self, index: Operand, targets: &[u32]) {
        self.emit_jump_table(index, targets);
    }

    fn fuel(&mut self) -> u32 {
        self.note_stack(u32::MAX, None);
        self.emit_fuel()
    }

    fn set_cost(&mut self, point: u32, cost: u32) {
        if let Some(it) = self.function.costs.get_mut(point as usize) {
            *it = cost;
        }
    }

    fn call(&mut self, callee: Callee, index: TypeIdx, ty: &FuncType, base: u32) {
        self.emit_call(callee, index, ty, base, false);
    }

    fn tail_call(&mut self, callee: Callee, index: TypeIdx, ty: &FuncType, base: u32) {
        self.emit_call(callee, index, ty, base, true);
    }

    fn ret(&mut self, value: Option<(Num, Operand)>) {
        if self.dead {
            return;
        }
        let start = self.function.pool.len();
        if let Some((ty, operand)) = value {
            self.ty(ty);
            let arg = self.arg(operand);
            self.function.pool.push(arg);
        }
        let values = self.list_since(start);
        self.emit_return(values);
    }

    fn ret_many(&mut self, base: u32, count: u32) {
        if !self.dead {
            let values = self.placed(base, count);
            self.emit_return(values);
        }
    }

    fn begin_try(&mut self) -> u32 {
        self.start_try()
    }

    fn end_try(&mut self, outer: u32) {
        self.finish_try(outer);
    }

    fn catch(&mut self, number: u32, clauses: &[Catch<u32>]) {
        self.set_clauses(number, clauses);
    }

    fn throw(&mut self, tag: TagIdx, ty: &FuncType, base: u32) {
        let operands = kinglet_core::types::slot_count(ty.params());
        self.emit_placed(RuntimeOp::Throw(tag), [0; 3], operands, std::iter::empty(), base);
        self.unreachable();
    }

    fn throw_ref(&mut self, exception: Operand) {
        let base = exception.height;
        self.emit_outside(RuntimeOp::ThrowRef, [0; 3], &[exception], None, base);
        self.unreachable();
    }

    fn unreachable(&mut self) {
        self.emit_end(Inst::Trap { trap: Trap::UnreachableCodeReached });
        self.dead = true;
    }
}
