//! Ops of the class `multi`.

use crate::{num, op::Op};

/// Does an op of the class `multi`.
///
/// # Panics
/// If it is of another class, or there are too few slots.
pub fn multi(op: Op, slots: &mut [u64]) {
    fn on<const N: usize, const M: usize>(
        compute: impl Fn([u64; N]) -> [u64; M],
        slots: &mut [u64],
    ) {
        let operands = core::array::from_fn(|i| slots[i]);
        slots[..M].copy_from_slice(&compute(operands));
    }
    match op {
        Op::I64Add128 => on(num::i64_add128, slots),
        Op::I64Sub128 => on(num::i64_sub128, slots),
        Op::I64MulWideS => on(num::i64_mul_wide_s, slots),
        Op::I64MulWideU => on(num::i64_mul_wide_u, slots),
        _ => unreachable!("an op that is not of the class `multi`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Class;

    #[test]
    fn all_of_the_class_are_there() {
        for &op in Op::ALL.iter().filter(|op| op.class() == Class::multi) {
            let mut slots = [u64::MAX, 0, 1, 0];
            multi(op, &mut slots);
        }
        let mut slots = [u64::MAX, 0, 1, 0];
        multi(Op::I64Add128, &mut slots);
        assert_eq!(slots[..2], [0, 1]);
    }
}
