//! A lock: the operating system's where there is one.

#[cfg(not(feature = "std"))]
pub use spin::Mutex;
#[cfg(feature = "std")]
pub use with_std::Mutex;

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
