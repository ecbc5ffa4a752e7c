//! Arrays from segments.

use crate::{index::*, runtime::StoreInner, trap::Trap};

impl StoreInner {
    /// Whether a data segment has `len` elements of `size` bytes from byte `start`.
    ///
    /// # Errors
    /// Traps if it has not.
    pub fn check_data(
        &self,
        instance: InstanceAddr,
        segment: DataIdx,
        start: u32,
        len: u32,
        size: u32,
    ) -> Result<(), Trap> {
        let end = u64::from(start) + u64::from(len) * u64::from(size);
        let have = self.data_len(instance, segment) as u64;
        if end <= have { Ok(()) } else { Err(Trap::MemoryOutOfBounds) }
    }

    /// Whether an element segment has `len` elements from `start`.
    ///
    /// # Errors
    /// Traps if it has not.
    pub fn check_elems(
        &self,
        instance: InstanceAddr,
        segment: ElemIdx,
        start: u32,
        len: u32,
    ) -> Result<(), Trap> {
        let end = u64::from(start) + u64::from(len);
        let have = self.elem_len(instance, segment) as u64;
        if end <= have { Ok(()) } else { Err(Trap::TableOutOfBounds) }
    }

    /// `array.init_data`, of an array that is not null.
    ///
    /// # Errors
    /// Traps if array or segment do not have them all.
    pub fn array_init_data(
        &mut self,
        instance: InstanceAddr,
        segment: DataIdx,
        array: u32,
        at: u32,
        start: u32,
        len: u32,
    ) -> Result<(), Trap> {
        self.heap.check_array(array, at, len)?;
        let size = self.heap.array_element(array).size();
        self.check_data(instance, segment, start, len, size)?;
        if len == 0 {
            return Ok(());
        }
        let module = self.instance(instance).module.clone();
        let bytes = &module.wasm[module.datas[segment].bytes.clone()];
        let bytes = &bytes[start as usize..][..len as usize * size as usize];
        self.heap.write_array(array, at, bytes)
    }

    /// `array.init_elem`, of an array that is not null.
    ///
    /// # Errors
    /// Traps if array or segment do not have them all.
    pub fn array_init_elem(
        &mut self,
        instance: InstanceAddr,
        segment: ElemIdx,
        array: u32,
        at: u32,
        start: u32,
        len: u32,
    ) -> Result<(), Trap> {
        self.heap.check_array(array, at, len)?;
        self.check_elems(instance, segment, start, len)?;
        for i in 0..len {
            let handle = self.elem(instance, segment, (start + i) as usize);
            self.heap.set_element(array, at + i, [handle.into(), 0]);
        }
        Ok(())
    }
}
