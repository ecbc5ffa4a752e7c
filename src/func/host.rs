//! Host functions: closures of the embedder behind the slots that guests pass.

use super::{Caller, WasmTy, WasmTyList, typed::data_of};
use crate::{
    AsContextMut, Engine, Error, FuncType, Result, StoreContextMut, Val,
    values::{check_vals, read_slots, write_slots},
};
use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, future::Future, pin::Pin};
use kinglet_core::{
    Shared,
    index::InstanceAddr,
    runtime::{
        HostCall, StoreInner,
        func::{CallerAddr, HostFunc, SyncHostCall},
        registry::TypeIds,
    },
    sync::Threaded,
    types::{self, ValType},
};

/// A closure that can be a host function: see [`Func::wrap`](crate::Func::wrap).
pub trait IntoFunc<T, Params, Args>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_func(self, engine: &Engine) -> HostFunc;
}

/// What a closure that is a host function may return: a [`WasmTy`], a tuple of them, or a `Result` of that.
///
/// The error can be an [`Error`], any other error type, or a message.
pub trait WasmRet {
    #[doc(hidden)]
    fn valtypes() -> impl Iterator<Item = ValType>;

    #[doc(hidden)]
    fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()>;
}

impl<R: WasmTyList> WasmRet for R {
    fn valtypes() -> impl Iterator<Item = ValType> {
        <R as WasmTyList>::valtypes()
    }

    #[inline]
    fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()> {
        WasmTyList::write(self, slots, store)
    }
}

impl<R, E> WasmRet for Result<R, E>
where
    R: WasmTyList,
    E: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    fn valtypes() -> impl Iterator<Item = ValType> {
        <R as WasmTyList>::valtypes()
    }

    #[inline]
    fn write(self, slots: &mut [u64], store: &StoreInner) -> Result<()> {
        match self {
            Ok(results) => WasmTyList::write(results, slots, store),
            Err(error) => Err(Error::new(error)),
        }
    }
}

macro_rules! closures {
    ($( $($ty:ident)*; )*) => { $(
        impl<T, F, $($ty,)* R> IntoFunc<T, ($($ty,)*), R> for F
        where
            T: 'static,
            F: Fn($($ty),*) -> R + Send + Sync + 'static,
            $($ty: WasmTy,)*
            R: WasmRet,
        {
            #[allow(non_snake_case, reason = "parameters are named as their types")]
            fn into_func(self, engine: &Engine) -> HostFunc {
                typed(engine, move |_: Caller<'_, T>, ($($ty,)*): ($($ty,)*)| self($($ty),*))
            }
        }

        impl<T, F, $($ty,)* R> IntoFunc<T, (Caller<'_, T>, $($ty,)*), R> for F
        where
            T: 'static,
            F: Fn(Caller<'_, T>, $($ty),*) -> R + Send + Sync + 'static,
            $($ty: WasmTy,)*
            R: WasmRet,
        {
            #[allow(non_snake_case, reason = "parameters are named as their types")]
            fn into_func(self, engine: &Engine) -> HostFunc {
                typed(engine, move |caller: Caller<'_, T>, ($($ty,)*): ($($ty,)*)| {
                    self(caller, $($ty),*)
                })
            }
        }
    )* };
}

closures! {
    ;
    A1;
    A1 A2;
    A1 A2 A3;
    A1 A2 A3 A4;
    A1 A2 A3 A4 A5;
    A1 A2 A3 A4 A5 A6;
    A1 A2 A3 A4 A5 A6 A7;
    A1 A2 A3 A4 A5 A6 A7 A8;
    A1 A2 A3 A4 A5 A6 A7 A8 A9;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15;
    A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16;
}

fn typed<T: 'static, P: WasmTyList, R: WasmRet>(
    engine: &Engine,
    func: impl Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
) -> HostFunc {
    let ty = func_type(engine, P::valtypes(), R::valtypes());
    let call = erase(move |store: &mut StoreContextMut<'_, T>, instance, slots: &mut [u64]| {
        let params = P::read(slots, store.inner);
        let results = func(Caller::new(store.as_context_mut(), instance), params);
        results.write(slots, store.inner)
    });
    HostFunc::new(ty, HostCall::Sync(call))
}

/// The type in the engine of functions with these parameters and results, none of which is a defined type.
fn func_type(
    engine: &Engine,
    params: impl Iterator<Item = ValType>,
    results: impl Iterator<Item = ValType>,
) -> Shared<TypeIds> {
    Shared::new(engine.types().register_one(types::FuncType::new(params, results).into()))
}

/// A host function of a type that is known only at run time.
pub(crate) fn untyped<T: 'static>(
    engine: &Engine,
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Threaded + 'static,
) -> HostFunc {
    ty.0.check_engine(engine);
    let types = ty.clone();
    let call = erase(move |store: &mut StoreContextMut<'_, T>, instance, slots: &mut [u64]| {
        let mut vals = Vals::new(types.core(), slots, store.inner);
        let (params, results) = vals.split();
        func(Caller::new(store.as_context_mut(), instance), params, results)?;
        vals.finish(store.inner, types.core(), slots)
    });
    HostFunc::new(ty.0.ids().clone(), HostCall::Sync(call))
}

/// The form in which the runtime calls: with the embedder's data as something that has any type.
fn erase<T: 'static>(
    func: impl Fn(&mut StoreContextMut<'_, T>, Option<InstanceAddr>, &mut [u64]) -> Result<()>
    + Threaded
    + 'static,
) -> SyncHostCall {
    Box::new(
        move |inner: &mut StoreInner,
              data: &mut &mut dyn Any,
              caller: CallerAddr,
              slots: &mut [u64]| {
            let mut store = StoreContextMut { inner, data: data_of(*data) };
            func(&mut store, caller.instance(), slots)
        },
    )
}

/// Arguments and results of a host function whose type is known only at run time.
struct Vals {
    vals: Vec<Val>,
    params: usize,
}

impl Vals {
    fn new(ty: &types::FuncType, slots: &[u64], store: &mut StoreInner) -> Vals {
        let mut vals = Vec::with_capacity(ty.params().len() + ty.results().len());
        read_slots(ty.params(), slots, store, |val| vals.push(val));
        vals.extend(ty.results().iter().map(|&ty| Val::from_bits(ty, [0; 2], store)));
        Vals { vals, params: ty.params().len() }
    }

    fn split(&mut self) -> (&[Val], &mut [Val]) {
        let (params, results) = self.vals.split_at_mut(self.params);
        (params, results)
    }

    fn finish(&self, store: &StoreInner, ty: &types::FuncType, slots: &mut [u64]) -> Result<()> {
        let results = &self.vals[self.params..];
        check_vals(store, results, ty.results(), "result")
            .map_err(|error| error.context("host function returned a wrong value"))?;
        write_slots(results, slots, store)
    }
}

/// A host function that gives a future: what [`HostCall::Async`] holds. It finds the arguments in the slots; what the future
/// gives writes the results there.
pub(super) struct AsyncFunc<T: 'static>(pub(super) Box<dyn AsyncCall<T>>);

/// A closure that [`AsyncFunc`] can hold.
pub(super) trait AsyncCall<T: 'static>:
    for<'a> Fn(Caller<'a, T>, &'a [u64]) -> Pin<Box<HostFuture<'a>>> + Threaded
{
}

impl<T: 'static, F> AsyncCall<T> for F where
    F: for<'a> Fn(Caller<'a, T>, &'a [u64]) -> Pin<Box<HostFuture<'a>>> + Threaded
{
}

/// What such a closure gives. It has the store, and goes where that may go.
#[cfg(target_has_atomic = "ptr")]
type HostFuture<'a> = dyn Future<Output = Result<WriteResults>> + Send + 'a;
#[cfg(not(target_has_atomic = "ptr"))]
type HostFuture<'a> = dyn Future<Output = Result<WriteResults>> + 'a;

type WriteResults = Box<dyn FnOnce(&mut [u64], &StoreInner) -> Result<()>>;

/// A host function by a closure that takes a tuple and gives a future.
pub(crate) fn typed_async<T: 'static, F, P: WasmTyList, R: WasmRet + 'static>(
    engine: &Engine,
    func: F,
) -> HostFunc
where
    F: for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a>
        + Send
        + Sync
        + 'static,
{
    let ty = func_type(engine, P::valtypes(), R::valtypes());
    let call: Box<dyn AsyncCall<T>> = Box::new(move |caller, slots| {
        let params = P::read(slots, caller.store.inner);
        let future = Box::into_pin(func(caller, params));
        Box::pin(async move {
            let results = future.await;
            Ok(Box::new(move |slots: &mut [u64], store: &StoreInner| results.write(slots, store))
                as WriteResults)
        })
    });
    HostFunc::new(ty, HostCall::Async(Shared::new(AsyncFunc(call))))
}

/// A host function that gives a future and is of a type that is known only at run time.
pub(crate) fn untyped_async<T: Send + 'static, F>(
    engine: &Engine,
    ty: FuncType,
    func: F,
) -> HostFunc
where
    F: for<'a> Fn(
            Caller<'a, T>,
            &'a [Val],
            &'a mut [Val],
        ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
        + Send
        + Sync
        + 'static,
{
    ty.0.check_engine(engine);
    let shared = Shared::new((func, ty.clone()));
    let call: Box<dyn AsyncCall<T>> = Box::new(move |caller, slots| {
        let shared = shared.clone();
        Box::pin(async move {
            let (func, types) = &*shared;
            let mut vals = Vals::new(types.core(), slots, caller.store.inner);
            let (params, results) = vals.split();
            Box::into_pin(func(caller, params, results)).await?;
            let shared = shared.clone();
            Ok(Box::new(move |slots: &mut [u64], store: &StoreInner| {
                vals.finish(store, shared.1.core(), slots)
            }) as WriteResults)
        })
    });
    HostFunc::new(ty.0.ids().clone(), HostCall::Async(Shared::new(AsyncFunc(call))))
}
