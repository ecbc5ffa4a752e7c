//! Kinglet among its peers: how fast programs run, modules load and instances come to be, and what calls cost.
//!
//! Every measurement runs in a process of its own; engines take turns, so that what else the machine does hits all of
//! them; times are CPU times, of which the shortest counts. The results are printed as Markdown.

mod engines;
mod measure;
mod report;

use engines::ENGINES;
use measure::Task;
use std::{env, fs, path::PathBuf, process::ExitCode};

const USAGE: &str =
    "usage: cargo run --release --manifest-path benches/compare/Cargo.toml -- [OPTIONS] [FILE...]

  -n ROUNDS          how often everything is measured (default: 3)
  --tier TIER        interpreters or compilers (default: interpreters)
  --engines A,B,...  the engines, the base of ratios first (default: all of the tier that are built in)
  --only A,B,...     of: execute, load, instantiate, calls (default: all)
  FILE...            modules to load, instead of the guests of the tests

More engines: --features interpreters, --features compilers.";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args[..] {
        [first, rest @ ..] if first == "measure" => measure_one(rest),
        _ => options(args.into_iter()).and_then(|options| report::all(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
struct Options {
    rounds: usize,
    engines: Vec<&'static str>,
    only: Vec<String>,
    files: Vec<PathBuf>,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { rounds: 3, engines: Vec::new(), only: Vec::new(), files: Vec::new() };
    let mut compiled = false;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
        match &arg[..] {
            "-n" => options.rounds = value()?.parse().map_err(|error| format!("-n: {error}"))?,
            "--tier" => {
                compiled = match &value()?[..] {
                    "interpreters" => false,
                    "compilers" => true,
                    other => return Err(format!("no such tier: {other}")),
                }
            }
            "--engines" => {
                for name in value()?.split(',') {
                    let known = ENGINES.iter().find(|engine| engine.name == name);
                    options.engines.push(known.ok_or(format!("not built in: {name}"))?.name);
                }
            }
            "--only" => options.only = value()?.split(',').map(Into::into).collect(),
            _ if arg.starts_with('-') => return Err(USAGE.into()),
            _ => options.files.push(arg.into()),
        }
    }
    if options.engines.is_empty() {
        // What others are measured by, where it is there.
        let base = if compiled { "cranelift" } else { "wasmi" };
        let tier = ENGINES.iter().filter(|engine| engine.mode.is_compiled() == compiled);
        let (base, rest): (Vec<_>, Vec<_>) =
            tier.map(|engine| engine.name).partition(|&name| name == base);
        options.engines = [base, rest].concat();
    }
    Ok(options)
}

/// In a process of its own: measures one thing and prints the numbers.
fn measure_one(args: &[String]) -> Result<(), String> {
    let [engine, task, file, arg] = args else { return Err(USAGE.into()) };
    let engine = ENGINES.iter().find(|known| known.name == engine).ok_or("no such engine")?;
    let wasm = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let task = match &task[..] {
        "execute" => Task::Execute(wasm, arg.parse().map_err(|error| format!("{arg}: {error}"))?),
        "load" => Task::Load(wasm),
        "validate" => Task::Validate(wasm),
        "instantiate" => Task::Instantiate(wasm),
        "idle" => Task::Idle(wasm),
        "calls" => Task::Calls(wasm),
        _ => return Err(format!("no such task: {task}")),
    };
    let numbers = (engine.measure)(engine.mode, &task).unwrap_or_default();
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    Ok(())
}
