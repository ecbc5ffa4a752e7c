//! The managed heap of a store: structs, arrays, exceptions, and what stands for values of the host (spec, 4.2.11 to 4.2.15).
//!
//! | module | what it does |
//! |---|---|
//! | [`layout`] | how objects lie in the heap |
//! | `free` | where new ones go |
//! | `collect` | which ones are in use, and what becomes of the others |
//! | [`roots`] | what is in use by itself |
//! | `room` | when to collect, and when to grow |
//! | [`objects`] | making, reading and writing objects |
//!
//! The heap is one region of 8-byte units. A managed reference is a handle of 32 bits: 0 is null, an odd one an `i31`
//! (`value << 1 | 1`), any other twice the number of the unit that the object begins at. Objects never move.
//!
//! The region is always tiled: what is not an object is a free run, which has a header as well. Nothing here is unsafe; what
//! executing code does without checks is as right as handles are, and every handle in a slot, table, global or object came
//! from here.

mod collect;
mod externs;
mod free;
pub mod layout;
pub mod objects;
mod room;
pub mod roots;
mod segments;
#[cfg(all(test, feature = "gc"))]
mod tests;

use super::vmctx::region::Region;
use alloc::{boxed::Box, vec::Vec};
use core::num::NonZeroU32;
use externs::Externs;
use free::FreeRuns;
use layout::{Layout, MIN_UNITS, array_units};
use roots::Roots;

pub use room::GcHeapOutOfMemory;

/// The heap of a store.
pub struct Heap {
    region: Region,
    free: FreeRuns,
    /// By the engine's ids of types. Those that the store has objects of.
    layouts: Vec<Option<Box<Layout>>>,
    /// For each tag of the store whose exceptions there are: which of their arguments are managed references.
    tags: Vec<Option<Box<[u32]>>>,
    externs: Externs,
    /// What is in use by itself, as far as it is not elsewhere in the store.
    pub roots: Roots,
    /// Units of the objects that the last collection left.
    live: usize,
    /// Places that the last collection looked for roots in.
    seen: usize,
    /// The most bytes that it may have.
    limit: usize,
    /// How many handles may wait to be marked.
    max_marks: usize,
    /// After how many allocations garbage is collected, for tests: every time, and this time. Then no allocation is a quick one.
    collect_every: Option<NonZeroU32>,
    collect_in: u32,
}

// Kinds of objects that have no type of a module. Types' ids are less.

/// No object: free units, as many as the second half of the header says.
const FREE: u32 = 0x4000_0000;
/// A value of the host, whose number follows the header.
const HOST: u32 = 0x4000_0001;
/// An exception, whose arguments take as many slots as the second half says; they follow a word with the tag.
const EXCEPTION: u32 = 0x4000_0002;
/// Added to the kind of an object that is in use, while a collection goes on.
const MARK: u64 = if cfg!(target_endian = "big") { 1 << 63 } else { 1 << 31 };

/// The most units of a heap: a handle is twice the number of a unit.
const MAX_UNITS: usize = 1 << 31;

/// A word of two numbers, the first at the lower address.
#[inline]
fn header(kind: u32, len: u32) -> u64 {
    if cfg!(target_endian = "big") {
        u64::from(kind) << 32 | u64::from(len)
    } else {
        u64::from(kind) | u64::from(len) << 32
    }
}

/// The two numbers of a word.
#[inline]
fn split(word: u64) -> (u32, u32) {
    let (low, high) = (word as u32, (word >> 32) as u32);
    if cfg!(target_endian = "big") { (high, low) } else { (low, high) }
}

/// Whether a managed reference is to an object of the heap.
#[inline]
pub fn is_object(handle: u32) -> bool {
    handle != 0 && handle & 1 == 0
}

/// The `i31` that a managed reference is, sign-extended.
#[inline]
pub fn as_i31(handle: u32) -> Option<i32> {
    (handle & 1 == 1).then_some(handle as i32 >> 1)
}

/// The managed reference that is an `i31` of the low 31 bits of a number.
#[inline]
pub fn i31(value: u32) -> u32 {
    value << 1 | 1
}

/// What an object of the heap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A struct or array, by the engine's id of its type.
    Type(u32),
    /// A value of the host.
    Host,
    /// An exception.
    Exception,
}

impl Heap {
    /// An empty heap that may have `limit` bytes at most.
    pub(super) fn new(limit: usize, collect_every: Option<NonZeroU32>) -> Heap {
        Heap {
            region: Region::new(),
            free: FreeRuns::default(),
            layouts: Vec::new(),
            tags: Vec::new(),
            externs: Externs::default(),
            roots: Roots::default(),
            live: 0,
            seen: 0,
            limit,
            max_marks: usize::MAX,
            collect_every,
            collect_in: 0,
        }
    }

    /// Whether there has ever been an object.
    #[inline]
    pub fn is_used(&self) -> bool {
        self.region.len() != 0
    }

    /// Whether there has never been an object, nor a root of a scope.
    #[inline]
    pub fn is_fresh(&self) -> bool {
        !self.roots.begun
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.region.len() * 8
    }

    /// Where it begins: an object is at four times its handle. Changes when the heap grows.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.region.base()
    }

    /// What an object is.
    ///
    /// # Panics
    /// If the handle is none of an object.
    #[inline]
    pub fn kind(&self, handle: u32) -> ObjectKind {
        match split(self.header(handle)).0 {
            HOST => ObjectKind::Host,
            EXCEPTION => ObjectKind::Exception,
            id => ObjectKind::Type(id),
        }
    }

    #[inline]
    fn header(&self, handle: u32) -> u64 {
        debug_assert!(is_object(handle));
        self.region.words()[unit(handle)]
    }

    /// How the objects of a type lie here, if the store has met the type before.
    #[inline]
    pub fn layout(&self, ty: u32) -> Option<&Layout> {
        self.layouts.get(ty as usize)?.as_deref()
    }
}

/// Units of the object or free run with this header.
#[inline]
fn units(layouts: &[Option<Box<Layout>>], header: u64) -> u32 {
    let (kind, len) = split(header & !MARK);
    match kind {
        FREE => len,
        HOST => MIN_UNITS,
        EXCEPTION => 2 + len,
        ty => match layouts[ty as usize].as_deref() {
            Some(Layout::Struct(layout)) => layout.units,
            Some(Layout::Array(element)) => array_units(*element, len) as u32,
            None => unreachable!("every object has a layout"),
        },
    }
}

/// The unit that an object begins at.
#[inline]
fn unit(handle: u32) -> usize {
    handle as usize / 2
}
