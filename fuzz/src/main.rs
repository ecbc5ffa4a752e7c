//! Runs targets on inputs that it makes from seeds, without cargo-fuzz.

use kinglet_fuzz::{Rng, Target, executions};
use std::{env, fs, io::Write, panic, process::ExitCode, time::Instant};

const USAGE: &str = "usage:
  kinglet-fuzz run TARGET [FROM [COUNT]]  runs TARGET, or `all`, on COUNT seeds; goes on after failures, whose seeds it prints
  kinglet-fuzz make TARGET SEED           prints the module that TARGET makes from SEED
  kinglet-fuzz check TARGET FILE          runs TARGET on a module";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(|arg| &arg[..]).collect();
    let done = match args[..] {
        ["run", name] => run(name, 0, 10_000),
        ["run", name, from] => number(from).and_then(|from| run(name, from, 10_000)),
        ["run", name, from, count] => number(from).and_then(|from| run(name, from, number(count)?)),
        ["make", name, seed] => number(seed).and_then(|seed| make(name, seed)),
        ["check", name, file] => check(name, file),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn run(name: &str, from: u64, count: u64) -> Result<ExitCode, String> {
    let targets = if name == "all" { Target::ALL.to_vec() } else { vec![target(name)?] };
    let start = Instant::now();
    let mut failures = 0;
    for seed in from..from.saturating_add(count) {
        let input = Rng::input(seed);
        for target in &targets {
            if panic::catch_unwind(|| target.run(&input)).is_err() {
                failures += 1;
                eprintln!("{} fails with seed {seed}", target.name);
            }
        }
    }
    let executions = executions();
    println!(
        "{name}: {count} seeds, {executions} executions compared, {failures} failures, {:.0?}",
        start.elapsed()
    );
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn make(name: &str, seed: u64) -> Result<ExitCode, String> {
    let wasm = (target(name)?.make)(&Rng::input(seed)).ok_or("the seed gives too few bytes")?;
    std::io::stdout().write_all(&wasm).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn check(name: &str, file: &str) -> Result<ExitCode, String> {
    let wasm = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    (target(name)?.check)(&wasm);
    Ok(ExitCode::SUCCESS)
}

fn target(name: &str) -> Result<Target, String> {
    let found = Target::ALL.iter().find(|target| target.name == name);
    found.copied().ok_or_else(|| {
        let names = Target::ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
        format!("unknown target {name}; there are: all, {names}")
    })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
