//! Conversions between the number types (spec, 4.3.4).

use crate::trap::Trap;

/// Rows `name: operand => result = body;`.
macro_rules! conversions {
    ($( $name:ident: $from:ty => $to:ty = |$a:ident| $body:expr; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name($a: $from) -> $to {
            $body
        }
    )* };
}

conversions! {
    i32_wrap_i64: u64 => u32 = |a| a as u32;
    i64_extend_i32_s: u32 => u64 = |a| a as i32 as u64;
    i64_extend_i32_u: u32 => u64 = |a| a.into();

    i32_trunc_sat_f32_s: f32 => u32 = |a| a as i32 as u32;
    i32_trunc_sat_f32_u: f32 => u32 = |a| a as u32;
    i32_trunc_sat_f64_s: f64 => u32 = |a| a as i32 as u32;
    i32_trunc_sat_f64_u: f64 => u32 = |a| a as u32;
    i64_trunc_sat_f32_s: f32 => u64 = |a| a as i64 as u64;
    i64_trunc_sat_f32_u: f32 => u64 = |a| a as u64;
    i64_trunc_sat_f64_s: f64 => u64 = |a| a as i64 as u64;
    i64_trunc_sat_f64_u: f64 => u64 = |a| a as u64;

    f32_convert_i32_s: u32 => f32 = |a| a as i32 as f32;
    f32_convert_i32_u: u32 => f32 = |a| a as f32;
    f32_convert_i64_s: u64 => f32 = |a| a as i64 as f32;
    f32_convert_i64_u: u64 => f32 = |a| a as f32;
    f64_convert_i32_s: u32 => f64 = |a| (a as i32).into();
    f64_convert_i32_u: u32 => f64 = |a| a.into();
    f64_convert_i64_s: u64 => f64 = |a| a as i64 as f64;
    f64_convert_i64_u: u64 => f64 = |a| a as f64;
    f32_demote_f64: f64 => f32 = |a| a as f32;
    f64_promote_f32: f32 => f64 = |a| a.into();

    i32_reinterpret_f32: f32 => u32 = |a| a.to_bits();
    i64_reinterpret_f64: f64 => u64 = |a| a.to_bits();
    f32_reinterpret_i32: u32 => f32 = |a| f32::from_bits(a);
    f64_reinterpret_i64: u64 => f64 = |a| f64::from_bits(a);
}

/// Rows `name: operand => result = saturating, lower < operand < upper;`: a truncation that traps where the result does
/// not fit. The bounds are the floats next to the range, outside of it.
macro_rules! truncations {
    ($( $name:ident: $from:ty => $to:ty = $saturating:ident, $lower:literal, $upper:literal; )*) => { $(
        #[doc = concat!("The operator `", stringify!($name), "`.")]
        #[inline(always)]
        pub fn $name(a: $from) -> Result<$to, Trap> {
            if a > $lower && a < $upper {
                Ok($saturating(a))
            } else if a.is_nan() {
                Err(Trap::BadConversionToInteger)
            } else {
                Err(Trap::IntegerOverflow)
            }
        }
    )* };
}

truncations! {
    i32_trunc_f32_s: f32 => u32 = i32_trunc_sat_f32_s, -2147483904.0, 2147483648.0;
    i32_trunc_f32_u: f32 => u32 = i32_trunc_sat_f32_u, -1.0, 4294967296.0;
    i32_trunc_f64_s: f64 => u32 = i32_trunc_sat_f64_s, -2147483649.0, 2147483648.0;
    i32_trunc_f64_u: f64 => u32 = i32_trunc_sat_f64_u, -1.0, 4294967296.0;
    i64_trunc_f32_s: f32 => u64 = i64_trunc_sat_f32_s, -9223373136366403584.0, 9223372036854775808.0;
    i64_trunc_f32_u: f32 => u64 = i64_trunc_sat_f32_u, -1.0, 18446744073709551616.0;
    i64_trunc_f64_s: f64 => u64 = i64_trunc_sat_f64_s, -9223372036854777856.0, 9223372036854775808.0;
    i64_trunc_f64_u: f64 => u64 = i64_trunc_sat_f64_u, -1.0, 18446744073709551616.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The floats just outside of the range trap, those just inside give the limits.
    macro_rules! limits {
        ($( $name:ident: $float:ty, $int:ty, $lowest:expr, $highest:expr; )*) => {
            #[test]
            fn truncations_trap_exactly_outside_of_the_range() { $(
                let (lowest, highest): ($float, $float) = ($lowest, $highest);
                let low = lowest as $int;
                let high = highest as $int;
                assert_eq!($name(lowest), Ok(low as _), "{}", stringify!($name));
                assert_eq!($name(highest), Ok(high as _), "{}", stringify!($name));
                assert_eq!(low, <$int>::MIN);
                assert_eq!($name(lowest.next_down()), Err(Trap::IntegerOverflow));
                assert_eq!($name(highest.next_up()), Err(Trap::IntegerOverflow));
                assert_eq!($name(<$float>::INFINITY), Err(Trap::IntegerOverflow));
                assert_eq!($name(<$float>::NEG_INFINITY), Err(Trap::IntegerOverflow));
                assert_eq!($name(<$float>::NAN), Err(Trap::BadConversionToInteger));
                assert_eq!($name(-0.0), Ok(0));
                assert_eq!($name(7.9), Ok(7));
            )* }
        };
    }

    limits! {
        i32_trunc_f32_s: f32, i32, -2147483648.0, 2147483520.0;
        i32_trunc_f32_u: f32, u32, (-1.0f32).next_up(), 4294967040.0;
        i32_trunc_f64_s: f64, i32, (-2147483649.0f64).next_up(), 2147483648.0f64.next_down();
        i32_trunc_f64_u: f64, u32, (-1.0f64).next_up(), 4294967296.0f64.next_down();
        i64_trunc_f32_s: f32, i64, -9223372036854775808.0, 9223371487098961920.0;
        i64_trunc_f32_u: f32, u64, (-1.0f32).next_up(), 18446742974197923840.0;
        i64_trunc_f64_s: f64, i64, -9223372036854775808.0, 9223372036854774784.0;
        i64_trunc_f64_u: f64, u64, (-1.0f64).next_up(), 18446744073709549568.0;
    }

    #[test]
    fn saturation() {
        assert_eq!(i32_trunc_sat_f32_s(f32::NAN), 0);
        assert_eq!(i32_trunc_sat_f64_s(1e300), i32::MAX as u32);
        assert_eq!(i32_trunc_sat_f64_s(f64::NEG_INFINITY), i32::MIN as u32);
        assert_eq!(i32_trunc_sat_f64_u(-5.0), 0);
        assert_eq!(i64_trunc_sat_f32_u(f32::INFINITY), u64::MAX);
        assert_eq!(i64_trunc_sat_f64_s(-1.5), -1i64 as u64);
    }

    #[test]
    fn integers_to_floats_round_once() {
        assert_eq!(f32_convert_i64_u(0x0000_0080_0000_0001), 549755813888.0);
        assert_eq!(f32_convert_i64_u(0x8000_0080_0000_0001), 9223373136366403584.0);
        assert_eq!(f32_convert_i64_s(-1i64 as u64), -1.0);
        assert_eq!(f32_convert_i32_s(i32::MIN as u32), -2147483648.0);
        assert_eq!(f32_convert_i32_u(u32::MAX), 4294967296.0);
        assert_eq!(f64_convert_i32_s(-1i32 as u32), -1.0);
        assert_eq!(f64_convert_i32_u(u32::MAX), 4294967295.0);
        assert_eq!(f64_convert_i64_u(u64::MAX), 18446744073709551616.0);
        assert_eq!(f64_convert_i64_s(i64::MIN as u64), -9223372036854775808.0);
    }

    #[test]
    fn widths() {
        assert_eq!(i32_wrap_i64(0xffff_ffff_0000_0001), 1);
        assert_eq!(i64_extend_i32_s(0x8000_0000), 0xffff_ffff_8000_0000);
        assert_eq!(i64_extend_i32_u(0x8000_0000), 0x8000_0000);
        assert_eq!(f32_demote_f64(1e300), f32::INFINITY);
        assert_eq!(f64_promote_f32(-0.0).to_bits(), (-0.0f64).to_bits());
        let signalling = core::hint::black_box(f32::from_bits(0x7fa0_0000));
        assert_ne!(f64_promote_f32(signalling).to_bits() & 1 << 51, 0);
        assert_eq!(i32_reinterpret_f32(f32_reinterpret_i32(0x7fa0_0000)), 0x7fa0_0000);
        assert_eq!(
            i64_reinterpret_f64(f64_reinterpret_i64(0x7ff4_0000_0000_0000)),
            0x7ff4_0000_0000_0000
        );
    }
}
