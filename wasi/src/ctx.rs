//! The state of one guest.

use std::time::Instant;

use crate::clock::Clocks;
use crate::descriptor::Descriptors;
use crate::random::Random;

/// Everything that a guest can reach through WASI: made by a
/// [`WasiCtxBuilder`](crate::WasiCtxBuilder), kept in the data of a store.
pub struct WasiCtx {
    pub(crate) args: Vec<Vec<u8>>,
    /// `KEY=VALUE`
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) fds: Descriptors,
    pub(crate) clocks: Box<dyn Clocks>,
    pub(crate) random: Box<dyn Random>,
    pub(crate) deadline: Option<Instant>,
}

impl WasiCtx {
    /// Sets or removes the moment when calls that wait for something give up and end the guest with
    /// [`Timeout`](crate::Timeout).
    ///
    /// This does not end a guest that computes: interrupt the store for that.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }
}
