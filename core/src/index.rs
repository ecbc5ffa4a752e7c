//! Indices and addresses: an index counts within one module, an address within one store (spec, 4.2). Lists are indexed by them.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut, Range};

macro_rules! newtypes {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the vector that this number counts in.
            #[inline]
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }

        impl<T> Index<$name> for [T] {
            type Output = T;

            #[inline]
            #[cfg_attr(feature = "std", track_caller)]
            fn index(&self, index: $name) -> &T {
                match self.get(index.at()) {
                    Some(entry) => entry,
                    None => out_of_range(),
                }
            }
        }

        impl<T> Index<$name> for Vec<T> {
            type Output = T;

            #[inline]
            #[cfg_attr(feature = "std", track_caller)]
            fn index(&self, index: $name) -> &T {
                &self.as_slice()[index]
            }
        }

        impl<T> IndexMut<$name> for Vec<T> {
            #[inline]
            #[cfg_attr(feature = "std", track_caller)]
            fn index_mut(&mut self, index: $name) -> &mut T {
                match self.get_mut(index.at()) {
                    Some(entry) => entry,
                    None => out_of_range(),
                }
            }
        }
    )* };
}

newtypes! {
    /// A type of a module.
    TypeIdx;
    /// A function of a module, imported ones first.
    FuncIdx;
    /// A table of a module, imported ones first.
    TableIdx;
    /// A memory of a module, imported ones first.
    MemoryIdx;
    /// A global of a module, imported ones first.
    GlobalIdx;
    /// A tag of a module, imported ones first.
    TagIdx;
    /// An element segment of a module.
    ElemIdx;
    /// A data segment of a module.
    DataIdx;

    /// A function type of an engine: equal types have equal ids, whatever module they come from.
    TypeId;
    /// A function of a store.
    FuncAddr;
    /// A table of a store.
    TableAddr;
    /// A memory of a store.
    MemoryAddr;
    /// A global of a store.
    GlobalAddr;
    /// A tag of a store.
    TagAddr;
    /// An instance of a store.
    InstanceAddr;
}

/// Copies a range of a list to one of another that is as long.
#[cfg_attr(feature = "std", track_caller)]
pub(crate) fn copy_range<T: Copy>(to: &mut [T], dst: Range<usize>, from: &[T], src: Range<usize>) {
    match (to.get_mut(dst), from.get(src)) {
        (Some(to), Some(from)) if to.len() == from.len() => to.copy_from_slice(from),
        _ => out_of_range(),
    }
}

/// Ends an access to a list, or to the value stack. Without `std` nobody is told which one: that takes more flash than the access.
#[cold]
#[inline(never)]
#[cfg_attr(feature = "std", track_caller)]
pub(crate) fn out_of_range() -> ! {
    panic!("index out of range")
}
