//! Operators on floats (spec, 4.3.3).

/// Rounds `$x` to an integral value: `$adjust` corrects `$n`, the integral value nearest to `$x`.
///
/// Adding and subtracting `INTEGRAL` makes the adder round, to nearest and ties to even, without a detour through
/// integers. The result has the sign of `$x`, also where it is zero.
macro_rules! round {
    ($x:ident, $n:ident => $adjust:expr) => {
        if $x.abs() < INTEGRAL {
            let $n = (($x.abs() + INTEGRAL) - INTEGRAL).copysign($x);
            $adjust.copysign($x)
        } else {
            // By its bits, because the optimizer takes `$x + 0.0` and `$x * 1.0` for `$x`.
            F::from_bits($x.to_bits() | if $x.is_nan() { QUIET } else { 0 })
        }
    };
}

operators! { F:
    value f32_abs f64_abs (a) = a.abs();
    value f32_neg f64_neg (a) = -a;
    value f32_copysign f64_copysign (a, b) = a.copysign(b);

    value f32_ceil f64_ceil (a) = round!(a, n => if n < a { n + 1.0 } else { n });
    value f32_floor f64_floor (a) = round!(a, n => if n > a { n - 1.0 } else { n });
    value f32_trunc f64_trunc (a) = round!(a, n => if n.abs() > a.abs() { n.abs() - 1.0 } else { n });
    value f32_nearest f64_nearest (a) = round!(a, n => n);

    value f32_add f64_add (a, b) = a + b;
    value f32_sub f64_sub (a, b) = a - b;
    value f32_mul f64_mul (a, b) = a * b;
    value f32_div f64_div (a, b) = a / b;
    value f32_min f64_min (a, b) =
        if a < b {
            a
        } else if a > b {
            b
        } else if a == b {
            // Equal floats differ at most in the sign of zero.
            F::from_bits(a.to_bits() | b.to_bits())
        } else {
            a + b
        };
    value f32_max f64_max (a, b) =
        if a > b {
            a
        } else if a < b {
            b
        } else if a == b {
            F::from_bits(a.to_bits() & b.to_bits())
        } else {
            a + b
        };

    test f32_eq f64_eq (a, b) = a == b;
    test f32_ne f64_ne (a, b) = a != b;
    test f32_lt f64_lt (a, b) = a < b;
    test f32_gt f64_gt (a, b) = a > b;
    test f32_le f64_le (a, b) = a <= b;
    test f32_ge f64_ge (a, b) = a >= b;
}

/// The operator `f32_sqrt`.
#[inline(always)]
pub fn f32_sqrt(a: f32) -> f32 {
    #[cfg(feature = "std")]
    return a.sqrt();
    #[cfg(not(feature = "std"))]
    return libm::sqrtf(a);
}

/// The operator `f64_sqrt`.
#[inline(always)]
pub fn f64_sqrt(a: f64) -> f64 {
    #[cfg(feature = "std")]
    return a.sqrt();
    #[cfg(not(feature = "std"))]
    return libm::sqrt(a);
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::hint::black_box;

    const SIGNALLING32: u32 = 0x7fa0_0001;
    const SIGNALLING64: u64 = 0x7ff4_0000_0000_0001;

    /// Interesting values, their neighbours, and a million random ones.
    fn values64() -> Vec<f64> {
        let mut values = Vec::new();
        for x in [
            0.0,
            0.5,
            1.0,
            1.5,
            2.5,
            3.5,
            0.49999999999999994,
            1e15,
            1e300,
            f64::MIN_POSITIVE,
            f64::MAX,
        ] {
            values.push(x);
        }
        values.extend((0..64).map(|e| (1u64 << e) as f64));
        values.extend((0..64).map(|e| (1u64 << e) as f64 + 0.5));
        let mut near: Vec<f64> = values.iter().flat_map(|x| [x.next_up(), x.next_down()]).collect();
        values.append(&mut near);
        values.extend([f64::INFINITY, f64::NAN, f64::from_bits(SIGNALLING64), f64::from_bits(1)]);
        let mut state = 1u64;
        values.extend((0..1_000_000).map(|i| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let bits = state ^ state >> 29;
            // Half of them with an exponent where rounding has something to do.
            f64::from_bits(if i % 2 == 0 { bits } else { bits >> 12 | (1018 + bits % 60) << 52 })
        }));
        values.iter().flat_map(|&x| [x, -x]).collect()
    }

    fn same64(name: &str, x: f64, ours: f64, theirs: f64) {
        if theirs.is_nan() {
            assert!(
                ours.is_nan() && ours.to_bits() & 1 << 51 != 0,
                "{name} {x} {:#x}",
                ours.to_bits()
            );
        } else {
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{name} {x:e}: {ours:e}, not {theirs:e}");
        }
    }

    fn same32(name: &str, x: f32, ours: f32, theirs: f32) {
        if theirs.is_nan() {
            assert!(
                ours.is_nan() && ours.to_bits() & 1 << 22 != 0,
                "{name} {x} {:#x}",
                ours.to_bits()
            );
        } else {
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{name} {x:e}: {ours:e}, not {theirs:e}");
        }
    }

    #[test]
    fn rounding_64() {
        for x in values64() {
            let x = black_box(x);
            same64("ceil", x, f64_ceil(x), x.ceil());
            same64("floor", x, f64_floor(x), x.floor());
            same64("trunc", x, f64_trunc(x), x.trunc());
            same64("nearest", x, f64_nearest(x), x.round_ties_even());
            same64("sqrt", x, f64_sqrt(x), x.sqrt());
        }
    }

    #[test]
    fn rounding_32() {
        let signalling = [SIGNALLING32, SIGNALLING32 | 1 << 31].map(f32::from_bits);
        let grid = (0..=u32::MAX).step_by(4099).map(f32::from_bits);
        let narrowed = values64().into_iter().map(|x| x as f32);
        for x in narrowed.chain(signalling).chain(grid) {
            let x = black_box(x);
            same32("ceil", x, f32_ceil(x), x.ceil());
            same32("floor", x, f32_floor(x), x.floor());
            same32("trunc", x, f32_trunc(x), x.trunc());
            same32("nearest", x, f32_nearest(x), x.round_ties_even());
            same32("sqrt", x, f32_sqrt(x), x.sqrt());
        }
    }

    #[test]
    fn min_and_max() {
        let (inf, nan) = (f64::INFINITY, f64::from_bits(SIGNALLING64));
        for (a, b, min, max) in [
            (1.0, 2.0, 1.0, 2.0),
            (-0.0, 0.0, -0.0, 0.0),
            (-1.0, -1.0, -1.0, -1.0),
            (inf, -inf, -inf, inf),
            (inf, 3.0, 3.0, inf),
            (nan, 1.0, nan, nan),
            (nan, inf, nan, nan),
            (nan, nan, nan, nan),
        ] {
            for (a, b) in [(black_box(a), black_box(b)), (black_box(b), black_box(a))] {
                same64("min", a, f64_min(a, b), min);
                same64("max", a, f64_max(a, b), max);
                let (a, b) = (black_box(a as f32), black_box(b as f32));
                same32("min", a, f32_min(a, b), min as f32);
                same32("max", a, f32_max(a, b), max as f32);
            }
        }
    }

    #[test]
    fn signs_leave_payloads_alone() {
        let (nan32, nan64) = (f32::from_bits(SIGNALLING32), f64::from_bits(SIGNALLING64));
        let (minus32, minus64) = (SIGNALLING32 | 1 << 31, SIGNALLING64 | 1 << 63);
        assert_eq!(f32_neg(nan32).to_bits(), minus32);
        assert_eq!(f64_neg(nan64).to_bits(), minus64);
        assert_eq!(f32_abs(f32::from_bits(minus32)).to_bits(), SIGNALLING32);
        assert_eq!(f64_abs(f64::from_bits(minus64)).to_bits(), SIGNALLING64);
        assert_eq!(f32_copysign(nan32, -0.0).to_bits(), minus32);
        assert_eq!(f64_copysign(nan64, -0.0).to_bits(), minus64);
        assert_eq!(f64_copysign(-2.0, nan64), 2.0);
    }

    #[test]
    fn arithmetic_quietens() {
        let nan = black_box(f64::from_bits(SIGNALLING64));
        let x = black_box(1.0);
        for result in [f64_add(nan, x), f64_sub(x, nan), f64_mul(nan, x), f64_div(x, nan)] {
            same64("arithmetic", nan, result, f64::NAN);
        }
        assert!(!f64_eq(nan, nan) && f64_ne(nan, nan));
        assert!(!f64_lt(nan, x) && !f64_gt(nan, x) && !f64_le(nan, nan) && !f64_ge(nan, nan));
    }
}
