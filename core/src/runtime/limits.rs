//! Limits on what the guests of a store may use.

use crate::{error::Error, trap::Trap};
use alloc::boxed::Box;
use core::any::Any;

/// Decides how much the guests of a store may use.
///
/// It is asked when a memory or table is created (with a current size of 0) and when it grows. Installed by
/// `Store::limiter`; [`StoreLimits`] is one for fixed limits.
pub trait ResourceLimiter {
    /// Whether a memory of `current` bytes may grow to `desired` bytes. `maximum` is what its type allows, in bytes.
    ///
    /// `Ok(false)` makes `memory.grow` return -1, and the creation of a memory fail.
    ///
    /// # Errors
    /// An error ends the guest.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error>;

    /// A memory could not grow, for the reason given. The default answer lets `memory.grow` return -1.
    ///
    /// # Errors
    /// An error ends the guest.
    fn memory_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        let _ = error;
        Ok(())
    }

    /// Whether a table of `current` elements may grow to `desired` elements. `maximum` is what its type allows.
    ///
    /// `Ok(false)` makes `table.grow` return -1, and the creation of a table fail.
    ///
    /// # Errors
    /// An error ends the guest.
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error>;

    /// A table could not grow, for the reason given. The default answer lets `table.grow` return -1.
    ///
    /// # Errors
    /// An error ends the guest.
    fn table_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        let _ = error;
        Ok(())
    }

    /// How many instances the store may have.
    fn instances(&self) -> usize {
        DEFAULT_INSTANCES
    }

    /// How many tables the store may have.
    fn tables(&self) -> usize {
        DEFAULT_TABLES
    }

    /// How many memories the store may have.
    fn memories(&self) -> usize {
        DEFAULT_MEMORIES
    }
}

const DEFAULT_INSTANCES: usize = 10_000;
const DEFAULT_TABLES: usize = 10_000;
const DEFAULT_MEMORIES: usize = 10_000;

/// Finds the limiter in the data of a store.
pub type Limiter =
    Box<dyn for<'a> FnMut(&'a mut dyn Any) -> &'a mut (dyn ResourceLimiter + 'a) + Send + Sync>;

/// A [`ResourceLimiter`] with fixed limits, made by a [`StoreLimitsBuilder`]. The default limits only the numbers of
/// instances, tables and memories, each to 10,000.
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: Option<usize>,
    table_elements: Option<usize>,
    instances: usize,
    tables: usize,
    memories: usize,
    trap_on_grow_failure: bool,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            memory_size: None,
            table_elements: None,
            instances: DEFAULT_INSTANCES,
            tables: DEFAULT_TABLES,
            memories: DEFAULT_MEMORIES,
            trap_on_grow_failure: false,
        }
    }
}

/// Builds [`StoreLimits`].
#[derive(Clone, Debug, Default)]
pub struct StoreLimitsBuilder(StoreLimits);

impl StoreLimitsBuilder {
    /// Limits as [`StoreLimits::default`] has them.
    pub fn new() -> StoreLimitsBuilder {
        StoreLimitsBuilder::default()
    }

    /// The most bytes that each memory may have.
    #[must_use]
    pub fn memory_size(mut self, bytes: usize) -> StoreLimitsBuilder {
        self.0.memory_size = Some(bytes);
        self
    }

    /// The most elements that each table may have.
    #[must_use]
    pub fn table_elements(mut self, elements: usize) -> StoreLimitsBuilder {
        self.0.table_elements = Some(elements);
        self
    }

    /// How many instances the store may have.
    #[must_use]
    pub fn instances(mut self, count: usize) -> StoreLimitsBuilder {
        self.0.instances = count;
        self
    }

    /// How many tables the store may have.
    #[must_use]
    pub fn tables(mut self, count: usize) -> StoreLimitsBuilder {
        self.0.tables = count;
        self
    }

    /// How many memories the store may have.
    #[must_use]
    pub fn memories(mut self, count: usize) -> StoreLimitsBuilder {
        self.0.memories = count;
        self
    }

    /// Whether `memory.grow` and `table.grow` end the guest with [`Trap::GrowthLimited`] instead of returning -1.
    #[must_use]
    pub fn trap_on_grow_failure(mut self, trap: bool) -> StoreLimitsBuilder {
        self.0.trap_on_grow_failure = trap;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}

impl StoreLimits {
    fn decide(
        &self,
        desired: usize,
        limit: Option<usize>,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        let allowed = [limit, maximum].into_iter().flatten().all(|most| desired <= most);
        if allowed { Ok(true) } else { self.failed().map(|()| false) }
    }

    fn failed(&self) -> Result<(), Error> {
        if self.trap_on_grow_failure { Err(Trap::GrowthLimited.into()) } else { Ok(()) }
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        self.decide(desired, self.memory_size, maximum)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.failed()
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        self.decide(desired, self.table_elements, maximum)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.failed()
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
