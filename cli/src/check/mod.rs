//! The same run in two tiers. What the first does is recorded, with the real host; the second is given the recording in place of
//! the host, and has to do the same.
//!
//! ```text
//!  guest ──► Recorder ──► host            guest ──► Replay
//!               └─► Recording ───────────────────────┘
//! ```
//!
//! What is compared: the functions of the host that are called, with their arguments; at each of these calls and in the end, fuel,
//! globals and memories; how the run ends. The host may change the memories, but nothing else of the guest's.

mod observe;
mod record;
mod replay;
#[cfg(test)]
mod tests;

pub(crate) use record::Recorder;
pub(crate) use replay::{Difference, Replay};

use kinglet::{Error, Trap, Val};
use observe::State;

/// What a run did, as far as the host can see.
pub(crate) struct Recording {
    calls: Vec<HostCall>,
    end: End,
    state: State,
}

/// A call of the host.
struct HostCall {
    /// Which of the imports.
    import: usize,
    params: Vec<String>,
    /// How the guest was when it called.
    state: State,
    outcome: Result<Vec<Val>, Failed>,
    /// What the host wrote: index of the memory, offset, bytes.
    written: Vec<(usize, usize, Vec<u8>)>,
}

/// How a function of the host failed: for the guest, the same.
#[derive(Clone)]
enum Failed {
    Trap(Trap),
    Error(String),
}

impl Failed {
    fn of(error: &Error) -> Failed {
        match error.trap() {
            Some(trap) => Failed::Trap(trap),
            None => Failed::Error(error.to_string()),
        }
    }

    fn again(self) -> Error {
        match self {
            Failed::Trap(trap) => trap.into(),
            Failed::Error(message) => Error::msg(message),
        }
    }
}

/// How a run ended.
#[derive(Debug, PartialEq)]
struct End {
    /// The results, or what went wrong.
    outcome: Result<Vec<String>, String>,
    /// For each frame of the backtrace, index of the function and offset in the binary.
    frames: Vec<(u32, Option<usize>)>,
    /// Whether the stack was full, which is not at the same place in all tiers.
    overflow: bool,
}

impl End {
    fn of(outcome: Result<&[Val], &Error>) -> End {
        let frames = outcome.err().and_then(Error::wasm_backtrace).map_or(&[][..], |b| b.frames());
        End {
            frames: frames
                .iter()
                .map(|frame| (frame.func_index(), frame.module_offset()))
                .collect(),
            overflow: outcome.err().and_then(Error::trap) == Some(Trap::StackOverflow),
            outcome: match outcome {
                Ok(results) => Ok(observe::texts(results)),
                Err(error) => Err(format!("{error:#}")),
            },
        }
    }
}
