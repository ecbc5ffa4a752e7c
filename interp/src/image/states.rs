//! Which slots of a frame hold references at an op, and of which types; and how artifacts say so of the ops that jumps lead to.
//!
//! A list of bytes for each function: numbers in LEB128. For each op that has a state, in order: how many bytes it stands behind the one
//! before, or behind the beginning of the function, and how many slots hold references there; then for each of these, in order, the
//! difference to the slot before it, or its number, and what it holds.

use super::types::{Held, Types};
use alloc::vec::Vec;

/// What is known at an op.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By slot.
    slots: Vec<Option<Held>>,
    /// Bit per slot: whether it holds a reference.
    held: Vec<u64>,
    /// The accumulator of integers and references.
    pub(super) acc: Option<Held>,
    /// Whether control gets there at all. If not, nothing has to hold.
    pub(super) is_live: bool,
    /// How often what a slot holds has changed.
    pub(super) writes: usize,
    /// Where slots have begun or ceased to hold references, if somebody wants to know: slot, and what it holds from then on.
    pub(super) changes: Option<Vec<(u16, Option<Held>)>>,
}

impl State {
    /// At the beginning of a function, with a frame of so many slots.
    pub(super) fn begin(&mut self, frame: u32) {
        self.slots.resize(frame as usize, None);
        self.held.resize((frame as usize).div_ceil(64), 0);
        self.forget_from(0);
        (self.acc, self.is_live) = (None, true);
    }

    /// What a slot holds, if it is a reference.
    pub(super) fn get(&self, slot: u16) -> Option<Held> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// A slot is written. There is such a slot.
    pub(super) fn set(&mut self, slot: u16, held: Option<Held>) {
        let at = usize::from(slot);
        if self.slots[at] == held {
            return;
        }
        self.slots[at] = held;
        self.writes += 1;
        let bit = 1 << (at % 64);
        if held.is_some() {
            self.held[at / 64] |= bit
        } else {
            self.held[at / 64] &= !bit
        }
        if let Some(changes) = &mut self.changes {
            changes.push((slot, held));
        }
    }

    /// All slots from this one on are written. Answers how much there was to look at.
    pub(super) fn forget_from(&mut self, slot: u16) -> usize {
        self.keep_from(slot, |_| false)
    }

    /// Control comes from elsewhere: nothing is known but these, which are in order. Answers how much there was to look at.
    pub(super) fn become_these(&mut self, slots: &[(u16, Held)]) -> usize {
        let mut rest = slots.iter().peekable();
        let work = self.keep_from(0, |slot| {
            while rest.next_if(|kept| kept.0 < slot).is_some() {}
            rest.peek().is_some_and(|kept| kept.0 == slot)
        });
        slots.iter().for_each(|&(slot, held)| self.set(slot, Some(held)));
        (self.acc, self.is_live) = (None, true);
        work + slots.len()
    }

    /// All slots from this one on are written but for those that `keep` says.
    fn keep_from(&mut self, slot: u16, mut keep: impl FnMut(u16) -> bool) -> usize {
        let first = usize::from(slot) / 64;
        for word in first..self.held.len() {
            let mut bits = self.held[word];
            if word == first {
                bits &= !0 << (slot % 64);
            }
            while bits != 0 {
                let slot = (64 * word) as u16 + bits.trailing_zeros() as u16;
                bits &= bits - 1;
                if !keep(slot) {
                    self.set(slot, None);
                }
            }
        }
        self.held.len().saturating_sub(first)
    }
}

/// What is known wherever jumps lead to in a function.
#[derive(Debug, Default)]
pub(super) struct States {
    /// Offset from the beginning of the function, and how many of the slots belong to those up to this one.
    ops: Vec<(u32, u32)>,
    slots: Vec<(u16, Held)>,
}

impl States {
    /// Reads those of a function, in place of others. `None` if they are not as they should be.
    pub(super) fn read(&mut self, mut bytes: &[u8], frame: u32, types: &Types) -> Option<()> {
        self.ops.clear();
        self.slots.clear();
        let mut at = 0u32;
        while !bytes.is_empty() {
            let distance = number(&mut bytes)?;
            at = at.checked_add(distance).filter(|_| distance > 0)?;
            // Every slot takes two bytes.
            let count = number(&mut bytes).filter(|&count| count as usize <= bytes.len() / 2)?;
            let mut slot = 0u32;
            for i in 0..count {
                let distance = number(&mut bytes)?;
                slot = slot.checked_add(distance).filter(|&slot| slot < frame)?;
                let held = types.with_number(number(&mut bytes)?)?;
                if i > 0 && distance == 0 {
                    return None;
                }
                self.slots.push((slot as u16, held));
            }
            self.ops.push((at, self.slots.len() as u32));
        }
        Some(())
    }

    /// The op of this number that has a state: its offset, and what slots hold there.
    pub(super) fn nth(&self, number: usize) -> Option<(u32, &[(u16, Held)])> {
        let &(at, end) = self.ops.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ops[before].1);
        Some((at, &self.slots[start as usize..end as usize]))
    }

    /// What slots hold at the op at this offset, if it has a state.
    pub(super) fn at(&self, offset: u32) -> Option<&[(u16, Held)]> {
        let number = self.ops.binary_search_by_key(&offset, |op| op.0).ok()?;
        self.nth(number).map(|(_, slots)| slots)
    }
}

/// A number of at most 32 bits.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (mut value, mut shift) = (0u32, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u32::from(byte & 0x7f);
        if shift > 28 || (shift == 28 && part > 15) {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

/// Writes the states of a function, in the order of their ops.
#[cfg(feature = "compile")]
pub(super) fn write<'a>(states: impl Iterator<Item = (u32, &'a [(u16, Held)])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number = |mut number: u32| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut before = 0;
    for (at, slots) in states {
        number(at - before);
        before = at;
        number(slots.len() as u32);
        let mut before = 0;
        for &(slot, held) in slots {
            number(u32::from(slot - before));
            before = slot;
            number(held.number());
        }
    }
    bytes
}
