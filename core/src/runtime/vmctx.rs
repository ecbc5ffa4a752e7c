//! The layouts that executing code reads without going through an accessor: interpreter handlers and compiled code.
//!
//! Everything here is `repr(C)`. The objects are owned by the store's entities; pointers to them stay valid as long as
//! the store lives, because entities are never removed and these structs are boxed.
//!
//! References in slots and tables are 32-bit handles: 0 is null, otherwise the address in the store plus one.

#![allow(unsafe_code, reason = "owns what executing code reaches through raw pointers")]

pub mod activation;
pub(crate) mod buffer;
pub(crate) mod elems;
pub(crate) mod fixed;
#[cfg(feature = "native")]
pub mod native;
pub(crate) mod region;
pub mod stack;

use core::ptr;

/// Bytes in front of the first byte of every linear memory.
///
/// The last eight hold the length in bytes. Before them, for each access width `2^k` with `k` in `0..=4`, stands the highest
/// address at which such an access is in bounds, as an `i64`: negative if there is none. One signed comparison checks an access.
pub const MEMORY_HEADER: usize = 64;

/// Where the length of a memory stands, in bytes before its first byte.
pub const MEMORY_LEN: usize = 8;

/// Where the limit for accesses of `2^log2_width` bytes stands, in bytes before the memory's first byte.
#[inline]
pub const fn memory_limit(log2_width: u32) -> usize {
    16 + 8 * log2_width as usize
}

/// A linear memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmMemory {
    /// The first byte of the memory; [`MEMORY_HEADER`] bytes in front of it belong to the same allocation.
    /// Changes when the memory grows.
    pub base: *mut u8,
}

#[repr(C, align(64))]
struct EmptyMemory([i64; 8]);

static EMPTY: EmptyMemory = EmptyMemory([0, 0, -16, -8, -4, -2, -1, 0]);

/// A memory of no bytes that all instances without memories share. Nobody writes to it: it cannot grow.
pub fn empty_memory() -> *mut VmMemory {
    static SHARED: EmptyVmMemory = EmptyVmMemory(VmMemory {
        base: ptr::from_ref(&EMPTY).cast::<u8>().wrapping_add(MEMORY_HEADER).cast_mut(),
    });
    ptr::from_ref(&SHARED.0).cast_mut()
}

struct EmptyVmMemory(VmMemory);

// SAFETY: the value is never written, and neither is what it points to, which has no bytes.
unsafe impl Sync for EmptyVmMemory {}

/// The header of a memory of `len` bytes, as the bytes in front of its first byte.
pub fn memory_header(len: u64) -> [u8; MEMORY_HEADER] {
    let mut header = [0; MEMORY_HEADER];
    header[MEMORY_HEADER - MEMORY_LEN..].copy_from_slice(&len.to_ne_bytes());
    for k in 0..5 {
        let limit = len as i64 - (1 << k);
        let at = MEMORY_HEADER - memory_limit(k);
        header[at..at + 8].copy_from_slice(&limit.to_ne_bytes());
    }
    header
}

/// A table.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmTable {
    /// The elements, as handles. Changes when the table grows.
    pub elems: *mut u32,
    /// Number of elements.
    pub len: usize,
}

/// What a function of a store is, for those who call it.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmFunc {
    /// Its type in the engine ([`TypeId`](crate::index::TypeId)).
    pub ty: u32,
    /// The instance it belongs to ([`InstanceAddr`](crate::index::InstanceAddr)), or [`VmFunc::HOST`].
    pub instance: u32,
    /// Its index in the module of that instance, or in the store's list of host functions.
    pub index: u32,
    /// How many slots its parameters take, unless it is the host's.
    pub params: u16,
    /// How many slots its results take, unless it is the host's.
    pub results: u16,
    /// Where its compiled code begins, if it has any.
    #[cfg(feature = "native")]
    pub code: *const u8,
    /// The instance that its compiled code wants; the store's [`outside`](native::VmStore::outside) if it has none.
    #[cfg(feature = "native")]
    pub vm: *const VmInstance,
}

// SAFETY: as for `VmInstance`.
#[cfg(feature = "native")]
unsafe impl Send for VmFunc {}
// SAFETY: as for `VmInstance`.
#[cfg(feature = "native")]
unsafe impl Sync for VmFunc {}

impl VmFunc {
    /// The `instance` of functions of the host.
    pub const HOST: u32 = u32::MAX;
}

/// An instance, as its code sees it.
#[repr(C)]
#[derive(Debug)]
pub struct VmInstance {
    /// Cells of the globals, imported ones first. A 128-bit global takes two slots.
    pub globals: *const *mut u64,
    /// Tables, imported ones first.
    pub tables: *const *mut VmTable,
    /// Memories, imported ones first. There is always a first one, if only [`empty_memory`].
    pub memories: *const *mut VmMemory,
    /// Engine-wide ids of the module's types.
    pub types: *const u32,
    /// Addresses in the store of the imported functions.
    pub imported_funcs: *const u32,
    /// This instance's own address in the store.
    pub addr: u32,
    /// The first of the memories.
    #[cfg(feature = "native")]
    pub memory: *const VmMemory,
    /// What compiled code needs of the store.
    #[cfg(feature = "native")]
    pub store: *mut native::VmStore,
}

// SAFETY: the pointers lead to objects that belong to the same store and are as old as it; who has the store for
// themselves has these, and nobody follows them without having the store.
unsafe impl Send for VmInstance {}
// SAFETY: as above; through a shared reference to a store nothing behind the pointers is written.
unsafe impl Sync for VmInstance {}

/// The addresses that a [`VmInstance`] lists, in one allocation: of globals, then tables, then memories.
pub(crate) struct VmPointers(pub(crate) alloc::boxed::Box<[*mut ()]>);

// SAFETY: as for `VmInstance`.
unsafe impl Send for VmPointers {}
// SAFETY: as for `VmInstance`.
unsafe impl Sync for VmPointers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_header_is_the_header_of_an_empty_memory() {
        let bytes: alloc::vec::Vec<u8> = EMPTY.0.iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(bytes, memory_header(0));
    }
}
