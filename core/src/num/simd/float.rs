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

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use core::hint::black_box;

    /// Interesting numbers of both widths, by their bits, and others in between.
    fn values() -> impl Iterator<Item = u64> {
        let interesting = [
            0,
            1,
            0x3fe0_0000_0000_0000,
            0x3fdf_ffff_ffff_ffff,
            0x3ff8_0000_0000_0000,
            0x4004_0000_0000_0000,
            0x4330_0000_0000_0000,
            0x432f_ffff_ffff_ffff,
            0x7fef_ffff_ffff_ffff,
            0x7ff0_0000_0000_0000,
            0x7ff4_0000_0000_0001,
            0x7ff8_0000_0000_0000,
            0x3f00_0000_3eff_ffff,
            0x4b00_0000_4aff_ffff,
            0x7f80_0000_7fa0_0001,
            0x4f00_0000_4f80_0000,
        ];
        let mut state = 1u64;
        let random = core::iter::repeat_with(move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ state >> 29
        });
        let both = interesting.into_iter().flat_map(|bits| [bits, bits ^ 1 << 63 ^ 1 << 31]);
        both.chain(random.take(20_000))
    }

    /// That both give the same, or a quiet NaN.
    macro_rules! agree {
        ($float:ident, $quiet:expr, $name:expr, $vector:expr, $scalar:expr) => {
            let (vector, scalar): ($float, $float) = ($vector, $scalar);
            if scalar.is_nan() {
                assert!(vector.is_nan() && vector.to_bits() & $quiet != 0, "{}", $name);
            } else {
                assert_eq!(vector.to_bits(), scalar.to_bits(), "{}: {vector}, not {scalar}", $name);
            }
        };
    }

    macro_rules! unary {
        ($( $float:ident x $count:literal, $quiet:expr => $($vector:ident $scalar:ident)*; )*) => { $( $(
            for bits in values() {
                let a = V128::from_slots(black_box([bits, bits.rotate_left(32)]));
                let results: [$float; $count] = $vector(a).lanes();
                for (a, result) in a.lanes::<[$float; $count]>().into_iter().zip(results) {
                    agree!($float, $quiet, stringify!($vector), result, num::$scalar(a));
                }
            }
        )* )* };
    }

    macro_rules! binary {
        ($( $float:ident x $count:literal, $quiet:expr => $($vector:ident $scalar:ident)*; )*) => { $( $(
            for (x, y) in values().zip(values().skip(3)).chain(values().zip(values())) {
                let [a, b] = [x, y].map(|bits| V128::from_slots(black_box([bits, bits.rotate_left(32)])));
                let results: [$float; $count] = $vector(a, b).lanes();
                let operands = a.lanes::<[$float; $count]>().into_iter().zip(b.lanes::<[$float; $count]>());
                for ((a, b), result) in operands.zip(results) {
                    agree!($float, $quiet, stringify!($vector), result, num::$scalar(a, b));
                }
            }
        )* )* };
    }

    #[test]
    fn lanes_are_what_scalars_are() {
        unary! {
            f32 x 4, 1 << 22 => f32x4_ceil f32_ceil f32x4_floor f32_floor f32x4_trunc f32_trunc
                f32x4_nearest f32_nearest f32x4_sqrt f32_sqrt;
            f64 x 2, 1 << 51 => f64x2_ceil f64_ceil f64x2_floor f64_floor f64x2_trunc f64_trunc
                f64x2_nearest f64_nearest f64x2_sqrt f64_sqrt;
        }
        binary! {
            f32 x 4, 1 << 22 => f32x4_min f32_min f32x4_max f32_max f32x4_add f32_add f32x4_div f32_div;
            f64 x 2, 1 << 51 => f64x2_min f64_min f64x2_max f64_max f64x2_mul f64_mul f64x2_sub f64_sub;
        }
    }

    #[test]
    fn signs_leave_payloads_alone() {
        let signalling =
            V128::from_slots(black_box([0x7ff4_0000_0000_0001, 0x7fa0_0001_ffa0_0001]));
        let flipped = V128::from_slots([0xfff4_0000_0000_0001, 0xffa0_0001_ffa0_0001]);
        assert_eq!(f64x2_neg(signalling), flipped);
        assert_eq!(f64x2_abs(flipped), signalling);
        assert_eq!(f32x4_abs(f32x4_neg(signalling)), f32x4_abs(signalling));
    }
}
