//! All measurements, and their tables.

use crate::{
    Options,
    engines::{ENGINES, Mode},
};
use std::{
    env,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wasmparser::{Parser, Payload};

type Section = fn(&Options) -> Result<(), String>;

pub(crate) fn all(options: &Options) -> Result<(), String> {
    let sections: [(&str, Section); 4] =
        [("execute", execute), ("load", load), ("instantiate", instantiate), ("calls", calls)];
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|it| it == name);
    sections.iter().filter(|(name, _)| chosen(name)).try_for_each(|(_, section)| section(options))
}

/// Programs and what `run` is called with, for something like a tenth of a second in an interpreter.
const PROGRAMS: [(&str, i32); 9] = [
    ("fib", 32),
    ("hash", 1),
    ("indirect", 30),
    ("matmul", 10),
    ("nbody", 100_000),
    ("sha256", 20),
    ("sieve", 10),
    ("strings", 10),
    ("vm", 5000),
];

fn execute(options: &Options) -> Result<(), String> {
    let engines = engines(options, |mode| mode != Mode::Lazy);
    let mut rows = Vec::new();
    for (program, arg) in PROGRAMS {
        let file = workload(&format!("{program}.wasm"));
        let best = rounds(options, &engines, "execute", &file, &arg.to_string())?;
        let results: Vec<f64> = best.iter().filter_map(|numbers| numbers.get(1).copied()).collect();
        if results.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{program}: the results differ: {results:?}"));
        }
        rows.push((program, best));
    }
    let ratio = |best: &[Vec<f64>], i: usize| Some(best[i].first()? / best[0].first()?);
    println!("\n### Execution: CPU time, {} = 1.00\n", engines[0]);
    header("program", &engines);
    for (program, best) in &rows {
        row(program, (0..engines.len()).map(|i| number(ratio(best, i), 2)));
    }
    // Of what the engine runs.
    let mean = |i| {
        let logs: Vec<f64> =
            rows.iter().filter_map(|(_, best)| Some(ratio(best, i)?.ln())).collect();
        (logs.iter().sum::<f64>() / logs.len() as f64).exp()
    };
    row("**geometric mean**", (0..engines.len()).map(|i| number(Some(mean(i)), 2)));
    Ok(())
}

fn load(options: &Options) -> Result<(), String> {
    let validating = engines(options, |mode| mode == Mode::Eager);
    let compilers = engines(options, Mode::is_compiled);
    let engines = engines(options, |mode| mode != Mode::Fuel);
    println!("\n### Loading: MB of code per second of CPU time\n");
    let titles = validating.iter().map(|name| format!("{name}, validation alone"));
    let titles: Vec<String> = engines.iter().map(|name| name.to_string()).chain(titles).collect();
    header("module (KB of code)", &titles);
    let mut rows = Vec::new();
    for module in modules(options)? {
        let best = rounds(options, &engines, "load", &module.file, "")?;
        let alone = rounds(options, &validating, "validate", &module.file, "")?;
        let speed = |numbers: &Vec<f64>| Some(module.code * 1e3 / numbers.first()?);
        row(&module.title, best.iter().chain(&alone).map(|numbers| rounded(speed(numbers))));
        rows.push((module, best));
    }
    let sizes = |title: &str, i: usize, shown: &[&str]| {
        println!("\n### {title}, in bytes per byte of code\n");
        header("module (KB of code)", shown);
        for (module, best) in &rows {
            let shown = engines.iter().zip(best).filter(|(name, _)| shown.contains(name));
            let ratio = |numbers: &Vec<f64>| Some(numbers.get(i)? / module.code);
            row(&module.title, shown.map(|(_, numbers)| rounded(ratio(numbers))));
        }
    };
    sizes("Memory at the peak of loading", 1, &engines);
    if !compilers.is_empty() {
        sizes("Machine code", 2, &compilers);
    }
    Ok(())
}

fn instantiate(options: &Options) -> Result<(), String> {
    let engines = engines(options, |mode| !matches!(mode, Mode::Lazy | Mode::Fuel));
    let file = workload("small.wasm");
    let times = rounds(options, &engines, "instantiate", &file, "")?;
    let bytes = rounds(options, &engines, "idle", &file, "")?;
    println!("\n### Instances of a small module with a memory of one page\n");
    header("", &engines);
    row("creation and end, µs", times.iter().map(|ns| number(ns.first().map(|ns| ns / 1e3), 2)));
    row("bytes while idle", bytes.iter().map(|bytes| number(bytes.first().copied(), 0)));
    Ok(())
}

fn calls(options: &Options) -> Result<(), String> {
    let engines = engines(options, |mode| mode != Mode::Lazy);
    let times = rounds(options, &engines, "calls", &workload("call.wasm"), "")?;
    println!("\n### Calls, in nanoseconds\n");
    header("", &engines);
    let kinds = ["host → guest", "guest → host", "… with arguments", "guest → guest", "… indirect"];
    for (i, kind) in kinds.iter().enumerate() {
        row(kind, times.iter().map(|times| number(times.get(i).copied(), 1)));
    }
    Ok(())
}

/// The engines that take part, in these modes.
fn engines(options: &Options, takes: fn(Mode) -> bool) -> Vec<&'static str> {
    let takes_part =
        |name: &str| ENGINES.iter().any(|engine| engine.name == name && takes(engine.mode));
    options.engines.iter().copied().filter(|name| takes_part(name)).collect()
}

/// Measures with all engines in turn, several times; keeps the smallest of each number.
fn rounds(
    options: &Options,
    engines: &[&str],
    task: &str,
    file: &Path,
    arg: &str,
) -> Result<Vec<Vec<f64>>, String> {
    let mut best: Vec<Option<Vec<f64>>> = vec![None; engines.len()];
    for _ in 0..options.rounds {
        for (best, engine) in best.iter_mut().zip(engines) {
            match best {
                None => *best = Some(measure(engine, task, file, arg)?),
                // It cannot do that.
                Some(best) if best.is_empty() => {}
                Some(best) => {
                    let numbers = measure(engine, task, file, arg)?;
                    best.iter_mut().zip(numbers).for_each(|(best, new)| *best = best.min(new));
                }
            }
        }
    }
    Ok(best.into_iter().map(Option::unwrap_or_default).collect())
}

/// The numbers that a process of its own measures; none if the engine fails, which is said on standard error.
fn measure(engine: &str, task: &str, file: &Path, arg: &str) -> Result<Vec<f64>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["measure", engine, task]).arg(file).arg(arg).env("RUST_BACKTRACE", "0");
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let name = file.file_name().unwrap_or_default().display();
        eprintln!("{engine} fails at {task} {name}: {}", message.trim());
        return Ok(Vec::new());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.split_whitespace().map(|number| number.parse::<f64>());
    numbers.collect::<Result<_, _>>().map_err(|error| format!("{engine} {task}: {error}"))
}

/// What is loaded.
struct Module {
    file: PathBuf,
    title: String,
    /// The size of its code section, in bytes.
    code: f64,
}

fn modules(options: &Options) -> Result<Vec<Module>, String> {
    let names = ["files", "libc", "lisp", "rust-command", "rust-library"];
    let guests = names.map(|name| repository(&format!("tests/guests/{name}.wasm")));
    let files = if options.files.is_empty() { &guests[..] } else { &options.files };
    let module = |file: &PathBuf| {
        let problem = |error: &dyn Display| format!("{}: {error}", file.display());
        let wasm = fs::read(file).map_err(|error| problem(&error))?;
        let code = f64::from(code_size(&wasm).map_err(|error| problem(&error))?);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Module { file: file.clone(), title: format!("{name} ({:.0})", code / 1e3), code })
    };
    files.iter().map(module).collect()
}

/// How many bytes of a module are its code section.
fn code_size(wasm: &[u8]) -> wasmparser::Result<u32> {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionStart { size, .. } = payload? {
            return Ok(size);
        }
    }
    Ok(0)
}

fn workload(file: &str) -> PathBuf {
    repository("benches/workloads").join(file)
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn header(first: &str, titles: &[impl AsRef<str>]) {
    row(first, titles.iter().map(|title| title.as_ref().to_string()));
    println!("|---|{}", "--:|".repeat(titles.len()));
}

fn row(first: &str, cells: impl Iterator<Item = String>) {
    println!("| {first} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn number(number: Option<f64>, digits: usize) -> String {
    number.map_or("–".into(), |number| format!("{number:.digits$}"))
}

/// To about three digits.
fn rounded(ratio: Option<f64>) -> String {
    number(ratio, if ratio < Some(10.0) { 2 } else { 1 })
}
