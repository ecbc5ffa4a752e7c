//! [wasi-threads]: guests that start threads.
//!
//! Every thread is an instance of the guest's module in a store of its own, on a thread of the system. All import the same
//! [shared memory](SharedMemory), and share a [`WasiCtx`](crate::WasiCtx) by cloning it.
//!
//! ```
//! use kinglet::{Config, Engine, Linker, Module, Store};
//! use kinglet_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, threads::{self, WasiThreadsCtx}};
//! use std::sync::Arc;
//!
//! #[derive(Clone)]
//! struct Host {
//!     wasi: WasiCtx,
//!     threads: Option<Arc<WasiThreadsCtx<Host>>>,
//! }
//!
//! # fn main() -> kinglet::Result<()> {
//! # let wat = r#"(module
//! #     (import "env" "memory" (memory 1 1 shared))
//! #     (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
//! #     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//! #     (export "memory" (memory 0))
//! #     (func (export "wasi_thread_start") (param i32 i32) (call $exit (local.get 1)))
//! #     (func (export "_start") (drop (call $spawn (i32.const 7))) (loop (br 0))))"#;
//! let engine = Engine::new(Config::new().epoch_interruption(true))?;
//! let module = Module::new(&engine, wat)?;
//! let host = Host { wasi: WasiCtxBuilder::new().inherit_stdio().build(), threads: None };
//! let mut store = Store::new(&engine, host);
//! let mut linker: Linker<Host> = Linker::new(&engine);
//! kinglet_wasi::add_to_linker(&mut linker, |host| &mut host.wasi)?;
//! threads::add_to_linker(&mut linker, &store, &module, |host| {
//!     host.threads.as_ref().expect("it is set before the guest runs")
//! })?;
//! let threads = Arc::new(WasiThreadsCtx::new(module.clone(), &linker)?);
//! store.data_mut().threads = Some(threads.clone());
//!
//! let instance = linker.instantiate(&mut store, &module)?;
//! let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
//! let outcome = start.call(&mut store, ());
//! // The first thread that traps or exits ends all.
//! let error = threads.end(outcome).unwrap_err();
//! assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(7)));
//! # Ok(())
//! # }
//! ```
//!
//! [wasi-threads]: https://github.com/WebAssembly/wasi-threads

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use kinglet::{
    AsContext, Caller, Error, ExternType, InstancePre, InterruptHandle, Linker, Module, Result,
    SharedMemory, Store, TypedFunc, bail,
};

/// The module and name that guests import the function from.
const MODULE: &str = "wasi";
const SPAWN: &str = "thread-spawn";
/// The function that threads begin with.
const START: &str = "wasi_thread_start";

/// Ids of threads are less than this.
const MAX_ID: i32 = 1 << 29;
/// Threads that a guest may have at the same time.
const MAX_THREADS: usize = 1024;
/// How long [`WasiThreadsCtx::end`] waits for threads.
const PATIENCE: Duration = Duration::from_secs(1);

/// The threads of a guest.
///
/// A thread that traps, exits by `proc_exit` or fails otherwise ends all of them: they are interrupted, as by
/// [`InterruptHandle`].
pub struct WasiThreadsCtx<T: 'static> {
    pre: InstancePre<T>,
    prepare: Option<Box<Prepare<T>>>,
    group: Arc<Group>,
}

type Prepare<T> = dyn Fn(&mut Store<T>) + Send + Sync;

impl<T: Clone + Send + 'static> WasiThreadsCtx<T> {
    /// For threads of `module`, whose imports are in `linker`.
    ///
    /// # Errors
    /// An import is missing.
    pub fn new(
        module: Module,
        linker: impl Deref<Target = Linker<T>>,
    ) -> Result<WasiThreadsCtx<T>> {
        let pre = linker.instantiate_pre(&module)?;
        Ok(WasiThreadsCtx { pre, prepare: None, group: Arc::default() })
    }

    /// Has `prepare` set up the store of each new thread: its limiter, deadline and fuel.
    #[must_use]
    pub fn prepare(
        mut self,
        prepare: impl Fn(&mut Store<T>) + Send + Sync + 'static,
    ) -> WasiThreadsCtx<T> {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Starts a thread with `host` as the data of its store, which calls `wasi_thread_start` with its id and
    /// `thread_start_arg`. Answers the id.
    ///
    /// # Errors
    /// The module has no such function, the guest has too many threads or is about to end, or the system gives no thread.
    pub fn spawn(&self, host: T, thread_start_arg: i32) -> Result<i32> {
        let module = self.pre.module();
        if !matches!(module.get_export(START), Some(ExternType::Func(_))) {
            bail!("the module exports no function `{START}`");
        }
        let mut store = Store::new(module.engine(), host);
        if let Some(prepare) = &self.prepare {
            prepare(&mut store);
        }
        let id = self.group.enter(store.interrupt_handle())?;
        let (pre, member) = (self.pre.clone(), Member { group: self.group.clone(), id });
        let run = move || {
            let outcome = pre.instantiate(&mut store).and_then(|instance| {
                let start: TypedFunc<(i32, i32), ()> =
                    instance.get_typed_func(&mut store, START)?;
                start.call(&mut store, (member.id, thread_start_arg))
            });
            // What others may wait for is gone before they go on.
            drop(store);
            member.leave(outcome);
        };
        // If there is no thread, the closure is dropped, and the member with it.
        thread::Builder::new().name(format!("wasi-thread-{id}")).spawn(run)?;
        Ok(id)
    }

    /// Ends all threads, now that the main one has ended with `outcome`. Answers how the first of all to trap, exit or fail
    /// did so, otherwise `outcome`.
    ///
    /// It waits until they have ended, but no longer than a second for those that are in host functions which do not look
    /// whether they are [interrupted](Caller::interrupted).
    ///
    /// # Errors
    /// A thread trapped, exited or failed.
    pub fn end<R>(&self, outcome: Result<R>) -> Result<R> {
        self.group.end(outcome)
    }
}

/// Defines `thread-spawn`, and the shared memories that `module` imports. `get` finds the threads in the data of a store.
///
/// # Errors
/// The names are taken, there is no room for a memory, or the engine's code cannot be interrupted, so that threads could not
/// be ended: see [`Config::epoch_interruption`](kinglet::Config::epoch_interruption).
pub fn add_to_linker<T: Clone + Send + 'static>(
    linker: &mut Linker<T>,
    store: impl AsContext<Data = T>,
    module: &Module,
    get: impl Fn(&mut T) -> &WasiThreadsCtx<T> + Copy + Send + Sync + 'static,
) -> Result<()> {
    if !module.engine().is_interruptible() {
        bail!("threads need `Config::epoch_interruption`: otherwise they could not be ended");
    }
    for import in module.imports() {
        if let ExternType::Memory(ty) = import.ty()
            && ty.is_shared()
        {
            let memory = SharedMemory::new(module.engine(), ty)?;
            linker.define(&store, import.module(), import.name(), memory)?;
        }
    }
    linker.func_wrap(MODULE, SPAWN, move |mut caller: Caller<'_, T>, arg: i32| -> i32 {
        let handle = caller.interrupt_handle();
        let host = caller.data().clone();
        let threads = get(caller.data_mut());
        threads.group.enter_main(handle);
        threads.spawn(host, arg).unwrap_or(-1)
    })?;
    Ok(())
}

/// What threads of a guest know about each other.
#[derive(Default)]
struct Group {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    /// The thread that spawned the first one.
    main: Option<InterruptHandle>,
    running: BTreeMap<i32, InterruptHandle>,
    last_id: i32,
    ending: bool,
    /// How the first thread that did not just return ended.
    error: Option<Error>,
}

impl State {
    fn end(&mut self) {
        self.ending = true;
        self.running.values().chain(&self.main).for_each(InterruptHandle::interrupt);
    }
}

impl Group {
    fn enter_main(&self, handle: InterruptHandle) {
        self.lock().main.get_or_insert(handle);
    }

    /// An id for a new thread.
    fn enter(&self, handle: InterruptHandle) -> Result<i32> {
        let mut state = self.lock();
        if state.ending {
            bail!("the guest is about to end");
        }
        if state.running.len() >= MAX_THREADS {
            bail!("the guest has {MAX_THREADS} threads already");
        }
        let mut id = state.last_id;
        loop {
            id = id % (MAX_ID - 1) + 1;
            if !state.running.contains_key(&id) {
                break;
            }
        }
        state.last_id = id;
        state.running.insert(id, handle);
        Ok(id)
    }

    fn end<R>(&self, outcome: Result<R>) -> Result<R> {
        let mut state = self.lock();
        state.main = None;
        state.end();
        let waited =
            self.left.wait_timeout_while(state, PATIENCE, |state| !state.running.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.error.take() {
            Some(error) => Err(error),
            None => outcome,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running thread, for the others. However it ends, it leaves them.
struct Member {
    group: Arc<Group>,
    id: i32,
}

impl Member {
    fn leave(self, outcome: Result<()>) {
        if let Err(error) = outcome {
            let mut state = self.group.lock();
            if !state.ending {
                state.error = Some(error);
                state.end();
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.group.lock();
        state.running.remove(&self.id);
        if thread::panicking() && !state.ending {
            state.error = Some(Error::msg("a thread of the guest panicked"));
            state.end();
        }
        self.group.left.notify_all();
    }
}
