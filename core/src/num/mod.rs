//! The numeric operators (spec, 4.3): one pure function for each, named as in the text format with `_` for `.`.
//!
//! Integers are `u32` and `u64` whatever sign an operator sees in them, comparisons are `bool`, and operators that can
//! trap return a `Result`. All of them are meant to be inlined into their callers and to compile to short code without
//! calls, also where neither `std` nor instructions beyond the target's baseline are at hand.
//!
//! NaNs: operators that calculate give quiet NaNs; `abs`, `neg`, `copysign` and the reinterpretations leave every bit
//! of a NaN's payload as it is (spec, 4.3.3).

/// Functions for operators that exist in two widths. A row is `kind name32 name64 (operands) = body;` where the kind is
/// `value`, `test` (the result is a `bool`) or `trap` (the result is a `Result`); the body is written once, with `U`,
/// `S` and `F` for the unsigned, signed and float types of the width.
macro_rules! operators {
    ($value:ident: $( $kind:ident $name32:ident $name64:ident ($($arg:ident),*) = $body:expr; )*) => { $(
        operators!(@one $value width32 $kind $name32 ($($arg),*) $body);
        operators!(@one $value width64 $kind $name64 ($($arg),*) $body);
    )* };
    (@one $value:ident $width:ident $kind:ident $name:ident ($($arg:ident),*) $body:expr) => {
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name($($arg: crate::num::$width::$value),*) -> operators!(@$kind crate::num::$width::$value) {
            #[allow(unused_imports, reason = "not every body needs every name")]
            use crate::num::$width::*;
            $body
        }
    };
    (@value $value:ty) => { $value };
    (@test $value:ty) => { bool };
    (@trap $value:ty) => { Result<$value, crate::trap::Trap> };
}

mod convert;
mod float;
mod int;
mod reference;
#[cfg(feature = "simd")]
mod simd;

pub use convert::*;
pub use float::*;
pub use int::*;
pub use reference::*;
#[cfg(feature = "simd")]
pub use simd::*;

/// What the bodies of 32-bit operators call their types and constants.
mod width32 {
    pub(super) type U = u32;
    pub(super) type S = i32;
    pub(super) type F = f32;
    /// The bit of a float that tells quiet NaNs from signalling ones.
    pub(super) const QUIET: U = 1 << 22;
    /// From here on, floats have no fraction.
    pub(super) const INTEGRAL: F = (1u32 << 23) as F;
}

/// What the bodies of 64-bit operators call their types and constants.
mod width64 {
    pub(super) type U = u64;
    pub(super) type S = i64;
    pub(super) type F = f64;
    /// The bit of a float that tells quiet NaNs from signalling ones.
    pub(super) const QUIET: U = 1 << 51;
    /// From here on, floats have no fraction.
    pub(super) const INTEGRAL: F = (1u64 << 52) as F;
}
