//! Backtraces of the guest.

use super::*;
use crate::code::Points;
use core::mem::take;
use kinglet_core::{
    error::WasmBacktrace,
    runtime::trace::{Trace, TraceFrame, TracePoint},
    types::slot_count,
};

impl Execution {
    /// Adds where the guest stands to an error, unless that is about a guest which the host has called.
    pub(super) fn with_backtrace(&mut self, store: &StoreInner, error: Error) -> Error {
        let known = match (error.open_frames(), &self.state) {
            (Some(0), _) => 0,
            (Some(known), State::Failed(_)) => known,
            _ => return error,
        };
        let throws = is_thrown(&error) || matches!(self.state, State::Throw { .. });
        let trace = if throws { take(&mut self.left) } else { Trace::behind(known) };
        match backtrace(store, &self.trace(store, trace)) {
            Some(backtrace) => error.with_backtrace(backtrace),
            None => error,
        }
    }

    /// Leaves the frames that an exception leaves to whoever has called, if that is compiled code.
    #[cfg(feature = "native")]
    pub(super) fn leave_frames(&mut self, store: &mut StoreInner) {
        let left = take(&mut self.left);
        store.left = self.trace(store, left);
    }

    /// Adds where the guest stands to frames of its callees.
    fn trace(&self, store: &StoreInner, mut trace: Trace) -> Trace {
        // Who calls in place of itself is not there any more.
        let mut is_gone = false;
        let (mut at, mut exact) = match self.state {
            State::Code(position) => (position, true),
            State::HostCall { then, .. } | State::Throw { then, .. } | State::Failed(then) => {
                match then {
                    Then::Continue(from) => (from, false),
                    Then::Return { from, .. } => {
                        is_gone = true;
                        (from, true)
                    }
                    Then::Finish => return trace,
                }
            }
            State::Over => return trace,
        };
        let mut crossings = self.crossings.iter().rev();
        while trace.has_room() {
            let instance = store.instance(at.instance);
            let Some((func, start)) = code_of(instance).find(at.ip - u32::from(!exact)) else {
                break;
            };
            let offset = at.ip - start;
            let point = if exact {
                TracePoint::Bytecode(offset)
            } else {
                TracePoint::BehindBytecode(offset)
            };
            if !is_gone {
                trace.push(TraceFrame { instance: at.instance, func, at: point });
            }
            (exact, is_gone) = (false, false);
            let header = at.fp + slot_count(instance.module.func_type(func).params()) as usize;
            let word = self.stack[header];
            at.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
            at.ip = match word as u32 {
                STOP => break,
                CROSS_RETURN => {
                    let Some(crossing) = crossings.next() else { break };
                    at.instance = crossing.instance;
                    crossing.return_to
                }
                offset => offset,
            };
        }
        trace
    }
}

/// The backtrace of a trace, if there is anything in it.
pub(super) fn backtrace(store: &StoreInner, trace: &Trace) -> Option<WasmBacktrace> {
    let mut points = Points::default();
    store.backtrace(trace, |frame| {
        let instance = store.instance(frame.instance);
        points.find(code_of(instance), &instance.module, frame)
    })
}
