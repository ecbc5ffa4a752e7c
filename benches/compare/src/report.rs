//! All measurements, and their tables.

use crate::{
    Options,
    engines::{ENGINES, Mode},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn all(options: &Options) -> Result<(), String> {
    let sections: [(&str, fn(&Options) -> Result<(), String>); 4] =
        [("execute", execute), ("load", load), ("instantiate", instantiate), ("calls", calls)];
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|it| it == name);
    sections.iter().filter(|(name, _)| chosen(name)).try_for_each(|(_, section)| section(options))
}

/// Programs and what `run` is called with, for something like a tenth of a second.
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
    let engines = engines(options, &[Mode::Eager, Mode::Fuel]);
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
    let validating = engines(options, &[Mode::Eager]);
    let engines = engines(options, &[Mode::Eager, Mode::Lazy]);
    let names = ["files", "libc", "lisp", "rust-command", "rust-library"];
    let guests = names.map(|name| repository(&format!("tests/guests/{name}.wasm")));
    let files = if options.files.is_empty() { &guests[..] } else { &options.files };
    println!("\n### Loading: MB of code per second of CPU time\n");
    let titles = validating.iter().map(|name| format!("{name}, validation alone"));
    let titles: Vec<String> = engines.iter().map(|name| name.to_string()).chain(titles).collect();
    header("module (KB of code)", &titles);
    for file in files {
        let wasm = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let code = code_size(&wasm).ok_or(format!("{}: not a module", file.display()))? as f64;
        let mut best = rounds(options, &engines, "load", file, "")?;
        best.extend(rounds(options, &validating, "validate", file, "")?);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let speeds = best.iter().map(|times| number(times.first().map(|ns| code * 1e3 / ns), 1));
        row(&format!("{name} ({:.0})", code / 1e3), speeds);
    }
    Ok(())
}

fn instantiate(options: &Options) -> Result<(), String> {
    let engines = engines(options, &[Mode::Eager]);
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
    let engines = engines(options, &[Mode::Eager, Mode::Fuel]);
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
fn engines(options: &Options, modes: &[Mode]) -> Vec<&'static str> {
    let takes_part = |name: &str| {
        ENGINES.iter().any(|engine| engine.name == name && modes.contains(&engine.mode))
    };
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

/// How many bytes of a module are its code section.
fn code_size(wasm: &[u8]) -> Option<usize> {
    let mut rest = wasm.get(8..)?;
    while let Some((id, mut after)) = rest.split_first() {
        let (mut len, mut shift) = (0, 0);
        loop {
            let (byte, next) = after.split_first()?;
            len |= usize::from(byte & 0x7f).checked_shl(shift)?;
            (after, shift) = (next, shift + 7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        if *id == 10 {
            return Some(len);
        }
        rest = after.get(len..)?;
    }
    Some(0)
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
