//! Ops of the atomic classes, which do something to a memory as if at one moment, and those that wait and notify.

use super::*;
use kinglet_core::{
    index::MemoryIdx,
    op::{Class, Num, Op, ROWS, Row},
};

/// Rows of the classes stand together in the op table, with one form each.
const FIRST: Op = Op::I32AtomicLoad;

/// An op of one of the atomic classes, with its operands.
struct Atomic {
    row: &'static Row,
    memory: MemoryIdx,
    /// Where; if that is more than 64 bits can say, an address in no memory that is as well aligned.
    address: u64,
    operands: [u64; 2],
}

impl Machine<'_> {
    /// `memory, offset, base`
    pub(super) fn atomic(&mut self) -> Result<Flow, Error> {
        let number = self.opcode() - crate::forms::row(FIRST).forms;
        let row = &ROWS[FIRST as usize + usize::from(number)];
        let (memory, offset): (u16, u64) = (self.operand(0), self.operand(2));
        let base = self.fp() + usize::from(self.operand::<u16>(10));
        let stack = &self.execution.stack;
        let [address, a, b] = [stack[base], stack[base + 1], stack[base + 2]];

        let module = &self.store.instance(InstanceAddr(self.cx.instance)).module;
        let is_64 = module.memories[usize::from(memory)].is_64;
        let address = if is_64 { address } else { u64::from(address as u32) };
        let beyond = || !7 | address.wrapping_add(offset);
        let address = address.checked_add(offset).unwrap_or_else(beyond);
        let op = Atomic { row, memory: MemoryIdx(memory.into()), address, operands: [a, b] };
        let Some(result) = self.atomic_op(&op)? else { return Ok(Flow::Exit(Exit::Interrupted)) };
        if row.class != Class::atomic_store {
            self.execution.stack[base] = result;
        }
        self.skip(12);
        Ok(Flow::Code)
    }

    /// `None` if it was interrupted while it waited.
    fn atomic_op(&mut self, op: &Atomic) -> Result<Option<u64>, Trap> {
        match op.row.class {
            Class::atomic_wait => self.wait(op),
            Class::atomic_notify => self.notify(op).map(Some),
            class => self.access(op, class, op.operands).map(Some),
        }
    }

    fn access(&mut self, op: &Atomic, class: Class, operands: [u64; 2]) -> Result<u64, Trap> {
        let size = size(op.row);
        let instance = InstanceAddr(self.cx.instance);
        self.store.atomic(instance, op.memory, class, size, op.address, operands)
    }

    #[cfg(not(feature = "threads"))]
    fn wait(&mut self, _: &Atomic) -> Result<Option<u64>, Trap> {
        Err(Trap::AtomicWaitNonSharedMemory)
    }

    /// There is nobody else.
    #[cfg(not(feature = "threads"))]
    fn notify(&mut self, op: &Atomic) -> Result<u64, Trap> {
        self.access(op, Class::atomic_load, [0; 2]).map(|_| 0)
    }

    #[cfg(feature = "threads")]
    fn wait(&mut self, op: &Atomic) -> Result<Option<u64>, Trap> {
        let memory = self.shared(op).ok_or(Trap::AtomicWaitNonSharedMemory)?;
        let [expected, timeout] = op.operands;
        // Nanoseconds; a negative number stands for no end.
        let timeout = (timeout as i64 >= 0).then_some(core::time::Duration::from_nanos(timeout));
        let store = &*self.store;
        let interrupted = || store.interrupted();
        let interrupted: Option<&dyn Fn() -> bool> =
            if store.interruptible { Some(&interrupted) } else { None };
        let result = memory.wait(size(op.row), op.address, expected, timeout, interrupted)?;
        Ok(result.map(|result| result as u64))
    }

    #[cfg(feature = "threads")]
    fn notify(&mut self, op: &Atomic) -> Result<u64, Trap> {
        let Some(memory) = self.shared(op) else {
            // There is nobody else.
            return self.access(op, Class::atomic_load, [0; 2]).map(|_| 0);
        };
        memory.notify(op.address, op.operands[0] as u32).map(u64::from)
    }

    /// The memory, if it is shared.
    #[cfg(feature = "threads")]
    fn shared(&self, op: &Atomic) -> Option<&kinglet_core::runtime::memory::SharedMemory> {
        let addr = self.store.instance(InstanceAddr(self.cx.instance)).memory(op.memory);
        self.store.memory(addr).as_shared().map(|shared| &**shared)
    }
}

/// Bytes of the number in memory.
fn size(row: &Row) -> usize {
    match row.from {
        Some(Num::u8) => 1,
        Some(Num::u16) => 2,
        Some(Num::u32) => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_classes_stand_together() {
        let last = Op::MemoryAtomicNotify;
        for row in ROWS {
            let atomic = row.class.atomic_operands().is_some();
            assert_eq!(atomic, (FIRST..=last).contains(&row.op), "{}", row.name);
            if atomic {
                let forms = |op| crate::forms::row(op).forms;
                assert_eq!(forms(row.op) - forms(FIRST), row.op as u16 - FIRST as u16);
            }
        }
    }
}
