//! Fields of structs, elements of arrays.
//!
//! Handles are right by construction, so that only null and the bounds of arrays are checked.

use super::{
    Body, Stop,
    operand::{Dest, SLOT, Slot, Source, Value},
    regs::Regs,
};
use core::marker::PhantomData;
use kinglet_core::{runtime::gc::layout::HEADER, trap::Trap};

/// Something that is kept in the heap as an `M`, in the order of the host's bytes, and read as a `T`.
pub(crate) trait Get: 'static {
    type Stored: Copy;
    type Value: Value;
    fn widen(stored: Self::Stored) -> Self::Value;
}

/// Something that is kept in the heap as an `M`, and given as a `T`.
pub(crate) trait Set: 'static {
    type Stored: Copy;
    type Value: Value;
    fn narrow(value: Self::Value) -> Self::Stored;
}

/// `M as T`
pub(crate) struct As<M, T>(PhantomData<(M, T)>);

macro_rules! get {
    ($($stored:ident $value:ident;)*) => { $(
        impl Get for As<$stored, $value> {
            type Stored = $stored;
            type Value = $value;
            #[inline(always)]
            fn widen(stored: $stored) -> $value {
                stored as $value
            }
        }
    )* };
}

macro_rules! set {
    ($($stored:ident $value:ident;)*) => { $(
        impl Set for As<$stored, $value> {
            type Stored = $stored;
            type Value = $value;
            #[inline(always)]
            fn narrow(value: $value) -> $stored {
                value as $stored
            }
        }
    )* };
}

get! { i8 u32; u8 u32; i16 u32; u16 u32; u32 u32; u64 u64; f32 f32; f64 f64; }
set! { u8 u32; u16 u32; u32 u32; u64 u64; f32 f32; f64 f64; }

/// `dst, offset, object`
pub(crate) struct StructGet<A, K, D>(PhantomData<(A, K, D)>);
/// `offset, object, value`
pub(crate) struct StructSet<A, K, V>(PhantomData<(A, K, V)>);
/// `dst, array, index`
pub(crate) struct ArrayGet<A, I, D>(PhantomData<(A, I, D)>);
/// `array, index, value`
pub(crate) struct ArraySet<A, I, V>(PhantomData<(A, I, V)>);
/// `dst, array`
pub(crate) struct ArrayLen<K, D>(PhantomData<(K, D)>);

/// What lies at an offset of an object.
#[inline(always)]
fn place<M>(r: &Regs, handle: u32, offset: usize) -> *mut M {
    r.in_object(handle, offset, size_of::<M>()).cast()
}

/// How many elements an array has.
#[inline(always)]
fn len(r: &Regs, handle: u32) -> Result<u32, Stop> {
    if handle == 0 {
        return Err(Trap::NullArrayReference.into());
    }
    // SAFETY: HEAP: the length stands in the second half of the header.
    Ok(unsafe { place::<u32>(r, handle, 4).read() })
}

#[inline(always)]
fn element<M>(r: &Regs, handle: u32, index: u32) -> Result<*mut M, Stop> {
    if index >= len(r, handle)? {
        return Err(Trap::ArrayOutOfBounds.into());
    }
    Ok(place(r, handle, HEADER as usize + index as usize * size_of::<M>()))
}

impl<A: Get, K: Source, D: Dest> Body for StructGet<A, K, D> {
    const LEN: usize = SLOT + 4 + K::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let handle: u32 = K::get(r, SLOT + 4);
        if handle == 0 {
            return Err(Trap::NullStructReference.into());
        }
        let offset: u32 = r.read(SLOT);
        // SAFETY: HEAP: the object is a struct that has a field there.
        let stored = unsafe { place::<A::Stored>(r, handle, offset as usize).read() };
        D::set(A::widen(stored), r);
        Ok(())
    }
}

impl<A: Set, K: Source, V: Source> Body for StructSet<A, K, V> {
    const LEN: usize = 4 + K::LEN + V::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let handle: u32 = K::get(r, 4);
        if handle == 0 {
            return Err(Trap::NullStructReference.into());
        }
        let offset: u32 = r.read(0);
        let value = A::narrow(V::get(r, 4 + K::LEN));
        // SAFETY: HEAP: the object is a struct that has a field there.
        unsafe { place::<A::Stored>(r, handle, offset as usize).write(value) };
        Ok(())
    }
}

impl<A: Get, I: Source, D: Dest> Body for ArrayGet<A, I, D> {
    const LEN: usize = SLOT + SLOT + I::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = element::<A::Stored>(r, Slot::get(r, SLOT), I::get(r, 2 * SLOT))?;
        // SAFETY: HEAP: the index has been checked.
        let stored = unsafe { from.read() };
        D::set(A::widen(stored), r);
        Ok(())
    }
}

impl<A: Set, I: Source, V: Source> Body for ArraySet<A, I, V> {
    const LEN: usize = SLOT + I::LEN + V::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = element::<A::Stored>(r, Slot::get(r, 0), I::get(r, SLOT))?;
        let value = A::narrow(V::get(r, SLOT + I::LEN));
        // SAFETY: HEAP: the index has been checked.
        unsafe { to.write(value) };
        Ok(())
    }
}

impl<K: Source, D: Dest> Body for ArrayLen<K, D> {
    const LEN: usize = SLOT + K::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let len = len(r, K::get(r, SLOT))?;
        D::set(len, r);
        Ok(())
    }
}
