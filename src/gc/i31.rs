//! Small integers as references.

use core::fmt;

/// An integer of 31 bits, signed or not.
///
/// ```
/// use kinglet::I31;
///
/// assert_eq!(I31::new_i32(-1).unwrap().get_u32(), 0x7fff_ffff);
/// assert_eq!(I31::new_u32(u32::MAX), None);
/// assert_eq!(I31::wrapping_u32(u32::MAX).get_i32(), -1);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct I31(
    /// The low 31 bits.
    u32,
);

const MASK: u32 = u32::MAX >> 1;

impl I31 {
    /// The integer, if it has 31 bits at most.
    pub fn new_u32(value: u32) -> Option<I31> {
        (value <= MASK).then_some(I31(value))
    }

    /// The integer, if it has 31 bits at most, with its sign.
    pub fn new_i32(value: i32) -> Option<I31> {
        let small = I31::wrapping_i32(value);
        (small.get_i32() == value).then_some(small)
    }

    /// The low 31 bits of an integer.
    pub fn wrapping_u32(value: u32) -> I31 {
        I31(value & MASK)
    }

    /// The low 31 bits of an integer.
    pub fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value as u32)
    }

    /// The integer, without sign.
    pub fn get_u32(&self) -> u32 {
        self.0
    }

    /// The integer, with its sign.
    pub fn get_i32(&self) -> i32 {
        (self.0 << 1) as i32 >> 1
    }
}

impl fmt::Debug for I31 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("I31").field(&self.get_i32()).finish()
    }
}
