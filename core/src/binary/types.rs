//! The validator's types as ours.

use super::error;
use crate::{
    error::Error,
    index::{FuncIdx, GlobalIdx, TypeIdx},
    module::const_expr::{ConstExpr, ConstOp},
    types::*,
};
use alloc::{format, vec::Vec};
use wasmparser::{AbstractHeapType, BinaryReader, CompositeInnerType, UnpackedIndex};

/// The types of a module that have been decoded, by index.
pub(super) type Types<'a> = &'a [SubType];

pub(crate) fn val_type(
    ty: wasmparser::ValType,
    types: Types<'_>,
    offset: u64,
) -> Result<ValType, Error> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty, types, offset)?),
    })
}

pub(crate) fn ref_type(
    ty: wasmparser::RefType,
    types: Types<'_>,
    offset: u64,
) -> Result<RefType, Error> {
    Ok(RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type(), types, offset)? })
}

pub(crate) fn heap_type(
    ty: wasmparser::HeapType,
    types: Types<'_>,
    offset: u64,
) -> Result<HeapType, Error> {
    use wasmparser::HeapType::{Abstract, Concrete};
    Ok(match ty {
        Abstract { shared: false, ty } => match ty {
            AbstractHeapType::Func => HeapType::Func,
            AbstractHeapType::NoFunc => HeapType::NoFunc,
            AbstractHeapType::Extern => HeapType::Extern,
            AbstractHeapType::NoExtern => HeapType::NoExtern,
            AbstractHeapType::Any => HeapType::Any,
            AbstractHeapType::Eq => HeapType::Eq,
            AbstractHeapType::I31 => HeapType::I31,
            AbstractHeapType::Struct => HeapType::Struct,
            AbstractHeapType::Array => HeapType::Array,
            AbstractHeapType::None => HeapType::None,
            AbstractHeapType::Exn => HeapType::Exn,
            AbstractHeapType::NoExn => HeapType::NoExn,
            AbstractHeapType::Cont | AbstractHeapType::NoCont => {
                return Err(unsupported(format_args!("a type of references"), offset));
            }
        },
        Concrete(UnpackedIndex::Module(index)) => {
            let Some(ty) = types.get(index as usize) else {
                return Err(Error::invalid(format!("unknown type {index}"), offset as usize));
            };
            HeapType::Concrete(ConcreteType { kind: ty.composite.kind(), index })
        }
        _ => return Err(unsupported(format_args!("a type of references"), offset)),
    })
}

/// A type without what it is made up of, which may name types behind it: only what kind it is counts yet.
pub(super) fn outline(ty: &wasmparser::SubType, offset: u64) -> Result<SubType, Error> {
    let composite = match &ty.composite_type.inner {
        CompositeInnerType::Func(_) => CompositeType::Func(FuncType::new([], [])),
        CompositeInnerType::Struct(_) => CompositeType::Struct(StructType { fields: [].into() }),
        CompositeInnerType::Array(ty) => CompositeType::Array(ArrayType {
            element: FieldType { storage: StorageType::I8, mutability: mutability(ty.0.mutable) },
        }),
        CompositeInnerType::Cont(_) => {
            return Err(unsupported(format_args!("a continuation type"), offset));
        }
    };
    let supertype = ty.supertype_idxs.first().and_then(|index| index.as_module_index());
    Ok(SubType { is_final: ty.is_final, supertype, composite })
}

/// What a type is made up of; `types` reaches to the end of its recursion group.
pub(super) fn composite_type(
    ty: &wasmparser::SubType,
    types: Types<'_>,
    offset: u64,
) -> Result<CompositeType, Error> {
    let list = |list: &[wasmparser::ValType]| {
        list.iter().map(|&ty| val_type(ty, types, offset)).collect::<Result<Vec<_>, _>>()
    };
    let field = |ty: &wasmparser::FieldType| -> Result<FieldType, Error> {
        let storage = match ty.element_type {
            wasmparser::StorageType::I8 => StorageType::I8,
            wasmparser::StorageType::I16 => StorageType::I16,
            wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty, types, offset)?),
        };
        Ok(FieldType { storage, mutability: mutability(ty.mutable) })
    };
    Ok(match &ty.composite_type.inner {
        CompositeInnerType::Func(ty) => {
            CompositeType::Func(FuncType::new(list(ty.params())?, list(ty.results())?))
        }
        CompositeInnerType::Struct(ty) => {
            let fields = ty.fields.iter().map(field).collect::<Result<_, _>>()?;
            CompositeType::Struct(StructType { fields })
        }
        CompositeInnerType::Array(ty) => CompositeType::Array(ArrayType { element: field(&ty.0)? }),
        CompositeInnerType::Cont(_) => {
            return Err(unsupported(format_args!("a continuation type"), offset));
        }
    })
}

pub(super) fn table_type(
    ty: wasmparser::TableType,
    types: Types<'_>,
    offset: u64,
) -> Result<TableType, Error> {
    Ok(TableType {
        element: ref_type(ty.element_type, types, offset)?,
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

pub(super) fn global_type(
    ty: wasmparser::GlobalType,
    types: Types<'_>,
    offset: u64,
) -> Result<GlobalType, Error> {
    Ok(GlobalType {
        content: val_type(ty.content_type, types, offset)?,
        mutability: mutability(ty.mutable),
    })
}

fn mutability(mutable: bool) -> Mutability {
    if mutable { Mutability::Var } else { Mutability::Const }
}

pub(super) fn const_expr(
    expr: &wasmparser::ConstExpr<'_>,
    types: Types<'_>,
) -> Result<ConstExpr, Error> {
    let mut reader = expr.get_binary_reader();
    let const_op = |reader: &mut _| const_op(reader, types);
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

/// The next operator, `None` at the end. It is found by its opcode: the validator's type of all the operators that there are takes
/// more code than everything else here.
fn const_op(reader: &mut BinaryReader<'_>, types: Types<'_>) -> Result<Option<ConstOp>, Error> {
    let index = |reader: &mut BinaryReader<'_>| reader.read_var_u32().map_err(error);
    loop {
        let offset = reader.original_position();
        let op = match reader.read_u8().map_err(error)? {
            0x0b => return Ok(None),
            0x23 => ConstOp::GlobalGet(GlobalIdx(index(reader)?)),
            0x41 => ConstOp::Const(u64::from(reader.read_var_i32().map_err(error)? as u32)),
            0x42 => ConstOp::Const(reader.read_var_i64().map_err(error)? as u64),
            0x43 => ConstOp::Const(u64::from(reader.read_f32().map_err(error)?.bits())),
            0x44 => ConstOp::Const(reader.read_f64().map_err(error)?.bits()),
            0x6a => ConstOp::I32Add,
            0x6b => ConstOp::I32Sub,
            0x6c => ConstOp::I32Mul,
            0x7c => ConstOp::I64Add,
            0x7d => ConstOp::I64Sub,
            0x7e => ConstOp::I64Mul,
            0xd0 => {
                reader.read::<wasmparser::HeapType>().map_err(error)?;
                ConstOp::RefNull
            }
            0xd2 => ConstOp::RefFunc(FuncIdx(index(reader)?)),
            0xfb => match index(reader)? {
                0x00 => {
                    let ty = index(reader)?;
                    let fields = types.get(ty as usize).and_then(SubType::as_struct);
                    ConstOp::StructNew(TypeIdx(ty), fields.map_or(0, |ty| ty.fields.len() as u32))
                }
                0x01 => ConstOp::StructNewDefault(TypeIdx(index(reader)?)),
                0x06 => ConstOp::ArrayNew(TypeIdx(index(reader)?)),
                0x07 => ConstOp::ArrayNewDefault(TypeIdx(index(reader)?)),
                0x08 => ConstOp::ArrayNewFixed(TypeIdx(index(reader)?), index(reader)?),
                // Conversions between `anyref` and `externref` change nothing but the type.
                0x1a | 0x1b => continue,
                0x1c => ConstOp::RefI31,
                _ => return Err(unsupported_op(offset)),
            },
            0xfd if index(reader)? == 0x0c => {
                let mut half = || reader.read_u64().map_err(error);
                ConstOp::Vector([half()?, half()?])
            }
            _ => return Err(unsupported_op(offset)),
        };
        return Ok(Some(op));
    }
}

#[cold]
fn unsupported_op(offset: u64) -> Error {
    unsupported(format_args!("an operator of a constant expression"), offset)
}

/// What the validator let pass although it belongs to no proposal that is supported.
#[cold]
pub(super) fn unsupported(what: core::fmt::Arguments<'_>, offset: u64) -> Error {
    Error::unsupported(format!("{what} is not supported by this version"), offset as usize)
}
