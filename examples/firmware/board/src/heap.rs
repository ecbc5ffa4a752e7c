//! The heap, which counts what is asked of it. There is one core, and interrupts do not allocate.

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use embedded_alloc::LlffHeap;

struct Counting(LlffHeap);

#[global_allocator]
static HEAP: Counting = Counting(LlffHeap::empty());

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    /// Where static data ends.
    static __sheap: u8;
    /// Where the stack may reach to.
    static _heap_end: u8;
}

// SAFETY: it is the other allocator that allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let allocated = unsafe { self.0.alloc(layout) };
        if !allocated.is_null() {
            let live = LIVE.load(Relaxed) + layout.size();
            LIVE.store(live, Relaxed);
            PEAK.store(PEAK.load(Relaxed).max(live), Relaxed);
        }
        allocated
    }

    unsafe fn dealloc(&self, allocated: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(allocated, layout) };
        LIVE.store(LIVE.load(Relaxed) - layout.size(), Relaxed);
    }
}

/// Gives the heap all RAM between static data and the stack.
pub(crate) fn init() {
    let (start, end) = (&raw const __sheap as usize, &raw const _heap_end as usize);
    // SAFETY: it happens once, and nobody else uses this memory.
    unsafe { HEAP.0.init(start, end - start) }
}

/// Begins to measure. Answers how much is in use.
pub(crate) fn reset_peak() -> usize {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    live
}

/// The most that has been in use since.
pub(crate) fn peak() -> usize {
    PEAK.load(Relaxed)
}
