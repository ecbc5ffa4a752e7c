//! Operators on integers (spec, 4.3.2).

use crate::trap::Trap;

operators! { U:
    value i32_clz i64_clz (a) = a.leading_zeros() as U;
    value i32_ctz i64_ctz (a) = a.trailing_zeros() as U;
    value i32_popcnt i64_popcnt (a) = a.count_ones() as U;
    value i32_extend8_s i64_extend8_s (a) = a as i8 as U;
    value i32_extend16_s i64_extend16_s (a) = a as i16 as U;

    value i32_add i64_add (a, b) = a.wrapping_add(b);
    value i32_sub i64_sub (a, b) = a.wrapping_sub(b);
    value i32_mul i64_mul (a, b) = a.wrapping_mul(b);
    trap i32_div_s i64_div_s (a, b) = match b {
        0 => Err(Trap::IntegerDivisionByZero),
        _ => match (a as S).checked_div(b as S) {
            Some(quotient) => Ok(quotient as U),
            None => Err(Trap::IntegerOverflow),
        },
    };
    trap i32_div_u i64_div_u (a, b) = a.checked_div(b).ok_or(Trap::IntegerDivisionByZero);
    trap i32_rem_s i64_rem_s (a, b) = match b {
        0 => Err(Trap::IntegerDivisionByZero),
        _ => Ok((a as S).wrapping_rem(b as S) as U),
    };
    trap i32_rem_u i64_rem_u (a, b) = a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero);
    value i32_and i64_and (a, b) = a & b;
    value i32_or i64_or (a, b) = a | b;
    value i32_xor i64_xor (a, b) = a ^ b;
    value i32_shl i64_shl (a, b) = a.wrapping_shl(b as u32);
    value i32_shr_s i64_shr_s (a, b) = (a as S).wrapping_shr(b as u32) as U;
    value i32_shr_u i64_shr_u (a, b) = a.wrapping_shr(b as u32);
    value i32_rotl i64_rotl (a, b) = a.rotate_left(b as u32 % U::BITS);
    value i32_rotr i64_rotr (a, b) = a.rotate_right(b as u32 % U::BITS);

    test i32_eqz i64_eqz (a) = a == 0;
    test i32_eq i64_eq (a, b) = a == b;
    test i32_ne i64_ne (a, b) = a != b;
    test i32_lt_s i64_lt_s (a, b) = (a as S) < b as S;
    test i32_lt_u i64_lt_u (a, b) = a < b;
    test i32_gt_s i64_gt_s (a, b) = a as S > b as S;
    test i32_gt_u i64_gt_u (a, b) = a > b;
    test i32_le_s i64_le_s (a, b) = a as S <= b as S;
    test i32_le_u i64_le_u (a, b) = a <= b;
    test i32_ge_s i64_ge_s (a, b) = a as S >= b as S;
    test i32_ge_u i64_ge_u (a, b) = a >= b;
}

/// The operator `i64_extend32_s`.
#[inline(always)]
pub fn i64_extend32_s(a: u64) -> u64 {
    a as i32 as u64
}

/// The operator `i64_add128`, on numbers of two halves, the lower one first.
#[inline(always)]
pub fn i64_add128([a0, a1, b0, b1]: [u64; 4]) -> [u64; 2] {
    split(join(a0, a1).wrapping_add(join(b0, b1)))
}

/// The operator `i64_sub128`, on numbers of two halves, the lower one first.
#[inline(always)]
pub fn i64_sub128([a0, a1, b0, b1]: [u64; 4]) -> [u64; 2] {
    split(join(a0, a1).wrapping_sub(join(b0, b1)))
}

/// The operator `i64_mul_wide_s`; the lower half of the product comes first.
#[inline(always)]
pub fn i64_mul_wide_s([a, b]: [u64; 2]) -> [u64; 2] {
    split((i128::from(a as i64) * i128::from(b as i64)) as u128)
}

/// The operator `i64_mul_wide_u`; the lower half of the product comes first.
#[inline(always)]
pub fn i64_mul_wide_u([a, b]: [u64; 2]) -> [u64; 2] {
    split(u128::from(a) * u128::from(b))
}

#[inline(always)]
fn join(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[inline(always)]
fn split(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division() {
        assert_eq!(i32_div_s(7, -2i32 as u32), Ok(-3i32 as u32));
        assert_eq!(i32_rem_s(-7i32 as u32, 2), Ok(-1i32 as u32));
        assert_eq!(i32_div_u(u32::MAX, 2), Ok(i32::MAX as u32));
        assert_eq!(i64_rem_u(u64::MAX, 10), Ok(5));
        assert_eq!(i32_div_s(i32::MIN as u32, -1i32 as u32), Err(Trap::IntegerOverflow));
        assert_eq!(i64_div_s(i64::MIN as u64, -1i64 as u64), Err(Trap::IntegerOverflow));
        assert_eq!(i32_rem_s(i32::MIN as u32, -1i32 as u32), Ok(0));
        assert_eq!(i64_rem_s(i64::MIN as u64, -1i64 as u64), Ok(0));
        for op in [i32_div_s, i32_div_u, i32_rem_s, i32_rem_u] {
            assert_eq!(op(1, 0), Err(Trap::IntegerDivisionByZero));
        }
        for op in [i64_div_s, i64_div_u, i64_rem_s, i64_rem_u] {
            assert_eq!(op(1, 0), Err(Trap::IntegerDivisionByZero));
        }
    }

    #[test]
    fn shift_counts_wrap() {
        assert_eq!(i32_shl(1, 33), 2);
        assert_eq!(i32_shr_s(i32::MIN as u32, 63), u32::MAX);
        assert_eq!(i32_shr_u(i32::MIN as u32, 63), 1);
        assert_eq!(i32_rotl(0x8000_0001, 33), 3);
        assert_eq!(i32_rotr(1, 32), 1);
        assert_eq!(i64_shl(1, 65), 2);
        assert_eq!(i64_shr_s(i64::MIN as u64, 127), u64::MAX);
        assert_eq!(i64_shr_u(1 << 63, 64), 1 << 63);
        // Only the low bits of a 64-bit count matter.
        assert_eq!(i64_rotl(1 << 63, (1 << 32) + 1), 1);
        assert_eq!(i64_rotr(1, 1 << 32), 1);
    }

    #[test]
    fn bits() {
        assert_eq!((i32_clz(0), i32_ctz(0), i32_popcnt(u32::MAX)), (32, 32, 32));
        assert_eq!((i64_clz(1), i64_ctz(1 << 40), i64_popcnt(u64::MAX)), (63, 40, 64));
        assert_eq!((i32_extend8_s(0x180), i32_extend16_s(0x17fff)), (-128i32 as u32, 0x7fff));
        assert_eq!(i64_extend8_s(0xff), u64::MAX);
        assert_eq!(i64_extend16_s(0x8000), -32768i64 as u64);
        assert_eq!(i64_extend32_s(0x1_8000_0000), i64::from(i32::MIN) as u64);
    }

    #[test]
    fn wide() {
        const M: u64 = u64::MAX;
        assert_eq!(i64_add128([M, 0, 1, 0]), [0, 1]);
        assert_eq!(i64_add128([M, M, 2, 0]), [1, 0]);
        assert_eq!(i64_sub128([0, 1, 1, 0]), [M, 0]);
        assert_eq!(i64_sub128([0, 0, 1, 0]), [M, M]);
        assert_eq!(i64_mul_wide_u([M, M]), [1, M - 1]);
        assert_eq!(i64_mul_wide_s([M, M]), [1, 0]);
        assert_eq!(i64_mul_wide_s([1 << 63, 1 << 63]), [0, 1 << 62]);
        assert_eq!(i64_mul_wide_s([1 << 63, 1]), [1 << 63, M]);
    }

    #[test]
    fn comparisons() {
        let minus = -1i32 as u32;
        assert!(
            i32_lt_s(minus, 0) && i32_le_s(minus, 0) && i32_gt_u(minus, 0) && i32_ge_u(minus, 0)
        );
        assert!(
            !i32_gt_s(minus, 0)
                && !i32_ge_s(minus, 0)
                && !i32_lt_u(minus, 0)
                && !i32_le_u(minus, 0)
        );
        let minus = -1i64 as u64;
        assert!(
            i64_lt_s(minus, 0) && i64_le_s(minus, 0) && i64_gt_u(minus, 0) && i64_ge_u(minus, 0)
        );
        assert!(
            !i64_gt_s(minus, 0)
                && !i64_ge_s(minus, 0)
                && !i64_lt_u(minus, 0)
                && !i64_le_u(minus, 0)
        );
        assert!(i32_eqz(0) && !i64_eqz(1 << 32) && i32_eq(3, 3) && i64_ne(1 << 32, 0));
    }
}
