//! Structs and arrays.

use super::{Access, Num, Run, Sink, num};
use crate::{
    op::Op,
    runtime::gc::layout::{Field, Storage, StructLayout},
    types::{CompositeType, FieldType, StorageType},
};

impl<S: Sink> Run<'_, S> {
    fn struct_fields(&self, ty: u32) -> &[FieldType] {
        match &self.module.types[ty as usize].composite {
            CompositeType::Struct(ty) => &ty.fields,
            _ => unreachable!("validation has made sure that it is a struct type"),
        }
    }

    fn array_element(&self, ty: u32) -> FieldType {
        match &self.module.types[ty as usize].composite {
            CompositeType::Array(ty) => ty.element,
            _ => unreachable!("validation has made sure that it is an array type"),
        }
    }

    pub(super) fn visit_struct_new(&mut self, ty: u32) {
        let slots = self.struct_fields(ty).iter().copied().map(slots).sum();
        self.slots(Op::StructNew, [ty, 0], slots, Some(Num::handle));
    }

    pub(super) fn visit_struct_new_default(&mut self, ty: u32) {
        self.slots(Op::StructNewDefault, [ty, 0], 0, Some(Num::handle));
    }

    pub(super) fn visit_struct_get(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, false);
    }

    pub(super) fn visit_struct_get_s(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, true);
    }

    pub(super) fn visit_struct_get_u(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, false);
    }

    fn struct_get(&mut self, ty: u32, field: u32, signed: bool) {
        let storage = self.struct_fields(ty)[field as usize].storage;
        let result = num(storage.unpack());
        let Some(access) = access(storage, signed) else {
            return self.slots(Op::StructGet, [ty, field], 1, Some(result));
        };
        let offset = self.field_offset(ty, field);
        let (_, object) = self.pop();
        self.sink.struct_get(access, offset, object, result, object.height);
        self.push_temp(result);
    }

    pub(super) fn visit_struct_set(&mut self, ty: u32, field: u32) {
        let Some(access) = access(self.struct_fields(ty)[field as usize].storage, false) else {
            return self.slots(Op::StructSet, [ty, field], 3, None);
        };
        let offset = self.field_offset(ty, field);
        let (_, value) = self.pop();
        let (_, object) = self.pop();
        self.sink.struct_set(access, offset, object, value);
    }

    /// Where a field is in a struct.
    fn field_offset(&mut self, ty: u32, field: u32) -> u32 {
        let module = self.module;
        let layout = self.t.layouts.entry(ty).or_insert_with(|| {
            let CompositeType::Struct(ty) = &module.types[ty as usize].composite else {
                return Default::default();
            };
            let fields = ty.fields.iter().map(|field| Storage::of(field.storage));
            StructLayout::new(fields).fields.iter().map(|&Field { offset, .. }| offset).collect()
        });
        layout[field as usize]
    }

    pub(super) fn visit_array_new(&mut self, ty: u32) {
        let element = slots(self.array_element(ty));
        self.slots(Op::ArrayNew, [ty, 0], element + 1, Some(Num::handle));
    }

    pub(super) fn visit_array_new_default(&mut self, ty: u32) {
        self.slots(Op::ArrayNewDefault, [ty, 0], 1, Some(Num::handle));
    }

    pub(super) fn visit_array_new_fixed(&mut self, ty: u32, len: u32) {
        let element = slots(self.array_element(ty));
        self.slots(Op::ArrayNewFixed, [ty, len], len * element, Some(Num::handle));
    }

    pub(super) fn visit_array_new_data(&mut self, ty: u32, data: u32) {
        self.slots(Op::ArrayNewData, [ty, data], 2, Some(Num::handle));
    }

    pub(super) fn visit_array_new_elem(&mut self, ty: u32, elem: u32) {
        self.slots(Op::ArrayNewElem, [ty, elem], 2, Some(Num::handle));
    }

    pub(super) fn visit_array_get(&mut self, ty: u32) {
        self.array_get(ty, false);
    }

    pub(super) fn visit_array_get_s(&mut self, ty: u32) {
        self.array_get(ty, true);
    }

    pub(super) fn visit_array_get_u(&mut self, ty: u32) {
        self.array_get(ty, false);
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let storage = self.array_element(ty).storage;
        let result = num(storage.unpack());
        let Some(access) = access(storage, signed) else {
            return self.slots(Op::ArrayGet, [ty, 0], 2, Some(result));
        };
        let (_, index) = self.pop();
        let (_, array) = self.pop();
        self.sink.array_get(access, array, index, result, array.height);
        self.push_temp(result);
    }

    pub(super) fn visit_array_set(&mut self, ty: u32) {
        let Some(access) = access(self.array_element(ty).storage, false) else {
            return self.slots(Op::ArraySet, [ty, 0], 4, None);
        };
        let (_, value) = self.pop();
        let (_, index) = self.pop();
        let (_, array) = self.pop();
        self.sink.array_set(access, array, index, value);
    }

    pub(super) fn visit_array_len(&mut self) {
        let (_, array) = self.pop();
        self.sink.array_len(array, array.height);
        self.push_temp(Num::u32);
    }

    pub(super) fn visit_array_fill(&mut self, ty: u32) {
        let element = slots(self.array_element(ty));
        self.slots(Op::ArrayFill, [ty, 0], element + 3, None);
    }

    pub(super) fn visit_array_copy(&mut self, to: u32, from: u32) {
        self.slots(Op::ArrayCopy, [to, from], 5, None);
    }

    pub(super) fn visit_array_init_data(&mut self, ty: u32, data: u32) {
        self.slots(Op::ArrayInitData, [ty, data], 4, None);
    }

    pub(super) fn visit_array_init_elem(&mut self, ty: u32, elem: u32) {
        self.slots(Op::ArrayInitElem, [ty, elem], 4, None);
    }
}

/// How many slots the value of a field or element takes.
fn slots(field: FieldType) -> u32 {
    Storage::of(field.storage).slots() as u32
}

/// How something that is kept in this way is read and written. Vectors are too large to be by ops of their own.
fn access(storage: StorageType, signed: bool) -> Option<Access> {
    let (stored, value) = match (Storage::of(storage), signed) {
        (Storage::I8, false) => (Num::u8, Num::u32),
        (Storage::I8, true) => (Num::i8, Num::u32),
        (Storage::I16, false) => (Num::u16, Num::u32),
        (Storage::I16, true) => (Num::i16, Num::u32),
        (Storage::Word32 | Storage::Word64, _) => {
            let value = num(storage.unpack());
            (value, value)
        }
        // Handles have 32 bits wherever they are.
        (Storage::Func | Storage::Managed, _) => (Num::u32, Num::u32),
        (Storage::Vector, _) => return None,
    };
    Some(Access { stored, value })
}
