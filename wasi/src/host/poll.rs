//! Waiting.

use std::marker::PhantomData;
use std::time::Duration;

use crate::fs::FsResult;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
}

/// What became of a handle that was waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    pub(crate) hangup: bool,
}

/// Longest wait that is asked of the system in one go; callers wait again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Something of the operating system that can be waited for: on Unix, a borrowed file descriptor.
#[derive(Clone, Copy)]
pub struct PollHandle<'a> {
    #[cfg(unix)]
    fd: std::os::fd::BorrowedFd<'a>,
    owner: PhantomData<&'a ()>,
}

#[cfg(unix)]
impl<'a> From<std::os::fd::BorrowedFd<'a>> for PollHandle<'a> {
    fn from(fd: std::os::fd::BorrowedFd<'a>) -> PollHandle<'a> {
        PollHandle { fd, owner: PhantomData }
    }
}

/// A handle of its own, to be waited for while what it comes from is used, or gone.
pub(crate) struct OwnedHandle {
    #[cfg(unix)]
    fd: std::os::fd::OwnedFd,
}

impl PollHandle<'_> {
    #[cfg(unix)]
    pub(crate) fn owned(self) -> FsResult<OwnedHandle> {
        Ok(OwnedHandle { fd: self.fd.try_clone_to_owned()? })
    }

    #[cfg(not(unix))]
    pub(crate) fn owned(self) -> FsResult<OwnedHandle> {
        Ok(OwnedHandle {})
    }
}

impl OwnedHandle {
    pub(crate) fn borrow(&self) -> PollHandle<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(&self.fd).into();
        #[cfg(not(unix))]
        PollHandle::new()
    }
}

#[cfg(not(unix))]
impl PollHandle<'_> {
    pub(crate) fn new() -> Self {
        PollHandle { owner: PhantomData }
    }
}

/// Waits until something happens to one of `handles`, for at most about `timeout`; it may return early
/// with nothing ready.
#[cfg(unix)]
pub(crate) fn poll(
    handles: &[(PollHandle<'_>, Interest)],
    timeout: Option<Duration>,
) -> FsResult<Vec<Readiness>> {
    use rustix::event::{PollFd, PollFlags, Timespec};
    let mut fds: Vec<PollFd<'_>> = handles
        .iter()
        .map(|(handle, interest)| {
            let flags = if *interest == Interest::Read { PollFlags::IN } else { PollFlags::OUT };
            PollFd::from_borrowed_fd(handle.fd, flags)
        })
        .collect();
    let timeout = timeout.unwrap_or(LONGEST).min(LONGEST);
    let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(std::io::Error::from(error).into()),
    }
    Ok(fds
        .iter()
        .map(|fd| Readiness {
            ready: !fd.revents().is_empty(),
            hangup: fd.revents().intersects(PollFlags::HUP | PollFlags::ERR),
        })
        .collect())
}

/// Without a way to ask, everything is taken to be ready soon; reads that find nothing come back here.
#[cfg(not(unix))]
pub(crate) fn poll(
    handles: &[(PollHandle<'_>, Interest)],
    timeout: Option<Duration>,
) -> FsResult<Vec<Readiness>> {
    sleep(timeout.unwrap_or(LONGEST).min(Duration::from_millis(1)));
    Ok(vec![Readiness { ready: true, hangup: false }; handles.len()])
}

/// Waits for about `duration`, or a shorter time if that is very long.
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration.min(LONGEST));
}

/// How many bytes could be read at once now, where the system tells.
#[cfg(unix)]
pub(crate) fn readable_bytes(handle: PollHandle<'_>) -> Option<u64> {
    rustix::io::ioctl_fionread(handle.fd).ok()
}

/// How many bytes could be read at once now, where the system tells.
#[cfg(not(unix))]
pub(crate) fn readable_bytes(_: PollHandle<'_>) -> Option<u64> {
    None
}
