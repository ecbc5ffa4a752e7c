//! The compiler of the Kinglet WebAssembly runtime: base ops to machine code for x86-64 and arm64, and what runs that code.
//!
//! | module | what it does |
//! |---|---|
//! | [`ir`] | the form of a function between the translator and machine code |
//! | [`live`] | where virtual registers are live |
//! | [`alloc`] | which machine registers or slots they get |
//! | [`check`] | whether that is right |
//! | [`regs`] | machine registers, and where virtual registers are put |
//! | [`abi`] | how values are passed |
//! | [`isa`] | machine code: one folder for each instruction set |
//!
//! `docs/jit.md` describes the design, `docs/unsafe.md` what unsafe code here rests on.
#![deny(unsafe_code)]

pub mod abi;
pub mod alloc;
pub mod check;
pub mod ir;
pub mod isa;
pub mod live;
pub mod regs;

#[cfg(test)]
mod sample;
