//! Values at fixed addresses.

use alloc::boxed::Box;
use core::ptr::NonNull;

/// A value at a fixed address, which executing code reaches through pointers.
///
/// Whoever has such a pointer uses it only while the store that owns this is exclusively theirs. Therefore
/// a shared reference to the owner means that nobody writes, an exclusive one that nobody else reads.
pub(crate) struct Fixed<T>(NonNull<T>);

impl<T: Copy> Fixed<T> {
    pub(crate) fn new(value: T) -> Fixed<T> {
        Fixed(NonNull::from(Box::leak(Box::new(value))))
    }

    /// Where the value stands.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    pub(crate) fn get(&self) -> T {
        // SAFETY: the pointer is from a box that only `drop` frees; nobody writes while `self` is borrowed.
        unsafe { self.0.read() }
    }

    pub(crate) fn set(&mut self, value: T) {
        // SAFETY: as in `get`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { self.0.write(value) }
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is from a box that nothing else frees.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: it owns the value, as a box does; see the type for who else has pointers to it.
unsafe impl<T> Send for Fixed<T> {}
// SAFETY: a shared reference only reads.
unsafe impl<T> Sync for Fixed<T> {}
