//! How compiled code ends before it returns: errors with the guest's stack, and frames for the other tier to go on with.

use super::{functions::Call, walk::Here};
use kinglet_core::{
    error::{Error, FrameInfo, ThrownException, WasmBacktrace},
    index::InstanceAddr,
    runtime::native::{NativeFrame, Suspended, Then},
    trap::Trap,
};

/// Why compiled code does not go on behind a call of the runtime.
pub(super) enum End {
    /// An op fails, with this error.
    Trap(Error),
    /// What was called has failed, where compiled code stands; in a function of a guest, if that is said.
    Error(Here, Error, bool),
    /// An exception has been caught: it goes on as the landing says.
    Landed,
    /// It stops.
    Suspended(Box<Suspended>),
}

impl From<Trap> for End {
    #[cold]
    fn from(trap: Trap) -> End {
        End::Trap(trap.into())
    }
}

impl From<Error> for End {
    #[cold]
    fn from(error: Error) -> End {
        End::Trap(error)
    }
}

/// Frames of a backtrace, at most: the innermost ones.
const MAX_FRAMES: usize = 64;

impl Call {
    /// Ends the activation at the op that calls the runtime, for the other tier to go on; or with an error, if it must not stop.
    #[cold]
    pub(super) fn stop(self, then: Then, registers: Option<*const u64>) -> End {
        self.stop_at(self.here(), then, registers)
    }

    /// The same, where compiled code stands. `registers` has all registers by their index, if it is in the middle of a function.
    #[cold]
    pub(super) fn stop_at(self, here: Here, then: Then, registers: Option<*const u64>) -> End {
        if self.may_stop() {
            let frames = native_frames(here, registers);
            return End::Suspended(Box::new(Suspended { frames, then }));
        }
        let error = match then {
            Then::OutOfFuel(_) | Then::Throw(_, Some(_)) => Trap::OutOfFuel.into(),
            Then::Interrupted(_) | Then::Throw(_, None) => Trap::Interrupt.into(),
            Then::HostCall(..) | Then::Called(_) => Error::msg(
                "an asynchronous host function was called where the guest cannot be suspended",
            ),
        };
        End::Error(here, error, false)
    }

    /// Adds where the guest stands to an error that does not say so yet; or behind what it says, if the callee was the guest's as well.
    #[cold]
    pub(super) fn with_backtrace(self, here: Here, error: Error, of_guest: bool) -> Error {
        // The guest below may catch an exception: then nobody looks at what takes longer to find out than all the rest.
        if self.in_use() > 0 && error.is::<ThrownException>() {
            return error;
        }
        let known = match error.wasm_backtrace() {
            Some(_) if !of_guest => return error,
            Some(backtrace) => backtrace.frames().len(),
            None => 0,
        };
        let frames = backtrace(self, here, MAX_FRAMES.saturating_sub(known));
        if frames.is_empty() { error } else { error.with_backtrace(WasmBacktrace::new(frames)) }
    }
}

fn backtrace(call: Call, here: Here, most: usize) -> Vec<FrameInfo> {
    let mut walk = here.frames(None);
    let mut frames = Vec::new();
    while !walk.is_over() && frames.len() < most {
        // SAFETY: STOPPED: it is an instance of the store.
        let addr = InstanceAddr(unsafe { (*walk.instance()).addr });
        let module = &*call.store().instance(addr).module;
        let (func, offset) = (walk.function().func, walk.site().offset as usize);
        let body = module.body(func).map_or(0, |body| body.range.start);
        frames.push(FrameInfo {
            func,
            name: module.func_name(func).map(ToString::to_string),
            module_name: module.name().map(ToString::to_string),
            module_offset: Some(offset),
            func_offset: Some(offset.saturating_sub(body)),
        });
        walk.leave();
    }
    frames
}

/// The frames, outermost first.
fn native_frames(here: Here, registers: Option<*const u64>) -> Vec<NativeFrame> {
    let mut walk = here.frames(registers);
    let mut frames = Vec::new();
    while !walk.is_over() {
        let (notes, site) = (walk.notes(), walk.site());
        let mut frame = NativeFrame {
            // SAFETY: STOPPED: it is an instance of the store.
            instance: InstanceAddr(unsafe { (*walk.instance()).addr }),
            func: walk.function().func,
            offset: site.offset as usize,
            fuel_point: site.fuel_point,
            locals: vec![0; notes.locals as usize],
            operands: Vec::new(),
        };
        for local in notes.locals(site) {
            frame.locals[local.number as usize] = walk.read(local);
        }
        for operand in notes.operands(site) {
            frame.operands.push((operand.number, walk.read(operand)));
        }
        frames.push(frame);
        walk.leave();
    }
    frames.reverse();
    frames
}
