//! Creating, growing, copying, filling and initializing memories and tables (spec, 4.4.6 and 4.4.7).
//!
//! What executing code asks for names objects by their index in the instance that runs.

#[cfg(feature = "threads")]
use super::memory::SharedMemory;
use super::{
    StoreInner,
    limits::ResourceLimiter,
    make_room,
    memory::{Growth, Memory},
    no_room,
    table::Table,
    table::span,
    vmctx::MEMORY_HEADER,
};
use crate::{
    error::Error,
    index::{copy_range, *},
    module::{ElemItems, SegmentMode},
    op::Class,
    trap::Trap,
    types::{MemoryType, TableType},
};
use alloc::{boxed::Box, format, vec, vec::Vec};
use core::{any::Any, ops::Range};

impl StoreInner {
    /// Adds a memory with the minimal size of its type, after asking the limiter for its size but not for their number.
    pub(super) fn create_memory(
        &mut self,
        data: &mut dyn Any,
        ty: MemoryType,
    ) -> Result<MemoryAddr, Error> {
        let too_large = || Error::limit(format!("no room for a memory of {} pages", ty.minimum));
        let desired = bytes(&ty, ty.minimum).ok_or_else(too_large)?;
        if desired as u64 > self.max_memory_bytes {
            return Err(too_large());
        }
        if let Some(limiter) = &mut self.limiter {
            let maximum = ty.maximum.map(|pages| bytes(&ty, pages).unwrap_or(usize::MAX));
            if !limiter(data).memory_growing(0, desired, maximum)? {
                return Err(Error::limit(format!(
                    "memory minimum size of {} pages exceeds memory limits",
                    ty.minimum
                )));
            }
        }
        let memory = match self.provided_memories.first() {
            Some(buffer) if !ty.shared => {
                let (size, room) = (desired.saturating_add(MEMORY_HEADER), buffer.size());
                if size > room {
                    return Err(Error::limit(format!(
                        "a memory of {} pages takes {size} bytes, of which {MEMORY_HEADER} are its header: the buffer provided for it has {room}",
                        ty.minimum
                    )));
                }
                let buffer = self.provided_memories.remove(0);
                Memory::from_buffer(ty, buffer, desired).ok_or_else(no_room)?
            }
            _ => Memory::new(ty, self.max_memory_bytes).ok_or_else(too_large)?,
        };
        make_room(&mut self.memories, 1)?;
        self.memories.push(memory);
        Ok(MemoryAddr(self.memories.len() as u32 - 1))
    }

    /// Adds a table with the minimal size of its type, after asking the limiter for its size but not for their number.
    pub(super) fn create_table(
        &mut self,
        data: &mut dyn Any,
        ty: TableType,
    ) -> Result<TableAddr, Error> {
        let too_large = || Error::limit(format!("no room for a table of {} elements", ty.minimum));
        let desired = usize::try_from(ty.minimum).map_err(|_| too_large())?;
        if ty.minimum > self.max_table_elements {
            return Err(too_large());
        }
        if let Some(limiter) = &mut self.limiter {
            let maximum = ty.maximum.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
            if !limiter(data).table_growing(0, desired, maximum)? {
                return Err(Error::limit(format!(
                    "table minimum size of {} elements exceeds table limits",
                    ty.minimum
                )));
            }
        }
        make_room(&mut self.tables, 1)?;
        self.tables.push(Table::new(ty).ok_or_else(too_large)?);
        Ok(TableAddr(self.tables.len() as u32 - 1))
    }

    /// Adds a memory for the host.
    ///
    /// # Errors
    /// A limit was met, or there is no room for it.
    pub fn add_memory(&mut self, data: &mut dyn Any, ty: MemoryType) -> Result<MemoryAddr, Error> {
        self.check_counts(data, 0, 0, 1)?;
        self.create_memory(data, ty)
    }

    /// A memory of the store that is the given shared one.
    #[cfg(feature = "threads")]
    pub fn add_shared_memory(&mut self, shared: &crate::Shared<SharedMemory>) -> MemoryAddr {
        let same = |memory: &Memory| {
            memory.as_shared().is_some_and(|other| crate::Shared::ptr_eq(other, shared))
        };
        let at = self.memories.iter().position(same).unwrap_or_else(|| {
            self.memories.push(Memory::from_shared(shared.clone()));
            self.memories.len() - 1
        });
        MemoryAddr(at as u32)
    }

    /// Adds a table for the host, with all elements `init`.
    ///
    /// # Errors
    /// A limit was met, or there is no room for it.
    pub fn add_table(
        &mut self,
        data: &mut dyn Any,
        ty: TableType,
        init: u32,
    ) -> Result<TableAddr, Error> {
        self.check_counts(data, 0, 1, 0)?;
        let addr = self.create_table(data, ty)?;
        if init != 0 {
            self.tables[addr].elems_mut().fill(init);
        }
        Ok(addr)
    }

    /// Grows a memory by `delta` pages. Answers how many it had, `None` if it cannot grow.
    ///
    /// # Errors
    /// The limiter asks to end the guest.
    pub fn grow_memory(
        &mut self,
        data: &mut dyn Any,
        addr: MemoryAddr,
        delta: u64,
    ) -> Result<Option<u64>, Error> {
        let memory = &mut self.memories[addr];
        loop {
            let old = memory.len();
            let pages = old as u64 >> memory.ty().page_size_log2;
            if delta == 0 {
                return Ok(Some(pages));
            }
            let mut limiter = self.limiter.as_mut().map(|limiter| limiter(data));
            let most = self.max_memory_bytes;
            let Some(new) = memory.grown_len(old, delta).filter(|&len| len as u64 <= most) else {
                return refuse(
                    limiter,
                    |limiter, error| limiter.memory_grow_failed(error),
                    "memory maximum size exceeded",
                );
            };
            if let Some(limiter) = &mut limiter {
                let ty = memory.ty();
                let maximum = ty.maximum.map(|pages| bytes(ty, pages).unwrap_or(usize::MAX));
                if !limiter.memory_growing(old, new, maximum)? {
                    return Ok(None);
                }
            }
            match memory.grow(old, new) {
                Growth::Done => return Ok(Some(pages)),
                Growth::NoRoom => {
                    return refuse(
                        limiter,
                        |limiter, error| limiter.memory_grow_failed(error),
                        "no room for the memory",
                    );
                }
                Growth::Raced => {}
            }
        }
    }

    /// Grows a table by `delta` elements, each `init`. Answers how many it had, `None` if it cannot grow.
    ///
    /// # Errors
    /// The limiter asks to end the guest.
    pub fn grow_table(
        &mut self,
        data: &mut dyn Any,
        addr: TableAddr,
        init: u32,
        delta: u64,
    ) -> Result<Option<u64>, Error> {
        let table = &mut self.tables[addr];
        let old = table.elems().len();
        if delta == 0 {
            return Ok(Some(old as u64));
        }
        let mut limiter = self.limiter.as_mut().map(|limiter| limiter(data));
        let most = self.max_table_elements;
        let Some(desired) = table.grown_len(delta).filter(|&len| len as u64 <= most) else {
            return refuse(
                limiter,
                |limiter, error| limiter.table_grow_failed(error),
                "table maximum size exceeded",
            );
        };
        if let Some(limiter) = &mut limiter {
            let maximum = table.ty().maximum;
            let maximum = maximum.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
            if !limiter.table_growing(old, desired, maximum)? {
                return Ok(None);
            }
        }
        if !table.grow(desired, init) {
            return refuse(
                limiter,
                |limiter, error| limiter.table_grow_failed(error),
                "no room for the table",
            );
        }
        Ok(Some(old as u64))
    }

    /// `memory.grow`: answers the old size in pages, `None` for -1.
    ///
    /// # Errors
    /// The limiter asks to end the guest.
    pub fn memory_grow(
        &mut self,
        data: &mut dyn Any,
        instance: InstanceAddr,
        memory: MemoryIdx,
        delta: u64,
    ) -> Result<Option<u64>, Error> {
        let addr = self.instance(instance).memory(memory);
        self.grow_memory(data, addr, delta)
    }

    /// `memory.fill`
    ///
    /// # Errors
    /// Traps if the range is not in the memory.
    pub fn memory_fill(
        &mut self,
        instance: InstanceAddr,
        memory: MemoryIdx,
        dst: u64,
        value: u8,
        len: u64,
    ) -> Result<(), Trap> {
        let addr = self.instance(instance).memory(memory);
        let memory = &mut self.memories[addr];
        let range = span(dst, len, memory.len()).ok_or(Trap::MemoryOutOfBounds)?;
        memory.fill(range, value);
        Ok(())
    }

    /// `memory.copy`
    ///
    /// # Errors
    /// Traps if one of the ranges is not in its memory.
    pub fn memory_copy(
        &mut self,
        instance: InstanceAddr,
        dst_memory: MemoryIdx,
        src_memory: MemoryIdx,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let instance = self.instance(instance);
        let (to, from) = (instance.memory(dst_memory), instance.memory(src_memory));
        let range = |addr: MemoryAddr, start| {
            span(start, len, self.memories[addr].len()).ok_or(Trap::MemoryOutOfBounds)
        };
        let (src, dst) = (range(from, src)?, range(to, dst)?);
        if self.memories[to].ty().shared || self.memories[from].ty().shared {
            self.copy_in_pieces(to, from, dst.start, src);
            return Ok(());
        }
        match self.memories.get_disjoint_mut([to.at(), from.at()]) {
            Ok([to, from]) => copy_range(to.data_mut(), dst, from.data(), src),
            Err(_) => self.memories[to].data_mut().copy_within(src, dst.start),
        }
        Ok(())
    }

    /// Copies a range of a memory to `dst` of another or the same, where one of them is shared.
    fn copy_in_pieces(&mut self, to: MemoryAddr, from: MemoryAddr, dst: usize, src: Range<usize>) {
        let mut buffer = [0; 1024];
        let (len, size) = (src.len(), buffer.len());
        let mut copy = |at: usize| {
            let Some(piece) = buffer.get_mut(..size.min(len - at)) else { return };
            self.memories[from].read(src.start + at, piece);
            self.memories[to].write(dst + at, piece);
        };
        // The ranges may overlap: what is overwritten has been copied.
        if dst <= src.start {
            (0..len).step_by(size).for_each(&mut copy);
        } else {
            (0..len).step_by(size).rev().for_each(&mut copy);
        }
    }

    /// Does an op of one of the atomic classes on the number of `size` bytes at `address`, with the operands `a` and `b`.
    /// Answers what the number was.
    ///
    /// # Errors
    /// Traps if the address is not a multiple of the size, or not in the memory.
    pub fn atomic(
        &mut self,
        instance: InstanceAddr,
        memory: MemoryIdx,
        op: Class,
        size: usize,
        address: u64,
        [a, b]: [u64; 2],
    ) -> Result<u64, Trap> {
        let addr = self.instance(instance).memory(memory);
        self.memories[addr].atomic(op, size, address, a, b)
    }

    /// `memory.init`
    ///
    /// # Errors
    /// Traps if one of the ranges is not in the memory or segment. A segment that was dropped has no bytes.
    pub fn memory_init(
        &mut self,
        instance: InstanceAddr,
        memory: MemoryIdx,
        segment: DataIdx,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let module = self.instance(instance).module.clone();
        let bytes = &module.wasm[module.datas[segment].bytes.clone()];
        let range = span(src, len, self.data_len(instance, segment));
        let bytes = range.and_then(|range| bytes.get(range)).ok_or(Trap::MemoryOutOfBounds)?;
        self.write_bytes(instance, memory, bytes, dst)
    }

    /// How many bytes a segment has for those who use it now: none if it has been dropped, or is not passive.
    pub fn data_len(&self, instance: InstanceAddr, segment: DataIdx) -> usize {
        let entry = &self.instances[instance];
        let data = &entry.instance.module.datas[segment];
        let usable = is_passive(&data.mode) && !is_dropped(&entry.dropped_datas, segment.at());
        if usable { data.bytes.len() } else { 0 }
    }

    /// `data.drop`
    pub fn data_drop(&mut self, instance: InstanceAddr, segment: DataIdx) {
        let entry = &mut self.instances[instance];
        let count = entry.instance.module.datas.len();
        mark_dropped(&mut entry.dropped_datas, count, segment.at());
    }

    /// Writes `bytes` to a memory, from `dst`.
    pub(super) fn write_bytes(
        &mut self,
        instance: InstanceAddr,
        memory: MemoryIdx,
        bytes: &[u8],
        dst: u64,
    ) -> Result<(), Trap> {
        let addr = self.instance(instance).memory(memory);
        let memory = &mut self.memories[addr];
        let range = span(dst, bytes.len() as u64, memory.len()).ok_or(Trap::MemoryOutOfBounds)?;
        memory.write(range.start, bytes);
        Ok(())
    }

    /// `table.grow`: answers the old size, `None` for -1. `init` is a handle.
    ///
    /// # Errors
    /// The limiter asks to end the guest.
    pub fn table_grow(
        &mut self,
        data: &mut dyn Any,
        instance: InstanceAddr,
        table: TableIdx,
        init: u32,
        delta: u64,
    ) -> Result<Option<u64>, Error> {
        let addr = self.instance(instance).table(table);
        self.grow_table(data, addr, init, delta)
    }

    /// `table.fill`; `value` is a handle.
    ///
    /// # Errors
    /// Traps if the range is not in the table.
    pub fn table_fill(
        &mut self,
        instance: InstanceAddr,
        table: TableIdx,
        dst: u64,
        value: u32,
        len: u64,
    ) -> Result<(), Trap> {
        let addr = self.instance(instance).table(table);
        self.fill_table(addr, dst, value, len)
    }

    /// Sets `len` elements of a table from `dst` to `value`, a handle.
    ///
    /// # Errors
    /// Traps if the range is not in the table.
    pub fn fill_table(
        &mut self,
        addr: TableAddr,
        dst: u64,
        value: u32,
        len: u64,
    ) -> Result<(), Trap> {
        let table = &mut self.tables[addr];
        let range = table.range(dst, len)?;
        table.elems_mut().get_mut(range).unwrap_or_default().fill(value);
        Ok(())
    }

    /// `table.copy`
    ///
    /// # Errors
    /// Traps if one of the ranges is not in its table.
    pub fn table_copy(
        &mut self,
        instance: InstanceAddr,
        dst_table: TableIdx,
        src_table: TableIdx,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let instance = self.instance(instance);
        let (to, from) = (instance.table(dst_table), instance.table(src_table));
        self.copy_table(to, from, dst, src, len)
    }

    /// Copies `len` elements from one table, starting at `src`, to another or the same, starting at `dst`.
    ///
    /// # Errors
    /// Traps if one of the ranges is not in its table.
    pub fn copy_table(
        &mut self,
        to: TableAddr,
        from: TableAddr,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let src = self.tables[from].range(src, len)?;
        let dst = self.tables[to].range(dst, len)?;
        match self.tables.get_disjoint_mut([to.at(), from.at()]) {
            Ok([to, from]) => copy_range(to.elems_mut(), dst, from.elems(), src),
            Err(_) => self.tables[to].elems_mut().copy_within(src, dst.start),
        }
        Ok(())
    }

    /// `table.init`
    ///
    /// # Errors
    /// Traps if one of the ranges is not in the table or segment. A segment that was dropped has no elements.
    pub fn table_init(
        &mut self,
        instance: InstanceAddr,
        table: TableIdx,
        segment: ElemIdx,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        span(src, len, self.elem_len(instance, segment)).ok_or(Trap::TableOutOfBounds)?;
        let module = self.instance(instance).module.clone();
        match &module.elems[segment].items {
            ElemItems::Funcs(items) => self.write_funcs(instance, table, items, dst, src, len),
            ElemItems::Exprs(_) => {
                let table = self.instance(instance).table(table);
                // Not there if no segment of the instance is passive: then it has none.
                let items = self.instances[instance].elems.get(segment.at());
                let items = items.map_or(&[][..], |items| items);
                copy_handles(&mut self.tables[table], items, dst, src, len)
            }
        }
    }

    /// How many elements a segment has for those who use it now: none if it has been dropped, or is not passive.
    pub fn elem_len(&self, instance: InstanceAddr, segment: ElemIdx) -> usize {
        let entry = &self.instances[instance];
        let elem = &entry.instance.module.elems[segment];
        let usable = is_passive(&elem.mode) && !is_dropped(&entry.dropped_elems, segment.at());
        if usable { elem.items.len() } else { 0 }
    }

    /// `elem.drop`
    pub fn elem_drop(&mut self, instance: InstanceAddr, segment: ElemIdx) {
        let entry = &mut self.instances[instance];
        let count = entry.instance.module.elems.len();
        mark_dropped(&mut entry.dropped_elems, count, segment.at());
        if let Some(elems) = entry.elems.get_mut(segment.at()) {
            *elems = Box::default();
        }
    }

    /// Writes references to `len` functions from `src` to a table, from `dst`.
    pub(super) fn write_funcs(
        &mut self,
        instance: InstanceAddr,
        table: TableIdx,
        funcs: &[FuncIdx],
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let addr = self.instance(instance).table(table);
        let src = span(src, len, funcs.len()).ok_or(Trap::TableOutOfBounds)?;
        let dst = self.tables[addr].range(dst, len)?;
        for (to, &func) in dst.zip(funcs.get(src).unwrap_or_default()) {
            let handle = self.ref_func(instance, func).0 + 1;
            if let Some(elem) = self.tables[addr].elems_mut().get_mut(to) {
                *elem = handle;
            }
        }
        Ok(())
    }

    /// Writes handles to a table, from `dst`.
    pub(super) fn write_handles(
        &mut self,
        instance: InstanceAddr,
        table: TableIdx,
        handles: &[u32],
        dst: u64,
    ) -> Result<(), Trap> {
        let addr = self.instance(instance).table(table);
        copy_handles(&mut self.tables[addr], handles, dst, 0, handles.len() as u64)
    }
}

fn copy_handles(table: &mut Table, from: &[u32], dst: u64, src: u64, len: u64) -> Result<(), Trap> {
    let src = span(src, len, from.len()).ok_or(Trap::TableOutOfBounds)?;
    let dst = table.range(dst, len)?;
    copy_range(table.elems_mut(), dst, from, src);
    Ok(())
}

fn bytes(ty: &MemoryType, pages: u64) -> Option<usize> {
    usize::try_from(pages.checked_mul(ty.page_size())?).ok()
}

fn refuse(
    limiter: Option<&mut dyn ResourceLimiter>,
    failed: fn(&mut (dyn ResourceLimiter + '_), Error) -> Result<(), Error>,
    why: &'static str,
) -> Result<Option<u64>, Error> {
    limiter.map_or(Ok(()), |limiter| failed(limiter, Error::limit(why))).map(|()| None)
}

fn is_passive<I>(mode: &SegmentMode<I>) -> bool {
    matches!(mode, SegmentMode::Passive)
}

fn is_dropped(dropped: &[bool], segment: usize) -> bool {
    dropped.get(segment).is_some_and(|&dropped| dropped)
}

fn mark_dropped(dropped: &mut Vec<bool>, count: usize, segment: usize) {
    if dropped.is_empty() {
        *dropped = vec![false; count];
    }
    if let Some(dropped) = dropped.get_mut(segment) {
        *dropped = true;
    }
}
