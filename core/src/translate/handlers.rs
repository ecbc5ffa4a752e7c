//! Which `try_table` is the innermost one where: what tiers record while they translate. How they look at it is in [`runtime::handlers`](crate::runtime::handlers).

use crate::runtime::handlers::{Segment, Try};
use alloc::vec::Vec;

/// Records handlers of one function after the other; reused, for its allocations. `C` is what a tier knows of a clause.
#[derive(Debug)]
pub struct Recorder<C> {
    /// Which one is the innermost, in the order of positions.
    pub segments: Vec<Segment>,
    /// The `try_table`s.
    pub tries: Vec<Try>,
    /// Clauses of all of them.
    pub clauses: Vec<C>,
    /// Those that are open, innermost last.
    open: Vec<u32>,
}

impl<C> Default for Recorder<C> {
    fn default() -> Self {
        let (segments, tries) = (Vec::new(), Vec::new());
        Recorder { segments, tries, clauses: Vec::new(), open: Vec::new() }
    }
}

impl<C> Recorder<C> {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.tries.clear();
        self.clauses.clear();
        self.open.clear();
    }

    /// Begins a `try_table` at a position. Returns its number.
    pub fn begin(&mut self, at: u32) -> u32 {
        let number = self.tries.len() as u32;
        self.tries.push(Try { outer: self.open.last().copied(), clauses: (0, 0) });
        self.open.push(number);
        self.cover(at);
        number
    }

    /// Ends the innermost one. What it does not catch goes to the one that was opened as number `outer` of those that are
    /// open, counted from 1; 0 for none.
    pub fn end(&mut self, at: u32, outer: u32) {
        if let Some(ended) = self.open.pop() {
            let outer = (outer as usize).checked_sub(1).map(|i| self.open[i]);
            self.tries[ended as usize].outer = outer;
            self.cover(at);
        }
    }

    /// Sets the clauses of one.
    pub fn catch(&mut self, number: u32, clauses: impl IntoIterator<Item = C>) {
        let first = self.clauses.len() as u32;
        self.clauses.extend(clauses);
        self.tries[number as usize].clauses = (first, self.clauses.len() as u32);
    }

    /// From `at` on, the innermost one that is open is another than before.
    fn cover(&mut self, at: u32) {
        let innermost = self.open.last().copied();
        match self.segments.last_mut() {
            Some(last) if last.0 == at => last.1 = innermost,
            _ => self.segments.push((at, innermost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::handlers::innermost_first;

    /// The first clause for a tag: clauses are a tag and where it leads.
    fn find(recorder: &Recorder<(u32, u32)>, at: u32, tag: u32) -> Option<u32> {
        innermost_first(&recorder.segments, &recorder.tries, &recorder.clauses, at)
            .find(|clause| clause.0 == tag)
            .map(|clause| clause.1)
    }

    #[test]
    fn the_innermost_that_fits_catches() {
        let mut recorder = Recorder::default();
        let a = recorder.begin(10);
        recorder.catch(a, [(0, 1), (1, 2)]);
        let b = recorder.begin(20);
        recorder.catch(b, [(1, 3), (1, 4)]);
        recorder.end(30, 1);
        let empty = recorder.begin(30);
        recorder.catch(empty, [(1, 5)]);
        recorder.end(30, 1);
        recorder.end(40, 0);
        assert_eq!([9, 10, 20, 29, 30, 39, 40].map(|at| find(&recorder, at, 0)), {
            let a = Some(1);
            [None, a, a, a, a, a, None]
        });
        assert_eq!([9, 10, 20, 29, 30, 39, 40].map(|at| find(&recorder, at, 1)), {
            let (a, b) = (Some(2), Some(3));
            [None, a, b, b, a, a, None]
        });
        assert_eq!(find(&recorder, 25, 2), None);
    }

    #[test]
    fn what_is_delegated_passes_by_those_in_between() {
        let mut recorder = Recorder::default();
        let a = recorder.begin(0);
        let b = recorder.begin(0);
        recorder.begin(0);
        recorder.end(10, 1);
        recorder.end(20, 1);
        recorder.catch(b, [(0, 2)]);
        recorder.end(30, 0);
        recorder.catch(a, [(0, 1)]);
        assert_eq!([0, 10, 20].map(|at| find(&recorder, at, 0)), [Some(1), Some(2), Some(1)]);
    }
}
