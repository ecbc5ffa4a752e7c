//! Fields of structs, elements of arrays.

use super::Builder;
use crate::{
    forms::code,
    kinds::{CONDITION, GETS, REFERENCE, SETS, destinations, value_kinds},
};
use kinglet_core::{
    op::Num,
    translate::{Access, Operand},
};

impl Builder {
    pub(super) fn emit_struct_get(
        &mut self,
        access: Access,
        offset: u32,
        object: Operand,
        to: u32,
    ) {
        self.flush();
        let (kind, object) = self.take_kind(Num::u32, object, REFERENCE);
        let first = code::STRUCT_GET + before(&GETS, access, |v| REFERENCE * destinations(v));
        let kind = kind * destinations(access.value) as u16;
        self.op_with_result(first + kind, access.value, to);
        self.u32(offset);
        self.arg(object);
    }

    pub(super) fn emit_struct_set(
        &mut self,
        access: Access,
        offset: u32,
        object: Operand,
        value: Operand,
    ) {
        self.flush();
        let (kind, object) = self.take_kind(Num::u32, object, REFERENCE);
        let (v, value) = self.take_value(access.value, value);
        let values = value_kinds(access.value).len();
        let first = before(&SETS, access, |v| REFERENCE * value_kinds(v).len());
        self.op(code::STRUCT_SET + first + kind * values as u16 + v);
        self.u32(offset);
        self.arg(object);
        self.arg(value);
    }

    pub(super) fn emit_array_get(
        &mut self,
        access: Access,
        array: Operand,
        index: Operand,
        to: u32,
    ) {
        self.flush();
        let (kind, index) = self.take_kind(Num::u32, index, CONDITION);
        let array = self.take_slot(Num::u32, array);
        let first = code::ARRAY_GET + before(&GETS, access, |v| CONDITION * destinations(v));
        let kind = kind * destinations(access.value) as u16;
        self.op_with_result(first + kind, access.value, to);
        self.arg(array);
        self.arg(index);
    }

    pub(super) fn emit_array_set(
        &mut self,
        access: Access,
        array: Operand,
        index: Operand,
        value: Operand,
    ) {
        self.flush();
        let (v, value) = self.take_value(access.value, value);
        let (kind, index) = self.take_kind(Num::u32, index, CONDITION);
        let array = self.take_slot(Num::u32, array);
        let values = value_kinds(access.value).len();
        let first = before(&SETS, access, |v| CONDITION * value_kinds(v).len());
        self.op(code::ARRAY_SET + first + kind * values as u16 + v);
        self.arg(array);
        self.arg(index);
        self.arg(value);
    }

    pub(super) fn emit_array_len(&mut self, array: Operand, to: u32) {
        self.flush();
        let (kind, array) = self.take_kind(Num::u32, array, REFERENCE);
        self.op_with_result(code::ARRAY_LEN + kind * destinations(Num::u32) as u16, Num::u32, to);
        self.arg(array);
    }
}

/// How many forms of an op the accesses before this one have, if one with values of a type has so many.
fn before(list: &[(Num, Num)], access: Access, forms: impl Fn(Num) -> usize) -> u16 {
    debug_assert!(list.contains(&(access.stored, access.value)));
    let earlier = list.iter().take_while(|&&it| it != (access.stored, access.value));
    earlier.map(|&(_, value)| forms(value) as u16).sum()
}
