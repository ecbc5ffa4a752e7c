//! Where room for new objects comes from: free space, collection, growth.
//!
//! A collection happens when as much has been allocated since the last one as that left in use, or had to look through for roots, so
//! that its cost is a constant per byte allocated. Before that, and if it did not free enough, the heap grows. Where it may not grow, a collection is worth its
//! while if a sixteenth of the heap has been allocated; otherwise the heap is full.

use super::{Heap, MAX_UNITS};
use crate::{error::Error, runtime::StoreInner, trap::Trap};
use core::{any::Any, fmt};

/// The least that is allocated between two collections, in units: a megabyte.
const MIN_BETWEEN: usize = 1 << 17;
/// The first size of a heap, in units.
const MIN_SIZE: usize = 1 << 12;
/// If the heap cannot grow, the share of it that must have been allocated since the last collection for another.
const MIN_SHARE: usize = 16;

/// There is no room for an object in the heap, nor may the heap grow.
///
/// It is the source of the [`Error`] that allocation fails with. `inner` is what the object was to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GcHeapOutOfMemory<T> {
    inner: T,
    bytes_needed: u64,
}

impl<T> GcHeapOutOfMemory<T> {
    /// An error about an object of so many bytes.
    pub fn new(inner: T, bytes_needed: u64) -> GcHeapOutOfMemory<T> {
        GcHeapOutOfMemory { inner, bytes_needed }
    }

    /// How large the object was to be.
    pub fn bytes_needed(&self) -> u64 {
        self.bytes_needed
    }

    /// What the object was to hold, and the error without it.
    pub fn take_inner(self) -> (T, GcHeapOutOfMemory<()>) {
        (self.inner, GcHeapOutOfMemory { inner: (), bytes_needed: self.bytes_needed })
    }
}

impl<T> fmt::Debug for GcHeapOutOfMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> fmt::Display for GcHeapOutOfMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes_needed;
        write!(f, "GC heap out of memory: no capacity for allocation of {bytes} bytes")
    }
}

impl<T> core::error::Error for GcHeapOutOfMemory<T> {}

impl StoreInner {
    /// Sees to it that there are so many units in a row, for an allocation that follows at once.
    ///
    /// # Errors
    /// There is no room for them, or the limiter asks to end the guest. The heap stays usable.
    #[cold]
    pub fn make_room(&mut self, data: &mut dyn Any, units: u64) -> Result<(), Error> {
        let full = || Error::new(GcHeapOutOfMemory::new((), units.saturating_mul(8)));
        let most = (self.heap.limit / 8).min(MAX_UNITS);
        if units >= MAX_UNITS as u64 {
            return Err(Trap::AllocationTooLarge.into());
        }
        let units = units as usize;
        if units >= most {
            return Err(full());
        }
        let forced = self.heap.collection_forced() && self.collect().is_ok();
        if self.heap.refill(units, forced) {
            return Ok(());
        }
        // Looking through tables and the like takes time too.
        let spent = self.heap.live + self.heap.seen / 2;
        let due = self.heap.allocated() >= spent.max(MIN_BETWEEN);
        if due && self.collect().is_ok() && self.heap.refill(units, true) {
            return Ok(());
        }
        let size = self.heap.region.len();
        let least = size.saturating_add(units).max(units + 1);
        if least <= most {
            let generous = least.max(2 * size).max(MIN_SIZE).min(most);
            // If that is refused, an error included, there are other ways to try first.
            if generous > least
                && matches!(self.grow_heap(data, generous), Ok(true))
                && self.heap.refill(units, true)
            {
                return Ok(());
            }
        }
        let worth = (self.heap.allocated() + units).saturating_mul(MIN_SHARE) >= size;
        if worth && self.collect().is_ok() && self.heap.refill(units, true) {
            return Ok(());
        }
        if least <= most && self.grow_heap(data, least)? && self.heap.refill(units, true) {
            return Ok(());
        }
        Err(full())
    }

    /// Makes the heap `len` units long, if the limiter lets it and there is memory.
    fn grow_heap(&mut self, data: &mut dyn Any, len: usize) -> Result<bool, Error> {
        if let Some(limiter) = &mut self.limiter {
            let limiter = limiter(data);
            let (current, desired) = (self.heap.size(), len.saturating_mul(8));
            let maximum = Some(self.heap.limit);
            if !limiter.memory_growing(current, desired, maximum)? {
                return Ok(false);
            }
        }
        Ok(self.heap.grow(len))
    }
}

impl Heap {
    /// Whether it is time for a collection that nobody needs.
    fn collection_forced(&mut self) -> bool {
        let Some(every) = self.collect_every else { return false };
        if self.collect_in == 0 {
            self.collect_in = every.get();
        }
        self.collect_in -= 1;
        self.collect_in == 0
    }

    /// If allocations are counted, lets the next one come by here again.
    pub(super) fn end_quick_allocation(&mut self) {
        if self.collect_every.is_some() {
            self.free.retire(self.region.words_mut());
        }
    }

    /// Units allocated since the last collection.
    fn allocated(&self) -> usize {
        self.free.taken
    }

    fn refill(&mut self, units: usize, all: bool) -> bool {
        self.free.refill(self.region.words_mut(), units as u32, all)
    }

    fn grow(&mut self, len: usize) -> bool {
        let old = self.region.len().max(1);
        if !self.region.grow(len) {
            return false;
        }
        self.roots.begun = true;
        self.free.add(self.region.words_mut(), old as u32, len as u32);
        true
    }
}
