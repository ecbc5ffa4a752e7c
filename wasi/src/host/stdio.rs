//! The host's own standard streams and environment, for guests that inherit them.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

#[cfg(unix)]
use super::PollHandle;
use crate::stream::{InputStream, OutputStream};

/// The process's standard input, unbuffered.
pub(crate) struct Stdin;

/// The process's standard output or error, unbuffered.
pub(crate) enum Stdout {
    Out,
    Err,
}

impl InputStream for Stdin {
    #[cfg(unix)]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buf)?)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut io::stdin(), buf)
    }

    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(&io::stdin())
    }

    #[cfg(unix)]
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        Some(rustix::stdio::stdin().into())
    }
}

#[cfg(unix)]
impl Stdout {
    fn fd(&self) -> std::os::fd::BorrowedFd<'static> {
        match self {
            Stdout::Out => rustix::stdio::stdout(),
            Stdout::Err => rustix::stdio::stderr(),
        }
    }
}

impl OutputStream for Stdout {
    #[cfg(unix)]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.fd(), buf)?)
    }

    #[cfg(not(unix))]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stdout::Out => OutputStream::write(&mut io::stdout(), buf),
            Stdout::Err => OutputStream::write(&mut io::stderr(), buf),
        }
    }

    fn is_terminal(&self) -> bool {
        match self {
            Stdout::Out => IsTerminal::is_terminal(&io::stdout()),
            Stdout::Err => IsTerminal::is_terminal(&io::stderr()),
        }
    }

    #[cfg(unix)]
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        Some(self.fd().into())
    }
}

/// The bytes of an argument or of a part of the environment; what is not UTF-8 is replaced by U+FFFD.
pub(crate) fn os_bytes(text: OsString) -> Vec<u8> {
    text.to_string_lossy().into_owned().into_bytes()
}

/// The process's environment, as `KEY=VALUE`.
pub(crate) fn environment() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    std::env::vars_os().map(|(key, value)| (os_bytes(key), os_bytes(value)))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn what_is_not_text_is_replaced() {
        let bytes = super::os_bytes(std::ffi::OsString::from_vec(b"a\xffb".to_vec()));
        assert_eq!(bytes, "a\u{fffd}b".as_bytes());
    }
}
