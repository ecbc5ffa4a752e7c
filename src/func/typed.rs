//! Calls whose types are known at compile time.

use super::{Func, call_slots, call_slots_async};
use crate::{AsContextMut, Error, ExternRef, Result, StoreContextMut, ValType, store::StoreId};
use core::{any::Any, fmt, marker::PhantomData};
use kinglet_core::types::FuncType;

/// The most parameters, and the most results, that the typed API takes.
const MAX_VALUES: usize = 16;
const FEW_VALUES: usize = 4;

/// A function with parameters `P` and results `R`, checked once so that calls need no checks.
///
/// ```
/// use kinglet::{Engine, Func, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let func = Func::wrap(&mut store, |a: i32, b: i64| (b, a));
/// let swap = func.typed::<(i32, i64), (i64, i32)>(&store)?;
/// assert_eq!(swap.call(&mut store, (1, 2))?, (2, 1));
/// assert!(func.typed::<i32, i32>(&store).is_err());
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct TypedFunc<P, R> {
    func: Func,
    _types: PhantomData<fn(P) -> R>,
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(super) fn new(func: Func, ty: &FuncType) -> Result<TypedFunc<P, R>> {
        let same = |wanted: &mut dyn Iterator<Item = ValType>, have: &[ValType]| {
            wanted.eq(have.iter().copied())
        };
        if !same(&mut P::valtypes(), ty.params()) || !same(&mut R::valtypes(), ty.results()) {
            let wanted = FuncType::new(P::valtypes(), R::valtypes());
            return Err(Error::msg(alloc::format!(
                "type mismatch: expected {}, found {}",
                crate::FuncType(wanted),
                crate::FuncType(ty.clone())
            )));
        }
        Ok(TypedFunc { func, _types: PhantomData })
    }

    /// Calls it.
    ///
    /// # Errors
    /// The function traps or fails otherwise.
    ///
    /// # Panics
    /// If it, or a reference among the parameters, belongs to another store.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let store = store.as_context_mut();
        // Most calls need few slots, which do not take long to clear.
        if P::LEN.max(R::LEN) <= FEW_VALUES {
            self.call_in(store, params, &mut [0; FEW_VALUES])
        } else {
            self.call_in(store, params, &mut [0; MAX_VALUES])
        }
    }

    #[inline]
    fn call_in<T: 'static>(
        &self,
        StoreContextMut { inner, data }: StoreContextMut<'_, T>,
        params: P,
        slots: &mut [u64],
    ) -> Result<R> {
        self.func.store.check(inner);
        let slots = &mut slots[..P::LEN.max(R::LEN)];
        params.write(slots, self.func.store);
        call_slots(inner, data, self.func.addr, slots)?;
        Ok(R::read(slots, self.func.store))
    }

    /// As [`TypedFunc::call`], where the function may call asynchronous host functions.
    ///
    /// The future does not block: it is pending while such a function waits.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn call_async(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let mut store = store.as_context_mut();
        self.func.store.check(store.inner);
        let mut slots = [0; MAX_VALUES];
        let slots = &mut slots[..P::LEN.max(R::LEN)];
        params.write(slots, self.func.store);
        call_slots_async(&mut store, self.func.addr, slots).await?;
        Ok(R::read(slots, self.func.store))
    }

    /// The function without its types.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> TypedFunc<P, R> {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.func, f)
    }
}

/// The embedder's data, in its own type, for a host function that was made for stores with data of this type.
///
/// Checking the type takes half as long as all else of a short call: identifiers of types are compared through memory.
#[inline]
#[allow(unsafe_code, reason = "host functions are called with the data of their store")]
pub(super) fn data_of<T: 'static>(data: &mut dyn Any) -> &mut T {
    debug_assert!(data.is::<T>());
    // SAFETY: a host function for data of type `T` gets into stores with such data only: `Func` takes it together with one,
    // `Linker` and `InstancePre` for one, and all are invariant in `T`. It is called from there only, since stores refuse the
    // functions of others, and always with the data that the store was borrowed with.
    unsafe { &mut *core::ptr::from_mut(data).cast::<T>() }
}

/// A type of Rust that stands for one of WebAssembly: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, `Option<Func>` and
/// `Option<ExternRef>`.
pub trait WasmTy: Sized + Send + sealed::Sealed {
    #[doc(hidden)]
    const TYPE: ValType;

    #[doc(hidden)]
    fn to_slot(self, store: StoreId) -> u64;

    #[doc(hidden)]
    fn from_slot(slot: u64, store: StoreId) -> Self;
}

mod sealed {
    /// Keeps [`WasmTy`](super::WasmTy) to the types of this crate's choice.
    pub trait Sealed {}
}

macro_rules! wasm_types {
    ($( $ty:ty = $val:expr, ($value:ident, $store:ident) => $to:expr, $slot:ident => $from:expr; )*) => { $(
        impl sealed::Sealed for $ty {}

        impl WasmTy for $ty {
            const TYPE: ValType = $val;

            #[inline]
            fn to_slot(self, $store: StoreId) -> u64 {
                let ($value, _) = (self, $store);
                $to
            }

            #[inline]
            fn from_slot($slot: u64, $store: StoreId) -> $ty {
                let _ = $store;
                $from
            }
        }
    )* };
}

wasm_types! {
    i32 = ValType::I32, (v, store) => u64::from(v as u32), slot => slot as i32;
    u32 = ValType::I32, (v, store) => u64::from(v), slot => slot as u32;
    i64 = ValType::I64, (v, store) => v as u64, slot => slot as i64;
    u64 = ValType::I64, (v, store) => v, slot => slot;
    f32 = ValType::F32, (v, store) => u64::from(v.to_bits()), slot => f32::from_bits(slot as u32);
    f64 = ValType::F64, (v, store) => v.to_bits(), slot => f64::from_bits(slot);
    Option<Func> = ValType::FUNCREF, (v, store) => u64::from(Func::handle(v, store)),
        slot => Func::from_handle(slot as u32, store);
    Option<ExternRef> = ValType::EXTERNREF, (v, store) => u64::from(ExternRef::handle(v, store)),
        slot => ExternRef::from_handle(slot as u32, store);
}

/// A [`WasmTy`], or a tuple of up to 16 of them.
pub trait WasmTyList: Sized + Send {
    #[doc(hidden)]
    const LEN: usize;

    #[doc(hidden)]
    fn valtypes() -> impl Iterator<Item = ValType>;

    #[doc(hidden)]
    fn write(self, slots: &mut [u64], store: StoreId);

    #[doc(hidden)]
    fn read(slots: &[u64], store: StoreId) -> Self;
}

/// Parameters of a [`TypedFunc`].
pub trait WasmParams: WasmTyList {}

/// Results of a [`TypedFunc`].
pub trait WasmResults: WasmTyList {}

impl<L: WasmTyList> WasmParams for L {}
impl<L: WasmTyList> WasmResults for L {}

impl<A: WasmTy> WasmTyList for A {
    const LEN: usize = 1;

    fn valtypes() -> impl Iterator<Item = ValType> {
        core::iter::once(A::TYPE)
    }

    #[inline]
    fn write(self, slots: &mut [u64], store: StoreId) {
        slots[0] = self.to_slot(store);
    }

    #[inline]
    fn read(slots: &[u64], store: StoreId) -> A {
        A::from_slot(slots[0], store)
    }
}

macro_rules! tuples {
    ($( $len:literal: $($ty:ident $at:tt)*; )*) => { $(
        impl<$($ty: WasmTy),*> WasmTyList for ($($ty,)*) {
            const LEN: usize = $len;

            fn valtypes() -> impl Iterator<Item = ValType> {
                [$($ty::TYPE),*].into_iter()
            }

            #[inline]
            fn write(self, slots: &mut [u64], store: StoreId) {
                let _ = (&slots[..$len], store);
                $( slots[$at] = self.$at.to_slot(store); )*
            }

            #[inline]
            #[allow(clippy::unused_unit, reason = "the empty tuple is one of them")]
            fn read(slots: &[u64], store: StoreId) -> ($($ty,)*) {
                let slots = &slots[..$len];
                let _ = (slots, store);
                ($( $ty::from_slot(slots[$at], store), )*)
            }
        }
    )* };
}

tuples! {
    0: ;
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    9: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    10: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    11: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    12: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    13: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    14: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    15: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    16: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}
