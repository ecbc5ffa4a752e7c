//! The forms: opcodes and what belongs to them, made by the build script from the op table and `fusion.txt`.

use kinglet_core::op::{Num, Op};

include!(concat!(env!("OUT_DIR"), "/forms.rs"));

/// What the sink needs to know about a row of the op table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowForms {
    /// First opcode of its value forms.
    pub(crate) forms: u16,
    /// First opcode of its branch forms, 0 without.
    pub(crate) branches: u16,
    /// Which of [`LISTS`](crate::kinds::LISTS) its operands' pairs of kinds are.
    pub(crate) list: u8,
    /// How many destinations each form has.
    pub(crate) destinations: u8,
    /// How many of [`KINDS`](crate::kinds::KINDS) a single operand has.
    pub(crate) operands: u8,
    /// Type of the operands.
    pub(crate) from: Num,
    /// Type of the result.
    pub(crate) to: Num,
    /// Whether operands may be exchanged.
    pub(crate) commutes: bool,
    /// Whether it is a comparison.
    pub(crate) compares: bool,
}

/// What the sink needs to know about `op`.
#[inline]
pub(crate) fn row(op: Op) -> &'static RowForms {
    &ROW_FORMS[op as usize]
}

/// The opcode that does what `first` and then `second` do, if there is one.
#[inline]
pub(crate) fn fused(first: u16, second: u16) -> Option<u16> {
    if FIRSTS[usize::from(first) / 64] >> (first % 64) & 1 == 0 {
        return None;
    }
    let key = u32::from(first) << 16 | u32::from(second);
    let mask = FUSION_KEYS.len() - 1;
    // Must agree with `fusion_hash` in the build script. The table is never full.
    let mut at = (key.wrapping_mul(0x9e37_79b1) >> 16) as usize & mask;
    loop {
        match FUSION_KEYS[at] {
            0 => return None,
            found if found == key => return Some(FUSION_VALUES[at]),
            _ => at = (at + 1) & mask,
        }
    }
}

/// Whether `opcode`, a form that writes the accumulator, has one that writes the pinned local, at `opcode + 2`.
#[inline]
pub(crate) fn pinnable(opcode: u16) -> bool {
    PINNABLE[usize::from(opcode) / 64] >> (opcode % 64) & 1 != 0
}
