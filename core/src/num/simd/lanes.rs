//! Vectors from lanes and lanes from vectors, and what loads and stores make of memory.

use super::{Lanes, V128};

/// Vectors of equal lanes. A row is `name: operand => lane type x lanes;`.
macro_rules! splats {
    ($( $name:ident: $from:ident => $ty:ident x $count:literal; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: $from) -> V128 {
            [a as $ty; $count].vector()
        }
    )* };
}

splats! {
    i8x16_splat: u32 => u8 x 16;
    i16x8_splat: u32 => u16 x 8;
    i32x4_splat: u32 => u32 x 4;
    i64x2_splat: u64 => u64 x 2;
    f32x4_splat: f32 => f32 x 4;
    f64x2_splat: f64 => f64 x 2;
}

/// Lanes out of vectors. A row is `name: bits => result = body;`: `half` is the slot that the lane is in, shifted so that the lane
/// is lowest.
macro_rules! extractions {
    ($( $name:ident: $lane:ident => $to:ty = |$half:ident| $body:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`, for lane number `lane` of the slot `half`.")]
        #[inline(always)]
        pub fn $name(half: u64, lane: u8) -> $to {
            let $half = half.wrapping_shr(u32::from(lane) * $lane::BITS);
            $body
        }
    )* };
}

extractions! {
    i8x16_extract_lane_s: i8 => u32 = |half| half as i8 as u32;
    i8x16_extract_lane_u: u8 => u32 = |half| u32::from(half as u8);
    i16x8_extract_lane_s: i16 => u32 = |half| half as i16 as u32;
    i16x8_extract_lane_u: u16 => u32 = |half| u32::from(half as u16);
    i32x4_extract_lane: u32 => u32 = |half| half as u32;
    i64x2_extract_lane: u64 => u64 = |half| half;
    f32x4_extract_lane: u32 => f32 = |half| f32::from_bits(half as u32);
    f64x2_extract_lane: u64 => f64 = |half| f64::from_bits(half);
}

/// For each of `N` lanes, a vector whose bits are set there.
const fn masks<const N: usize>() -> [V128; N] {
    let mut masks = [V128([0; 16]); N];
    let mut byte = 0;
    while byte < 16 {
        masks[byte * N / 16].0[byte] = !0;
        byte += 1;
    }
    masks
}

/// Vectors with one lane changed. A row is `name: operand => lane type x lanes = |operand| lane;`.
macro_rules! replacements {
    ($( $name:ident: $from:ty => $ty:ident x $count:literal = |$value:ident| $to:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: V128, $value: $from, lane: u8) -> V128 {
            // By a mask: an array indexed by a variable would have to be in memory.
            static MASKS: [V128; $count] = masks();
            let mask: [$ty; $count] = MASKS[usize::from(lane) % $count].lanes();
            let (a, new): ([$ty; $count], $ty) = (a.lanes(), $to);
            core::array::from_fn::<$ty, $count, _>(|i| new & mask[i] | a[i] & !mask[i]).vector()
        }
    )* };
}

replacements! {
    i8x16_replace_lane: u32 => u8 x 16 = |value| value as u8;
    i16x8_replace_lane: u32 => u16 x 8 = |value| value as u16;
    i32x4_replace_lane: u32 => u32 x 4 = |value| value;
    f32x4_replace_lane: f32 => u32 x 4 = |value| value.to_bits();
    v128_load8_lane: [u8; 1] => u8 x 16 = |value| u8::from_le_bytes(value);
    v128_load16_lane: [u8; 2] => u16 x 8 = |value| u16::from_le_bytes(value);
    v128_load32_lane: [u8; 4] => u32 x 4 = |value| u32::from_le_bytes(value);
}

/// The operator `i64x2_replace_lane`.
#[inline(always)]
pub fn i64x2_replace_lane(a: V128, value: u64, lane: u8) -> V128 {
    let [low, high] = a.to_slots();
    V128::from_slots(if lane == 0 { [value, high] } else { [low, value] })
}

/// The operator `f64x2_replace_lane`.
#[inline(always)]
pub fn f64x2_replace_lane(a: V128, value: f64, lane: u8) -> V128 {
    i64x2_replace_lane(a, value.to_bits(), lane)
}

/// The operator `v128_load64_lane`.
#[inline(always)]
pub fn v128_load64_lane(a: V128, value: [u8; 8], lane: u8) -> V128 {
    i64x2_replace_lane(a, u64::from_le_bytes(value), lane)
}

/// Vectors of what a load gets, as the bytes in memory. A row is `name: bytes => lane type x lanes = |lane| body;`.
macro_rules! loads {
    ($( $name:ident: ($bytes:ident: $count:literal) => $ty:ident x $lanes:literal = |$lane:ident| $body:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name($bytes: [u8; $count]) -> V128 {
            core::array::from_fn::<$ty, $lanes, _>(|$lane| $body).vector()
        }
    )* };
}

loads! {
    v128_load: (bytes: 16) => u8 x 16 = |lane| bytes[lane];
    v128_load8_splat: (bytes: 1) => u8 x 16 = |_lane| u8::from_le_bytes(bytes);
    v128_load16_splat: (bytes: 2) => u16 x 8 = |_lane| u16::from_le_bytes(bytes);
    v128_load32_splat: (bytes: 4) => u32 x 4 = |_lane| u32::from_le_bytes(bytes);
    v128_load64_splat: (bytes: 8) => u64 x 2 = |_lane| u64::from_le_bytes(bytes);
    v128_load32_zero: (bytes: 4) => u32 x 4 = |lane| if lane == 0 { u32::from_le_bytes(bytes) } else { 0 };
    v128_load64_zero: (bytes: 8) => u64 x 2 = |lane| if lane == 0 { u64::from_le_bytes(bytes) } else { 0 };
}

/// Vectors of what a load gets that widens lanes, from a vector with the bytes in its low half. A row is `name = operator;`.
macro_rules! widening_loads {
    ($( $name:ident = $extend:ident; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(bytes: V128) -> V128 {
            super::$extend(bytes)
        }
    )* };
}

widening_loads! {
    v128_load8x8_s = i16x8_extend_low_i8x16_s;
    v128_load8x8_u = i16x8_extend_low_i8x16_u;
    v128_load16x4_s = i32x4_extend_low_i16x8_s;
    v128_load16x4_u = i32x4_extend_low_i16x8_u;
    v128_load32x2_s = i64x2_extend_low_i32x4_s;
    v128_load32x2_u = i64x2_extend_low_i32x4_u;
}

/// The operator `v128_store`.
#[inline(always)]
pub fn v128_store(a: V128) -> [u8; 16] {
    a.0
}

/// The bytes that a store of one lane writes. A row is `name: lane type;`, operands are as for those that take lanes out.
macro_rules! lane_stores {
    ($( $name:ident: $ty:ident; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`, for lane number `lane` of the slot `half`.")]
        #[inline(always)]
        pub fn $name(half: u64, lane: u8) -> [u8; size_of::<$ty>()] {
            (half.wrapping_shr(u32::from(lane) * $ty::BITS) as $ty).to_le_bytes()
        }
    )* };
}

lane_stores! {
    v128_store8_lane: u8;
    v128_store16_lane: u16;
    v128_store32_lane: u32;
    v128_store64_lane: u64;
}

/// The operator `i8x16_shuffle`: `byte` gives the bytes of both operands by number.
#[inline(always)]
pub fn i8x16_shuffle(byte: impl Fn(u8) -> u8, lanes: V128) -> V128 {
    gather(lanes, byte)
}

/// The operator `i8x16_swizzle`: `byte` gives the bytes of the first operand by number.
#[inline(always)]
pub fn i8x16_swizzle(byte: impl Fn(u8) -> u8, lanes: V128) -> V128 {
    // Where there is no such lane, any byte is read and then cleared: that takes no branch.
    gather(lanes, |lane| byte(lane & 15) & if lane < 16 { !0 } else { 0 })
}

/// The vector whose bytes `byte` gives for the bytes of `lanes`. Callers know where the bytes are that they ask for: an array indexed by
/// a variable would have to be put into memory first.
#[inline(always)]
fn gather(lanes: V128, byte: impl Fn(u8) -> u8) -> V128 {
    let lanes = lanes.to_slots();
    let half = |lanes: u64| {
        (0..8).fold(0, |half, i| half | u64::from(byte((lanes >> (8 * i)) as u8)) << (8 * i))
    };
    V128::from_slots(lanes.map(half))
}
