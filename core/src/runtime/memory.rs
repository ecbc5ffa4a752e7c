//! Linear memories.

#![allow(unsafe_code, reason = "owns the bytes that executing code reads and writes")]

use super::vmctx::{MEMORY_HEADER, VmMemory, buffer::Buffer, fixed::Fixed, memory_header};
use crate::types::MemoryType;
use core::slice;

/// A linear memory (spec, 4.2.9).
///
/// Executing code reads and writes it through its [`VmMemory`], only while the store that owns it is exclusively
/// theirs: a shared reference to the memory means that nobody writes, an exclusive one that nobody else reads.
pub struct Memory {
    ty: MemoryType,
    /// The header that [`vmctx`](super::vmctx) describes, then `len` bytes in use, then zeros to grow into.
    buffer: Buffer,
    len: usize,
    vm: Fixed<VmMemory>,
}

impl Memory {
    /// A memory with the minimal size of its type, `None` if the host has no room for it.
    pub(super) fn new(ty: MemoryType) -> Option<Memory> {
        let len = byte_size(&ty, ty.minimum)?;
        let buffer = Buffer::zeroed(len.checked_add(MEMORY_HEADER)?)?;
        let vm = Fixed::new(VmMemory { base: buffer.as_ptr() });
        let mut memory = Memory { ty, buffer, len, vm };
        memory.set_len(len);
        Some(memory)
    }

    /// The type that the memory was created with.
    pub fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// What executing code is given.
    pub(super) fn vm(&self) -> *mut VmMemory {
        self.vm.as_ptr()
    }

    /// Size in pages.
    pub fn size(&self) -> u64 {
        self.len as u64 >> self.ty.page_size_log2
    }

    /// The bytes.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the buffer holds a header and at least `len` bytes; nobody writes while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.buffer.as_ptr().add(MEMORY_HEADER), self.len) }
    }

    /// The bytes, writable.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { slice::from_raw_parts_mut(self.buffer.as_ptr().add(MEMORY_HEADER), self.len) }
    }

    /// The size in bytes that the memory would have with `delta` more pages, `None` if its type does not allow that.
    pub(super) fn grown_len(&self, delta: u64) -> Option<usize> {
        let pages = self.size().checked_add(delta).filter(|&pages| pages <= self.ty.limit())?;
        byte_size(&self.ty, pages)
    }

    /// Makes the memory `len` bytes long, a length from [`Memory::grown_len`]. Changes nothing and returns false if
    /// the host has no room.
    pub(super) fn grow(&mut self, len: usize) -> bool {
        debug_assert!(len >= self.len);
        let Some(needed) = len.checked_add(MEMORY_HEADER) else { return false };
        if needed > self.buffer.size() {
            let most = byte_size(&self.ty, self.ty.limit()).unwrap_or(isize::MAX as usize);
            let limit = most.saturating_add(MEMORY_HEADER);
            if !self.buffer.grow(MEMORY_HEADER + self.len, needed, limit) {
                return false;
            }
        }
        self.set_len(len);
        true
    }

    fn set_len(&mut self, len: usize) {
        self.len = len;
        let header = memory_header(len as u64);
        let start = self.buffer.as_ptr();
        // SAFETY: the buffer begins with room for the header, and nobody else uses it while `self` is exclusively borrowed.
        unsafe { start.copy_from_nonoverlapping(header.as_ptr(), MEMORY_HEADER) };
        // SAFETY: the header is part of the buffer.
        self.vm.set(VmMemory { base: unsafe { start.add(MEMORY_HEADER) } });
    }
}

/// Bytes of so many pages, `None` if the host cannot address as many.
fn byte_size(ty: &MemoryType, pages: u64) -> Option<usize> {
    let bytes = pages.checked_mul(ty.page_size())?;
    usize::try_from(bytes).ok().filter(|&bytes| bytes <= isize::MAX as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(minimum: u64, maximum: Option<u64>) -> MemoryType {
        MemoryType { is_64: false, minimum, maximum, page_size_log2: 16, shared: false }
    }

    #[test]
    fn grows_up_to_its_maximum_and_keeps_its_bytes() {
        let mut memory = Memory::new(ty(1, Some(5))).unwrap();
        memory.data_mut()[65_535] = 7;
        for pages in 2..=5 {
            let len = memory.grown_len(1).unwrap();
            assert!(memory.grow(len));
            assert_eq!((memory.size(), memory.data().len()), (pages, pages as usize * 65_536));
        }
        assert_eq!(memory.grown_len(1), None);
        assert_eq!(memory.data()[65_535], 7);
        assert_eq!(memory.data().iter().map(|&b| usize::from(b)).sum::<usize>(), 7);
    }

    #[test]
    fn sizes_beyond_the_address_space_are_refused() {
        assert!(Memory::new(MemoryType { is_64: true, ..ty(1 << 47, None) }).is_none());
        let memory = Memory::new(ty(0, None)).unwrap();
        assert_eq!(memory.grown_len(65_537), None);
        assert_eq!(memory.grown_len(u64::MAX), None);
    }
}
