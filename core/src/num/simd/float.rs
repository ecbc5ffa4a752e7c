//! Operators on lanes that are floats, and conversions.
//!
//! Where the scalar operators branch on what their operands are, these choose by masks, so that all lanes go one way.

use super::{Lanes, V128, across, comparisons, lanewise};
use crate::num;

/// `yes` where the condition holds, else `no`: floats chosen by their bits, without a branch.
macro_rules! choose {
    ($float:ident $bits:ident: $condition:expr, $yes:expr, $no:expr) => {{
        let mask: $bits = if $condition { !0 } else { 0 };
        $float::from_bits($yes.to_bits() & mask | $no.to_bits() & !mask)
    }};
}

/// Rounds `$x` to an integral value: `$adjust` corrects `$n`, the integral value nearest to `$x`. As for scalars, but without a branch.
macro_rules! round {
    ($float:ident $bits:ident $quiet:expr, $integral:expr, $x:ident, $n:ident => $adjust:expr) => {{
        let $n = (($x.abs() + $integral) - $integral).copysign($x);
        let small = $adjust.copysign($x);
        // From `$integral` on, floats have no fraction. NaNs become quiet ones.
        let quiet: $bits = if $x.is_nan() { $quiet } else { 0 };
        let large = $float::from_bits($x.to_bits() | quiet);
        choose!($float $bits: $x.abs() < $integral, small, large)
    }};
}

/// The operators of both widths. A row names them, in the order of the bodies.
macro_rules! floats {
    ($( $float:ident x $count:literal of $bits:ident, $quiet:expr, $integral:expr =>
        $abs:ident $neg:ident $sqrt:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident
        $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident $pmin:ident $pmax:ident
        $eq:ident $ne:ident $lt:ident $gt:ident $le:ident $ge:ident, $scalar_sqrt:ident; )*) => { $(
        lanewise! {
            $abs: $float x $count, (a) = a.abs();
            $neg: $float x $count, (a) = -a;
            $sqrt: $float x $count, (a) = num::$scalar_sqrt(a);
            $ceil: $float x $count, (a) = round!($float $bits $quiet, $integral, a, n => n + if n < a { 1.0 } else { 0.0 });
            $floor: $float x $count, (a) = round!($float $bits $quiet, $integral, a, n => n - if n > a { 1.0 } else { 0.0 });
            $trunc: $float x $count, (a) =
                round!($float $bits $quiet, $integral, a, n => n.abs() - if n.abs() > a.abs() { 1.0 } else { 0.0 });
            $nearest: $float x $count, (a) = round!($float $bits $quiet, $integral, a, n => n);
            $add: $float x $count, (a, b) = a + b;
            $sub: $float x $count, (a, b) = a - b;
            $mul: $float x $count, (a, b) = a * b;
            $div: $float x $count, (a, b) = a / b;
            $min: $float x $count, (a, b) = {
                // Equal floats differ at most in the sign of zero.
                let equal = $float::from_bits(a.to_bits() | b.to_bits());
                let ordered = choose!($float $bits: a < b, a, choose!($float $bits: a > b, b, equal));
                choose!($float $bits: a.is_nan() | b.is_nan(), a + b, ordered)
            };
            $max: $float x $count, (a, b) = {
                let equal = $float::from_bits(a.to_bits() & b.to_bits());
                let ordered = choose!($float $bits: a > b, a, choose!($float $bits: a < b, b, equal));
                choose!($float $bits: a.is_nan() | b.is_nan(), a + b, ordered)
            };
            $pmin: $float x $count, (a, b) = choose!($float $bits: b < a, b, a);
            $pmax: $float x $count, (a, b) = choose!($float $bits: a < b, b, a);
        }

        comparisons! {
            $eq: $float x $count of $bits, (a, b) = a == b;
            $ne: $float x $count of $bits, (a, b) = a != b;
            $lt: $float x $count of $bits, (a, b) = a < b;
            $gt: $float x $count of $bits, (a, b) = a > b;
            $le: $float x $count of $bits, (a, b) = a <= b;
            $ge: $float x $count of $bits, (a, b) = a >= b;
        }
    )* };
}

floats! {
    f32 x 4 of u32, 1 << 22, (1u32 << 23) as f32 =>
        f32x4_abs f32x4_neg f32x4_sqrt f32x4_ceil f32x4_floor f32x4_trunc f32x4_nearest
        f32x4_add f32x4_sub f32x4_mul f32x4_div f32x4_min f32x4_max f32x4_pmin f32x4_pmax
        f32x4_eq f32x4_ne f32x4_lt f32x4_gt f32x4_le f32x4_ge, f32_sqrt;
    f64 x 2 of u64, 1 << 51, (1u64 << 52) as f64 =>
        f64x2_abs f64x2_neg f64x2_sqrt f64x2_ceil f64x2_floor f64x2_trunc f64x2_nearest
        f64x2_add f64x2_sub f64x2_mul f64x2_div f64x2_min f64x2_max f64x2_pmin f64x2_pmax
        f64x2_eq f64x2_ne f64x2_lt f64x2_gt f64x2_le f64x2_ge, f64_sqrt;
}

lanewise! {
    i32x4_trunc_sat_f32x4_s: f32 x 4, (a) = a as i32;
    i32x4_trunc_sat_f32x4_u: f32 x 4, (a) = a as u32;
    f32x4_convert_i32x4_s: i32 x 4, (a) = a as f32;
    f32x4_convert_i32x4_u: u32 x 4, (a) = a as f32;
}

across! {
    i32x4_trunc_sat_f64x2_s_zero: f64 x 2 -> i32 x 4, (a) = |lane| if lane < 2 { a[lane] as i32 } else { 0 };
    i32x4_trunc_sat_f64x2_u_zero: f64 x 2 -> u32 x 4, (a) = |lane| if lane < 2 { a[lane] as u32 } else { 0 };
    f64x2_convert_low_i32x4_s: i32 x 4 -> f64 x 2, (a) = |lane| a[lane].into();
    f64x2_convert_low_i32x4_u: u32 x 4 -> f64 x 2, (a) = |lane| a[lane].into();
    f32x4_demote_f64x2_zero: f64 x 2 -> f32 x 4, (a) = |lane| if lane < 2 { a[lane] as f32 } else { 0.0 };
    f64x2_promote_low_f32x4: f32 x 4 -> f64 x 2, (a) = |lane| a[lane].into();
}
