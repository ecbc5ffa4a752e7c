//! Code that is not a function's: what compiled code enters by, leaves by, and calls the runtime through.

use super::{
    Arm64, Stub,
    asm::{Asm, BASE, Cond, INSTANCE, S0, S1, S2, SP},
};
use crate::{
    abi::{Assigner, Passed, Shape},
    ir::Ty,
    isa::{Isa, Target, buffer::Code},
};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::runtime::vmctx::{
    VmInstance, VmMemory,
    native::{VmRuntime, VmStore},
};
use std::mem::offset_of;

const STORE: u32 = offset_of!(VmInstance, store) as u32;
const LANDING: u32 = offset_of!(VmStore, landing) as u32;

/// What a stub keeps below the stack pointer of compiled code: the return address and x19 to x26, downwards from the top.
const KEPT: u32 = 80;
/// Where the return address is, of these.
const LINK: u32 = KEPT - 8;
/// An array of 64 words for all registers.
const ALL: u32 = 512;

/// The frame of the stub that enters. First come x29 and x30, then x19 to x28 and d8 to d15.
const ENTRY: u32 = 192;
/// The store's `entry_sp` and `entry_frame` of the activation before.
const ENTRY_BEFORE: u32 = 160;
/// The slots.
const ENTRY_SLOTS: u32 = 176;

/// A register that nothing is passed in.
const TEMP: u8 = 9;
const TEMP2: u8 = 10;

pub(super) fn emit(stub: Stub, shapes: &[Shape], code: &mut Code) {
    let mut asm = Asm { code };
    let shape = |number: u32| shapes.get(number as usize).cloned();
    match stub {
        Stub::Op => asm.op(),
        Stub::Fuel => asm.fuel(),
        Stub::CheckType => asm.check_type(),
        Stub::Trap(trap) => asm.trap(trap as u8),
        Stub::Exit => asm.exit(),
        Stub::Enter(number) => {
            if let Some(shape) = shape(number) {
                asm.enter(&shape);
            }
        }
        Stub::Outside(number) => {
            if let Some(shape) = shape(number) {
                asm.outside(&shape);
            }
        }
        Stub::Uncompiled(func, shape) => {
            asm.imm(S0, u64::from(func.0) * 2 + 1);
            asm.mov(S2, INSTANCE);
            let at = asm.jump();
            asm.code.relocate(at, Target::Stub(Stub::Outside(shape)));
        }
    }
}

impl Asm<'_> {
    fn op(&mut self) {
        self.mov(3, 2);
        self.mov(2, 1);
        dynasm!(self.code ; .arch aarch64 ; mov x1, sp);
        self.keep();
        self.mov(0, INSTANCE);
        self.call_runtime(offset_of!(VmRuntime, op));
        self.check_status();
        self.leave_kept();
    }

    fn fuel(&mut self) {
        self.keep();
        self.save_all();
        self.mov(2, S0);
        dynasm!(self.code ; .arch aarch64 ; mov x1, sp);
        self.mov(0, INSTANCE);
        self.call_runtime(offset_of!(VmRuntime, fuel));
        self.check_status();
        self.restore_all();
        self.leave_kept();
    }

    fn check_type(&mut self) {
        self.keep();
        self.save_all();
        self.store(S0, SP, 8 * u32::from(S0));
        self.mov(2, S1);
        self.mov(1, S0);
        self.mov(0, INSTANCE);
        self.call_runtime(offset_of!(VmRuntime, check_type));
        self.check_status();
        self.load(S0, SP, 8 * u32::from(S0));
        self.restore_all();
        self.leave_kept();
    }

    fn trap(&mut self, code: u8) {
        self.keep();
        self.imm(1, code.into());
        self.mov(0, INSTANCE);
        self.call_runtime(offset_of!(VmRuntime, trap));
        self.go_to_exit();
    }

    /// Ends the activation with the status in the first scratch register.
    fn exit(&mut self) {
        self.load(S1, INSTANCE, STORE);
        self.load(S2, S1, offset_of!(VmStore, entry_frame) as u32);
        dynasm!(self.code ; .arch aarch64 ; mov sp, x15);
        self.leave_entry();
    }

    fn enter(&mut self, shape: &Shape) {
        dynasm!(self.code
            ; .arch aarch64
            ; stp x29, x30, [sp, -(ENTRY as i32)]!
            ; mov x29, sp
            ; stp x19, x20, [sp, 16]
            ; stp x21, x22, [sp, 32]
            ; stp x23, x24, [sp, 48]
            ; stp x25, x26, [sp, 64]
            ; stp x27, x28, [sp, 80]
            ; stp d8, d9, [sp, 96]
            ; stp d10, d11, [sp, 112]
            ; stp d12, d13, [sp, 128]
            ; stp d14, d15, [sp, 144]
        );
        self.mov(INSTANCE, 0);
        self.mov(S0, 2);
        self.mov(S1, 1);
        self.store(S1, SP, ENTRY_SLOTS);
        let [entry_sp, entry_frame] =
            [offset_of!(VmStore, entry_sp) as u32, offset_of!(VmStore, entry_frame) as u32];
        self.load(TEMP, INSTANCE, STORE);
        self.load(TEMP2, TEMP, entry_sp);
        self.load(S2, TEMP, entry_frame);
        self.store(TEMP2, SP, ENTRY_BEFORE);
        self.store(S2, SP, ENTRY_BEFORE + 8);
        dynasm!(self.code ; .arch aarch64 ; mov x10, sp);
        self.store(TEMP2, TEMP, entry_frame);
        let words = (8 * words(shape)).next_multiple_of(16);
        self.sub_sp(SP, words);
        dynasm!(self.code ; .arch aarch64 ; mov x10, sp);
        self.store(TEMP2, TEMP, entry_sp);
        self.load_base();
        self.load_slots(&shape.params, S1, 0);
        self.mov(S2, INSTANCE);
        dynasm!(self.code ; .arch aarch64 ; blr x16);
        self.load(S1, SP, words + ENTRY_SLOTS);
        self.store_slots(&shape.results, S1, 0);
        self.add_sp(words);
        self.load(S1, INSTANCE, STORE);
        self.imm(S0, 0);
        self.leave_entry();
    }

    /// Leaves the frame of an entry, to which the stack pointer points, with the store in [`S1`] and the status in [`S0`].
    fn leave_entry(&mut self) {
        self.load(TEMP, SP, ENTRY_BEFORE);
        self.load(TEMP2, SP, ENTRY_BEFORE + 8);
        self.store(TEMP, S1, offset_of!(VmStore, entry_sp) as u32);
        self.store(TEMP2, S1, offset_of!(VmStore, entry_frame) as u32);
        self.mov(0, S0);
        dynasm!(self.code
            ; .arch aarch64
            ; ldp x19, x20, [sp, 16]
            ; ldp x21, x22, [sp, 32]
            ; ldp x23, x24, [sp, 48]
            ; ldp x25, x26, [sp, 64]
            ; ldp x27, x28, [sp, 80]
            ; ldp d8, d9, [sp, 96]
            ; ldp d10, d11, [sp, 112]
            ; ldp d12, d13, [sp, 128]
            ; ldp d14, d15, [sp, 144]
            ; ldp x29, x30, [sp], ENTRY as i32
            ; ret
        );
    }

    /// Calls a function that is not compiled, or the host's: it finds arguments in slots, and leaves results there.
    fn outside(&mut self, shape: &Shape) {
        self.mov(TEMP2, S2);
        self.keep();
        let slots = shape.params.len().max(shape.results.len()) as u32;
        let slots = (8 * slots).next_multiple_of(16);
        self.sub_sp(SP, slots);
        self.store_slots(&shape.params, SP, slots + KEPT);
        self.mov(2, S0);
        dynasm!(self.code ; .arch aarch64 ; mov x1, sp);
        self.mov(0, TEMP2);
        self.call_runtime(offset_of!(VmRuntime, call));
        self.check_status();
        self.load_slots(&shape.results, SP, slots + KEPT);
        self.add_sp(slots);
        self.leave_kept();
    }

    /// Keeps what frames are rebuilt from: the return address and the registers that functions save. The return address and [`S2`] are
    /// lost.
    fn keep(&mut self) {
        dynasm!(self.code
            ; .arch aarch64
            ; sub sp, sp, KEPT
            ; stp x19, x30, [sp, 64]
            ; stp x21, x20, [sp, 48]
            ; stp x23, x22, [sp, 32]
            ; stp x25, x24, [sp, 16]
            ; str x26, [sp, 8]
            ; add x15, sp, KEPT
        );
        self.load(30, INSTANCE, STORE);
        self.store(S2, 30, offset_of!(VmStore, last_sp) as u32);
    }

    /// Calls a function of the runtime.
    fn call_runtime(&mut self, function: usize) {
        self.load(S1, INSTANCE, STORE);
        self.load(S1, S1, offset_of!(VmStore, runtime) as u32);
        self.load(S1, S1, function as u32);
        dynasm!(self.code ; .arch aarch64 ; blr x17);
    }

    /// Goes on where the status says: here, where an exception is caught, or with the end of the activation.
    fn check_status(&mut self) {
        let fine = self.jump_if_zero(true, 0, true);
        self.cmp_imm(true, 0, VmRuntime::LANDED as i64);
        let landed = self.jump_if(Cond::EQ);
        self.go_to_exit();
        self.here(landed);
        self.load(S1, INSTANCE, STORE);
        self.load(S0, S1, LANDING);
        self.load(S2, S1, LANDING + 8);
        self.load(INSTANCE, S1, LANDING + 16);
        for (i, reg) in Arm64::REGISTERS.callee_saved.iter().enumerate() {
            self.load(reg.number(), S1, LANDING + 24 + 8 * i as u32);
        }
        dynasm!(self.code ; .arch aarch64 ; mov sp, x15);
        self.load_base();
        dynasm!(self.code ; .arch aarch64 ; br x16);
        self.here(fine);
    }

    fn go_to_exit(&mut self) {
        self.mov(S0, 0);
        let at = self.jump();
        self.code.relocate(at, Target::Stub(Stub::Exit));
    }

    fn load_base(&mut self) {
        self.load(BASE, INSTANCE, offset_of!(VmInstance, memory) as u32);
        self.load(BASE, BASE, offset_of!(VmMemory, base) as u32);
    }

    /// Takes values from slots to where they are passed. Words begin so far above the stack pointer.
    fn load_slots(&mut self, types: &[Ty], slots: u8, words_at: u32) {
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for (i, &ty) in types.iter().enumerate() {
            let at = 8 * i as u32;
            match assigner.next(ty.is_float()) {
                Passed::Reg(reg) if ty.is_float() => {
                    self.load_float(ty.is_wide(), reg.number(), slots, at);
                }
                Passed::Reg(reg) if ty.is_wide() => self.load(reg.number(), slots, at),
                Passed::Reg(reg) => self.load32(reg.number(), slots, at),
                Passed::Stack(word) => self.copy(slots, at, SP, words_at + 8 * word, ty.is_wide()),
            }
        }
    }

    /// Puts values that have been passed in slots.
    fn store_slots(&mut self, types: &[Ty], slots: u8, words_at: u32) {
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for (i, &ty) in types.iter().enumerate() {
            let at = 8 * i as u32;
            match assigner.next(ty.is_float()) {
                Passed::Reg(reg) if ty.is_float() => self.store_float(reg.number(), slots, at),
                Passed::Reg(reg) => self.store(reg.number(), slots, at),
                Passed::Stack(word) => self.copy(SP, words_at + 8 * word, slots, at, ty.is_wide()),
            }
        }
    }

    /// Copies a value in memory, with the upper half zero if it is not a wide one.
    fn copy(&mut self, base: u8, from: u32, to_base: u8, to: u32, wide: bool) {
        if wide {
            self.load(TEMP, base, from);
        } else {
            self.load32(TEMP, base, from);
        }
        self.store(TEMP, to_base, to);
    }

    /// Forgets what has been kept, and returns to compiled code.
    fn leave_kept(&mut self) {
        self.load(30, SP, LINK);
        self.add_sp(KEPT);
        self.load_base();
        dynasm!(self.code ; .arch aarch64 ; ret);
    }

    fn save_all(&mut self) {
        self.sub_sp(SP, ALL);
        for reg in (0..14).step_by(2).chain((20..28).step_by(2)) {
            let at = 8 * i32::from(reg);
            dynasm!(self.code ; .arch aarch64 ; stp X(reg), X(reg + 1), [sp, at]);
        }
        for reg in [14, 19, 28] {
            self.store(reg, SP, 8 * u32::from(reg));
        }
        for reg in (0..30).step_by(2) {
            let at = 256 + 8 * i32::from(reg);
            dynasm!(self.code ; .arch aarch64 ; stp D(reg), D(reg + 1), [sp, at]);
        }
    }

    /// Restores those that the host's functions do not.
    fn restore_all(&mut self) {
        for reg in (0..14).step_by(2) {
            let at = 8 * i32::from(reg);
            dynasm!(self.code ; .arch aarch64 ; ldp X(reg), X(reg + 1), [sp, at]);
        }
        self.load(14, SP, 8 * 14);
        for reg in (0..30).step_by(2) {
            let at = 256 + 8 * i32::from(reg);
            dynasm!(self.code ; .arch aarch64 ; ldp D(reg), D(reg + 1), [sp, at]);
        }
        self.add_sp(ALL);
    }
}

/// How many words of the stack a call of a function of this shape takes.
fn words(shape: &Shape) -> u32 {
    let count = |types: &[Ty]| {
        let mut assigner = Assigner::new(Arm64::REGISTERS);
        for ty in types {
            assigner.next(ty.is_float());
        }
        assigner.words
    };
    count(&shape.params).max(count(&shape.results))
}
