//! What the instructions of a function need of its frame.

use crate::{
    abi::stack_words,
    ir::{Callee, Function, Inst},
    regs::Registers,
};
use kinglet_core::module::Module;

/// What the instructions of a function need of its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Words of the stack for what it calls.
    pub words: u32,
    /// Whether it calls anything on other ways than to stop or to take fuel.
    pub calls: bool,
    /// Whether it calls what may belong to another instance.
    pub crosses: bool,
}

/// Slots that ops of the runtime may use, however few operands and results they have.
const SLOTS: u32 = 2;

impl Needs {
    /// Those of a function.
    pub fn of(module: &Module, function: &Function, registers: &'static Registers) -> Needs {
        let mut needs = Needs::default();
        for inst in &function.insts {
            match *inst {
                Inst::Call { site } | Inst::TailCall { site } => {
                    let site = &function.calls[site as usize];
                    let crosses = !matches!(site.callee, Callee::Func(_));
                    // Tail calls in the instance use the words that the function itself was given.
                    if crosses || matches!(inst, Inst::Call { .. }) {
                        let words = stack_words(registers, module.signature(site.ty));
                        needs.words = needs.words.max(words);
                        needs.calls = true;
                        needs.crosses |= crosses;
                    }
                }
                Inst::Runtime { site } => {
                    let site = &function.runtimes[site as usize];
                    needs.words = needs.words.max(site.args.len).max(site.results.len).max(SLOTS);
                    needs.calls = true;
                }
                _ => {}
            }
        }
        needs
    }
}
