//! The words of a managed heap, which executing code reaches by their address.

use super::buffer::Buffer;
use core::slice;

/// Words that can become more, at an address that only growth changes.
///
/// Executing code reads and writes them through [`Region::base`] while the store that owns this is exclusively its own.
pub(crate) struct Region {
    buffer: Option<Buffer>,
    len: usize,
}

const WORD: usize = size_of::<u64>();

impl Region {
    pub(crate) const fn new() -> Region {
        Region { buffer: None, len: 0 }
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first byte; dangling as long as there is no word.
    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        self.buffer.as_ref().map_or(core::ptr::null_mut(), Buffer::as_ptr)
    }

    /// Makes it `len` words long; new ones are zero. Changes nothing and returns false if there is no room.
    pub(crate) fn grow(&mut self, len: usize) -> bool {
        let Some(size) = len.checked_mul(WORD) else { return false };
        match &mut self.buffer {
            None => match Buffer::zeroed(size) {
                Some(buffer) => self.buffer = Some(buffer),
                None => return false,
            },
            Some(buffer) if size > buffer.size() => {
                if !buffer.grow(self.len * WORD, size, size) {
                    return false;
                }
            }
            Some(_) => {}
        }
        self.len = self.len.max(len);
        true
    }

    pub(crate) fn words(&self) -> &[u64] {
        match &self.buffer {
            // SAFETY: the buffer has room for `len` words, all initialized, aligned to 16 bytes; nobody writes while `self`
            // is borrowed.
            Some(buffer) => unsafe { slice::from_raw_parts(buffer.as_ptr().cast(), self.len) },
            None => &[],
        }
    }

    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        match &self.buffer {
            // SAFETY: as in `words`; nobody else reads or writes while `self` is exclusively borrowed.
            Some(buffer) => unsafe { slice::from_raw_parts_mut(buffer.as_ptr().cast(), self.len) },
            None => &mut [],
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let words = self.words();
        // SAFETY: the same memory, and bytes have no alignment.
        unsafe { slice::from_raw_parts(words.as_ptr().cast(), words.len() * WORD) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let words = self.words_mut();
        // SAFETY: the same memory; every bit pattern is a byte and eight of them are a word.
        unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * WORD) }
    }
}
