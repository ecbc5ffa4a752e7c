//! The targets on a few inputs that are always the same.

use kinglet_fuzz::{ARTIFACT, DECODE, EXECUTE, LAZY, MUTATE, RESUME, Rng, TIERS, Target};

fn run(target: Target, count: u64) {
    for seed in 0..count {
        target.run(&Rng::input(seed));
    }
}

#[test]
fn decode() {
    run(DECODE, 1000);
}

#[test]
fn execute() {
    run(EXECUTE, 300);
}

#[cfg(feature = "oracle")]
#[test]
fn differential() {
    run(kinglet_fuzz::DIFFERENTIAL, 300);
}

#[test]
fn mutate() {
    run(MUTATE, 500);
}

#[test]
fn resume() {
    run(RESUME, 300);
}

#[test]
fn lazy() {
    run(LAZY, 300);
}

#[test]
fn tiers() {
    run(TIERS, 300);
}

#[test]
fn artifact() {
    run(ARTIFACT, 300);
}
