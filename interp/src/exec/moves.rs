//! Ops that move values: between slots and registers, from the code, from and to globals.

use super::{
    Body, Stop,
    operand::{Dest, SLOT, Slot, Source, Value},
    regs::Regs,
};
use core::marker::PhantomData;

/// `dst, src`
pub(crate) struct Copy;
/// `dst, bits`: the upper half is zero.
pub(crate) struct Const32;
/// `dst, bits`
pub(crate) struct Const64;
/// `dst`: writes the register `K` to a slot.
pub(crate) struct RegToSlot<T, K>(PhantomData<(T, K)>);
/// `src`: assigns the pinned local.
pub(crate) struct ToPin<T, K>(PhantomData<(T, K)>);
/// `bits`: assigns the pinned local.
pub(crate) struct ConstToPin<T>(PhantomData<T>);
/// `dst, a, b, condition`
pub(crate) struct Select<T, C, D>(PhantomData<(T, C, D)>);
/// `dst, global`
pub(crate) struct GlobalGet<T, D>(PhantomData<(T, D)>);
/// `global, value`
pub(crate) struct GlobalSet<T, V>(PhantomData<(T, V)>);
/// `first, count, pin`: zeroes slots, then loads the pinned local.
pub(crate) struct Zero;
/// `save, src`: saves the caller's pinned `f64` local and loads this function's.
pub(crate) struct SavePin;
/// `save`: restores the caller's pinned `f64` local.
pub(crate) struct RestorePin;

impl Body for Copy {
    const LEN: usize = 2 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value = r.get(r.read(SLOT));
        r.set(r.read(0), value);
        Ok(())
    }
}

impl Body for Const32 {
    const LEN: usize = SLOT + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let bits: u32 = r.read(SLOT);
        r.set(r.read(0), u64::from(bits));
        Ok(())
    }
}

impl Body for Const64 {
    const LEN: usize = SLOT + 8;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let bits = r.read(SLOT);
        r.set(r.read(0), bits);
        Ok(())
    }
}

impl<T: Value, K: Source> Body for RegToSlot<T, K> {
    const LEN: usize = SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value: T = K::get(r, 0);
        r.set(r.read(0), value.to_bits());
        Ok(())
    }
}

impl<T: Value, K: Source> Body for ToPin<T, K> {
    const LEN: usize = K::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value: T = K::get(r, 0);
        value.set_pin(r);
        Ok(())
    }
}

impl<T: Value> Body for ConstToPin<T> {
    const LEN: usize = 8;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        T::from_bits(r.read(0)).set_pin(r);
        Ok(())
    }
}

impl<T: Value, C: Source, D: Dest> Body for Select<T, C, D> {
    const LEN: usize = 3 * SLOT + C::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let a: T = Slot::get(r, SLOT);
        let b: T = Slot::get(r, 2 * SLOT);
        let condition: u32 = C::get(r, 3 * SLOT);
        D::set(if condition != 0 { a } else { b }, r);
        Ok(())
    }
}

impl<T: Value, D: Dest> Body for GlobalGet<T, D> {
    const LEN: usize = SLOT + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        // SAFETY: INSTANCE.
        let bits = unsafe { r.global(r.read(SLOT)).read() };
        D::set(T::from_bits(bits), r);
        Ok(())
    }
}

impl<T: Value, V: Source> Body for GlobalSet<T, V> {
    const LEN: usize = 4 + V::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value: T = V::get(r, 4);
        // SAFETY: INSTANCE.
        unsafe { r.global(r.read(0)).write(value.to_bits()) };
        Ok(())
    }
}

/// Slots that [`Zero`] writes at a time.
pub(crate) const ZERO_STEP: usize = 4;

impl Body for Zero {
    const LEN: usize = 3 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let (first, count): (u16, u16) = (r.read(0), r.read(SLOT));
        let mut slot = r.slot(first);
        let end = slot.wrapping_add(usize::from(count));
        while slot < end {
            // By fours, past the end if need be: operands stand there, and none has been pushed yet. Volatile, lest it
            // becomes a call of `memset`, and the handler needs a stack frame.
            for i in 0..ZERO_STEP {
                // SAFETY: FRAME: frames have room for this at their end.
                unsafe { slot.wrapping_add(i).write_volatile(0) };
            }
            slot = slot.wrapping_add(ZERO_STEP);
        }
        r.pin = r.get(r.read(2 * SLOT));
        Ok(())
    }
}

impl Body for SavePin {
    const LEN: usize = 2 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set(r.read(0), r.pin_f64.to_bits());
        r.pin_f64 = Slot::get(r, SLOT);
        Ok(())
    }
}

impl Body for RestorePin {
    const LEN: usize = SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.pin_f64 = Slot::get(r, 0);
        Ok(())
    }
}
