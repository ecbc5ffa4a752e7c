//! Zeroed bytes at a fixed address.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::{alloc::Layout, ptr::NonNull};

/// Zeroed bytes at a fixed address, aligned to 16 bytes: no more, so that allocators take fresh pages from the
/// operating system for large ones instead of clearing them.
pub(crate) struct Buffer {
    ptr: NonNull<u8>,
    size: usize,
    /// Whether it is from the heap.
    is_allocated: bool,
}

const ALIGN: usize = 16;

impl Buffer {
    /// `size` zero bytes, `None` if there is no room for them.
    pub(crate) fn zeroed(size: usize) -> Option<Buffer> {
        let size = size.max(ALIGN);
        let layout = Layout::from_size_align(size, ALIGN).ok()?;
        // SAFETY: the layout's size is not zero.
        let ptr = unsafe { alloc_zeroed(layout) };
        Some(Buffer { ptr: NonNull::new(ptr)?, size, is_allocated: true })
    }

    /// These bytes, without those in front of the first one that is aligned as a buffer is. They become zero. It does not grow.
    pub(crate) fn provided(bytes: &'static mut [u8]) -> Buffer {
        let start = bytes.as_ptr().align_offset(ALIGN).min(bytes.len());
        let bytes = &mut bytes[start..];
        bytes.fill(0);
        let size = bytes.len();
        Buffer { ptr: NonNull::from(bytes).cast(), size, is_allocated: false }
    }

    /// Number of bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The first byte. All of them may be read and written through this pointer as long as the buffer lives.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// Moves the first `used` bytes into a new buffer with room for `needed` bytes, or for up to `limit` if that
    /// saves further moves. Changes nothing and returns false if there is no room.
    pub(crate) fn grow(&mut self, used: usize, needed: usize, limit: usize) -> bool {
        debug_assert!(used <= self.size());
        if !self.is_allocated {
            return false;
        }
        let doubled = self.size().saturating_mul(2).clamp(needed, limit.max(needed));
        let Some(new) = Buffer::zeroed(doubled).or_else(|| Buffer::zeroed(needed)) else {
            return false;
        };
        let used = used.min(self.size()).min(new.size());
        // SAFETY: two allocations, both of at least `used` bytes.
        unsafe { new.ptr.copy_from_nonoverlapping(self.ptr, used) };
        *self = new;
        true
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.is_allocated
            && let Ok(layout) = Layout::from_size_align(self.size, ALIGN)
        {
            // SAFETY: allocated in `zeroed` with the same layout, and freed only here.
            unsafe { dealloc(self.ptr.as_ptr(), layout) }
        }
    }
}

// SAFETY: it owns its bytes, as a vector does.
unsafe impl Send for Buffer {}
// SAFETY: a shared reference gives a pointer only; what it may be used for is for its users to prove.
unsafe impl Sync for Buffer {}
