//! Clocks.

use crate::Errno;

/// The clocks that a guest can read. All times are in nanoseconds.
pub trait Clocks: Send {
    /// Time since 1970-01-01 00:00 UTC.
    fn realtime(&mut self) -> u64;

    /// Time since some moment before the guest started; never goes back.
    fn monotonic(&mut self) -> u64;

    /// Processor time spent, by the whole process or by this thread.
    ///
    /// Clocks that do not tell it, as by default, answer [`Errno::NOTSUP`].
    fn cpu_time(&mut self, thread_only: bool) -> Result<u64, Errno> {
        let _ = thread_only;
        Err(Errno::NOTSUP)
    }

    /// The resolution of the real-time and monotonic clocks.
    fn resolution(&self) -> u64 {
        1
    }

    /// Called when the guest sleeps: a clock whose time is made up jumps ahead by `nanos` and returns true.
    /// Otherwise the host waits, and `false`, the default, says so.
    fn skip(&mut self, nanos: u64) -> bool {
        let _ = nanos;
        false
    }
}

/// Clocks that tell the same times in every run.
///
/// They start at 2000-01-01 00:00 UTC, move on by a millisecond each time that they are read (so that a loop which
/// waits for time to pass ends), and jump when the guest sleeps.
#[derive(Clone, Debug, Default)]
pub struct DeterministicClocks {
    elapsed: u64,
}

impl DeterministicClocks {
    const START: u64 = 946_684_800_000_000_000;
    const TICK: u64 = 1_000_000;

    /// Clocks that have not been read yet.
    pub fn new() -> DeterministicClocks {
        DeterministicClocks::default()
    }
}

impl Clocks for DeterministicClocks {
    fn realtime(&mut self) -> u64 {
        Self::START.saturating_add(self.monotonic())
    }

    fn monotonic(&mut self) -> u64 {
        self.elapsed = self.elapsed.saturating_add(Self::TICK);
        self.elapsed
    }

    fn cpu_time(&mut self, _: bool) -> Result<u64, Errno> {
        Ok(self.monotonic())
    }

    fn resolution(&self) -> u64 {
        Self::TICK
    }

    fn skip(&mut self, nanos: u64) -> bool {
        self.elapsed = self.elapsed.saturating_add(nanos);
        true
    }
}
