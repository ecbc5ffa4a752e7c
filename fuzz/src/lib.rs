//! Fuzzing: what is fed to the runtime and what must hold of it.
//!
//! A [`Target`] makes a module of arbitrary bytes and panics if something is wrong with what becomes of it. The same
//! targets are run by cargo-fuzz (`fuzz_targets/`, `cargo fuzz run --features libfuzzer,oracle differential`), by the program
//! of this crate from seeds, for as long as one likes (`cargo run --release -p kinglet-fuzz --features oracle -- run differential`), and
//! by `cargo test` from the first seeds.
//!
//! The target `differential` compares with wasmtime, which takes minutes to build: it is there with the feature `oracle`.

mod bodies;
mod generate;
#[cfg_attr(not(feature = "oracle"), allow(dead_code, reason = "parts are for the comparison only"))]
mod observe;
#[cfg(feature = "oracle")]
mod oracle;
mod ours;
mod pressure;
mod rng;
mod values;

#[cfg(feature = "oracle")]
pub use bodies::DIFFERENTIAL;
pub use bodies::{ARTIFACT, DECODE, EXECUTE, LAZY, MUTATE, RESUME, TIERS, Target, executions};
pub use rng::Rng;
