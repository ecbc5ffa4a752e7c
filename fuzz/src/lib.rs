//! Fuzzing: what is fed to the runtime and what must hold of it.
//!
//! A [`Target`] makes a module of arbitrary bytes and panics if something is wrong with what becomes of it. The same
//! targets are run by cargo-fuzz (`fuzz_targets/`, `cargo fuzz run --features libfuzzer differential`), by the program
//! of this crate from seeds, for as long as one likes (`cargo run --release -p kinglet-fuzz -- run differential`), and
//! by `cargo test` from the first seeds.

mod bodies;
mod generate;
mod observe;
mod oracle;
mod ours;
mod rng;

pub use bodies::{DECODE, DIFFERENTIAL, EXECUTE, LAZY, MUTATE, RESUME, Target};
pub use rng::Rng;
