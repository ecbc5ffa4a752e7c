//! Calls whose types are known at compile time.

use super::{Func, call_slots_async};
use crate::{
    AnyRef, ArrayRef, AsContextMut, EqRef, Error, ExnRef, ExternRef, Result, Rooted,
    StoreContextMut, StructRef, V128,
    backend::{Prepared, call_prepared, prepare_call},
    store::StoreId,
    values::{check_vals, read_slots},
};
use alloc::vec::Vec;
use core::{any::Any, fmt, marker::PhantomData};
use kinglet_core::{
    runtime::StoreInner,
    types::{FuncType, HeapType, RefType, ValType},
};

/// The most slots that parameters or results of the typed API take: those of 16 vectors.
const MAX_SLOTS: usize = 32;
/// As many as most calls need at most.
const SOME_SLOTS: usize = 16;
const FEW_SLOTS: usize = 4;

/// A function with parameters `P` and results `R`, checked once so that calls need no checks. Only references of types that are more
/// general than those of the parameters are looked at in each call.
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
    /// Whether not all values of `P` are of the types of the parameters, so that references have to be looked at.
    narrows: bool,
    prepared: Prepared,
    _types: PhantomData<fn(P) -> R>,
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(super) fn new(func: Func, inner: &StoreInner, ty: &FuncType) -> Result<TypedFunc<P, R>> {
        let narrows = narrows(&FuncType::new(P::valtypes(), R::valtypes()), ty)?;
        let prepared = prepare_call(inner, func.addr);
        Ok(TypedFunc { func, narrows, prepared, _types: PhantomData })
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
        let slots = P::LEN.max(R::LEN);
        if slots == 0 {
            self.call_in(store, params, &mut [])
        } else if slots <= FEW_SLOTS {
            self.call_in(store, params, &mut [0; FEW_SLOTS])
        } else if slots <= SOME_SLOTS {
            self.call_in(store, params, &mut [0; SOME_SLOTS])
        } else {
            self.call_in(store, params, &mut [0; MAX_SLOTS])
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
        params.write(slots, inner)?;
        self.check_params(inner, slots)?;
        call_prepared(&self.prepared, inner, data, self.func.addr, slots)?;
        Ok(R::read(slots, inner))
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
        let mut slots = [0; MAX_SLOTS];
        let slots = &mut slots[..P::LEN.max(R::LEN)];
        params.write(slots, store.inner)?;
        self.check_params(store.inner, slots)?;
        call_slots_async(&mut store, self.func.addr, slots).await?;
        Ok(R::read(slots, store.inner))
    }

    /// Fails unless the arguments are of the types of the parameters.
    #[inline]
    fn check_params(&self, inner: &mut StoreInner, slots: &[u64]) -> Result<()> {
        if P::REFS && self.narrows {
            let types = inner.func_type(self.func.addr).params().to_vec();
            let scope = inner.heap.roots.enter();
            let mut vals = Vec::with_capacity(types.len());
            read_slots(&types, slots, inner, |val| vals.push(val));
            let checked = check_vals(inner, &vals, &types, "argument");
            inner.heap.roots.leave(scope);
            checked?;
        }
        Ok(())
    }

    /// The function without its types.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

/// Whether arguments have to be looked at in each call of a function of type `ty` with the types `wanted`. One function, which programs have
/// once and not for all the types of their calls.
///
/// # Errors
/// It cannot be called with these types.
fn narrows(wanted: &FuncType, ty: &FuncType) -> Result<bool> {
    // Types of Rust stand for abstract types, above and below which nothing is defined by its supertype.
    let fits = |a: ValType, b: ValType| a.matches(b, |_, _| false);
    let may_fit = |a, b| match (a, b) {
        (ValType::Ref(a), ValType::Ref(b)) => b.heap.matches(a.heap, |_, _| false),
        _ => false,
    };
    let (params, results) = (ty.params(), ty.results());
    let mut given = wanted.params().iter().zip(params);
    if params.len() == wanted.params().len()
        && results.len() == wanted.results().len()
        && given.clone().all(|(&given, &param)| fits(given, param) || may_fit(given, param))
        && wanted.results().iter().zip(results).all(|(&wanted, &result)| fits(result, wanted))
    {
        return Ok(!given.all(|(&given, &param)| fits(given, param)));
    }
    Err(Error::msg(alloc::format!("type mismatch: expected {wanted}, found {ty}")))
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

/// A type of Rust that stands for one of WebAssembly: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, [`V128`], `Option<Func>`,
/// and [`Rooted`] references, which can be optional.
pub trait WasmTy: Sized + Send + sealed::Sealed {
    #[doc(hidden)]
    const TYPE: ValType;

    /// How many slots a value takes.
    #[doc(hidden)]
    const SLOTS: usize = 1;

    #[doc(hidden)]
    fn to_slots(self, slots: &mut [u64], store: &StoreInner) -> Result<()>;

    #[doc(hidden)]
    fn from_slots(slots: &[u64], store: &mut StoreInner) -> Self;
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
            fn to_slots(self, slots: &mut [u64], $store: &StoreInner) -> Result<()> {
                let ($value, _) = (self, $store);
                slots[0] = $to;
                Ok(())
            }

            #[inline]
            fn from_slots(slots: &[u64], $store: &mut StoreInner) -> $ty {
                let $slot = slots[0];
                let _ = &$store;
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
    Option<Func> = ValType::FUNCREF,
        (v, store) => u64::from(Func::handle(v, StoreId::of(store))),
        slot => Func::from_handle(slot as u32, StoreId::of(store));
}

/// References that are roots of a scope on the side of the host, null or not.
macro_rules! rooted_types {
    ($( $ty:ident = $heap:expr; )*) => { $(
        wasm_types! {
            Option<Rooted<$ty>> = ValType::Ref(RefType { nullable: true, heap: $heap }),
                (v, store) => u64::from(Rooted::handle(v, store)?),
                slot => Rooted::from_handle(slot as u32, store);
            Rooted<$ty> = ValType::Ref(RefType { nullable: false, heap: $heap }),
                (v, store) => u64::from(Rooted::handle(Some(v), store)?),
                slot => Rooted::add(slot as u32, store);
        }
    )* };
}

rooted_types! {
    ExternRef = HeapType::Extern;
    AnyRef = HeapType::Any;
    EqRef = HeapType::Eq;
    StructRef = HeapType::Struct;
    ArrayRef = HeapType::Array;
    ExnRef = HeapType::Exn;
}

impl sealed::Sealed for V128 {}

impl WasmTy for V128 {
    const TYPE: ValType = ValType::V128;
    const SLOTS: usize = 2;

    #[inline]
    fn to_slots(self, slots: &mut [u64], _: &StoreInner) -> Result<()> {
        slots[..2].copy_from_slice(&self.to_bits());
        Ok(())
    }

    #[inline]
    fn from_slots(slots: &[u64], _: &mut StoreInner) -> V128 {
        V128::from_bits([slots[0], slots[1]])
    }
}

/// A [`WasmTy`], or a tuple of up to 16 of them.
pub trait WasmTyList: Sized + Send {
    /// How many slots the values take.
    #[doc(hidden)]
    const LEN: usize;

    /// Whether there are references among them.
    #[doc(hidden)]
    const REFS: bool;

    #[doc(hidden)]
    fn valtypes() -> impl Iterator<Item = ValType>;

    #[doc(hidden)]
    fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()>;

    #[doc(hidden)]
    fn read(slots: &[u64], store: &mut StoreInner) -> Self;
}

/// Parameters of a [`TypedFunc`].
pub trait WasmParams: WasmTyList {}

/// Results of a [`TypedFunc`].
pub trait WasmResults: WasmTyList {}

impl<L: WasmTyList> WasmParams for L {}
impl<L: WasmTyList> WasmResults for L {}

impl<A: WasmTy> WasmTyList for A {
    const LEN: usize = A::SLOTS;
    const REFS: bool = matches!(A::TYPE, ValType::Ref(_));

    fn valtypes() -> impl Iterator<Item = ValType> {
        core::iter::once(A::TYPE)
    }

    #[inline]
    fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()> {
        self.to_slots(slots, store)
    }

    #[inline]
    fn read(slots: &[u64], store: &mut StoreInner) -> A {
        A::from_slots(slots, store)
    }
}

macro_rules! tuples {
    ($( $($ty:ident $at:tt)*; )*) => { $(
        impl<$($ty: WasmTy),*> WasmTyList for ($($ty,)*) {
            const LEN: usize = 0 $(+ $ty::SLOTS)*;
            const REFS: bool = false $(|| matches!($ty::TYPE, ValType::Ref(_)))*;

            fn valtypes() -> impl Iterator<Item = ValType> {
                [$($ty::TYPE),*].into_iter()
            }

            #[inline]
            fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()> {
                let slots = &mut slots[..Self::LEN];
                $(
                    let (own, slots) = slots.split_at_mut($ty::SLOTS);
                    self.$at.to_slots(own, store)?;
                )*
                let _ = (slots, store);
                Ok(())
            }

            #[inline]
            #[allow(clippy::unused_unit, reason = "the empty tuple is one of them")]
            #[allow(non_snake_case, reason = "values are named as their types")]
            fn read(slots: &[u64], store: &mut StoreInner) -> ($($ty,)*) {
                let slots = &slots[..Self::LEN];
                $(
                    let (own, slots) = slots.split_at($ty::SLOTS);
                    let $ty = $ty::from_slots(own, store);
                )*
                let _ = (slots, &store);
                ($( $ty, )*)
            }
        }
    )* };
}

tuples! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}
