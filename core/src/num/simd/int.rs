//! Operators on lanes that are integers.

use super::{Lanes, V128, across, comparisons, lanewise};

lanewise! {
    v128_not: u64 x 2, (a) = !a;
    v128_and: u64 x 2, (a, b) = a & b;
    v128_andnot: u64 x 2, (a, b) = a & !b;
    v128_or: u64 x 2, (a, b) = a | b;
    v128_xor: u64 x 2, (a, b) = a ^ b;
    v128_bitselect: u64 x 2, (a, b, mask) = a & mask | b & !mask;

    i8x16_abs: i8 x 16, (a) = a.wrapping_abs();
    i8x16_neg: i8 x 16, (a) = a.wrapping_neg();
    i8x16_add: u8 x 16, (a, b) = a.wrapping_add(b);
    i8x16_sub: u8 x 16, (a, b) = a.wrapping_sub(b);
    i8x16_add_sat_s: i8 x 16, (a, b) = a.saturating_add(b);
    i8x16_add_sat_u: u8 x 16, (a, b) = a.saturating_add(b);
    i8x16_sub_sat_s: i8 x 16, (a, b) = a.saturating_sub(b);
    i8x16_sub_sat_u: u8 x 16, (a, b) = a.saturating_sub(b);
    i8x16_min_s: i8 x 16, (a, b) = a.min(b);
    i8x16_min_u: u8 x 16, (a, b) = a.min(b);
    i8x16_max_s: i8 x 16, (a, b) = a.max(b);
    i8x16_max_u: u8 x 16, (a, b) = a.max(b);
    i8x16_avgr_u: u8 x 16, (a, b) = ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;

    i16x8_abs: i16 x 8, (a) = a.wrapping_abs();
    i16x8_neg: i16 x 8, (a) = a.wrapping_neg();
    i16x8_add: u16 x 8, (a, b) = a.wrapping_add(b);
    i16x8_sub: u16 x 8, (a, b) = a.wrapping_sub(b);
    i16x8_mul: u16 x 8, (a, b) = a.wrapping_mul(b);
    i16x8_add_sat_s: i16 x 8, (a, b) = a.saturating_add(b);
    i16x8_add_sat_u: u16 x 8, (a, b) = a.saturating_add(b);
    i16x8_sub_sat_s: i16 x 8, (a, b) = a.saturating_sub(b);
    i16x8_sub_sat_u: u16 x 8, (a, b) = a.saturating_sub(b);
    i16x8_min_s: i16 x 8, (a, b) = a.min(b);
    i16x8_min_u: u16 x 8, (a, b) = a.min(b);
    i16x8_max_s: i16 x 8, (a, b) = a.max(b);
    i16x8_max_u: u16 x 8, (a, b) = a.max(b);
    i16x8_avgr_u: u16 x 8, (a, b) = ((u32::from(a) + u32::from(b) + 1) >> 1) as u16;

    i32x4_abs: i32 x 4, (a) = a.wrapping_abs();
    i32x4_neg: i32 x 4, (a) = a.wrapping_neg();
    i32x4_add: u32 x 4, (a, b) = a.wrapping_add(b);
    i32x4_sub: u32 x 4, (a, b) = a.wrapping_sub(b);
    i32x4_mul: u32 x 4, (a, b) = a.wrapping_mul(b);
    i32x4_min_s: i32 x 4, (a, b) = a.min(b);
    i32x4_min_u: u32 x 4, (a, b) = a.min(b);
    i32x4_max_s: i32 x 4, (a, b) = a.max(b);
    i32x4_max_u: u32 x 4, (a, b) = a.max(b);

    i64x2_abs: i64 x 2, (a) = a.wrapping_abs();
    i64x2_neg: i64 x 2, (a) = a.wrapping_neg();
    i64x2_add: u64 x 2, (a, b) = a.wrapping_add(b);
    i64x2_sub: u64 x 2, (a, b) = a.wrapping_sub(b);
    i64x2_mul: u64 x 2, (a, b) = a.wrapping_mul(b);

    i8x16_popcnt: u8 x 16, (a) = a.count_ones() as u8;
    i32x4_dot_i16x8_s: i32 x 4, (a, b) = {
        let low = i32::from(a as i16) * i32::from(b as i16);
        low.wrapping_add((a >> 16) * (b >> 16))
    };
    i16x8_q15mulr_sat_s: i16 x 8, (a, b) =
        ((i32::from(a) * i32::from(b) + 0x4000) >> 15).min(i32::from(i16::MAX)) as i16;
}

comparisons! {
    i8x16_eq: u8 x 16 of u8, (a, b) = a == b;
    i8x16_ne: u8 x 16 of u8, (a, b) = a != b;
    i8x16_lt_s: i8 x 16 of u8, (a, b) = a < b;
    i8x16_lt_u: u8 x 16 of u8, (a, b) = a < b;
    i8x16_gt_s: i8 x 16 of u8, (a, b) = a > b;
    i8x16_gt_u: u8 x 16 of u8, (a, b) = a > b;
    i8x16_le_s: i8 x 16 of u8, (a, b) = a <= b;
    i8x16_le_u: u8 x 16 of u8, (a, b) = a <= b;
    i8x16_ge_s: i8 x 16 of u8, (a, b) = a >= b;
    i8x16_ge_u: u8 x 16 of u8, (a, b) = a >= b;

    i16x8_eq: u16 x 8 of u16, (a, b) = a == b;
    i16x8_ne: u16 x 8 of u16, (a, b) = a != b;
    i16x8_lt_s: i16 x 8 of u16, (a, b) = a < b;
    i16x8_lt_u: u16 x 8 of u16, (a, b) = a < b;
    i16x8_gt_s: i16 x 8 of u16, (a, b) = a > b;
    i16x8_gt_u: u16 x 8 of u16, (a, b) = a > b;
    i16x8_le_s: i16 x 8 of u16, (a, b) = a <= b;
    i16x8_le_u: u16 x 8 of u16, (a, b) = a <= b;
    i16x8_ge_s: i16 x 8 of u16, (a, b) = a >= b;
    i16x8_ge_u: u16 x 8 of u16, (a, b) = a >= b;

    i32x4_eq: u32 x 4 of u32, (a, b) = a == b;
    i32x4_ne: u32 x 4 of u32, (a, b) = a != b;
    i32x4_lt_s: i32 x 4 of u32, (a, b) = a < b;
    i32x4_lt_u: u32 x 4 of u32, (a, b) = a < b;
    i32x4_gt_s: i32 x 4 of u32, (a, b) = a > b;
    i32x4_gt_u: u32 x 4 of u32, (a, b) = a > b;
    i32x4_le_s: i32 x 4 of u32, (a, b) = a <= b;
    i32x4_le_u: u32 x 4 of u32, (a, b) = a <= b;
    i32x4_ge_s: i32 x 4 of u32, (a, b) = a >= b;
    i32x4_ge_u: u32 x 4 of u32, (a, b) = a >= b;

    i64x2_eq: u64 x 2 of u64, (a, b) = a == b;
    i64x2_ne: u64 x 2 of u64, (a, b) = a != b;
    i64x2_lt_s: i64 x 2 of u64, (a, b) = a < b;
    i64x2_gt_s: i64 x 2 of u64, (a, b) = a > b;
    i64x2_le_s: i64 x 2 of u64, (a, b) = a <= b;
    i64x2_ge_s: i64 x 2 of u64, (a, b) = a >= b;
}

across! {
    i8x16_narrow_i16x8_s: i16 x 8 -> i8 x 16, (a, b) = |lane| {
        let lane = if lane < 8 { a[lane] } else { b[lane - 8] };
        lane.clamp(i16::from(i8::MIN), i16::from(i8::MAX)) as i8
    };
    i8x16_narrow_i16x8_u: i16 x 8 -> u8 x 16, (a, b) = |lane| {
        let lane = if lane < 8 { a[lane] } else { b[lane - 8] };
        lane.clamp(i16::from(u8::MIN), i16::from(u8::MAX)) as u8
    };
    i16x8_narrow_i32x4_s: i32 x 4 -> i16 x 8, (a, b) = |lane| {
        let lane = if lane < 4 { a[lane] } else { b[lane - 4] };
        lane.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    };
    i16x8_narrow_i32x4_u: i32 x 4 -> u16 x 8, (a, b) = |lane| {
        let lane = if lane < 4 { a[lane] } else { b[lane - 4] };
        lane.clamp(i32::from(u16::MIN), i32::from(u16::MAX)) as u16
    };

    i16x8_extend_low_i8x16_s: i8 x 16 -> i16 x 8, (a) = |lane| a[lane].into();
    i16x8_extend_low_i8x16_u: u8 x 16 -> u16 x 8, (a) = |lane| a[lane].into();
    i16x8_extend_high_i8x16_s: i8 x 16 -> i16 x 8, (a) = |lane| a[lane + 8].into();
    i16x8_extend_high_i8x16_u: u8 x 16 -> u16 x 8, (a) = |lane| a[lane + 8].into();
    i16x8_extmul_low_i8x16_s: i8 x 16 -> i16 x 8, (a, b) =
        |lane| i16::from(a[lane]) * i16::from(b[lane]);
    i16x8_extmul_low_i8x16_u: u8 x 16 -> u16 x 8, (a, b) =
        |lane| u16::from(a[lane]) * u16::from(b[lane]);
    i16x8_extmul_high_i8x16_s: i8 x 16 -> i16 x 8, (a, b) =
        |lane| i16::from(a[lane + 8]) * i16::from(b[lane + 8]);
    i16x8_extmul_high_i8x16_u: u8 x 16 -> u16 x 8, (a, b) =
        |lane| u16::from(a[lane + 8]) * u16::from(b[lane + 8]);
    i16x8_extadd_pairwise_i8x16_s: i8 x 16 -> i16 x 8, (a) =
        |lane| i16::from(a[2 * lane]) + i16::from(a[2 * lane + 1]);
    i16x8_extadd_pairwise_i8x16_u: u8 x 16 -> u16 x 8, (a) =
        |lane| u16::from(a[2 * lane]) + u16::from(a[2 * lane + 1]);

    i32x4_extend_low_i16x8_s: i16 x 8 -> i32 x 4, (a) = |lane| a[lane].into();
    i32x4_extend_low_i16x8_u: u16 x 8 -> u32 x 4, (a) = |lane| a[lane].into();
    i32x4_extend_high_i16x8_s: i16 x 8 -> i32 x 4, (a) = |lane| a[lane + 4].into();
    i32x4_extend_high_i16x8_u: u16 x 8 -> u32 x 4, (a) = |lane| a[lane + 4].into();
    i32x4_extmul_low_i16x8_s: i16 x 8 -> i32 x 4, (a, b) =
        |lane| i32::from(a[lane]) * i32::from(b[lane]);
    i32x4_extmul_low_i16x8_u: u16 x 8 -> u32 x 4, (a, b) =
        |lane| u32::from(a[lane]) * u32::from(b[lane]);
    i32x4_extmul_high_i16x8_s: i16 x 8 -> i32 x 4, (a, b) =
        |lane| i32::from(a[lane + 4]) * i32::from(b[lane + 4]);
    i32x4_extmul_high_i16x8_u: u16 x 8 -> u32 x 4, (a, b) =
        |lane| u32::from(a[lane + 4]) * u32::from(b[lane + 4]);
    i32x4_extadd_pairwise_i16x8_s: i16 x 8 -> i32 x 4, (a) =
        |lane| i32::from(a[2 * lane]) + i32::from(a[2 * lane + 1]);
    i32x4_extadd_pairwise_i16x8_u: u16 x 8 -> u32 x 4, (a) =
        |lane| u32::from(a[2 * lane]) + u32::from(a[2 * lane + 1]);

    i64x2_extend_low_i32x4_s: i32 x 4 -> i64 x 2, (a) = |lane| a[lane].into();
    i64x2_extend_low_i32x4_u: u32 x 4 -> u64 x 2, (a) = |lane| a[lane].into();
    i64x2_extend_high_i32x4_s: i32 x 4 -> i64 x 2, (a) = |lane| a[lane + 2].into();
    i64x2_extend_high_i32x4_u: u32 x 4 -> u64 x 2, (a) = |lane| a[lane + 2].into();
    i64x2_extmul_low_i32x4_s: i32 x 4 -> i64 x 2, (a, b) =
        |lane| i64::from(a[lane]) * i64::from(b[lane]);
    i64x2_extmul_low_i32x4_u: u32 x 4 -> u64 x 2, (a, b) =
        |lane| u64::from(a[lane]) * u64::from(b[lane]);
    i64x2_extmul_high_i32x4_s: i32 x 4 -> i64 x 2, (a, b) =
        |lane| i64::from(a[lane + 2]) * i64::from(b[lane + 2]);
    i64x2_extmul_high_i32x4_u: u32 x 4 -> u64 x 2, (a, b) =
        |lane| u64::from(a[lane + 2]) * u64::from(b[lane + 2]);
}

/// Shifts of every lane. A row is `name: lane type x lanes, method;`. The count is taken modulo the bits of a lane.
macro_rules! shifts {
    ($( $name:ident: $ty:ident x $count:literal, $method:ident; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: V128, count: u32) -> V128 {
            a.lanes::<[$ty; $count]>().map(|lane| lane.$method(count)).vector()
        }
    )* };
}

shifts! {
    i8x16_shl: u8 x 16, wrapping_shl;
    i8x16_shr_s: i8 x 16, wrapping_shr;
    i8x16_shr_u: u8 x 16, wrapping_shr;
    i16x8_shl: u16 x 8, wrapping_shl;
    i16x8_shr_s: i16 x 8, wrapping_shr;
    i16x8_shr_u: u16 x 8, wrapping_shr;
    i32x4_shl: u32 x 4, wrapping_shl;
    i32x4_shr_s: i32 x 4, wrapping_shr;
    i32x4_shr_u: u32 x 4, wrapping_shr;
    i64x2_shl: u64 x 2, wrapping_shl;
    i64x2_shr_s: i64 x 2, wrapping_shr;
    i64x2_shr_u: u64 x 2, wrapping_shr;
}

/// The operator `v128_any_true`.
#[inline(always)]
pub fn v128_any_true(a: V128) -> u32 {
    let [low, high] = a.to_slots();
    u32::from(low | high != 0)
}

/// Tests of all lanes. A row is `all_true, bitmask: lane type x lanes, factor;`.
macro_rules! tests {
    ($( $all_true:ident, $bitmask:ident: $ty:ident x $count:literal, $factor:literal; )*) => { $(
        #[doc = concat!("The operator `", stringify!($all_true), "`.")]
        #[inline(always)]
        pub fn $all_true(a: V128) -> u32 {
            u32::from(a.lanes::<[$ty; $count]>().iter().fold(true, |all, &lane| all & (lane != 0)))
        }

        #[doc = concat!("The operator `", stringify!($bitmask), "`.")]
        #[inline(always)]
        pub fn $bitmask(a: V128) -> u32 {
            // The sign bits of each slot are moved together by a product, in which they do not meet.
            let [low, high] = a.to_slots().map(|slot| {
                let signs = slot >> ($ty::BITS - 1) & (u64::MAX / (u64::MAX >> (64 - $ty::BITS)));
                signs.wrapping_mul($factor) >> (64 - $count / 2)
            });
            (low | high << ($count / 2)) as u32
        }
    )* };
}

tests! {
    i8x16_all_true, i8x16_bitmask: i8 x 16, 0x0102_0408_1020_4080;
    i16x8_all_true, i16x8_bitmask: i16 x 8, 0x1000_2000_4000_8000;
    i32x4_all_true, i32x4_bitmask: i32 x 4, 0x4000_0000_8000_0000;
    i64x2_all_true, i64x2_bitmask: i64 x 2, 0x8000_0000_0000_0000;
}
