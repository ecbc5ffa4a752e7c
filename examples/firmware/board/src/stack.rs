//! How deep the stack has been: it is painted, and what has lost its colour was in use.

const COLOUR: u32 = 0xC010_12ED;
/// Bytes below a local of [`paint`] that its own frame may take.
const FRAME: usize = 64;

unsafe extern "C" {
    static mut _heap_end: u32;
    static _stack_start: u32;
}

/// Paints what is free of the stack.
#[inline(never)]
pub(crate) fn paint() {
    let mut at = &raw mut _heap_end;
    let end = (&raw const at as usize) - FRAME;
    while (at as usize) < end {
        // SAFETY: the stack ends at `_heap_end`, and nobody has come further down than to `end` but to return.
        unsafe {
            at.write_volatile(COLOUR);
            at = at.add(1);
        }
    }
}

/// Bytes between the beginning of the stack and what has been in use since it was painted.
pub(crate) fn used() -> usize {
    let (mut at, start) = (&raw const _heap_end, &raw const _stack_start);
    // SAFETY: all of it is the stack's memory.
    while at < start && unsafe { at.read_volatile() } == COLOUR {
        at = at.wrapping_add(1);
    }
    start as usize - at as usize
}
