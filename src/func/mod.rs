//! Functions, and calls of them.

mod caller;
mod execution;
mod host;
mod resumable;
mod typed;

pub use caller::Caller;
pub use execution::{Budget, Execution, HostCall, Step};
pub use host::{IntoFunc, WasmRet};
pub use resumable::{ResumableCall, ResumableCallOutOfFuel};
pub use typed::{TypedFunc, WasmParams, WasmResults, WasmTy, WasmTyList};

pub(crate) use crate::backend::call as call_slots;
pub(crate) use execution::call_slots_async;
pub(crate) use host::{typed_async, untyped, untyped_async};

use crate::{
    AsContext, AsContextMut, Error, FuncType, Result, StoreContextMut, Val,
    store::StoreId,
    values::{check_vals, read_slots, write_slots},
};
use alloc::{boxed::Box, vec};
use core::{any::Any, fmt, future::Future};
use kinglet_core::{
    Shared,
    index::FuncAddr,
    runtime::{self, StoreInner},
    types::slot_count,
};

/// A function of a store: a guest's, or the host's.
///
/// Methods panic if they, or a reference they are given, belong to another store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Func {
    pub(crate) store: StoreId,
    pub(crate) addr: FuncAddr,
}

impl Func {
    /// A host function of a type that is known only at run time. The closure gets the arguments, which have the
    /// types of the parameters, and sets the results, which are zero or null at first.
    ///
    /// ```
    /// use kinglet::{Engine, Func, FuncType, Store, Val, ValType};
    ///
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let ty = FuncType::new(&engine, [ValType::I32, ValType::I32], [ValType::I32]);
    /// let max = Func::new(&mut store, ty, |_caller, params, results| {
    ///     results[0] = Val::I32(params[0].unwrap_i32().max(params[1].unwrap_i32()));
    ///     Ok(())
    /// });
    /// let mut results = [Val::I32(0)];
    /// max.call(&mut store, &[Val::I32(3), Val::I32(4)], &mut results)?;
    /// assert_eq!(results[0].i32(), Some(4));
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Func {
        let store = store.as_context_mut();
        let func = untyped(store.engine(), ty, func);
        Func::add(store.inner, func)
    }

    /// A host function by a closure, whose parameters and result say the type.
    ///
    /// It takes up to 16 parameters of the types that [`WasmTy`] lists, in front of them a [`Caller`] if it likes. It
    /// returns one of these types, or a tuple of them, or a [`Result`] of that: an error ends the guest that called it, and
    /// is what the embedder's own call returns.
    ///
    /// ```
    /// use kinglet::{Caller, Engine, Func, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), 10);
    /// let add = Func::wrap(&mut store, |caller: Caller<'_, i32>, x: i32| -> kinglet::Result<i32> {
    ///     x.checked_add(*caller.data()).ok_or_else(|| kinglet::format_err!("too much"))
    /// });
    /// let add = add.typed::<i32, i32>(&store)?;
    /// assert_eq!(add.call(&mut store, 5)?, 15);
    /// assert_eq!(add.call(&mut store, i32::MAX).unwrap_err().to_string(), "too much");
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn wrap<T: 'static, Params, Args>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Args>,
    ) -> Func {
        let store = store.as_context_mut();
        let func = func.into_func(store.engine());
        Func::add(store.inner, func)
    }

    /// As [`Func::wrap`], for a closure that gives a future; it takes its parameters as a tuple. See
    /// [`Linker::func_wrap_async`](crate::Linker::func_wrap_async).
    pub fn wrap_async<T: 'static, F, Params: WasmTyList, Args: WasmRet + 'static>(
        mut store: impl AsContextMut<Data = T>,
        func: F,
    ) -> Func
    where
        F: for<'a> Fn(Caller<'a, T>, Params) -> Box<dyn Future<Output = Args> + Send + 'a>
            + Send
            + Sync
            + 'static,
    {
        let store = store.as_context_mut();
        let func = typed_async(store.engine(), func);
        Func::add(store.inner, func)
    }

    /// As [`Func::new`], for a closure that gives a future.
    pub fn new_async<T: Send + 'static, F>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: F,
    ) -> Func
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
        let store = store.as_context_mut();
        let func = untyped_async(store.engine(), ty, func);
        Func::add(store.inner, func)
    }

    fn add(inner: &mut StoreInner, func: kinglet_core::runtime::func::HostFunc) -> Func {
        Func { store: StoreId::of(inner), addr: inner.add_host_func(Shared::new(func)) }
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let store = store.as_context();
        self.store.check(store.inner);
        FuncType::of(store.engine().types(), store.inner.funcs[self.addr].ty)
    }

    fn core_type<'a>(&self, inner: &'a StoreInner) -> &'a kinglet_core::types::FuncType {
        self.store.check(inner);
        inner.func_type(self.addr)
    }

    /// Calls it with arguments that are checked at run time. `results` has room for as many as there are; what it holds
    /// before does not matter.
    ///
    /// # Errors
    /// The arguments are not of the types of the parameters, `results` has another length, or the function traps or
    /// fails otherwise.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        let len = self.check_call(inner, params, results)?;
        with_slots(len, |slots| {
            write_slots(params, slots, inner)?;
            call_slots(inner, data, self.addr, slots)?;
            self.take_results(inner, slots, results);
            Ok(())
        })
    }

    /// Calls a host function as if the instance that called `caller` had called it.
    pub(crate) fn call_for<T: 'static>(
        &self,
        caller: &mut Caller<'_, T>,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let instance = caller.instance();
        let StoreContextMut { inner, data } = caller.as_context_mut();
        let len = self.check_call(inner, params, results)?;
        let host = inner.as_host_func(self.addr).cloned();
        let Some(runtime::HostCall::Sync(call)) = host.as_ref().map(|host| &host.call) else {
            crate::bail!("the function is not a synchronous one of the host");
        };
        with_slots(len, |slots| {
            write_slots(params, slots, inner)?;
            call(inner, &mut (data as &mut dyn Any), instance.into(), slots)?;
            self.take_results(inner, slots, results);
            Ok(())
        })
    }

    /// As [`Func::call`], where the function may call asynchronous host functions.
    ///
    /// # Errors
    /// As there.
    pub async fn call_async(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let mut store = store.as_context_mut();
        let mut slots = vec![0; self.check_call(store.inner, params, results)?];
        write_slots(params, &mut slots, store.inner)?;
        call_slots_async(&mut store, self.addr, &mut slots).await?;
        self.take_results(store.inner, &slots, results);
        Ok(())
    }

    /// Prepares a call that can stop and go on: nothing runs until [`Execution::run`].
    ///
    /// # Errors
    /// The arguments are not of the types of the parameters, or there is no room for them on the stack.
    pub fn start(&self, mut store: impl AsContextMut, params: &[Val]) -> Result<Execution> {
        let inner = store.as_context_mut().inner;
        let ty = self.core_type(inner);
        check_vals(inner, params, ty.params(), "argument")?;
        let mut slots = vec![0; slot_count(ty.params()) as usize];
        write_slots(params, &mut slots, inner)?;
        Execution::new(inner, *self, &slots)
    }

    /// The function for calls with these types: `P` is one parameter or a tuple of them, `R` the same for results.
    ///
    /// # Errors
    /// It has another type.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let store = store.as_context();
        TypedFunc::new(*self, store.inner, self.core_type(store.inner))
    }

    /// Fails unless it can be called with these arguments and as many results. Answers how many slots that takes.
    fn check_call(&self, inner: &StoreInner, params: &[Val], results: &[Val]) -> Result<usize> {
        let ty = self.core_type(inner);
        check_vals(inner, params, ty.params(), "argument")?;
        self.check_results(inner, results)?;
        Ok(slot_count(ty.params()).max(slot_count(ty.results())) as usize)
    }

    fn check_results(&self, inner: &StoreInner, results: &[Val]) -> Result<()> {
        let (expected, got) = (self.core_type(inner).results().len(), results.len());
        if expected != got {
            return Err(Error::msg(alloc::format!("expected {expected} results, got {got}")));
        }
        Ok(())
    }

    fn take_results(&self, inner: &mut StoreInner, slots: &[u64], results: &mut [Val]) {
        let mut at = 0;
        for (i, result) in results.iter_mut().enumerate() {
            let ty = inner.func_type(self.addr).results()[i];
            read_slots(&[ty], &slots[at..], inner, |val| *result = val);
            at += slot_count(&[ty]) as usize;
        }
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Func").field(&self.addr.0).finish()
    }
}

/// Slots for a call, on the heap if they are many.
fn with_slots<R>(len: usize, call: impl FnOnce(&mut [u64]) -> R) -> R {
    match [0; 16].get_mut(..len) {
        Some(slots) => call(slots),
        None => call(&mut vec![0; len]),
    }
}
