//! Making, reading and writing objects.
//!
//! Handles are those of objects of the right kind, and indices and ranges are in bounds, unless it says otherwise: callers have
//! checked that. A handle that is none panics at worst.

use super::{
    EXCEPTION, HOST, Heap, ObjectKind, as_i31, header, is_object,
    layout::{Field, HEADER, Layout, MIN_UNITS, Storage, array_units},
    split, unit,
};
use crate::{
    error::Error,
    index::TagAddr,
    runtime::StoreInner,
    trap::Trap,
    types::{CompositeType, ConcreteType, HeapType, TypeKind, ValType, slot_count},
};
use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, ops::Range};

impl StoreInner {
    /// Takes `units` units for a new object, which may collect garbage.
    #[inline]
    fn take_units(&mut self, data: &mut dyn Any, units: u64) -> Result<u32, Error> {
        if let Ok(units) = u32::try_from(units)
            && let Some(at) = self.heap.free.take(units)
        {
            return Ok(at);
        }
        self.make_room(data, units)?;
        let at = self.heap.free.take(units as u32).ok_or(Trap::AllocationTooLarge)?;
        self.heap.end_quick_allocation();
        Ok(at)
    }

    /// A new struct of a type that is [defined](Heap::define), with the slots of its fields. Collects what nothing refers to:
    /// references among the fields must be roots.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new_struct(&mut self, data: &mut dyn Any, ty: u32, slots: &[u64]) -> Result<u32, Error> {
        let at = self.take_units(data, self.heap.struct_units(ty).into())?;
        Ok(self.heap.fill_struct(ty, at, slots))
    }

    /// A new struct of a type that is [defined](Heap::define), with zeros and nulls.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new_struct_default(&mut self, data: &mut dyn Any, ty: u32) -> Result<u32, Error> {
        let units = self.heap.struct_units(ty);
        let at = self.take_units(data, units.into())?;
        Ok(self.heap.clear(ty, 0, at, units))
    }

    /// A new array of a type that is [defined](Heap::define), with zeros and nulls.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new_array(&mut self, data: &mut dyn Any, ty: u32, len: u32) -> Result<u32, Error> {
        let units = array_units(self.heap.type_element(ty), len);
        let at = self.take_units(data, units)?;
        Ok(self.heap.clear(ty, len, at, units as u32))
    }

    /// An object that stands for a value of the host.
    ///
    /// # Errors
    /// There is no room for it: then the value comes back as well.
    pub fn new_extern(
        &mut self,
        data: &mut dyn Any,
        value: Box<dyn Any + Send + Sync>,
    ) -> Result<u32, (Box<dyn Any + Send + Sync>, Error)> {
        let at = match self.take_units(data, MIN_UNITS.into()) {
            Ok(at) => at,
            Err(error) => return Err((value, error)),
        };
        // Until there is a value, the object has a number that none has.
        let handle = self.heap.clear(HOST, 0, at, MIN_UNITS);
        self.heap.region.words_mut()[at as usize + 1] = u32::MAX.into();
        match self.heap.externs.add(value) {
            Ok(number) => {
                self.heap.region.words_mut()[at as usize + 1] = number.into();
                Ok(handle)
            }
            Err(value) => Err((value, Error::limit("no memory for a value of the host"))),
        }
    }
}

impl StoreInner {
    /// A new exception that carries the values in these slots; references among them must be roots.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new_exception(
        &mut self,
        data: &mut dyn Any,
        tag: TagAddr,
        args: &[u64],
    ) -> Result<u32, Error> {
        debug_assert_eq!(args.len(), self.tag(tag).slots());
        if self.heap.tags.get(tag.at()).is_none_or(Option::is_none) {
            let mut slot = 0;
            let mut refs = Vec::new();
            for ty in self.tag(tag).ty().params() {
                if ty.is_managed() {
                    refs.push(slot);
                }
                slot += slot_count(core::slice::from_ref(ty));
            }
            let len = self.heap.tags.len().max(tag.at() + 1);
            self.heap.tags.resize_with(len, || None);
            self.heap.tags[tag] = Some(refs.into());
        }
        let at = self.take_units(data, 2 + args.len() as u64)?;
        let words = &mut self.heap.region.words_mut()[at as usize..][..2 + args.len()];
        words[0] = header(EXCEPTION, args.len() as u32);
        words[1] = tag.0.into();
        let mut words = &mut words[2..];
        words.copy_from_slice(args);
        // Compiled code that catches it counts on zeros above 32 bits, which code of an artifact need not have written.
        for ty in self.tags[tag].ty().params() {
            if matches!(ty, ValType::I32 | ValType::F32) {
                words[0] &= u64::from(u32::MAX);
            }
            words = &mut words[slot_count(core::slice::from_ref(ty)) as usize..];
        }
        Ok(at * 2)
    }

    /// The tag of an exception, and the slots of what it carries.
    pub fn exception(&self, handle: u32) -> (TagAddr, &[u64]) {
        let len = split(self.heap.header(handle)).1 as usize;
        let words = &self.heap.region.words()[unit(handle)..][..2 + len];
        (TagAddr(words[1] as u32), &words[2..])
    }
}

impl Heap {
    /// A new struct, if its type is defined and there is room without looking further.
    #[inline]
    pub fn try_new_struct(&mut self, ty: u32, slots: &[u64]) -> Option<u32> {
        let Some(Layout::Struct(layout)) = self.layout(ty) else { return None };
        let units = layout.units;
        let at = self.free.take(units)?;
        Some(self.fill_struct(ty, at, slots))
    }

    #[inline]
    fn fill_struct(&mut self, ty: u32, at: u32, slots: &[u64]) -> u32 {
        let Some(Layout::Struct(layout)) = self.layouts[ty as usize].as_deref() else {
            unreachable!("structs have the layout of a struct")
        };
        let start = at as usize * 8;
        self.region.words_mut()[at as usize] = header(ty, 0);
        let bytes = &mut self.region.bytes_mut()[start..start + layout.units as usize * 8];
        let mut slot = 0;
        for field in &layout.fields {
            let high = if field.storage == Storage::Vector { slots[slot + 1] } else { 0 };
            write(bytes, field.offset as usize, field.storage, [slots[slot], high]);
            slot += field.storage.slots();
        }
        at * 2
    }

    /// Makes an object of zeros.
    fn clear(&mut self, kind: u32, len: u32, at: u32, units: u32) -> u32 {
        let words = &mut self.region.words_mut()[at as usize..(at + units) as usize];
        words.fill(0);
        words[0] = header(kind, len);
        at * 2
    }

    /// Lets the store have objects of a type of the engine, structs or arrays. The id must stay that type's.
    pub fn define(&mut self, ty: u32, composite: &CompositeType) {
        if self.layout(ty).is_some() {
            return;
        }
        let Some(layout) = Layout::new(composite) else { return };
        if self.layouts.len() <= ty as usize {
            self.layouts.resize_with(ty as usize + 1, || None);
        }
        self.layouts[ty as usize] = Some(Box::new(layout));
    }

    #[inline]
    fn struct_units(&self, ty: u32) -> u32 {
        match self.layout(ty) {
            Some(Layout::Struct(layout)) => layout.units,
            _ => panic!("not a type of structs"),
        }
    }

    fn type_element(&self, ty: u32) -> Storage {
        match self.layout(ty) {
            Some(Layout::Array(element)) => *element,
            _ => panic!("not a type of arrays"),
        }
    }

    /// The most specific type of what a managed reference refers to, as one of the hierarchy of `any`.
    pub fn type_of(&self, handle: u32) -> HeapType {
        if as_i31(handle).is_some() {
            return HeapType::I31;
        }
        let ObjectKind::Type(index) = self.kind(handle) else { return HeapType::Any };
        let kind = match self.layout(index) {
            Some(Layout::Array(_)) => TypeKind::Array,
            _ => TypeKind::Struct,
        };
        HeapType::Concrete(ConcreteType { kind, index })
    }

    /// How an object lies here, if it is a struct or array.
    #[inline]
    pub fn object_layout(&self, handle: u32) -> Option<&Layout> {
        match self.kind(handle) {
            ObjectKind::Type(ty) => self.layout(ty),
            _ => None,
        }
    }

    /// How the elements of an array are kept.
    ///
    /// # Panics
    /// If it is none.
    #[inline]
    pub fn array_element(&self, handle: u32) -> Storage {
        match self.object_layout(handle) {
            Some(Layout::Array(element)) => *element,
            _ => panic!("not an array"),
        }
    }

    /// How many elements an array has.
    #[inline]
    pub fn array_len(&self, handle: u32) -> u32 {
        split(self.header(handle)).1
    }

    /// The slots of a field.
    #[inline]
    pub fn field(&self, handle: u32, field: Field) -> [u64; 2] {
        read(self.region.bytes(), place(handle, field.offset), field.storage)
    }

    /// Sets a field to what stands in these slots.
    #[inline]
    pub fn set_field(&mut self, handle: u32, field: Field, bits: [u64; 2]) {
        write(self.region.bytes_mut(), place(handle, field.offset), field.storage, bits);
    }

    /// The slots of an element.
    pub fn element(&self, handle: u32, index: u32) -> [u64; 2] {
        let storage = self.array_element(handle);
        let at = self.elements(handle, storage, index, 1).expect("an index in bounds").start;
        read(self.region.bytes(), at, storage)
    }

    /// Sets an element to what stands in these slots.
    pub fn set_element(&mut self, handle: u32, index: u32, bits: [u64; 2]) {
        let storage = self.array_element(handle);
        let at = self.elements(handle, storage, index, 1).expect("an index in bounds").start;
        write(self.region.bytes_mut(), at, storage, bits);
    }

    /// Where elements of an array are.
    fn elements(
        &self,
        handle: u32,
        storage: Storage,
        start: u32,
        len: u32,
    ) -> Result<Range<usize>, Trap> {
        let end = start.checked_add(len).filter(|&end| end <= self.array_len(handle));
        end.ok_or(Trap::ArrayOutOfBounds)?;
        let (first, size) = (place(handle, HEADER), storage.size() as usize);
        Ok(first + start as usize * size..first + (start + len) as usize * size)
    }

    /// Whether an array has `len` elements from `start`.
    ///
    /// # Errors
    /// Traps if it has not.
    pub fn check_array(&self, handle: u32, start: u32, len: u32) -> Result<(), Trap> {
        self.elements(handle, self.array_element(handle), start, len).map(|_| ())
    }

    /// Sets `len` elements from `start` to what stands in these slots.
    ///
    /// # Errors
    /// Traps if the array does not have them all.
    pub fn fill_array(
        &mut self,
        handle: u32,
        start: u32,
        bits: [u64; 2],
        len: u32,
    ) -> Result<(), Trap> {
        let storage = self.array_element(handle);
        let range = self.elements(handle, storage, start, len)?;
        let size = storage.size() as usize;
        let elements = &mut self.region.bytes_mut()[range];
        if bits == [0; 2] {
            elements.fill(0);
        } else {
            elements.chunks_exact_mut(size).for_each(|element| write(element, 0, storage, bits));
        }
        Ok(())
    }

    /// Copies elements from one array to another, or within one.
    ///
    /// # Errors
    /// Traps if the arrays do not have them all.
    pub fn copy_array(
        &mut self,
        (to, at): (u32, u32),
        (from, start): (u32, u32),
        len: u32,
    ) -> Result<(), Trap> {
        let to = self.elements(to, self.array_element(to), at, len)?;
        let from = self.elements(from, self.array_element(from), start, len)?;
        self.region.bytes_mut().copy_within(from, to.start);
        Ok(())
    }

    /// Sets elements of an array of numbers to what stands in these bytes, little-endian, as many as they are for.
    ///
    /// # Errors
    /// Traps if the array does not have them all.
    pub fn write_array(&mut self, handle: u32, start: u32, data: &[u8]) -> Result<(), Trap> {
        let storage = self.array_element(handle);
        let size = storage.size() as usize;
        let len = u32::try_from(data.len() / size).map_err(|_| Trap::ArrayOutOfBounds)?;
        let range = self.elements(handle, storage, start, len)?;
        let elements = &mut self.region.bytes_mut()[range];
        elements.copy_from_slice(&data[..elements.len()]);
        if cfg!(target_endian = "big") {
            // Vectors lie in the heap as two words, the low one first.
            elements.chunks_exact_mut(size.min(8)).for_each(<[u8]>::reverse);
        }
        Ok(())
    }

    /// The number of the value of the host that an object stands for, if it does.
    fn host_value(&self, handle: u32) -> Option<u32> {
        let is_host = is_object(handle) && self.kind(handle) == ObjectKind::Host;
        is_host.then(|| self.region.words()[unit(handle) + 1] as u32)
    }

    /// The value of the host that an object stands for, if it does.
    pub fn extern_value(&self, handle: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.externs.get(self.host_value(handle)?)
    }

    /// The value of the host that an object stands for, if it does.
    pub fn extern_value_mut(&mut self, handle: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        let number = self.host_value(handle)?;
        self.externs.get_mut(number)
    }
}

/// The byte at an offset of an object.
#[inline]
fn place(handle: u32, offset: u32) -> usize {
    unit(handle) * 8 + offset as usize
}

/// The slots of what is kept at a byte. Packed numbers are zero-extended.
#[inline]
fn read(bytes: &[u8], at: usize, storage: Storage) -> [u64; 2] {
    fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        *bytes[at..].first_chunk().expect("it is within the heap")
    }
    let low = match storage {
        Storage::I8 => bytes[at].into(),
        Storage::I16 => u16::from_ne_bytes(array(bytes, at)).into(),
        Storage::Word32 | Storage::Func | Storage::Managed => {
            u32::from_ne_bytes(array(bytes, at)).into()
        }
        Storage::Word64 => u64::from_ne_bytes(array(bytes, at)),
        Storage::Vector => {
            return [at, at + 8].map(|at| u64::from_ne_bytes(array(bytes, at)));
        }
    };
    [low, 0]
}

#[inline]
fn write(bytes: &mut [u8], at: usize, storage: Storage, [low, high]: [u64; 2]) {
    fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
        *bytes[at..].first_chunk_mut().expect("it is within the heap") = value;
    }
    // Most are; and one branch is guessed better than one of a table.
    if matches!(storage, Storage::Word32 | Storage::Func | Storage::Managed) {
        return put(bytes, at, (low as u32).to_ne_bytes());
    }
    match storage {
        Storage::I8 => bytes[at] = low as u8,
        Storage::I16 => put(bytes, at, (low as u16).to_ne_bytes()),
        Storage::Word64 => put(bytes, at, low.to_ne_bytes()),
        Storage::Vector => {
            put(bytes, at, low.to_ne_bytes());
            put(bytes, at + 8, high.to_ne_bytes());
        }
        Storage::Word32 | Storage::Func | Storage::Managed => {}
    }
}
