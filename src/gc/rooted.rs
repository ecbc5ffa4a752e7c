//! How the embedder holds references: for as long as a scope is open, or as long as it likes.

use crate::{
    AsContext, AsContextMut, Error, Result, StoreContext, StoreContextMut, store::StoreId,
};
use core::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
};
use kinglet_core::{
    Shared,
    runtime::{
        StoreInner,
        gc::roots::{RootId, Scope},
    },
};

/// A kind of references to what lives in the managed heap: [`ExternRef`](crate::ExternRef) and the like.
pub trait GcRef: sealed::Sealed + Copy + fmt::Debug + 'static {}

/// [`Rooted`] or [`OwnedRooted`].
pub trait RootedGcRef<T: GcRef>: Deref<Target = T> {
    /// The reference, held by the scope that is open now.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to, or the scope that held it has ended.
    fn to_rooted(&self, mut store: impl AsContextMut) -> Rooted<T> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner).expect(ENDED);
        Rooted::add(handle, inner)
    }

    /// The reference, held independently of scopes.
    ///
    /// # Errors
    /// Its scope has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>> {
        let inner = store.as_context_mut().inner;
        let handle = self.reference().get(inner)?;
        let (root, keep) = inner.heap.roots.own(handle);
        let reference = T::of(Reference { store: StoreId::of(inner), root });
        Ok(OwnedRooted { reference, keep })
    }
}

pub(crate) mod sealed {
    use super::Reference;

    /// Keeps [`GcRef`](super::GcRef) to the types of this crate.
    pub trait Sealed: Sized {
        #[doc(hidden)]
        fn of(reference: Reference) -> Self;

        #[doc(hidden)]
        fn reference(&self) -> Reference;
    }
}

const ENDED: &str = "the scope that held the reference has ended";

/// A root of a store, which may have ended.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    store: StoreId,
    root: RootId,
}

impl Reference {
    /// The handle.
    ///
    /// # Errors
    /// The scope has ended.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub(crate) fn get(self, store: &StoreInner) -> Result<u32> {
        self.store.check(store);
        store.heap.roots.get(self.root).ok_or_else(|| Error::msg(ENDED))
    }
}

/// Declares a kind of references.
macro_rules! gc_ref {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($crate::gc::Reference);

        impl $crate::GcRef for $name {}

        impl $crate::gc::sealed::Sealed for $name {
            fn of(reference: $crate::gc::Reference) -> $name {
                $name(reference)
            }

            fn reference(&self) -> $crate::gc::Reference {
                self.0
            }
        }
    };
}
pub(crate) use gc_ref;

/// A reference that a scope holds: what it refers to stays as long as the scope is open.
///
/// The outermost scope is the store. Host functions that a guest calls have a scope of their own, [`RootScope`] opens another.
/// A reference whose scope has ended can still be had, but not used: methods give an error.
///
/// ```
/// use kinglet::{Engine, ExternRef, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let text;
/// {
///     let mut scope = RootScope::new(&mut store);
///     text = ExternRef::new(&mut scope, "text")?;
///     assert_eq!(text.data(&scope)?.unwrap().downcast_ref(), Some(&"text"));
/// }
/// assert!(text.data(&store).is_err());
/// # Ok::<(), kinglet::Error>(())
/// ```
#[repr(transparent)]
pub struct Rooted<T: GcRef>(T);

/// A reference that stays valid until it, and all its clones, are dropped.
///
/// ```
/// use kinglet::{Engine, ExternRef, OwnedRooted, RootScope, RootedGcRef, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let text: OwnedRooted<ExternRef> = {
///     let mut scope = RootScope::new(&mut store);
///     ExternRef::new(&mut scope, "text")?.to_owned_rooted(&mut scope)?
/// };
/// store.gc(None)?;
/// assert_eq!(text.data(&store)?.unwrap().downcast_ref(), Some(&"text"));
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct OwnedRooted<T: GcRef> {
    reference: T,
    /// The store looks whether it has the only other one.
    keep: Shared<()>,
}

impl<T: GcRef> Rooted<T> {
    /// A root of the scope that is open now.
    pub(crate) fn add(handle: u32, store: &mut StoreInner) -> Rooted<T> {
        let root = store.heap.roots.add(handle);
        Rooted(T::of(Reference { store: StoreId::of(store), root }))
    }

    /// A root as one of references of this kind, which it is.
    pub(crate) fn of(reference: Reference) -> Rooted<T> {
        Rooted(T::of(reference))
    }

    /// The reference in a slot, unless it is null.
    pub(crate) fn from_handle(handle: u32, store: &mut StoreInner) -> Option<Rooted<T>> {
        (handle != 0).then(|| Rooted::add(handle, store))
    }

    /// What stands for it in a slot.
    ///
    /// # Errors
    /// Its scope has ended.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn handle(reference: Option<Rooted<T>>, store: &StoreInner) -> Result<u32> {
        reference.map_or(Ok(0), |reference| reference.0.reference().get(store))
    }

    /// The same reference as one of another kind, which it is.
    pub(crate) fn cast<U: GcRef>(self) -> Rooted<U> {
        Rooted::of(self.0.reference())
    }

    /// Whether both are to the same object.
    ///
    /// # Errors
    /// The scope of one has ended.
    ///
    /// # Panics
    /// If one does not belong to `store`.
    pub fn ref_eq(
        store: impl AsContext,
        a: &impl RootedGcRef<T>,
        b: &impl RootedGcRef<T>,
    ) -> Result<bool> {
        let inner = store.as_context().inner;
        Ok(a.reference().get(inner)? == b.reference().get(inner)?)
    }

    /// Whether both are the same root. Two roots can refer to one object.
    pub fn rooted_eq(a: Self, b: Self) -> bool {
        a.0.reference() == b.0.reference()
    }

    /// Hashes the object that it refers to, as [`Rooted::ref_eq`] compares it.
    ///
    /// # Errors
    /// Its scope has ended.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) -> Result<()> {
        self.0.reference().get(store.as_context().inner)?.hash(state);
        Ok(())
    }

    /// Hashes the root, as [`Rooted::rooted_eq`] compares it.
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.0.reference().hash(state);
    }
}

impl<T: GcRef> Clone for Rooted<T> {
    fn clone(&self) -> Rooted<T> {
        *self
    }
}

impl<T: GcRef> Copy for Rooted<T> {}

impl<T: GcRef> Deref for Rooted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: GcRef> fmt::Debug for Rooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: GcRef> RootedGcRef<T> for Rooted<T> {}

impl<T: GcRef> OwnedRooted<T> {
    /// The same reference as one of another kind, which it is.
    pub(crate) fn cast<U: GcRef>(self) -> OwnedRooted<U> {
        OwnedRooted { reference: U::of(self.reference.reference()), keep: self.keep }
    }
}

impl<T: GcRef> Clone for OwnedRooted<T> {
    fn clone(&self) -> OwnedRooted<T> {
        OwnedRooted { reference: self.reference, keep: self.keep.clone() }
    }
}

impl<T: GcRef> Deref for OwnedRooted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.reference
    }
}

impl<T: GcRef> fmt::Debug for OwnedRooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.reference, f)
    }
}

impl<T: GcRef> RootedGcRef<T> for OwnedRooted<T> {}

/// A scope: the [`Rooted`] references that are made while it is open end with it.
///
/// It is used in place of the store that it was made of. Scopes end in the order in which they were opened, the last first.
pub struct RootScope<C: AsContextMut> {
    store: C,
    scope: Scope,
}

impl<C: AsContextMut> RootScope<C> {
    /// Opens a scope.
    pub fn new(mut store: C) -> RootScope<C> {
        let scope = store.as_context_mut().inner.heap.roots.enter();
        RootScope { store, scope }
    }

    /// Makes room for so many more references.
    pub fn reserve(&mut self, additional: usize) {
        self.store.as_context_mut().inner.heap.roots.reserve(additional);
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        self.store.as_context_mut().inner.heap.roots.leave(self.scope);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}

impl<'a, T: 'static, C: AsContextMut<Data = T>> From<&'a RootScope<C>> for StoreContext<'a, T> {
    fn from(scope: &'a RootScope<C>) -> StoreContext<'a, T> {
        scope.as_context()
    }
}

impl<'a, T: 'static, C: AsContextMut<Data = T>> From<&'a mut RootScope<C>>
    for StoreContextMut<'a, T>
{
    fn from(scope: &'a mut RootScope<C>) -> StoreContextMut<'a, T> {
        scope.as_context_mut()
    }
}
