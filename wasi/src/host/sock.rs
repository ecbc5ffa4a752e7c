//! TCP sockets. The host's sockets never block; waiting is done by polling, up to the deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::PollHandle;

/// A listening socket.
pub(crate) struct Listener(TcpListener);

/// A connection.
pub(crate) struct Socket(TcpStream);

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        Ok(Listener(listener))
    }

    pub(crate) fn accept(&self) -> io::Result<Socket> {
        let (stream, _) = self.0.accept()?;
        stream.set_nonblocking(true)?;
        Ok(Socket(stream))
    }

    pub(crate) fn poll_handle(&self) -> PollHandle<'_> {
        handle(&self.0)
    }
}

impl Socket {
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }

    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf)
    }

    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    pub(crate) fn poll_handle(&self) -> PollHandle<'_> {
        handle(&self.0)
    }
}

#[cfg(unix)]
fn handle(socket: &impl std::os::fd::AsFd) -> PollHandle<'_> {
    socket.as_fd().into()
}

#[cfg(not(unix))]
fn handle<S>(_: &S) -> PollHandle<'_> {
    PollHandle::new()
}
