//! Configuration of an engine.

use alloc::string::String;
use core::num::NonZeroU32;
use kinglet_core::{
    for_each_feature,
    module::features::{Features, Limits},
    op::OpSet,
};

/// How an [`Engine`](crate::Engine) loads and runs modules. All of WebAssembly 3.0 is switched on, and threads.
///
/// ```
/// use kinglet::{Config, Engine};
///
/// let mut config = Config::new();
/// config.consume_fuel(true).max_wasm_stack(256 << 10).wasm_multi_memory(false);
/// let engine = Engine::new(&config)?;
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) features: Features,
    pub(crate) mode: CompilationMode,
    pub(crate) strategy: Strategy,
    pub(crate) consume_fuel: bool,
    pub(crate) epoch_interruption: bool,
    pub(crate) max_wasm_stack: usize,
    pub(crate) gc_zeal: Option<NonZeroU32>,
    pub(crate) artifact_ops: OpSet,
}

/// How code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// As machine code if that is possible, otherwise in the interpreter.
    Auto,
    /// In the interpreter: on every host, and ready at once.
    #[default]
    Interpreter,
    /// As machine code, for which all of a module is compiled when it is loaded. Functions that the compiler cannot compile, those with
    /// vectors first of all, run in the interpreter.
    ///
    /// It takes the feature `jit`, and a host with an x86-64 or arm64 processor.
    Jit,
}

/// When functions are translated to the form in which they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompilationMode {
    /// When the module is loaded.
    #[default]
    Eager,
    /// When they are called for the first time. They are validated when the module is loaded all the same.
    Lazy,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Features::default(),
            mode: CompilationMode::default(),
            strategy: Strategy::default(),
            consume_fuel: false,
            epoch_interruption: false,
            max_wasm_stack: 1 << 20,
            gc_zeal: None,
            artifact_ops: OpSet::Standard,
        }
    }
}

impl Config {
    /// The default configuration.
    pub fn new() -> Config {
        Config::default()
    }

    /// Whether code consumes fuel: about one unit per operator, counted at calls and loops. A store has no fuel
    /// until [`Store::set_fuel`](crate::Store::set_fuel) gives it some. How much it is depends on the module and what it does
    /// alone, not on the [strategy](Config::strategy). Off by default.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Config {
        self.consume_fuel = enable;
        self
    }

    /// Whether code can be stopped from outside, by [`Engine::increment_epoch`](crate::Engine::increment_epoch) or an
    /// [`InterruptHandle`](crate::InterruptHandle). Off by default.
    pub fn epoch_interruption(&mut self, enable: bool) -> &mut Config {
        self.epoch_interruption = enable;
        self
    }

    /// The size of the guest's stack, in bytes, beyond which a call traps with
    /// [`Trap::StackOverflow`](crate::Trap::StackOverflow). Calls of a guest from a host function share it with the
    /// guest that called the host function. 1 MiB by default.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Config {
        self.max_wasm_stack = bytes;
        self
    }

    /// Collects garbage after so many allocations in the managed heap, whether there is need or not: for tests of what holds
    /// references. Off by default.
    pub fn gc_zeal_alloc_counter(&mut self, counter: Option<NonZeroU32>) -> &mut Config {
        self.gc_zeal = counter;
        self
    }

    /// The same as [`Config::max_wasm_stack`].
    pub fn set_max_stack_height(&mut self, bytes: usize) -> &mut Config {
        self.max_wasm_stack(bytes)
    }

    /// How code runs. [`Strategy::Interpreter`] by default.
    ///
    /// ```
    /// use kinglet::{Config, Engine, Strategy};
    ///
    /// let engine = Engine::new(Config::new().strategy(Strategy::Auto))?;
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn strategy(&mut self, strategy: Strategy) -> &mut Config {
        self.strategy = strategy;
        self
    }

    /// When functions are translated for the interpreter. [`CompilationMode::Eager`] by default; functions of modules that are
    /// [compiled](Strategy::Jit) are always translated lazily.
    pub fn compilation_mode(&mut self, mode: CompilationMode) -> &mut Config {
        self.mode = mode;
        self
    }

    /// Which ops the code of artifacts is made of ([`Module::serialize`](crate::Module::serialize)): which interpreters can run it. Those that
    /// all but the smallest have by default.
    pub fn artifact_ops(&mut self, ops: OpSet) -> &mut Config {
        self.artifact_ops = ops;
        self
    }

    /// How large the parts of a module may be.
    pub fn limits(&mut self, limits: Limits) -> &mut Config {
        self.features.limits = limits;
        self
    }

    /// The same as [`Config::limits`].
    pub fn enforced_limits(&mut self, limits: Limits) -> &mut Config {
        self.limits(limits)
    }

    /// Whether operators of the proposal relaxed SIMD give the same results on every host. They always do, whatever is said here.
    pub fn relaxed_simd_deterministic(&mut self, _enable: bool) -> &mut Config {
        self
    }

    /// The names of the proposals that can be switched, as [`Config::wasm_feature`] takes them.
    pub fn wasm_feature_names() -> &'static [&'static str] {
        Features::NAMES
    }

    /// Whether modules may use the proposal of this name, such as `multi-memory`.
    ///
    /// # Errors
    /// There is no such proposal, or it cannot be switched.
    pub fn wasm_feature(&mut self, name: &str, enable: bool) -> crate::Result<&mut Config> {
        match Features::NAMES.iter().position(|&n| n == name) {
            Some(at) => *self.features.switches()[at] = enable,
            None => {
                let known: String = Features::NAMES.join(", ");
                crate::bail!("unknown WebAssembly proposal `{name}`; there are: {known}")
            }
        }
        Ok(self)
    }

    /// Whether executing code counts: only then can it run out of fuel or be interrupted.
    pub(crate) fn metered(&self) -> bool {
        self.consume_fuel || self.epoch_interruption
    }
}

macro_rules! feature_switches {
    ($( $(#[$doc:meta])* $field:ident, $method:ident, $flag:ident, $name:literal, $default:literal; )*) => {
        /// Which proposals modules may use. A module that needs another is refused with an error that names it.
        impl Config {
            $(
                $(#[$doc])*
                ///
                #[doc = concat!("`", $default, "` by default.")]
                pub fn $method(&mut self, enable: bool) -> &mut Config {
                    self.features.$field = enable;
                    self
                }
            )*
        }
    };
}

for_each_feature!(feature_switches);
