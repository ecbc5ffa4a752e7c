//! References to whatever a guest makes.

use super::{
    ArrayRef, ExternRef, GcRef, I31, OwnedRooted, Reference, Rooted, StructRef,
    rooted::{gc_ref, sealed::Sealed as _},
};
use crate::{AsContext, AsContextMut, HeapType, Result};
use kinglet_core::{runtime::gc, types};

gc_ref! {
    /// A reference of the type `anyref`: to a struct or array, an integer, or an external value that has passed through
    /// `any.convert_extern`.
    ///
    /// ```
    /// use kinglet::{AnyRef, Engine, Func, I31, Rooted, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let small = I31::wrapping_u32(5);
    /// let reference = AnyRef::from_i31(&mut store, small);
    /// assert_eq!(reference.as_i31(&store)?, Some(small));
    /// assert!(!reference.is_struct(&store)?);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    AnyRef
}

gc_ref! {
    /// A reference of the type `eqref`, which `ref.eq` compares: to a struct or array, or an integer.
    EqRef
}

impl AnyRef {
    /// `any.convert_extern`: an external value as one of the guest's.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn convert_extern(
        mut store: impl AsContextMut,
        external: Rooted<ExternRef>,
    ) -> Result<Rooted<AnyRef>> {
        let inner = store.as_context_mut().inner;
        let handle = external.reference().get(inner)?;
        Ok(Rooted::add(handle, inner))
    }

    /// Whether `ref.eq` could compare it.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    pub fn is_eqref(&self, store: impl AsContext) -> Result<bool> {
        let inner = store.as_context().inner;
        Ok(is_eq(inner.heap.type_of(self.reference().get(inner)?)))
    }

    /// The reference as one that `ref.eq` compares, if it is.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    pub fn as_eqref(&self, store: impl AsContext) -> Result<Option<Rooted<EqRef>>> {
        narrow(self.reference(), store, is_eq)
    }

    /// The reference as one that `ref.eq` compares.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    ///
    /// # Panics
    /// If it is none.
    pub fn unwrap_eqref(&self, store: impl AsContext) -> Result<Rooted<EqRef>> {
        Ok(self.as_eqref(store)?.expect("expected a reference that can be compared"))
    }
}

/// What can be asked of a reference that may be to several kinds of things.
macro_rules! kinds {
    ($($name:ident)*) => { $(
        impl $name {
            /// An integer as a reference.
            pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<$name> {
                Rooted::add(gc::i31(value.get_u32()), store.as_context_mut().inner)
            }

            /// The type of what it refers to: `any` if that is an external value.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn ty(&self, store: impl AsContext) -> Result<HeapType> {
                let store = store.as_context();
                let handle = self.reference().get(store.inner)?;
                let ty = store.inner.heap.type_of(handle);
                Ok(HeapType::from_core(store.engine().types(), ty))
            }

            /// Whether what it refers to is of a type.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool> {
                Ok(self.ty(store)?.matches(ty))
            }

            /// Whether it is an integer.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn is_i31(&self, store: impl AsContext) -> Result<bool> {
                Ok(self.as_i31(store)?.is_some())
            }

            /// The integer that it is, if it is one.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>> {
                let handle = self.reference().get(store.as_context().inner)?;
                Ok(gc::as_i31(handle).map(I31::wrapping_i32))
            }

            /// The integer that it is.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            ///
            /// # Panics
            /// If it is none.
            pub fn unwrap_i31(&self, store: impl AsContext) -> Result<I31> {
                Ok(self.as_i31(store)?.expect("expected an integer"))
            }

            /// Whether it is to a struct.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn is_struct(&self, store: impl AsContext) -> Result<bool> {
                let inner = store.as_context().inner;
                Ok(is_struct(inner.heap.type_of(self.reference().get(inner)?)))
            }

            /// The reference as one to a struct, if it is.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn as_struct(&self, store: impl AsContext) -> Result<Option<Rooted<StructRef>>> {
                narrow(self.reference(), store, is_struct)
            }

            /// The reference as one to a struct.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            ///
            /// # Panics
            /// If it is none.
            pub fn unwrap_struct(&self, store: impl AsContext) -> Result<Rooted<StructRef>> {
                Ok(self.as_struct(store)?.expect("expected a struct"))
            }

            /// Whether it is to an array.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn is_array(&self, store: impl AsContext) -> Result<bool> {
                let inner = store.as_context().inner;
                Ok(is_array(inner.heap.type_of(self.reference().get(inner)?)))
            }

            /// The reference as one to an array, if it is.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            pub fn as_array(&self, store: impl AsContext) -> Result<Option<Rooted<ArrayRef>>> {
                narrow(self.reference(), store, is_array)
            }

            /// The reference as one to an array.
            ///
            /// # Errors
            /// The scope of the reference has ended.
            ///
            /// # Panics
            /// If it is none.
            pub fn unwrap_array(&self, store: impl AsContext) -> Result<Rooted<ArrayRef>> {
                Ok(self.as_array(store)?.expect("expected an array"))
            }
        }
    )* };
}

kinds! { AnyRef EqRef }

/// The reference as one of another kind, if what it refers to is of the right type.
fn narrow<T: GcRef>(
    reference: Reference,
    store: impl AsContext,
    fits: impl FnOnce(types::HeapType) -> bool,
) -> Result<Option<Rooted<T>>> {
    let inner = store.as_context().inner;
    let ty = inner.heap.type_of(reference.get(inner)?);
    Ok(fits(ty).then(|| Rooted::of(reference)))
}

fn is_eq(ty: types::HeapType) -> bool {
    ty != types::HeapType::Any
}

fn is_struct(ty: types::HeapType) -> bool {
    ty.matches(types::HeapType::Struct, |_, _| false)
}

fn is_array(ty: types::HeapType) -> bool {
    ty.matches(types::HeapType::Array, |_, _| false)
}

/// Conversions to less specific kinds of references.
macro_rules! widen {
    ($( $from:ident $to:ident $method:ident; )*) => { $(
        impl Rooted<$from> {
            #[doc = concat!("The reference as an [`", stringify!($to), "`].")]
            pub fn $method(self) -> Rooted<$to> {
                self.cast()
            }
        }

        impl OwnedRooted<$from> {
            #[doc = concat!("The reference as an [`", stringify!($to), "`].")]
            pub fn $method(self) -> OwnedRooted<$to> {
                self.cast()
            }
        }

        impl From<Rooted<$from>> for Rooted<$to> {
            fn from(reference: Rooted<$from>) -> Rooted<$to> {
                reference.cast()
            }
        }

        impl From<OwnedRooted<$from>> for OwnedRooted<$to> {
            fn from(reference: OwnedRooted<$from>) -> OwnedRooted<$to> {
                reference.cast()
            }
        }
    )* };
}

widen! {
    EqRef AnyRef to_anyref;
    StructRef AnyRef to_anyref;
    StructRef EqRef to_eqref;
    ArrayRef AnyRef to_anyref;
    ArrayRef EqRef to_eqref;
}
