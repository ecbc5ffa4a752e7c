//! References to structs.

use super::rooted::{gc_ref, sealed::Sealed as _};
use crate::{AsContextMut, Error, Mutability, Result, Val};
use alloc::vec::Vec;
use kinglet_core::{
    runtime::{
        StoreInner,
        gc::{
            ObjectKind,
            layout::{Field, Layout},
        },
    },
    types::{CompositeType, FieldType},
};

gc_ref! {
    /// A reference to a struct.
    StructRef
}

impl StructRef {
    /// The values of the fields, in order. Those of packed fields are integers without sign.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn fields(
        &self,
        mut store: impl AsContextMut,
    ) -> Result<impl ExactSizeIterator<Item = Val>> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        let fields = fields(inner, handle).len();
        let vals: Result<Vec<Val>> = (0..fields).map(|i| get(inner, handle, i)).collect();
        Ok(vals?.into_iter())
    }

    /// The value of the field at `index`.
    ///
    /// # Errors
    /// There is no such field, or the scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        get(inner, handle, index)
    }

    /// Sets the field at `index`. A packed field takes the low bits.
    ///
    /// # Errors
    /// There is no such field, it cannot be assigned, the value is not of its type, or the scope of a reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it, or the value, belongs to.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<()> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        let (ty, field) = field(inner, handle, index)?;
        if ty.mutability == Mutability::Const {
            return Err(Error::msg(alloc::format!("field {index} cannot be assigned")));
        }
        let bits = value.for_type(inner, ty.storage.unpack(), "field")?;
        inner.heap.set_field(handle, field, bits);
        Ok(())
    }
}

fn fields(inner: &StoreInner, handle: u32) -> &[FieldType] {
    if let ObjectKind::Type(ty) = inner.heap.kind(handle)
        && let Some(def) = inner.types.get(ty)
        && let CompositeType::Struct(ty) = &def.ty().composite
    {
        return &ty.fields;
    }
    unreachable!("a struct has a struct type")
}

fn field(inner: &StoreInner, handle: u32, index: usize) -> Result<(FieldType, Field)> {
    if let Some(Layout::Struct(layout)) = inner.heap.object_layout(handle)
        && let Some(&field) = layout.fields.get(index)
    {
        return Ok((fields(inner, handle)[index], field));
    }
    Err(Error::msg(alloc::format!("a struct has no field {index}")))
}

fn get(inner: &mut StoreInner, handle: u32, index: usize) -> Result<Val> {
    let (ty, field) = field(inner, handle, index)?;
    let bits = inner.heap.field(handle, field);
    Ok(Val::from_bits(ty.storage.unpack(), bits, inner))
}
