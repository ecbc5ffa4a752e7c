//! Code that is not a function's: how the host enters compiled code, and how that calls the runtime.
//!
//! Stubs other than `Enter` are called with the stack pointer at the return address. They push what functions save below that, in the order of numbers.

use super::{
    asm::{Alu, Asm, Rm, cc, op_p0f},
    float::scalar,
    function::{MEMORY, MEMORY_BASE, STORE},
    regs::*,
};
use crate::{
    abi::{Assigner, Passed, Shape},
    ir::Ty,
    isa::{Stub, Target, buffer::Code},
};
use core::mem::offset_of;
use kinglet_core::runtime::vmctx::native::{VmRuntime, VmStore};

const LAST_SP: i32 = offset_of!(VmStore, last_sp) as i32;
const ENTRY_SP: i32 = offset_of!(VmStore, entry_sp) as i32;
const ENTRY_FRAME: i32 = offset_of!(VmStore, entry_frame) as i32;
const LANDING: i32 = offset_of!(VmStore, landing) as i32;
const RUNTIME: i32 = offset_of!(VmStore, runtime) as i32;
const LANDED: i32 = VmRuntime::LANDED as i32;

/// What lies between the stack pointer of the caller and the last register that a stub has pushed.
const PUSHED: i32 = 8 + 4 * 8;

pub(super) fn emit(windows: bool, stub: Stub, shapes: &[Shape], code: &mut Code) {
    let mut stubs = Stubs { windows, asm: Asm { code, consts: Vec::new() } };
    let shape = |number: u32| shapes.get(number as usize);
    match stub {
        Stub::Op => stubs.op(),
        Stub::Fuel => stubs.fuel(),
        Stub::CheckType => stubs.check_type(),
        Stub::Trap(trap) => stubs.trap(trap as u8),
        Stub::Exit => stubs.exit(),
        Stub::Enter(number) => {
            if let Some(shape) = shape(number) {
                stubs.enter(shape);
            }
        }
        Stub::Outside(number) => {
            if let Some(shape) = shape(number) {
                stubs.outside(shape);
            }
        }
        Stub::Uncompiled(func, number) => {
            let asm = &mut stubs.asm;
            asm.mov_imm(RAX, u64::from(func.0) * 2 + 1);
            x64!(asm.code; mov rdx, r15);
            let at = asm.jump();
            asm.code.relocate(at, Target::Stub(Stub::Outside(number)));
        }
    }
}

struct Stubs<'a> {
    windows: bool,
    asm: Asm<'a>,
}

impl Stubs<'_> {
    /// Calls a function of the runtime: the store is in rax, the arguments are in registers.
    fn call(&mut self, function: usize) {
        self.call_of(RAX, function);
    }

    /// The same, where the store is in another register.
    fn call_of(&mut self, store: u8, function: usize) {
        self.asm.mov(true, RAX, Rm::At(store, RUNTIME));
        if self.windows {
            x64!(self.asm.code; sub rsp, BYTE 32; call QWORD [rax + function as i32]; add rsp, BYTE 32);
        } else {
            x64!(self.asm.code; call QWORD [rax + function as i32]);
        }
    }

    /// Ends the activation if the status says so.
    fn exit_on_failure(&mut self) {
        x64!(self.asm.code; test rax, rax);
        let at = self.asm.jump_if(cc::NE);
        self.asm.code.relocate(at, Target::Stub(Stub::Exit));
    }

    fn load_memory_base(&mut self) {
        x64!(self.asm.code; mov r14, [r15 + MEMORY]; mov r14, [r14 + MEMORY_BASE]);
    }

    /// Pushes what functions save.
    fn push_saved(&mut self) {
        x64!(self.asm.code; push rbx; push rbp; push r12; push r13);
    }

    fn op(&mut self) {
        x64!(self.asm.code
            ; mov rax, [r15 + STORE]
            ; lea r8, [rsp + 8]
            ; mov [rax + LAST_SP], r8
        );
        self.push_saved();
        x64!(self.asm.code; sub rsp, BYTE 8);
        if self.windows {
            x64!(self.asm.code; mov r9, rdx; xchg r8, rsi; mov rdx, rsi; mov rcx, r15);
        } else {
            x64!(self.asm.code; mov rcx, rdx; mov rdx, rsi; mov rsi, r8; mov rdi, r15);
        }
        self.call(offset_of!(VmRuntime, op));
        self.exit_on_failure();
        x64!(self.asm.code; add rsp, BYTE PUSHED as i8; ret);
    }

    fn fuel(&mut self) {
        self.save_all();
        // The cost is still in rax.
        if self.windows {
            x64!(self.asm.code; mov r8, rax; mov rdx, rsp; mov rcx, r15);
        } else {
            x64!(self.asm.code; mov rdx, rax; mov rsi, rsp; mov rdi, r15);
        }
        x64!(self.asm.code; mov rax, [r15 + STORE]);
        self.call(offset_of!(VmRuntime, fuel));
        self.exit_on_failure();
        self.restore_all();
        x64!(self.asm.code; ret);
    }

    fn check_type(&mut self) {
        x64!(self.asm.code; mov rdx, rcx);
        self.save_all();
        if self.windows {
            x64!(self.asm.code; mov r8, rdx; mov rdx, rax; mov rcx, r15);
        } else {
            x64!(self.asm.code; mov rsi, rax; mov rdi, r15);
        }
        x64!(self.asm.code; mov rax, [r15 + STORE]);
        self.call(offset_of!(VmRuntime, check_type));
        self.exit_on_failure();
        self.restore_all();
        x64!(self.asm.code; ret);
    }

    /// Saves all registers, each at its index above the stack pointer, which is a multiple of 16 then. The caller's is in rbx. Uses
    /// rcx, and no other scratch register.
    fn save_all(&mut self) {
        x64!(self.asm.code; mov rcx, [r15 + STORE]);
        self.push_saved();
        x64!(self.asm.code
            ; lea rbx, [rsp + PUSHED]
            ; mov [rcx + LAST_SP], rbx
            ; mov rcx, [rbx - 16]
            ; lea rsp, [rbx - PUSHED - 64 * 8]
            ; and rsp, BYTE -16
        );
        self.asm.mov_to(true, Rm::Frame(8 * i32::from(RBX)), RCX);
        for reg in [RAX, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
            self.asm.mov_to(true, Rm::Frame(8 * i32::from(reg)), reg);
        }
        for reg in 0..14 {
            self.asm.sse(scalar(true, 0x11), reg, Rm::Frame(8 * (32 + i32::from(reg))));
        }
    }

    /// Restores all registers, and the stack pointer of a stub's beginning.
    fn restore_all(&mut self) {
        x64!(self.asm.code; mov rcx, rbx);
        for reg in [RAX, RBX, 5, 6, 7, 8, 9, 10, 11, 12, 13] {
            self.asm.mov(true, reg, Rm::Frame(8 * i32::from(reg)));
        }
        for reg in 0..14 {
            self.asm.sse(scalar(true, 0x10), reg, Rm::Frame(8 * (32 + i32::from(reg))));
        }
        self.load_memory_base();
        x64!(self.asm.code; lea rsp, [rcx - 8]);
    }

    fn trap(&mut self, code: u8) {
        x64!(self.asm.code
            ; mov rax, [r15 + STORE]
            ; lea rcx, [rsp + 8]
            ; mov [rax + LAST_SP], rcx
        );
        self.push_saved();
        x64!(self.asm.code; and rsp, BYTE -16);
        if self.windows {
            x64!(self.asm.code; mov edx, DWORD code.into(); mov rcx, r15);
        } else {
            x64!(self.asm.code; mov esi, DWORD code.into(); mov rdi, r15);
        }
        self.call(offset_of!(VmRuntime, trap));
        let at = self.asm.jump();
        self.asm.code.relocate(at, Target::Stub(Stub::Exit));
    }

    /// The status is in rax.
    fn exit(&mut self) {
        x64!(self.asm.code; mov rcx, [r15 + STORE]);
        self.asm.alu_imm(Alu::Cmp, true, Rm::Reg(RAX), LANDED);
        let failed = self.asm.skip(cc::NE);
        x64!(self.asm.code
            ; mov rsp, [rcx + LANDING + 8]
            ; mov r15, [rcx + LANDING + 16]
            ; mov rbx, [rcx + LANDING + 24]
            ; mov rbp, [rcx + LANDING + 32]
            ; mov r12, [rcx + LANDING + 40]
            ; mov r13, [rcx + LANDING + 48]
        );
        self.load_memory_base();
        x64!(self.asm.code; jmp QWORD [rcx + LANDING]);
        self.asm.land(failed);
        x64!(self.asm.code; mov rsp, [rcx + ENTRY_FRAME]);
        self.leave();
    }

    /// `(instance, slots, code) -> status`
    ///
    /// ```text
    ///  entry_sp ─► words of the stack │ entry_frame ─► slots │ what the host wants saved
    /// ```
    fn enter(&mut self, shape: &Shape) {
        x64!(self.asm.code; push r15; push r14; push rbp; push rbx; push r12; push r13);
        if self.windows {
            x64!(self.asm.code; push rdi; push rsi; sub rsp, DWORD WINDOWS_FLOATS);
            for reg in 6..16 {
                self.asm.sse(MOVUPS_STORE, reg, Rm::Frame(16 * (i32::from(reg) - 6)));
            }
            x64!(self.asm.code; mov r15, rcx; mov rcx, rdx; mov rdx, r8);
        } else {
            x64!(self.asm.code; mov r15, rdi; mov rcx, rsi);
        }
        let words = words(shape);
        x64!(self.asm.code
            ; mov rax, [r15 + STORE]
            ; push rcx
            ; mov [rax + ENTRY_FRAME], rsp
        );
        if words > 0 {
            x64!(self.asm.code; sub rsp, DWORD 8 * words);
        }
        x64!(self.asm.code; mov [rax + ENTRY_SP], rsp);
        self.load_memory_base();
        self.load_values(&shape.params, Rm::At(RCX, 0), Rm::Frame(0));
        x64!(self.asm.code; call rdx);
        if !shape.results.is_empty() {
            x64!(self.asm.code; mov rcx, [rsp + 8 * words]);
            self.store_values(&shape.results, Rm::At(RCX, 0), Rm::Frame(0), RAX);
        }
        x64!(self.asm.code; xor eax, eax);
        // Functions have restored what they save.
        self.leave_host_frame(8 * words);
        x64!(self.asm.code; add rsp, BYTE 32; pop r14; pop r15; ret);
    }

    /// Returns to the host from anywhere: the stack pointer is where `Enter` has kept what it restores.
    fn leave(&mut self) {
        self.leave_host_frame(0);
        x64!(self.asm.code; pop r13; pop r12; pop rbx; pop rbp; pop r14; pop r15; ret);
    }

    /// Takes away what `Enter` has on the stack, but for the registers that System V wants saved; `more` bytes above that.
    fn leave_host_frame(&mut self, more: i32) {
        self.asm.alu_imm(Alu::Add, true, Rm::Reg(RSP), more + 8);
        if self.windows {
            for reg in 6..16 {
                self.asm.sse(MOVUPS_LOAD, reg, Rm::Frame(16 * (i32::from(reg) - 6)));
            }
            x64!(self.asm.code; add rsp, DWORD WINDOWS_FLOATS; pop rsi; pop rdi);
        }
    }

    /// What is called is in rax, the caller's instance in rdx.
    fn outside(&mut self, shape: &Shape) {
        let slots = 8 * (shape.params.len().max(shape.results.len()) as i32 | 1);
        self.push_saved();
        x64!(self.asm.code; sub rsp, DWORD slots);
        self.store_values(&shape.params, Rm::Frame(0), Rm::Frame(slots + PUSHED), RCX);
        x64!(self.asm.code; mov r9, [r15 + STORE]; lea rcx, [rsp + slots + PUSHED]; mov [r9 + LAST_SP], rcx);
        if self.windows {
            x64!(self.asm.code; mov rcx, rdx; mov rdx, rsp; mov r8, rax);
        } else {
            x64!(self.asm.code; mov rdi, rdx; mov rsi, rsp; mov rdx, rax);
        }
        self.call_of(9, offset_of!(VmRuntime, call));
        self.exit_on_failure();
        self.load_values(&shape.results, Rm::Frame(0), Rm::Frame(slots + PUSHED));
        self.load_memory_base();
        // The host's functions have restored what was pushed.
        x64!(self.asm.code; add rsp, DWORD slots + PUSHED - 8; ret);
    }

    /// Loads values from slots: into the registers where they are passed, and words of the stack. Uses rax.
    fn load_values(&mut self, types: &[Ty], slots: Rm, words: Rm) {
        let mut assigner = Assigner::new(&REGISTERS);
        for (number, &ty) in (0..).zip(types) {
            let slot = offset(slots, 8 * number);
            match assigner.next(ty.is_float()) {
                Passed::Reg(reg) if ty.is_float() => {
                    self.asm.sse(scalar(ty.is_wide(), 0x10), reg.number(), slot);
                }
                Passed::Reg(reg) => self.asm.mov(ty.is_wide(), reg.number(), slot),
                Passed::Stack(word) => {
                    self.asm.mov(ty.is_wide(), RAX, slot);
                    self.asm.mov_to(true, offset(words, 8 * word as i32), RAX);
                }
            }
        }
    }

    /// Stores values in slots, with zero as the upper half of those that have none.
    fn store_values(&mut self, types: &[Ty], slots: Rm, words: Rm, scratch: u8) {
        let mut assigner = Assigner::new(&REGISTERS);
        for (number, &ty) in (0..).zip(types) {
            let slot = offset(slots, 8 * number);
            match (assigner.next(ty.is_float()), ty) {
                (Passed::Reg(reg), Ty::F32) => {
                    self.asm.sse_int(op_p0f(0x66, 0x7e), false, reg.number(), Rm::Reg(scratch));
                    self.asm.mov_to(true, slot, scratch);
                }
                (Passed::Reg(reg), Ty::F64) => {
                    self.asm.sse(scalar(true, 0x11), reg.number(), slot);
                }
                (Passed::Reg(reg), _) => self.asm.mov_to(true, slot, reg.number()),
                (Passed::Stack(word), _) => {
                    self.asm.mov(ty.is_wide(), scratch, offset(words, 8 * word as i32));
                    self.asm.mov_to(true, slot, scratch);
                }
            }
        }
    }
}

const MOVUPS_LOAD: super::asm::Opcode = super::asm::op_0f(0x10);
const MOVUPS_STORE: super::asm::Opcode = super::asm::op_0f(0x11);

/// What `Enter` saves of xmm6 to xmm15 on Windows.
const WINDOWS_FLOATS: i32 = 160;

/// How many words of the stack `Enter` needs, so that the stack pointer is a multiple of 16.
fn words(shape: &Shape) -> i32 {
    let words = |types: &[Ty]| {
        let mut assigner = Assigner::new(&REGISTERS);
        for &ty in types {
            assigner.next(ty.is_float());
        }
        assigner.words as i32
    };
    let words = words(&shape.params).max(words(&shape.results));
    words + (words & 1)
}

fn offset(rm: Rm, by: i32) -> Rm {
    match rm {
        Rm::Frame(at) => Rm::Frame(at + by),
        Rm::At(base, at) => Rm::At(base, at + by),
        rm => rm,
    }
}
