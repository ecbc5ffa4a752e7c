//! Machine code for x86-64.
//!
//! | module | what it emits |
//! |---|---|
//! | `function` | one function: prologue, instructions, what stands behind it |
//! | `int`, `float`, `convert`, `compare` | the numeric ops |
//! | `memory` | loads and stores, globals |
//! | `control` | branches, fuel, traps |
//! | `call`, `moves` | calls, returns, and how values get where they are passed |
//! | `runtime` | what the runtime does, and ops of that kind that are done here |
//! | `stubs` | code that is not a function's |
//! | `asm`, `regs` | encodings, registers |

/// Instructions with operands that are known, or of which some are registers.
macro_rules! x64 {
    ($ops:expr; $($instructions:tt)*) => {
        {
            #[allow(unused_imports, reason = "not all instructions have what it is for")]
            use ::dynasmrt::DynasmApi as _;
            ::dynasmrt::dynasm!($ops ; .arch x64 ; $($instructions)*)
        }
    };
}

mod asm;
mod call;
mod compare;
mod control;
mod convert;
mod float;
mod function;
mod int;
mod memory;
mod moves;
mod regs;
mod runtime;
mod stubs;
#[cfg(test)]
mod tests;

use super::{FrameLayout, Isa, Stub, Unsupported, buffer::Code};
use crate::{
    abi::Shape,
    ir::Function,
    regs::{Allocation, Registers},
};
use kinglet_core::{index::TypeIdx, module::Module};

/// x86-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct X64 {
    /// What the processor has.
    pub features: Features,
    /// Whether the host calls as Windows does, not as the System V ABI says.
    pub windows: bool,
}

/// Instructions that not every processor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features {
    /// Rounding, of SSE 4.1.
    pub sse41: bool,
    /// `popcnt`
    pub popcnt: bool,
    /// `lzcnt`
    pub lzcnt: bool,
    /// `tzcnt`
    pub bmi1: bool,
    /// `shlx`, `shrx`, `sarx`, `rorx`
    pub bmi2: bool,
}

impl Features {
    /// All of them.
    pub const ALL: Features =
        Features { sse41: true, popcnt: true, lzcnt: true, bmi1: true, bmi2: true };

    /// Those that the host has; none if it is no x86-64.
    pub fn host() -> Features {
        #[cfg(target_arch = "x86_64")]
        return Features {
            sse41: std::arch::is_x86_feature_detected!("sse4.1"),
            popcnt: std::arch::is_x86_feature_detected!("popcnt"),
            lzcnt: std::arch::is_x86_feature_detected!("lzcnt"),
            bmi1: std::arch::is_x86_feature_detected!("bmi1"),
            bmi2: std::arch::is_x86_feature_detected!("bmi2"),
        };
        #[cfg(not(target_arch = "x86_64"))]
        Features::default()
    }
}

impl X64 {
    /// For the host, as far as it is an x86-64.
    pub fn host() -> X64 {
        X64 { features: Features::host(), windows: cfg!(windows) }
    }
}

impl Isa for X64 {
    const REGISTERS: &'static Registers = &regs::REGISTERS;

    fn function(
        &self,
        module: &Module,
        function: &Function,
        allocation: &Allocation,
        shapes: &dyn Fn(TypeIdx) -> Option<u32>,
        code: &mut Code,
    ) -> Result<FrameLayout, Unsupported> {
        function::emit(self, module, function, allocation, shapes, code)
    }

    fn stub(&self, stub: Stub, shapes: &[Shape], code: &mut Code) {
        stubs::emit(self.windows, stub, shapes, code);
    }

    fn patch(&self, code: &mut [u8], at: u32, target: u32) {
        asm::lead(code, at, target);
    }
}
