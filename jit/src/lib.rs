//! The compiler of the Kinglet WebAssembly runtime: base ops to machine code for x86-64 and arm64, and what runs that code.
//!
//! | module | what it does |
//! |---|---|
//! | [`ir`] | the form of a function between the translator and machine code |
//! | [`regs`] | machine registers, and where virtual registers are put |
//! | [`abi`] | how values are passed |
//! | [`runtime_op`] | how code names what the runtime does |
//! | [`isa`] | machine code: one folder for each instruction set |
//!
//! `docs/jit.md` describes the design, `docs/unsafe.md` what unsafe code here rests on.
#![deny(unsafe_code)]

pub mod abi;
pub mod ir;
pub mod isa;
pub mod regs;
pub mod runtime_op;
