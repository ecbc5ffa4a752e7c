//! The functions, as methods of the context: one for each row of the table in [`p1`](crate::p1).

#![allow(
    clippy::too_many_arguments,
    reason = "the specification gives the functions their parameters"
)]

mod descriptors;
mod io;
mod paths;
mod poll;
mod process;
mod readdir;
mod sock;

use std::time::{Duration, Instant};

use crate::Errno;
use crate::abi::FstFlags;
use crate::error::{Failure, Result};
use crate::fs::SetTime;
use crate::host::{self, Interest, PollHandle};

/// The new access and modification time that `flags` ask for.
fn set_times(atim: u64, mtim: u64, flags: u32) -> Result<(SetTime, SetTime)> {
    let flags = FstFlags::from_guest(flags)?;
    let time = |at, set, now| match (flags.has(set), flags.has(now)) {
        (false, false) => Ok(SetTime::Keep),
        (true, false) => Ok(SetTime::At(at)),
        (false, true) => Ok(SetTime::Now),
        (true, true) => Err(Errno::INVAL),
    };
    Ok((
        time(atim, FstFlags::ATIM, FstFlags::ATIM_NOW)?,
        time(mtim, FstFlags::MTIM, FstFlags::MTIM_NOW)?,
    ))
}

/// How a call may wait.
#[derive(Clone, Copy)]
struct Waiting {
    /// Until then, if there is a limit.
    deadline: Option<Instant>,
    /// Not at all: answer `AGAIN`.
    nonblock: bool,
}

impl Waiting {
    /// Waits until `handle` is ready.
    fn until_ready(self, handle: PollHandle<'_>, interest: Interest) -> Result<()> {
        loop {
            let timeout = if self.nonblock { Some(Duration::ZERO) } else { self.remaining() };
            if host::poll(&[(handle, interest)], timeout)?[0].ready {
                return Ok(());
            }
            if self.nonblock {
                return Err(Errno::AGAIN.into());
            }
            self.check()?;
        }
    }

    /// Waits for `duration`, or until the deadline.
    fn pause(self, duration: Duration) -> Result<()> {
        self.check()?;
        host::sleep(self.remaining().map_or(duration, |remaining| remaining.min(duration)));
        self.check()
    }

    fn remaining(self) -> Option<Duration> {
        self.deadline.map(host::until)
    }

    /// Fails if the deadline has passed.
    fn check(self) -> Result<()> {
        if self.remaining() == Some(Duration::ZERO) { Err(Failure::Timeout) } else { Ok(()) }
    }
}
