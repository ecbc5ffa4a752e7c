//! Ops that both tiers leave to ordinary Rust. Operands stand in consecutive slots, and results take their place.
//!
//! | module | what it does |
//! |---|---|
//! | here | the class `slots`: memories, tables and references as wholes |
//! | `objects` | the class `slots`: structs and arrays; and single accesses to them |
//! | `casts` | what type a reference is of |
//! | `atomics` | the atomic classes |
//! | `multi` | the class `multi` |
//!
//! Slots are as many as the op has operands, or results if these are more; there may be more.

mod atomics;
#[cfg(feature = "gc")]
mod casts;
mod multi;
#[cfg(feature = "gc")]
mod objects;

pub use multi::multi;

use super::StoreInner;
use crate::{
    error::Error,
    index::{out_of_range, *},
    op::Op,
    trap::Trap,
};
use core::{any::Any, sync::atomic};

/// Whether an op of the class `slots` makes an object: then [`StoreInner::new_object`] does it, for it may collect garbage.
#[inline]
pub fn makes_object(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        StructNew
            | StructNewDefault
            | ArrayNew
            | ArrayNewDefault
            | ArrayNewFixed
            | ArrayNewData
            | ArrayNewElem
    )
}

impl StoreInner {
    /// Does an op of the class `slots` that makes no object, with the immediates `x` and `y`.
    ///
    /// # Errors
    /// It traps.
    pub fn slots_op(
        &mut self,
        data: &mut dyn Any,
        addr: InstanceAddr,
        op: Op,
        [x, y]: [u32; 2],
        slots: &mut [u64],
    ) -> Result<(), Error> {
        #[cfg(feature = "gc")]
        if op >= Op::StructNew && op <= Op::ArrayInitElem {
            return self.access_op(addr, op, y, slots).map_err(Into::into);
        }
        let [a, b, c] = [0, 1, 2].map(|at| slots.get(at).copied().unwrap_or_default());
        let (wide, wide_y) = self.widths(addr, op, x, y);
        let narrow = |is_64: bool, v: u64| if is_64 { v } else { u64::from(v as u32) };
        // What growing answers when it fails: -1 of the type.
        let grown = |is_64: bool, old: Option<u64>| narrow(is_64, old.unwrap_or(u64::MAX));
        let to = narrow(wide, a);
        let result = match op {
            Op::MemorySize => {
                let memory = self.instance(addr).memory(MemoryIdx(x));
                self.memory(memory).size()
            }
            Op::MemoryGrow => grown(wide, self.memory_grow(data, addr, MemoryIdx(x), to)?),
            Op::MemoryFill => {
                let len = narrow(wide, c);
                return Ok(self.memory_fill(addr, MemoryIdx(x), to, b as u8, len)?);
            }
            Op::MemoryCopy => {
                let (from, len) = (narrow(wide_y, b), narrow(wide && wide_y, c));
                return Ok(self.memory_copy(addr, MemoryIdx(x), MemoryIdx(y), to, from, len)?);
            }
            Op::MemoryInit => {
                let (from, len) = (narrow(false, b), narrow(false, c));
                return Ok(self.memory_init(addr, MemoryIdx(x), DataIdx(y), to, from, len)?);
            }
            Op::DataDrop => {
                self.data_drop(addr, DataIdx(x));
                return Ok(());
            }
            Op::TableGet => (*self.table_elem(addr, x, to)?).into(),
            Op::TableSet => {
                *self.table_elem(addr, x, to)? = b as u32;
                return Ok(());
            }
            Op::TableSize => {
                let table = self.instance(addr).table(TableIdx(x));
                self.table(table).elems().len() as u64
            }
            Op::TableGrow => {
                let delta = narrow(wide, b);
                grown(wide, self.table_grow(data, addr, TableIdx(x), a as u32, delta)?)
            }
            Op::TableFill => {
                let len = narrow(wide, c);
                return Ok(self.table_fill(addr, TableIdx(x), to, b as u32, len)?);
            }
            Op::TableCopy => {
                let (from, len) = (narrow(wide_y, b), narrow(wide && wide_y, c));
                return Ok(self.table_copy(addr, TableIdx(x), TableIdx(y), to, from, len)?);
            }
            Op::TableInit => {
                let (from, len) = (narrow(false, b), narrow(false, c));
                return Ok(self.table_init(addr, TableIdx(x), ElemIdx(y), to, from, len)?);
            }
            Op::ElemDrop => {
                self.elem_drop(addr, ElemIdx(x));
                return Ok(());
            }
            Op::AtomicFence => {
                atomic::fence(atomic::Ordering::SeqCst);
                return Ok(());
            }
            Op::RefFunc => u64::from(self.ref_func(addr, FuncIdx(x)).0) + 1,
            _ => out_of_range(),
        };
        if let Some(slot) = slots.first_mut() {
            *slot = result;
        }
        Ok(())
    }

    /// How many slots an op of the class `slots` takes, for operands or results, whichever are more.
    pub fn slots_of(&self, addr: InstanceAddr, op: Op, immediates: [u32; 2]) -> usize {
        #[cfg(feature = "gc")]
        if op >= Op::StructNew && op <= Op::ArrayInitElem {
            return self.object_slots(addr, op, immediates);
        }
        let _ = (addr, op, immediates);
        3
    }

    /// Whether the memories or tables that an op names are addressed by `i64`.
    fn widths(&self, addr: InstanceAddr, op: Op, x: u32, y: u32) -> (bool, bool) {
        let module = &*self.instance(addr).module;
        let memory = |i: u32| module.memories[MemoryIdx(i)].is_64;
        let table = |i: u32| module.tables[TableIdx(i)].is_64;
        match op {
            Op::MemorySize | Op::MemoryGrow | Op::MemoryFill | Op::MemoryInit => (memory(x), false),
            Op::MemoryCopy => (memory(x), memory(y)),
            Op::DataDrop | Op::ElemDrop | Op::AtomicFence | Op::RefFunc => (false, false),
            Op::TableCopy => (table(x), table(y)),
            _ => (table(x), false),
        }
    }

    /// An element of a table.
    fn table_elem(&mut self, addr: InstanceAddr, table: u32, index: u64) -> Result<&mut u32, Trap> {
        let table = self.instance(addr).table(TableIdx(table));
        let index = usize::try_from(index).map_err(|_| Trap::TableOutOfBounds)?;
        self.table_mut(table).elems_mut().get_mut(index).ok_or(Trap::TableOutOfBounds)
    }
}
