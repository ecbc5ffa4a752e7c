//! How a call can end other than by returning to the guest.

use std::fmt;

use crate::Errno;
use crate::calls::Wait;

/// The [deadline](crate::WasiCtxBuilder::deadline) passed while the guest was inside a WASI call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout;

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed during a WASI call")
    }
}

impl std::error::Error for Timeout {}

/// The guest passed a pointer that leads out of its memory, or has no memory called `memory`.
///
/// The specification has such a call trap, rather than return an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadPointer {
    /// Some bytes that the function was to read or write lie outside of the guest's memory.
    OutOfBounds,
    /// The module exports no memory of the name `memory`.
    NoMemory,
}

impl fmt::Display for BadPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPointer::OutOfBounds => "a pointer passed to WASI leads out of bounds of memory",
            BadPointer::NoMemory => "WASI needs a memory, but the module exports none as `memory`",
        })
    }
}

impl std::error::Error for BadPointer {}

/// Why a call does not succeed: an error code for the guest, or the end of it.
pub(crate) enum Failure {
    Errno(Errno),
    OutOfBounds,
    Timeout,
    Exit(i32),
    /// Not at all yet: it has to wait.
    Wait(Box<Wait>),
}

pub(crate) type Result<T, E = Failure> = core::result::Result<T, E>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Errno(error.into())
    }
}
