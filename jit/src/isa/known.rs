//! Accesses of memory that need no check, because an earlier check covers them.

use crate::ir::Vreg;

const ROOM: usize = 8;

/// For some registers, how far behind the address in it the first memory is known to reach. Memories never shrink, so
/// calls change nothing.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    entries: [(Vreg, u64); ROOM],
    len: usize,
    oldest: usize,
}

impl Default for Known {
    fn default() -> Known {
        Known { entries: [(Vreg(0), 0); ROOM], len: 0, oldest: 0 }
    }
}

impl Known {
    /// Whether an access that ends `end` bytes behind the address is in bounds.
    #[inline]
    pub fn covers(&self, address: Vreg, end: u64) -> bool {
        self.entries[..self.len].iter().any(|&(vreg, known)| vreg == address && end <= known)
    }

    /// Notes that an access that ends `end` bytes behind the address has been checked.
    pub fn checked(&mut self, address: Vreg, end: u64) {
        if let Some(entry) = self.entries[..self.len].iter_mut().find(|entry| entry.0 == address) {
            entry.1 = entry.1.max(end);
        } else if self.len < ROOM {
            self.entries[self.len] = (address, end);
            self.len += 1;
        } else {
            self.entries[self.oldest] = (address, end);
            self.oldest = (self.oldest + 1) % ROOM;
        }
    }

    /// A register is written.
    #[inline]
    pub fn written(&mut self, vreg: Vreg) {
        if let Some(at) = self.entries[..self.len].iter().position(|entry| entry.0 == vreg) {
            self.len -= 1;
            self.entries[at] = self.entries[self.len];
        }
    }

    /// Control may come from elsewhere.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_has_been_checked_since_the_last_write() {
        let mut known = Known::default();
        let [a, b] = [Vreg(1), Vreg(2)];
        known.checked(a, 8);
        assert!(known.covers(a, 8) && known.covers(a, 1) && !known.covers(a, 9));
        assert!(!known.covers(b, 1));
        known.checked(a, 4);
        assert!(known.covers(a, 8));
        known.checked(b, 1);
        known.written(a);
        assert!(!known.covers(a, 1) && known.covers(b, 1));
        known.clear();
        assert!(!known.covers(b, 1));
        for vreg in 0..100 {
            known.checked(Vreg(vreg), 4);
            assert!(known.covers(Vreg(vreg), 4));
        }
        for vreg in 0..100 {
            known.written(Vreg(vreg));
            assert!(!known.covers(Vreg(vreg), 1));
        }
    }
}
