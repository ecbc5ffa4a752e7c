//! Errors.

use crate::trap::Trap;
use alloc::{boxed::Box, string::String};
use core::fmt;

/// Why something could not be done. One word wide.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// What kind of failure an [`Error`] is.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a valid module.
    Invalid {
        /// What is wrong.
        message: String,
        /// Where in the binary.
        offset: usize,
    },
    /// The module is valid but needs something that is not supported or not enabled.
    Unsupported {
        /// What is needed.
        message: String,
        /// Where in the binary.
        offset: usize,
    },
    /// Guest code trapped.
    Trap(Trap),
}

impl Error {
    /// The bytes are not a valid module.
    #[cold]
    pub fn invalid(message: impl Into<String>, offset: usize) -> Error {
        Error(Box::new(ErrorKind::Invalid { message: message.into(), offset }))
    }

    /// The module needs something that is not supported or not enabled.
    #[cold]
    pub fn unsupported(message: impl Into<String>, offset: usize) -> Error {
        Error(Box::new(ErrorKind::Unsupported { message: message.into(), offset }))
    }
}

impl From<Trap> for Error {
    #[cold]
    fn from(trap: Trap) -> Error {
        Error(Box::new(ErrorKind::Trap(trap)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ErrorKind::Invalid { message, offset } | ErrorKind::Unsupported { message, offset } => {
                write!(f, "{message} (at offset {offset:#x})")
            }
            ErrorKind::Trap(trap) => trap.fmt(f),
        }
    }
}
