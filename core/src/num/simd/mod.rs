//! The operators on vectors (spec, 4.3.5): one pure function for each, as for the scalar ones.
//!
//! A vector is an array of bytes, and operators are written for one lane, or as loops over arrays of lanes. LLVM makes instructions on
//! whole vectors of that, for every target that has such.

mod float;
mod int;
mod lanes;
mod relaxed;

pub use float::*;
pub use int::*;
pub use lanes::*;
pub use relaxed::*;

/// A vector: its bytes, lane 0 first, each lane little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct V128(pub [u8; 16]);

impl V128 {
    /// The vector with these slots, the low half first.
    #[inline(always)]
    pub fn from_slots(slots: [u64; 2]) -> V128 {
        slots.vector()
    }

    /// Its slots, the low half first.
    #[inline(always)]
    pub fn to_slots(self) -> [u64; 2] {
        self.lanes()
    }

    #[inline(always)]
    fn lanes<L: Lanes>(self) -> L {
        L::of(self)
    }
}

/// A vector, taken apart.
trait Lanes: Sized {
    fn of(vector: V128) -> Self;
    fn vector(self) -> V128;
}

macro_rules! lanes {
    ($( $ty:ident x $count:literal; )*) => { $(
        impl Lanes for [$ty; $count] {
            #[inline(always)]
            fn of(vector: V128) -> Self {
                const BYTES: usize = size_of::<$ty>();
                core::array::from_fn(|lane| {
                    $ty::from_le_bytes(core::array::from_fn(|byte| vector.0[lane * BYTES + byte]))
                })
            }

            #[inline(always)]
            #[allow(clippy::modulo_one, reason = "some lanes have one byte")]
            fn vector(self) -> V128 {
                const BYTES: usize = size_of::<$ty>();
                V128(core::array::from_fn(|byte| self[byte / BYTES].to_le_bytes()[byte % BYTES]))
            }
        }
    )* };
}

lanes! { i8 x 16; u8 x 16; i16 x 8; u16 x 8; i32 x 4; u32 x 4; i64 x 2; u64 x 2; f32 x 4; f64 x 2; }

/// Operators that do the same with every lane. A row is `name: lane type x lanes, (operands) = body;`, where operands are lanes and the
/// body gives one.
macro_rules! lanewise {
    ($( $name:ident: $ty:ident x $count:literal, ($($arg:ident),+) = $body:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name($($arg: V128),+) -> V128 {
            $( let $arg: [$ty; $count] = $arg.lanes(); )+
            core::array::from_fn::<_, $count, _>(|lane| {
                $( let $arg = $arg[lane]; )+
                $body
            })
            .vector()
        }
    )* };
}

/// Comparisons of lanes, which give all ones or all zeros. A row is `name: lane type x lanes of masks, (operands) = body;`.
macro_rules! comparisons {
    ($( $name:ident: $ty:ident x $count:literal of $mask:ident, ($a:ident, $b:ident) = $body:expr; )*) => {
        lanewise! { $( $name: $ty x $count, ($a, $b) = if $body { !0 } else { 0 as $mask }; )* }
    };
}

/// Operators whose lanes come from others than those of the same number. A row is
/// `name: lane type x lanes -> lane type x lanes, (operands) = |lane| body;`, where operands are arrays.
macro_rules! across {
    ($( $name:ident: $from:ident x $count:literal -> $to:ident x $results:literal, ($($arg:ident),+) = |$lane:ident| $body:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name($($arg: V128),+) -> V128 {
            $( let $arg: [$from; $count] = $arg.lanes(); )+
            core::array::from_fn::<$to, $results, _>(|$lane| $body).vector()
        }
    )* };
}

use {across, comparisons, lanewise};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_little_endian() {
        let vector = V128::from_slots([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        assert_eq!(vector.0, core::array::from_fn(|byte| byte as u8));
        assert_eq!(vector.lanes::<[u16; 8]>()[1], 0x0302);
        assert_eq!(vector.lanes::<[u32; 4]>().vector(), vector);
        assert_eq!(vector.to_slots()[1], 0x0f0e_0d0c_0b0a_0908);
    }
}
