//! One round of choosing the fusion table: runs the programs of the corpus on an interpreter that counts pairs of ops, and
//! appends the most profitable pairs to `interp/fusion.txt`. `select.sh` builds and runs it as often as it takes.
//!
//! usage: kinglet-corpus PAIRS [WITHOUT-FOLD]

use kinglet::{Engine, Instance, Module, Store};
use std::{collections::BTreeMap, env, error::Error, fs, io::Write as _, path::Path};

/// Fused ops consist of at most so many.
const MAX_CHAIN: usize = 4;
/// Pairs that are less than this share of all ops of the corpus are not worth a handler.
const MIN_SHARE: f64 = 0.0002;
/// Ops that stop, call, or are too rare or too large to be worth fusing.
const NEVER_SECOND: [&str; 10] =
    ["call", "tail_call", "fuel", "br_fuel", "stop", "unreachable", "memory_", "table_", "zero", "save_pin"];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let wanted: usize = args.get(1).ok_or("usage: kinglet-corpus PAIRS [WITHOUT-FOLD]")?.parse()?;
    let without = args.get(2);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = root.join("../interp/fusion.txt");
    let known = fs::read_to_string(&table)?;

    // Share of all ops of a program, summed over programs, and in how many programs the pair occurs.
    let mut pairs: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    let mut programs = 0;
    for line in fs::read_to_string(root.join("programs.txt"))?.lines().filter(|l| !l.starts_with('#')) {
        let [name, wasm, argument, fold, result] = line.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        if without.is_some_and(|f| f == fold) {
            continue;
        }
        let (total, counted) = run(&root.join("built").join(wasm), argument.parse()?, result.parse()?)?;
        eprintln!("{name}: {total} ops");
        programs += 1;
        for pair in counted {
            if is_wanted(&pair.first, &pair.second) {
                let entry = pairs.entry(format!("{} ; {}", pair.first, pair.second)).or_default();
                entry.0 += pair.count as f64 / total as f64;
                entry.1 += 1;
            }
        }
    }
    let mut ranked: Vec<(String, f64)> = pairs
        .into_iter()
        .filter(|(pair, (share, _))| share / f64::from(programs) >= MIN_SHARE && !known.lines().any(|l| l == pair))
        // What helps many programs is more likely to help others.
        .map(|(pair, (share, count))| (pair, share * (1.0 + 0.3 * f64::from(count.min(8)))))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(wanted);
    let mut file = fs::OpenOptions::new().append(true).open(&table)?;
    for (pair, _) in &ranked {
        writeln!(file, "{pair}")?;
    }
    println!("added {} pairs", ranked.len());
    Ok(())
}

/// Runs a program: how many ops ran, and the pairs among them.
fn run(wasm: &Path, argument: i32, result: i32) -> Result<(u64, Vec<kinglet_interp::profile::Pair>), Box<dyn Error>> {
    let engine = Engine::default();
    let module = Module::new(&engine, fs::read(wasm)?)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
        initialize.call(&mut store, ())?;
    }
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    let got = run.call(&mut store, argument)?;
    if got != result {
        return Err(format!("{}: {got} instead of {result}", wasm.display()).into());
    }
    Ok(kinglet_interp::profile::take())
}

fn is_wanted(first: &str, second: &str) -> bool {
    first.split('+').count() < MAX_CHAIN && !NEVER_SECOND.iter().any(|never| second.starts_with(never))
}
