//! Calls and returns.
//!
//! What is called indirectly is in rax, from when it is known until the call.

use super::{
    asm::{Alu, Rm, Shift, cc},
    control::Slow,
    function::{Emit, MEMORY, MEMORY_BASE, STORE},
    memory::table_entry,
    regs::*,
};
use crate::{
    abi,
    ir::{Arg, CallSite, Callee, List, Ty},
    isa::{Stub, Target, Unsupported},
};
use core::mem::{offset_of, size_of};
use kinglet_core::{
    index::{FuncIdx, TableIdx, TypeIdx},
    runtime::vmctx::{VmFunc, VmInstance, VmTable, native::VmStore},
    translate::num,
    trap::Trap,
};

const FUNCS: i32 = offset_of!(VmStore, funcs) as i32;
const TABLES: i32 = offset_of!(VmInstance, tables) as i32;
const TYPES: i32 = offset_of!(VmInstance, types) as i32;
const IMPORTED_FUNCS: i32 = offset_of!(VmInstance, imported_funcs) as i32;
const FUNC_SIZE: i32 = size_of::<VmFunc>() as i32;
const FUNC_TYPE: i32 = offset_of!(VmFunc, ty) as i32;
const FUNC_CODE: i32 = offset_of!(VmFunc, code) as i32;
const FUNC_VM: i32 = offset_of!(VmFunc, vm) as i32;
const TABLE_ELEMS: i32 = offset_of!(VmTable, elems) as i32;
pub(super) const TABLE_LEN: i32 = offset_of!(VmTable, len) as i32;

impl Emit<'_> {
    pub(super) fn call(&mut self, site: u32) -> Result<(), Unsupported> {
        let module = self.module;
        let site = self.function.calls[site as usize];
        let ty = module.signature(site.ty);
        self.find_callee(&site);
        self.give(site.args, ty.params(), 0)?;
        match site.callee {
            Callee::Func(func) => {
                self.lead_out(0xe8, Target::Func(func));
                self.asm.code.site(self.inst, false);
            }
            Callee::Import(_) => {
                // Mostly the host's.
                self.asm.alu_imm(Alu::Cmp, true, Rm::At(RAX, FUNC_CODE), 0);
                let from = self.asm.jump_if(cc::NE);
                let shape = self.shape(site.ty)?;
                x64!(self.asm.code; mov rdx, r15);
                self.call_stub(Stub::Outside(shape));
                self.asm.code.site(self.inst, false);
                self.cold(from, Slow::Elsewhere);
            }
            _ => {
                self.compare_instance();
                let from = self.asm.jump_if(cc::NE);
                let shape = self.shape(site.ty)?;
                x64!(self.asm.code; call QWORD [rax + FUNC_CODE]);
                self.asm.code.site(self.inst, false);
                self.cold(from, Slow::Cross(shape));
            }
        }
        let types = ty.results().iter().map(|&ty| Ty::of(num(ty)).unwrap_or(Ty::I64));
        let results = self.function.list(site.results).iter().map(|arg| arg.vreg());
        self.receive(results.zip(types), 0);
        Ok(())
    }

    pub(super) fn tail_call(&mut self, site: u32) -> Result<(), Unsupported> {
        let module = self.module;
        let site = self.function.calls[site as usize];
        let ty = module.signature(site.ty);
        let words = abi::stack_words(&REGISTERS, ty);
        if words > self.frame.given {
            return Err(Unsupported("a tail call with more words of the stack"));
        }
        self.find_callee(&site);
        self.give(site.args, ty.params(), self.frame.given_at)?;
        match site.callee {
            Callee::Func(func) => {
                self.epilogue();
                self.lead_out(0xe9, Target::Func(func));
            }
            _ => {
                self.compare_instance();
                let from = self.asm.jump_if(cc::NE);
                let shape = self.shape(site.ty)?;
                self.cold(from, Slow::CrossTail(shape, words));
                self.epilogue();
                x64!(self.asm.code; jmp QWORD [rax + FUNC_CODE]);
            }
        }
        Ok(())
    }

    /// Returns values.
    pub(super) fn give_back(&mut self, values: List) -> Result<(), Unsupported> {
        let module = self.module;
        let types = module.func_type(self.function.func).results();
        self.give(values, types, self.frame.given_at)?;
        self.epilogue();
        x64!(self.asm.code; ret);
        Ok(())
    }

    fn shape(&self, ty: TypeIdx) -> Result<u32, Unsupported> {
        (self.shapes)(ty).ok_or(Unsupported("a vector"))
    }

    /// Whether what is called is of this instance: if so, it is compiled.
    fn compare_instance(&mut self) {
        x64!(self.asm.code; mov rcx, [rax + FUNC_VM]; cmp rcx, r15);
    }

    /// Puts what is called in rax, if it is not known by now.
    fn find_callee(&mut self, site: &CallSite) {
        match site.callee {
            Callee::Func(_) => {}
            Callee::Import(func) => self.imported(func),
            Callee::Table { table, is_64, index } => {
                self.table_entry(table, is_64, index);
                self.callee(Trap::IndirectCallToNull);
                // Its type has to be the right one, or a subtype.
                x64!(self.asm.code; mov rdx, [r15 + TYPES]);
                let wanted = Rm::At(RDX, table_entry(site.ty.0) / 2);
                self.asm.mov(false, RDX, wanted);
                self.asm.alu(Alu::Cmp, false, RDX, Rm::At(RAX, FUNC_TYPE));
                let from = self.asm.jump_if(cc::NE);
                self.cold(from, Slow::CheckType(site.ty));
            }
            Callee::Ref { func } => {
                self.mov_int(true, RAX, self.src(func));
                self.callee(Trap::NullFunctionReference);
            }
        }
    }

    fn imported(&mut self, func: FuncIdx) {
        x64!(self.asm.code; mov rax, [r15 + IMPORTED_FUNCS]; mov rdx, [r15 + STORE]);
        self.asm.mov(false, RAX, Rm::At(RAX, table_entry(func.0) / 2));
        self.func_address(0);
    }

    /// Puts the element of a table that has this index in rax.
    pub(super) fn table_entry(&mut self, table: TableIdx, is_64: bool, index: Arg) {
        self.mov_int(is_64, RCX, self.src(index));
        self.table(table);
        self.asm.alu(Alu::Cmp, true, RCX, Rm::At(RAX, TABLE_LEN));
        self.trap_if(cc::AE, Trap::TableOutOfBounds);
        x64!(self.asm.code; mov rax, [rax + TABLE_ELEMS]; mov eax, [rax + rcx * 4]);
    }

    /// Puts the address of a table in rax.
    pub(super) fn table(&mut self, table: TableIdx) {
        x64!(self.asm.code; mov rax, [r15 + TABLES]);
        self.asm.mov(true, RAX, Rm::At(RAX, table_entry(table.0)));
    }

    /// Puts the function in rax to which the handle there refers.
    fn callee(&mut self, null: Trap) {
        x64!(self.asm.code; test eax, eax);
        self.trap_if(cc::E, null);
        x64!(self.asm.code; mov rdx, [r15 + STORE]);
        self.func_address(-FUNC_SIZE);
    }

    /// Puts the address of a function in rax, the number of which is there. rdx is the store.
    fn func_address(&mut self, offset: i32) {
        let size = FUNC_SIZE as u32;
        if size.is_power_of_two() {
            self.asm.shift_imm(Shift::Shl, true, RAX, size.trailing_zeros() as u8);
        } else {
            self.asm.imul_imm(true, RAX, Rm::Reg(RAX), FUNC_SIZE);
        }
        self.asm.alu(Alu::Add, true, RAX, Rm::At(RDX, FUNCS));
        if offset != 0 {
            self.asm.alu_imm(Alu::Add, true, Rm::Reg(RAX), offset);
        }
    }

    /// Calls what is not of this instance. Its instance is in rcx.
    pub(super) fn cross(&mut self, shape: u32) {
        x64!(self.asm.code; mov rdx, r15);
        self.asm.alu_imm(Alu::Cmp, true, Rm::At(RAX, FUNC_CODE), 0);
        let compiled = self.asm.skip(cc::NE);
        self.call_stub(Stub::Outside(shape));
        self.asm.code.site(self.inst, false);
        let over = self.asm.skip_always();
        self.asm.land(compiled);
        self.call_elsewhere();
        self.asm.land(over);
    }

    /// Calls what is compiled, and probably of another instance.
    pub(super) fn elsewhere(&mut self) {
        x64!(self.asm.code; mov rdx, r15; mov rcx, [rax + FUNC_VM]);
        self.call_elsewhere();
    }

    fn call_elsewhere(&mut self) {
        x64!(self.asm.code
            ; mov r15, rcx
            ; mov r14, [rcx + MEMORY]
            ; mov r14, [r14 + MEMORY_BASE]
            ; call QWORD [rax + FUNC_CODE]
        );
        self.asm.code.site(self.inst, true);
        self.asm.mov(true, R15, Rm::Frame(self.frame.instance_at));
        self.load_memory_base();
    }

    pub(super) fn load_memory_base(&mut self) {
        x64!(self.asm.code; mov r14, [r15 + MEMORY]; mov r14, [r14 + MEMORY_BASE]);
    }

    /// The same as a tail call, with so many words of the stack.
    pub(super) fn cross_tail(&mut self, shape: u32, words: u32) {
        x64!(self.asm.code; mov rdx, r15);
        self.asm.alu_imm(Alu::Cmp, true, Rm::At(RAX, FUNC_CODE), 0);
        let compiled = self.asm.jump_if(cc::NE);
        self.epilogue();
        self.lead_out(0xe9, Target::Stub(Stub::Outside(shape)));
        let here = self.asm.at();
        self.asm.lead(compiled, here);
        // A call and a return: the words have to be below this frame, and then above it again.
        let (at, words) = (self.frame.given_at, words as i32);
        for word in 0..words {
            x64!(self.asm.code; mov rdx, [rsp + at + 8 * word]; mov [rsp + 8 * word], rdx);
        }
        x64!(self.asm.code; mov rdx, r15);
        self.call_elsewhere();
        for word in 0..words {
            x64!(self.asm.code; mov rdx, [rsp + 8 * word]; mov [rsp + at + 8 * word], rdx);
        }
        self.epilogue();
        x64!(self.asm.code; ret);
    }
}
