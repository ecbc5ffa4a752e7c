//! The engines, behind one trait.

use crate::measure::{self, Task};
use std::{sync::OnceLock, time::Instant};

mod kinglet;
#[cfg(feature = "sfnano")]
mod sfnano;
#[cfg(feature = "stitch")]
mod stitch;
#[cfg(feature = "tinywasm")]
mod tinywasm;
#[cfg(feature = "wasmer")]
mod wasmer;
#[cfg(feature = "wasmi")]
mod wasmi;
#[cfg(feature = "wasmtime")]
mod wasmtime;

/// What is measured of an engine. Everything goes through its public interface, the fastest way that there is.
pub(crate) trait Runtime: Sized {
    type Module;
    type Instance;

    fn new(mode: Mode) -> Self;
    /// From bytes to what can be instantiated, or called where code is made for an instance.
    fn load(&self, wasm: &[u8]) -> Self::Module;
    /// Validation and nothing else, where that can be had.
    fn validate(&self, _wasm: &[u8]) -> Option<()> {
        None
    }
    /// A store and an instance in it. The modules import `nop`, `add` and `clock_ms` from `env`, if anything.
    fn instantiate(&self, module: &Self::Module) -> Self::Instance;
    fn call(&self, instance: &mut Self::Instance, func: &str, arg: i32) -> i32;
    /// Calls a function without parameters and results so many times.
    fn call_nullary(&self, instance: &mut Self::Instance, func: &str, times: u32);
}

/// How an engine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "not every engine is built in")]
pub(crate) enum Mode {
    /// As for speed.
    Eager,
    /// Functions are translated when they are called.
    Lazy,
    /// Execution is limited by fuel.
    Fuel,
    /// To machine code; the rest as for speed.
    Compiled,
    /// The same, with accesses to memory checked by code, not by guard pages and signals.
    Checked,
}

impl Mode {
    pub(crate) fn is_compiled(self) -> bool {
        matches!(self, Mode::Compiled | Mode::Checked)
    }
}

/// An engine in a mode.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    pub(crate) mode: Mode,
    pub(crate) measure: fn(Mode, &Task) -> Option<Vec<f64>>,
}

/// All that were built in. The first in mode [`Mode::Eager`] is ours.
pub(crate) const ENGINES: &[Engine] = &[
    engine::<kinglet::Engine>("kinglet", Mode::Eager),
    engine::<kinglet::Engine>("kinglet lazy", Mode::Lazy),
    engine::<kinglet::Engine>("kinglet fuel", Mode::Fuel),
    engine::<kinglet::Engine>("kinglet jit", Mode::Compiled),
    #[cfg(feature = "wasmi")]
    engine::<wasmi::Engine>("wasmi", Mode::Eager),
    #[cfg(feature = "wasmi")]
    engine::<wasmi::Engine>("wasmi lazy", Mode::Lazy),
    #[cfg(feature = "wasmi")]
    engine::<wasmi::Engine>("wasmi fuel", Mode::Fuel),
    #[cfg(feature = "stitch")]
    engine::<stitch::Engine>("stitch", Mode::Eager),
    #[cfg(feature = "tinywasm")]
    engine::<tinywasm::Engine>("tinywasm", Mode::Eager),
    #[cfg(feature = "sfnano")]
    engine::<sfnano::Engine>("sfnano", Mode::Eager),
    #[cfg(feature = "wasmtime")]
    engine::<wasmtime::Pulley>("pulley", Mode::Eager),
    #[cfg(feature = "wasmtime")]
    engine::<wasmtime::Cranelift>("cranelift", Mode::Compiled),
    #[cfg(feature = "wasmtime")]
    engine::<wasmtime::Cranelift>("cranelift checked", Mode::Checked),
    #[cfg(feature = "wasmtime")]
    engine::<wasmtime::Winch>("winch", Mode::Compiled),
    #[cfg(feature = "wasmer")]
    engine::<wasmer::Engine>("singlepass", Mode::Compiled),
    #[cfg(feature = "sfnano")]
    engine::<sfnano::Engine>("sfnano jit", Mode::Compiled),
];

const fn engine<R: Runtime>(name: &'static str, mode: Mode) -> Engine {
    Engine { name, mode, measure: measure::run::<R> }
}

/// The time that host functions tell.
fn clock_ms() -> i32 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as i32
}
