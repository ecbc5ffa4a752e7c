//! Calls that can stop and go on.

use super::{Caller, Func, host::AsyncFunc};
use crate::{
    AsContext, AsContextMut, Error, Result, RootScope, StoreContext, StoreContextMut, Trap, Val,
    values::{check_vals, read_slots, write_slots},
};
use alloc::{vec, vec::Vec};
use core::fmt;
use kinglet_core::{
    index::FuncAddr,
    runtime::{self, StoreInner},
    types::slot_count,
};
use kinglet_interp::Exit;

/// A call that can stop and go on, made by [`Func::start`].
///
/// It does not borrow its store while it is stopped, so that the embedder can do what it likes in between, also run
/// other executions in the same store. Dropping it abandons the call.
///
/// It can stop where no synchronous host function of its own is being called: a guest that such a host function calls
/// cannot stop, and traps instead.
///
/// ```
/// use kinglet::{Budget, Config, Engine, Instance, Module, Step, Store, Val};
///
/// let engine = Engine::new(Config::new().consume_fuel(true))?;
/// let module = Module::new(
///     &engine,
///     r#"(module (func (export "count") (param i32) (result i32) (local i32)
///         (loop $again
///             (local.set 1 (i32.add (local.get 1) (i32.const 1)))
///             (br_if $again (i32.lt_u (local.get 1) (local.get 0))))
///         (local.get 1)))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let count = Instance::new(&mut store, &module, &[])?.get_func(&mut store, "count").unwrap();
///
/// let mut execution = count.start(&mut store, &[Val::I32(1000)])?;
/// let mut slices = 0;
/// let results = loop {
///     match execution.run(&mut store, Budget::fuel(500))? {
///         Step::Done(results) => break results,
///         Step::OutOfFuel => slices += 1,
///         step => panic!("{step:?}"),
///     }
/// };
/// assert_eq!(results[0].i32(), Some(1000));
/// assert!(slices > 1);
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct Execution {
    func: Func,
    inner: kinglet_interp::Execution,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Can run.
    Ready,
    /// Waits for the results of a host function.
    Pending,
    /// Returned or failed.
    Ended,
}

/// How far [`Execution::run`] may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    fuel: Option<u64>,
}

impl Budget {
    /// As far as so much fuel takes it. It is what the store has from then on, as if by
    /// [`Store::set_fuel`](crate::Store::set_fuel); what is left is left in the store.
    pub const fn fuel(units: u64) -> Budget {
        Budget { fuel: Some(units) }
    }

    /// As far as the store lets it: with the fuel that the store has, if it has to have any.
    pub const fn unlimited() -> Budget {
        Budget { fuel: None }
    }
}

/// How far [`Execution::run`] came.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// The function returned these results. The execution has ended.
    Done(Vec<Val>),
    /// The fuel does not suffice to go on. Run again with [more](Execution::required_fuel).
    OutOfFuel,
    /// The store's deadline passed, or it was [interrupted](crate::InterruptHandle). Run again if it may go on.
    Interrupted,
    /// The guest called a host function that gives a future. [Await it](Execution::finish_host_call), or
    /// [answer](Execution::resume) for it; then run again.
    Pending(HostCall),
}

/// The call of a host function that an execution waits for.
#[derive(Clone, Debug)]
pub struct HostCall {
    func: Func,
    params: Vec<Val>,
}

impl HostCall {
    /// The host function.
    pub fn func(&self) -> Func {
        self.func
    }

    /// The arguments.
    pub fn params(&self) -> &[Val] {
        &self.params
    }
}

impl Execution {
    pub(super) fn new(inner: &mut StoreInner, func: Func, params: &[u64]) -> Result<Execution> {
        let inner = kinglet_interp::Execution::new(inner, func.addr, params)?;
        Ok(Execution { func, inner, state: State::Ready })
    }

    /// Runs until something stops it.
    ///
    /// # Errors
    /// The guest traps or a host function fails; the execution has then ended. Or it cannot be run: it has ended before,
    /// waits for a host function, or has a budget of fuel in an engine that does not
    /// [consume fuel](crate::Config::consume_fuel).
    ///
    /// # Panics
    /// If `store` is not the one that it was started in.
    pub fn run(&mut self, mut store: impl AsContextMut, budget: Budget) -> Result<Step> {
        let mut store = store.as_context_mut();
        self.func.store.check(store.inner);
        self.expect(State::Ready)?;
        if let Some(fuel) = budget.fuel {
            store.set_fuel(fuel)?;
        }
        self.state = State::Ended;
        let step = match self.inner.run(store.inner, store.data)? {
            Exit::Done => {
                let types = store.inner.func_type(self.func.addr).results().to_vec();
                let mut results = Vec::with_capacity(types.len());
                let slots = self.inner.results();
                read_slots(&types, slots, store.inner, |val| results.push(val));
                return Ok(Step::Done(results));
            }
            Exit::OutOfFuel => Step::OutOfFuel,
            Exit::Interrupted => Step::Interrupted,
            Exit::HostCall => {
                self.state = State::Pending;
                return Ok(Step::Pending(self.host_call(store.inner)));
            }
        };
        self.state = State::Ready;
        Ok(step)
    }

    /// The function that was called.
    pub fn func(&self) -> Func {
        self.func
    }

    /// The least fuel with which it gets any further, after [`Step::OutOfFuel`].
    pub fn required_fuel(&self) -> u64 {
        self.inner.required_fuel()
    }

    /// Answers for the host function that it waits for, with these results.
    ///
    /// # Errors
    /// It does not wait for one, or the results are not of the right types.
    ///
    /// # Panics
    /// If `store` is not the one that it was started in.
    pub fn resume(&mut self, mut store: impl AsContextMut, results: &[Val]) -> Result<()> {
        let inner = store.as_context_mut().inner;
        self.func.store.check(inner);
        self.expect(State::Pending)?;
        let types = inner.func_type(self.waits_for().0).results();
        check_vals(inner, results, types, "result")?;
        let mut slots = vec![0; slot_count(types) as usize];
        write_slots(results, &mut slots, inner)?;
        self.inner.resume(inner, &slots)?;
        self.state = State::Ready;
        Ok(())
    }

    /// Runs the host function that it waits for until its future is done, and answers with its results.
    ///
    /// # Errors
    /// It does not wait for one, or the host function fails. Then it still waits.
    ///
    /// # Panics
    /// If `store` is not the one that it was started in.
    pub async fn finish_host_call(&mut self, mut store: impl AsContextMut) -> Result<()> {
        let mut store = store.as_context_mut();
        self.func.store.check(store.inner);
        self.expect(State::Pending)?;
        finish_host_call(&mut store, &mut self.inner).await?;
        self.state = State::Ready;
        Ok(())
    }

    fn host_call(&self, store: &mut StoreInner) -> HostCall {
        let (func, slots) = self.waits_for();
        let types = store.func_type(func).params().to_vec();
        let mut params = Vec::with_capacity(types.len());
        read_slots(&types, slots, store, |val| params.push(val));
        HostCall { func: Func { store: self.func.store, addr: func }, params }
    }

    /// The host function that it waits for, and slots that begin with the arguments.
    fn waits_for(&self) -> (FuncAddr, &[u64]) {
        let (func, _, slots) = self.inner.host_call();
        (func, slots)
    }

    fn expect(&self, state: State) -> Result<()> {
        if self.state == state {
            return Ok(());
        }
        Err(Error::msg(match self.state {
            State::Ready => "the execution does not wait for a host function",
            State::Pending => "the execution waits for the results of a host function",
            State::Ended => "the execution has ended",
        }))
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution")
            .field("func", &self.func)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Calls a function that may call asynchronous host functions: arguments in, results out.
pub(crate) async fn call_slots_async<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    func: FuncAddr,
    slots: &mut [u64],
) -> Result<()> {
    let params = slot_count(store.inner.func_type(func).params()) as usize;
    let mut execution = kinglet_interp::Execution::new(store.inner, func, &slots[..params])?;
    loop {
        match execution.run(store.inner, store.data)? {
            Exit::Done => {
                let results = execution.results();
                slots[..results.len()].copy_from_slice(results);
                execution.finish(store.inner);
                return Ok(());
            }
            Exit::OutOfFuel => return Err(Trap::OutOfFuel.into()),
            Exit::Interrupted => return Err(Trap::Interrupt.into()),
            Exit::HostCall => finish_host_call(store, &mut execution).await?,
        }
    }
}

async fn finish_host_call<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    execution: &mut kinglet_interp::Execution,
) -> Result<()> {
    let (func, instance, params) = execution.host_call();
    let host = store.inner.as_host_func(func).expect("executions wait for host functions").clone();
    let runtime::HostCall::Async(call) = &host.call else {
        unreachable!("executions wait for asynchronous host functions")
    };
    let call: &AsyncFunc<T> = call.downcast_ref().expect("host functions belong to their store");
    let mut slots = params.to_vec();
    slots.resize(host.slots as usize, 0);
    let below = execution.nest(store.inner);
    let mut scope = RootScope::new(Nested { store, below });
    let caller = Caller::new(scope.as_context_mut(), instance);
    let written = (call.0)(caller, &mut slots).await;
    let inner = scope.as_context_mut().inner;
    match written.and_then(|write| write(&mut slots, inner)) {
        Ok(()) => execution.resume(inner, &slots[..host.results as usize]),
        // The guest may catch it.
        Err(error) => execution.resume_with(inner, error),
    }
}

/// A store while the future of a host function lives: the execution that waits for it takes its share of the stack.
struct Nested<'s, 'a, T: 'static> {
    store: &'s mut StoreContextMut<'a, T>,
    /// How much those below it take.
    below: usize,
}

impl<T: 'static> Drop for Nested<'_, '_, T> {
    fn drop(&mut self) {
        self.store.inner.stack_in_use = self.below;
    }
}

impl<T: 'static> AsContext for Nested<'_, '_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Nested<'_, '_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
