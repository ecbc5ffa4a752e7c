//! Casts, and tests of what a reference is.
//!
//! One look at an object tells whether it is of exactly the type that is wanted, which it mostly is. Other questions go to the execution:
//! a handler has too few registers for more.

use super::{
    Body, Stop, exit,
    operand::{Dest, SLOT, Source},
    regs::Regs,
};
use core::marker::PhantomData;

/// `dst, reference, type, flags`; a type of objects, `FINAL` if it has no subtypes.
pub(crate) struct RefTest<A, D, const FINAL: bool>(PhantomData<(A, D)>);
/// `dst, reference, type, flags`; a type of objects.
pub(crate) struct RefCast<A, D>(PhantomData<(A, D)>);

/// Whether the reference is to an object of the type that stands `at` bytes behind the opcode. Null and integers are not for handlers.
#[inline(always)]
fn is_exactly(r: &Regs, handle: u32, at: usize) -> Result<bool, Stop> {
    if handle == 0 || handle & 1 == 1 {
        return Err(Stop(exit::CAST));
    }
    let header = r.in_object(handle, 0, size_of::<u32>());
    // SAFETY: HEAP: the id of its type stands at the beginning of an object.
    let actual = unsafe { header.cast::<u32>().read() };
    // SAFETY: INSTANCE: it is a type of the module.
    let wanted = unsafe { *r.cx().types.add(r.read::<u32>(at) as usize) };
    Ok(actual == wanted)
}

impl<A: Source, D: Dest, const FINAL: bool> Body for RefTest<A, D, FINAL> {
    const LEN: usize = SLOT + A::LEN + 6;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let result = is_exactly(r, A::get(r, SLOT), SLOT + A::LEN)?;
        if !FINAL && !result {
            return Err(Stop(exit::CAST));
        }
        D::set(u32::from(result), r);
        Ok(())
    }
}

impl<A: Source, D: Dest> Body for RefCast<A, D> {
    const LEN: usize = SLOT + A::LEN + 6;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let handle: u32 = A::get(r, SLOT);
        // Nobody needs what the accumulator held, and no other register is left for it.
        r.acc = handle.into();
        if !is_exactly(r, handle, SLOT + A::LEN)? {
            return Err(Stop(exit::CAST));
        }
        D::set(r.acc, r);
        Ok(())
    }
}
