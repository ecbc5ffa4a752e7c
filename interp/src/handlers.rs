//! What catches exceptions in a function: side tables that nothing looks at until something is thrown.

use alloc::{boxed::Box, vec::Vec};
use kinglet_core::index::TagIdx;

/// The handlers of a function.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    /// Which `try_table` is the innermost one from an offset of the function's code on, in the order of offsets.
    pub(crate) segments: Box<[Segment]>,
    pub(crate) tries: Box<[Try]>,
    /// Clauses of all of them.
    pub(crate) clauses: Box<[Clause]>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) start: u32,
    /// Number of the `try_table`, or [`NO_TRY`].
    pub(crate) innermost: u32,
}

/// A `try_table`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// The one whose turn it is when no clause of this one fits, or [`NO_TRY`].
    pub(crate) outer: u32,
    /// Where in the list of all clauses its own begin and end.
    pub(crate) clauses: (u32, u32),
}

/// Where no `try_table` is open.
pub(crate) const NO_TRY: u32 = u32::MAX;

/// A clause, and what it takes to go there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    /// The tag that an exception must have, if not all are caught.
    pub(crate) tag: Option<TagIdx>,
    /// Offset in the function's code.
    pub(crate) target: u32,
    /// The slot from which on the values go.
    pub(crate) slot: u16,
    /// The slot for a reference to the exception, if one goes anywhere.
    pub(crate) reference: Option<u16>,
    /// Whether anybody reads the reference. Otherwise it is null.
    pub(crate) wanted: bool,
}

impl Handlers {
    /// The clauses that may catch what is thrown by the op at `at`: those of the innermost `try_table` first.
    pub(crate) fn at(&self, at: u32) -> impl Iterator<Item = &Clause> {
        let behind = self.segments.partition_point(|segment| segment.start <= at);
        let segment = behind.checked_sub(1).map(|last| self.segments[last]);
        let get = |number: u32| self.tries.get(number as usize);
        let innermost = segment.and_then(|segment| get(segment.innermost));
        core::iter::successors(innermost, move |inner| get(inner.outer)).flat_map(|table| {
            let (first, end) = table.clauses;
            &self.clauses[first as usize..end as usize]
        })
    }
}

/// Handlers of a function that is being translated; reused, for its allocations.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    segments: Vec<Segment>,
    tries: Vec<Try>,
    /// Those that are open, innermost last.
    open: Vec<u32>,
    /// Targets are numbers of labels still.
    clauses: Vec<Clause>,
}

impl Recorder {
    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.tries.clear();
        self.open.clear();
        self.clauses.clear();
    }

    /// Begins a `try_table` at an offset. Returns its number.
    pub(crate) fn begin(&mut self, at: u32) -> u32 {
        let number = self.tries.len() as u32;
        let outer = self.open.last().copied().unwrap_or(NO_TRY);
        self.tries.push(Try { outer, clauses: (0, 0) });
        self.open.push(number);
        self.cover(at);
        number
    }

    /// Ends the innermost one. What it does not catch goes to the one that was opened as number `outer` of those that are
    /// open, counted from 1; 0 for none.
    pub(crate) fn end(&mut self, at: u32, outer: u32) {
        if let Some(ended) = self.open.pop() {
            let outer = (outer as usize).checked_sub(1).map_or(NO_TRY, |i| self.open[i]);
            self.tries[ended as usize].outer = outer;
            self.cover(at);
        }
    }

    /// Sets the clauses of one.
    pub(crate) fn catch(&mut self, number: u32, clauses: impl IntoIterator<Item = Clause>) {
        let first = self.clauses.len() as u32;
        self.clauses.extend(clauses);
        self.tries[number as usize].clauses = (first, self.clauses.len() as u32);
    }

    /// From `at` on, the innermost one that is open is another than before.
    fn cover(&mut self, at: u32) {
        let innermost = self.open.last().copied().unwrap_or(NO_TRY);
        match self.segments.last_mut() {
            Some(last) if last.start == at => last.innermost = innermost,
            _ => self.segments.push(Segment { start: at, innermost }),
        }
    }

    /// The handlers, if there are any; `target` gives the offset of a label.
    pub(crate) fn finish(&self, target: impl Fn(u32) -> u32) -> Option<Box<Handlers>> {
        if self.tries.is_empty() {
            return None;
        }
        let place = |clause: &Clause| Clause { target: target(clause.target), ..*clause };
        Some(Box::new(Handlers {
            segments: self.segments.as_slice().into(),
            tries: self.tries.as_slice().into(),
            clauses: self.clauses.iter().map(place).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(tag: u32, target: u32) -> Clause {
        Clause { tag: Some(TagIdx(tag)), target, slot: 0, reference: None, wanted: false }
    }

    #[test]
    fn the_innermost_that_fits_catches() {
        let mut recorder = Recorder::default();
        let a = recorder.begin(10);
        recorder.catch(a, [clause(0, 1), clause(1, 2)]);
        let b = recorder.begin(20);
        recorder.catch(b, [clause(1, 3), clause(1, 4)]);
        recorder.end(30, 1);
        let empty = recorder.begin(30);
        recorder.catch(empty, [clause(1, 5)]);
        recorder.end(30, 1);
        recorder.end(40, 0);
        let handlers = recorder.finish(|label| 100 + label).unwrap();
        let find = |at, tag| {
            handlers.at(at).find(|clause| clause.tag == Some(TagIdx(tag))).map(|c| c.target)
        };
        assert_eq!([9, 10, 20, 29, 30, 39, 40].map(|at| find(at, 0)), {
            let a = Some(101);
            [None, a, a, a, a, a, None]
        });
        assert_eq!([9, 10, 20, 29, 30, 39, 40].map(|at| find(at, 1)), {
            let (a, b) = (Some(102), Some(103));
            [None, a, b, b, a, a, None]
        });
        assert_eq!(find(25, 2), None);
    }

    #[test]
    fn what_is_delegated_passes_by_those_in_between() {
        let mut recorder = Recorder::default();
        let a = recorder.begin(0);
        let b = recorder.begin(0);
        recorder.begin(0);
        recorder.end(10, 1);
        recorder.end(20, 1);
        recorder.catch(b, [clause(0, 2)]);
        recorder.end(30, 0);
        recorder.catch(a, [clause(0, 1)]);
        let handlers = recorder.finish(|label| label).unwrap();
        let find = |at| handlers.at(at).next().map(|clause| clause.target);
        assert_eq!([0, 10, 20].map(find), [Some(1), Some(2), Some(1)]);
    }
}
