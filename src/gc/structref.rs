//! References to structs.

use super::{
    Rooted,
    rooted::{gc_ref, sealed::Sealed as _},
};
use crate::{
    AsContext, AsContextMut, Error, Mutability, Result, StoreContextMut, StructType, Val,
    store::StoreId,
    values::{check_vals, write_slots},
};
use alloc::{vec, vec::Vec};
use kinglet_core::{
    runtime::{
        StoreInner,
        gc::{
            ObjectKind,
            layout::{Field, Layout},
        },
    },
    types::{CompositeType, FieldType, slot_count},
};

gc_ref! {
    /// A reference to a struct.
    StructRef
}

/// What it takes to make structs of a type in a store.
#[derive(Clone, Debug)]
pub struct StructRefPre {
    store: StoreId,
    ty: StructType,
}

impl StructRefPre {
    /// Prepares to make structs of this type.
    ///
    /// # Panics
    /// If the type is one of another engine than the store's.
    pub fn new(mut store: impl AsContextMut, ty: StructType) -> StructRefPre {
        let inner = store.as_context_mut().inner;
        ty.0.keep(inner);
        inner.heap.define(ty.0.id(), &ty.0.ids().defs()[0].ty().composite);
        StructRefPre { store: StoreId::of(inner), ty }
    }
}

impl StructRef {
    /// A new struct with these values of its fields.
    ///
    /// ```
    /// use kinglet::{Engine, FieldType, Mutability, Store, StorageType, StructRef, StructRefPre, StructType, Val};
    ///
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let byte = FieldType::new(Mutability::Var, StorageType::I8);
    /// let pre = StructRefPre::new(&mut store, StructType::new(&engine, [byte.clone(), byte])?);
    /// let bytes = StructRef::new(&mut store, &pre, &[Val::I32(1), Val::I32(-1)])?;
    /// assert_eq!(bytes.field(&mut store, 1)?.unwrap_i32(), 0xff);
    /// bytes.set_field(&mut store, 0, Val::I32(7))?;
    /// assert_eq!(bytes.fields(&mut store)?.next().unwrap().unwrap_i32(), 7);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The values are not of the types of the fields, the scope of one has ended, or there is no room in the heap.
    ///
    /// # Panics
    /// If `store` is not the store of `pre`, or of one of the values.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
    ) -> Result<Rooted<StructRef>> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        pre.store.check(inner);
        let types = pre.ty.core().fields.iter().map(|field| field.storage.unpack());
        let types: Vec<_> = types.collect();
        check_vals(inner, fields, &types, "field")?;
        let mut slots = vec![0; slot_count(&types) as usize];
        write_slots(fields, &mut slots, inner)?;
        let handle = inner.new_struct(data, pre.ty.0.id(), &slots)?;
        Ok(Rooted::add(handle, inner))
    }

    /// The type.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn ty(&self, store: impl AsContext) -> Result<StructType> {
        let store = store.as_context();
        let handle = self.reference().get(store.inner)?;
        let ObjectKind::Type(id) = store.inner.heap.kind(handle) else {
            unreachable!("it has a type")
        };
        Ok(StructType::of(store.engine().types(), id))
    }

    /// Whether it is of a type.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn matches_ty(&self, store: impl AsContext, ty: &StructType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

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
