//! How objects lie in the heap.
//!
//! Every object begins with a word of header: its kind in the lower half, the length of an array in the upper. Fields follow in
//! their order, each at a multiple of its size (of 8 bytes for vectors), so that a subtype begins as its supertype does.

use crate::types::{CompositeType, StorageType, ValType};
use alloc::{boxed::Box, vec::Vec};

/// Bytes of the header of an object.
pub const HEADER: u32 = 8;

/// How a field or element is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A packed `i8`.
    I8,
    /// A packed `i16`.
    I16,
    /// An `i32` or `f32`.
    Word32,
    /// An `i64` or `f64`.
    Word64,
    /// A `v128`.
    Vector,
    /// A reference to a function.
    Func,
    /// A managed reference.
    Managed,
}

impl Storage {
    /// How a field or element of a type is kept.
    pub const fn of(ty: StorageType) -> Storage {
        match ty {
            StorageType::I8 => Storage::I8,
            StorageType::I16 => Storage::I16,
            StorageType::Val(ValType::I32 | ValType::F32) => Storage::Word32,
            StorageType::Val(ValType::I64 | ValType::F64) => Storage::Word64,
            StorageType::Val(ValType::V128) => Storage::Vector,
            StorageType::Val(ty) if ty.is_managed() => Storage::Managed,
            StorageType::Val(ValType::Ref(_)) => Storage::Func,
        }
    }

    /// How many bytes it takes.
    #[inline]
    pub const fn size(self) -> u32 {
        match self {
            Storage::I8 => 1,
            Storage::I16 => 2,
            Storage::Word32 | Storage::Func | Storage::Managed => 4,
            Storage::Word64 => 8,
            Storage::Vector => 16,
        }
    }

    /// How many slots its value takes.
    #[inline]
    pub const fn slots(self) -> usize {
        if matches!(self, Storage::Vector) { 2 } else { 1 }
    }
}

/// A field of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes between the beginning of the object and the field.
    pub offset: u32,
    /// How it is kept.
    pub storage: Storage,
}

/// How objects of a type lie in the heap.
#[derive(Clone, Debug)]
pub enum Layout {
    /// Structs.
    Struct(StructLayout),
    /// Arrays, by how their elements are kept.
    Array(Storage),
}

/// How the structs of a type lie in the heap.
#[derive(Clone, Debug)]
pub struct StructLayout {
    /// The fields, in order.
    pub fields: Box<[Field]>,
    /// Offsets of the managed references.
    pub(super) refs: Box<[u32]>,
    /// Units of 8 bytes of an object, with its header.
    pub(super) units: u32,
}

impl Layout {
    /// The layout of objects of a type, unless it is one of functions.
    pub(super) fn new(ty: &CompositeType) -> Option<Layout> {
        match ty {
            CompositeType::Func(_) => None,
            CompositeType::Struct(ty) => Some(Layout::Struct(StructLayout::new(
                ty.fields.iter().map(|field| Storage::of(field.storage)),
            ))),
            CompositeType::Array(ty) => Some(Layout::Array(Storage::of(ty.element.storage))),
        }
    }
}

impl StructLayout {
    /// The layout of structs with these fields.
    pub fn new(fields: impl IntoIterator<Item = Storage>) -> StructLayout {
        let mut end = HEADER;
        let fields: Vec<Field> = fields
            .into_iter()
            .map(|storage| {
                let offset = end.next_multiple_of(storage.size().min(8));
                end = offset + storage.size();
                Field { offset, storage }
            })
            .collect();
        let managed = fields.iter().filter(|field| field.storage == Storage::Managed);
        StructLayout {
            refs: managed.map(|field| field.offset).collect(),
            units: end.div_ceil(8).max(MIN_UNITS),
            fields: fields.into(),
        }
    }
}

/// The least units of an object: what is left of it when it is freed must have room for a link.
pub(super) const MIN_UNITS: u32 = 2;

/// Units of an array of `len` elements.
pub(super) fn array_units(element: Storage, len: u32) -> u64 {
    (u64::from(HEADER) + u64::from(len) * u64::from(element.size()))
        .div_ceil(8)
        .max(u64::from(MIN_UNITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_aligned_and_subtypes_begin_like_supertypes() {
        use Storage::*;
        let offsets = |fields: &[Storage]| -> (Vec<u32>, u32) {
            let layout = StructLayout::new(fields.iter().copied());
            (layout.fields.iter().map(|field| field.offset).collect(), layout.units)
        };
        assert_eq!(offsets(&[]), (alloc::vec![], 2));
        assert_eq!(offsets(&[I8, I16, I8, Word64]), (alloc::vec![8, 10, 12, 16], 3));
        assert_eq!(offsets(&[Managed, Managed]), (alloc::vec![8, 12], 2));
        assert_eq!(offsets(&[I8, Vector, I8]), (alloc::vec![8, 16, 32], 5));
        assert_eq!(offsets(&[I8, Vector]).0, offsets(&[I8, Vector, I8]).0[..2]);
    }
}
