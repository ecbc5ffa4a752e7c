//! The state of one guest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::calls::{Subscription, Wait, Waiting};
use crate::clock::Clocks;
use crate::descriptor::Descriptors;
use crate::error::{Failure, Result};
use crate::random::Random;

/// Everything that a guest can reach through WASI: made by a
/// [`WasiCtxBuilder`](crate::WasiCtxBuilder), kept in the data of a store.
///
/// Clones are the same context: those of the threads of a guest. While a call of one of them waits for something, the
/// others can go on.
#[derive(Clone)]
pub struct WasiCtx(Arc<Mutex<State>>);

/// What a context is made of.
pub(crate) struct State {
    pub(crate) args: Vec<Vec<u8>>,
    /// `KEY=VALUE`
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) fds: Descriptors,
    pub(crate) clocks: Box<dyn Clocks>,
    pub(crate) random: Box<dyn Random>,
    pub(crate) deadline: Option<Instant>,
    /// Whether calls must not wait while they have the state to themselves.
    pub(crate) shared: bool,
    /// What the call that is made again, after it has waited, waits for.
    pub(crate) resumed: Option<Vec<Subscription>>,
}

impl WasiCtx {
    pub(crate) fn new(state: State) -> WasiCtx {
        WasiCtx(Arc::new(Mutex::new(state)))
    }

    /// Sets or removes the moment when calls that wait for something give up and end the guest with
    /// [`Timeout`](crate::Timeout).
    ///
    /// This does not end a guest that computes: interrupt the store for that.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.lock().deadline = deadline;
    }

    /// Makes a call. `Ok(Err(_))` says what it has to wait for, and be made again with.
    pub(crate) fn call(
        &self,
        waited: Option<Box<Wait>>,
        call: impl FnOnce(&mut State) -> Result<()>,
    ) -> Result<Result<(), Box<Wait>>> {
        let mut state = self.lock();
        state.shared = Arc::strong_count(&self.0) > 1;
        state.resumed = waited.and_then(|wait| wait.subscriptions);
        match call(&mut state) {
            Err(Failure::Wait(wait)) => Ok(Err(wait)),
            result => result.map(Ok),
        }
    }

    /// A call that panicked has left the state as it was between two of its steps.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How calls may wait, if nothing else is said about them.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting { deadline: self.deadline, nonblock: false, shared: self.shared }
    }
}
