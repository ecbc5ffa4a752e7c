//! Ops on constants, and ops that a constant makes simpler.

use kinglet_core::{
    for_each_op, num,
    op::{Num, Op},
};

/// A value as the bits of its slot.
trait Bits: Sized {
    fn from_bits(bits: u64) -> Self;
    /// `None` for a NaN, of which processors may make different ones.
    fn bits(self) -> Option<u64>;
}

impl Bits for u32 {
    fn from_bits(bits: u64) -> u32 {
        bits as u32
    }

    fn bits(self) -> Option<u64> {
        Some(self.into())
    }
}

impl Bits for u64 {
    fn from_bits(bits: u64) -> u64 {
        bits
    }

    fn bits(self) -> Option<u64> {
        Some(self)
    }
}

impl Bits for bool {
    fn from_bits(bits: u64) -> bool {
        bits != 0
    }

    fn bits(self) -> Option<u64> {
        Some(self.into())
    }
}

impl Bits for f32 {
    fn from_bits(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }

    fn bits(self) -> Option<u64> {
        (!self.is_nan()).then_some(self.to_bits().into())
    }
}

impl Bits for f64 {
    fn from_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    fn bits(self) -> Option<u64> {
        (!self.is_nan()).then_some(self.to_bits())
    }
}

/// How to compute an op of a class.
macro_rules! compute {
    (un $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a)).bits()
    };
    (un_trap $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a)).ok()?.bits()
    };
    (bin $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).bits()
    };
    (cmp $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).bits()
    };
    (bin_trap $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).ok()?.bits()
    };
    ($other:ident $name:ident $a:ident $b:ident) => {
        None
    };
}

macro_rules! define {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), [$($flag:ident)*]; )*) => {
        /// What an op of the numeric classes gives for constants. `b` is of no interest if it has one operand. `None` if it traps.
        pub(super) fn fold(op: Op, a: u64, b: u64) -> Option<u64> {
            match op {
                $( Op::$Name => compute!($class $name a b), )*
            }
        }
    };
}

for_each_op!(define);

/// What an op becomes whose right operand is a constant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Simpler {
    /// Its left operand.
    Left,
    /// A constant.
    Bits(u64),
    /// Another op, with another constant.
    Op(Op, u64),
}

/// Looks whether an op on integers can be had for less, if its right operand is the constant `c`. What is left out of the computation
/// must not matter at all: where nobody reads a value, code that has stopped goes on with 0 in its place.
pub(super) fn simplify(op: Op, c: u64) -> Option<Simpler> {
    use Op::*;
    use Simpler::{Bits, Left, Op as Other};
    let wide = op.row().from == Some(Num::u64);
    let (ones, width) = if wide { (u64::MAX, 64) } else { (u32::MAX.into(), 32) };
    let pick = |narrow, wider| if wide { wider } else { narrow };
    let log = u64::from(c.trailing_zeros());
    Some(match op {
        I32Add | I64Add | I32Or | I64Or | I32Xor | I64Xor | I32Sub | I64Sub if c == 0 => Left,
        I32Sub | I64Sub => Other(pick(I32Add, I64Add), c.wrapping_neg() & ones),
        I32Shl | I64Shl | I32ShrS | I64ShrS | I32ShrU | I64ShrU | I32Rotl | I64Rotl | I32Rotr
        | I64Rotr => match c % width {
            0 => Left,
            count if count != c => Other(op, count),
            _ => return None,
        },
        I32And | I64And if c == ones => Left,
        I32And | I64And | I32Mul | I64Mul if c == 0 => Bits(0),
        I32Or | I64Or if c == ones => Bits(ones),
        I32Mul | I64Mul | I32DivU | I64DivU | I32DivS | I64DivS if c == 1 => Left,
        I32Mul | I64Mul if c.is_power_of_two() => Other(pick(I32Shl, I64Shl), log),
        I32DivU | I64DivU if c.is_power_of_two() => Other(pick(I32ShrU, I64ShrU), log),
        I32RemU | I64RemU if c == 1 => Bits(0),
        I32RemU | I64RemU if c.is_power_of_two() => Other(pick(I32And, I64And), c - 1),
        _ => return None,
    })
}
