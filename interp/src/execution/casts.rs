//! Casts that one look at an object does not decide.

use super::*;
use crate::kinds::REFERENCE;
use kinglet_core::{
    runtime::gc::{ObjectKind, is_object},
    translate::CastTarget,
    types::HeapType,
};

impl Machine<'_> {
    /// `dst, reference, type, flags`
    pub(super) fn cast(&mut self) -> Result<Flow, Error> {
        // Forms for each kind of reference and two destinations, family after family.
        let number = self.opcode() - code::REF_TEST;
        let is_test = self.opcode() < code::REF_CAST;
        let in_slot = number % (2 * REFERENCE as u16) < 2;
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
        if handle == 0 {
            return flags & CastTarget::NULLABLE != 0;
        }
        if flags & CastTarget::ABSTRACT != 0 {
            let ty = HeapType::ABSTRACT[ty as usize];
            let is_of = |ty| self.store.heap.type_of(handle).matches(ty, |_, _| false);
            return ty == ty.top() || ty != ty.bottom() && is_of(ty);
        }
        let actual = if flags & CastTarget::FUNCTION != 0 {
            self.store.funcs[handle as usize - 1].ty
        } else if is_object(handle)
            && let ObjectKind::Type(ty) = self.store.heap.kind(handle)
        {
            ty
        } else {
            return false;
        };
        // SAFETY: INSTANCE.
        let wanted = unsafe { *self.cx.types.add(ty as usize) };
        self.store.types.is_subtype(actual, wanted)
    }
}
