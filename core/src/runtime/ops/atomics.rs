//! Ops of the atomic classes, which do something to a memory as if at one moment, and those that wait and notify.

use super::*;
use crate::op::{Class, Num};

/// An op of one of the atomic classes, with its operands.
struct Atomic {
    op: Op,
    instance: InstanceAddr,
    memory: MemoryIdx,
    /// Where; if that is more than 64 bits can say, an address in no memory that is as well aligned.
    address: u64,
    operands: [u64; 2],
}

impl StoreInner {
    /// Does an op of one of the atomic classes. Answers whether it has been done; otherwise it was interrupted while it waited, and
    /// nothing has changed.
    ///
    /// # Errors
    /// The address is not in the memory, or not aligned, or nobody can wait there.
    pub fn atomic_op(
        &mut self,
        instance: InstanceAddr,
        op: Op,
        memory: MemoryIdx,
        offset: u64,
        slots: &mut [u64],
    ) -> Result<bool, Trap> {
        let [address, a, b] = [0, 1, 2].map(|at| slots.get(at).copied().unwrap_or_default());
        let is_64 = self.instance(instance).module.memories[memory].is_64;
        let address = if is_64 { address } else { u64::from(address as u32) };
        let beyond = || !7 | address.wrapping_add(offset);
        let address = address.checked_add(offset).unwrap_or_else(beyond);
        let class = op.class();
        let op = Atomic { op, instance, memory, address, operands: [a, b] };
        let result = match class {
            Class::atomic_wait => match self.wait(&op)? {
                Some(result) => result,
                None => return Ok(false),
            },
            Class::atomic_notify => self.notify(&op)?,
            _ => self.update(&op, class, op.operands)?,
        };
        if class != Class::atomic_store
            && let Some(slot) = slots.first_mut()
        {
            *slot = result;
        }
        Ok(true)
    }

    fn update(&mut self, op: &Atomic, class: Class, operands: [u64; 2]) -> Result<u64, Trap> {
        self.atomic(op.instance, op.memory, class, size(op.op), op.address, operands)
    }

    #[cfg(not(feature = "threads"))]
    fn wait(&mut self, _: &Atomic) -> Result<Option<u64>, Trap> {
        Err(Trap::AtomicWaitNonSharedMemory)
    }

    /// There is nobody else.
    #[cfg(not(feature = "threads"))]
    fn notify(&mut self, op: &Atomic) -> Result<u64, Trap> {
        self.update(op, Class::atomic_load, [0; 2]).map(|_| 0)
    }

    /// `None` if it was interrupted.
    #[cfg(feature = "threads")]
    fn wait(&mut self, op: &Atomic) -> Result<Option<u64>, Trap> {
        let memory = self.shared(op).ok_or(Trap::AtomicWaitNonSharedMemory)?;
        let [expected, timeout] = op.operands;
        // Nanoseconds; a negative number stands for no end.
        let timeout = (timeout as i64 >= 0).then_some(core::time::Duration::from_nanos(timeout));
        let interrupted = || self.interrupted();
        let interrupted: Option<&dyn Fn() -> bool> =
            if self.interruptible { Some(&interrupted) } else { None };
        let result = memory.wait(size(op.op), op.address, expected, timeout, interrupted)?;
        Ok(result.map(|result| result as u64))
    }

    #[cfg(feature = "threads")]
    fn notify(&mut self, op: &Atomic) -> Result<u64, Trap> {
        let Some(memory) = self.shared(op) else {
            // There is nobody else.
            return self.update(op, Class::atomic_load, [0; 2]).map(|_| 0);
        };
        memory.notify(op.address, op.operands[0] as u32).map(u64::from)
    }

    /// The memory, if it is shared.
    #[cfg(feature = "threads")]
    fn shared(&self, op: &Atomic) -> Option<&crate::runtime::memory::SharedMemory> {
        let addr = self.instance(op.instance).memory(op.memory);
        self.memory(addr).as_shared().map(|shared| &**shared)
    }
}

/// Bytes of the number in memory.
fn size(op: Op) -> usize {
    match op.operand() {
        Some(Num::u8) => 1,
        Some(Num::u16) => 2,
        Some(Num::u32) => 4,
        _ => 8,
    }
}
