//! Operands of ops, sorted by what they are, for those who look at all of an op. That they lie in the code has been checked.

use crate::forms::{layout, row};
use kinglet_core::op::Op;

/// The operands of an op, sorted by what they are.
#[derive(Default)]
pub(super) struct Operands {
    /// The slot of the result.
    pub(super) d: Option<u16>,
    /// Other slots of their own.
    pub(super) slots: Few<u16>,
    /// First slots of vectors.
    pub(super) vectors: Few<u16>,
    /// What is no slot. 64 bits are two numbers, the lower half first.
    pub(super) numbers: Few<u32>,
    /// Slots in a row: the first, and how many.
    pub(super) range: (u16, u16),
    /// The first of operands, results, arguments or values that stand in a row; how many is known elsewhere.
    pub(super) base: u16,
    /// The slot of a callee's header, if it calls.
    pub(super) header: Option<u16>,
    /// Whether the callee takes the place of the caller.
    pub(super) tail: bool,
    /// Whether its operands in a row are a fixed number, and its results are there.
    pub(super) is_multi: bool,
    /// Whether it is on a memory, atomically.
    pub(super) is_atomic: bool,
    /// Where the first jump target stands, and how many there are.
    pub(super) jumps: (usize, usize),
}

/// At most as many as any op has.
#[derive(Clone, Copy, Default)]
pub(super) struct Few<T> {
    pub(super) items: [T; 4],
    len: usize,
}

impl<T: Copy> Few<T> {
    fn push(&mut self, item: T) {
        self.items[self.len] = item;
        self.len += 1;
    }

    pub(super) fn list(&self) -> &[T] {
        &self.items[..self.len]
    }

    pub(super) fn last(&self) -> Option<T> {
        self.list().last().copied()
    }
}

/// Reads the operands of an op that is not fused, and moves `at` behind them.
pub(super) fn operands(code: &[u8], opcode: u16, at: &mut usize) -> Operands {
    let mut o = Operands::default();
    let mut count = 0;
    let u16 = |at: &mut usize| {
        *at += 2;
        u16::from_le_bytes([code[*at - 2], code[*at - 1]])
    };
    let u32 = |at: &mut usize| {
        *at += 4;
        read_u32(code, *at - 4)
    };
    for letter in layout(opcode).bytes() {
        match letter {
            b'd' => o.d = Some(u16(at)),
            b's' | b'k' => o.slots.push(u16(at)),
            b'v' => o.vectors.push(u16(at)),
            b'r' => o.range = (u16(at), u16(at)),
            b'b' | b'a' | b'T' => o.base = u16(at),
            b'M' => (o.base, o.is_multi) = (u16(at), true),
            b'h' => o.header = Some(u16(at)),
            // Of ops with a callee, only tail calls name the frame's own header.
            b'n' => (_, o.tail) = (u16(at), o.header.is_some()),
            b'l' => {
                o.numbers.push(u16(at).into());
                o.is_atomic = true;
            }
            b'w' | b'm' | b'z' | b'x' | b'1'..=b'9' => o.numbers.push(u16(at).into()),
            b'q' => (0..2).for_each(|_| o.numbers.push(u32(at))),
            b'c' => count = u32(at) as usize,
            b'j' => {
                o.jumps = (*at, 1);
                *at += 4;
            }
            b't' => {
                o.jumps = (*at, count + 1);
                *at += 4 * (count + 1);
            }
            _ => o.numbers.push(u32(at)),
        }
    }
    o
}

/// Where a jump leads whose distance stands at `at`.
pub(super) fn target(code: &[u8], at: usize) -> usize {
    at.wrapping_add_signed(read_u32(code, at) as i32 as isize)
}

pub(super) fn read_u16(code: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([code[at], code[at + 1]])
}

pub(super) fn read_u32(code: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([code[at], code[at + 1], code[at + 2], code[at + 3]])
}

/// The op of the class `slots` that this is, if it is one.
pub(super) fn slots_op(opcode: u16) -> Option<Op> {
    let number = opcode.checked_sub(row(Op::MemorySize).forms)?;
    Op::from_number(Op::MemorySize as u16 + number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::{COUNT, parts};

    /// No op has more operands of a kind than [`Operands`] has room for.
    #[test]
    fn operands_of_all_ops_have_room() {
        let code = [0; 256];
        for opcode in (0..COUNT as u16).filter(|&opcode| parts(opcode).is_none()) {
            operands(&code, opcode, &mut 0);
        }
    }
}
