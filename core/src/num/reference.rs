//! Operators on references, which are handles: 0 is null, an odd managed one an integer of 31 bits.

use crate::trap::Trap;

/// The operator `ref.as_non_null`.
#[inline(always)]
pub fn ref_as_non_null(a: u64) -> Result<u64, Trap> {
    if a == 0 { Err(Trap::NullReference) } else { Ok(a) }
}

/// The operator `ref.i31`.
#[inline(always)]
pub fn ref_i31(a: u32) -> u64 {
    u64::from(a << 1 | 1)
}

/// The operator `i31.get_s`.
#[inline(always)]
pub fn i31_get_s(a: u64) -> Result<u32, Trap> {
    if a == 0 { Err(Trap::NullI31Reference) } else { Ok((a as i32 >> 1) as u32) }
}

/// The operator `i31.get_u`.
#[inline(always)]
pub fn i31_get_u(a: u64) -> Result<u32, Trap> {
    if a == 0 { Err(Trap::NullI31Reference) } else { Ok(a as u32 >> 1) }
}

/// The operator `ref.test (ref i31)`.
#[inline(always)]
pub fn ref_test_i31(a: u64) -> u32 {
    a as u32 & 1
}

/// The operator `ref.cast (ref i31)`.
#[inline(always)]
pub fn ref_cast_i31(a: u64) -> Result<u64, Trap> {
    if a & 1 == 1 { Ok(a) } else { Err(Trap::CastFailure) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_31_bits_keep_their_value() {
        for (value, signed, unsigned) in [
            (0, 0, 0),
            (7, 7, 7),
            (-1, -1, 0x7fff_ffff),
            (0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff),
            (0x4000_0000, -0x4000_0000, 0x4000_0000),
            (i32::MIN, 0, 0),
        ] {
            let reference = ref_i31(value as u32);
            assert_eq!(ref_test_i31(reference), 1);
            assert_eq!(ref_cast_i31(reference), Ok(reference));
            assert_eq!(i31_get_s(reference), Ok(signed as u32));
            assert_eq!(i31_get_u(reference), Ok(unsigned));
        }
        assert_eq!(i31_get_s(0), Err(Trap::NullI31Reference));
        assert_eq!(ref_test_i31(0), 0);
        assert_eq!(ref_cast_i31(4), Err(Trap::CastFailure));
    }
}
