//! The compiler of the Kinglet WebAssembly runtime: base ops to machine code for x86-64 and arm64, and what runs that code.
//!
//! | module | what it does |
//! |---|---|
//! | [`ir`] | the form of a function between the translator and machine code |
//! | [`build`] | from the translator to that form |
//! | [`regs`] | machine registers, and where virtual registers are put |
//! | [`abi`] | how values are passed |
//! | [`isa`] | machine code: one folder for each instruction set |
//!
//! `docs/jit.md` describes the design, `docs/unsafe.md` what unsafe code here rests on.
#![deny(unsafe_code)]

pub mod abi;
pub mod build;
pub mod ir;
pub mod isa;
mod print;
pub mod regs;
mod validate;
