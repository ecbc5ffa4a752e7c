//! The frames of compiled code on the native stack.

use super::{NativeCode, registry, roots::Standing};
use crate::{
    compile::CompiledFunction,
    ir::Ty,
    notes::{At, FunctionNotes, SiteNotes, Value},
    regs::{Reg, RegSet},
};
use kinglet_core::runtime::vmctx::VmInstance;
use std::sync::Arc;

/// Where compiled code stands that has called the runtime.
#[derive(Clone, Copy)]
pub(super) struct Here {
    /// The instance of the innermost frame.
    pub(super) instance: *const VmInstance,
    /// Its stack pointer. The return address and the registers that functions save stand below.
    pub(super) sp: usize,
    /// The stack pointer of whoever has entered compiled code.
    pub(super) outermost: usize,
}

impl Here {
    /// The code, for somebody who looks for references; with the operands of the op at hand, if those are still of use.
    #[inline]
    pub(super) fn standing(self, operands: Option<*const u64>) -> Standing {
        Standing { here: self, operands }
    }

    /// The frames, innermost first. If it is in the middle of a function, `registers` has all registers by their index.
    pub(super) fn frames(self, registers: Option<*const u64>) -> Frames {
        let mut frames = Frames {
            sp: self.sp,
            instance: self.instance,
            outermost: self.outermost,
            registers,
            saved: [0; 16],
            saved_set: RegSet::EMPTY,
            code: None,
            function: CompiledFunction { func: Default::default(), start: 0, end: 0 },
            notes: Arc::default(),
            return_to: 0,
            at: 0,
        };
        if self.sp == self.outermost {
            return frames;
        }
        // SAFETY: STOPPED: the stub has saved them.
        unsafe {
            frames.return_to = ((self.sp - 8) as *const usize).read();
            frames.look();
            let set = frames
                .code
                .as_ref()
                .map_or(RegSet::EMPTY, |code| code.machine.registers().callee_saved);
            frames.saved_set = set;
            for at in 0..set.len() as usize {
                frames.saved[at] = ((self.sp - 16 - 8 * at) as *const usize).read();
            }
        }
        frames
    }
}

/// A walk over frames, innermost first. It stands at one of them until [`Frames::leave`] goes on to the next.
pub(super) struct Frames {
    sp: usize,
    instance: *const VmInstance,
    outermost: usize,
    /// All registers of the innermost frame, while the walk is there.
    registers: Option<*const u64>,
    /// The registers that functions save, in the order of their numbers, as the frame's function had them.
    saved: [usize; 16],
    saved_set: RegSet,
    code: Option<Arc<NativeCode>>,
    function: CompiledFunction,
    notes: Arc<FunctionNotes>,
    return_to: usize,
    /// The return address, as an offset in the function.
    at: u32,
}

impl Frames {
    /// Whether all frames have been left.
    pub(super) fn is_over(&self) -> bool {
        self.sp == self.outermost
    }

    /// Finds out about the function that `return_to` leads to.
    fn look(&mut self) {
        let same = |code: &Arc<NativeCode>| code.memory.offset(self.return_to - 1).is_some();
        if !self.code.as_ref().is_some_and(same) {
            self.code = registry::find(self.return_to);
            self.function = CompiledFunction { func: Default::default(), start: 0, end: 0 };
        }
        let code = self.code.as_ref().expect("a return address leads to compiled code");
        let base = code.memory.base().addr();
        let function = code
            .function_at(self.return_to)
            .expect("compiled code was called by a function, or the call was the outermost one");
        if function != self.function {
            self.notes = code.notes(function).expect("a function that was compiled before can be");
            self.function = function;
        }
        self.at = (self.return_to - base) as u32 - function.start;
    }

    /// The code of the frame's module.
    pub(super) fn code(&self) -> &NativeCode {
        self.code.as_ref().expect("a frame has code")
    }

    /// The frame's function.
    pub(super) fn function(&self) -> CompiledFunction {
        self.function
    }

    /// What is known about the function.
    pub(super) fn notes(&self) -> &FunctionNotes {
        &self.notes
    }

    /// What is known about where it stands.
    pub(super) fn site(&self) -> &SiteNotes {
        self.notes.site(self.at).expect("there are notes about every return address")
    }

    /// The frame's stack pointer.
    pub(super) fn sp(&self) -> usize {
        self.sp
    }

    /// The frame's instance.
    pub(super) fn instance(&self) -> *const VmInstance {
        match self.notes.frame.instance_at {
            // SAFETY: STOPPED: the frame keeps it there.
            Some(at) if self.site().crosses => unsafe {
                ((self.sp + at as usize) as *const *const VmInstance).read()
            },
            _ => self.instance,
        }
    }

    /// The registers that functions save, in the order of their numbers.
    pub(super) fn saved(&self) -> &[usize] {
        &self.saved[..self.saved_set.len() as usize]
    }

    /// The place of a register among those that functions save.
    pub(super) fn saved_index(&self, reg: Reg) -> Option<usize> {
        let below = self.saved_set.0 & ((1 << reg.index()) - 1);
        self.saved_set.has(reg).then(|| below.count_ones() as usize)
    }

    /// The bits of a value of the frame.
    pub(super) fn read(&self, value: &Value) -> u64 {
        let bits = match value.at {
            At::Const(number) => return self.notes.constant(number),
            At::Nowhere => 0,
            // SAFETY: STOPPED: the frame has it there.
            At::Stack(at) => unsafe { ((self.sp + at as usize) as *const u64).read() },
            At::Reg(reg) => match (self.saved_index(reg), self.registers) {
                // SAFETY: STOPPED: the stub has saved all of them.
                (_, Some(registers)) => unsafe { registers.add(reg.index()).read() },
                (Some(at), None) => self.saved[at] as u64,
                (None, None) => unreachable!("calls leave nothing in {reg:?}"),
            },
        };
        if matches!(value.ty, Ty::I32 | Ty::F32) { u64::from(bits as u32) } else { bits }
    }

    /// Goes on to the caller.
    pub(super) fn leave(&mut self) {
        self.instance = self.instance();
        self.registers = None;
        let frame = &self.notes.frame;
        // SAFETY: STOPPED: the frame is laid out like that.
        unsafe {
            let word = |at: u32| ((self.sp + at as usize) as *const usize).read();
            for &(reg, at) in &frame.saved {
                if let Some(index) = self.saved_index(reg) {
                    self.saved[index] = word(at);
                }
            }
            self.return_to = word(frame.return_at);
        }
        self.sp += frame.caller_sp as usize;
        debug_assert!(self.sp <= self.outermost);
        if !self.is_over() {
            self.look();
        }
    }
}
