//! How compiled code ends before it returns: errors with the guest's stack, and frames for the other tier to go on with.

use super::{functions::Call, walk::Here};
use crate::notes::Kind;
use kinglet_core::{
    error::{Error, ThrownException},
    index::InstanceAddr,
    runtime::{
        StoreInner,
        native::{NativeFrame, Suspended, Then},
        trace::{Trace, TraceFrame, TracePoint},
    },
    trap::Trap,
};

/// Why compiled code does not go on behind a call of the runtime.
pub(super) enum End {
    /// An op fails, with this error.
    Trap(Error),
    /// What was called has failed, where compiled code stands.
    Error(Here, Error, Callee),
    /// An exception has been caught: it goes on as the landing says.
    Landed,
    /// It stops.
    Suspended(Box<Suspended>),
}

/// Whose function has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Callee {
    /// That of a guest.
    Guest,
    /// That of the host.
    Host,
    /// Nothing was called.
    Nobody,
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
        let is_thrown = matches!(then, Then::Throw(..));
        let error = match then {
            Then::OutOfFuel(_) | Then::Throw(_, Some(_)) => Trap::OutOfFuel.into(),
            Then::Interrupted(_) | Then::Throw(_, None) => Trap::Interrupt.into(),
            Then::HostCall(..) | Then::Called(_) => Error::msg(
                "an asynchronous host function was called where the guest cannot be suspended",
            ),
        };
        if !is_thrown {
            return End::Error(here, error, Callee::Nobody);
        }
        let store = self.store();
        let left = std::mem::take(&mut store.left);
        End::Error(here, add_backtrace(store, error, &left), Callee::Guest)
    }

    /// Adds where the guest stands to an error, behind what that says of callees that were the guest's as well.
    #[cold]
    pub(super) fn with_backtrace(self, here: Here, error: Error, callee: Callee) -> Error {
        let known = match error.open_frames() {
            Some(0) => 0,
            Some(known) if callee == Callee::Guest => known,
            _ => return error,
        };
        let store = self.store();
        if !error.is::<ThrownException>() {
            return add_backtrace(store, error, &trace(here, callee, Trace::behind(known)));
        }
        let left = trace(here, callee, std::mem::take(&mut store.left));
        if self.in_use() == 0 {
            return add_backtrace(store, error, &left);
        }
        // The guest below may catch it: then nobody looks at what takes longer to find out than all the rest.
        store.left = left;
        error
    }
}

fn add_backtrace(store: &StoreInner, error: Error, trace: &Trace) -> Error {
    let backtrace = match store.interpreter() {
        Some(interpreter) => interpreter.backtrace(store, trace),
        None => store.backtrace(trace, |_| None),
    };
    match backtrace {
        Some(backtrace) => error.with_backtrace(backtrace),
        None => error,
    }
}

/// Adds where compiled code stands to frames of its callees.
fn trace(here: Here, callee: Callee, mut trace: Trace) -> Trace {
    let mut walk = here.frames(None);
    let mut calls = callee != Callee::Nobody;
    while !walk.is_over() && trace.has_room() {
        let site = walk.site();
        // Who calls in place of itself is not there any more, even where its frame is.
        let is_gone = std::mem::replace(&mut calls, true) && site.kind == Kind::TailCall;
        // SAFETY: STOPPED: it is an instance of the store.
        let instance = InstanceAddr(unsafe { (*walk.instance()).addr });
        let (func, at) = (walk.function().func, TracePoint::Op(site.offset));
        if !is_gone {
            trace.push(TraceFrame { instance, func, at });
        }
        walk.leave();
    }
    trace
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
