//! The `no_std` floor of the Kinglet WebAssembly runtime: what the interpreter, the compiler and the embedding API
//! all stand on, and nothing that depends on any of them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`types`] | value, function, memory, table and global types |
//! | [`index`] | indices into a module (`*Idx`) and addresses in a store (`*Addr`) |
//! | [`trap`], [`error`] | why a computation stopped |
//! | [`num`] | one pure function per numeric operator |
//! | [`op`] | the op table: one row per base op |
//! | [`module`] | a decoded, validated module |
//! | [`artifact`] | modules that have been compiled ahead of time |
//! | [`translate`] | wasm operators to base ops |
//! | [`runtime`] | stores, instances, memories, tables, globals |
//!
//! Embedders use the crate `kinglet`; this one follows its needs and promises no stability of its own.
#![no_std]
#![deny(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(all(feature = "threads", not(target_has_atomic = "64")))]
compile_error!(
    "the feature `threads` needs a target with atomic integers of 64 bits: build without it"
);

pub mod artifact;
#[cfg(feature = "compile")]
mod binary;
pub mod bytes;
pub mod error;
pub mod index;
pub mod module;
pub mod num;
pub mod op;
pub mod runtime;
pub mod sync;
#[cfg(feature = "compile")]
pub mod translate;
pub mod trap;
pub mod types;

/// Shared ownership of immutable data: `Arc` where the target has compare-and-swap, `Rc` elsewhere.
#[cfg(target_has_atomic = "ptr")]
pub type Shared<T> = alloc::sync::Arc<T>;
/// Shared ownership of immutable data: `Arc` where the target has compare-and-swap, `Rc` elsewhere.
#[cfg(not(target_has_atomic = "ptr"))]
pub type Shared<T> = alloc::rc::Rc<T>;
