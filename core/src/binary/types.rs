//! The validator's types as ours.

use super::error;
use crate::{
    error::Error,
    index::{FuncIdx, GlobalIdx},
    module::const_expr::{ConstExpr, ConstOp},
    types::{FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, TableType, ValType},
};
use alloc::{format, vec::Vec};
use wasmparser::{AbstractHeapType, Operator};

pub(super) fn val_type(ty: wasmparser::ValType, offset: u64) -> Result<ValType, Error> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty, offset)?),
    })
}

pub(super) fn ref_type(ty: wasmparser::RefType, offset: u64) -> Result<RefType, Error> {
    let heap = match ty.heap_type() {
        wasmparser::HeapType::Abstract { shared: false, ty: AbstractHeapType::Func } => {
            HeapType::Func
        }
        wasmparser::HeapType::Abstract { shared: false, ty: AbstractHeapType::Extern } => {
            HeapType::Extern
        }
        _ => return Err(unsupported(format_args!("the reference type {ty}"), offset)),
    };
    Ok(RefType { nullable: ty.is_nullable(), heap })
}

pub(super) fn func_type(ty: &wasmparser::FuncType, offset: u64) -> Result<FuncType, Error> {
    let list = |types: &[wasmparser::ValType]| {
        types.iter().map(|&ty| val_type(ty, offset)).collect::<Result<Vec<_>, _>>()
    };
    Ok(FuncType::new(list(ty.params())?, list(ty.results())?))
}

pub(super) fn table_type(ty: wasmparser::TableType, offset: u64) -> Result<TableType, Error> {
    Ok(TableType {
        element: ref_type(ty.element_type, offset)?,
        is_64: ty.table64,
        minimum: ty.initial,
        maximum: ty.maximum,
    })
}

pub(super) fn memory_type(ty: wasmparser::MemoryType, offset: u64) -> Result<MemoryType, Error> {
    if ty.shared && cfg!(not(feature = "threads")) {
        let message =
            "a shared memory: the threads proposal is supported with the feature `threads` only";
        return Err(Error::unsupported(message, offset as usize));
    }
    Ok(MemoryType {
        is_64: ty.memory64,
        minimum: ty.initial,
        maximum: ty.maximum,
        page_size_log2: ty.page_size_log2.unwrap_or(16) as u8,
        shared: ty.shared,
    })
}

pub(super) fn global_type(ty: wasmparser::GlobalType, offset: u64) -> Result<GlobalType, Error> {
    Ok(GlobalType {
        content: val_type(ty.content_type, offset)?,
        mutability: if ty.mutable { Mutability::Var } else { Mutability::Const },
    })
}

pub(super) fn const_expr(expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error> {
    let mut reader = expr.get_operators_reader();
    let Some(first) = const_op(&mut reader)? else {
        return Err(Error::invalid(
            "empty constant expression",
            reader.original_position() as usize,
        ));
    };
    let Some(second) = const_op(&mut reader)? else {
        return Ok(ConstExpr::One(first));
    };
    let mut ops = Vec::from([first, second]);
    while let Some(op) = const_op(&mut reader)? {
        ops.push(op);
    }
    Ok(ConstExpr::Many(ops.into()))
}

/// The next operator, `None` at the end.
fn const_op(reader: &mut wasmparser::OperatorsReader<'_>) -> Result<Option<ConstOp>, Error> {
    let offset = reader.original_position();
    Ok(Some(match reader.read().map_err(error)? {
        Operator::End => return Ok(None),
        Operator::I32Const { value } => ConstOp::Const(u64::from(value as u32)),
        Operator::I64Const { value } => ConstOp::Const(value as u64),
        Operator::F32Const { value } => ConstOp::Const(u64::from(value.bits())),
        Operator::F64Const { value } => ConstOp::Const(value.bits()),
        Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIdx(global_index)),
        Operator::RefNull { .. } => ConstOp::RefNull,
        Operator::RefFunc { function_index } => ConstOp::RefFunc(FuncIdx(function_index)),
        Operator::I32Add => ConstOp::I32Add,
        Operator::I32Sub => ConstOp::I32Sub,
        Operator::I32Mul => ConstOp::I32Mul,
        Operator::I64Add => ConstOp::I64Add,
        Operator::I64Sub => ConstOp::I64Sub,
        Operator::I64Mul => ConstOp::I64Mul,
        other => {
            return Err(unsupported(format_args!("{other:?} in a constant expression"), offset));
        }
    }))
}

/// What the validator let pass although it belongs to no proposal that is supported.
#[cold]
pub(super) fn unsupported(what: core::fmt::Arguments<'_>, offset: u64) -> Error {
    Error::unsupported(format!("{what} is not supported by this version"), offset as usize)
}
