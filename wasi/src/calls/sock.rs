//! Sockets.

use crate::Errno;
use crate::abi::{FdFlags, GuestMemory, RiFlags, Rights};
use crate::ctx::State;
use crate::descriptor::{Descriptor, Kind};
use crate::error::{Failure, Result};
use crate::host::Interest;

impl State {
    pub(crate) fn sock_accept(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
        out: u32,
    ) -> Result<()> {
        let flags = FdFlags::from_guest(flags)?;
        if !FdFlags::NONBLOCK.has(flags) {
            return Err(Errno::INVAL.into());
        }
        let waiting = self.waiting();
        let listener = self.fds.get_mut(fd)?;
        if !matches!(listener.kind, Kind::Listener(_)) {
            return Err(Errno::NOTSOCK.into());
        }
        listener.require(Rights::SOCK_ACCEPT)?;
        memory.check(out, 4)?;
        let rights = Rights::SOCKET.and(listener.inheriting);
        let waiting = listener.waiting(waiting);
        let socket = listener.kind.transfer(Interest::Read, waiting, |kind| match kind {
            Kind::Listener(listener) => Ok(listener.accept()?),
            _ => Err(Errno::NOTSOCK),
        })?;
        let accepted = self.fds.insert(Descriptor::socket(socket, rights, flags))?;
        memory.write_u32(out, accepted)
    }

    pub(crate) fn sock_recv(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        out: u32,
        roflags: u32,
    ) -> Result<()> {
        let flags = RiFlags::from_guest(flags)?;
        self.require_socket(fd, Rights::FD_READ)?;
        let buffers = memory.iovecs(iovs, iovs_len)?;
        let mut total = 0;
        for buffer in buffers.into_iter().filter(|buffer| buffer.len > 0) {
            let receive = |bytes: &mut [u8]| self.receive(fd, bytes, flags);
            let received = match memory.fill(buffer.ptr, buffer.len, receive) {
                Err(Failure::Errno(_) | Failure::Wait(_)) if total > 0 => break,
                received => received?,
            };
            total += received as u32;
            let more = flags.has(RiFlags::WAITALL) && !flags.has(RiFlags::PEEK);
            if !more || received < buffer.len as usize {
                break;
            }
        }
        memory.write_u32(out, total)?;
        memory.write(roflags, &[0; 2])
    }

    /// Fills `bytes` as far as `flags` ask for; less if the other side sends no more.
    fn receive(&mut self, fd: u32, bytes: &mut [u8], flags: RiFlags) -> Result<usize> {
        let waiting = self.fds.get(fd)?.waiting(self.waiting());
        let kind = &mut self.fds.get_mut(fd)?.kind;
        let mut filled = 0;
        loop {
            let rest = &mut bytes[filled..];
            let step = kind.transfer(Interest::Read, waiting, |kind| match kind {
                Kind::Socket(socket) if flags.has(RiFlags::PEEK) => Ok(socket.peek(rest)?),
                Kind::Socket(socket) => Ok(socket.read(rest)?),
                _ => Err(Errno::NOTSOCK),
            });
            let received = match step {
                Err(Failure::Errno(_) | Failure::Wait(_)) if filled > 0 => return Ok(filled),
                step => step?,
            };
            filled += received;
            let more = flags.has(RiFlags::WAITALL) && !flags.has(RiFlags::PEEK);
            if !more || received == 0 || filled == bytes.len() {
                return Ok(filled);
            }
        }
    }

    pub(crate) fn sock_send(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        out: u32,
    ) -> Result<()> {
        self.require_socket(fd, Rights::FD_WRITE)?;
        if flags != 0 {
            return Err(Errno::INVAL.into());
        }
        self.fd_write(memory, fd, iovs, iovs_len, out)
    }

    fn require_socket(&self, fd: u32, right: Rights) -> Result<()> {
        let descriptor = self.fds.get(fd)?;
        match descriptor.kind {
            Kind::Socket(_) => Ok(descriptor.require(right)?),
            _ => Err(Errno::NOTSOCK.into()),
        }
    }
}
