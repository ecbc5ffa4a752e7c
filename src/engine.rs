//! Engines.

#[cfg(feature = "compile")]
use crate::module;
use crate::{Config, Result, backend};
#[cfg(feature = "compile")]
use alloc::vec::Vec;
use core::fmt;
use kinglet_core::{
    Shared, artifact,
    runtime::{Epoch, StoreOptions, registry::TypeRegistry},
};

/// A configuration, and what modules and stores of that configuration share. Clones are the same engine.
///
/// ```
/// use kinglet::{Config, Engine};
///
/// let engine = Engine::default();
/// let metered = Engine::new(Config::new().consume_fuel(true))?;
/// assert!(!Engine::same(&engine, &metered));
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Shared<EngineInner>);

struct EngineInner {
    config: Config,
    types: TypeRegistry,
    store_options: StoreOptions,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::with(Config::default())
    }
}

impl Engine {
    /// An engine with this configuration.
    ///
    /// # Errors
    /// The configuration makes no sense, such as a stack on which nothing can be called; or this program or host does not have the
    /// [strategy](crate::Strategy).
    pub fn new(config: &Config) -> Result<Engine> {
        if config.max_wasm_stack < MIN_STACK {
            crate::bail!(
                "`max_wasm_stack` is {}, it must be at least {MIN_STACK}",
                config.max_wasm_stack
            );
        }
        let strategy = backend::choose(config.strategy)?;
        Ok(Engine::with(Config { strategy, ..config.clone() }))
    }

    fn with(config: Config) -> Engine {
        let store_options = StoreOptions {
            consume_fuel: config.consume_fuel,
            interruptible: config.metered(),
            max_stack: config.max_wasm_stack / size_of::<u64>(),
            max_table_elements: config.features.limits.max_table_elements,
            max_memory_bytes: config.features.limits.max_memory_bytes,
            collect_every: config.gc_zeal,
            max_heap_bytes: usize::try_from(config.features.limits.max_heap_bytes)
                .unwrap_or(usize::MAX),
            epoch: Shared::new(Epoch::default()),
        };
        Engine(Shared::new(EngineInner { config, types: TypeRegistry::default(), store_options }))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Compiles a module, binary or with feature `wat` text, to an artifact: what [`Module::serialize`](crate::Module::serialize)
    /// gives, for a module that is not to run here.
    ///
    /// # Errors
    /// As [`Module::new`](crate::Module::new) and [`Module::serialize`](crate::Module::serialize).
    #[cfg(feature = "compile")]
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        module::precompile(self, bytes)
    }

    /// Whether these bytes begin as an artifact does, which [`Module::deserialize`](crate::Module::deserialize) loads.
    ///
    /// ```
    /// use kinglet::Engine;
    ///
    /// assert!(!Engine::detect_precompiled(b"\0asm\x01\0\0\0"));
    /// ```
    pub fn detect_precompiled(bytes: &[u8]) -> bool {
        artifact::detect(bytes)
    }

    /// Adds one to the epoch that stores measure their deadlines with; see
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline). May be called from any thread and from signal handlers;
    /// on targets without compare-and-swap, from one of them only.
    pub fn increment_epoch(&self) {
        self.0.store_options.epoch.increment();
    }

    /// Whether code of the engine can be stopped from outside: by [`Engine::increment_epoch`] or an
    /// [`InterruptHandle`](crate::InterruptHandle).
    pub fn is_interruptible(&self) -> bool {
        self.config().metered()
    }

    /// Whether both are the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Shared::ptr_eq(&a.0, &b.0)
    }

    pub(crate) fn types(&self) -> &TypeRegistry {
        &self.0.types
    }

    pub(crate) fn store_options(&self) -> &StoreOptions {
        &self.0.store_options
    }
}

const MIN_STACK: usize = 1 << 10;

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("config", self.config()).finish_non_exhaustive()
    }
}
