//! Reading and writing.

use super::Waiting;
use crate::Errno;
use crate::abi::{Buffer, FdFlags, GuestMemory, Rights};
use crate::ctx::State;
use crate::descriptor::{Descriptor, Kind, OpenFile};
use crate::error::{Failure, Result};
use crate::host::{Interest, PollHandle};

/// Several small buffers are put together up to this size, to be written in one piece.
const GATHER: usize = 16 * 1024;

/// What is written at once to a pipe while there is a deadline or another thread: a pipe that is ready takes this much
/// without making the writer wait (`PIPE_BUF`).
const SURE_WRITE: usize = 4096;

impl State {
    pub(crate) fn fd_read(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        out: u32,
    ) -> Result<()> {
        let waiting = self.waiting();
        let descriptor = self.fds.get_mut(fd)?;
        descriptor.require(Rights::FD_READ)?;
        let buffers = memory.iovecs(iovs, iovs_len)?;
        let waiting = descriptor.waiting(waiting);
        let read = match &mut descriptor.kind {
            Kind::File(open) if open.seekable => {
                let read = read_at(memory, &buffers, open, open.position)?;
                open.position += u64::from(read);
                read
            }
            kind => match buffers.into_iter().find(|buffer| buffer.len > 0) {
                Some(buffer) => {
                    memory.fill(buffer.ptr, buffer.len, |bytes| kind.read(bytes, waiting))? as u32
                }
                None => 0,
            },
        };
        memory.write_u32(out, read)
    }

    pub(crate) fn fd_pread(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        out: u32,
    ) -> Result<()> {
        let open = self.fds.seekable(fd, Rights::FD_READ)?;
        let buffers = memory.iovecs(iovs, iovs_len)?;
        let read = read_at(memory, &buffers, open, offset)?;
        memory.write_u32(out, read)
    }

    pub(crate) fn fd_write(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        out: u32,
    ) -> Result<()> {
        let waiting = self.waiting();
        let descriptor = self.fds.get_mut(fd)?;
        descriptor.require(Rights::FD_WRITE)?;
        let buffers = memory.iovecs(iovs, iovs_len)?;
        let waiting = descriptor.waiting(waiting);
        let flags = descriptor.flags;
        let written = write_all(memory, &buffers, |bytes| match &mut descriptor.kind {
            Kind::File(open) if open.seekable => {
                let (written, position) = if flags.has(FdFlags::APPEND) {
                    open.file.append(bytes)?
                } else {
                    let written = open.file.write_at(bytes, open.position)?;
                    (written, open.position + written as u64)
                };
                open.position = position;
                Ok(written)
            }
            kind => kind.write(bytes, waiting),
        })?;
        descriptor.sync_if_asked()?;
        memory.write_u32(out, written)
    }

    pub(crate) fn fd_pwrite(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        out: u32,
    ) -> Result<()> {
        let open = self.fds.seekable(fd, Rights::FD_WRITE)?;
        let buffers = memory.iovecs(iovs, iovs_len)?;
        let mut at = offset;
        let written = write_all(memory, &buffers, |bytes| {
            let written = open.file.write_at(bytes, at)?;
            at = at.saturating_add(written as u64);
            Ok(written)
        })?;
        self.fds.get(fd)?.sync_if_asked()?;
        memory.write_u32(out, written)
    }
}

/// Reads into one buffer after the other until the file gives less than was asked for.
fn read_at(
    memory: &mut GuestMemory<'_>,
    buffers: &[Buffer],
    open: &OpenFile,
    offset: u64,
) -> Result<u32> {
    let mut total = 0;
    for buffer in buffers.iter().filter(|buffer| buffer.len > 0) {
        let at = offset.checked_add(u64::from(total)).ok_or(Errno::INVAL)?;
        let read = |bytes: &mut [u8]| Ok(open.file.read_at(bytes, at)?);
        match memory.fill(buffer.ptr, buffer.len, read) {
            Ok(read) => total += read as u32,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
        if u64::from(total) < u64::from(buffer.len) {
            break;
        }
    }
    Ok(total)
}

/// Hands the bytes of `buffers` to `write`, again and again until all are written. An error after some have
/// been is not reported: the guest sees that there were fewer, and will meet it again.
fn write_all(
    memory: &GuestMemory<'_>,
    buffers: &[Buffer],
    mut write: impl FnMut(&[u8]) -> Result<usize>,
) -> Result<u32> {
    let mut total = 0;
    let mut write_all = |mut bytes: &[u8]| {
        while !bytes.is_empty() {
            match write(bytes) {
                Ok(0) => return Ok(false),
                Ok(written) => {
                    total += written as u32;
                    bytes = &bytes[written..];
                }
                Err(Failure::Errno(_) | Failure::Wait(_)) if total > 0 => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    };
    let len: usize = buffers.iter().map(|buffer| buffer.len as usize).sum();
    let several = buffers.iter().filter(|buffer| buffer.len > 0).count() > 1;
    if several && len <= GATHER {
        let mut gathered = Vec::with_capacity(len);
        for buffer in buffers {
            gathered.extend_from_slice(&memory.bytes(buffer.ptr, buffer.len)?);
        }
        write_all(&gathered)?;
    } else {
        for buffer in buffers {
            if !write_all(&memory.bytes(buffer.ptr, buffer.len)?)? {
                break;
            }
        }
    }
    Ok(total)
}

impl Descriptor {
    pub(super) fn waiting(&self, waiting: Waiting) -> Waiting {
        Waiting { nonblock: self.flags.has(FdFlags::NONBLOCK), ..waiting }
    }

    /// Brings what was just written to the storage if the flags ask for it.
    fn sync_if_asked(&self) -> Result<()> {
        let all = self.flags.has(FdFlags::SYNC);
        match &self.kind {
            Kind::File(open) if all || self.flags.has(FdFlags::DSYNC) => {
                Ok(open.file.sync(!all)?)
            }
            _ => Ok(()),
        }
    }
}

impl Kind {
    /// Reads from something that has no offsets.
    fn read(&mut self, buf: &mut [u8], waiting: Waiting) -> Result<usize> {
        self.transfer(Interest::Read, waiting, |kind| match kind {
            Kind::Input(stream) => Ok(stream.read(buf)?),
            Kind::File(open) => open.file.read_at(buf, 0),
            Kind::Socket(socket) => Ok(socket.read(buf)?),
            _ => Err(Errno::BADF),
        })
    }

    /// Writes to something that has no offsets.
    fn write(&mut self, bytes: &[u8], waiting: Waiting) -> Result<usize> {
        let bytes = match self {
            Kind::Output(_) if waiting.shared || waiting.deadline.is_some() => {
                &bytes[..bytes.len().min(SURE_WRITE)]
            }
            _ => bytes,
        };
        self.transfer(Interest::Write, waiting, |kind| match kind {
            Kind::Output(stream) => Ok(stream.write(bytes)?),
            Kind::File(open) => open.file.write_at(bytes, 0),
            Kind::Socket(socket) => Ok(socket.write(bytes)?),
            _ => Err(Errno::BADF),
        })
    }

    /// Does `step` once it can be done, and again if it turns out that it could not.
    pub(super) fn transfer<R>(
        &mut self,
        interest: Interest,
        waiting: Waiting,
        mut step: impl FnMut(&mut Kind) -> Result<R, Errno>,
    ) -> Result<R> {
        // A pipe that nobody has opened for writing yet reads as ended, where it should be waited for. Other handles
        // tell when they are not ready, but may do so by blocking.
        let mut wait = matches!(self, Kind::File(_))
            || waiting.nonblock
            || waiting.shared
            || waiting.deadline.is_some();
        loop {
            if let (true, Some(handle)) = (wait, self.poll_handle()) {
                waiting.until_ready(handle, interest)?;
            }
            match step(self) {
                Err(Errno::INTR) => waiting.check()?,
                Err(Errno::AGAIN) if !waiting.nonblock && self.poll_handle().is_some() => {
                    wait = true
                }
                result => return Ok(result?),
            }
        }
    }

    /// What to wait on before reading or writing; `None` if that never has to wait.
    pub(super) fn poll_handle(&self) -> Option<PollHandle<'_>> {
        match self {
            Kind::Input(stream) => stream.poll_handle(),
            Kind::Output(stream) => stream.poll_handle(),
            Kind::File(open) => open.file.poll_handle(),
            Kind::Dir(_) => None,
            Kind::Listener(listener) => Some(listener.poll_handle()),
            Kind::Socket(socket) => Some(socket.poll_handle()),
        }
    }
}
