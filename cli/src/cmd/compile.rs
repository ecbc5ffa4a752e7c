//! `kinglet compile`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{ValueEnum, ValueHint};
use kinglet::{Config, Engine, OpSet};

use crate::failure::Failure;
use crate::input;
use crate::proposals::ProposalArgs;

/// Compile a module ahead of time.
///
/// What it becomes is an artifact: the interpreter's code, which is the same whatever computer makes it and runs on all of them, at
/// once and where it lies. The other commands take it as they take a module.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet compile hello.wasm                     # makes hello.kgl
  kinglet compile --ops small -o app.kgl app.wat # for a small device
  kinglet compile --metered hello.wasm && kinglet run --fuel 1000000 hello.kgl")]
pub(crate) struct Args {
    /// Where to write it, `-` for standard output; otherwise beside FILE, as `.kgl`.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<OsString>,

    /// Make code that --fuel and --timeout can stop.
    #[arg(long)]
    metered: bool,

    /// Which instructions the code may consist of.
    #[arg(long, value_name = "OPS", value_enum, default_value_t)]
    ops: Ops,

    #[command(flatten)]
    proposals: ProposalArgs,

    /// The module, binary or text; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: OsString,
}

/// Sets of instructions.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Ops {
    /// The fewest, for an interpreter that has to be small
    Small,
    /// Those that every other interpreter has
    #[default]
    Standard,
    /// All, which only an interpreter of this version with all of them has
    Fused,
}

impl From<Ops> for OpSet {
    fn from(ops: Ops) -> OpSet {
        match ops {
            Ops::Small => OpSet::Small,
            Ops::Standard => OpSet::Standard,
            Ops::Fused => OpSet::Fused,
        }
    }
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let output = match &args.output {
        Some(output) => output.clone(),
        None if args.file == "-" => return Err(Failure::usage("where to? Use --output")),
        None => PathBuf::from(&args.file).with_extension("kgl").into(),
    };
    let bytes = input::read(&args.file)?;
    let mut config = Config::new();
    config.artifact_ops(args.ops.into()).consume_fuel(args.metered);
    args.proposals.apply(&mut config);
    let artifact = Engine::new(&config)
        .and_then(|engine| engine.precompile_module(&bytes))
        .map_err(|error| Failure::new(format!("{}: {error:#}", input::name(&args.file))))?;
    if output == "-" {
        io::stdout().write_all(&artifact)?;
    } else {
        fs::write(&output, &artifact).map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", input::name(&output)))
        })?;
    }
    Ok(0)
}
