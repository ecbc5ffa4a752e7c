//! Machine code.
//!
//! Both instruction sets are there on every host. Making code needs no unsafe code; running it is for other modules.

pub mod arm64;
pub mod buffer;
pub mod known;
pub mod moves;
pub mod needs;
pub mod x64;

use crate::{
    abi::Shape,
    ir::Function,
    regs::{Allocation, Reg, Registers},
};
use buffer::Code;
use kinglet_core::{index::FuncIdx, module::Module, trap::Trap};

/// An instruction set.
pub trait Isa {
    /// Its registers. Those that functions save are in the order of their numbers wherever they stand in memory.
    const REGISTERS: &'static Registers;

    /// Appends the code of a function. Returns how its frame is laid out.
    ///
    /// # Errors
    /// [`Unsupported`] if the function has to be left to the interpreter; what has been appended is of no use then.
    fn function(
        &self,
        module: &Module,
        function: &Function,
        allocation: &Allocation,
        shapes: &dyn Fn(kinglet_core::index::TypeIdx) -> Option<u32>,
        code: &mut Code,
    ) -> Result<FrameLayout, Unsupported>;

    /// Appends the code of a stub. `shapes` has those that [`Stub`] numbers.
    fn stub(&self, stub: Stub, shapes: &[Shape], code: &mut Code);

    /// Lets the branch or address at `at` lead to `target`; both are offsets in `code`.
    fn patch(&self, code: &mut [u8], at: u32, target: u32);
}

/// Why a function is left to the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub &'static str);

/// Code that is not a function's. There is one of each at most in the code of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stub {
    /// Calls [`VmRuntime::op`](kinglet_core::runtime::vmctx::native::VmRuntime::op).
    Op,
    /// Calls `VmRuntime::fuel`, with all registers saved.
    Fuel,
    /// Calls `VmRuntime::check_type`, with all registers saved.
    CheckType,
    /// Calls `VmRuntime::trap`.
    Trap(Trap),
    /// Ends the activation with the status in the first scratch register.
    Exit,
    /// Enters compiled code from the host: a function of the host's C calling convention, by the number of its shape.
    /// `(instance, slots, code) -> status`, 0 if the code has returned.
    Enter(u32),
    /// Calls a function that is not compiled, by the number of its shape.
    Outside(u32),
    /// Stands for a function of the module that is not compiled: its number, and that of its shape.
    Uncompiled(FuncIdx, u32),
}

impl Stub {
    /// How many there may be, with so many shapes and functions.
    pub fn count(shapes: usize, funcs: usize) -> usize {
        Stub::Uncompiled(FuncIdx(funcs as u32), 0).number(shapes)
    }

    /// Its number among all of them, with so many shapes.
    #[inline]
    pub fn number(self, shapes: usize) -> usize {
        const FIRST_SHAPE: usize = 4 + 256;
        match self {
            Stub::Op => 0,
            Stub::Fuel => 1,
            Stub::CheckType => 2,
            Stub::Exit => 3,
            Stub::Trap(trap) => 4 + trap as usize,
            Stub::Enter(shape) => FIRST_SHAPE + shape as usize,
            Stub::Outside(shape) => FIRST_SHAPE + shapes + shape as usize,
            Stub::Uncompiled(func, _) => FIRST_SHAPE + 2 * shapes + func.at(),
        }
    }
}

/// What a branch or address in the code leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A function that the module defines.
    Func(FuncIdx),
    /// A stub.
    Stub(Stub),
}

/// How the frame of a function is laid out, by offsets from its stack pointer wherever it calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameLayout {
    /// Where the return address stands.
    pub return_at: u32,
    /// The stack pointer of the caller.
    pub caller_sp: u32,
    /// Where the first spill slot stands.
    pub slots_at: u32,
    /// Where registers are saved.
    pub saved: Vec<(Reg, u32)>,
    /// Where the instance is kept, if the function makes calls that change it.
    pub instance_at: Option<u32>,
}
