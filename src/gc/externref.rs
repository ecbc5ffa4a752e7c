//! References to values of the host.

use super::{
    Rooted,
    rooted::{gc_ref, sealed::Sealed as _},
};
use crate::{AsContextMut, Error, GcHeapOutOfMemory, Result, StoreContext, StoreContextMut};
use alloc::boxed::Box;
use core::any::Any;

gc_ref! {
    /// An external reference: to a value of the host, which guests can hold and pass on but not look into, or to a guest's own value
    /// that has passed through `extern.convert_any`.
    ///
    /// ```
    /// use kinglet::{Engine, ExternRef, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let reference = ExternRef::new(&mut store, "text")?;
    /// assert_eq!(reference.data(&store)?.unwrap().downcast_ref(), Some(&"text"));
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ExternRef
}

impl ExternRef {
    /// Gives a value to the store and makes a reference to it. The value is dropped some time after the last reference to it is
    /// gone: when garbage is collected, or the store ends.
    ///
    /// # Errors
    /// There is no room in the heap: then a [`GcHeapOutOfMemory`] has the value.
    pub fn new<V: Any + Send + Sync>(
        mut store: impl AsContextMut,
        value: V,
    ) -> Result<Rooted<ExternRef>> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        match inner.new_extern(data, Box::new(value)) {
            Ok(handle) => Ok(Rooted::add(handle, inner)),
            Err((value, error)) => {
                let Some(full) = error.downcast_ref::<GcHeapOutOfMemory<()>>() else {
                    return Err(error);
                };
                let value: Box<dyn Any> = value;
                Err(match value.downcast::<V>() {
                    Ok(value) => Error::new(GcHeapOutOfMemory::new(*value, full.bytes_needed())),
                    Err(_) => error,
                })
            }
        }
    }

    /// The value of the host. `None` if it refers to a guest's own.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let inner = store.into().inner;
        Ok(inner.heap.extern_value(self.reference().get(inner)?))
    }

    /// The value of the host, to change it. `None` if it refers to a guest's own.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>> {
        let inner = store.into().inner;
        let handle = self.reference().get(inner)?;
        Ok(inner.heap.extern_value_mut(handle))
    }

    /// `extern.convert_any`: a guest's value as an external one.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn convert_any(
        mut store: impl AsContextMut,
        any: Rooted<crate::AnyRef>,
    ) -> Result<Rooted<ExternRef>> {
        let inner = store.as_context_mut().inner;
        let handle = any.reference().get(inner)?;
        Ok(Rooted::add(handle, inner))
    }
}
