//! Kinglet: a fast, small, embeddable WebAssembly runtime.
//!
//! The names and shapes of this API are those that embedders of other runtimes know: an [`Engine`] holds the
//! configuration, a [`Module`] is loaded once and instantiated many times, a [`Store`] owns all that instances are made of
//! and the embedder's own data, a [`Linker`] says what modules may import.
//!
//! ```
//! use kinglet::{Caller, Engine, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(
//!     &engine,
//!     r#"(module
//!         (import "host" "log" (func $log (param i32)))
//!         (func (export "add") (param i32 i32) (result i32)
//!             (call $log (local.get 0))
//!             (i32.add (local.get 0) (local.get 1))))"#,
//! )?;
//!
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "log", |mut caller: Caller<'_, Vec<i32>>, n: i32| caller.data_mut().push(n))?;
//!
//! let mut store = Store::new(&engine, Vec::new());
//! let instance = linker.instantiate(&mut store, &module)?;
//! let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
//! assert_eq!(add.call(&mut store, (2, 3))?, 5);
//! assert_eq!(*store.data(), [2]);
//! # Ok::<(), kinglet::Error>(())
//! ```
//!
//! # Beyond calls
//!
//! - A call that can stop and go on: [`Func::start`] gives an [`Execution`], which runs for a [`Budget`].
//! - Host functions that wait: [`Linker::func_wrap_async`], called through [`TypedFunc::call_async`]. No threads, no second stack.
//! - Limits: fuel ([`Config::consume_fuel`]), deadlines and interruption from another thread ([`Config::epoch_interruption`]),
//!   the size of the guest's stack ([`Config::max_wasm_stack`]), memories and tables ([`Store::limiter`]), the shape of modules ([`Config::limits`]).
//!
//! # Errors
//!
//! What can fail returns an [`Error`], which says what [`kind`](Error::kind) of failure it is. A [`Trap`] of the guest and
//! whatever a host function failed with can be had back from it; it knows the guest's stack when it happened.
//!
//! ```
//! use kinglet::{Engine, Instance, Module, Store, Trap};
//!
//! let engine = Engine::default();
//! let module = Module::new(
//!     &engine,
//!     r#"(module
//!         (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
//!         (func (export "run") (result i32) (call $divide (i32.const 0))))"#,
//! )?;
//! let mut store = Store::new(&engine, ());
//! let run = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), i32>(&mut store, "run")?;
//!
//! let error = run.call(&mut store, ()).unwrap_err();
//! assert_eq!(error.downcast_ref(), Some(&Trap::IntegerDivisionByZero));
//! assert_eq!(error.wasm_backtrace().unwrap().frames()[0].func_name(), Some("divide"));
//! // Not a module, not a function, not an import: the error says so in one line.
//! let error = Module::new(&engine, b"\0asm\x01\0\0\0\x0d").unwrap_err();
//! assert_eq!(error.offset(), Some(9));
//! # Ok::<(), kinglet::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` (default) | the operating system: modules from files, `std::io::Error` as a host error |
//! | `compile` (default) | modules from binaries; see below |
//! | `float` (default) | arithmetic on floats |
//! | `simd` (default) | vectors |
//! | `gc` (default) | what needs a heap that is collected: structures, arrays, casts, exceptions |
//! | `threads` (default) | memories that several threads share |
//! | `wat` | modules in the text format, wherever a binary is accepted |
//! | `jit` | a compiler to machine code of x86-64 and arm64: see [`Strategy::Jit`] |
//!
//! Without `std` the crate needs `alloc` only. Without `compile` there is neither decoder nor validator nor translator in the program: it runs
//! modules that have been compiled elsewhere. Backtraces then name functions, but do not say where in them the guest stood.
//!
//! Targets without compare-and-swap, such as Cortex-M0, have a single thread here: nothing of this crate is `Send` there, and the future of a
//! host function cannot hold its [`Caller`].
#![no_std]
#![deny(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod backend;
mod config;
mod engine;
mod exceptions;
mod externals;
mod func;
mod gc;
pub mod inspect;
mod instance;
mod linker;
mod macros;
mod matching;
mod module;
mod requirements;
#[cfg(feature = "threads")]
mod shared_memory;
mod store;
mod types;
mod values;

pub use config::{CompilationMode, Config, Strategy};
pub use engine::Engine;
pub use exceptions::{ExnRef, ExnRefPre, ExnType, Tag};
pub use externals::{Extern, Global, Memory, MemoryAccessError, Table};
pub use func::{
    Budget, Caller, Execution, Func, HostCall, IntoFunc, ResumableCall, ResumableCallOutOfFuel,
    Step, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy, WasmTyList,
};
pub use gc::{
    AnyRef, ArrayRef, ArrayRefPre, EqRef, ExternRef, GcRef, I31, OwnedRooted, RootScope, Rooted,
    RootedGcRef, StructRef, StructRefPre,
};
pub use instance::{Export, Instance, InstancePre};
pub use linker::Linker;
pub use module::Module;
pub use requirements::Requirements;
#[cfg(feature = "threads")]
pub use shared_memory::{SharedMemory, WaitResult};
pub use store::{AsContext, AsContextMut, InterruptHandle, Store, StoreContext, StoreContextMut};
pub use types::{
    ArrayType, ExportType, ExternType, FieldType, Finality, FuncType, GlobalType, HeapType,
    ImportType, MemoryType, MemoryTypeBuilder, RefType, StorageType, StructType, TableType,
    TagType, ValType,
};
pub use values::{Ref, V128, Val};

pub use kinglet_core::{
    error::{Error, ErrorKind, FrameInfo, I32Exit, ThrownException, WasmBacktrace},
    module::features::Limits,
    op::OpSet,
    runtime::gc::GcHeapOutOfMemory,
    runtime::limits::{ResourceLimiter, StoreLimits, StoreLimitsBuilder},
    trap::Trap,
    types::Mutability,
};

/// [`Trap`] under the name that users of wasmi know it by.
pub type TrapCode = Trap;

/// [`Limits`] under the name that users of wasmi know it by.
pub type EnforcedLimits = Limits;

/// The result of what can fail here.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the macros of this crate expand to.
#[doc(hidden)]
pub mod __private {
    pub use alloc::format;
}
