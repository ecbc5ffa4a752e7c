//! Where guests stand, before anybody wants to read about it.

use super::StoreInner;
use crate::{
    error::{FrameInfo, WasmBacktrace},
    index::{FuncIdx, InstanceAddr},
};
use alloc::{string::ToString, vec::Vec};

/// Frames of a backtrace, at most: the innermost ones.
const MAX_FRAMES: usize = 64;

/// A frame of a guest.
#[derive(Clone, Copy, Debug)]
pub struct TraceFrame {
    /// The instance.
    pub instance: InstanceAddr,
    /// The function.
    pub func: FuncIdx,
    /// Where it stands.
    pub at: TracePoint,
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TracePoint {
    /// At an op, by its offset in the binary.
    Op(u32),
    /// At an op, by an offset in the bytecode of the function.
    Bytecode(u32),
    /// The same, behind a call.
    BehindBytecode(u32),
}

/// Frames, innermost first, as many as go into a backtrace.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    frames: Vec<TraceFrame>,
    /// How many frames are known already that belong in front of these.
    known: usize,
    /// The fuel that it has taken to look there for who catches the exception that has left them.
    pub paid: u64,
    /// The fuel that this takes, where it has been given back because it did not suffice for all frames.
    pub owed: u64,
}

impl Trace {
    /// No frames yet, behind so many.
    pub fn behind(known: usize) -> Trace {
        Trace { known, ..Trace::default() }
    }

    /// Adds a caller. There must be room.
    pub fn push(&mut self, frame: TraceFrame) {
        self.frames.push(frame);
    }

    /// Whether there is room for another caller.
    pub fn has_room(&self) -> bool {
        self.known + self.frames.len() < MAX_FRAMES
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.frames.clear();
        (self.paid, self.owed) = (0, 0);
    }
}

impl StoreInner {
    /// The backtrace of a trace, if there is anything in it. `offset` finds out about bytecode where in the binary it comes from.
    pub fn backtrace(
        &self,
        trace: &Trace,
        mut offset: impl FnMut(TraceFrame) -> Option<usize>,
    ) -> Option<WasmBacktrace> {
        let frame = |&frame: &TraceFrame| {
            let module = &*self.instance(frame.instance).module;
            let offset = match frame.at {
                TracePoint::Op(offset) => Some(offset as usize),
                TracePoint::Bytecode(_) | TracePoint::BehindBytecode(_) => offset(frame),
            };
            let body = module.body(frame.func).map(|body| body.range.start);
            FrameInfo {
                func: frame.func,
                name: module.func_name(frame.func).map(ToString::to_string),
                module_name: module.name().map(ToString::to_string),
                module_offset: offset,
                func_offset: offset.zip(body).map(|(offset, body)| offset.saturating_sub(body)),
            }
        };
        (!trace.frames.is_empty())
            .then(|| WasmBacktrace::new(trace.frames.iter().map(frame).collect()))
    }
}
