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
    v128_load8_splat: u8 => u8 x 16;
    v128_load16_splat: u16 => u16 x 8;
    v128_load32_splat: u32 => u32 x 4;
    v128_load64_splat: u64 => u64 x 2;
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
    v128_store8_lane: u8 => u8 = |half| half as u8;
    v128_store16_lane: u16 => u16 = |half| half as u16;
    v128_store32_lane: u32 => u32 = |half| half as u32;
    v128_store64_lane: u64 => u64 = |half| half;
}

/// Vectors with one lane changed. A row is `name: operand => lane type x lanes;`.
macro_rules! replacements {
    ($( $name:ident: $from:ident => $ty:ident x $count:literal = |$value:ident| $to:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: V128, $value: $from, lane: u8) -> V128 {
            let (lanes, new): ([$ty; $count], $ty) = (a.lanes(), $to);
            // By a mask: an array indexed by a variable would have to be in memory.
            let lane = lane as $ty;
            core::array::from_fn::<$ty, $count, _>(|i| if i as $ty == lane { new } else { lanes[i] }).vector()
        }
    )* };
}

replacements! {
    i8x16_replace_lane: u32 => u8 x 16 = |value| value as u8;
    i16x8_replace_lane: u32 => u16 x 8 = |value| value as u16;
    i32x4_replace_lane: u32 => u32 x 4 = |value| value;
    i64x2_replace_lane: u64 => u64 x 2 = |value| value;
    f32x4_replace_lane: f32 => u32 x 4 = |value| value.to_bits();
    f64x2_replace_lane: f64 => u64 x 2 = |value| value.to_bits();
    v128_load8_lane: u8 => u8 x 16 = |value| value;
    v128_load16_lane: u16 => u16 x 8 = |value| value;
    v128_load32_lane: u32 => u32 x 4 = |value| value;
    v128_load64_lane: u64 => u64 x 2 = |value| value;
}

/// Vectors from eight bytes of memory, lanes widened. A row is `name: lane type x lanes => lane type;`.
macro_rules! widening_loads {
    ($( $name:ident: $from:ident x $count:literal => $to:ident; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(bytes: u64) -> V128 {
            let lanes = V128::from_slots([bytes, 0]).lanes::<[$from; 2 * $count]>();
            core::array::from_fn::<$to, $count, _>(|lane| lanes[lane].into()).vector()
        }
    )* };
}

widening_loads! {
    v128_load8x8_s: i8 x 8 => i16;
    v128_load8x8_u: u8 x 8 => u16;
    v128_load16x4_s: i16 x 4 => i32;
    v128_load16x4_u: u16 x 4 => u32;
    v128_load32x2_s: i32 x 2 => i64;
    v128_load32x2_u: u32 x 2 => u64;
}

/// The operator `v128_load`.
#[inline(always)]
pub fn v128_load(bytes: V128) -> V128 {
    bytes
}

/// The operator `v128_store`.
#[inline(always)]
pub fn v128_store(a: V128) -> V128 {
    a
}

/// The operator `v128_load32_zero`.
#[inline(always)]
pub fn v128_load32_zero(bytes: u32) -> V128 {
    V128::from_slots([bytes.into(), 0])
}

/// The operator `v128_load64_zero`.
#[inline(always)]
pub fn v128_load64_zero(bytes: u64) -> V128 {
    V128::from_slots([bytes, 0])
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
