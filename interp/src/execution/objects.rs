//! Ops on structs and arrays that make one, are on many elements, or on vectors.
//!
//! Whatever allocates may collect: until then, operands stay in their slots.

use super::{roots::At, *};
use kinglet_core::{
    index::{DataIdx, ElemIdx},
    op::Op,
    runtime::gc::layout::{Layout, Storage},
};

impl Machine<'_> {
    /// An op of the class `slots` on objects, whose operands stand from slot `base` on, as do its results.
    pub(super) fn object_op(&mut self, op: Op, x: u32, y: u32, base: usize) -> Result<(), Error> {
        let instance = InstanceAddr(self.cx.instance);
        let [a, b, c] = [0, 1, 2].map(|at| self.execution.stack[base + at] as u32);
        let object = match op {
            Op::StructNewDefault => {
                let ty = self.defined(x);
                self.collecting(|store, data| store.new_struct_default(data, ty))?
            }
            Op::ArrayNew => {
                let ty = self.defined(x);
                // The element stands first, in as many slots as it takes.
                let slots = self.element_slots(ty);
                let (element, len) = (self.bits(base, slots), self.bits(base + slots, 1)[0] as u32);
                let array = self.collecting(|store, data| store.new_array(data, ty, len))?;
                if element != [0; 2] {
                    self.store.heap.fill_array(array, 0, element, len)?;
                }
                array
            }
            Op::ArrayNewDefault => {
                let ty = self.defined(x);
                self.collecting(|store, data| store.new_array(data, ty, a))?
            }
            Op::ArrayNewFixed => {
                let ty = self.defined(x);
                let slots = self.element_slots(ty);
                let array = self.collecting(|store, data| store.new_array(data, ty, y))?;
                for i in 0..y {
                    let bits = self.bits(base + i as usize * slots, slots);
                    self.store.heap.set_element(array, i, bits);
                }
                array
            }
            Op::ArrayNewData => {
                let ty = self.defined(x);
                let (data, size) = (DataIdx(y), self.element_size(ty));
                self.store.check_data(instance, data, a, b, size)?;
                let array = self.collecting(|store, data| store.new_array(data, ty, b))?;
                self.store.array_init_data(instance, data, array, 0, a, b)?;
                array
            }
            Op::ArrayNewElem => {
                let ty = self.defined(x);
                let elem = ElemIdx(y);
                self.store.check_elems(instance, elem, a, b)?;
                let array = self.collecting(|store, data| store.new_array(data, ty, b))?;
                self.store.array_init_elem(instance, elem, array, 0, a, b)?;
                array
            }
            _ => return self.access_op(op, y, base, [a, b, c]),
        };
        self.execution.stack[base] = object.into();
        Ok(())
    }

    /// An op on an object, or on two, that are there.
    fn access_op(&mut self, op: Op, y: u32, base: usize, [a, b, c]: [u32; 3]) -> Result<(), Error> {
        let instance = InstanceAddr(self.cx.instance);
        let slot = |at: usize| self.execution.stack[base + at] as u32;
        let structure = matches!(op, Op::StructGet | Op::StructSet);
        if a == 0 {
            let trap = if structure { Trap::NullStructReference } else { Trap::NullArrayReference };
            return Err(trap.into());
        }
        match op {
            Op::StructGet | Op::StructSet => {
                let Some(Layout::Struct(layout)) = self.store.heap.object_layout(a) else {
                    unreachable!("validation has made sure that it is a struct")
                };
                let field = layout.fields[y as usize];
                if op == Op::StructGet {
                    let bits = self.store.heap.field(a, field);
                    self.execution.stack[base..base + 2].copy_from_slice(&bits);
                } else {
                    let bits = self.bits(base + 1, field.storage.slots());
                    self.store.heap.set_field(a, field, bits);
                }
            }
            Op::ArrayGet | Op::ArraySet => {
                if b >= self.store.heap.array_len(a) {
                    return Err(Trap::ArrayOutOfBounds.into());
                }
                if op == Op::ArrayGet {
                    let bits = self.store.heap.element(a, b);
                    self.execution.stack[base..base + 2].copy_from_slice(&bits);
                } else {
                    let bits = self.bits(base + 2, self.store.heap.array_element(a).slots());
                    self.store.heap.set_element(a, b, bits);
                }
            }
            Op::ArrayFill => {
                let slots = self.store.heap.array_element(a).slots();
                let (element, len) = (self.bits(base + 2, slots), slot(2 + slots));
                self.store.heap.fill_array(a, b, element, len)?;
            }
            Op::ArrayCopy => {
                if c == 0 {
                    return Err(Trap::NullArrayReference.into());
                }
                self.store.heap.copy_array((a, b), (c, slot(3)), slot(4))?;
            }
            Op::ArrayInitData => {
                self.store.array_init_data(instance, DataIdx(y), a, b, c, slot(3))?;
            }
            Op::ArrayInitElem => {
                self.store.array_init_elem(instance, ElemIdx(y), a, b, c, slot(3))?;
            }
            other => unreachable!("{other:?} is not on objects"),
        }
        Ok(())
    }

    /// `type, _, base`: the hottest of them. Mostly there is room at hand, and the store knows the type.
    #[inline]
    pub(super) fn struct_new(&mut self) -> Result<Flow, Error> {
        let ty: u32 = self.operand(0);
        let base = self.fp() + usize::from(self.operand::<u16>(8));
        // SAFETY: INSTANCE.
        let id = unsafe { *self.cx.types.add(ty as usize) };
        let slots = &self.execution.stack[base..];
        let object = match self.store.heap.try_new_struct(id, slots) {
            Some(object) => object,
            None => self.struct_new_with_room(ty, base)?,
        };
        self.execution.stack[base] = object.into();
        self.skip(10);
        Ok(Flow::Code)
    }

    #[cold]
    fn struct_new_with_room(&mut self, ty: u32, base: usize) -> Result<u32, Error> {
        let id = self.defined(ty);
        let standing = self.execution.standing(At::Op(self.position()));
        let slots = &self.execution.stack[base..];
        self.store.during(&standing, |store| store.new_struct(self.data, id, slots))
    }

    /// The engine's id of a type of the module, of which the store can have objects from now on.
    fn defined(&mut self, ty: u32) -> u32 {
        // SAFETY: INSTANCE.
        let id = unsafe { *self.cx.types.add(ty as usize) };
        if self.store.heap.layout(id).is_none() {
            let module = self.store.instance(InstanceAddr(self.cx.instance)).module.clone();
            self.store.heap.define(id, &module.types[ty as usize].composite);
        }
        id
    }

    /// Does something that may collect garbage.
    fn collecting<R>(
        &mut self,
        act: impl FnOnce(&mut StoreInner, &mut dyn Any) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let standing = self.execution.standing(At::Op(self.position()));
        self.store.during(&standing, |store| act(store, self.data))
    }

    fn element_storage(&self, ty: u32) -> Storage {
        match self.store.heap.layout(ty) {
            Some(Layout::Array(element)) => *element,
            _ => unreachable!("validation has made sure that it is an array type"),
        }
    }

    fn element_slots(&self, ty: u32) -> usize {
        self.element_storage(ty).slots()
    }

    fn element_size(&self, ty: u32) -> u32 {
        self.element_storage(ty).size()
    }

    /// What stands in one or two slots.
    fn bits(&self, first: usize, slots: usize) -> [u64; 2] {
        let stack = &self.execution.stack;
        [stack[first], if slots == 2 { stack[first + 1] } else { 0 }]
    }
}
