//! Structs and arrays.
//!
//! Whatever allocates may collect: until then, operands stay in their slots.

use super::*;
use crate::{
    op::Num,
    runtime::gc::{
        Heap,
        layout::{Field, Layout, Storage},
    },
    types::{CompositeType, StorageType},
};

impl StoreInner {
    /// Does an op that [makes an object](makes_object), with the immediates `x` and `y`. Answers with the object, for the first slot.
    ///
    /// It may collect garbage: the caller has linked whoever holds references ([`StoreInner::during`]), the slots included.
    ///
    /// # Errors
    /// There is no room for it, or it traps.
    pub fn new_object(
        &mut self,
        data: &mut dyn Any,
        instance: InstanceAddr,
        op: Op,
        [x, y]: [u32; 2],
        slots: &[u64],
    ) -> Result<u32, Error> {
        let ty = self.defined(instance, x);
        let operand = |at: usize| slots[at] as u32;
        Ok(match op {
            Op::StructNew => self.new_struct(data, ty, slots)?,
            Op::StructNewDefault => self.new_struct_default(data, ty)?,
            Op::ArrayNew => {
                // The element stands first, in as many slots as it takes.
                let count = self.element_storage(ty).slots();
                let (element, len) = (bits(slots, count), operand(count));
                let array = self.new_array(data, ty, len)?;
                if element != [0; 2] {
                    self.heap.fill_array(array, 0, element, len)?;
                }
                array
            }
            Op::ArrayNewDefault => self.new_array(data, ty, operand(0))?,
            Op::ArrayNewFixed => {
                let count = self.element_storage(ty).slots();
                let array = self.new_array(data, ty, y)?;
                for i in 0..y {
                    let element = bits(&slots[i as usize * count..], count);
                    self.heap.set_element(array, i, element);
                }
                array
            }
            Op::ArrayNewData => {
                let (segment, size) = (DataIdx(y), self.element_storage(ty).size());
                let (start, len) = (operand(0), operand(1));
                self.check_data(instance, segment, start, len, size)?;
                let array = self.new_array(data, ty, len)?;
                self.array_init_data(instance, segment, array, 0, start, len)?;
                array
            }
            Op::ArrayNewElem => {
                let (segment, start, len) = (ElemIdx(y), operand(0), operand(1));
                self.check_elems(instance, segment, start, len)?;
                let array = self.new_array(data, ty, len)?;
                self.array_init_elem(instance, segment, array, 0, start, len)?;
                array
            }
            other => unreachable!("{other:?} makes no object"),
        })
    }

    /// An op on an object, or on two, that are there.
    pub(super) fn access_op(
        &mut self,
        instance: InstanceAddr,
        op: Op,
        y: u32,
        slots: &mut [u64],
    ) -> Result<(), Trap> {
        let [a, b, c] = [0, 1, 2].map(|at| slots.get(at).map_or(0, |&slot| slot as u32));
        if a == 0 {
            let structure = matches!(op, Op::StructGet | Op::StructSet);
            let trap = if structure { Trap::NullStructReference } else { Trap::NullArrayReference };
            return Err(trap);
        }
        match op {
            Op::StructGet | Op::StructSet => {
                let Some(Layout::Struct(layout)) = self.heap.object_layout(a) else {
                    unreachable!("validation has made sure that it is a struct")
                };
                let field = layout.fields[y as usize];
                let count = field.storage.slots();
                if op == Op::StructGet {
                    slots[..count].copy_from_slice(&self.heap.field(a, field)[..count]);
                } else {
                    self.heap.set_field(a, field, bits(&slots[1..], count));
                }
            }
            Op::ArrayGet | Op::ArraySet => {
                if b >= self.heap.array_len(a) {
                    return Err(Trap::ArrayOutOfBounds);
                }
                let count = self.heap.array_element(a).slots();
                if op == Op::ArrayGet {
                    slots[..count].copy_from_slice(&self.heap.element(a, b)[..count]);
                } else {
                    self.heap.set_element(a, b, bits(&slots[2..], count));
                }
            }
            Op::ArrayFill => {
                let count = self.heap.array_element(a).slots();
                let (element, len) = (bits(&slots[2..], count), slots[2 + count] as u32);
                self.heap.fill_array(a, b, element, len)?;
            }
            Op::ArrayCopy => {
                if c == 0 {
                    return Err(Trap::NullArrayReference);
                }
                self.heap.copy_array((a, b), (c, slots[3] as u32), slots[4] as u32)?;
            }
            Op::ArrayInitData => {
                self.array_init_data(instance, DataIdx(y), a, b, c, slots[3] as u32)?;
            }
            Op::ArrayInitElem => {
                self.array_init_elem(instance, ElemIdx(y), a, b, c, slots[3] as u32)?;
            }
            other => unreachable!("{other:?} is not on objects"),
        }
        Ok(())
    }

    /// The engine's id of a type of the module, of which the store can have objects from now on.
    fn defined(&mut self, instance: InstanceAddr, ty: u32) -> u32 {
        let of = self.instance(instance);
        let id = of.types[ty as usize];
        if self.heap.layout(id).is_none() {
            let module = of.module.clone();
            self.heap.define(id, &module.types[ty as usize].composite);
        }
        id
    }

    fn element_storage(&self, ty: u32) -> Storage {
        match self.heap.layout(ty) {
            Some(Layout::Array(element)) => *element,
            _ => unreachable!("validation has made sure that it is an array type"),
        }
    }

    /// How many slots an op on objects takes, for operands or results, whichever are more.
    pub(super) fn object_slots(&self, instance: InstanceAddr, op: Op, [x, y]: [u32; 2]) -> usize {
        let composite = &self.instance(instance).module.types[x as usize].composite;
        let slots = |ty: StorageType| Storage::of(ty).slots();
        let element = match composite {
            CompositeType::Array(ty) => slots(ty.element.storage),
            _ => 1,
        };
        match (op, composite) {
            (Op::StructNew, CompositeType::Struct(ty)) => {
                ty.fields.iter().map(|field| slots(field.storage)).sum::<usize>().max(1)
            }
            (Op::ArrayNewFixed, _) => (y as usize * element).max(1),
            (Op::ArraySet, _) => 4,
            (Op::ArrayFill, _) => 3 + element,
            (Op::ArrayCopy, _) => 5,
            (Op::ArrayInitData | Op::ArrayInitElem, _) => 4,
            _ => 3,
        }
    }
}

/// Fields and elements that take one slot: `stored` says how they are kept, one of the types that only memory has if they are
/// packed. What is given and taken are the bits of a slot.
impl Heap {
    /// `struct.get`, by the offset of the field.
    ///
    /// # Errors
    /// Traps if it is null.
    pub fn struct_get(&self, object: u32, offset: u32, stored: Num) -> Result<u64, Trap> {
        check(object, Trap::NullStructReference)?;
        let field = Field { offset, storage: storage(stored) };
        Ok(extend(self.field(object, field)[0], stored))
    }

    /// `struct.set`, by the offset of the field.
    ///
    /// # Errors
    /// Traps if it is null.
    pub fn struct_set(
        &mut self,
        object: u32,
        offset: u32,
        stored: Num,
        value: u64,
    ) -> Result<(), Trap> {
        check(object, Trap::NullStructReference)?;
        self.set_field(object, Field { offset, storage: storage(stored) }, [value, 0]);
        Ok(())
    }

    /// `array.get`
    ///
    /// # Errors
    /// Traps if it is null, or the index is out of bounds.
    pub fn array_get(&self, array: u32, index: u32, stored: Num) -> Result<u64, Trap> {
        self.check_index(array, index)?;
        Ok(extend(self.element(array, index)[0], stored))
    }

    /// `array.set`
    ///
    /// # Errors
    /// Traps if it is null, or the index is out of bounds.
    pub fn array_set(&mut self, array: u32, index: u32, value: u64) -> Result<(), Trap> {
        self.check_index(array, index)?;
        self.set_element(array, index, [value, 0]);
        Ok(())
    }

    /// `array.len`
    ///
    /// # Errors
    /// Traps if it is null.
    pub fn array_count(&self, array: u32) -> Result<u32, Trap> {
        check(array, Trap::NullArrayReference)?;
        Ok(self.array_len(array))
    }

    fn check_index(&self, array: u32, index: u32) -> Result<(), Trap> {
        if index >= self.array_count(array)? { Err(Trap::ArrayOutOfBounds) } else { Ok(()) }
    }
}

fn check(object: u32, trap: Trap) -> Result<(), Trap> {
    if object == 0 { Err(trap) } else { Ok(()) }
}

fn storage(stored: Num) -> Storage {
    match stored {
        Num::i8 | Num::u8 => Storage::I8,
        Num::i16 | Num::u16 => Storage::I16,
        Num::u64 | Num::f64 => Storage::Word64,
        _ => Storage::Word32,
    }
}

/// Packed numbers become `i32`s.
fn extend(bits: u64, stored: Num) -> u64 {
    match stored {
        Num::i8 => u64::from(i32::from(bits as i8) as u32),
        Num::i16 => u64::from(i32::from(bits as i16) as u32),
        _ => bits,
    }
}

/// What stands in the first or the first two slots.
fn bits(slots: &[u64], count: usize) -> [u64; 2] {
    [slots[0], if count == 2 { slots[1] } else { 0 }]
}
