//! The elements of a table, where executing code finds them.

use super::{VmTable, buffer::Buffer, fixed::Fixed};
use core::slice;

/// A growable array of handles behind a [`VmTable`].
///
/// Executing code reads and writes elements through the `VmTable`, under the rule that [`Fixed`] states.
pub(crate) struct Elems {
    buffer: Buffer,
    vm: Fixed<VmTable>,
}

const SIZE: usize = size_of::<u32>();

impl Elems {
    /// `len` null handles, `None` if there is no room for them.
    pub(crate) fn nulls(len: usize) -> Option<Elems> {
        let buffer = Buffer::zeroed(len.checked_mul(SIZE)?)?;
        let vm = Fixed::new(VmTable { elems: buffer.as_ptr().cast(), len })?;
        Some(Elems { buffer, vm })
    }

    /// What executing code is given.
    pub(crate) fn vm(&self) -> *mut VmTable {
        self.vm.as_ptr()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.vm.get().len
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        let VmTable { elems, len } = self.vm.get();
        // SAFETY: `elems` is the buffer's, which has room for `len` handles, all of them initialized; nobody writes
        // while `self` is borrowed.
        unsafe { slice::from_raw_parts(elems, len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u32] {
        let VmTable { elems, len } = self.vm.get();
        // SAFETY: as in `as_slice`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { slice::from_raw_parts_mut(elems, len) }
    }

    /// Adds handles up to `len` of them, each `init`. Changes nothing and returns false if there is no room.
    pub(crate) fn grow(&mut self, len: usize, init: u32) -> bool {
        let old = self.len();
        let Some(needed) = len.checked_mul(SIZE) else { return false };
        if needed > self.buffer.size() && !self.buffer.grow(old * SIZE, needed, usize::MAX) {
            return false;
        }
        self.vm.set(VmTable { elems: self.buffer.as_ptr().cast(), len });
        // Nulls are there already, and pages that nobody has written to cost nothing.
        if init != 0 {
            self.as_mut_slice().get_mut(old..).unwrap_or_default().fill(init);
        }
        true
    }
}
