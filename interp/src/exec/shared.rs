//! Loads and stores in memories that several threads share: as those in other memories, but atomic.

use super::{
    Body, Stop,
    memory::{LoadOp, StoreOp},
    operand::{Dest, SLOT, Slot, Source},
    regs::Regs,
};
use core::marker::PhantomData;
use kinglet_core::{runtime::memory::Racy, trap::Trap};

/// `dst, address, offset`: in the first memory, if it has 32-bit addresses.
pub(crate) struct LoadShared<O, A, D>(PhantomData<(O, A, D)>);
/// `dst, address, memory, offset`: in any memory.
pub(crate) struct LoadWideShared<O, D>(PhantomData<(O, D)>);
/// `offset, address, value`: in the first memory, if it has 32-bit addresses.
pub(crate) struct StoreShared<O, A, V>(PhantomData<(O, A, V)>);
/// `address, memory, offset, value`: in any memory.
pub(crate) struct StoreWideShared<O>(PhantomData<O>);

#[inline(always)]
fn load<O: LoadOp<Memory: Racy>, D: Dest>(
    r: &mut Regs,
    from: Option<*mut O::Memory>,
) -> Result<(), Stop> {
    let from = from.ok_or(Trap::MemoryOutOfBounds)?;
    // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
    let value = unsafe { O::Memory::load(from) };
    D::set(O::widen(value), r);
    Ok(())
}

#[inline(always)]
fn store<O: StoreOp<Memory: Racy>>(to: Option<*mut O::Memory>, value: O::From) -> Result<(), Stop> {
    let to = to.ok_or(Trap::MemoryOutOfBounds)?;
    // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
    unsafe { O::Memory::store(to, O::narrow(value)) };
    Ok(())
}

impl<O: LoadOp<Memory: Racy>, A: Source, D: Dest> Body for LoadShared<O, A, D> {
    const LEN: usize = SLOT + A::LEN + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = r.address_shared(A::get(r, SLOT), r.read(SLOT + A::LEN));
        load::<O, D>(r, from)
    }
}

impl<O: LoadOp<Memory: Racy>, D: Dest> Body for LoadWideShared<O, D> {
    const LEN: usize = SLOT + SLOT + 2 + 8;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = r.address_in_shared(r.read(2 * SLOT), Slot::get(r, SLOT), r.read(2 * SLOT + 2));
        load::<O, D>(r, from)
    }
}

impl<O: StoreOp<Memory: Racy>, A: Source, V: Source> Body for StoreShared<O, A, V> {
    const LEN: usize = 4 + A::LEN + V::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = r.address_shared(A::get(r, 4), r.read(0));
        store::<O>(to, V::get(r, 4 + A::LEN))
    }
}

impl<O: StoreOp<Memory: Racy>> Body for StoreWideShared<O> {
    const LEN: usize = SLOT + 2 + 8 + SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = r.address_in_shared(r.read(SLOT), Slot::get(r, 0), r.read(SLOT + 2));
        store::<O>(to, Slot::get(r, SLOT + 2 + 8))
    }
}
