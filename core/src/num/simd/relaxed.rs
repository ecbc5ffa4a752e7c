//! The relaxed operators (spec, 4.3.6) that are no others under another name.
//!
//! Of the results that the specification allows, these are the ones of its deterministic profile (spec, A.4.3), on every target: products
//! are rounded before they are added, and dot products take all their operands as signed and saturate.

use super::{Lanes, V128, across, i32x4_add, i32x4_extadd_pairwise_i16x8_s, lanewise};

lanewise! {
    f32x4_relaxed_madd: f32 x 4, (a, b, c) = a * b + c;
    f32x4_relaxed_nmadd: f32 x 4, (a, b, c) = -a * b + c;
    f64x2_relaxed_madd: f64 x 2, (a, b, c) = a * b + c;
    f64x2_relaxed_nmadd: f64 x 2, (a, b, c) = -a * b + c;
}

across! {
    i16x8_relaxed_dot_i8x16_i7x16_s: i8 x 16 -> i16 x 8, (a, b) = |lane| {
        let product = |i: usize| i16::from(a[i]) * i16::from(b[i]);
        product(2 * lane).saturating_add(product(2 * lane + 1))
    };
}

/// The operator `i32x4_relaxed_dot_i8x16_i7x16_add_s`.
#[inline(always)]
pub fn i32x4_relaxed_dot_i8x16_i7x16_add_s(a: V128, b: V128, c: V128) -> V128 {
    i32x4_add(i32x4_extadd_pairwise_i16x8_s(i16x8_relaxed_dot_i8x16_i7x16_s(a, b)), c)
}
