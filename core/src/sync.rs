//! What may be used by several threads, where there are any.
//!
//! Targets without compare-and-swap have a single core, and here a single thread: what is [`Shared`](crate::Shared) stays on it. An
//! interrupt may only set flags and count, on which it does not meet anybody else who does.

use core::{
    any::Any,
    sync::atomic::{AtomicUsize, Ordering},
};

#[cfg(all(not(feature = "std"), target_has_atomic = "ptr"))]
pub use spin::Mutex;
#[cfg(feature = "std")]
pub use with_std::Mutex;
#[cfg(all(not(feature = "std"), not(target_has_atomic = "ptr")))]
pub use without_threads::Mutex;

/// Whatever may go to other threads where what is [`Shared`](crate::Shared) may: `Send + Sync`, or anything.
#[cfg(target_has_atomic = "ptr")]
pub trait Threaded: Send + Sync {}
#[cfg(target_has_atomic = "ptr")]
impl<T: Send + Sync + ?Sized> Threaded for T {}

/// Whatever may go to other threads where what is [`Shared`](crate::Shared) may: `Send + Sync`, or anything.
#[cfg(not(target_has_atomic = "ptr"))]
pub trait Threaded {}
#[cfg(not(target_has_atomic = "ptr"))]
impl<T: ?Sized> Threaded for T {}

/// Something [`Threaded`] of any type.
#[cfg(target_has_atomic = "ptr")]
pub type AnyThreaded = dyn Any + Send + Sync;
/// Something [`Threaded`] of any type.
#[cfg(not(target_has_atomic = "ptr"))]
pub type AnyThreaded = dyn Any;

/// Adds one to a counter. Answers what it was.
#[inline]
pub fn count(counter: &AtomicUsize) -> usize {
    #[cfg(target_has_atomic = "ptr")]
    return counter.fetch_add(1, Ordering::Relaxed);
    #[cfg(not(target_has_atomic = "ptr"))]
    {
        let before = counter.load(Ordering::Relaxed);
        counter.store(before.wrapping_add(1), Ordering::Relaxed);
        before
    }
}

/// Where there is an operating system, its lock.
#[cfg(feature = "std")]
mod with_std {
    use std::sync::{self, MutexGuard, PoisonError};

    /// `std`'s lock without poisoning: what it protects is consistent whenever it can panic.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Mutex<T> {
            Mutex(sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Where there is nobody to wait for.
#[cfg(all(not(feature = "std"), not(target_has_atomic = "ptr")))]
mod without_threads {
    use core::cell::{RefCell, RefMut};

    /// A lock that is always free.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(RefCell<T>);

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub fn new(value: T) -> Mutex<T> {
            Mutex(RefCell::new(value))
        }

        /// Takes the lock.
        pub fn lock(&self) -> RefMut<'_, T> {
            self.0.borrow_mut()
        }
    }
}
