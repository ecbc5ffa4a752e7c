//! Linear memories.

#![allow(unsafe_code, reason = "owns the bytes that executing code reads and writes")]

#[cfg(feature = "threads")]
mod racy;
#[cfg(feature = "threads")]
mod shared;
#[cfg(feature = "threads")]
mod waiters;

#[cfg(feature = "threads")]
pub use self::{racy::Racy, shared::SharedMemory, waiters::WaitResult};

use super::vmctx::{MEMORY_HEADER, VmMemory, buffer::Buffer, fixed::Fixed, memory_header};
#[cfg(feature = "threads")]
use crate::Shared;
use crate::{
    index::{copy_range, out_of_range},
    op::Class,
    trap::Trap,
    types::MemoryType,
};
use core::{ops::Range, slice};
#[cfg(feature = "threads")]
use {alloc::alloc::handle_alloc_error, core::alloc::Layout};

/// A linear memory (spec, 4.2.9).
///
/// Executing code reads and writes it through its [`VmMemory`], unless it is shared only while the store that owns it is exclusively
/// theirs: a shared reference to the memory means that nobody writes, an exclusive one that nobody else reads.
pub struct Memory {
    ty: MemoryType,
    bytes: Bytes,
    vm: Fixed<VmMemory>,
}

enum Bytes {
    /// Of this memory alone: the header that [`vmctx`](super::vmctx) describes, then `len` bytes in use, then zeros to grow into.
    Own { buffer: Buffer, len: usize },
    /// Of a memory that other stores have as well.
    #[cfg(feature = "threads")]
    Shared(Shared<SharedMemory>),
}

impl Memory {
    /// A memory with the minimal size of its type, `None` if the host has no room for it. If it is shared, it will not
    /// grow beyond `most` bytes.
    pub(super) fn new(ty: MemoryType, most: u64) -> Option<Memory> {
        #[cfg(feature = "threads")]
        if ty.shared {
            return SharedMemory::new(ty, most).map(Memory::from_shared);
        }
        let _ = most;
        let len = byte_size(&ty, ty.minimum)?;
        let buffer = Buffer::zeroed(len.checked_add(MEMORY_HEADER)?)?;
        Memory::from_buffer(ty, buffer, len)
    }

    /// A memory of `len` bytes in a buffer. `None` if it has no room for them and the header, or the host none for the rest.
    pub(super) fn from_buffer(ty: MemoryType, buffer: Buffer, len: usize) -> Option<Memory> {
        buffer.size().checked_sub(MEMORY_HEADER).filter(|&room| room >= len)?;
        let vm = Fixed::new(VmMemory { base: buffer.as_ptr() })?;
        let mut memory = Memory { ty, bytes: Bytes::Own { buffer, len }, vm };
        memory.set_len(len);
        Some(memory)
    }

    /// A shared memory as one of a store.
    #[cfg(feature = "threads")]
    pub(super) fn from_shared(shared: Shared<SharedMemory>) -> Memory {
        let vm = Fixed::new(VmMemory { base: shared.base() });
        let vm = vm.unwrap_or_else(|| handle_alloc_error(Layout::new::<VmMemory>()));
        Memory { ty: *shared.ty(), bytes: Bytes::Shared(shared), vm }
    }

    /// The shared memory that it is, if it is one.
    #[cfg(feature = "threads")]
    pub fn as_shared(&self) -> Option<&Shared<SharedMemory>> {
        match &self.bytes {
            Bytes::Shared(shared) => Some(shared),
            Bytes::Own { .. } => None,
        }
    }

    /// The type that the memory was created with.
    pub fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// What executing code is given.
    pub(super) fn vm(&self) -> *mut VmMemory {
        self.vm.as_ptr()
    }

    /// Size in bytes.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match &self.bytes {
            Bytes::Own { len, .. } => *len,
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.len(),
        }
    }

    /// Size in pages.
    pub fn size(&self) -> u64 {
        self.len() as u64 >> self.ty.page_size_log2
    }

    /// The bytes.
    ///
    /// # Panics
    /// If the memory is shared.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let (start, len) = self.own();
        // SAFETY: the buffer holds a header and at least `len` bytes; nobody writes while `self` is borrowed.
        unsafe { slice::from_raw_parts(start, len) }
    }

    /// The bytes, writable.
    ///
    /// # Panics
    /// If the memory is shared.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let (start, len) = self.own();
        // SAFETY: as in `data`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { slice::from_raw_parts_mut(start, len) }
    }

    /// Where the bytes begin that are its own, and how many there are.
    #[inline]
    fn own(&self) -> (*mut u8, usize) {
        match &self.bytes {
            // In bounds: the buffer has room for the header.
            Bytes::Own { buffer, len } => (buffer.as_ptr().wrapping_add(MEMORY_HEADER), *len),
            #[cfg(feature = "threads")]
            Bytes::Shared(_) => panic!("the bytes of a shared memory cannot be borrowed"),
        }
    }

    /// Reads bytes from `at`.
    ///
    /// # Panics
    /// If it does not have them all.
    pub(super) fn read(&self, at: usize, to: &mut [u8]) {
        match &self.bytes {
            Bytes::Own { .. } => {
                copy_range(to, 0..to.len(), self.data(), at..at.saturating_add(to.len()));
            }
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.read(at, to),
        }
    }

    /// Writes bytes from `at`.
    ///
    /// # Panics
    /// If there is no room for them all.
    pub(super) fn write(&mut self, at: usize, from: &[u8]) {
        match &self.bytes {
            Bytes::Own { .. } => {
                let to = at..at.saturating_add(from.len());
                copy_range(self.data_mut(), to, from, 0..from.len());
            }
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.write(at, from),
        }
    }

    /// Sets the bytes of a range.
    ///
    /// # Panics
    /// If it does not have them all.
    pub(super) fn fill(&mut self, range: Range<usize>, value: u8) {
        match &self.bytes {
            Bytes::Own { .. } => match self.data_mut().get_mut(range) {
                Some(bytes) => bytes.fill(value),
                None => out_of_range(),
            },
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.fill(range, value),
        }
    }

    /// Does an op of one of the atomic classes on the number of `size` bytes at `address`, with the operands `a` and `b`.
    /// Answers what the number was.
    pub(super) fn atomic(
        &mut self,
        op: Class,
        size: usize,
        address: u64,
        a: u64,
        b: u64,
    ) -> Result<u64, Trap> {
        let mask = u64::MAX >> (64 - 8 * size);
        let update = |old| updated(op, old, a & mask, b & mask);
        match &self.bytes {
            Bytes::Own { len, .. } => {
                let at = aligned(address, size, *len)?;
                let mut old = [0; 8];
                self.read(at, old.get_mut(..size).unwrap_or_default());
                let old = u64::from_le_bytes(old);
                if let Some(new) = update(old) {
                    self.write(at, new.to_le_bytes().get(..size).unwrap_or_default());
                }
                Ok(old)
            }
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.update_sized(size, address, update),
        }
    }

    /// The size in bytes that the memory would have with `delta` pages more than `len` bytes, `None` if its type does not allow that.
    pub(super) fn grown_len(&self, len: usize, delta: u64) -> Option<usize> {
        let pages = len as u64 >> self.ty.page_size_log2;
        let pages = pages.checked_add(delta).filter(|&pages| pages <= self.ty.limit())?;
        byte_size(&self.ty, pages)
    }

    /// Makes the memory `new` bytes long, a length from [`Memory::grown_len`], if it has `old` bytes.
    pub(super) fn grow(&mut self, old: usize, new: usize) -> Growth {
        debug_assert!(new >= old);
        match &mut self.bytes {
            Bytes::Own { buffer, len } => {
                debug_assert_eq!(*len, old);
                let Some(needed) = new.checked_add(MEMORY_HEADER) else { return Growth::NoRoom };
                if needed > buffer.size() {
                    let most = byte_size(&self.ty, self.ty.limit()).unwrap_or(isize::MAX as usize);
                    let limit = most.saturating_add(MEMORY_HEADER);
                    if !buffer.grow(MEMORY_HEADER + old, needed, limit) {
                        return Growth::NoRoom;
                    }
                }
                self.set_len(new);
                Growth::Done
            }
            #[cfg(feature = "threads")]
            Bytes::Shared(shared) => shared.grow(old, new),
        }
    }

    /// Sets the length of a memory whose bytes are its own.
    fn set_len(&mut self, new: usize) {
        let (base, _) = self.own();
        let header = memory_header(new as u64);
        // SAFETY: the header stands in front of the first byte, and nobody else uses it while `self` is exclusively borrowed.
        unsafe {
            base.sub(MEMORY_HEADER).copy_from_nonoverlapping(header.as_ptr(), MEMORY_HEADER);
        }
        self.vm.set(VmMemory { base });
        match &mut self.bytes {
            Bytes::Own { len, .. } => *len = new,
            #[cfg(feature = "threads")]
            Bytes::Shared(_) => {}
        }
    }
}

/// What came of an attempt to grow a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It has grown.
    Done,
    /// The host has no room.
    NoRoom,
    /// Another thread was faster: the memory has another size than it had.
    Raced,
}

/// What an op of one of the atomic classes writes if it finds `old`, `None` if it writes nothing.
fn updated(op: Class, old: u64, a: u64, b: u64) -> Option<u64> {
    match op {
        Class::atomic_store | Class::atomic_xchg => Some(a),
        Class::atomic_add => Some(old.wrapping_add(a)),
        Class::atomic_sub => Some(old.wrapping_sub(a)),
        Class::atomic_and => Some(old & a),
        Class::atomic_or => Some(old | a),
        Class::atomic_xor => Some(old ^ a),
        Class::atomic_cmpxchg => (old == a).then_some(b),
        _ => None,
    }
}

/// Where an atomic access of `size` bytes at `address` goes in a memory of `len` bytes.
fn aligned(address: u64, size: usize, len: usize) -> Result<usize, Trap> {
    if !address.is_multiple_of(size as u64) {
        return Err(Trap::HeapMisaligned);
    }
    let at = usize::try_from(address).map_err(|_| Trap::MemoryOutOfBounds)?;
    match len.checked_sub(at) {
        Some(left) if left >= size => Ok(at),
        _ => Err(Trap::MemoryOutOfBounds),
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
        let mut memory = Memory::new(ty(1, Some(5)), u64::MAX).unwrap();
        memory.data_mut()[65_535] = 7;
        for pages in 2..=5 {
            let old = memory.len();
            let len = memory.grown_len(old, 1).unwrap();
            assert_eq!(memory.grow(old, len), Growth::Done);
            assert_eq!((memory.size(), memory.data().len()), (pages, pages as usize * 65_536));
        }
        assert_eq!(memory.grown_len(memory.len(), 1), None);
        assert_eq!(memory.data()[65_535], 7);
        assert_eq!(memory.data().iter().map(|&b| usize::from(b)).sum::<usize>(), 7);
    }

    #[test]
    fn sizes_beyond_the_address_space_are_refused() {
        assert!(Memory::new(MemoryType { is_64: true, ..ty(1 << 47, None) }, u64::MAX).is_none());
        let memory = Memory::new(ty(0, None), u64::MAX).unwrap();
        assert_eq!(memory.grown_len(0, 65_537), None);
        assert_eq!(memory.grown_len(0, u64::MAX), None);
    }

    #[test]
    fn atomic_ops_replace_what_they_answer() {
        let mut memory = Memory::new(ty(1, None), u64::MAX).unwrap();
        atomic_ops(&mut memory);
        #[cfg(feature = "threads")]
        {
            let ty = MemoryType { shared: true, ..ty(1, Some(1)) };
            atomic_ops(&mut Memory::new(ty, u64::MAX).unwrap());
        }
    }

    fn atomic_ops(memory: &mut Memory) {
        use Class::*;
        // Op, size, operands; what was there, and what is there then.
        let steps = [
            (atomic_store, 8, 0x1122_3344_5566_7788, 0, 0, 0x1122_3344_5566_7788),
            (atomic_add, 1, 0x78, 0, 0x88, 0x1122_3344_5566_7700),
            (atomic_sub, 2, 0x7701, 0, 0x7700, 0x1122_3344_5566_ffff),
            (atomic_and, 4, 0x0f0f_0f0f, 0, 0x5566_ffff, 0x1122_3344_0506_0f0f),
            (atomic_or, 8, 1 << 63, 0, 0x1122_3344_0506_0f0f, 0x9122_3344_0506_0f0f),
            (atomic_xor, 1, 0xff, 0, 0x0f, 0x9122_3344_0506_0ff0),
            (atomic_xchg, 2, 0xabcd_1234, 0, 0x0ff0, 0x9122_3344_0506_1234),
            (atomic_cmpxchg, 1, 0x35, 0xff, 0x34, 0x9122_3344_0506_1234),
            // Operands are cut to the size of the number.
            (atomic_cmpxchg, 1, 0xaa34, 0xbbff, 0x34, 0x9122_3344_0506_12ff),
            (atomic_load, 4, 0, 0, 0x0506_12ff, 0x9122_3344_0506_12ff),
        ];
        for (op, size, a, b, old, new) in steps {
            assert_eq!(memory.atomic(op, size, 8, a, b), Ok(old), "{op:?}");
            let mut bytes = [0; 8];
            memory.read(8, &mut bytes);
            assert_eq!(u64::from_le_bytes(bytes), new, "{op:?}");
        }
        let last = 65_536 - 8;
        assert_eq!(memory.atomic(atomic_load, 8, last, 0, 0), Ok(0));
        assert_eq!(memory.atomic(atomic_load, 8, last + 1, 0, 0), Err(Trap::HeapMisaligned));
        assert_eq!(memory.atomic(atomic_load, 8, last + 8, 0, 0), Err(Trap::MemoryOutOfBounds));
        let end = u64::MAX - 7;
        assert_eq!(memory.atomic(atomic_load, 8, end, 0, 0), Err(Trap::MemoryOutOfBounds));
    }
}
