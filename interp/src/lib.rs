//! The interpreter of the Kinglet WebAssembly runtime: pure Rust, no FFI, `no_std`, over a compact register bytecode.
//!
//! | module | what it does |
//! |---|---|
//! | `sink` | base ops from the translator to bytecode: registers, destinations, fusion |
//! | `forms` | opcodes, made by the build script: every op in every form |
//! | `exec` | what each op does: zero-sized types, generic over where operands are |
//! | `dispatch` | how one op follows another, and nothing else |
//! | `code` | the bytecode of a module |
//! | `sites` | where frames of compiled code go on that had to stop |
//! | `execution` | running it: everything that hot handlers leave to ordinary Rust |
//!
//! `docs/bytecode.md` describes the format, `docs/unsafe.md` the invariants that unsafe code here rests on.
#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod code;
#[cfg(feature = "compile")]
mod disasm;
mod dispatch;
#[cfg_attr(feature = "ops-small", allow(dead_code, reason = "most is for other ops"))]
mod exec;
mod execution;
#[cfg_attr(
    any(feature = "ops-small", not(feature = "compile")),
    allow(dead_code, reason = "most is for making code of other ops")
)]
mod forms;
mod handlers;
mod image;
#[cfg_attr(not(feature = "compile"), allow(dead_code, reason = "most is for making code"))]
mod kinds;
#[cfg(feature = "profile")]
pub mod profile;
#[cfg(feature = "compile")]
mod sink;
#[cfg(feature = "native")]
mod sites;

pub use code::Code;
#[cfg(feature = "compile")]
pub use code::Options;
#[cfg(feature = "compile")]
pub use disasm::disassemble;
#[cfg(feature = "native")]
pub use execution::INTERPRETER;
pub use execution::{Execution, Exit, call};
#[cfg(feature = "compile")]
pub use image::{Image, make};
