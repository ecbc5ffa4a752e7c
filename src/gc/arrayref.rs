//! References to arrays.

use super::{
    Rooted,
    rooted::{gc_ref, sealed::Sealed as _},
};
use crate::{
    ArrayType, AsContext, AsContextMut, Error, Mutability, Result, StoreContextMut, Trap, Val,
    store::StoreId,
};
use alloc::vec::Vec;
use kinglet_core::{
    runtime::{StoreInner, gc::ObjectKind},
    types::{CompositeType, FieldType, ValType},
};

gc_ref! {
    /// A reference to an array.
    ArrayRef
}

/// What it takes to make arrays of a type in a store.
#[derive(Clone, Debug)]
pub struct ArrayRefPre {
    store: StoreId,
    ty: ArrayType,
}

impl ArrayRefPre {
    fn element(&self) -> ValType {
        self.ty.core().element.storage.unpack()
    }

    /// Prepares to make arrays of this type.
    ///
    /// # Panics
    /// If the type is one of another engine than the store's.
    pub fn new(mut store: impl AsContextMut, ty: ArrayType) -> ArrayRefPre {
        let inner = store.as_context_mut().inner;
        ty.0.keep(inner);
        inner.heap.define(ty.0.id(), &ty.0.ids().defs()[0].ty().composite);
        ArrayRefPre { store: StoreId::of(inner), ty }
    }
}

impl ArrayRef {
    /// A new array of `len` elements that are all `elem`.
    ///
    /// ```
    /// use kinglet::{ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, Mutability, Store, StorageType, Val, ValType};
    ///
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let element = FieldType::new(Mutability::Var, StorageType::ValType(ValType::I64));
    /// let pre = ArrayRefPre::new(&mut store, ArrayType::new(&engine, element));
    /// let array = ArrayRef::new(&mut store, &pre, &Val::I64(5), 100)?;
    /// array.set(&mut store, 99, Val::I64(6))?;
    /// assert_eq!(array.elems(&mut store)?.map(|val| val.unwrap_i64()).sum::<i64>(), 501);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The value is not of the type of the elements, its scope has ended, or there is no room in the heap.
    ///
    /// # Panics
    /// If `store` is not the store of `pre`, or of the value.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        elem: &Val,
        len: u32,
    ) -> Result<Rooted<ArrayRef>> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        pre.store.check(inner);
        let bits = elem.for_type(inner, pre.element(), "element")?;
        let handle = inner.new_array(data, pre.ty.0.id(), len)?;
        inner.heap.fill_array(handle, 0, bits, len)?;
        Ok(Rooted::add(handle, inner))
    }

    /// A new array of these elements.
    ///
    /// # Errors
    /// A value is not of the type of the elements, the scope of one has ended, or there is no room in the heap.
    ///
    /// # Panics
    /// If `store` is not the store of `pre`, or of one of the values.
    pub fn new_fixed(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        elems: &[Val],
    ) -> Result<Rooted<ArrayRef>> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        pre.store.check(inner);
        let ty = pre.element();
        let bits = elems.iter().map(|elem| elem.for_type(inner, ty, "element"));
        let bits = bits.collect::<Result<Vec<_>>>()?;
        let len = u32::try_from(bits.len()).map_err(|_| Trap::AllocationTooLarge)?;
        let handle = inner.new_array(data, pre.ty.0.id(), len)?;
        for (index, bits) in (0..).zip(bits) {
            inner.heap.set_element(handle, index, bits);
        }
        Ok(Rooted::add(handle, inner))
    }

    /// The type.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn ty(&self, store: impl AsContext) -> Result<ArrayType> {
        let store = store.as_context();
        let handle = self.reference().get(store.inner)?;
        let ObjectKind::Type(id) = store.inner.heap.kind(handle) else {
            unreachable!("it has a type")
        };
        Ok(ArrayType::of(store.engine().types(), id))
    }

    /// Whether it is of a type.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ArrayType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

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
