//! The host's clocks.

use std::time::{Duration, Instant, SystemTime};

use crate::clock::Clocks;
#[cfg(unix)]
use crate::fs::FsResult;

/// Real time; the monotonic clock starts when this is made.
pub(crate) struct SystemClocks {
    start: Instant,
}

impl SystemClocks {
    pub(crate) fn new() -> SystemClocks {
        SystemClocks { start: Instant::now() }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn realtime() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that is left until `deadline`.
pub(crate) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The moment that is `duration` away, if there is one.
pub(crate) fn after(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

impl Clocks for SystemClocks {
    fn realtime(&mut self) -> u64 {
        realtime()
    }

    fn monotonic(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[cfg(unix)]
    fn cpu_time(&mut self, thread_only: bool) -> FsResult<u64> {
        use rustix::time::{ClockId, clock_gettime};
        let id = if thread_only { ClockId::ThreadCPUTime } else { ClockId::ProcessCPUTime };
        let time = clock_gettime(id);
        Ok((time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64))
    }
}
