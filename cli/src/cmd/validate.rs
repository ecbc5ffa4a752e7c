//! `kinglet validate`.

use std::ffi::OsString;

use crate::failure::Failure;
use crate::input;
use crate::proposals::ProposalArgs;
use clap::ValueHint;

/// Check that modules and artifacts are valid.
///
/// Says what is wrong with each that is not, and where; nothing about the others.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet validate a.wasm b.wat
  wasm-tool | kinglet validate -

Exit codes: 0 if all are valid, else 1.")]
pub(crate) struct Args {
    #[command(flatten)]
    proposals: ProposalArgs,

    /// Modules, binary or text, or artifacts; `-` is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<OsString>,
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let mut code = 0;
    for file in &args.files {
        if let Err(failure) = input::read(file).and_then(|bytes| {
            input::compile(&input::lazy_engine(&args.proposals, &bytes)?, file, &bytes)
        }) {
            code = failure.report();
        }
    }
    Ok(code)
}
