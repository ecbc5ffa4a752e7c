//! What each op does.
//!
//! An op is a zero-sized type that implements [`Body`]; where its operands are is a type parameter ([`operand`]). How the next
//! op is reached is none of its business: that is [`dispatch`](crate::dispatch)'s. Two ops in a row are [`Seq`], so no fused
//! op is ever written by hand.
//!
//! Bodies never call: whatever needs more than a few instructions stops with an [`exit`] code, and the
//! [`Execution`](crate::Execution) takes over.

#[cfg(feature = "gc")]
pub(crate) mod casts;
pub(crate) mod control;
pub(crate) mod memory;
pub(crate) mod moves;
pub(crate) mod numeric;
#[cfg(feature = "gc")]
pub(crate) mod objects;
pub(crate) mod operand;
pub(crate) mod regs;
#[cfg(feature = "threads")]
pub(crate) mod shared;
#[cfg(feature = "simd")]
pub(crate) mod vector;

use core::marker::PhantomData;
use kinglet_core::trap::Trap;
use regs::Regs;

/// Bytes of the opcode in front of the operands.
pub(crate) const TOKEN: usize = 2;

/// Why handlers hand over to the execution: a trap's code, or one of these.
pub(crate) mod exit {
    /// The outermost function has returned.
    pub(crate) const DONE: u32 = 0x100;
    /// A function called from another instance has returned.
    pub(crate) const CROSS_RETURN: u32 = 0x101;
    /// The function at hand is not translated yet.
    pub(crate) const LAZY: u32 = 0x102;
    /// The frame pointer has passed the limit.
    pub(crate) const STACK: u32 = 0x103;
    /// The slice of fuel is used up.
    pub(crate) const FUEL: u32 = 0x104;
    /// An op of the class `slots`.
    pub(crate) const SLOTS: u32 = 0x105;
    /// An op of one of the atomic classes.
    pub(crate) const ATOMIC: u32 = 0x120;
    /// A new struct.
    #[cfg(feature = "gc")]
    pub(crate) const STRUCT_NEW: u32 = 0x121;
    /// A call of an imported function.
    pub(crate) const CALL_IMPORT: u32 = 0x106;
    /// A call through a table that is not to this instance, or traps.
    pub(crate) const CALL_INDIRECT: u32 = 0x107;
    /// A tail call of an imported function.
    pub(crate) const TAIL_CALL_IMPORT: u32 = 0x108;
    /// A tail call through a table.
    pub(crate) const TAIL_CALL_INDIRECT: u32 = 0x109;
    /// A call of a reference to a function that is not of this instance.
    pub(crate) const CALL_REF: u32 = 0x10c;
    /// A tail call of a reference to a function.
    pub(crate) const TAIL_CALL_REF: u32 = 0x10d;
    /// A cast or its test, where one look at the object does not suffice.
    #[cfg(feature = "gc")]
    pub(crate) const CAST: u32 = 0x10e;
    /// A `throw`.
    pub(crate) const THROW: u32 = 0x10a;
    /// A `throw_ref`.
    pub(crate) const THROW_REF: u32 = 0x10b;
}

/// A code to stop with: a trap's, or one of [`exit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop(pub(crate) u32);

impl From<Trap> for Stop {
    #[inline(always)]
    fn from(trap: Trap) -> Stop {
        Stop(trap as u32)
    }
}

/// What an op does.
pub(crate) trait Body: 'static {
    /// Bytes of its operands.
    const LEN: usize;
    /// Whether it is a branch with a condition; its target then is the last operand.
    const BRANCH: bool = false;
    /// Whether it sets the instruction pointer itself.
    const JUMP: bool = false;

    /// Does it, if it is not a branch.
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let _ = r;
        Ok(())
    }

    /// Tells whether the branch is taken, if it is one.
    fn condition(r: &mut Regs) -> Result<bool, Stop> {
        let _ = r;
        Ok(false)
    }
}

/// First `P`, then `Q`. The operands of both follow one opcode; each finds its own as if there were an opcode before them.
#[cfg_attr(not(fusion), allow(dead_code, reason = "without pairs to fuse"))]
pub(crate) struct Seq<P, Q>(PhantomData<(P, Q)>);

impl<P: Body, Q: Body> Body for Seq<P, Q> {
    const LEN: usize = P::LEN + Q::LEN;
    const BRANCH: bool = Q::BRANCH;
    const JUMP: bool = Q::JUMP;

    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        P::run(r)?;
        r.advance(P::LEN);
        Q::run(r)?;
        if !Q::JUMP {
            r.retreat(P::LEN);
        }
        Ok(())
    }

    #[inline(always)]
    fn condition(r: &mut Regs) -> Result<bool, Stop> {
        P::run(r)?;
        r.advance(P::LEN);
        let taken = Q::condition(r)?;
        r.retreat(P::LEN);
        Ok(taken)
    }
}
