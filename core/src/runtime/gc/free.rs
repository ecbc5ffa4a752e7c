//! Free space: runs of units, in lists by size, and the one that allocation proceeds through.

use super::{FREE, header, split};

/// Free runs of a heap. A run begins with a header as objects do, and a link to the next one of about its size.
#[derive(Debug, Default)]
pub(super) struct FreeRuns {
    /// Allocation goes on at `cursor`, up to `end`.
    cursor: u32,
    end: u32,
    /// The first run of `2^n` units or more but less than `2^(n + 1)`.
    heads: [u32; BINS],
    /// Bit per list: whether it has a run.
    filled: u32,
    /// Units in runs that allocation has come to, less those that it gave back.
    pub(super) taken: usize,
}

const BINS: usize = 32;
/// Small objects go to runs of at least this binary logarithm of units first, which have room for many.
const ROOMY: u32 = 6;
/// How many runs are looked at that may or may not be long enough.
const LOOKS: usize = 16;

impl FreeRuns {
    /// The first of `units` free units, if the current run has them.
    #[inline]
    pub(super) fn take(&mut self, units: u32) -> Option<u32> {
        if self.end - self.cursor < units {
            return None;
        }
        let at = self.cursor;
        self.cursor += units;
        Some(at)
    }

    /// Makes another run the current one, in which there are `units` free units. `all` looks through all runs that might be
    /// long enough.
    pub(super) fn refill(&mut self, words: &mut [u64], units: u32, all: bool) -> bool {
        self.retire(words);
        let Some(run) = self.find(words, units, all) else { return false };
        let len = split(words[run as usize]).1;
        (self.cursor, self.end) = (run, run + len);
        self.taken += len as usize;
        true
    }

    /// Gives the rest of the current run back, so that all free space is in runs with headers.
    pub(super) fn retire(&mut self, words: &mut [u64]) {
        let (at, end) = (self.cursor, self.end);
        (self.cursor, self.end) = (0, 0);
        self.taken -= (end - at) as usize;
        self.add(words, at, end);
    }

    /// Adds the run from `at` to `end`.
    pub(super) fn add(&mut self, words: &mut [u64], at: u32, end: u32) {
        let len = end - at;
        if len == 0 {
            return;
        }
        words[at as usize] = header(FREE, len);
        // A single unit has no room for a link, and nothing fits there.
        if len > 1 {
            let bin = len.ilog2() as usize;
            words[at as usize + 1] = self.heads[bin].into();
            self.heads[bin] = at;
            self.filled |= 1 << bin;
        }
    }

    /// Forgets all runs.
    pub(super) fn clear(&mut self) {
        *self = FreeRuns::default();
    }

    fn find(&mut self, words: &mut [u64], units: u32, all: bool) -> Option<u32> {
        // In the lists from this one on, all runs are long enough.
        let sure = units.next_power_of_two().ilog2();
        let others = self.filled & u32::MAX << sure;
        let roomy = others & u32::MAX << ROOMY;
        let bin = if roomy != 0 { Some(roomy.trailing_zeros()) } else { others.checked_ilog2() };
        if let Some(bin) = bin {
            return Some(self.unlink(words, bin as usize, 0));
        }
        let bin = units.ilog2() as usize;
        let (mut before, mut run) = (0, self.heads[bin]);
        for _ in 0..if all { usize::MAX } else { LOOKS } {
            if run == 0 {
                break;
            }
            if split(words[run as usize]).1 >= units {
                return Some(self.unlink(words, bin, before));
            }
            (before, run) = (run, words[run as usize + 1] as u32);
        }
        None
    }

    /// Takes the run behind `before` out of its list, the first one if that is 0.
    fn unlink(&mut self, words: &mut [u64], bin: usize, before: u32) -> u32 {
        let run = if before == 0 { self.heads[bin] } else { words[before as usize + 1] as u32 };
        let next = words[run as usize + 1];
        if before == 0 {
            self.heads[bin] = next as u32;
        } else {
            words[before as usize + 1] = next;
        }
        if self.heads[bin] == 0 {
            self.filled &= !(1 << bin);
        }
        run
    }
}
