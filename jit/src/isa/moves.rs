//! Moves between registers that happen as if all at once.

use crate::regs::{Reg, RegSet};

/// Moves between registers, of which each register is the destination of one at most.
#[derive(Clone, Debug)]
pub struct Moves {
    from: [Reg; 64],
    to: RegSet,
}

impl Default for Moves {
    fn default() -> Moves {
        Moves { from: [Reg::int(0); 64], to: RegSet::EMPTY }
    }
}

impl Moves {
    /// Adds `to = from`.
    #[inline]
    pub fn add(&mut self, to: Reg, from: Reg) {
        if to != from {
            self.from[to.index()] = from;
            self.to.add(to);
        }
    }

    /// Calls `emit` with destination and source of moves that do all this one after the other. `scratch` holds a value for the time of a
    /// circle: the first register for integers, the second for floats.
    pub fn resolve(mut self, scratch: [Reg; 2], mut emit: impl FnMut(Reg, Reg)) {
        if self.to.is_empty() {
            return;
        }
        let mut readers = [0u8; 64];
        for to in self.to.iter() {
            readers[self.from[to.index()].index()] += 1;
        }
        let mut ready = RegSet::EMPTY;
        for to in self.to.iter() {
            if readers[to.index()] == 0 {
                ready.add(to);
            }
        }
        loop {
            while let Some(to) = ready.first() {
                ready.remove(to);
                self.to.remove(to);
                let from = self.from[to.index()];
                emit(to, from);
                readers[from.index()] -= 1;
                if readers[from.index()] == 0 && self.to.has(from) {
                    ready.add(from);
                }
            }
            // What is left are circles, in which each register is read once.
            let Some(first) = self.to.first() else { return };
            let scratch = scratch[usize::from(first.is_float())];
            emit(scratch, first);
            for to in self.to.iter() {
                if self.from[to.index()] == first {
                    self.from[to.index()] = scratch;
                }
            }
            readers[scratch.index()] += 1;
            readers[first.index()] = 0;
            ready.add(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRATCH: [Reg; 2] = [Reg::int(16), Reg::float(31)];

    fn run(moves: &[(Reg, Reg)]) -> usize {
        let mut all = Moves::default();
        moves.iter().for_each(|&(to, from)| all.add(to, from));
        let mut values: Vec<usize> = (0..64).collect();
        let mut count = 0;
        all.resolve(SCRATCH, |to, from| {
            values[to.index()] = values[from.index()];
            count += 1;
        });
        for &(to, from) in moves {
            assert_eq!(values[to.index()], from.index(), "{moves:?}");
        }
        for (reg, &value) in values.iter().enumerate() {
            let moved = moves.iter().any(|(to, _)| to.index() == reg);
            let scratch = SCRATCH.iter().any(|s| s.index() == reg);
            assert!(moved || scratch || value == reg);
        }
        count
    }

    #[test]
    fn chains_trees_and_circles() {
        let r = Reg::int;
        let f = Reg::float;
        assert_eq!(run(&[]), 0);
        assert_eq!(run(&[(r(1), r(1))]), 0);
        assert_eq!(run(&[(r(0), r(1)), (r(1), r(2)), (r(2), r(3))]), 3);
        assert_eq!(run(&[(r(0), r(1)), (r(1), r(0))]), 3);
        assert_eq!(run(&[(r(0), r(1)), (r(1), r(0)), (r(2), r(1)), (r(3), r(0))]), 5);
        assert_eq!(run(&[(f(0), f(1)), (f(1), f(2)), (f(2), f(0)), (r(0), r(1)), (r(1), r(0))]), 7);
    }

    #[test]
    fn all_moves_among_four_registers() {
        for code in 0..5usize.pow(4) {
            let moves: Vec<_> = (0..4)
                .map(|to| (to, code / 5usize.pow(to) % 5))
                .filter(|&(_, from)| from < 4)
                .map(|(to, from)| (Reg::int(to as u8), Reg::int(from as u8)))
                .collect();
            run(&moves);
        }
    }
}
