//! Loads, stores and globals.

use super::{
    Emit, Source, Unsupported,
    asm::{BASE, Cond, F0, INSTANCE, S0, S1, S2},
};
use crate::ir::{Arg, Ty, Vreg};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::{
    index::{GlobalIdx, MemoryIdx},
    op::{Num, Op},
    runtime::vmctx::{VmInstance, VmMemory, memory_limit},
    trap::Trap,
};
use std::mem::offset_of;

impl Emit<'_> {
    pub(super) fn load(
        &mut self,
        op: Op,
        dst: Vreg,
        address: Arg,
        offset: u32,
    ) -> Result<(), Unsupported> {
        let index = self.index(address, offset, op.row().from);
        self.read(op, dst, BASE, index)
    }

    pub(super) fn store(
        &mut self,
        op: Op,
        address: Arg,
        value: Arg,
        offset: u32,
    ) -> Result<(), Unsupported> {
        let index = self.index(address, offset, Some(op.result()));
        self.write(op, value, BASE, index)
    }

    pub(super) fn load_far(
        &mut self,
        op: Op,
        dst: Vreg,
        address: Arg,
        at: u32,
    ) -> Result<(), Unsupported> {
        let base = self.far(address, at, op.row().from);
        self.read(op, dst, base, S0)
    }

    pub(super) fn store_far(
        &mut self,
        op: Op,
        address: Arg,
        value: Arg,
        at: u32,
    ) -> Result<(), Unsupported> {
        let base = self.far(address, at, Some(op.result()));
        self.write(op, value, base, S0)
    }

    pub(super) fn global_get(&mut self, dst: Vreg, global: GlobalIdx) {
        self.cell(global);
        let ty = self.ty(dst);
        if ty.is_float() {
            let d = self.target(dst, F0);
            self.asm.load_float(ty.is_wide(), d, S1, 0);
            self.finish(dst, d);
        } else {
            let d = self.target(dst, S0);
            if ty.is_wide() {
                self.asm.load(d, S1, 0);
            } else {
                self.asm.load32(d, S1, 0);
            }
            self.finish(dst, d);
        }
    }

    pub(super) fn global_set(&mut self, ty: Ty, global: GlobalIdx, value: Arg) {
        if ty.is_float() {
            let value = self.float(value, ty.is_wide(), F0);
            self.cell(global);
            self.asm.store_float(value, S1, 0);
        } else {
            let value = self.int_or_zero(value, S0);
            self.cell(global);
            self.asm.store(value, S1, 0);
        }
    }

    /// The address of a global's cell, in [`S1`].
    fn cell(&mut self, global: GlobalIdx) {
        self.asm.load(S2, INSTANCE, offset_of!(VmInstance, globals) as u32);
        self.asm.load(S1, S2, global.0.saturating_mul(8));
    }

    /// The register that has what is to be added to the base of the first memory, when an access there is in bounds.
    fn index(&mut self, address: Arg, offset: u32, num: Option<Num>) -> u8 {
        let log2 = log2_width(num);
        let width = 1u64 << log2;
        let Some(vreg) = address.vreg() else {
            let sum = self.constant(address, false).unwrap_or(0) + u64::from(offset);
            self.asm.imm(S0, sum);
            if sum + width > self.minimum {
                self.check(S0, log2);
            }
            return S0;
        };
        let end = u64::from(offset) + width;
        let mut index = self.int(address, S0);
        if offset != 0 {
            self.asm.add_offset(S0, index, offset, S1);
            index = S0;
        }
        if !self.known.covers(vreg, end) {
            self.check(index, log2);
            self.known.checked(vreg, end);
        }
        index
    }

    /// Traps unless so wide an access at an index below 2^33 is in bounds of the first memory. Uses [`S1`].
    fn check(&mut self, index: u8, log2: u32) {
        let limit = -(memory_limit(log2) as i32);
        dynasm!(self.asm.code
            ; .arch aarch64
            ; ldur X(S1), [XSP(BASE), limit]
            ; cmp X(index), X(S1)
        );
        self.trap_if(Cond::GT, Trap::MemoryOutOfBounds);
    }

    /// Checks an access of any memory. Returns the register with its base; [`S0`] has what is to be added.
    fn far(&mut self, address: Arg, at: u32, num: Option<Num>) -> u8 {
        let memarg = self.function.memargs[at as usize];
        let index = self.int(address, S0);
        if !memarg.is_64 {
            // The sum of two numbers of 32 bits.
            self.asm.add_offset(S0, index, memarg.offset as u32, S1);
        } else if memarg.offset == 0 {
            self.asm.mov(S0, index);
        } else {
            if memarg.offset < 4096 {
                let offset = memarg.offset as u32;
                dynasm!(self.asm.code ; .arch aarch64 ; adds X(S0), XSP(index), offset);
            } else {
                self.asm.imm(S1, memarg.offset);
                dynasm!(self.asm.code ; .arch aarch64 ; adds X(S0), X(index), X(S1));
            }
            self.trap_if(Cond::HS, Trap::MemoryOutOfBounds);
        }
        let base = self.base(memarg.memory);
        let limit = -(memory_limit(log2_width(num)) as i32);
        dynasm!(self.asm.code ; .arch aarch64 ; ldur X(S1), [XSP(base), limit]);
        if memarg.is_64 {
            // A negative limit is met by no address; the condition "higher" is C and not Z.
            dynasm!(self.asm.code
                ; .arch aarch64
                ; cmp XSP(S1), 0
                ; ccmp X(S0), X(S1), 2, ge
            );
            self.trap_if(Cond::HI, Trap::MemoryOutOfBounds);
        } else {
            dynasm!(self.asm.code ; .arch aarch64 ; cmp X(S0), X(S1));
            self.trap_if(Cond::GT, Trap::MemoryOutOfBounds);
        }
        base
    }

    /// The register with the base of a memory: for the first one its own, otherwise [`S2`].
    fn base(&mut self, memory: MemoryIdx) -> u8 {
        if memory.0 == 0 {
            return BASE;
        }
        self.asm.load(S1, INSTANCE, offset_of!(VmInstance, memories) as u32);
        self.asm.load(S2, S1, memory.0.saturating_mul(8));
        self.asm.load(S2, S2, offset_of!(VmMemory, base) as u32);
        S2
    }

    fn read(&mut self, op: Op, dst: Vreg, base: u8, index: u8) -> Result<(), Unsupported> {
        use Op::*;
        if self.ty(dst).is_float() {
            let d = self.target(dst, F0);
            match op {
                F32Load => {
                    dynasm!(self.asm.code ; .arch aarch64 ; ldr S(d), [XSP(base), X(index)]);
                }
                F64Load => {
                    dynasm!(self.asm.code ; .arch aarch64 ; ldr D(d), [XSP(base), X(index)]);
                }
                _ => return Err(Unsupported("a load")),
            }
            self.finish(dst, d);
            return Ok(());
        }
        let d = self.target(dst, S0);
        match op {
            I32Load | I64Load32U => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldr W(d), [XSP(base), X(index)]);
            }
            I64Load => dynasm!(self.asm.code ; .arch aarch64 ; ldr X(d), [XSP(base), X(index)]),
            I32Load8U | I64Load8U => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrb W(d), [XSP(base), X(index)]);
            }
            I32Load16U | I64Load16U => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrh W(d), [XSP(base), X(index)]);
            }
            I32Load8S => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrsb W(d), [XSP(base), X(index)]);
            }
            I32Load16S => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrsh W(d), [XSP(base), X(index)]);
            }
            I64Load8S => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrsb X(d), [XSP(base), X(index)]);
            }
            I64Load16S => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrsh X(d), [XSP(base), X(index)]);
            }
            I64Load32S => {
                dynasm!(self.asm.code ; .arch aarch64 ; ldrsw X(d), [XSP(base), X(index)]);
            }
            _ => return Err(Unsupported("a load")),
        }
        self.finish(dst, d);
        Ok(())
    }

    /// Writes at `base + index`, of which neither is [`S1`].
    fn write(&mut self, op: Op, value: Arg, base: u8, index: u8) -> Result<(), Unsupported> {
        use Op::*;
        if let (F32Store | F64Store, Source::Reg(reg)) = (op, self.source(value)) {
            let value = reg.number();
            if op == F32Store {
                dynasm!(self.asm.code ; .arch aarch64 ; str S(value), [XSP(base), X(index)]);
            } else {
                dynasm!(self.asm.code ; .arch aarch64 ; str D(value), [XSP(base), X(index)]);
            }
            return Ok(());
        }
        // A float that is in no register is stored as an integer.
        let value = self.int_or_zero(value, S1);
        match op {
            I32Store | I64Store32 | F32Store => {
                dynasm!(self.asm.code ; .arch aarch64 ; str W(value), [XSP(base), X(index)]);
            }
            I64Store | F64Store => {
                dynasm!(self.asm.code ; .arch aarch64 ; str X(value), [XSP(base), X(index)]);
            }
            I32Store8 | I64Store8 => {
                dynasm!(self.asm.code ; .arch aarch64 ; strb W(value), [XSP(base), X(index)]);
            }
            I32Store16 | I64Store16 => {
                dynasm!(self.asm.code ; .arch aarch64 ; strh W(value), [XSP(base), X(index)]);
            }
            _ => return Err(Unsupported("a store")),
        }
        Ok(())
    }
}

/// How wide an access is.
fn log2_width(num: Option<Num>) -> u32 {
    match num {
        Some(Num::i8 | Num::u8) => 0,
        Some(Num::i16 | Num::u16) => 1,
        Some(Num::u32 | Num::i32 | Num::f32) => 2,
        _ => 3,
    }
}
