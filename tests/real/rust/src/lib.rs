//! A library without a system (wasm32-unknown-unknown): functions over numbers, with the standard library's collections inside.

use std::collections::{BTreeMap, HashMap};

/// Ways to write `n` as a sum of positive integers.
#[unsafe(no_mangle)]
pub extern "C" fn partitions(n: u32) -> u64 {
    let mut ways = vec![0u64; n as usize + 1];
    ways[0] = 1;
    for part in 1..=n as usize {
        for sum in part..ways.len() {
            ways[sum] += ways[sum - part];
        }
    }
    ways[n as usize]
}

#[unsafe(no_mangle)]
pub extern "C" fn distance(x: f64, y: f64) -> f64 {
    x.hypot(y)
}

/// Counts the letters of formatted numbers in a hash map, sorts them in a tree and hashes the text that comes out.
#[unsafe(no_mangle)]
pub extern "C" fn digest(n: i32) -> i32 {
    let mut count: HashMap<char, u64> = HashMap::new();
    for i in 0..n {
        for c in format!("{i:#x} {:e} {:?}", f64::from(i) / 7.0, Some("é")).chars() {
            *count.entry(c).or_default() += 1;
        }
    }
    let sorted: BTreeMap<_, _> = count.into_iter().collect();
    let text: Vec<String> =
        sorted.iter().map(|(c, n)| format!("{}{n}", c.to_uppercase())).collect();
    text.concat().bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
        as i32
}
