//! Which ops follow each other, and how often: what `fusion.txt` is chosen by.
//!
//! The sink says where it could have fused two ops if there were a form for both; the loop of the dispatch counts how often
//! each op runs.

use crate::forms::NAMES;
use alloc::{string::String, vec::Vec};
use std::{
    collections::HashMap,
    string::ToString,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Two ops that follow each other.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Name of the first op's form.
    pub first: String,
    /// Name of the second op's form; of the one that writes the accumulator if it has a result.
    pub second: String,
    /// How often they ran.
    pub count: u64,
}

/// The profile of the module that was translated last.
#[derive(Default)]
struct Profile {
    /// By offset in the code, the pair whose second op is there.
    sites: HashMap<u32, (u16, u16)>,
    /// By half the offset in the code, how often the op there ran.
    counts: Vec<u64>,
}

static PROFILE: LazyLock<Mutex<Profile>> = LazyLock::new(Mutex::default);

fn lock() -> std::sync::MutexGuard<'static, Profile> {
    PROFILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins the profile of a module with `len` bytes of code: which ops could have been fused with the one before.
pub(crate) fn begin(len: usize, sites: HashMap<u32, (u16, u16)>) {
    *lock() = Profile { sites, counts: alloc::vec![0; len.div_ceil(2)] };
}

/// Takes the counts, to be given back with what was added.
pub(crate) fn take_counts() -> Vec<u64> {
    core::mem::take(&mut lock().counts)
}

/// Gives the counts back.
pub(crate) fn give_counts(counts: Vec<u64>) {
    lock().counts = counts;
}

/// Takes the counts so far: how many ops ran, and the pairs among them that could be fused.
pub fn take() -> (u64, Vec<Pair>) {
    let profile = core::mem::take(&mut *lock());
    let total = profile.counts.iter().sum();
    let mut pairs: HashMap<(u16, u16), u64> = HashMap::new();
    for (at, pair) in profile.sites {
        *pairs.entry(pair).or_default() += profile.counts[at as usize / 2];
    }
    let name = |opcode: u16| NAMES[usize::from(opcode)].to_string();
    let pairs = pairs.into_iter().map(|((first, second), count)| Pair {
        first: name(first),
        second: name(second),
        count,
    });
    (total, pairs.collect())
}
