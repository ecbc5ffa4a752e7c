//! Numbers that other threads read and write at the same time.
//!
//! Every access is atomic, so that a race has a result: all of the number if it is aligned, otherwise each of its bytes. The
//! specification lets guests see no less, and no more.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::*};

/// A number in a shared memory, where it is little-endian and at any address.
pub trait Racy: Copy {
    /// Reads it.
    ///
    /// # Safety
    /// The bytes are in a shared memory, and stay there for the time of the call. Nobody accesses them but atomically.
    unsafe fn load(from: *const Self) -> Self;

    /// Writes it.
    ///
    /// # Safety
    /// As for [`Racy::load`].
    unsafe fn store(to: *mut Self, value: Self);
}

/// An unsigned integer in a shared memory.
pub(super) trait Word: Racy {
    /// Replaces it by what `update` makes of it, if anything, as if at one moment, in the one order that all threads see
    /// such updates in. Answers what it was.
    ///
    /// # Safety
    /// As for [`Racy::load`]; and it is aligned.
    unsafe fn update(at: *mut Self, update: impl Fn(u64) -> Option<u64>) -> u64;
}

macro_rules! racy {
    ($( $ty:ident $Atomic:ident; )*) => { $(
        impl Racy for $ty {
            #[inline(always)]
            unsafe fn load(from: *const $ty) -> $ty {
                if from.is_aligned() {
                    // SAFETY: as promised by the caller; it is aligned.
                    let number = unsafe { $Atomic::from_ptr(from.cast_mut()) };
                    return $ty::from_le(number.load(Relaxed));
                }
                let mut value = 0;
                for i in 0..size_of::<$ty>() {
                    // SAFETY: as promised by the caller.
                    let byte = unsafe { AtomicU8::from_ptr(from.cast_mut().cast::<u8>().add(i)) };
                    value |= $ty::from(byte.load(Relaxed)) << (8 * i);
                }
                value
            }

            #[inline(always)]
            unsafe fn store(to: *mut $ty, value: $ty) {
                if to.is_aligned() {
                    // SAFETY: as promised by the caller; it is aligned.
                    let number = unsafe { $Atomic::from_ptr(to) };
                    return number.store(value.to_le(), Relaxed);
                }
                for i in 0..size_of::<$ty>() {
                    // SAFETY: as promised by the caller.
                    let byte = unsafe { AtomicU8::from_ptr(to.cast::<u8>().add(i)) };
                    byte.store((value >> (8 * i)) as u8, Relaxed);
                }
            }
        }

        impl Word for $ty {
            unsafe fn update(at: *mut $ty, update: impl Fn(u64) -> Option<u64>) -> u64 {
                // SAFETY: as promised by the caller.
                let number = unsafe { $Atomic::from_ptr(at) };
                let mut found = number.load(SeqCst);
                loop {
                    let old = $ty::from_le(found).into();
                    let Some(new) = update(old) else { return old };
                    match number.compare_exchange_weak(found, (new as $ty).to_le(), SeqCst, SeqCst) {
                        Ok(_) => return old,
                        Err(other) => found = other,
                    }
                }
            }
        }
    )* };
}

racy! {
    u8 AtomicU8;
    u16 AtomicU16;
    u32 AtomicU32;
    u64 AtomicU64;
}

macro_rules! as_bits {
    ($( $ty:ident $bits:ident, |$from:ident| $value:expr, |$to:ident| $to_bits:expr; )*) => { $(
        impl Racy for $ty {
            #[inline(always)]
            unsafe fn load(from: *const $ty) -> $ty {
                // SAFETY: as promised by the caller.
                let $from = unsafe { $bits::load(from.cast()) };
                $value
            }

            #[inline(always)]
            unsafe fn store(to: *mut $ty, $to: $ty) {
                // SAFETY: as promised by the caller.
                unsafe { $bits::store(to.cast(), $to_bits) }
            }
        }
    )* };
}

as_bits! {
    i8 u8, |bits| bits as i8, |value| value as u8;
    i16 u16, |bits| bits as i16, |value| value as u16;
    i32 u32, |bits| bits as i32, |value| value as u32;
    f32 u32, |bits| f32::from_bits(bits), |value| value.to_bits();
    f64 u64, |bits| f64::from_bits(bits), |value| value.to_bits();
}
