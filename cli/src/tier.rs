//! Which tier runs code.

use clap::ValueEnum;
use kinglet::{Config, Engine, Strategy};

use crate::failure::Failure;

/// How code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// In the interpreter
    #[default]
    Interp,
    /// As machine code
    Jit,
}

impl Tier {
    pub(crate) fn strategy(self) -> Strategy {
        match self {
            Tier::Interp => Strategy::Interpreter,
            Tier::Jit => Strategy::Jit,
        }
    }

    /// Fails if it cannot be had.
    pub(crate) fn check(self) -> Result<Tier, Failure> {
        match Engine::new(Config::new().strategy(self.strategy())) {
            Ok(_) => Ok(self),
            Err(error) => Err(Failure::new(format!("--tier jit: {error:#}"))),
        }
    }
}
