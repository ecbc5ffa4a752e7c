//! What type a reference is of.

use super::*;
use crate::{
    runtime::gc::{ObjectKind, is_object},
    types::{CastTarget, HeapType},
};

impl StoreInner {
    /// Whether a reference is of a type, by the operands of [`CastTarget::operands`].
    pub fn is_of(&self, addr: InstanceAddr, handle: u32, ty: u32, flags: u16) -> bool {
        if handle == 0 {
            return flags & CastTarget::NULLABLE != 0;
        }
        if flags & CastTarget::ABSTRACT != 0 {
            let ty = HeapType::ABSTRACT[ty as usize];
            let is_of = |ty| self.heap.type_of(handle).matches(ty, |_, _| false);
            return ty == ty.top() || ty != ty.bottom() && is_of(ty);
        }
        let actual = if flags & CastTarget::FUNCTION != 0 {
            self.funcs[handle as usize - 1].ty
        } else if is_object(handle)
            && let ObjectKind::Type(ty) = self.heap.kind(handle)
        {
            ty
        } else {
            return false;
        };
        self.types.is_subtype(actual, self.instance(addr).types[ty as usize])
    }
}
