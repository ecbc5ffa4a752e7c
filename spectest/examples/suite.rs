//! Runs scripts as `kinglet wast` does, in the interpreter: a program that needs no more than files, and can be a guest itself.

use std::{env, io, path::PathBuf, process::ExitCode};

use kinglet_spectest::{Skips, Source, Suite};

fn main() -> io::Result<ExitCode> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let summary = Suite::new(Skips::known()).run(&Source::load(&paths)?, |report| {
        report.failures.iter().for_each(|failure| println!("{failure}"));
    });
    println!("{summary}");
    Ok(if summary.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
