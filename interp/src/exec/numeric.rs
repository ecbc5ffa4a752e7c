//! Numeric ops: bodies from the op table and the functions of [`kinglet_core::num`].

use super::{
    Body, Stop,
    operand::{Dest, SLOT, Source, Value},
    regs::Regs,
};
use core::marker::PhantomData;
use kinglet_core::num;

/// An op with one operand.
pub(crate) trait UnOp: 'static {
    type From: Value;
    type To: Value;
    fn compute(a: Self::From) -> Result<Self::To, Stop>;
}

/// An op with two operands.
pub(crate) trait BinOp: 'static {
    type From: Value;
    type To: Value;
    fn compute(a: Self::From, b: Self::From) -> Result<Self::To, Stop>;
}

/// A comparison.
pub(crate) trait CmpOp: 'static {
    type From: Value;
    fn holds(a: Self::From, b: Self::From) -> bool;
}

/// An op with several results.
pub(crate) trait MultiOp: 'static {
    /// Computes it from the slots that begin at `base`, and puts the results there.
    fn compute(r: &mut Regs, base: u16);
}

/// `dst, a`
pub(crate) struct Un<O, A, D>(PhantomData<(O, A, D)>);
/// `dst, a, b`
pub(crate) struct Bin<O, A, B, D>(PhantomData<(O, A, B, D)>);
/// `a, b, target`: jumps if the comparison gives `WHEN`.
pub(crate) struct CmpBr<O, A, B, const WHEN: bool>(PhantomData<(O, A, B)>);
/// `base`: operands in a row, results in their place.
pub(crate) struct Multi<O>(PhantomData<O>);

impl<O: UnOp, A: Source, D: Dest> Body for Un<O, A, D> {
    const LEN: usize = SLOT + A::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let a = A::get(r, SLOT);
        D::set(O::compute(a)?, r);
        Ok(())
    }
}

impl<O: BinOp, A: Source, B: Source, D: Dest> Body for Bin<O, A, B, D> {
    const LEN: usize = SLOT + A::LEN + B::LEN;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let a = A::get(r, SLOT);
        let b = B::get(r, SLOT + A::LEN);
        D::set(O::compute(a, b)?, r);
        Ok(())
    }
}

impl<O: CmpOp, A: Source, B: Source, const WHEN: bool> Body for CmpBr<O, A, B, WHEN> {
    const LEN: usize = A::LEN + B::LEN + 4;
    const BRANCH: bool = true;
    #[inline(always)]
    fn condition(r: &mut Regs) -> Result<bool, Stop> {
        Ok(O::holds(A::get(r, 0), B::get(r, A::LEN)) == WHEN)
    }
}

impl<O: MultiOp> Body for Multi<O> {
    const LEN: usize = SLOT;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        O::compute(r, r.read(0));
        Ok(())
    }
}

/// The type of a numeric op, with its semantics.
macro_rules! op {
    ($name:ident $Name:ident un($from:ident $to:ident)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl UnOp for $Name {
            type From = $from;
            type To = $to;
            #[inline(always)]
            fn compute(a: $from) -> Result<$to, Stop> {
                Ok(num::$name(a))
            }
        }
    };
    ($name:ident $Name:ident un_trap($from:ident $to:ident)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl UnOp for $Name {
            type From = $from;
            type To = $to;
            #[inline(always)]
            fn compute(a: $from) -> Result<$to, Stop> {
                Ok(num::$name(a)?)
            }
        }
    };
    ($name:ident $Name:ident bin($from:ident $to:ident)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl BinOp for $Name {
            type From = $from;
            type To = $to;
            #[inline(always)]
            fn compute(a: $from, b: $from) -> Result<$to, Stop> {
                Ok(num::$name(a, b))
            }
        }
    };
    ($name:ident $Name:ident bin_trap($from:ident $to:ident)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl BinOp for $Name {
            type From = $from;
            type To = $to;
            #[inline(always)]
            fn compute(a: $from, b: $from) -> Result<$to, Stop> {
                Ok(num::$name(a, b)?)
            }
        }
    };
    ($name:ident $Name:ident cmp($from:ident $to:ident)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl CmpOp for $Name {
            type From = $from;
            #[inline(always)]
            fn holds(a: $from, b: $from) -> bool {
                num::$name(a, b)
            }
        }
        impl BinOp for $Name {
            type From = $from;
            type To = u32;
            #[inline(always)]
            fn compute(a: $from, b: $from) -> Result<u32, Stop> {
                Ok(u32::from(num::$name(a, b)))
            }
        }
    };
    ($name:ident $Name:ident multi($from:literal $to:literal)) => {
        #[cfg_attr(not(feature = "float"), allow(dead_code, reason = "those on floats"))]
        pub(crate) struct $Name;
        impl MultiOp for $Name {
            #[inline(always)]
            fn compute(r: &mut Regs, base: u16) {
                let operands: [u64; $from] = core::array::from_fn(|i| r.get(base + i as u16));
                let results: [u64; $to] = num::$name(operands);
                for (i, result) in (0..).zip(results) {
                    r.set(base + i, result);
                }
            }
        }
    };
    ($name:ident $Name:ident $class:ident $shape:tt) => {};
}

macro_rules! ops {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), $flags:tt; )*) => {
        $( op!($name $Name $class($from $to)); )*
    };
}

kinglet_core::for_each_op!(ops);
