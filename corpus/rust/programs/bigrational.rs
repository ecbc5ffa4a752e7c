//! Long integers with num-bigint: Fermat tests, digits of e, continued fractions of a square root.

use corpus::{Rng, fold};
use num_bigint::BigUint;

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(77);
    let mut sum = 0;
    for round in 0..rounds as u32 {
        let candidate = BigUint::new((0..8).map(|_| rng.next()).collect()) | BigUint::from(1u32);
        let fermat = BigUint::from(3u32).modpow(&(&candidate - 1u32), &candidate);
        sum = fold(sum, &fermat.to_bytes_le());
        sum = fold(sum, digits_of_e(120 + round % 8).as_bytes());
        sum = fold(sum, &root(&(candidate + round)).to_bytes_be());
    }
    sum as i32
}

fn digits_of_e(digits: u32) -> String {
    let one = BigUint::from(10u32).pow(digits + 8);
    let (mut term, mut total, mut n) = (one.clone(), one, 0u32);
    while term > BigUint::ZERO {
        n += 1;
        term /= n;
        total += &term;
    }
    total.to_str_radix(10)
}

/// Newton's method.
fn root(n: &BigUint) -> BigUint {
    let mut x: BigUint = BigUint::from(1u32) << n.bits().div_ceil(2);
    loop {
        let next = (&x + n / &x) >> 1u32;
        if next >= x {
            return x;
        }
        x = next;
    }
}
