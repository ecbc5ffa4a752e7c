//! Ops that compiled code leaves to the runtime.

use super::{functions::Call, stop::End};
#[cfg(feature = "gc")]
use super::{stop::Callee, unwind::Thrown};
use crate::ir::RuntimeOp;
use kinglet_core::{
    error::Error,
    index::MemoryIdx,
    op::{Class, Op},
    runtime::{
        native::Then,
        ops::{makes_object, multi},
    },
};
#[cfg(feature = "gc")]
use kinglet_core::{op::Num, trap::Trap};
use std::slice;

/// Slots that any op of the class `multi` takes.
const MULTI_SLOTS: usize = 4;
/// Slots that an op of one of the atomic classes takes, at most.
const ATOMIC_SLOTS: usize = 3;
/// Slots that an access to an object takes, at most.
#[cfg(feature = "gc")]
const ACCESS_SLOTS: usize = 3;

impl Call {
    /// Does an op, whose operands and results are in slots.
    #[inline]
    pub(super) fn op(self, slots: *mut u64, words: [u64; 2]) -> Result<(), End> {
        let Some((op, immediates)) = RuntimeOp::from_words(words) else {
            return Err(Error::msg("no such op").into());
        };
        let result = match op {
            RuntimeOp::Op(op) => match op.class() {
                Class::slots => self.slots(op, immediates, slots),
                Class::multi => {
                    // SAFETY: STOPPED: the frame has room for the operands.
                    multi(op, unsafe { slice::from_raw_parts_mut(slots, MULTI_SLOTS) });
                    Ok(())
                }
                _ => return self.atomic(op, immediates, slots),
            },
            #[cfg(feature = "gc")]
            RuntimeOp::Throw(tag) => {
                let store = self.store();
                store.left.clear();
                let tag = store.instance(self.addr()).tag(tag);
                return Err(self.raise(self.here(), Thrown::Values(tag, slots), Callee::Nobody));
            }
            #[cfg(feature = "gc")]
            RuntimeOp::ThrowRef => {
                self.store().left.clear();
                // SAFETY: STOPPED: the code has put the reference there.
                return Err(match unsafe { slots.read() } as u32 {
                    0 => Trap::NullReference.into(),
                    exception => self.raise(self.here(), Thrown::Object(exception), Callee::Nobody),
                });
            }
            #[cfg(feature = "gc")]
            op => {
                // SAFETY: STOPPED: the frame has room for the operands.
                let slots = unsafe { slice::from_raw_parts_mut(slots, ACCESS_SLOTS) };
                self.access(op, immediates, slots)
            }
            #[cfg(not(feature = "gc"))]
            _ => Err(Error::msg("an op on objects, which there are none of")),
        };
        self.refresh();
        Ok(result?)
    }

    /// An op of the class `slots`.
    fn slots(self, op: Op, [x, y, _]: [u32; 3], slots: *mut u64) -> Result<(), Error> {
        let (store, data, addr) = (self.store(), self.data(), self.addr());
        // SAFETY: STOPPED: the frame has room for the operands; what is behind them is the stack as well.
        let slots = unsafe { slice::from_raw_parts_mut(slots, store.slots_of(addr, op, [x, y])) };
        if !makes_object(op) {
            return store.slots_op(data, addr, op, [x, y], slots);
        }
        #[cfg(feature = "gc")]
        {
            slots[0] = self.make(op, [x, y], slots)?.into();
        }
        Ok(())
    }

    /// An op that makes an object.
    #[cfg(feature = "gc")]
    #[inline]
    fn make(self, op: Op, immediates: [u32; 2], slots: &[u64]) -> Result<u32, Error> {
        let (store, data, addr) = (self.store(), self.data(), self.addr());
        // Mostly there is room at hand, and the store knows the type.
        if op == Op::StructNew {
            // SAFETY: STOPPED; indices of types have been validated.
            let ty = unsafe { *(*self.instance).types.add(immediates[0] as usize) };
            if let Some(object) = store.heap.try_new_struct(ty, slots) {
                return Ok(object);
            }
        }
        let standing = self.here().standing(Some(slots.as_ptr()));
        store.during(&standing, |store| store.new_object(data, addr, op, immediates, slots))
    }

    /// An op of one of the atomic classes.
    fn atomic(self, op: Op, immediates: [u32; 3], slots: *mut u64) -> Result<(), End> {
        let [memory, low, high] = immediates;
        let offset = u64::from(high) << 32 | u64::from(low);
        // SAFETY: STOPPED: the frame has room for the operands; what is behind them is the stack as well.
        let slots = unsafe { slice::from_raw_parts_mut(slots, ATOMIC_SLOTS) };
        let (store, addr) = (self.store(), self.addr());
        if store.atomic_op(addr, op, MemoryIdx(memory), offset, slots)? {
            Ok(())
        } else {
            Err(self.stop(Then::Interrupted(slots.to_vec()), None))
        }
    }

    /// An access to an object, or a look at its type.
    #[cfg(feature = "gc")]
    fn access(self, op: RuntimeOp, [x, y, z]: [u32; 3], slots: &mut [u64]) -> Result<(), Error> {
        let (store, addr) = (self.store(), self.addr());
        let [object, index] = [slots[0] as u32, slots[1] as u32];
        slots[0] = match op {
            RuntimeOp::RefTest => store.is_of(addr, object, x, y as u16).into(),
            RuntimeOp::RefCast if store.is_of(addr, object, x, y as u16) => object.into(),
            RuntimeOp::RefCast => return Err(Trap::CastFailure.into()),
            RuntimeOp::StructGet => store.heap.struct_get(object, z, num(x))?,
            RuntimeOp::StructSet => {
                return Ok(store.heap.struct_set(object, z, num(x), slots[1])?);
            }
            RuntimeOp::ArrayGet => store.heap.array_get(object, index, num(x))?,
            RuntimeOp::ArraySet => return Ok(store.heap.array_set(object, index, slots[2])?),
            RuntimeOp::ArrayLen => store.heap.array_count(object)?.into(),
            op => unreachable!("{op:?} is no access"),
        };
        Ok(())
    }
}

/// The inverse of `num as u32`.
#[cfg(feature = "gc")]
fn num(number: u32) -> Num {
    use Num::*;
    const ALL: [Num; 12] = [i8, u8, i16, u16, i32, u32, u64, handle, f32, f64, v128, bool];
    const {
        let mut at = 0;
        while at < ALL.len() {
            assert!(ALL[at] as usize == at);
            at += 1;
        }
    }
    ALL[number as usize]
}
