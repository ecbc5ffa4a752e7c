//! Casts, and tests of what a reference is.
//!
//! One look at an object tells whether it is of exactly the type that is wanted, which it mostly is. Other questions go to the execution.

use super::{
    Body, Stop, exit,
    operand::{Dest, SLOT, Source},
    regs::Regs,
};
use core::marker::PhantomData;
use kinglet_core::trap::Trap;

/// Added to the number of a type if it is one of functions, or of the list of abstract types.
pub(crate) const ELSEWHERE: u32 = 1 << 31;
/// Null is of the type.
pub(crate) const NULLABLE: u16 = 1;
/// The type has no subtypes.
pub(crate) const FINAL: u16 = 2;
/// It is an abstract type.
pub(crate) const ABSTRACT: u16 = 4;

/// `dst, reference, type, flags`
pub(crate) struct RefTest<A, D>(PhantomData<(A, D)>);
/// `dst, reference, type, flags`
pub(crate) struct RefCast<A, D>(PhantomData<(A, D)>);

/// Whether a reference is of the type that stands `at` bytes behind the opcode.
#[inline(always)]
fn is_of(r: &Regs, handle: u32, at: usize) -> Result<bool, Stop> {
    let (ty, flags): (u32, u16) = (r.read(at), r.read(at + 4));
    if handle == 0 {
        return Ok(flags & NULLABLE != 0);
    }
    if ty & ELSEWHERE != 0 {
        return Err(Stop(exit::CAST));
    }
    if handle & 1 == 1 {
        return Ok(false);
    }
    let cx = r.cx();
    let header = cx.heap.wrapping_add(4 * handle as usize);
    // SAFETY: HEAP: the id of its type stands at the beginning of an object. INSTANCE: `ty` is a type of the module.
    let (actual, wanted) = unsafe { (header.cast::<u32>().read(), *cx.types.add(ty as usize)) };
    if actual == wanted {
        Ok(true)
    } else if flags & FINAL != 0 {
        Ok(false)
    } else {
        Err(Stop(exit::CAST))
    }
}

impl<A: Source, D: Dest> Body for RefTest<A, D> {
    const LEN: usize = SLOT + A::LEN + 6;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let result = is_of(r, A::get(r, SLOT), SLOT + A::LEN)?;
        D::set(u32::from(result), r);
        Ok(())
    }
}

impl<A: Source, D: Dest> Body for RefCast<A, D> {
    const LEN: usize = SLOT + A::LEN + 6;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let handle: u32 = A::get(r, SLOT);
        if !is_of(r, handle, SLOT + A::LEN)? {
            return Err(Trap::CastFailure.into());
        }
        D::set(u64::from(handle), r);
        Ok(())
    }
}
