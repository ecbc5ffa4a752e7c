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
use crate::host::{self, Interest, OwnedHandle, PollHandle};

pub(crate) use poll::Subscription;

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
pub(crate) struct Waiting {
    /// Until then, if there is a limit.
    pub(crate) deadline: Option<Instant>,
    /// Not at all: answer `AGAIN`.
    pub(crate) nonblock: bool,
    /// Not here, where others wait for it: answer [`Failure::Wait`].
    pub(crate) shared: bool,
}

impl Waiting {
    /// Waits until `handle` is ready.
    fn until_ready(self, handle: PollHandle<'_>, interest: Interest) -> Result<()> {
        loop {
            let now = self.nonblock || self.shared;
            let timeout = if now { Some(Duration::ZERO) } else { self.remaining() };
            if host::poll(&[(handle, interest)], timeout)?[0].ready {
                return Ok(());
            }
            if self.nonblock {
                return Err(Errno::AGAIN.into());
            }
            self.check()?;
            if self.shared {
                return Err(Wait::on(&[(handle, interest)], self.remaining())?);
            }
        }
    }

    /// Waits for `duration`, or until the deadline.
    fn pause(self, duration: Duration) -> Result<()> {
        self.check()?;
        let duration = self.remaining().map_or(duration, |remaining| remaining.min(duration));
        if self.shared {
            return Err(Wait::on(&[], Some(duration))?);
        }
        host::sleep(duration);
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

/// What a call waits for while other threads of the guest use the context. Then it is made again.
pub(crate) struct Wait {
    handles: Vec<(OwnedHandle, Interest)>,
    end: Option<Instant>,
    /// What `poll_oneoff` was asked to wait for, with times that do not begin anew.
    pub(crate) subscriptions: Option<Vec<Subscription>>,
}

impl Wait {
    /// How long it waits without looking whether the guest was interrupted.
    const SLICE: Duration = Duration::from_millis(10);

    fn on(handles: &[(PollHandle<'_>, Interest)], timeout: Option<Duration>) -> Result<Failure> {
        let own =
            |(handle, interest): &(PollHandle<'_>, Interest)| Ok((handle.owned()?, *interest));
        let handles = handles.iter().map(own).collect::<Result<_, Errno>>()?;
        // A time that is too far away to be told never comes.
        let end = timeout.and_then(host::after);
        Ok(Failure::Wait(Box::new(Wait { handles, end, subscriptions: None })))
    }

    /// Waits, but not for long. Tells whether the call is to be made again.
    pub(crate) fn slice(&self) -> Result<bool> {
        let left = self.end.map(host::until);
        let nap = left.map_or(Self::SLICE, |left| left.min(Self::SLICE));
        let handles: Vec<_> =
            self.handles.iter().map(|(handle, interest)| (handle.borrow(), *interest)).collect();
        let ready = if handles.is_empty() {
            host::sleep(nap);
            false
        } else {
            host::poll(&handles, Some(nap))?.iter().any(|handle| handle.ready)
        };
        Ok(ready || left.is_some_and(|left| left <= nap))
    }
}
