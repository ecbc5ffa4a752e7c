//! Memories that several threads share.

use crate::{Engine, Error, MemoryAccessError, MemoryType, Result, Trap};
use core::{fmt, ops::Range, sync::atomic::AtomicU8, time::Duration};
use kinglet_core::{Shared, runtime::memory};

pub use kinglet_core::runtime::memory::WaitResult;

/// A linear memory that several stores, on several threads, use at the same time. Clones are the same memory.
///
/// It belongs to no store. To give it to guests, define it in their linkers or pass it among their imports.
///
/// Whatever threads do to the same bytes at the same time has a result, as the threads proposal defines it: an access of a
/// number that is aligned happens at one moment, any other byte by byte.
///
/// ```
/// use kinglet::{Engine, Linker, MemoryType, Module, SharedMemory, Store};
/// use std::thread;
///
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "memory" (memory 1 1 shared))
///         (func (export "count") (param i32)
///             (loop
///                 (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
///                 (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
/// )?;
/// let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1))?;
/// thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut store = Store::new(&engine, ());
///             let mut linker = Linker::new(&engine);
///             linker.define(&store, "host", "memory", memory.clone())?;
///             let instance = linker.instantiate(&mut store, &module)?;
///             instance.get_typed_func::<u32, ()>(&store, "count")?.call(&mut store, 1_000)
///         });
///     }
/// });
/// let mut count = [0; 4];
/// memory.read(0, &mut count)?;
/// assert_eq!(u32::from_le_bytes(count), 4_000);
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedMemory(pub(crate) Shared<memory::SharedMemory>);

impl SharedMemory {
    /// A memory with the minimal size of its type, which has to be that of a shared one.
    ///
    /// Address space is taken for the maximum, memory for what is written to.
    ///
    /// # Errors
    /// The type makes no sense, or there is no room.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        ty.check()?;
        if !ty.is_shared() {
            crate::bail!("the type is not that of a shared memory");
        }
        let most = engine.config().features.limits.max_memory_bytes;
        let too_large = || Error::limit(alloc::format!("no room for a memory of type {ty}"));
        if ty.minimum().saturating_mul(ty.page_size()) > most {
            return Err(too_large());
        }
        memory::SharedMemory::new(ty.0, most).map(SharedMemory).ok_or_else(too_large)
    }

    /// The type that it was created with.
    pub fn ty(&self) -> MemoryType {
        MemoryType(*self.0.ty())
    }

    /// The size that it has now, in pages.
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// Bytes per page.
    pub fn page_size(&self) -> u64 {
        self.0.ty().page_size()
    }

    /// The size that it has now, in bytes.
    pub fn data_size(&self) -> usize {
        self.0.len()
    }

    /// The bytes that it has now. They stay where they are when it grows.
    pub fn data(&self) -> &[AtomicU8] {
        self.0.bytes()
    }

    /// Copies bytes out of it, from `offset`, as many as `buffer` has. Others may write to them meanwhile.
    ///
    /// # Errors
    /// It does not have them all. Then nothing is copied.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let range = self.range(offset, buffer.len())?;
        self.0.read(range.start, buffer);
        Ok(())
    }

    /// Copies bytes into it, from `offset`. Others may read and write them meanwhile.
    ///
    /// # Errors
    /// It is too small. Then nothing is copied.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), MemoryAccessError> {
        let range = self.range(offset, bytes.len())?;
        self.0.write(range.start, bytes);
        Ok(())
    }

    fn range(&self, offset: usize, len: usize) -> Result<Range<usize>, MemoryAccessError> {
        let end = offset.checked_add(len).filter(|&end| end <= self.0.len());
        Ok(offset..end.ok_or(MemoryAccessError(()))?)
    }

    /// Grows it by `delta` pages. Answers the old size, in pages. No store's limiter is asked.
    ///
    /// # Errors
    /// That is more than its type or the engine's [limits](crate::Limits) allow.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        let (page, failed) = (self.page_size(), || {
            Error::limit(alloc::format!("failed to grow memory by `{delta}`"))
        });
        loop {
            let old = self.0.len();
            let pages = (old as u64 / page).checked_add(delta);
            let pages = pages.filter(|&pages| pages <= self.0.ty().limit()).ok_or_else(failed)?;
            let new = usize::try_from(pages.saturating_mul(page)).map_err(|_| failed())?;
            match self.0.grow(old, new) {
                memory::Growth::Done => return Ok(old as u64 / page),
                memory::Growth::NoRoom => return Err(failed()),
                memory::Growth::Raced => {}
            }
        }
    }

    /// Wakes up to `count` threads that wait at the address `addr`, as `memory.atomic.notify` does. Answers how many.
    ///
    /// # Errors
    /// The address is not in the memory, or not a multiple of four.
    pub fn atomic_notify(&self, addr: u64, count: u32) -> Result<u32, Trap> {
        self.0.notify(addr, count)
    }

    /// If the `i32` at `addr` is `expected`, waits until another thread notifies this one, for `timeout` at most; as
    /// `memory.atomic.wait32` does. Meanwhile this thread does nothing else.
    ///
    /// # Errors
    /// The address is not in the memory, or not a multiple of four.
    pub fn atomic_wait32(
        &self,
        addr: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, Trap> {
        self.wait(4, addr, expected.into(), timeout)
    }

    /// The same for the `i64` at `addr`, as `memory.atomic.wait64` does.
    ///
    /// # Errors
    /// The address is not in the memory, or not a multiple of eight.
    pub fn atomic_wait64(
        &self,
        addr: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, Trap> {
        self.wait(8, addr, expected, timeout)
    }

    fn wait(
        &self,
        size: usize,
        addr: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, Trap> {
        let result = self.0.wait(size, addr, expected, timeout, None)?;
        Ok(result.expect("nobody interrupts this"))
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("ty", &self.ty()).finish_non_exhaustive()
    }
}
