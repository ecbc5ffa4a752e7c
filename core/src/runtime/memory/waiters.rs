//! Threads that wait at an address of a shared memory until another one notifies them.

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// How a wait ended. As a number, it is what `memory.atomic.wait32` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitResult {
    /// Another thread notified this one.
    Ok = 0,
    /// The value was not the expected one, so there was no wait.
    Mismatch = 1,
    /// Nobody notified it in time.
    TimedOut = 2,
}

/// The threads that wait, by address, those that wait the longest first.
#[derive(Default)]
pub(super) struct Waiters(Mutex<Lots>);

type Lots = BTreeMap<u64, VecDeque<Arc<Waiter>>>;

/// A thread that waits.
#[derive(Default)]
struct Waiter {
    /// Written under the lock of the table.
    notified: AtomicBool,
    condvar: Condvar,
}

/// How often a thread that waits looks whether it was interrupted. Who interrupts cannot wake it: it may be a signal handler.
const LOOK: Duration = Duration::from_millis(10);

impl Waiters {
    /// Waits at `address` if `expected` holds: nobody can notify between the two. `None` if `interrupted` became true.
    pub(super) fn wait(
        &self,
        address: u64,
        timeout: Option<Duration>,
        expected: impl FnOnce() -> bool,
        interrupted: Option<&dyn Fn() -> bool>,
    ) -> Option<WaitResult> {
        // A time that is too far away to be told never comes.
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut lots = self.lock();
        if !expected() {
            return Some(WaitResult::Mismatch);
        }
        let waiter = Arc::new(Waiter::default());
        lots.entry(address).or_default().push_back(waiter.clone());
        loop {
            if interrupted.is_some_and(|interrupted| interrupted()) {
                leave(&mut lots, address, &waiter);
                return None;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                leave(&mut lots, address, &waiter);
                return Some(WaitResult::TimedOut);
            }
            let nap = interrupted.map(|_| LOOK).into_iter().chain(left).min();
            lots = match nap {
                Some(nap) => waiter
                    .condvar
                    .wait_timeout(lots, nap)
                    .map(|(lots, _)| lots)
                    .unwrap_or_else(|poisoned| poisoned.into_inner().0),
                None => waiter.condvar.wait(lots).unwrap_or_else(PoisonError::into_inner),
            };
            if waiter.notified.load(Ordering::Relaxed) {
                return Some(WaitResult::Ok);
            }
        }
    }

    /// Wakes up to `count` threads that wait at `address`. Answers how many there were.
    pub(super) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut lots = self.lock();
        let Some(lot) = lots.get_mut(&address) else { return 0 };
        let count = lot.len().min(count as usize);
        for waiter in lot.drain(..count) {
            waiter.notified.store(true, Ordering::Relaxed);
            waiter.condvar.notify_one();
        }
        if lot.is_empty() {
            lots.remove(&address);
        }
        count as u32
    }

    /// Nothing panics while it has the lock, so the table is whole in any case.
    fn lock(&self) -> MutexGuard<'_, Lots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a thread that nobody has notified out of the table.
fn leave(lots: &mut Lots, address: u64, waiter: &Arc<Waiter>) {
    if let Some(lot) = lots.get_mut(&address) {
        lot.retain(|other| !Arc::ptr_eq(other, waiter));
        if lot.is_empty() {
            lots.remove(&address);
        }
    }
}
