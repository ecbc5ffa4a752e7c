//! Linear memories that several threads use at the same time.

use super::{Growth, WaitResult, aligned, byte_size, racy::Word, waiters::Waiters};
use crate::{
    Shared,
    runtime::vmctx::{MEMORY_HEADER, MEMORY_LEN, buffer::Buffer, memory_header},
    trap::Trap,
    types::MemoryType,
};
use core::{
    ops::Range,
    slice,
    sync::atomic::{AtomicU8, AtomicU64, Ordering::*},
    time::Duration,
};
use std::sync::{Mutex, PoisonError};

/// A linear memory that several stores on several threads use at the same time.
///
/// Its bytes never move: there is room for as many as it can ever have. They are read and written atomically, by whomever,
/// and so is the header in front of them. The length only grows.
pub struct SharedMemory {
    ty: MemoryType,
    /// The header that [`vmctx`](crate::runtime::vmctx) describes, then the bytes in use, then zeros to grow into.
    buffer: Buffer,
    /// How many bytes it can have.
    capacity: usize,
    growth: Mutex<()>,
    waiters: Waiters,
}

impl SharedMemory {
    /// A memory with the minimal size of its type, which can grow up to its maximum, but not beyond `most` bytes. `None` if the host has no room.
    pub fn new(ty: MemoryType, most: u64) -> Option<Shared<SharedMemory>> {
        let len = byte_size(&ty, ty.minimum)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let capacity = byte_size(&ty, ty.limit()).unwrap_or(usize::MAX).min(most).max(len);
        // Pages that nobody has written to take no room.
        let buffer = Buffer::zeroed(capacity.checked_add(MEMORY_HEADER)?)?;
        let (growth, waiters) = (Mutex::new(()), Waiters::default());
        let memory = SharedMemory { ty, buffer, capacity, growth, waiters };
        memory.publish(len);
        Some(Shared::new(memory))
    }

    /// The type that the memory was created with.
    pub fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// The first byte, with the header in front.
    pub(super) fn base(&self) -> *mut u8 {
        self.buffer.as_ptr().wrapping_add(MEMORY_HEADER)
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        let len = self.base().wrapping_sub(MEMORY_LEN).cast::<u64>();
        // SAFETY: the header is part of the buffer, aligned, and only accessed atomically.
        unsafe { AtomicU64::from_ptr(len) }.load(Acquire) as usize
    }

    /// Whether it has no bytes now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in pages.
    pub fn size(&self) -> u64 {
        self.len() as u64 >> self.ty.page_size_log2
    }

    /// The bytes that it has now.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: the buffer has so many bytes behind the header, which are zeroed at first and only accessed atomically.
        unsafe { slice::from_raw_parts(self.base().cast::<AtomicU8>(), self.len()) }
    }

    /// Reads the bytes from `at`.
    ///
    /// # Panics
    /// If it does not have them all.
    pub fn read(&self, at: usize, to: &mut [u8]) {
        let (head, words, tail) = pieces(&self.bytes()[at..at + to.len()]);
        let (first, rest) = to.split_at_mut(head.len());
        let (middle, last) = rest.split_at_mut(8 * words.len());
        for (to, from) in first.iter_mut().zip(head).chain(last.iter_mut().zip(tail)) {
            *to = from.load(Relaxed);
        }
        for (to, from) in middle.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&from.load(Relaxed).to_ne_bytes());
        }
    }

    /// Writes bytes from `at`.
    ///
    /// # Panics
    /// If there is no room for them all.
    pub fn write(&self, at: usize, from: &[u8]) {
        let (head, words, tail) = pieces(&self.bytes()[at..at + from.len()]);
        let (first, rest) = from.split_at(head.len());
        let (middle, last) = rest.split_at(8 * words.len());
        for (to, from) in head.iter().zip(first).chain(tail.iter().zip(last)) {
            to.store(*from, Relaxed);
        }
        for (to, from) in words.iter().zip(middle.chunks_exact(8)) {
            let bytes = from.try_into().expect("chunks of eight bytes");
            to.store(u64::from_ne_bytes(bytes), Relaxed);
        }
    }

    /// Sets the bytes of a range.
    ///
    /// # Panics
    /// If it does not have them all.
    pub fn fill(&self, range: Range<usize>, value: u8) {
        let (head, words, tail) = pieces(&self.bytes()[range]);
        head.iter().chain(tail).for_each(|byte| byte.store(value, Relaxed));
        let word = u64::from_ne_bytes([value; 8]);
        words.iter().for_each(|to| to.store(word, Relaxed));
    }

    /// Makes the memory `new` bytes long if it still has `old` bytes.
    pub fn grow(&self, old: usize, new: usize) -> Growth {
        debug_assert!(new >= old);
        let _growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        if self.len() != old {
            return Growth::Raced;
        }
        if new > self.capacity {
            return Growth::NoRoom;
        }
        self.publish(new);
        Growth::Done
    }

    /// Lets everybody know how long the memory is.
    fn publish(&self, len: usize) {
        let start = self.buffer.as_ptr().cast::<u64>();
        for (i, word) in memory_header(len as u64).chunks_exact(8).enumerate() {
            let word = u64::from_ne_bytes(word.try_into().expect("chunks of eight bytes"));
            // SAFETY: the buffer begins with the header, is aligned to words, and the header is only accessed atomically.
            unsafe { AtomicU64::from_ptr(start.add(i)) }.store(word, Release);
        }
    }

    /// Replaces the number of `size` bytes at `address` by what `update` makes of it, if anything, as if at one moment.
    /// Answers what it was.
    pub(super) fn update_sized(
        &self,
        size: usize,
        address: u64,
        update: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, Trap> {
        match size {
            1 => self.update::<u8>(address, update),
            2 => self.update::<u16>(address, update),
            4 => self.update::<u32>(address, update),
            _ => self.update::<u64>(address, update),
        }
    }

    fn update<N: Word>(
        &self,
        address: u64,
        update: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, Trap> {
        let at = aligned(address, size_of::<N>(), self.len())?;
        // SAFETY: so many bytes of the memory, which is aligned to 16 bytes, begin at a multiple of their number.
        Ok(unsafe { N::update(self.base().wrapping_add(at).cast(), update) })
    }

    /// Waits at `address` until another thread notifies this one, if the number of `size` bytes there is the expected one. `None` if
    /// `interrupted` became true first.
    ///
    /// # Errors
    /// Traps if the address is not in the memory, or not a multiple of the number's size.
    pub fn wait(
        &self,
        size: usize,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
        interrupted: Option<&dyn Fn() -> bool>,
    ) -> Result<Option<WaitResult>, Trap> {
        aligned(address, size, self.len())?;
        let holds = || self.update_sized(size, address, |_| None) == Ok(expected);
        Ok(self.waiters.wait(address, timeout, holds, interrupted))
    }

    /// Wakes up to `count` threads that wait at `address`. Answers how many.
    ///
    /// # Errors
    /// Traps if the address is not in the memory, or not a multiple of four.
    pub fn notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        aligned(address, 4, self.len())?;
        Ok(self.waiters.notify(address, count))
    }
}

/// Bytes up to the first multiple of eight, words of eight bytes, and the bytes that are left.
fn pieces(bytes: &[AtomicU8]) -> (&[AtomicU8], &[AtomicU64], &[AtomicU8]) {
    // SAFETY: any eight bytes are a word, and both are only accessed atomically.
    unsafe { bytes.align_to() }
}
