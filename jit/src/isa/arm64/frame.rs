//! Frames: how they are laid out, made and left.

use super::{
    CALLEE_SAVED, Emit, FrameLayout, Rare, Source, Unsupported,
    asm::{Cond, INSTANCE, S0, S1, SP, ZERO},
};
use crate::{
    abi::{Assigner, Passed},
    ir::{Function, List, Vreg},
    isa::{Isa, arm64::Arm64, moves::Moves, needs::Needs},
    regs::{Allocation, Place, Reg},
};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::{
    module::Module,
    runtime::vmctx::{VmInstance, native::VmStore},
    trap::Trap,
    types::ValType,
};
use std::mem::offset_of;

/// Frames beyond this are left to the interpreter.
const MAX_FRAME: u32 = 1 << 20;

/// Larger frames are compared with the limit of the stack before anything is written there.
const LARGE: u32 = 4096;

/// Frames of functions that call nothing are not compared with it if they are at most that large.
const SMALL: u32 = 1024;

/// The furthest that STP reaches above the stack pointer.
const PAIR_REACH: u32 = 504;

/// A frame. From the top: the return address, saved registers, the instance; spill slots, words for calls.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) layout: FrameLayout,
    /// Whether the function calls anything but what does not come back.
    calls: bool,
    /// A function that calls nothing and keeps nothing has a frame only where it stops.
    late: bool,
    /// The size of the upper part: the return address, saved registers, the instance.
    upper: u32,
    /// The size of the lower part.
    lower: u32,
}

impl Frame {
    pub(super) fn of(
        module: &Module,
        function: &Function,
        allocation: &Allocation,
    ) -> Result<Frame, Unsupported> {
        let Needs { words, calls, crosses } = Needs::of(module, function, Arm64::REGISTERS);
        let saved = allocation.saved.0 & CALLEE_SAVED.0;
        let upper = (8 * (1 + saved.count_ones() + u32::from(crosses))).next_multiple_of(16);
        let lower = u64::from(words) * 8 + u64::from(allocation.slots) * 8;
        let Some(lower) = u32::try_from(lower).ok().filter(|&lower| lower < MAX_FRAME) else {
            return Err(Unsupported("the frame of the function is too large"));
        };
        let lower = lower.next_multiple_of(16);
        let size = upper + lower;
        let mut at = size - 8;
        let mut next = || {
            at -= 8;
            at
        };
        let layout = FrameLayout {
            return_at: size - 8,
            caller_sp: size,
            slots_at: 8 * words,
            saved: crate::regs::RegSet(saved).iter().map(|reg| (reg, next())).collect(),
            instance_at: crosses.then(next),
        };
        let late = !calls && size == 16 && layout.saved.is_empty();
        Ok(Frame { layout, calls, late, upper, lower })
    }

    /// How far the caller's stack pointer is above that of the function.
    pub(super) fn size(&self) -> u32 {
        if self.late { 0 } else { self.upper + self.lower }
    }
}

impl Emit<'_> {
    pub(super) fn prologue(&mut self) -> Result<(), Unsupported> {
        let size = self.frame.size();
        if size > LARGE {
            self.stack_limit();
            self.asm.sub_sp(S1, size);
            dynasm!(self.asm.code ; .arch aarch64 ; cmp x17, x16);
            let from = self.asm.jump_if(Cond::LO);
            self.rarely(from, Rare::Overflow);
        }
        if size != 0 {
            let split = size - 16 > PAIR_REACH;
            self.asm.sub_sp(SP, if split { self.frame.upper } else { size });
            self.saved(if split { self.frame.lower } else { 0 }, true);
            if split {
                self.asm.sub_sp(SP, self.frame.lower);
            }
        }
        if size <= LARGE && (self.frame.calls || size > SMALL) {
            self.stack_limit();
            dynasm!(self.asm.code ; .arch aarch64 ; cmp sp, x16);
            self.trap_if(Cond::LO, Trap::StackOverflow);
        }
        if let Some(at) = self.frame.layout.instance_at {
            self.asm.store(INSTANCE, SP, at);
        }
        let module = self.module;
        let types = module.func_type(self.function.func).params();
        if types.len() != self.function.params as usize {
            return Err(Unsupported("parameters that the type does not have"));
        }
        self.receive(types, None, size);
        let allocation = self.allocation;
        for &vreg in &allocation.zeroed {
            match allocation.place(vreg) {
                Place::Reg(reg) => self.fetch(reg, Source::Const(0), true),
                Place::Slot(slot) => self.asm.store(ZERO, SP, self.slot(slot)),
                Place::Nowhere => {}
            }
        }
        Ok(())
    }

    /// The limit of the stack, in [`S0`].
    fn stack_limit(&mut self) {
        self.asm.load(S0, INSTANCE, offset_of!(VmInstance, store) as u32);
        self.asm.load(S0, S0, offset_of!(VmStore, stack_limit) as u32);
    }

    /// Leaves the frame: registers and stack pointer are as they were at the entry.
    pub(super) fn epilogue(&mut self) {
        let size = self.frame.size();
        if size == 0 {
            return;
        }
        if size - 16 > PAIR_REACH {
            self.asm.add_sp(self.frame.lower);
            self.saved(self.frame.lower, false);
            self.asm.add_sp(self.frame.upper);
        } else {
            self.saved(0, false);
            self.asm.add_sp(size);
        }
    }

    /// Stores or loads what the upper part keeps, in pairs, when the stack pointer is `above` what the layout counts from.
    fn saved(&mut self, above: u32, store: bool) {
        // Each register stands 8 bytes below the one before.
        let mut pending = self.frame.calls.then_some((30, self.frame.layout.return_at - above));
        for i in 0..self.frame.layout.saved.len() {
            let (reg, at) = self.frame.layout.saved[i];
            let (reg, at) = (reg.number(), at - above);
            match pending.take() {
                Some((upper, _)) if store => {
                    dynasm!(self.asm.code ; .arch aarch64 ; stp X(reg), X(upper), [sp, at as i32]);
                }
                Some((upper, _)) => {
                    dynasm!(self.asm.code ; .arch aarch64 ; ldp X(reg), X(upper), [sp, at as i32]);
                }
                None => pending = Some((reg, at)),
            }
        }
        match pending {
            Some((reg, at)) if store => self.asm.store(reg, SP, at),
            Some((reg, at)) => self.asm.load(reg, SP, at),
            None => {}
        }
    }

    /// Before a call of a stub that the function has not counted as a call: keeps the return address where the layout says.
    pub(super) fn keep_link(&mut self) {
        if self.frame.late {
            dynasm!(self.asm.code ; .arch aarch64 ; stp xzr, x30, [sp, -16]!);
        } else if !self.frame.calls {
            self.asm.store(30, SP, self.frame.layout.return_at);
        }
    }

    /// After such a call.
    pub(super) fn restore_link(&mut self) {
        if self.frame.late {
            dynasm!(self.asm.code ; .arch aarch64 ; ldr x30, [sp, 8] ; add sp, sp, 16);
        } else if !self.frame.calls {
            self.asm.load(30, SP, self.frame.layout.return_at);
        }
    }

    /// Takes values from where they are passed to the places of registers: of a list, or of the first locals. Words begin so far above
    /// the stack pointer.
    pub(super) fn receive(&mut self, types: &[ValType], list: Option<List>, words_at: u32) {
        let function = self.function;
        let vreg = |i: usize| match list {
            Some(list) => function.list(list).get(i).and_then(|arg| arg.vreg()),
            None => Some(Vreg(i as u32)),
        };
        let mut moves = Moves::default();
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for (i, &ty) in types.iter().enumerate() {
            let passed = assigner.next(is_float(ty));
            let (Passed::Reg(from), Some(vreg)) = (passed, vreg(i)) else { continue };
            match self.allocation.place(vreg) {
                Place::Reg(to) => moves.add(to, from),
                Place::Slot(slot) => self.spill(self.slot(slot), Source::Reg(from), true),
                Place::Nowhere => {}
            }
        }
        self.moves(moves);
        if assigner.words == 0 {
            return;
        }
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for (i, &ty) in types.iter().enumerate() {
            let passed = assigner.next(is_float(ty));
            let (Passed::Stack(word), Some(vreg)) = (passed, vreg(i)) else { continue };
            let from = Source::Stack(words_at + 8 * word);
            let wide = ty != ValType::F32;
            match self.allocation.place(vreg) {
                Place::Reg(to) => self.fetch(to, from, wide),
                Place::Slot(slot) => self.spill(self.slot(slot), from, wide),
                Place::Nowhere => {}
            }
        }
    }

    /// Puts values where they are passed. Words begin so far above the stack pointer. Leaves [`S0`] alone.
    pub(super) fn pass(&mut self, types: &[ValType], list: List, words_at: u32) {
        let args = self.function.list(list);
        let mut moves = Moves::default();
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        let mut rest = false;
        for (&ty, &arg) in types.iter().zip(args) {
            match (assigner.next(is_float(ty)), self.source(arg)) {
                (Passed::Reg(to), Source::Reg(from)) => moves.add(to, from),
                (Passed::Reg(_), _) => rest = true,
                (Passed::Stack(word), from) => {
                    self.spill(words_at + 8 * word, from, ty != ValType::F32);
                }
            }
        }
        self.moves(moves);
        if !rest {
            return;
        }
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for (&ty, &arg) in types.iter().zip(args) {
            match (assigner.next(is_float(ty)), self.source(arg)) {
                (_, Source::Reg(_)) | (Passed::Stack(_), _) => {}
                (Passed::Reg(to), from) => self.fetch(to, from, ty != ValType::F32),
            }
        }
    }

    fn moves(&mut self, moves: Moves) {
        let asm = &mut self.asm;
        moves.resolve([Reg::int(S1), Reg::float(super::F0)], |to, from| {
            if to.is_float() {
                asm.fmov(to.number(), from.number());
            } else {
                asm.mov(to.number(), from.number());
            }
        });
    }
}

/// Whether values of the type are in registers for floats.
pub(super) fn is_float(ty: ValType) -> bool {
    matches!(ty, ValType::F32 | ValType::F64)
}
