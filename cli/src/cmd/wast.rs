//! `kinglet wast`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueHint;
use kinglet_spectest::{Skips, Source, Suite};

use super::compile::Ops;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::tier::Tier;

/// Run scripts of the WebAssembly test suite.
///
/// Prints each directive that does not do what it should, and in the last line how many did, did not, and were excused
/// by the skip list.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet wast testsuite/               # every .wast file below a folder
  kinglet wast --no-skips i32.wast simd/simd_const.wast

Exit codes: 0 if no directive failed, else 1.")]
pub(crate) struct Args {
    /// Excuse what this list names: `PATTERN[:LINES] REASON`, one per line; by default what this version is known not to pass.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_skips")]
    skips: Option<PathBuf>,

    /// Excuse nothing.
    #[arg(long)]
    no_skips: bool,

    /// Run in this tier. With `jit`, tell how many of the functions without vectors have been compiled.
    #[arg(long, value_name = "TIER", value_enum, default_value_t)]
    tier: Tier,

    /// Compile modules ahead of time, to these ops, and run the artifacts. Tells how many could be.
    #[arg(long, value_name = "OPS", value_enum)]
    artifacts: Option<Ops>,

    /// Scripts, and folders of them.
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let skips = match &args.skips {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::new(format!("cannot read `{}`: {error}", path.display()))
            })?;
            Skips::parse(&text)
                .map_err(|problem| Failure::new(format!("`{}`, {problem}", path.display())))?
        }
        None if args.no_skips => Skips::none(),
        None => Skips::known(),
    };
    let sources = Source::load(&args.paths).map_err(|error| Failure::new(error.to_string()))?;

    let mut suite = Suite::new(skips).strategy(args.tier.check()?.strategy());
    if let Some(ops) = args.artifacts {
        suite = suite.artifacts(ops.into());
    }
    let progress = Progress::bar(sources.len(), "running".to_owned());
    let mut written = Ok(());
    let summary = suite.run(&sources, |report| {
        progress.step();
        if written.is_ok() && !report.failures.is_empty() {
            written = progress.print(|| {
                let mut out = io::stdout().lock();
                report.failures.iter().try_for_each(|failure| writeln!(out, "{failure}"))
            });
        }
    });
    drop(progress);
    written?;

    let mut out = io::stdout().lock();
    for entry in &summary.needless {
        writeln!(out, "note: the skip list's `{entry}` is not needed: it passes")?;
    }
    let unmatched = &summary.unmatched;
    if args.skips.is_some() {
        for entry in unmatched {
            writeln!(out, "note: the skip list's `{entry}` fits nothing here")?;
        }
    } else if !unmatched.is_empty() && args.paths.iter().any(|path| path.is_dir()) {
        // Who runs single scripts or other suites does not expect all of our list to fit.
        let count = unmatched.len();
        writeln!(out, "note: {count} entries of the built-in skip list fit nothing here")?;
    }
    if args.tier == Tier::Jit {
        let compilable = summary.functions - summary.vectors;
        let share = 100.0 * summary.compiled as f64 / compilable.max(1) as f64;
        writeln!(
            out,
            "compiled {} of {compilable} functions without vectors ({share:.2} %), and none of {} with vectors",
            summary.compiled, summary.vectors
        )?;
    }
    if args.artifacts.is_some() {
        let (compiled, modules) = summary.artifacts;
        writeln!(out, "compiled {compiled} of {modules} modules ahead of time")?;
    }
    writeln!(out, "{summary}")?;
    Ok(i32::from(!summary.success()))
}
