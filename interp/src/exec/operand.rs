//! Where operands come from and results go: types that bodies are generic over.

use super::regs::{IN_REGISTERS, Regs};

/// A type of values that slots and registers hold.
pub(crate) trait Value: Copy + 'static {
    fn from_bits(bits: u64) -> Self;
    fn to_bits(self) -> u64;
    fn from_imm(imm: i32) -> Self;
    fn acc(r: &Regs) -> Self;
    fn set_acc(self, r: &mut Regs);
    fn pin(r: &Regs) -> Self;
    fn set_pin(self, r: &mut Regs);
}

macro_rules! value {
    ($ty:ident, $acc:ident: $acc_ty:ident, $pin:ident: $pin_ty:ident, |$bits:ident| $from:expr, |$v:ident| $to:expr, |$imm:ident| $from_imm:expr) => {
        impl Value for $ty {
            #[inline(always)]
            fn from_bits($bits: u64) -> $ty {
                $from
            }
            #[inline(always)]
            fn to_bits(self) -> u64 {
                let $v = self;
                $to
            }
            #[inline(always)]
            fn from_imm($imm: i32) -> $ty {
                $from_imm
            }
            #[inline(always)]
            fn acc(r: &Regs) -> $ty {
                r.$acc as $ty
            }
            #[inline(always)]
            fn set_acc(self, r: &mut Regs) {
                if IN_REGISTERS {
                    r.$acc = self as $acc_ty;
                }
            }
            #[inline(always)]
            fn pin(r: &Regs) -> $ty {
                r.$pin as $ty
            }
            #[inline(always)]
            fn set_pin(self, r: &mut Regs) {
                r.$pin = self as $pin_ty;
            }
        }
    };
}

value!(u32, acc: u64, pin: u64, |b| b as u32, |v| u64::from(v), |i| i as u32);
value!(u64, acc: u64, pin: u64, |b| b, |v| v, |i| i64::from(i) as u64);
// There is no pinned f32: no form with one exists.
value!(f32, acc_f32: f32, pin_f64: f64, |b| f32::from_bits(b as u32), |v| u64::from(v.to_bits()), |i| f32::from_bits(i as u32));
value!(f64, acc_f64: f64, pin_f64: f64, |b| f64::from_bits(b), |v| v.to_bits(), |i| f64::from(f32::from_bits(i as u32)));

/// Where an operand comes from.
pub(crate) trait Source: 'static {
    /// Bytes it takes in the code.
    const LEN: usize;
    /// The operand, if it stands `at` bytes behind the opcode.
    fn get<T: Value>(r: &Regs, at: usize) -> T;
}

/// Where a result goes.
pub(crate) trait Dest: 'static {
    /// Puts the result there; its slot stands in the first operand.
    fn set<T: Value>(value: T, r: &mut Regs);
}

/// Bytes of a slot number in the code.
pub(crate) const SLOT: usize = 2;

/// A slot of the frame; as a destination, the accumulator as well.
pub(crate) struct Slot;
/// The accumulator of the value's class.
pub(crate) struct Acc;
/// 32 bits in the code, widened with their sign; an `f64` as an `f32`.
pub(crate) struct Imm;
/// The pinned local of the value's class.
pub(crate) struct Pin;

impl Source for Slot {
    const LEN: usize = SLOT;
    #[inline(always)]
    fn get<T: Value>(r: &Regs, at: usize) -> T {
        r.get(r.read(at))
    }
}

impl Source for Acc {
    const LEN: usize = 0;
    #[inline(always)]
    fn get<T: Value>(r: &Regs, _: usize) -> T {
        T::acc(r)
    }
}

impl Source for Imm {
    const LEN: usize = 4;
    #[inline(always)]
    fn get<T: Value>(r: &Regs, at: usize) -> T {
        T::from_imm(r.read(at))
    }
}

impl Source for Pin {
    const LEN: usize = 0;
    #[inline(always)]
    fn get<T: Value>(r: &Regs, _: usize) -> T {
        T::pin(r)
    }
}

impl Dest for Slot {
    #[inline(always)]
    fn set<T: Value>(value: T, r: &mut Regs) {
        r.set(r.read(0), value.to_bits());
        value.set_acc(r);
    }
}

impl Dest for Acc {
    #[inline(always)]
    fn set<T: Value>(value: T, r: &mut Regs) {
        value.set_acc(r);
    }
}

impl Dest for Pin {
    #[inline(always)]
    fn set<T: Value>(value: T, r: &mut Regs) {
        value.set_pin(r);
    }
}
