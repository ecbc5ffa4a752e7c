//! What went wrong, and the exit code that says so.

use std::io;

use anstream::eprintln;
use anstyle::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Why a command stops: a message, in one line unless a backtrace or a place in a text follows, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: i32,
}

impl Failure {
    /// Something could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: 1 }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: 2 }
    }

    /// The guest trapped: what a process that aborts exits with.
    pub(crate) fn trap(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: 134 }
    }

    /// The tiers differ: what the system's conventions call an internal error of software.
    pub(crate) fn difference(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: 70 }
    }

    /// Tells the user, and gives the exit code.
    pub(crate) fn report(&self) -> i32 {
        if !self.message.is_empty() {
            eprintln!("{ERROR}error:{ERROR:#} {}", self.message.trim_end());
        }
        self.code
    }
}

/// Output could not be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // The reader has had enough; this is no reason to complain. The code is that of a process which SIGPIPE ends.
            return Failure { message: String::new(), code: 141 };
        }
        Failure::new(format!("cannot write the output: {error}"))
    }
}
