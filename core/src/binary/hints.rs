//! The custom section `metadata.code.branch_hint`.

use super::error;
use crate::{
    error::Error,
    module::{BranchHint, Module},
};
use alloc::{boxed::Box, vec::Vec};
use wasmparser::{BinaryReader, BranchHintSectionReader, CustomSectionReader};

const NAME: &str = "metadata.code.branch_hint";

/// The hints of a module: first as the section has them, then those of the functions seen so far, checked.
#[derive(Default)]
pub(super) struct Hints {
    /// Whether there has been a section.
    seen: bool,
    /// Hints of functions that are to come, in reverse order.
    waiting: Vec<Waiting>,
    checked: Vec<BranchHint>,
}

/// A hint whose function has not been seen.
struct Waiting {
    func: u32,
    /// Counted from the beginning of the function's body.
    at: u32,
    taken: bool,
    /// Where the hint itself stands in the binary.
    offset: u64,
}

impl Hints {
    /// Reads a custom section, if it is the one with hints.
    pub(super) fn section(
        &mut self,
        section: &CustomSectionReader<'_>,
        module: &Module,
    ) -> Result<(), Error> {
        if section.name() != NAME {
            return Ok(());
        }
        let start = section.data_offset();
        if core::mem::replace(&mut self.seen, true) {
            return Err(invalid("a second section", start));
        }
        let funcs = BinaryReader::new(section.data(), start);
        let funcs = BranchHintSectionReader::new(funcs).map_err(error)?;
        let defined = module.imported_funcs..module.funcs.len() as u32;
        let mut last = None;
        for func in funcs {
            let func = func.map_err(error)?;
            let start = func.hints.range().start;
            if !defined.contains(&func.func) {
                return Err(invalid("no such function", start));
            }
            if last.replace(func.func).is_some_and(|last| last >= func.func) {
                return Err(invalid("functions out of order", start));
            }
            let mut last = None;
            for hint in func.hints.into_iter_with_offsets() {
                let (offset, hint) = hint.map_err(error)?;
                if last.replace(hint.func_offset).is_some_and(|last| last >= hint.func_offset) {
                    return Err(invalid("hints out of order", offset));
                }
                let (at, taken) = (hint.func_offset, hint.taken);
                self.waiting.push(Waiting { func: func.func, at, taken, offset });
            }
        }
        self.waiting.reverse();
        Ok(())
    }

    /// Whether there are hints of function `func`.
    pub(super) fn has(&self, func: u32) -> bool {
        self.waiting.last().is_some_and(|hint| hint.func == func)
    }

    /// Checks that the hints of function `func`, whose body begins at `start`, belong to operators that may have one, which are at these
    /// offsets.
    pub(super) fn check(&mut self, func: u32, start: u64, branches: &[u64]) -> Result<(), Error> {
        while let Some(hint) = self.waiting.pop_if(|hint| hint.func == func) {
            let target = start + u64::from(hint.at);
            if branches.binary_search(&target).is_err() {
                return Err(invalid("invalid target", hint.offset));
            }
            self.checked.push(BranchHint { offset: target as u32, taken: hint.taken });
        }
        Ok(())
    }

    /// The hints, in the order of their branches, when all functions have been seen.
    pub(super) fn finish(self) -> Result<Box<[BranchHint]>, Error> {
        match self.waiting.first() {
            Some(hint) => Err(invalid("behind the code section", hint.offset)),
            None => Ok(self.checked.into()),
        }
    }
}

#[cold]
fn invalid(what: &str, offset: u64) -> Error {
    Error::invalid(alloc::format!("@metadata.code.branch_hint annotation: {what}"), offset as usize)
}
