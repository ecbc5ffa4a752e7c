//! A lock: the operating system's where there is one.

#[cfg(not(feature = "std"))]
pub(crate) use spin::Mutex;
#[cfg(feature = "std")]
pub(crate) use with_std::Mutex;

#[cfg(feature = "std")]
mod with_std {
    use std::sync::{self, MutexGuard, PoisonError};

    /// `std`'s lock without poisoning: what it protects is consistent whenever it can panic.
    #[derive(Default)]
    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
