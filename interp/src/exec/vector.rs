//! Ops on vectors. These always stand in slots, two each: there is no accumulator for them, and none is pinned.

use super::{
    Body, Stop, TOKEN,
    operand::{Dest, SLOT, Slot, Source, Value},
    regs::Regs,
};
use core::marker::PhantomData;
// As it is called in the rows of the op table.
use kinglet_core::num::V128 as v128;
#[cfg(feature = "threads")]
use kinglet_core::runtime::memory::Racy;
use kinglet_core::{
    num::{self, V128},
    trap::Trap,
};

impl Regs {
    /// The vector whose first slot has the number that stands `at` bytes behind the opcode.
    #[inline(always)]
    fn vector(&self, at: usize) -> V128 {
        let slot = self.vector_slots(at);
        #[cfg(target_endian = "little")]
        // SAFETY: FRAME; vectors are bytes, in this order.
        return unsafe { slot.cast::<V128>().read() };
        #[cfg(target_endian = "big")]
        // SAFETY: FRAME.
        return V128::from_slots(unsafe { [slot.read(), slot.add(1).read()] });
    }

    /// Writes the vector whose first slot has the number that stands first behind the opcode.
    #[inline(always)]
    fn set_vector(&mut self, value: V128) {
        // Volatile, lest it is read earlier: handlers have few registers, and need them for the operands' numbers until then.
        // SAFETY: CODE; opcodes and operands have an even number of bytes, so that all of them are at even addresses.
        let number = unsafe { self.ip.add(TOKEN).cast::<u16>().read_volatile() };
        // SAFETY: FRAME.
        unsafe { write_vector(self.first_of_two(u16::from_le(number)), value) }
    }

    #[inline(always)]
    fn vector_slots(&self, at: usize) -> *mut u64 {
        self.first_of_two(self.read(at))
    }

    #[inline(always)]
    fn first_of_two(&self, number: u16) -> *mut u64 {
        #[cfg(feature = "checked")]
        self.slot(number.wrapping_add(1));
        self.slot(number)
    }
}

/// Writes a vector to two slots or cells.
///
/// # Safety
/// Both may be written.
#[inline(always)]
unsafe fn write_vector(to: *mut u64, value: V128) {
    #[cfg(target_endian = "little")]
    // SAFETY: as promised; vectors are bytes, in this order.
    unsafe {
        to.cast::<V128>().write(value);
    }
    #[cfg(target_endian = "big")]
    // SAFETY: as promised.
    unsafe {
        to.cast::<[u64; 2]>().write(value.to_slots());
    }
}

/// A byte of a vector in slots.
///
/// # Safety
/// Both slots may be read, and there are no more than 16 bytes.
#[inline(always)]
unsafe fn byte_at(slots: *mut u64, number: u8) -> u8 {
    let number = if cfg!(target_endian = "big") { number ^ 7 } else { number };
    // SAFETY: as promised.
    unsafe { slots.cast::<u8>().add(usize::from(number)).read() }
}

/// `dst, src`
pub(crate) struct CopyVector;
/// `dst, low, high`
pub(crate) struct ConstVector;
/// `dst, a, b, condition`
pub(crate) struct SelectVector<C>(PhantomData<C>);
/// `dst, global`
pub(crate) struct GlobalGetVector;
/// `global, value`
pub(crate) struct GlobalSetVector;
/// `header, value`
pub(crate) struct RetVector;

impl Body for CopyVector {
    const LEN: usize = 2 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(r.vector(SLOT));
        Ok(())
    }
}

impl Body for ConstVector {
    const LEN: usize = SLOT + 16;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(V128::from_slots([r.read(SLOT), r.read(SLOT + 8)]));
        Ok(())
    }
}

impl<C: Source> Body for SelectVector<C> {
    const LEN: usize = 3 * SLOT + C::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let condition: u32 = C::get(r, 3 * SLOT);
        r.set_vector(r.vector(if condition != 0 { SLOT } else { 2 * SLOT }));
        Ok(())
    }
}

impl Body for GlobalGetVector {
    const LEN: usize = SLOT + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let cell = r.global(r.read(SLOT));
        // SAFETY: INSTANCE: every cell has two slots.
        r.set_vector(V128::from_slots(unsafe { [cell.read(), cell.add(1).read()] }));
        Ok(())
    }
}

impl Body for GlobalSetVector {
    const LEN: usize = 4 + SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        // SAFETY: INSTANCE: every cell has two slots.
        unsafe { write_vector(r.global(r.read(0)), r.vector(4)) };
        Ok(())
    }
}

impl Body for RetVector {
    const LEN: usize = 2 * SLOT;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value = r.vector(SLOT);
        let result = r.slot(0);
        r.close_frame(r.read(0));
        // SAFETY: FRAME. The header has been read: a function without parameters has it here.
        unsafe { write_vector(result, value) };
        Ok(())
    }
}

/// An op with one vector.
pub(crate) trait VUnOp: 'static {
    fn compute(a: V128) -> V128;
}

/// An op with two vectors.
pub(crate) trait VBinOp: 'static {
    fn compute(a: V128, b: V128) -> V128;
}

/// An op with three vectors.
pub(crate) trait VTernaryOp: 'static {
    fn compute(a: V128, b: V128, c: V128) -> V128;
}

/// A shift of lanes.
pub(crate) trait VShiftOp: 'static {
    fn compute(a: V128, count: u32) -> V128;
}

/// An op that gives an integer.
pub(crate) trait VTestOp: 'static {
    fn compute(a: V128) -> u32;
}

/// An op that makes a vector of a scalar.
pub(crate) trait SplatOp: 'static {
    type From: Value;
    fn compute(a: Self::From) -> V128;
}

/// An op that takes a lane out of the slot that it is in.
pub(crate) trait ExtractOp: 'static {
    type To: Value;
    fn compute(half: u64, lane: u8) -> Self::To;
}

/// An op that changes a lane.
pub(crate) trait ReplaceOp: 'static {
    type From: Value;
    fn compute(a: V128, value: Self::From, lane: u8) -> V128;
}

/// A load: what lies in memory, and what it becomes.
pub(crate) trait VLoadOp: 'static {
    type Bytes: Bytes;
    fn compute(bytes: Self::Bytes) -> V128;
}

/// A load of a lane.
pub(crate) trait LoadLaneOp: 'static {
    type Bytes: Bytes;
    fn compute(a: V128, bytes: Self::Bytes, lane: u8) -> V128;
}

/// A store of a lane, from the slot that it is in.
pub(crate) trait StoreLaneOp: 'static {
    type Bytes: Bytes;
    fn compute(half: u64, lane: u8) -> Self::Bytes;
}

/// `dst, a`
pub(crate) struct VUn<O>(PhantomData<O>);
/// `dst, a, b`
pub(crate) struct VBin<O>(PhantomData<O>);
/// `dst, a, b, c`
pub(crate) struct VTernary<O>(PhantomData<O>);
/// `dst, a, count`
pub(crate) struct VShift<O, C>(PhantomData<(O, C)>);
/// `dst, a`
pub(crate) struct VTest<O, D>(PhantomData<(O, D)>);
/// `dst, a`
pub(crate) struct Splat<O, A>(PhantomData<(O, A)>);
/// `dst, half, lane`
pub(crate) struct Extract<O, D>(PhantomData<(O, D)>);
/// `dst, a, value, lane`
pub(crate) struct Replace<O, V>(PhantomData<(O, V)>);
/// `dst, a, b, low lanes, high lanes`
pub(crate) struct Shuffle;
/// `dst, a, lanes`
pub(crate) struct Swizzle;

impl<O: VUnOp> Body for VUn<O> {
    const LEN: usize = 2 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(O::compute(r.vector(SLOT)));
        Ok(())
    }
}

impl<O: VBinOp> Body for VBin<O> {
    const LEN: usize = 3 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(O::compute(r.vector(SLOT), r.vector(2 * SLOT)));
        Ok(())
    }
}

impl<O: VTernaryOp> Body for VTernary<O> {
    const LEN: usize = 4 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(O::compute(r.vector(SLOT), r.vector(2 * SLOT), r.vector(3 * SLOT)));
        Ok(())
    }
}

impl<O: VShiftOp, C: Source> Body for VShift<O, C> {
    const LEN: usize = 2 * SLOT + C::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(O::compute(r.vector(SLOT), C::get(r, 2 * SLOT)));
        Ok(())
    }
}

impl<O: VTestOp, D: Dest> Body for VTest<O, D> {
    const LEN: usize = 2 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        D::set(O::compute(r.vector(SLOT)), r);
        Ok(())
    }
}

impl<O: SplatOp, A: Source> Body for Splat<O, A> {
    const LEN: usize = SLOT + A::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.set_vector(O::compute(A::get(r, SLOT)));
        Ok(())
    }
}

impl<O: ExtractOp, D: Dest> Body for Extract<O, D> {
    const LEN: usize = 2 * SLOT + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let half = r.get(r.read(SLOT));
        D::set(O::compute(half, r.read::<u16>(2 * SLOT) as u8), r);
        Ok(())
    }
}

impl<O: ReplaceOp, V: Source> Body for Replace<O, V> {
    const LEN: usize = 2 * SLOT + V::LEN + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let lane: u16 = r.read(2 * SLOT + V::LEN);
        r.set_vector(O::compute(r.vector(SLOT), V::get(r, 2 * SLOT), lane as u8));
        Ok(())
    }
}

impl Body for Shuffle {
    const LEN: usize = 3 * SLOT + 16;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let (a, b) = (r.vector_slots(SLOT), r.vector_slots(2 * SLOT));
        let lanes = V128::from_slots([r.read(3 * SLOT), r.read(3 * SLOT + 8)]);
        // SAFETY: FRAME.
        let byte = |i| unsafe { byte_at(if i < 16 { a } else { b }, i & 15) };
        r.set_vector(num::i8x16_shuffle(byte, lanes));
        Ok(())
    }
}

impl Body for Swizzle {
    const LEN: usize = 3 * SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let a = r.vector_slots(SLOT);
        // SAFETY: FRAME.
        let byte = |i| unsafe { byte_at(a, i & 15) };
        r.set_vector(num::i8x16_swizzle(byte, r.vector(2 * SLOT)));
        Ok(())
    }
}

/// The bytes that an access is for.
pub(crate) trait Bytes: Copy + 'static {
    /// Reads them from a shared memory, in which nobody accesses them but atomically.
    ///
    /// # Safety
    /// The address has been checked.
    #[cfg(feature = "threads")]
    unsafe fn load_shared(from: *const Self) -> Self;

    /// Writes them to a shared memory.
    ///
    /// # Safety
    /// The address has been checked.
    #[cfg(feature = "threads")]
    unsafe fn store_shared(self, to: *mut Self);
}

macro_rules! bytes {
    ($( $number:ident; )*) => { $(
        impl Bytes for [u8; size_of::<$number>()] {
            #[cfg(feature = "threads")]
            #[inline(always)]
            unsafe fn load_shared(from: *const Self) -> Self {
                // SAFETY: as promised.
                unsafe { <$number as Racy>::load(from.cast()) }.to_le_bytes()
            }

            #[cfg(feature = "threads")]
            #[inline(always)]
            unsafe fn store_shared(self, to: *mut Self) {
                // SAFETY: as promised.
                unsafe { <$number as Racy>::store(to.cast(), $number::from_le_bytes(self)) }
            }
        }
    )* };
}

bytes! { u8; u16; u32; u64; }

impl Bytes for [u8; 16] {
    #[cfg(feature = "threads")]
    #[inline(always)]
    unsafe fn load_shared(from: *const Self) -> Self {
        // SAFETY: as promised.
        V128::from_slots(unsafe { [u64::load(from.cast()), u64::load(from.cast::<u64>().add(1))] })
            .0
    }

    #[cfg(feature = "threads")]
    #[inline(always)]
    unsafe fn store_shared(self, to: *mut Self) {
        let [low, high] = V128(self).to_slots();
        // SAFETY: as promised.
        unsafe {
            u64::store(to.cast(), low);
            u64::store(to.cast::<u64>().add(1), high);
        }
    }
}

/// How a memory is accessed.
pub(crate) trait Access: 'static {
    fn address<B>(r: &Regs, memory: u16, address: u64, offset: u64) -> Option<*mut B>;
    fn load<B: Bytes>(from: *const B) -> B;
    fn store<B: Bytes>(to: *mut B, bytes: B);

    /// Where an access goes whose operands, `address, memory, offset`, stand `at` bytes behind the opcode.
    #[inline(always)]
    fn wide<B>(r: &Regs, at: usize) -> Result<*mut B, Trap> {
        let (address, memory, offset) =
            (Slot::get(r, at), r.read(at + SLOT), r.read(at + SLOT + 2));
        Self::address(r, memory, address, offset).ok_or(Trap::MemoryOutOfBounds)
    }

    /// Where an access to the first memory goes.
    #[inline(always)]
    fn near<B>(r: &Regs, address: u32, offset: u32) -> Result<*mut B, Trap> {
        r.address(address, offset).ok_or(Trap::MemoryOutOfBounds)
    }
}

/// As one that belongs to one store.
pub(crate) struct Unshared;
/// As one that other threads access as well.
#[cfg(feature = "threads")]
pub(crate) struct Shared;

impl Access for Unshared {
    #[inline(always)]
    fn address<B>(r: &Regs, memory: u16, address: u64, offset: u64) -> Option<*mut B> {
        r.address_in(memory, address, offset)
    }

    #[inline(always)]
    fn load<B: Bytes>(from: *const B) -> B {
        // SAFETY: MEMORY: the address has been checked for this width.
        unsafe { from.read_unaligned() }
    }

    #[inline(always)]
    fn store<B: Bytes>(to: *mut B, bytes: B) {
        // SAFETY: MEMORY: the address has been checked for this width.
        unsafe { to.write_unaligned(bytes) }
    }
}

#[cfg(feature = "threads")]
impl Access for Shared {
    #[inline(always)]
    fn address<B>(r: &Regs, memory: u16, address: u64, offset: u64) -> Option<*mut B> {
        r.address_in_shared(memory, address, offset)
    }

    #[inline(always)]
    fn load<B: Bytes>(from: *const B) -> B {
        // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
        unsafe { B::load_shared(from) }
    }

    #[inline(always)]
    fn store<B: Bytes>(to: *mut B, bytes: B) {
        // SAFETY: MEMORY: the address has been checked for this width, and the memory is shared.
        unsafe { bytes.store_shared(to) }
    }
}

impl Regs {
    /// Gives what `O` makes of a vector with these bytes in its low half.
    #[inline(always)]
    fn widen<O: VUnOp>(&mut self, bytes: [u8; 8]) {
        // By way of the result's slot, and volatile: of eight bytes in a register, LLVM would widen one after the other.
        // SAFETY: FRAME.
        unsafe { self.vector_slots(0).write_volatile(u64::from_le_bytes(bytes)) };
        self.set_vector(O::compute(self.vector(0)));
    }
}

/// Bytes of the operands `address, memory, offset`.
const WIDE: usize = SLOT + 2 + 8;

/// `dst, address, offset`: in the first memory, if it has 32-bit addresses.
pub(crate) struct VLoad<O, A>(PhantomData<(O, A)>);
/// `dst, address, memory, offset`: in any memory.
pub(crate) struct VLoadWide<O, M>(PhantomData<(O, M)>);
/// As [`VLoad`], with lanes widened.
pub(crate) struct VWiden<O, A>(PhantomData<(O, A)>);
/// As [`VLoadWide`], with lanes widened.
pub(crate) struct VWidenWide<O, M>(PhantomData<(O, M)>);
/// `offset, address, value`: in the first memory, if it has 32-bit addresses.
pub(crate) struct VStore<A>(PhantomData<A>);
/// `address, memory, offset, value`: in any memory.
pub(crate) struct VStoreWide<M>(PhantomData<M>);
/// `dst, address, offset, a, lane`: in the first memory, if it has 32-bit addresses.
pub(crate) struct LoadLane<O>(PhantomData<O>);
/// `dst, address, memory, offset, a, lane`: in any memory.
pub(crate) struct LoadLaneWide<O, M>(PhantomData<(O, M)>);
/// `offset, address, half, lane`: in the first memory, if it has 32-bit addresses.
pub(crate) struct StoreLane<O>(PhantomData<O>);
/// `address, memory, offset, half, lane`: in any memory.
pub(crate) struct StoreLaneWide<O, M>(PhantomData<(O, M)>);

impl<O: VLoadOp, A: Source> Body for VLoad<O, A> {
    const LEN: usize = SLOT + A::LEN + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = Unshared::near(r, A::get(r, SLOT), r.read(SLOT + A::LEN))?;
        r.set_vector(O::compute(Unshared::load(from)));
        Ok(())
    }
}

impl<O: VLoadOp, M: Access> Body for VLoadWide<O, M> {
    const LEN: usize = SLOT + WIDE;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = M::wide(r, SLOT)?;
        r.set_vector(O::compute(M::load(from)));
        Ok(())
    }
}

impl<O: VUnOp, A: Source> Body for VWiden<O, A> {
    const LEN: usize = SLOT + A::LEN + 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = Unshared::near(r, A::get(r, SLOT), r.read(SLOT + A::LEN))?;
        r.widen::<O>(Unshared::load(from));
        Ok(())
    }
}

impl<O: VUnOp, M: Access> Body for VWidenWide<O, M> {
    const LEN: usize = SLOT + WIDE;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = M::wide(r, SLOT)?;
        r.widen::<O>(M::load(from));
        Ok(())
    }
}

impl<A: Source> Body for VStore<A> {
    const LEN: usize = 4 + A::LEN + SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = Unshared::near(r, A::get(r, 4), r.read(0))?;
        Unshared::store(to, num::v128_store(r.vector(4 + A::LEN)));
        Ok(())
    }
}

impl<M: Access> Body for VStoreWide<M> {
    const LEN: usize = WIDE + SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = M::wide(r, 0)?;
        M::store(to, num::v128_store(r.vector(WIDE)));
        Ok(())
    }
}

impl<O: LoadLaneOp> Body for LoadLane<O> {
    const LEN: usize = 2 * SLOT + 4 + SLOT + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = Unshared::near(r, Slot::get(r, SLOT), r.read(2 * SLOT))?;
        let lane: u16 = r.read(3 * SLOT + 4);
        r.set_vector(O::compute(r.vector(2 * SLOT + 4), Unshared::load(from), lane as u8));
        Ok(())
    }
}

impl<O: LoadLaneOp, M: Access> Body for LoadLaneWide<O, M> {
    const LEN: usize = SLOT + WIDE + SLOT + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let from = M::wide(r, SLOT)?;
        let lane: u16 = r.read(2 * SLOT + WIDE);
        r.set_vector(O::compute(r.vector(SLOT + WIDE), M::load(from), lane as u8));
        Ok(())
    }
}

impl<O: StoreLaneOp> Body for StoreLane<O> {
    const LEN: usize = 4 + 2 * SLOT + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = Unshared::near(r, Slot::get(r, 4), r.read(0))?;
        let half = r.get(r.read(4 + SLOT));
        Unshared::store(to, O::compute(half, r.read::<u16>(4 + 2 * SLOT) as u8));
        Ok(())
    }
}

impl<O: StoreLaneOp, M: Access> Body for StoreLaneWide<O, M> {
    const LEN: usize = WIDE + SLOT + 2;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let to = M::wide(r, 0)?;
        let half = r.get(r.read(WIDE));
        M::store(to, O::compute(half, r.read::<u16>(WIDE + SLOT) as u8));
        Ok(())
    }
}

/// The type of an op on vectors, with its semantics.
macro_rules! op {
    ($name:ident $Name:ident vun $shape:tt) => {
        op!(@ $name $Name VUnOp {} (a: V128) -> V128);
    };
    ($name:ident $Name:ident vwiden $shape:tt) => {
        op!(@ $name $Name VUnOp {} (a: V128) -> V128);
    };
    ($name:ident $Name:ident vbin $shape:tt) => {
        op!(@ $name $Name VBinOp {} (a: V128, b: V128) -> V128);
    };
    ($name:ident $Name:ident vternary $shape:tt) => {
        op!(@ $name $Name VTernaryOp {} (a: V128, b: V128, c: V128) -> V128);
    };
    ($name:ident $Name:ident vshift $shape:tt) => {
        op!(@ $name $Name VShiftOp {} (a: V128, count: u32) -> V128);
    };
    ($name:ident $Name:ident vtest $shape:tt) => {
        op!(@ $name $Name VTestOp {} (a: V128) -> u32);
    };
    ($name:ident $Name:ident splat($from:ident $to:ident)) => {
        op!(@ $name $Name SplatOp { type From = $from; } (a: $from) -> V128);
    };
    ($name:ident $Name:ident extract($from:ident $to:ident)) => {
        op!(@ $name $Name ExtractOp { type To = $to; } (half: u64, lane: u8) -> $to);
    };
    ($name:ident $Name:ident replace($from:ident $to:ident)) => {
        op!(@ $name $Name ReplaceOp { type From = $from; } (a: V128, value: $from, lane: u8) -> V128);
    };
    ($name:ident $Name:ident vload($from:ident $to:ident)) => {
        op!(@ $name $Name VLoadOp { type Bytes = [u8; size_of::<$from>()]; } (bytes: Self::Bytes) -> V128);
    };
    ($name:ident $Name:ident load_lane($from:ident $to:ident)) => {
        op!(@ $name $Name LoadLaneOp { type Bytes = [u8; size_of::<$from>()]; } (a: V128, bytes: Self::Bytes, lane: u8) -> V128);
    };
    ($name:ident $Name:ident store_lane($from:ident $to:ident)) => {
        op!(@ $name $Name StoreLaneOp { type Bytes = [u8; size_of::<$to>()]; } (half: u64, lane: u8) -> Self::Bytes);
    };
    ($name:ident $Name:ident $class:ident $shape:tt) => {};
    (@ $name:ident $Name:ident $Op:ident { $($item:item)* } ($($arg:ident: $ty:ty),*) -> $to:ty) => {
        pub(crate) struct $Name;
        impl $Op for $Name {
            $($item)*
            #[inline(always)]
            fn compute($($arg: $ty),*) -> $to {
                num::$name($($arg),*)
            }
        }
    };
}

macro_rules! ops {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), $flags:tt; )*) => {
        $( op!($name $Name $class($from $to)); )*
    };
}

kinglet_core::for_each_op!(ops);
