//! The targets on a few inputs that are always the same.

use kinglet_fuzz::{DECODE, DIFFERENTIAL, EXECUTE, LAZY, MUTATE, RESUME, Rng, Target};

fn run(target: Target, count: u64) {
    for seed in 0..count {
        target.run(&Rng::input(seed));
    }
}

#[test]
fn decode() {
    run(DECODE, 3000);
}

#[test]
fn execute() {
    run(EXECUTE, 1000);
}

#[test]
fn differential() {
    run(DIFFERENTIAL, 1000);
}

#[test]
fn mutate() {
    run(MUTATE, 500);
}

#[test]
fn resume() {
    run(RESUME, 1000);
}

#[test]
fn lazy() {
    run(LAZY, 1000);
}
