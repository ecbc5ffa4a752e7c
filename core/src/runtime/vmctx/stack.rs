//! Value stacks, which executing code reaches by their address.

use crate::{Shared, index::out_of_range, sync::Mutex};
use alloc::alloc::{alloc_zeroed, dealloc, realloc};
use core::{
    alloc::Layout,
    fmt,
    ops::{Deref, DerefMut, Index, IndexMut},
    ptr::{self, NonNull},
    slice::{self, SliceIndex},
};

/// The slots of an execution, all initialized, at an address that only growth changes.
///
/// They are from the heap and can become more, or have been provided and are as many as they are.
pub struct ValueStack {
    slots: Slots,
    /// Where provided ones go back to.
    home: Option<ProvidedStack>,
}

/// A value stack that does not come from the heap, for one execution at a time.
#[derive(Clone)]
pub(crate) struct ProvidedStack(Shared<Mutex<Option<&'static mut [u64]>>>);

/// Slots that belong to whoever has this.
struct Slots {
    first: NonNull<u64>,
    len: usize,
}

// SAFETY: it owns its slots, as a vector does.
unsafe impl Send for Slots {}
// SAFETY: a shared reference only reads.
unsafe impl Sync for Slots {}

impl ProvidedStack {
    pub(crate) fn new(slots: &'static mut [u64]) -> ProvidedStack {
        ProvidedStack(Shared::new(Mutex::new(Some(slots))))
    }

    /// The stack, or an empty one while somebody else has it.
    pub(crate) fn take(&self) -> ValueStack {
        match self.0.lock().take() {
            Some(slots) => {
                let len = slots.len();
                let slots = Slots { first: NonNull::from(slots).cast(), len };
                ValueStack { slots, home: Some(self.clone()) }
            }
            None => ValueStack::default(),
        }
    }
}

impl ValueStack {
    /// The first slot. Whoever uses the pointer has the stack for themselves; it is good until the stack grows.
    #[inline]
    pub fn as_ptr(&self) -> *mut u64 {
        self.slots.first.as_ptr()
    }

    /// How many slots there are.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.slots.len
    }

    /// Makes it `len` slots long if it has less; new ones are zero. Changes nothing and returns false if there is no room.
    pub fn grow(&mut self, len: usize) -> bool {
        let old = self.slots.len;
        if len <= old {
            return true;
        }
        let (Ok(new), None) = (Layout::array::<u64>(len), &self.home) else { return false };
        // The old layout has been one before.
        let first = match Layout::array::<u64>(old) {
            // SAFETY: the size is not zero.
            Ok(_) if old == 0 => unsafe { alloc_zeroed(new) },
            // SAFETY: the slots have been allocated here with this layout, and the new size is a valid one and larger.
            Ok(layout) => unsafe { realloc(self.as_ptr().cast(), layout, new.size()) },
            Err(_) => return false,
        };
        let Some(first) = NonNull::new(first.cast::<u64>()) else { return false };
        // SAFETY: there is room for `len` slots, of which the old ones are initialized.
        unsafe { first.add(old).write_bytes(0, len - old) };
        self.slots = Slots { first, len };
        true
    }
}

impl Default for ValueStack {
    /// An empty one, which can grow.
    fn default() -> ValueStack {
        ValueStack { slots: Slots { first: NonNull::dangling(), len: 0 }, home: None }
    }
}

impl Deref for ValueStack {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        // SAFETY: so many slots are there, initialized; nobody writes while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.as_ptr(), self.slots.len) }
    }
}

impl DerefMut for ValueStack {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `deref`; nobody else reads or writes while `self` is exclusively borrowed.
        unsafe { slice::from_raw_parts_mut(self.as_ptr(), self.slots.len) }
    }
}

impl<I: SliceIndex<[u64]>> Index<I> for ValueStack {
    type Output = I::Output;

    #[inline]
    #[cfg_attr(feature = "std", track_caller)]
    fn index(&self, index: I) -> &I::Output {
        match self.get(index) {
            Some(slots) => slots,
            None => out_of_range(),
        }
    }
}

impl<I: SliceIndex<[u64]>> IndexMut<I> for ValueStack {
    #[inline]
    #[cfg_attr(feature = "std", track_caller)]
    fn index_mut(&mut self, index: I) -> &mut I::Output {
        match self.get_mut(index) {
            Some(slots) => slots,
            None => out_of_range(),
        }
    }
}

impl Drop for ValueStack {
    fn drop(&mut self) {
        let Slots { first, len } = self.slots;
        if let Some(home) = &self.home {
            let slots = ptr::slice_from_raw_parts_mut(first.as_ptr(), len);
            // SAFETY: they came from such a reference, and nobody else has them.
            *home.0.lock() = Some(unsafe { &mut *slots });
        } else if len != 0
            && let Ok(layout) = Layout::array::<u64>(len)
        {
            // SAFETY: allocated in `grow` with this layout, and freed only here.
            unsafe { dealloc(first.as_ptr().cast(), layout) }
        }
    }
}

impl fmt::Debug for ValueStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn grows_and_keeps_its_slots() {
        let mut stack = ValueStack::default();
        assert!(stack.is_empty() && stack.grow(0));
        for len in [1, 3, 100, 5, 5000] {
            assert!(stack.grow(len));
            let last = stack.len() - 1;
            assert!(last + 1 >= len);
            assert_eq!(stack[last], if len == 5 { 99 } else { 0 });
            stack[last] = last as u64;
        }
        assert_eq!([stack[0], stack[2], stack[99], stack[4999]], [0, 2, 99, 4999]);
        assert!(!stack.grow(usize::MAX) && !stack.grow(usize::MAX / 16));
        assert_eq!(stack.len(), 5000);
    }

    #[test]
    fn what_is_provided_goes_back() {
        let provided = ProvidedStack::new(vec![7; 10].leak());
        let mut first = provided.take();
        assert_eq!(first[..], [7; 10]);
        first[9] = 8;
        assert!(first.grow(10) && !first.grow(11));
        let mut second = provided.take();
        assert!(second.is_empty() && second.grow(11));
        drop((first, second));
        assert_eq!(provided.take()[8..], [7, 8]);
    }
}
