//! The subcommands.

pub(crate) mod compile;
pub(crate) mod inspect;
pub(crate) mod run;
pub(crate) mod validate;
pub(crate) mod wast;
