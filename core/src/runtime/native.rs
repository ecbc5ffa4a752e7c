//! Compiled code: what the rest of the runtime knows of it, and it of the rest.
//!
//! The tiers do not know each other. An instance may have compiled code ([`Native`]) for some of its functions; the tier that
//! runs all others is the store's [`Interpreter`]. When compiled code has to stop, it describes its frames ([`Suspended`]), and the other
//! tier makes frames of its own from that.

use super::{StoreInner, trace::Trace};
use crate::{
    error::{Error, WasmBacktrace},
    index::{FuncAddr, FuncIdx, InstanceAddr},
};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

/// The compiled code of a module.
pub trait Native: Send + Sync {
    /// Where the code of a function begins; `None` if it is not compiled.
    fn entry(&self, func: FuncIdx) -> Option<*const u8>;

    /// The code that enters a compiled function, for those who call it without [`Native::call`]; `None` if they must not.
    fn enter(&self, _func: FuncIdx) -> Option<*const u8> {
        None
    }

    /// Calls a compiled function of this module: `slots` holds the arguments, and then the results. If it `may_stop`, lack of fuel,
    /// interrupts and asynchronous host functions stop it; otherwise they are errors.
    ///
    /// # Errors
    /// It traps, or a host function fails. An exception that leaves it is an error too.
    fn call(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<NativeExit, Error>;

    /// The code itself, for whoever made it.
    fn as_any(&self) -> &dyn Any;
}

/// The tier that runs what is not compiled.
pub trait Interpreter: Send + Sync {
    /// Calls a function of a guest for compiled code: `slots` holds the arguments, and then the results.
    ///
    /// # Errors
    /// As for [`Native::call`].
    fn call(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<InterpreterExit, Error>;

    /// The backtrace of a trace, if there is anything in it.
    fn backtrace(&self, store: &StoreInner, trace: &Trace) -> Option<WasmBacktrace> {
        store.backtrace(trace, |_| None)
    }
}

/// How a call of compiled code ended.
#[derive(Debug)]
pub enum NativeExit {
    /// It has returned.
    Done,
    /// It stopped.
    Suspended(Box<Suspended>),
}

/// How a call of interpreted code ended.
pub enum InterpreterExit {
    /// It has returned.
    Done,
    /// It stopped: with an execution that is the interpreter's own.
    Stopped(Box<dyn Any + Send>),
}

/// Frames of compiled code that has stopped.
#[derive(Debug)]
pub struct Suspended {
    /// The frames, outermost first. There is at least one.
    pub frames: Vec<NativeFrame>,
    /// What the innermost one is about to do.
    pub then: Then,
}

/// What code that has stopped is about to do.
pub enum Then {
    /// The op that it stands at, once more: there is too little fuel for it, which takes so much.
    OutOfFuel(u64),
    /// The op that it stands at, once more: somebody asked it to stop. If it is one that waits, these are its operands.
    Interrupted(Vec<u64>),
    /// It calls an asynchronous host function with these arguments.
    HostCall(FuncAddr, Vec<u64>),
    /// It has called interpreted code, which has stopped: an execution that is the interpreter's own.
    Called(Box<dyn Any + Send>),
    /// The op that it stands at, which throws or calls, has thrown this exception. Nobody knows yet who catches it: to find that out takes
    /// at least so much fuel, of which there is too little; `None` if somebody asked it to stop.
    Throw(u32, Option<u64>),
}

/// A frame of compiled code that has stopped.
#[derive(Debug)]
pub struct NativeFrame {
    /// The instance.
    pub instance: InstanceAddr,
    /// The function.
    pub func: FuncIdx,
    /// The offset in the binary of the op that it stands at: a call that has not returned, or, in the innermost frame, one that is
    /// to be done once more. For the fuel of the function's entry, the first op of the body.
    pub offset: usize,
    /// Which fuel point of the function it stands at, if it does, counted in the order in which the translator makes them: 0 is that
    /// of the entry. The offset does not tell, for one op may jump back to several loops.
    pub fuel_point: Option<u32>,
    /// Values of the locals, by slot; 0 for those that are not used any more.
    pub locals: Vec<u64>,
    /// Values on the operand stack below the operands of the op: height and bits. Others are not in slots.
    pub operands: Vec<(u32, u64)>,
}

impl core::fmt::Debug for Then {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Then::OutOfFuel(cost) => f.debug_tuple("OutOfFuel").field(cost).finish(),
            Then::Interrupted(args) => f.debug_tuple("Interrupted").field(args).finish(),
            Then::HostCall(func, args) => {
                f.debug_tuple("HostCall").field(func).field(args).finish()
            }
            Then::Called(_) => f.write_str("Called"),
            Then::Throw(exception, fuel) => {
                f.debug_tuple("Throw").field(exception).field(fuel).finish()
            }
        }
    }
}

impl core::fmt::Debug for InterpreterExit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            InterpreterExit::Done => "Done",
            InterpreterExit::Stopped(_) => "Stopped",
        })
    }
}
