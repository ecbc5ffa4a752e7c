//! Loads and stores.

#[cfg(feature = "threads")]
pub(crate) use super::shared::{LoadShared, LoadWideShared, StoreShared, StoreWideShared};
use super::{
    Body, Stop,
    operand::{Dest, SLOT, Slot, Source, Value},
    regs::Regs,
};
use core::marker::PhantomData;
use kinglet_core::trap::Trap;

/// A number as it lies in linear memory: little-endian.
pub(crate) trait Stored: Copy + 'static {
    fn to_le(self) -> Self;
}

macro_rules! stored {
    ($($ty:ident)*) => { $(
        impl Stored for $ty {
            #[inline(always)]
            fn to_le(self) -> $ty {
                $ty::to_le(self)
            }
        }
    )* };
}

stored! { u8 i8 u16 i16 u32 i32 u64 }

impl Stored for f32 {
    #[inline(always)]
    fn to_le(self) -> f32 {
        f32::from_bits(self.to_bits().to_le())
    }
}

impl Stored for f64 {
    #[inline(always)]
    fn to_le(self) -> f64 {
        f64::from_bits(self.to_bits().to_le())
    }
}

/// A load: what lies in memory, and what it becomes.
pub(crate) trait LoadOp: 'static {
    type Memory: Stored;
    type To: Value;
    fn widen(value: Self::Memory) -> Self::To;
}

/// A store: what is given, and what is written of it.
pub(crate) trait StoreOp: 'static {
    type From: Value;
    type Memory: Stored;
    fn narrow(value: Self::From) -> Self::Memory;
}

#[inline(always)]
fn load<O: LoadOp, D: Dest>(r: &mut Regs, from: Option<*mut O::Memory>) -> Result<(), Stop> {
    let from = from.ok_or(Trap::MemoryOutOfBounds)?;
    // SAFETY: MEMORY: the address has been checked for this width.
    let value = unsafe { from.read_unaligned() };
    D::set(O::widen(value.to_le()), r);
    Ok(())
}

#[inline(always)]
fn store<O: StoreOp>(to: Option<*mut O::Memory>, value: O::From) -> Result<(), Stop> {
    let to = to.ok_or(Trap::MemoryOutOfBounds)?;
    // SAFETY: MEMORY: the address has been checked for this width.
    unsafe { to.write_unaligned(O::narrow(value).to_le()) };
    Ok(())
}

/// `dst, address, offset`: in the first memory, if it has 32-bit addresses.
pub(crate) struct Load<O, A, D>(PhantomData<(O, A, D)>);
/// `dst, address, memory, offset`: in any memory.
pub(crate) struct LoadWide<O, D>(PhantomData<(O, D)>);
/// `offset, address, value`: in the first memory, if it has 32-bit addresses.
pub(crate) struct Store<O, A, V>(PhantomData<(O, A, V)>);
/// `address, memory, offset, value`: in any memory.
pub(crate) struct StoreWide<O>(PhantomData<O>);

impl<O: LoadOp, A: Source, D: Dest> Body for Load<O, A, D> {
    const LEN: usize = SLOT + A::LEN + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = r.address(A::get(r, SLOT), r.read(SLOT + A::LEN));
        load::<O, D>(r, from)
    }
}

impl<O: LoadOp, D: Dest> Body for LoadWide<O, D> {
    const LEN: usize = SLOT + SLOT + 2 + 8;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = r.address_in(r.read(2 * SLOT), Slot::get(r, SLOT), r.read(2 * SLOT + 2));
        load::<O, D>(r, from)
    }
}

impl<O: StoreOp, A: Source, V: Source> Body for Store<O, A, V> {
    const LEN: usize = 4 + A::LEN + V::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = r.address(A::get(r, 4), r.read(0));
        store::<O>(to, V::get(r, 4 + A::LEN))
    }
}

impl<O: StoreOp> Body for StoreWide<O> {
    const LEN: usize = SLOT + 2 + 8 + SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = r.address_in(r.read(SLOT), Slot::get(r, 0), r.read(SLOT + 2));
        store::<O>(to, Slot::get(r, SLOT + 2 + 8))
    }
}

macro_rules! op {
    ($Name:ident load($memory:ident $to:ident)) => {
        pub(crate) struct $Name;
        impl LoadOp for $Name {
            type Memory = $memory;
            type To = $to;
            #[inline(always)]
            fn widen(value: $memory) -> $to {
                value as $to
            }
        }
    };
    ($Name:ident store($from:ident $memory:ident)) => {
        pub(crate) struct $Name;
        impl StoreOp for $Name {
            type From = $from;
            type Memory = $memory;
            #[inline(always)]
            fn narrow(value: $from) -> $memory {
                value as $memory
            }
        }
    };
    ($Name:ident $class:ident $shape:tt) => {};
}

macro_rules! ops {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), $flags:tt; )*) => {
        $( op!($Name $class($from $to)); )*
    };
}

kinglet_core::for_each_op!(ops);
