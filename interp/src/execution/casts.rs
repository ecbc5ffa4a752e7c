//! Casts that one look at an object does not decide.

use super::*;
use crate::{
    exec::casts::{ABSTRACT, ELSEWHERE},
    sink::casts::ABSTRACT_TYPES,
};
use kinglet_core::runtime::gc::ObjectKind;

impl Machine<'_> {
    /// `dst, reference, type, flags`. The reference is not null.
    pub(super) fn cast(&mut self) -> Result<Flow, Error> {
        let opcode = self.opcode();
        let is_test = (code::REF_TEST..code::REF_TEST + 4).contains(&opcode);
        let first = if is_test { code::REF_TEST } else { code::REF_CAST };
        let in_slot = opcode - first < 2;
        let (handle, at) = if in_slot {
            let slot: u16 = self.operand(2);
            (self.execution.stack[self.fp() + usize::from(slot)] as u32, 4)
        } else {
            (self.cx.saved.acc as u32, 2)
        };
        let is_of = self.is_of(handle, self.operand(at), self.operand(at + 4));
        let result = match (is_test, is_of) {
            (true, is_of) => u64::from(is_of),
            (false, true) => handle.into(),
            (false, false) => return Err(Trap::CastFailure.into()),
        };
        let dst = self.fp() + usize::from(self.operand::<u16>(0));
        self.execution.stack[dst] = result;
        self.cx.saved.acc = result;
        self.skip(at + 6);
        Ok(Flow::Code)
    }

    fn is_of(&self, handle: u32, ty: u32, flags: u16) -> bool {
        let number = ty & !ELSEWHERE;
        if flags & ABSTRACT != 0 {
            let ty = ABSTRACT_TYPES[number as usize];
            let is_of = |ty| self.store.heap.type_of(handle).matches(ty, |_, _| false);
            return ty == ty.top() || ty != ty.bottom() && is_of(ty);
        }
        // SAFETY: INSTANCE.
        let wanted = unsafe { *self.cx.types.add(number as usize) };
        let actual = if ty & ELSEWHERE != 0 {
            self.store.funcs[handle as usize - 1].ty
        } else {
            match self.store.heap.kind(handle) {
                ObjectKind::Type(ty) => ty,
                ObjectKind::Host | ObjectKind::Exception => return false,
            }
        };
        self.store.types.is_subtype(actual, wanted)
    }
}
