//! The bytecode of a module.
//!
//! All code of a module is one region, so that a return address is an offset into it:
//!
//! ```text
//! 0   STOP            where the outermost function returns to
//! 2   CROSS_RETURN    where a function returns to that another instance called
//! 8   entries         for each function of the module, where its code is, 4 bytes each
//! …   functions       each with its header: the slot of its pinned local
//! ```

mod placed;
#[cfg(feature = "compile")]
mod translate;
#[cfg(not(feature = "compile"))]
#[path = "code/elsewhere.rs"]
mod translate;

#[cfg(feature = "compile")]
pub use translate::Options;
pub(crate) use translate::Points;
#[cfg(feature = "compile")]
pub(crate) use translate::Translated;

use crate::handlers::{Clause, Handlers};
use core::{
    any::Any,
    fmt,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};
use kinglet_core::{
    error::Error,
    index::{FuncIdx, TagIdx},
    module::Module,
    runtime,
};
#[cfg(feature = "compile")]
use {crate::forms::in_small, alloc::boxed::Box, kinglet_core::op::OpSet};

/// Where the outermost function returns to.
pub(crate) const STOP: u32 = 0;
/// Where a function returns to that another instance called.
pub(crate) const CROSS_RETURN: u32 = 2;

/// The bytecode of a module.
pub struct Code {
    metered: bool,
    /// The newest region.
    base: AtomicPtr<u8>,
    /// As large as the largest frame of a function translated so far, in slots.
    frame_size: AtomicU32,
    source: Source,
}

/// Where code is from.
enum Source {
    /// It has been translated here, or will be.
    #[cfg(feature = "compile")]
    Translated(Box<translate::Translation>),
    /// It stands in an artifact.
    Placed(placed::Placed),
}

/// What is known about the code of a function.
#[derive(Clone, Copy)]
struct Function {
    /// Where it begins.
    start: u32,
    func: FuncIdx,
    /// The slot of the frame's header.
    header: u16,
    /// The slot that keeps the caller's pinned `f64` local, if this function has one.
    saved_pin: Option<u16>,
}

/// What an exception does to a frame.
pub(crate) enum Unwind {
    /// It is caught by this clause. Its target is an offset of the module's code.
    Caught(Clause),
    /// It goes on in the caller.
    Leave {
        /// The slot of the frame's header.
        header: u16,
        /// The slot that keeps the caller's pinned `f64` local, if that is not where it was.
        saved_pin: Option<u16>,
    },
}

impl Code {
    /// The code: the newest region.
    pub(crate) fn base(&self) -> *const u8 {
        self.base.load(Ordering::Acquire)
    }

    /// Slots that must lie between the beginning of a frame and the end of the value stack, for code that was found by [`Code::base`]
    /// before this was called.
    pub(crate) fn frame_size(&self) -> usize {
        self.frame_size.load(Ordering::Acquire) as usize
    }

    /// The function whose code is at this offset, and where it begins. What stands behind an op has to ask for that op, after which the
    /// code may end.
    pub(crate) fn find(&self, at: u32) -> Option<(FuncIdx, u32)> {
        self.function(at, |function, _| (function.func, function.start))
    }

    /// What `f` makes of the function whose code is at this offset, and of what catches exceptions in it.
    fn function<R>(&self, at: u32, f: impl FnOnce(&Function, Option<&Handlers>) -> R) -> Option<R> {
        match &self.source {
            #[cfg(feature = "compile")]
            Source::Translated(translation) => translation.function(at, f),
            Source::Placed(placed) => placed.function(at, f),
        }
    }

    /// Calls `slot` with each slot of a function's frame that holds a managed reference while the function stands at an op that stopped, by
    /// its offset from the beginning of the function; or, if not `exact`, behind an op that called.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub(crate) fn managed_slots(
        &self,
        module: &Module,
        func: FuncIdx,
        at: u32,
        exact: bool,
        slot: impl FnMut(usize),
    ) -> Result<(), Error> {
        match &self.source {
            #[cfg(feature = "compile")]
            Source::Translated(_) => self.stack_map(module, func)?.slots(at, exact, slot),
            #[cfg(feature = "gc")]
            Source::Placed(placed) => {
                if let Some(map) = placed.stack_map(module, func)? {
                    map.slots(at, exact, slot);
                }
            }
            // In such builds, artifacts have no values that are references.
            #[cfg(not(feature = "gc"))]
            Source::Placed(_) => _ = (module, func, at, exact, slot),
        }
        Ok(())
    }

    /// The slot of the header of the function whose code is at this offset, and that of the pinned `f64` that it has saved.
    #[cfg(feature = "native")]
    pub(crate) fn frame(&self, at: u32) -> Option<(u16, Option<u16>)> {
        self.function(at, |function, _| (function.header, function.saved_pin))
    }

    /// What becomes of an exception that gets to the op at this offset; `fits` says whether a tag is that of the exception.
    /// Takes one from `steps` for each clause that it looks at; `None` if they do not suffice.
    pub(crate) fn unwind(
        &self,
        at: u32,
        fits: impl Fn(TagIdx) -> bool,
        steps: &mut u64,
    ) -> Option<Unwind> {
        self.function(at, |&Function { start, header, saved_pin, .. }, handlers| {
            for clause in handlers.into_iter().flat_map(|handlers| handlers.at(at - start)) {
                *steps = steps.checked_sub(1)?;
                if clause.tag.is_none_or(&fits) {
                    let target = start + clause.target;
                    return Some(Unwind::Caught(Clause { target, ..*clause }));
                }
            }
            Some(Unwind::Leave { header, saved_pin })
        })?
    }

    /// Whether it takes fuel.
    pub(crate) fn is_metered(&self) -> bool {
        self.metered
    }
}

impl runtime::Code for Code {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("metered", &self.metered).finish_non_exhaustive()
    }
}

/// One of the interpreter's own ops, as code of this op set has it.
#[cfg(feature = "compile")]
pub(crate) fn of_set(opcode: u16, set: OpSet) -> u16 {
    if cfg!(feature = "ops-small") || set == OpSet::Small {
        in_small(opcode).unwrap_or(opcode)
    } else {
        opcode
    }
}
