//! Errors: what went wrong, where in the binary or on the guest's stack.

use crate::{index::FuncIdx, trap::Trap};
use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::{any::Any, error::Error as StdError, fmt};

/// Why something could not be done. One word wide.
///
/// Displayed, an error is one line that names the matter, and behind it the stack of the guest if there was one;
/// `{:#}` leaves the stack away.
pub struct Error(Box<Inner>);

struct Inner {
    cause: Cause,
    /// What was being done, outermost last.
    context: Vec<String>,
    backtrace: Option<WasmBacktrace>,
    /// Whether the backtrace gets no more frames.
    closed: bool,
}

enum Cause {
    Invalid { message: Cow<'static, str>, offset: usize },
    Unsupported { message: Cow<'static, str>, offset: usize },
    Link(Cow<'static, str>),
    Limit(Cow<'static, str>),
    Trap(Trap),
    Host(Box<dyn StdError + Send + Sync>),
    Message(Cow<'static, str>),
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a valid module.
    Invalid,
    /// The module is valid but needs something that is not supported or not enabled.
    Unsupported,
    /// An import is missing or has another type than the module wants.
    Link,
    /// A limit of the configuration or of the store's limiter was met.
    Limit,
    /// Guest code trapped.
    Trap(Trap),
    /// A host function, or something else of the embedder's, failed.
    Host,
    /// Something else, as the message says: the embedder asked for what cannot be done, or made the error itself.
    Other,
}

impl Error {
    /// An error of the embedder: any error type, or a message.
    ///
    /// What it was made from can be had back by [`Error::downcast_ref`]. An `Error` goes through unchanged.
    #[cold]
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => match other.downcast::<Trap>() {
                Ok(trap) => Error::from(*trap),
                Err(other) => Error::of(Cause::Host(other)),
            },
        }
    }

    /// The same as [`Error::new`].
    #[cold]
    pub fn host(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::new(error)
    }

    /// An error that is a message.
    #[cold]
    pub fn msg(message: impl Into<Cow<'static, str>>) -> Error {
        Error::of(Cause::Message(message.into()))
    }

    /// The guest asked to end with this exit status.
    #[cold]
    pub fn i32_exit(status: i32) -> Error {
        Error::new(I32Exit(status))
    }

    /// The bytes are not a valid module.
    #[cold]
    pub fn invalid(message: impl Into<Cow<'static, str>>, offset: usize) -> Error {
        Error::of(Cause::Invalid { message: message.into(), offset })
    }

    /// The module needs something that is not supported or not enabled.
    #[cold]
    pub fn unsupported(message: impl Into<Cow<'static, str>>, offset: usize) -> Error {
        Error::of(Cause::Unsupported { message: message.into(), offset })
    }

    /// An import is missing or of another type.
    #[cold]
    pub fn link(message: impl Into<Cow<'static, str>>) -> Error {
        Error::of(Cause::Link(message.into()))
    }

    /// A limit was met.
    #[cold]
    pub fn limit(message: impl Into<Cow<'static, str>>) -> Error {
        Error::of(Cause::Limit(message.into()))
    }

    fn of(cause: Cause) -> Error {
        Error(Box::new(Inner { cause, context: Vec::new(), backtrace: None, closed: false }))
    }

    /// The error with a note on what was being done, which goes in front of the message.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Error {
        self.0.context.push(alloc::format!("{what}"));
        self
    }

    /// The error as a host function fails with it: a guest's stack that it has is that of a guest which the host has called.
    #[must_use]
    pub fn from_host(mut self) -> Error {
        self.0.closed = self.0.backtrace.is_some();
        self
    }

    /// How many frames of the guest's stack it has; `None` if it gets no more.
    pub fn open_frames(&self) -> Option<usize> {
        let frames = self.0.backtrace.as_ref().map_or(0, |backtrace| backtrace.frames.len());
        (!self.0.closed).then_some(frames)
    }

    /// The error with the guest's stack. Behind frames that it has already, these are the callers'.
    #[must_use]
    pub fn with_backtrace(mut self, backtrace: WasmBacktrace) -> Error {
        match &mut self.0.backtrace {
            Some(inner) => inner.frames.extend(backtrace.frames),
            none => *none = Some(backtrace),
        }
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Invalid { .. } => ErrorKind::Invalid,
            Cause::Unsupported { .. } => ErrorKind::Unsupported,
            Cause::Link(_) => ErrorKind::Link,
            Cause::Limit(_) => ErrorKind::Limit,
            Cause::Trap(trap) => ErrorKind::Trap(*trap),
            Cause::Host(_) => ErrorKind::Host,
            Cause::Message(_) => ErrorKind::Other,
        }
    }

    /// Where in the binary, in bytes from its start, if the error is about a module.
    pub fn offset(&self) -> Option<usize> {
        match self.0.cause {
            Cause::Invalid { offset, .. } | Cause::Unsupported { offset, .. } => Some(offset),
            _ => None,
        }
    }

    /// The trap, if it is one.
    pub fn trap(&self) -> Option<Trap> {
        match self.0.cause {
            Cause::Trap(trap) => Some(trap),
            _ => None,
        }
    }

    /// The same as [`Error::trap`].
    pub fn as_trap_code(&self) -> Option<Trap> {
        self.trap()
    }

    /// The exit status, if the guest asked to end.
    pub fn i32_exit_status(&self) -> Option<i32> {
        self.downcast_ref::<I32Exit>().map(|exit| exit.0)
    }

    /// The guest's stack when it happened, if guest code was running.
    pub fn wasm_backtrace(&self) -> Option<&WasmBacktrace> {
        self.0.backtrace.as_ref()
    }

    /// Whether it was made from a `E`.
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The `E` that it was made from: a [`Trap`], or an error of the embedder's.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match &self.0.cause {
            Cause::Trap(trap) => (trap as &dyn Any).downcast_ref(),
            Cause::Host(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The `E` that it was made from: a [`Trap`], or an error of the embedder's.
    pub fn downcast_mut<E: StdError + 'static>(&mut self) -> Option<&mut E> {
        match &mut self.0.cause {
            Cause::Trap(trap) => (trap as &mut dyn Any).downcast_mut(),
            Cause::Host(error) => error.downcast_mut(),
            _ => None,
        }
    }

    /// The `E` that it was made from, or the error itself if it was made from something else.
    pub fn downcast<E: StdError + 'static>(mut self) -> Result<E, Error> {
        if !self.is::<E>() {
            return Err(self);
        }
        let cause = core::mem::replace(&mut self.0.cause, Cause::Message(Cow::Borrowed("")));
        let source: Box<dyn StdError + Send + Sync> = match cause {
            Cause::Trap(trap) => Box::new(trap),
            Cause::Host(source) => source,
            _ => return Err(self),
        };
        source.downcast().map(|error| *error).map_err(Error::new)
    }
}

impl From<Trap> for Error {
    #[cold]
    fn from(trap: Trap) -> Error {
        Error::of(Cause::Trap(trap))
    }
}

macro_rules! from_errors {
    ($( $(#[$meta:meta])* $ty:ty; )*) => { $(
        $(#[$meta])*
        impl From<$ty> for Error {
            #[cold]
            fn from(error: $ty) -> Error {
                Error::new(error)
            }
        }
    )* };
}

from_errors! {
    I32Exit;
    ThrownException;
    Box<dyn StdError + Send + Sync>;
    fmt::Error;
    core::str::Utf8Error;
    alloc::string::FromUtf8Error;
    core::num::TryFromIntError;
    core::num::ParseIntError;
    core::array::TryFromSliceError;
    #[cfg(feature = "std")] std::io::Error;
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        self.0.cause.fmt(f)?;
        match &self.0.backtrace {
            Some(backtrace) if !f.alternate() => write!(f, "\n{backtrace}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            Cause::Host(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Invalid { message, offset } | Cause::Unsupported { message, offset } => {
                write!(f, "{message} (at offset {offset:#x})")
            }
            Cause::Link(message) | Cause::Limit(message) => f.write_str(message),
            Cause::Trap(trap) => trap.fmt(f),
            Cause::Host(error) => error.fmt(f),
            Cause::Message(message) => f.write_str(message),
        }
    }
}

/// The guest asked to end with an exit status. Host functions return it to unwind to the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct I32Exit(pub i32);

impl I32Exit {
    /// The exit status for the embedder's own process.
    pub fn process_exit_code(&self) -> i32 {
        self.0
    }
}

impl fmt::Display for I32Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exited with i32 exit status {}", self.0)
    }
}

impl StdError for I32Exit {}

/// An exception that no guest has caught is on its way through the host. The store holds it: whoever wants to end its way
/// takes it from there, everybody else returns the error on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrownException;

impl fmt::Display for ThrownException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("thrown Wasm exception")
    }
}

impl StdError for ThrownException {}

/// The guest's stack, innermost frame first.
#[derive(Clone, Debug)]
pub struct WasmBacktrace {
    frames: Vec<FrameInfo>,
}

/// A frame of a [`WasmBacktrace`].
#[derive(Clone, Debug)]
pub struct FrameInfo {
    /// The function, by its index in its module.
    pub func: FuncIdx,
    /// Name of the function, from the name section.
    pub name: Option<String>,
    /// Name of the module, from the name section.
    pub module_name: Option<String>,
    /// Where the frame stands, in bytes from the start of the binary.
    pub module_offset: Option<usize>,
    /// Where the frame stands, in bytes from the start of the function's body.
    pub func_offset: Option<usize>,
}

impl WasmBacktrace {
    /// A stack from its frames, innermost first.
    pub fn new(frames: Vec<FrameInfo>) -> WasmBacktrace {
        WasmBacktrace { frames }
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }
}

impl FrameInfo {
    /// The function, by its index in its module.
    pub fn func_index(&self) -> u32 {
        self.func.0
    }

    /// Name of the function, from the name section.
    pub fn func_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Name of the module, from the name section.
    pub fn module_name(&self) -> Option<&str> {
        self.module_name.as_deref()
    }

    /// Where the frame stands, in bytes from the start of the binary.
    pub fn module_offset(&self) -> Option<usize> {
        self.module_offset
    }

    /// Where the frame stands, in bytes from the start of the function's body.
    pub fn func_offset(&self) -> Option<usize> {
        self.func_offset
    }
}

impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wasm backtrace:")?;
        for (i, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {i:>3}: ")?;
            if let Some(offset) = frame.module_offset {
                write!(f, "{offset:>#8x} - ")?;
            }
            write!(f, "{}!", frame.module_name.as_deref().unwrap_or("<unknown>"))?;
            match &frame.name {
                Some(name) => f.write_str(name)?,
                None => write!(f, "<wasm function {}>", frame.func.0)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    #[test]
    fn one_word() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn errors_keep_what_they_were_made_from() {
        let error = Error::new(I32Exit(3));
        assert_eq!(error.i32_exit_status(), Some(3));
        assert!(error.is::<I32Exit>() && !error.is::<Trap>());
        assert_eq!(Error::new(Error::from(Trap::OutOfFuel)).trap(), Some(Trap::OutOfFuel));
        assert_eq!(Error::new(Trap::Interrupt).downcast::<Trap>().unwrap(), Trap::Interrupt);
        assert_eq!(Error::new("text").to_string(), "text");
    }

    #[test]
    fn display_puts_context_in_front_and_frames_behind() {
        let frame = |func, name: Option<&str>| FrameInfo {
            func: FuncIdx(func),
            name: name.map(String::from),
            module_name: None,
            module_offset: Some(0x3c),
            func_offset: Some(2),
        };
        let error = Error::from(Trap::UnreachableCodeReached)
            .with_backtrace(WasmBacktrace::new(vec![frame(0, Some("f"))]))
            .with_backtrace(WasmBacktrace::new(vec![frame(1, None)]))
            .context("running m");
        assert_eq!(
            error.to_string(),
            "running m: wasm trap: unreachable\nwasm backtrace:\n    0:     0x3c - <unknown>!f\n    1:     0x3c - <unknown>!<wasm function 1>"
        );
        assert_eq!(alloc::format!("{error:#}"), "running m: wasm trap: unreachable");
    }
}
