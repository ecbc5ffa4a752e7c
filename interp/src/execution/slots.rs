//! Ops of the class `slots`: on memories, tables and references as wholes.

use super::*;
use kinglet_core::{
    index::{DataIdx, ElemIdx, MemoryIdx, TableIdx},
    op::{Op, ROWS},
};

/// Rows of the class stand together at the end of the op table, with one form each.
const FIRST: Op = Op::MemorySize;

impl Machine<'_> {
    pub(super) fn slots(&mut self) -> Result<Flow, Error> {
        let number = self.opcode() - crate::forms::row(FIRST).forms;
        let op = ROWS[FIRST as usize + usize::from(number)].op;
        let (x, y): (u32, u32) = (self.operand(0), self.operand(4));
        let base = self.fp() + usize::from(self.operand::<u16>(8));
        #[cfg(feature = "gc")]
        if op >= Op::StructNewDefault && op <= Op::ArrayInitElem {
            self.object_op(op, x, y, base)?;
            self.skip(10);
            return Ok(Flow::Code);
        }
        let stack = &self.execution.stack;
        let args = [stack[base], stack[base + 1], stack[base + 2]];
        let result = self.slots_op(op, x, y, args)?;
        if let Some(result) = result {
            self.execution.stack[base] = result;
        }
        self.skip(10);
        Ok(Flow::Code)
    }

    fn slots_op(
        &mut self,
        op: Op,
        x: u32,
        y: u32,
        [a, b, c]: [u64; 3],
    ) -> Result<Option<u64>, Error> {
        let addr = InstanceAddr(self.cx.instance);
        let (wide, wide_y) = self.widths(op, x, y);
        let narrow = |is_64: bool, v: u64| if is_64 { v } else { u64::from(v as u32) };
        // What growing answers when it fails: -1 of the type.
        let grown = |is_64: bool, old: Option<u64>| Some(narrow(is_64, old.unwrap_or(u64::MAX)));
        Ok(match op {
            Op::MemorySize => {
                let memory = self.store.instance(addr).memory(MemoryIdx(x));
                Some(self.store.memory(memory).size())
            }
            Op::MemoryGrow => {
                let old = self.store.memory_grow(self.data, addr, MemoryIdx(x), narrow(wide, a))?;
                grown(wide, old)
            }
            Op::MemoryFill => {
                self.store.memory_fill(
                    addr,
                    MemoryIdx(x),
                    narrow(wide, a),
                    b as u8,
                    narrow(wide, c),
                )?;
                None
            }
            Op::MemoryCopy => {
                let (dst, src) = (narrow(wide, a), narrow(wide_y, b));
                let len = narrow(wide && wide_y, c);
                self.store.memory_copy(addr, MemoryIdx(x), MemoryIdx(y), dst, src, len)?;
                None
            }
            Op::MemoryInit => {
                let (src, len) = (narrow(false, b), narrow(false, c));
                self.store.memory_init(
                    addr,
                    MemoryIdx(x),
                    DataIdx(y),
                    narrow(wide, a),
                    src,
                    len,
                )?;
                None
            }
            Op::DataDrop => {
                self.store.data_drop(addr, DataIdx(x));
                None
            }
            Op::TableGet => Some(u64::from(*self.table_elem(x, narrow(wide, a))?)),
            Op::TableSet => {
                *self.table_elem(x, narrow(wide, a))? = b as u32;
                None
            }
            Op::TableSize => {
                // SAFETY: INSTANCE.
                Some(unsafe { (**self.cx.tables.add(x as usize)).len as u64 })
            }
            Op::TableGrow => {
                let old = self.store.table_grow(
                    self.data,
                    addr,
                    TableIdx(x),
                    a as u32,
                    narrow(wide, b),
                )?;
                grown(wide, old)
            }
            Op::TableFill => {
                self.store.table_fill(
                    addr,
                    TableIdx(x),
                    narrow(wide, a),
                    b as u32,
                    narrow(wide, c),
                )?;
                None
            }
            Op::TableCopy => {
                let (dst, src) = (narrow(wide, a), narrow(wide_y, b));
                let len = narrow(wide && wide_y, c);
                self.store.table_copy(addr, TableIdx(x), TableIdx(y), dst, src, len)?;
                None
            }
            Op::TableInit => {
                let (src, len) = (narrow(false, b), narrow(false, c));
                self.store.table_init(addr, TableIdx(x), ElemIdx(y), narrow(wide, a), src, len)?;
                None
            }
            Op::ElemDrop => {
                self.store.elem_drop(addr, ElemIdx(x));
                None
            }
            Op::AtomicFence => {
                core::sync::atomic::fence(Ordering::SeqCst);
                None
            }
            Op::RefFunc => Some(u64::from(self.store.ref_func(addr, FuncIdx(x)).0) + 1),
            other => unreachable!("{other:?} is not of the class `slots`"),
        })
    }

    /// Whether the memories or tables that an op names are addressed by `i64`.
    fn widths(&self, op: Op, x: u32, y: u32) -> (bool, bool) {
        let module = &*self.store.instance(InstanceAddr(self.cx.instance)).module;
        let memory = |i: u32| module.memories[i as usize].is_64;
        let table = |i: u32| module.tables[i as usize].is_64;
        match op {
            Op::MemorySize | Op::MemoryGrow | Op::MemoryFill | Op::MemoryInit => (memory(x), false),
            Op::MemoryCopy => (memory(x), memory(y)),
            Op::DataDrop | Op::ElemDrop | Op::AtomicFence | Op::RefFunc => (false, false),
            Op::TableCopy => (table(x), table(y)),
            _ => (table(x), false),
        }
    }

    /// An element of a table.
    fn table_elem(&mut self, table: u32, index: u64) -> Result<&mut u32, Trap> {
        // SAFETY: INSTANCE.
        let table = unsafe { &mut **self.cx.tables.add(table as usize) };
        if index >= table.len as u64 {
            return Err(Trap::TableOutOfBounds);
        }
        // SAFETY: the index has been checked.
        Ok(unsafe { &mut *table.elems.add(index as usize) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet_core::op::Class;

    #[test]
    fn rows_of_the_class_stand_together_at_the_end() {
        for row in ROWS {
            assert_eq!(row.class == Class::slots, row.op >= FIRST, "{}", row.name);
            if row.class == Class::slots {
                let forms = |op| crate::forms::row(op).forms;
                assert_eq!(forms(row.op) - forms(FIRST), row.op as u16 - FIRST as u16);
            }
        }
    }
}
