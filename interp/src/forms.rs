//! The forms: opcodes and what belongs to them, made by the build script from the op table and `fusion.txt`.

include!(concat!(env!("OUT_DIR"), "/forms.rs"));

/// The opcode that does what `first` and then `second` do, if there is one.
#[inline]
pub(crate) fn fused(first: u16, second: u16) -> Option<u16> {
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
