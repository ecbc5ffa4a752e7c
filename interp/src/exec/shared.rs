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

#[cfg(feature = "simd")]
mod vectors {
    use super::{super::vector::*, *};
    use kinglet_core::num;

    /// Bytes of the operands `address, memory, offset`.
    const WIDE: usize = SLOT + 2 + 8;

    /// `dst, address, memory, offset`
    pub(crate) struct VLoadWideShared<O>(PhantomData<O>);
    /// `address, memory, offset, value`
    pub(crate) struct VStoreWideShared;
    /// `dst, address, memory, offset, a, lane`
    pub(crate) struct LoadLaneWideShared<O>(PhantomData<O>);
    /// `address, memory, offset, half, lane`
    pub(crate) struct StoreLaneWideShared<O>(PhantomData<O>);

    /// What lies where the operands `at` bytes behind the opcode say.
    #[inline(always)]
    fn load<M: Racy>(r: &Regs, at: usize) -> Result<M, Stop> {
        let from = r.address_in_shared(r.read(at + SLOT), Slot::get(r, at), r.read(at + SLOT + 2));
        let from = from.ok_or(Trap::MemoryOutOfBounds)?;
        // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
        Ok(unsafe { M::load(from) })
    }

    #[inline(always)]
    fn store<M: Racy>(r: &Regs, value: M) -> Result<(), Stop> {
        let to = r.address_in_shared(r.read(SLOT), Slot::get(r, 0), r.read(SLOT + 2));
        let to = to.ok_or(Trap::MemoryOutOfBounds)?;
        // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
        unsafe { M::store(to, value) };
        Ok(())
    }

    impl<O: VLoadOp<Memory: Racy>> Body for VLoadWideShared<O> {
        const LEN: usize = SLOT + WIDE;
        #[inline(always)]
        fn run(r: &mut Regs) -> Result<(), Stop> {
            let value = load(r, SLOT)?;
            r.set_vector(O::compute(value));
            Ok(())
        }
    }

    impl Body for VStoreWideShared {
        const LEN: usize = WIDE + SLOT;
        #[inline(always)]
        fn run(r: &mut Regs) -> Result<(), Stop> {
            store(r, num::v128_store(r.vector(WIDE)))
        }
    }

    impl<O: LoadLaneOp<Memory: Racy>> Body for LoadLaneWideShared<O> {
        const LEN: usize = SLOT + WIDE + SLOT + 2;
        #[inline(always)]
        fn run(r: &mut Regs) -> Result<(), Stop> {
            let value = load(r, SLOT)?;
            let lane: u16 = r.read(2 * SLOT + WIDE);
            r.set_vector(O::compute(r.vector(SLOT + WIDE), value, lane as u8));
            Ok(())
        }
    }

    impl<O: StoreLaneOp<Memory: Racy>> Body for StoreLaneWideShared<O> {
        const LEN: usize = WIDE + SLOT + 2;
        #[inline(always)]
        fn run(r: &mut Regs) -> Result<(), Stop> {
            let half = r.get(r.read(WIDE));
            store(r, O::compute(half, r.read::<u16>(WIDE + SLOT) as u8))
        }
    }
}

#[cfg(feature = "simd")]
pub(crate) use vectors::*;
