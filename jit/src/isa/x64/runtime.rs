//! Ops that the runtime does, and those of the same kind that are done here.

use super::{
    asm::{Alu, Rm, Shift, op, op_p0f},
    call::TABLE_LEN,
    function::{Emit, MEMORY_BASE, Src},
    memory::table_entry,
    regs::*,
};
use crate::{
    ir::{Arg, RuntimeOp, RuntimeSite, Ty, Vreg},
    isa::{Stub, Unsupported},
};
use core::mem::offset_of;
use kinglet_core::{
    index::TableIdx,
    op::Op,
    runtime::vmctx::{MEMORY_LEN, VmInstance},
};

const MEMORIES: i32 = offset_of!(VmInstance, memories) as i32;

impl Emit<'_> {
    pub(super) fn runtime(&mut self, site: u32) -> Result<(), Unsupported> {
        let site = self.function.runtimes[site as usize];
        if let RuntimeOp::Op(op) = site.op
            && self.inline(op, &site)
        {
            return Ok(());
        }
        let function = self.function;
        for (slot, &arg) in (0..).zip(function.list(site.args)) {
            self.argument(Rm::Frame(8 * slot), arg);
        }
        let [first, second] = site.op.words(site.immediates);
        const RSI: u8 = 6;
        self.mov_int(true, RSI, Src::Const(first));
        self.mov_int(true, RDX, Src::Const(second));
        self.call_stub(Stub::Op);
        self.asm.code.site(self.inst, false);
        if site.op.moves_memory() {
            self.load_memory_base();
        }
        for (slot, &result) in (0..).zip(function.list(site.results)) {
            if let Some(vreg) = result.vreg() {
                self.written(vreg);
                self.load_value(self.ty(vreg), vreg, Rm::Frame(8 * slot));
            }
        }
        Ok(())
    }

    /// Stores an operand for the runtime. The upper half is zero if the value has no such.
    fn argument(&mut self, slot: Rm, arg: Arg) {
        let src = self.src(arg);
        let ty = arg.vreg().map(|vreg| self.ty(vreg));
        match (ty, src) {
            (Some(Ty::F32), Src::Rm(Rm::Reg(reg))) => {
                self.asm.sse_int(op_p0f(0x66, 0x7e), false, reg, Rm::Reg(RCX));
                self.asm.mov_to(true, slot, RCX);
            }
            (Some(Ty::F64), Src::Rm(Rm::Reg(reg))) => {
                self.asm.sse(op_p0f(0xf2, 0x11), reg, slot);
            }
            // The bits of a constant are those of its slot.
            (ty, _) => self.store_int(ty.is_none_or(Ty::is_wide), slot, src),
        }
    }

    /// Emits what an op does, if that is short.
    fn inline(&mut self, op: Op, site: &RuntimeSite) -> bool {
        let function = self.function;
        let results = function.list(site.results);
        let index = site.immediates[0];
        match (op, function.list(site.args), results) {
            (Op::MemorySize, [], &[result]) => {
                let Some(memory) = self.module.memories.get(index as usize) else {
                    return false;
                };
                let log2 = memory.page_size_log2;
                // The length may have one bit more than the result.
                let wide = memory.is_64 || log2 != 0;
                let Some(dst) = self.result(result) else {
                    return true;
                };
                let dst = self.dst(dst, RAX);
                let base = self.memory_base(index);
                self.asm.mov(wide, dst.reg, Rm::At(base, -(MEMORY_LEN as i32)));
                if log2 != 0 {
                    self.asm.shift_imm(Shift::Shr, true, dst.reg, log2);
                }
                self.put_int(dst);
            }
            (Op::TableSize, [], &[result]) => {
                let Some(dst) = self.result(result) else {
                    return true;
                };
                let dst = self.dst(dst, RAX);
                self.table(TableIdx(index));
                self.asm.mov(true, dst.reg, Rm::At(RAX, TABLE_LEN));
                self.put_int(dst);
            }
            (Op::TableGet, &[at], &[result]) => {
                let Some(table) = self.module.tables.get(index as usize) else {
                    return false;
                };
                self.table_entry(TableIdx(index), table.is_64, at);
                if let Some(dst) = self.result(result) {
                    self.put_int_from(self.dst(dst, RAX), RAX);
                }
            }
            (Op::AtomicFence, [], []) => x64!(self.asm.code; mfence),
            (Op::I64Add128, &[a0, a1, b0, b1], &[low, high]) => {
                self.wide_sum(Alu::Add, 2, [a0, a1, b0, b1], [low, high]);
            }
            (Op::I64Sub128, &[a0, a1, b0, b1], &[low, high]) => {
                self.wide_sum(Alu::Sub, 3, [a0, a1, b0, b1], [low, high]);
            }
            (Op::I64MulWideS, &[a, b], &[low, high]) => self.wide_product(5, a, b, [low, high]),
            (Op::I64MulWideU, &[a, b], &[low, high]) => self.wide_product(4, a, b, [low, high]),
            _ => return false,
        }
        true
    }

    /// Where a result goes, if anywhere.
    fn result(&mut self, result: Arg) -> Option<Vreg> {
        let vreg = result.vreg()?;
        self.written(vreg);
        (!self.is_nowhere(vreg)).then_some(vreg)
    }

    /// The register that holds the base of a memory: rax, or r14 for the first one.
    fn memory_base(&mut self, memory: u32) -> u8 {
        if memory == 0 {
            return R14;
        }
        x64!(self.asm.code; mov rax, [r15 + MEMORIES]);
        self.asm.mov(true, RAX, Rm::At(RAX, table_entry(memory)));
        self.asm.mov(true, RAX, Rm::At(RAX, MEMORY_BASE));
        RAX
    }

    /// Adds or subtracts numbers of two halves; `carry` is the number of the instruction for the upper ones.
    fn wide_sum(&mut self, alu: Alu, carry: u8, operands: [Arg; 4], results: [Arg; 2]) {
        let [a0, a1, b0, b1] = operands.map(|arg| self.src(arg));
        self.mov_int(true, RAX, a0);
        self.mov_int(true, RDX, a1);
        let b0 = self.int_rm(true, b0, RCX);
        self.asm.alu(alu, true, RAX, b0);
        let b1 = self.int_rm_keeping_flags(true, b1, RCX);
        self.asm.rm(self::op(carry << 3 | 3), 0x48, RDX, b1);
        self.halves(results);
    }

    /// Multiplies, with the instruction of this number.
    fn wide_product(&mut self, number: u8, a: Arg, b: Arg, results: [Arg; 2]) {
        let (a, b) = (self.src(a), self.src(b));
        self.mov_int(true, RAX, a);
        let b = self.int_rm(true, b, RCX);
        self.asm.unary(number, true, b);
        self.halves(results);
    }

    /// Puts rax and rdx where the results go.
    fn halves(&mut self, results: [Arg; 2]) {
        for (result, reg) in results.into_iter().zip([RAX, RDX]) {
            if let Some(dst) = self.result(result) {
                self.put_int_from(self.dst(dst, RAX), reg);
            }
        }
    }
}
