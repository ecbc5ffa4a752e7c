//! Values at fixed addresses.

use alloc::{alloc::alloc, boxed::Box};
use core::{alloc::Layout, ptr::NonNull};

/// A value at a fixed address, which executing code reaches through pointers.
///
/// Whoever has such a pointer uses it only while the store that owns this is exclusively theirs. Therefore
/// a shared reference to the owner means that nobody writes, an exclusive one that nobody else reads.
pub(crate) struct Fixed<T>(NonNull<T>);

impl<T: Copy> Fixed<T> {
    /// `None` if there is no room for it.
    pub(crate) fn new(value: T) -> Option<Fixed<T>> {
        const { assert!(size_of::<T>() != 0) };
        // SAFETY: the size is not zero.
        let place = NonNull::new(unsafe { alloc(Layout::new::<T>()) })?.cast::<T>();
        // SAFETY: just allocated for it.
        unsafe { place.write(value) };
        Some(Fixed(place))
    }

    /// Where the value stands.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    pub(crate) fn get(&self) -> T {
        // SAFETY: the place is freed only by `drop`; nobody writes while `self` is borrowed.
        unsafe { self.0.read() }
    }

    pub(crate) fn set(&mut self, value: T) {
        // SAFETY: as in `get`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { self.0.write(value) }
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: the place has been allocated as a box is, and nothing else frees it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: it owns the value, as a box does; see the type for who else has pointers to it.
unsafe impl<T> Send for Fixed<T> {}
// SAFETY: a shared reference only reads.
unsafe impl<T> Sync for Fixed<T> {}
