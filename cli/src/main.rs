//! `kinglet`, the command line of the Kinglet WebAssembly runtime.

#![forbid(unsafe_code)]

mod asm;
mod check;
mod cmd;
mod failure;
mod input;
mod listing;
mod progress;
mod proposals;
mod tier;
mod units;
mod values;
mod wasi;

use std::io::Write;
use std::process::exit;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;

/// Runs, checks, compiles and takes apart WebAssembly modules.
#[derive(Parser)]
#[command(name = "kinglet", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(cmd::run::Args),
    Wast(cmd::wast::Args),
    Validate(cmd::validate::Args),
    Inspect(cmd::inspect::Args),
    Compile(cmd::compile::Args),
    /// Print a script that completes this program's command line.
    #[command(
        after_help = "Examples:\n  kinglet completions bash > ~/.local/share/bash-completion/completions/kinglet\n  \
                            kinglet completions fish > ~/.config/fish/completions/kinglet.fish"
    )]
    Completions {
        /// The shell to write it for.
        shell: Shell,
    },
}

const EXIT_CODES: &str = "Examples:
  kinglet run hello.wasm
  kinglet run --invoke add math.wat 1 2
  kinglet inspect hello.wasm
  kinglet compile hello.wasm && kinglet run hello.kgl

Exit codes:
  0-255  whatever the guest exits with
  134    the guest trapped, also by running out of --fuel or --timeout
  1      something could not be done: no such file or import, an invalid module, a failed test
  2      the command line is wrong
  70     the tiers differ (run --check-tiers)";

fn main() {
    let outcome = match Cli::parse().command {
        Command::Run(args) => cmd::run::run(args),
        Command::Wast(args) => cmd::wast::run(args),
        Command::Validate(args) => cmd::validate::run(args),
        Command::Inspect(args) => cmd::inspect::run(args),
        Command::Compile(args) => cmd::compile::run(args),
        Command::Completions { shell } => completions(shell),
    };
    exit(outcome.unwrap_or_else(|failure| failure.report()))
}

fn completions(shell: Shell) -> Result<i32, Failure> {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kinglet", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
