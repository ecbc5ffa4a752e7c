//! Stores, and what stands for them in calls.

use crate::{Engine, GcHeapOutOfMemory, ResourceLimiter, Result, backend};
use alloc::boxed::Box;
use core::{
    any::Any,
    fmt,
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
};
use kinglet_core::{
    Shared,
    runtime::{StoreInner, vmctx::MEMORY_HEADER},
};

/// Owns everything that instances are made of, and the embedder's data, which host functions get at through
/// [`Caller`](crate::Caller).
///
/// What belongs to a store ([`Instance`](crate::Instance), [`Func`](crate::Func), [`Memory`](crate::Memory) …) is a small
/// handle that can be copied. It lives as long as the store; using it with another store panics.
///
/// ```
/// use kinglet::{Engine, Store};
///
/// let mut store = Store::new(&Engine::default(), 42);
/// *store.data_mut() += 1;
/// assert_eq!(store.into_data(), 43);
/// ```
pub struct Store<T: 'static> {
    inner: Box<StoreInner>,
    data: T,
    /// Host functions were made for exactly this type of data: a subtype will not do, nor a supertype.
    _exactly: PhantomData<fn(T) -> T>,
}

/// A shared borrow of a store.
pub struct StoreContext<'a, T: 'static> {
    pub(crate) inner: &'a StoreInner,
    pub(crate) data: &'a T,
}

/// An exclusive borrow of a store.
pub struct StoreContextMut<'a, T: 'static> {
    pub(crate) inner: &'a mut StoreInner,
    pub(crate) data: &'a mut T,
}

/// What can be read as a store: `&Store`, [`StoreContext`], [`Caller`](crate::Caller) and references to them.
pub trait AsContext {
    /// The embedder's data.
    type Data: 'static;

    /// The store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// What can be used as a store: `&mut Store`, [`StoreContextMut`], [`Caller`](crate::Caller) and references to them.
pub trait AsContextMut: AsContext {
    /// The store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T: 'static> Store<T> {
    /// An empty store with the embedder's data.
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        let mut inner = StoreInner::new(engine.store_options(), Box::new(engine.clone()));
        backend::prepare(&mut inner);
        Store { inner: Box::new(inner), data, _exactly: PhantomData }
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Ends the store and gives the embedder's data back.
    pub fn into_data(self) -> T {
        self.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        engine(&self.inner)
    }

    /// Sets how much fuel there is, in units of about one operator.
    ///
    /// # Errors
    /// The engine does not [consume fuel](crate::Config::consume_fuel).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.as_context_mut().set_fuel(fuel)
    }

    /// How much fuel is left.
    ///
    /// # Errors
    /// The engine does not [consume fuel](crate::Config::consume_fuel).
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }

    /// Lets guests run for `ticks` more [epochs](Engine::increment_epoch); then they trap with
    /// [`Trap::Interrupt`](crate::Trap::Interrupt). A new store has no deadline. Takes effect in engines with
    /// [`Config::epoch_interruption`](crate::Config::epoch_interruption).
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.inner.set_epoch_deadline(ticks);
    }

    /// Lets guests trap when the deadline is reached, which is what they do anyhow.
    pub fn epoch_deadline_trap(&mut self) {}

    /// A handle with which other threads can stop what runs in this store.
    ///
    /// ```
    /// use kinglet::{Config, Engine, Instance, Module, Store, Trap};
    /// use std::{thread, time::Duration};
    ///
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "run") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let run = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), ()>(&mut store, "run")?;
    ///
    /// let handle = store.interrupt_handle();
    /// thread::spawn(move || {
    ///     thread::sleep(Duration::from_millis(10));
    ///     handle.interrupt();
    /// });
    /// assert_eq!(run.call(&mut store, ()).unwrap_err().trap(), Some(Trap::Interrupt));
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the engine's configuration has neither [`epoch_interruption`](crate::Config::epoch_interruption) nor
    /// [`consume_fuel`](crate::Config::consume_fuel): then running code could not be stopped.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        interrupt_handle(&self.inner)
    }

    /// Collects garbage now: frees what no guest and no root refers to. It happens by itself when there is need; `why` is the
    /// error of an allocation that has failed, for whom that is the reason.
    ///
    /// # Errors
    /// There is no memory to find out what is in use.
    pub fn gc(&mut self, why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
        self.as_context_mut().gc(why)
    }

    /// How many bytes the managed heap has, in use or not.
    pub fn gc_heap_size(&self) -> usize {
        self.inner.heap.size()
    }

    /// Lets guests have these slots of 8 bytes as their value stack instead of one from the heap. There are as many as there are: a call
    /// that needs more traps with [`Trap::StackOverflow`](crate::Trap::StackOverflow), as it does beyond
    /// [`Config::max_wasm_stack`](crate::Config::max_wasm_stack).
    ///
    /// One call has it at a time. A guest that a host function calls while another one waits for it, and [executions](crate::Execution)
    /// beside one that has not ended, take their stacks from the heap.
    ///
    /// ```
    /// use kinglet::{Engine, Instance, Module, Store, Trap};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module (func $sum (export "sum") (param i32) (result i32)
    ///         (if (result i32) (local.get 0)
    ///             (then (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1)))))
    ///             (else (i32.const 0)))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// // Without an allocator for it: a static.
    /// store.provide_stack(Box::leak(Box::new([0; 200])));
    /// let sum = Instance::new(&mut store, &module, &[])?.get_typed_func::<i32, i32>(&mut store, "sum")?;
    /// assert_eq!(sum.call(&mut store, 10)?, 55);
    /// assert_eq!(sum.call(&mut store, 1000).unwrap_err().trap(), Some(Trap::StackOverflow));
    /// assert_eq!(sum.call(&mut store, 10)?, 55);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn provide_stack(&mut self, slots: &'static mut [u64]) {
        self.inner.provide_stack(slots);
    }

    /// Lets the next memory that a guest defines, or that is made with [`Memory::new`](crate::Memory::new), have these bytes instead of
    /// some from the heap, for as long as the store lives. Called several times, the memories after it get them in turn; when there are
    /// none left, memories are from the heap again. Shared memories always are.
    ///
    /// Of the bytes, [`Store::MEMORY_HEADER`] are needed in front of those of the guest, and up to 15 are lost if the first one is not
    /// aligned to 16. A memory whose minimal size does not fit is an error; it can grow as far as there are bytes.
    ///
    /// ```
    /// use kinglet::{Engine, Instance, Module, Store};
    ///
    /// let engine = Engine::default();
    /// // Pages of one byte.
    /// let module = Module::new(&engine, r#"(module (memory (export "m") 1000 (pagesize 1)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// # #[repr(align(16))] struct Aligned([u8; 2048]);
    /// // A static, aligned to 16.
    /// let bytes: &'static mut [u8] = /* … */
    /// #   &mut Box::leak(Box::new(Aligned([1; 2048]))).0;
    /// store.provide_memory(bytes);
    /// let memory = Instance::new(&mut store, &module, &[])?.get_memory(&store, "m").unwrap();
    /// assert_eq!(memory.data(&store), [0; 1000]);
    /// assert_eq!(memory.grow(&mut store, 2048 - 64 - 1000)?, 1000);
    /// assert!(memory.grow(&mut store, 1).is_err());
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn provide_memory(&mut self, bytes: &'static mut [u8]) {
        self.inner.provide_memory(bytes);
    }

    /// How many bytes more than a memory has [must be provided](Store::provide_memory) for it.
    pub const MEMORY_HEADER: usize = MEMORY_HEADER;

    /// Sets what decides how much memory and how many objects the guests of this store may use. The limiter is part
    /// of the embedder's data.
    ///
    /// ```
    /// use kinglet::{Engine, Memory, MemoryType, Store, StoreLimitsBuilder};
    ///
    /// let limits = StoreLimitsBuilder::new().memory_size(1 << 20).build();
    /// let mut store = Store::new(&Engine::default(), limits);
    /// store.limiter(|limits| limits);
    ///
    /// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
    /// assert!(memory.grow(&mut store, 16).is_err());
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn limiter(
        &mut self,
        mut limiter: impl FnMut(&mut T) -> &mut (dyn ResourceLimiter) + Send + Sync + 'static,
    ) {
        self.inner.set_limiter(Box::new(move |data: &mut dyn Any| limiter(downcast(data))));
    }
}

/// The embedder's data, in its own type.
///
/// # Panics
/// If it has another type, which nothing in this crate lets happen.
fn downcast<T: 'static>(data: &mut dyn Any) -> &mut T {
    data.downcast_mut().expect("a limiter gets the data of its store")
}

pub(crate) fn engine(inner: &StoreInner) -> &Engine {
    inner.engine().downcast_ref().expect("stores are made by `Store::new`")
}

fn interrupt_handle(inner: &StoreInner) -> InterruptHandle {
    assert!(inner.interruptible, "code cannot be interrupted: `Config::epoch_interruption` is off");
    InterruptHandle(inner.interrupt_flag().clone())
}

impl<'a, T: 'static> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        self.data
    }

    /// The engine.
    pub fn engine(&self) -> &'a Engine {
        engine(self.inner)
    }

    /// As [`Store::get_fuel`].
    ///
    /// # Errors
    /// As there.
    pub fn get_fuel(&self) -> Result<u64> {
        check_fuel(self.inner)?;
        Ok(self.inner.fuel)
    }
}

impl<'a, T: 'static> StoreContextMut<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        engine(self.inner)
    }

    /// As [`Store::get_fuel`].
    ///
    /// # Errors
    /// As there.
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }

    /// As [`Store::interrupt_handle`].
    ///
    /// # Panics
    /// As there.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        interrupt_handle(self.inner)
    }

    /// As [`Store::set_fuel`].
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        check_fuel(self.inner)?;
        self.inner.fuel = fuel;
        Ok(())
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// As [`Store::gc`].
    ///
    /// # Errors
    /// As there.
    pub fn gc(&mut self, _why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
        self.inner.collect()
    }
}

fn check_fuel(inner: &StoreInner) -> Result<()> {
    if inner.consume_fuel {
        Ok(())
    } else {
        Err(crate::Error::msg(
            "fuel is not configured in this store: `Config::consume_fuel` is off",
        ))
    }
}

impl<T: 'static> AsContext for Store<T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { inner: &self.inner, data: &self.data }
    }
}

impl<T: 'static> AsContextMut for Store<T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut { inner: &mut self.inner, data: &mut self.data }
    }
}

impl<T: 'static> AsContext for StoreContext<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { inner: self.inner, data: self.data }
    }
}

impl<T: 'static> AsContext for StoreContextMut<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext { inner: self.inner, data: self.data }
    }
}

impl<T: 'static> AsContextMut for StoreContextMut<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut { inner: self.inner, data: self.data }
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

/// Borrows for as long as the store itself is borrowed, as [`Memory::data`](crate::Memory::data) needs it.
macro_rules! borrows {
    ($( $from:ty; )*) => { $(
        impl<'a, T: 'static> From<&'a $from> for StoreContext<'a, T> {
            #[inline]
            fn from(store: &'a $from) -> StoreContext<'a, T> {
                AsContext::as_context(store)
            }
        }

        impl<'a, T: 'static> From<&'a mut $from> for StoreContext<'a, T> {
            #[inline]
            fn from(store: &'a mut $from) -> StoreContext<'a, T> {
                <$from>::as_context(store)
            }
        }

        impl<'a, T: 'static> From<&'a mut $from> for StoreContextMut<'a, T> {
            #[inline]
            fn from(store: &'a mut $from) -> StoreContextMut<'a, T> {
                <$from>::as_context_mut(store)
            }
        }
    )* };
}

impl<'a, T: 'static> From<&'a StoreContext<'_, T>> for StoreContext<'a, T> {
    #[inline]
    fn from(store: &'a StoreContext<'_, T>) -> StoreContext<'a, T> {
        store.as_context()
    }
}

borrows! {
    Store<T>;
    StoreContextMut<'_, T>;
    crate::Caller<'_, T>;
}

impl<T: Default + 'static> Default for Store<T> {
    fn default() -> Store<T> {
        Store::new(&Engine::default(), T::default())
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data", &self.data).finish_non_exhaustive()
    }
}

/// Stops what runs in a store, from any thread. Made by [`Store::interrupt_handle`].
#[derive(Clone, Debug)]
pub struct InterruptHandle(Shared<AtomicBool>);

impl InterruptHandle {
    /// Lets the guest trap with [`Trap::Interrupt`](crate::Trap::Interrupt) as soon as it comes to a call or a loop; if
    /// none is running, the next one that does.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Which store a handle belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(usize);

impl StoreId {
    #[inline]
    pub(crate) fn of(store: &StoreInner) -> StoreId {
        StoreId(store.id())
    }

    /// # Panics
    /// If `store` is another one.
    #[inline]
    #[track_caller]
    pub(crate) fn check(self, store: &StoreInner) {
        self.check_same(StoreId::of(store));
    }

    /// # Panics
    /// If `other` is another one.
    #[inline]
    #[track_caller]
    pub(crate) fn check_same(self, other: StoreId) {
        if self != other {
            wrong_store()
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn wrong_store() -> ! {
    panic!("object used with the wrong store")
}
