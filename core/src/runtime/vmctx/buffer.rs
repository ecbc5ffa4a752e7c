//! Zeroed bytes at a fixed address.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::{alloc::Layout, ptr::NonNull};

/// Zeroed bytes at a fixed address, aligned to 16 bytes: no more, so that allocators take fresh pages from the
/// operating system for large ones instead of clearing them.
pub(crate) struct Buffer {
    ptr: NonNull<u8>,
    layout: Layout,
}

impl Buffer {
    /// `size` zero bytes, `None` if there is no room for them.
    pub(crate) fn zeroed(size: usize) -> Option<Buffer> {
        let layout = Layout::from_size_align(size.max(16), 16).ok()?;
        // SAFETY: the layout's size is not zero.
        let ptr = unsafe { alloc_zeroed(layout) };
        Some(Buffer { ptr: NonNull::new(ptr)?, layout })
    }

    /// Number of bytes.
    pub(crate) fn size(&self) -> usize {
        self.layout.size()
    }

    /// The first byte. All of them may be read and written through this pointer as long as the buffer lives.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// Moves the first `used` bytes into a new buffer with room for `needed` bytes, or for up to `limit` if that
    /// saves further moves. Changes nothing and returns false if there is no room.
    pub(crate) fn grow(&mut self, used: usize, needed: usize, limit: usize) -> bool {
        debug_assert!(used <= self.size());
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
        // SAFETY: allocated in `zeroed` with the same layout, and freed only here.
        unsafe { dealloc(self.ptr.as_ptr(), self.layout) }
    }
}

// SAFETY: it owns its bytes, as a vector does.
unsafe impl Send for Buffer {}
// SAFETY: a shared reference gives a pointer only; what it may be used for is for its users to prove.
unsafe impl Sync for Buffer {}
