//! What host functions know about who called them.

use crate::{AsContext, AsContextMut, Engine, Extern, Result, StoreContext, StoreContextMut};
use kinglet_core::index::InstanceAddr;

/// The store, as a host function gets it, and the instance that called.
///
/// ```
/// use kinglet::{Caller, Engine, Extern, Linker, Module, Store, Trap};
///
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "print", |mut caller: Caller<'_, String>, at: u32, len: u32| {
///     let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
///     let (bytes, text) = memory.data_and_store_mut(&mut caller);
///     let bytes = bytes.get(at as usize..).and_then(|rest| rest.get(..len as usize));
///     text.push_str(str::from_utf8(bytes.ok_or(Trap::MemoryOutOfBounds)?)?);
///     Ok::<_, kinglet::Error>(())
/// })?;
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "print" (func $print (param i32 i32)))
///         (memory (export "memory") 1)
///         (data (i32.const 8) "hello")
///         (func (export "run") (call $print (i32.const 8) (i32.const 5))))"#,
/// )?;
/// let mut store = Store::new(&engine, String::new());
/// let run = linker.instantiate(&mut store, &module)?.get_typed_func::<(), ()>(&mut store, "run")?;
/// run.call(&mut store, ())?;
/// assert_eq!(store.data(), "hello");
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct Caller<'a, T: 'static> {
    pub(crate) store: StoreContextMut<'a, T>,
    /// `None` if the host called.
    instance: Option<InstanceAddr>,
}

impl<'a, T: 'static> Caller<'a, T> {
    pub(crate) fn new(
        store: StoreContextMut<'a, T>,
        instance: Option<InstanceAddr>,
    ) -> Caller<'a, T> {
        Caller { store, instance }
    }

    pub(super) fn instance(&self) -> Option<InstanceAddr> {
        self.instance
    }

    /// What the calling instance exports under `name`. `None` if it has no such export, or if no instance called.
    pub fn get_export(&self, name: &str) -> Option<Extern> {
        let item = self.store.inner.export(self.instance?, name)?;
        Some(Extern::from_core(item, self.store.inner))
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// Whether the guest shall stop: its deadline passed, or an [`InterruptHandle`](crate::InterruptHandle) asks for it, which
    /// counts once. A host function that takes its time looks now and then, and returns
    /// [`Trap::Interrupt`](crate::Trap::Interrupt).
    pub fn interrupted(&self) -> bool {
        self.store.inner.interrupted()
    }

    /// As [`Store::interrupt_handle`](crate::Store::interrupt_handle).
    ///
    /// # Panics
    /// As there.
    pub fn interrupt_handle(&self) -> crate::InterruptHandle {
        self.store.interrupt_handle()
    }

    /// As [`Store::get_fuel`](crate::Store::get_fuel).
    ///
    /// # Errors
    /// As there.
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }

    /// As [`Store::set_fuel`](crate::Store::set_fuel).
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
