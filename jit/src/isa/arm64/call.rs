//! Calls, returns, and ops of the runtime.

use super::{
    Emit, Rare, Stub, Unsupported,
    asm::{BASE, Cond, INSTANCE, S0, S1, S2, SP},
    frame::is_float,
};
use crate::{
    abi::{Assigner, Passed, stack_words},
    ir::{CallSite, Callee, List, RuntimeOp},
    isa::{Isa, arm64::Arm64, buffer::Code},
    regs::Place,
};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::{
    index::{FuncIdx, TypeIdx},
    op::Class,
    runtime::vmctx::{VmFunc, VmInstance, VmMemory, VmTable, native::VmStore},
    trap::Trap,
};
use std::mem::offset_of;

/// Functions of a store are found by their index, shifted.
const FUNC_SHIFT: u32 = size_of::<VmFunc>().trailing_zeros();
const _: () = assert!(size_of::<VmFunc>().is_power_of_two());

impl Emit<'_> {
    pub(super) fn call(&mut self, site: u32) -> Result<(), Unsupported> {
        let site = self.function.calls[site as usize];
        let module = self.module;
        let ty = module.signature(site.ty);
        match site.callee {
            Callee::Func(func) => {
                self.pass(ty.params(), site.args, 0);
                let at = self.asm.call();
                self.asm.code.relocate(at, Code::func(func));
                self.asm.code.site(self.inst, false);
            }
            _ => {
                self.callee(&site);
                self.pass(ty.params(), site.args, 0);
                let cross = Rare::Cross { shape: self.shape(site.ty)? };
                let from = self.compare_instances();
                self.asm.load(S1, S0, offset_of!(VmFunc, code) as u32);
                dynasm!(self.asm.code ; .arch aarch64 ; blr X(S1));
                self.asm.code.site(self.inst, false);
                self.rarely(from, cross);
            }
        }
        self.receive(ty.results(), Some(site.results), 0);
        Ok(())
    }

    pub(super) fn tail_call(&mut self, site: u32) -> Result<(), Unsupported> {
        let site = self.function.calls[site as usize];
        let module = self.module;
        let ty = module.signature(site.ty);
        let own = module.func_type(self.function.func);
        let registers = Arm64::REGISTERS;
        if stack_words(registers, ty) > stack_words(registers, own) {
            return Err(Unsupported("a tail call with more words of the stack than the caller's"));
        }
        let words_at = self.frame.size();
        if let Callee::Func(func) = site.callee {
            self.pass(ty.params(), site.args, words_at);
            self.epilogue();
            let at = self.asm.jump();
            self.asm.code.relocate(at, Code::func(func));
            return Ok(());
        }
        self.callee(&site);
        let shape = self.shape(site.ty)?;
        let from = self.compare_instances();
        self.pass(ty.params(), site.args, words_at);
        self.asm.load(S1, S0, offset_of!(VmFunc, code) as u32);
        self.epilogue();
        dynasm!(self.asm.code ; .arch aarch64 ; br X(S1));
        // Another instance: a call and a return. The results are in registers already.
        self.asm.here(from);
        self.pass(ty.params(), site.args, 0);
        self.cross(shape, self.inst);
        let mut assigner = Assigner::new(registers);
        for &ty in ty.results() {
            if let Passed::Stack(word) = assigner.next(is_float(ty)) {
                self.asm.load(S1, SP, 8 * word);
                self.asm.store(S1, SP, words_at + 8 * word);
            }
        }
        self.epilogue();
        dynasm!(self.asm.code ; .arch aarch64 ; ret);
        Ok(())
    }

    pub(super) fn ret(&mut self, values: List) {
        let module = self.module;
        let types = module.func_type(self.function.func).results();
        self.pass(types, values, self.frame.size());
        self.epilogue();
        dynasm!(self.asm.code ; .arch aarch64 ; ret);
    }

    /// Calls the function in [`S0`], which is of another instance or not compiled.
    pub(super) fn cross(&mut self, shape: u32, inst: usize) {
        self.asm.mov(S2, INSTANCE);
        self.asm.load(S1, S0, offset_of!(VmFunc, code) as u32);
        let outside = self.asm.jump_if_zero(true, S1, true);
        self.asm.load(INSTANCE, S0, offset_of!(VmFunc, vm) as u32);
        self.load_base();
        dynasm!(self.asm.code ; .arch aarch64 ; blr X(S1));
        self.asm.code.site(inst, true);
        let at = self.frame.layout.instance_at.unwrap_or(0);
        self.asm.load(INSTANCE, SP, at);
        self.load_base();
        let done = self.asm.jump();
        self.asm.here(outside);
        self.call_stub(Stub::Outside(shape), inst);
        self.asm.here(done);
    }

    fn load_base(&mut self) {
        self.asm.load(BASE, INSTANCE, offset_of!(VmInstance, memory) as u32);
        self.asm.load(BASE, BASE, offset_of!(VmMemory, base) as u32);
    }

    /// Jumps if the function in [`S0`] is not of this instance.
    fn compare_instances(&mut self) -> u32 {
        self.asm.load(S1, S0, offset_of!(VmFunc, vm) as u32);
        dynasm!(self.asm.code ; .arch aarch64 ; cmp X(S1), X(INSTANCE));
        self.asm.jump_if(Cond::NE)
    }

    fn shape(&self, ty: TypeIdx) -> Result<u32, Unsupported> {
        (self.shapes)(ty).ok_or(Unsupported("a type with vectors"))
    }

    /// Puts the `VmFunc` that a site calls in [`S0`].
    fn callee(&mut self, site: &CallSite) {
        match site.callee {
            Callee::Func(func) | Callee::Import(func) => self.import(func),
            Callee::Ref { func } => {
                let func = self.int(func, S0);
                self.trap_if_zero(true, func, Trap::NullFunctionReference);
                self.func_of(func);
            }
            Callee::Table { table, index, .. } => {
                let index = self.int(index, S0);
                self.asm.load(S2, INSTANCE, offset_of!(VmInstance, tables) as u32);
                self.asm.load(S1, S2, table.0.saturating_mul(8));
                self.asm.load(S2, S1, offset_of!(VmTable, len) as u32);
                dynasm!(self.asm.code ; .arch aarch64 ; cmp X(index), X(S2));
                self.trap_if(Cond::HS, Trap::TableOutOfBounds);
                self.asm.load(S1, S1, offset_of!(VmTable, elems) as u32);
                dynasm!(self.asm.code ; .arch aarch64 ; ldr W(S0), [XSP(S1), X(index), lsl 2]);
                self.trap_if_zero(false, S0, Trap::IndirectCallToNull);
                self.func_of(S0);
                self.asm.load(S2, INSTANCE, offset_of!(VmInstance, types) as u32);
                self.asm.load32(S1, S2, site.ty.0.saturating_mul(4));
                self.asm.load32(S2, S0, offset_of!(VmFunc, ty) as u32);
                dynasm!(self.asm.code ; .arch aarch64 ; cmp W(S1), W(S2));
                let from = self.asm.jump_if(Cond::NE);
                self.rarely(from, Rare::CheckType(site.ty));
            }
        }
    }

    fn import(&mut self, func: FuncIdx) {
        self.asm.load(S2, INSTANCE, offset_of!(VmInstance, imported_funcs) as u32);
        self.asm.load32(S1, S2, func.0.saturating_mul(4));
        self.asm.load(S0, INSTANCE, offset_of!(VmInstance, store) as u32);
        self.asm.load(S0, S0, offset_of!(VmStore, funcs) as u32);
        dynasm!(self.asm.code ; .arch aarch64 ; add X(S0), X(S0), X(S1), lsl FUNC_SHIFT);
    }

    /// The function that a handle in a register names, which is not null.
    fn func_of(&mut self, handle: u8) {
        self.asm.load(S2, INSTANCE, offset_of!(VmInstance, store) as u32);
        self.asm.load(S2, S2, offset_of!(VmStore, funcs) as u32);
        dynasm!(self.asm.code ; .arch aarch64 ; add X(S0), X(S2), X(handle), lsl FUNC_SHIFT);
        self.asm.add_imm(true, S0, S0, -(size_of::<VmFunc>() as i64));
    }

    pub(super) fn runtime(&mut self, site: u32) {
        let site = self.function.runtimes[site as usize];
        if let RuntimeOp::Op(op) = site.op
            && op.class() == Class::multi
            && self.multi(op, site.args, site.results)
        {
            return;
        }
        for (i, &arg) in self.function.list(site.args).iter().enumerate() {
            let wide = arg.vreg().is_none_or(|vreg| self.ty(vreg).is_wide());
            self.spill(8 * i as u32, self.source(arg), wide);
        }
        let [first, second] = site.op.words(site.immediates);
        self.asm.imm(1, first);
        self.asm.imm(2, second);
        self.call_stub(Stub::Op, self.inst);
        if matches!(site.op, RuntimeOp::Throw(_) | RuntimeOp::ThrowRef) {
            self.asm.stop();
        }
        for (i, arg) in self.function.list(site.results).iter().enumerate() {
            let Some(vreg) = arg.vreg() else { continue };
            let from = super::Source::Stack(8 * i as u32);
            let wide = self.ty(vreg).is_wide();
            match self.allocation.place(vreg) {
                Place::Reg(to) => self.fetch(to, from, wide),
                Place::Slot(slot) => self.spill(self.slot(slot), from, wide),
                Place::Nowhere => {}
            }
        }
    }
}
