//! Where frames of a function can stand that have been something else before: frames of compiled code that had to stop.

use crate::sink::Builder;
use alloc::vec::Vec;
use core::mem;

/// What the sink notes of a function's calls and stops. Positions are offsets in the function's code.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    calls: Vec<CallSite>,
    /// Its fuel points, in the order in which the translator made them.
    fuel: Vec<u32>,
    waits: Vec<WaitSite>,
}

/// A call, or an op that throws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSite {
    /// Where it comes from in the binary.
    offset: u32,
    /// The op.
    pub(crate) at: u32,
    /// Where it returns to.
    pub(crate) behind: u32,
    /// The slot that is the callee's first.
    pub(crate) base: u16,
    /// Whether it is one in place of the function.
    pub(crate) is_tail: bool,
}

/// An op that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitSite {
    /// Where it comes from in the binary.
    offset: u32,
    /// The op.
    pub(crate) at: u32,
    /// The slot of its first operand.
    pub(crate) base: u16,
}

/// How a frame of a function looks, wherever it can stand.
#[derive(Debug)]
pub(crate) struct Sites {
    /// Where the function's code begins in that of its module.
    pub(crate) start: u32,
    /// The slot of the frame's header: that behind the parameters.
    pub(crate) header: u16,
    /// The slot of the first local that is no parameter.
    pub(crate) locals: u16,
    /// The slot of the bottom of the operand stack.
    pub(crate) operands: u16,
    /// The slot of the pinned integer local; that of another value if there is none.
    pub(crate) pin: u16,
    /// The slots of the pinned `f64` local and of the caller's, if it has one.
    pub(crate) pin_f64: Option<(u16, u16)>,
    noted: Noted,
}

impl Sites {
    /// The call, or op that throws, that comes from an offset of the binary.
    pub(crate) fn call(&self, offset: usize) -> Option<CallSite> {
        let found = self.noted.calls.binary_search_by_key(&offset, |site| site.offset as usize);
        found.ok().map(|at| self.noted.calls[at])
    }

    /// Where a fuel point is.
    pub(crate) fn fuel(&self, number: u32) -> Option<u32> {
        self.noted.fuel.get(number as usize).copied()
    }

    /// The op that waits and comes from an offset of the binary.
    pub(crate) fn wait(&self, offset: usize) -> Option<WaitSite> {
        let found = self.noted.waits.binary_search_by_key(&offset, |site| site.offset as usize);
        found.ok().map(|at| self.noted.waits[at])
    }
}

impl Builder {
    /// The sites of the function just made, whose code begins at `start` in that of its module.
    pub(crate) fn sites(&mut self, start: u32) -> Sites {
        let ([pin, _, pin_f64], saved_pin) = (self.pins, self.saved_pin());
        // Slots of functions that are not refused fit.
        let slot = |slot: u32| slot as u16;
        Sites {
            start,
            header: slot(self.header()),
            locals: slot(self.local_slot(self.header())),
            operands: slot(self.home(0)),
            pin: slot(pin.map_or(0, |local| self.local_slot(local))),
            pin_f64: pin_f64
                .zip(saved_pin)
                .map(|(local, save)| (slot(self.local_slot(local)), slot(save))),
            noted: mem::take(&mut self.noted).unwrap_or_default(),
        }
    }

    /// A call has been emitted whose opcode is at `at`, or an op that throws.
    pub(crate) fn note_call(&mut self, at: u32, base: u32, is_tail: bool) {
        let (offset, behind) = (self.offset as u32, self.code.len() as u32);
        if let Some(noted) = &mut self.noted {
            noted.calls.push(CallSite { offset, at, behind, base: base as u16, is_tail });
        }
    }

    /// A fuel point has been emitted.
    pub(crate) fn note_fuel(&mut self, at: u32) {
        if let Some(noted) = &mut self.noted {
            noted.fuel.push(at);
        }
    }

    /// An op that waits has been emitted.
    pub(crate) fn note_wait(&mut self, at: u32, base: u32) {
        let offset = self.offset as u32;
        if let Some(noted) = &mut self.noted {
            noted.waits.push(WaitSite { offset, at, base: base as u16 });
        }
    }
}
