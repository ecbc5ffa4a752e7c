//! References to arrays.

use super::rooted::{gc_ref, sealed::Sealed as _};
use crate::{AsContext, AsContextMut, Error, Mutability, Result, Val};
use alloc::vec::Vec;
use kinglet_core::{
    runtime::{StoreInner, gc::ObjectKind},
    types::{CompositeType, FieldType},
};

gc_ref! {
    /// A reference to an array.
    ArrayRef
}

impl ArrayRef {
    /// How many elements it has.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn len(&self, store: impl AsContext) -> Result<u32> {
        let inner = store.as_context().inner;
        Ok(inner.heap.array_len(self.reference().get(inner)?))
    }

    /// Whether it has no elements.
    ///
    /// # Errors
    /// As [`ArrayRef::len`].
    ///
    /// # Panics
    /// As there.
    pub fn is_empty(&self, store: impl AsContext) -> Result<bool> {
        Ok(self.len(store)? == 0)
    }

    /// The elements, in order. Packed ones are integers without sign.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn elems(
        &self,
        mut store: impl AsContextMut,
    ) -> Result<impl ExactSizeIterator<Item = Val>> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        let len = inner.heap.array_len(handle);
        let vals: Result<Vec<Val>> = (0..len).map(|i| get(inner, handle, i)).collect();
        Ok(vals?.into_iter())
    }

    /// The element at `index`.
    ///
    /// # Errors
    /// There is no such element, or the scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        get(inner, handle, index)
    }

    /// Sets the element at `index`. A packed one takes the low bits.
    ///
    /// # Errors
    /// There is no such element, elements cannot be assigned, the value is not of their type, or the scope of a reference has
    /// ended.
    ///
    /// # Panics
    /// If `store` is not the store that it, or the value, belongs to.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        check_index(inner, handle, index)?;
        let ty = element(inner, handle);
        if ty.mutability == Mutability::Const {
            return Err(Error::msg("the elements of the array cannot be assigned"));
        }
        let bits = value.for_type(inner, ty.storage.unpack(), "element")?;
        inner.heap.set_element(handle, index, bits);
        Ok(())
    }
}

fn element(inner: &StoreInner, handle: u32) -> FieldType {
    if let ObjectKind::Type(ty) = inner.heap.kind(handle)
        && let Some(def) = inner.types.get(ty)
        && let CompositeType::Array(ty) = &def.ty().composite
    {
        return ty.element;
    }
    unreachable!("an array has an array type")
}

fn check_index(inner: &StoreInner, handle: u32, index: u32) -> Result<()> {
    let len = inner.heap.array_len(handle);
    if index < len {
        return Ok(());
    }
    Err(Error::msg(alloc::format!("index {index} is out of bounds of an array of {len} elements")))
}

fn get(inner: &mut StoreInner, handle: u32, index: u32) -> Result<Val> {
    check_index(inner, handle, index)?;
    let ty = element(inner, handle);
    let bits = inner.heap.element(handle, index);
    Ok(Val::from_bits(ty.storage.unpack(), bits, inner))
}
