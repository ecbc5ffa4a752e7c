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

#[cfg(test)]
mod tests {
    use super::*;
    use core::hint::black_box;

    #[test]
    fn products_are_rounded_before_they_are_added() {
        // Unfused, this is zero.
        let a = black_box([1.0 + f64::EPSILON, 3.0].vector());
        let c = [-(1.0 + 2.0 * f64::EPSILON), 4.0].vector();
        assert_eq!(f64x2_relaxed_madd(a, a, c).lanes::<[f64; 2]>(), [0.0, 13.0]);
        assert_eq!(f64x2_relaxed_nmadd(a, a, c).lanes::<[f64; 2]>()[1], -5.0);
        let a = black_box([1.0 + f32::EPSILON, 3.0, 0.0, -2.0].vector());
        let c = [-(1.0 + 2.0 * f32::EPSILON), 4.0, 1.0, 1.0].vector();
        assert_eq!(f32x4_relaxed_madd(a, a, c).lanes::<[f32; 4]>(), [0.0, 13.0, 1.0, 5.0]);
        assert_eq!(f32x4_relaxed_nmadd(a, a, c).lanes::<[f32; 4]>()[3], -3.0);
    }

    #[test]
    fn dot_products_are_signed_and_saturate() {
        let lowest = black_box([i8::MIN; 16].vector());
        let dot = i16x8_relaxed_dot_i8x16_i7x16_s(lowest, lowest);
        assert_eq!(dot.lanes::<[i16; 8]>(), [i16::MAX; 8]);
        let sum = i32x4_relaxed_dot_i8x16_i7x16_add_s(lowest, lowest, [1i32; 4].vector());
        assert_eq!(sum.lanes::<[i32; 4]>(), [2 * i32::from(i16::MAX) + 1; 4]);
    }
}
