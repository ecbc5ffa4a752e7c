//! The compiler of the Kinglet WebAssembly runtime: base ops to machine code for x86-64 and arm64, and what runs that code.
//!
//! | module | what it does |
//! |---|---|
//! | [`ir`] | the form of a function between the translator and machine code |
//! | [`build`] | from the translator to that form |
//! | [`live`] | where virtual registers are live |
//! | [`alloc`] | which machine registers or slots they get |
//! | [`check`] | whether that is right |
//! | [`regs`] | machine registers, and where virtual registers are put |
//! | [`abi`] | how values are passed |
//! | [`runtime_op`] | how code names what the runtime does |
//! | [`isa`] | machine code: one folder for each instruction set |
//! | [`compile`] | a module's functions, one after the other, and its stubs |
//! | [`notes`] | where values are while a function stands at a call |
//! | [`load`] | memory that code runs from |
//! | [`run`] | running it |
//! | [`inspect`] | a look at all that, for tools |
//!
//! `docs/jit.md` describes the design, `docs/unsafe.md` what unsafe code here rests on.
#![deny(unsafe_code)]

pub mod abi;
pub mod alloc;
pub mod build;
pub mod check;
pub mod compile;
pub mod inspect;
pub mod ir;
pub mod isa;
pub mod live;
pub mod load;
pub mod notes;
mod print;
pub mod regs;
pub mod run;
pub mod runtime_op;
mod validate;

#[cfg(test)]
mod sample;
