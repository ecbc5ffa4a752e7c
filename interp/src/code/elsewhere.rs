//! What stands in the place of translation in builds without it. All their code comes from artifacts.

use super::Code;
use kinglet_core::{error::Error, index::FuncIdx, module::Module, runtime::trace::TraceFrame};

impl Code {
    /// There is no code that asks for it.
    pub(crate) fn translate(&self, _: &Module, _: FuncIdx) -> Result<(), Error> {
        Err(missing())
    }
}

fn missing() -> Error {
    Error::msg("this program cannot translate functions: that takes the feature `compile`")
}

/// Backtraces name functions, not what they stand at.
#[derive(Default)]
pub(crate) struct Points(());

impl Points {
    pub(crate) fn find(&mut self, _: &Code, _: &Module, _: TraceFrame) -> Option<usize> {
        None
    }
}
