//! Ops that the execution does, by what both tiers share ([`kinglet_core::runtime::ops`]).

use super::*;
use crate::forms::Rows;
use kinglet_core::{index::MemoryIdx, op::Op};
#[cfg(feature = "gc")]
use {super::roots::At, crate::kinds::REFERENCE, kinglet_core::runtime::ops::makes_object};

/// Rows of the class `slots` stand together at the end of the op table.
const SLOTS: Rows = Rows::since(Op::MemorySize);
/// Rows of the atomic classes stand together as well.
const ATOMIC: Rows = Rows::since(Op::I32AtomicLoad);

impl Machine<'_> {
    /// `x, y, base`
    pub(super) fn slots(&mut self) -> Result<Flow, Error> {
        let op = SLOTS.op(self.opcode()).unwrap_or(Op::MemorySize);
        let immediates = [self.operand(0), self.operand(4)];
        let base = self.fp() + usize::from(self.operand::<u16>(8));
        #[cfg(feature = "gc")]
        if makes_object(op) {
            let object = self.new_object(op, immediates, base)?;
            self.execution.stack[base] = object.into();
            self.skip(10);
            return Ok(Flow::Code);
        }
        let slots = &mut self.execution.stack[base..];
        self.store.slots_op(self.data, InstanceAddr(self.cx.instance), op, immediates, slots)?;
        self.skip(10);
        Ok(Flow::Code)
    }

    /// `memory, offset, base`
    pub(super) fn atomic(&mut self) -> Result<Flow, Error> {
        let op = ATOMIC.op(self.opcode()).unwrap_or(Op::I32AtomicLoad);
        let memory = MemoryIdx(self.operand::<u16>(0).into());
        let offset = self.operand(2);
        let base = self.fp() + usize::from(self.operand::<u16>(10));
        let slots = &mut self.execution.stack[base..];
        let instance = InstanceAddr(self.cx.instance);
        if !self.store.atomic_op(instance, op, memory, offset, slots)? {
            return Ok(Flow::Exit(Exit::Interrupted));
        }
        self.skip(12);
        Ok(Flow::Code)
    }
}

#[cfg(feature = "gc")]
impl Machine<'_> {
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
            None => self.new_object(Op::StructNew, [ty, 0], base)?,
        };
        self.execution.stack[base] = object.into();
        self.skip(10);
        Ok(Flow::Code)
    }

    /// Makes an object, for which garbage may be collected.
    #[cold]
    fn new_object(&mut self, op: Op, immediates: [u32; 2], base: usize) -> Result<u32, Error> {
        let instance = InstanceAddr(self.cx.instance);
        let standing = self.execution.standing(At::Op(self.position()));
        let slots = &self.execution.stack[base..];
        self.store
            .during(&standing, |store| store.new_object(self.data, instance, op, immediates, slots))
    }

    /// `dst, reference, type, flags`: a cast that one look at an object does not decide.
    pub(super) fn cast(&mut self) -> Result<Flow, Error> {
        // Forms for each kind of reference and two destinations, family after family.
        let opcode = crate::forms::standard(self.opcode());
        let number = opcode - code::REF_TEST;
        let is_test = opcode < code::REF_CAST;
        let in_slot = number % (2 * REFERENCE as u16) < 2;
        let (handle, at) = if in_slot {
            let slot: u16 = self.operand(2);
            (self.execution.stack[self.fp() + usize::from(slot)] as u32, 4)
        } else {
            (self.cx.saved.acc as u32, 2)
        };
        let instance = InstanceAddr(self.cx.instance);
        let is_of = self.store.is_of(instance, handle, self.operand(at), self.operand(at + 4));
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinglet_core::op::Class;

    /// That rows stand together is what the execution finds an op by.
    fn together(first: Op, last: Op, belongs: impl Fn(Class) -> bool) {
        for &op in Op::ALL {
            let inside = (first..=last).contains(&op);
            assert_eq!(belongs(op.class()), inside, "{op:?}");
            if inside {
                let form = crate::forms::row(op).forms;
                for opcode in [Some(form), crate::forms::in_small(form)] {
                    assert_eq!(opcode.and_then(|it| Rows::since(first).op(it)), Some(op));
                }
            }
        }
    }

    #[test]
    fn rows_of_the_class_slots_stand_together_at_the_end() {
        let last = Op::ALL[Op::ALL.len() - 1];
        together(Op::MemorySize, last, |class| class == Class::slots);
    }

    #[test]
    fn rows_of_the_atomic_classes_stand_together() {
        let last = Op::MemoryAtomicNotify;
        together(Op::I32AtomicLoad, last, |class| class.atomic_operands().is_some());
    }
}
