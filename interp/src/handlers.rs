//! What catches exceptions in a function: side tables that nothing looks at until something is thrown.

use alloc::boxed::Box;
use kinglet_core::{
    index::TagIdx,
    runtime::handlers::{Segment, Try, innermost_first},
};

/// The handlers of a function.
#[derive(Debug)]
pub(crate) struct Handlers {
    /// Which `try_table` is the innermost one from an offset of the function's code on, in the order of offsets.
    pub(crate) segments: Box<[Segment]>,
    /// The `try_table`s.
    pub(crate) tries: Box<[Try]>,
    /// Clauses of all of them.
    pub(crate) clauses: Box<[Clause]>,
}

/// A clause, and what it takes to go there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    /// The tag that an exception must have, if not all are caught.
    pub(crate) tag: Option<TagIdx>,
    /// Offset in the function's code; the number of a label while that is not known.
    pub(crate) target: u32,
    /// The slot from which on the values go.
    pub(crate) slot: u16,
    /// The slot for a reference to the exception, if one goes anywhere.
    pub(crate) reference: Option<u16>,
    /// Whether anybody reads the reference. Otherwise it is null.
    pub(crate) wanted: bool,
}

impl Handlers {
    /// Those of a function that catches nothing.
    #[cfg(feature = "gc")]
    pub(crate) fn none() -> Handlers {
        Handlers { segments: Box::default(), tries: Box::default(), clauses: Box::default() }
    }

    /// The clauses that may catch what is thrown by the op at `at`: those of the innermost `try_table` first.
    pub(crate) fn at(&self, at: u32) -> impl Iterator<Item = &Clause> {
        innermost_first(&self.segments, &self.tries, &self.clauses, at)
    }
}
