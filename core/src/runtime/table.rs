//! Tables and globals.

use super::vmctx::{VmTable, elems::Elems, fixed::Fixed};
use crate::{
    trap::Trap,
    types::{GlobalType, TableType},
};
use core::ops::Range;

/// A table (spec, 4.2.8). Elements are handles: 0 is null, otherwise an address in the store plus one.
pub struct Table {
    ty: TableType,
    elems: Elems,
}

impl Table {
    /// A table with the minimal size of its type, all null. `None` if the host has no room for it.
    pub(super) fn new(ty: TableType) -> Option<Table> {
        let len = usize::try_from(ty.minimum).ok()?;
        Some(Table { ty, elems: Elems::nulls(len)? })
    }

    /// The type that the table was created with.
    pub fn ty(&self) -> &TableType {
        &self.ty
    }

    /// What executing code is given.
    pub(super) fn vm(&self) -> *mut VmTable {
        self.elems.vm()
    }

    /// The elements, as handles.
    pub fn elems(&self) -> &[u32] {
        self.elems.as_slice()
    }

    /// The elements, as handles, writable.
    pub fn elems_mut(&mut self) -> &mut [u32] {
        self.elems.as_mut_slice()
    }

    /// How many elements the table would have with `delta` more, `None` if its type does not allow that.
    pub(super) fn grown_len(&self, delta: u64) -> Option<usize> {
        let limit = if self.ty.is_64 { u64::MAX } else { u64::from(u32::MAX) };
        let limit = self.ty.maximum.unwrap_or(u64::MAX).min(limit);
        let len = (self.elems.len() as u64).checked_add(delta).filter(|&len| len <= limit)?;
        usize::try_from(len).ok()
    }

    /// Makes the table `len` elements long, a length from [`Table::grown_len`]. Changes nothing and returns false
    /// if the host has no room.
    pub(super) fn grow(&mut self, len: usize, init: u32) -> bool {
        self.elems.grow(len, init)
    }

    /// The positions from `start`, `len` of them, if the table has them all.
    pub(super) fn range(&self, start: u64, len: u64) -> Result<Range<usize>, Trap> {
        span(start, len, self.elems.len()).ok_or(Trap::TableOutOfBounds)
    }
}

/// `start..start + len`, if that is within `0..limit`.
pub(super) fn span(start: u64, len: u64, limit: usize) -> Option<Range<usize>> {
    let end = start.checked_add(len).filter(|&end| end <= limit as u64)?;
    Some(start as usize..end as usize)
}

/// A global (spec, 4.2.10). It holds the bits of two slots, of which all types but `v128` use the first.
pub struct Global {
    ty: GlobalType,
    cell: Fixed<[u64; 2]>,
}

impl Global {
    /// `None` if the host has no room for it.
    pub(super) fn new(ty: GlobalType, bits: [u64; 2]) -> Option<Global> {
        Some(Global { ty, cell: Fixed::new(bits)? })
    }

    /// The type of the global.
    pub fn ty(&self) -> &GlobalType {
        &self.ty
    }

    /// What executing code is given.
    pub(super) fn cell(&self) -> *mut u64 {
        self.cell.as_ptr().cast()
    }

    /// The value, as the bits of its slots.
    pub fn get(&self) -> [u64; 2] {
        self.cell.get()
    }

    /// Sets the value, as the bits of its slots.
    pub fn set(&mut self, bits: [u64; 2]) {
        self.cell.set(bits);
    }
}
