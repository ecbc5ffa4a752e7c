//! Values of the host that guests hold references to.

use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, mem};

/// The values, by numbers that stand in objects of the heap. A number is used again when its object is gone.
#[derive(Default)]
pub(super) struct Externs {
    entries: Vec<Entry>,
    /// The first free entry, plus one.
    free: u32,
    /// Whether some are condemned.
    condemned: bool,
}

enum Entry {
    Value {
        value: Box<dyn Any + Send + Sync>,
        /// Whether its object is gone.
        condemned: bool,
    },
    /// The next free entry, plus one.
    Free(u32),
}

impl Externs {
    /// Adds a value, unless there is no memory for its entry.
    pub(super) fn add(
        &mut self,
        value: Box<dyn Any + Send + Sync>,
    ) -> Result<u32, Box<dyn Any + Send + Sync>> {
        if let Some(free) = self.free.checked_sub(1) {
            let entry = &mut self.entries[free as usize];
            if let Entry::Free(next) = entry {
                self.free = *next;
            }
            *entry = Entry::Value { value, condemned: false };
            return Ok(free);
        }
        if self.entries.len() >= u32::MAX as usize - 1 || self.entries.try_reserve(1).is_err() {
            return Err(value);
        }
        self.entries.push(Entry::Value { value, condemned: false });
        Ok(self.entries.len() as u32 - 1)
    }

    pub(super) fn get(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        match self.entries.get(number as usize)? {
            Entry::Value { value, condemned: false } => Some(&**value),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        match self.entries.get_mut(number as usize)? {
            Entry::Value { value, condemned: false } => Some(&mut **value),
            _ => None,
        }
    }

    /// Says that the object of an entry is gone.
    pub(super) fn condemn(&mut self, number: u32) {
        if let Some(Entry::Value { condemned, .. }) = self.entries.get_mut(number as usize) {
            *condemned = true;
            self.condemned = true;
        }
    }

    /// Drops what has been condemned. That runs code of the embedder: if it panics, the rest waits for the next time.
    pub(super) fn drop_condemned(&mut self) {
        if !self.condemned {
            return;
        }
        for at in 0..self.entries.len() {
            if matches!(self.entries[at], Entry::Value { condemned: true, .. }) {
                let entry = mem::replace(&mut self.entries[at], Entry::Free(self.free));
                self.free = at as u32 + 1;
                drop(entry);
            }
        }
        self.condemned = false;
    }
}
