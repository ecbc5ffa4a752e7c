//! Loads, stores and globals.
//!
//! An address in a spill slot is put in rcx, and stays there for an access that is folded into the next instruction.

use super::{
    asm::{Alu, Opcode, Rm, cc, imm, op, op_0f, op_66},
    control::Slow,
    float::scalar,
    function::{Emit, MEMORY_BASE, Src},
    regs::*,
};
use crate::{
    ir::{Arg, Inst, Ty, Vreg},
    isa::Unsupported,
};
use core::mem::offset_of;
use kinglet_core::{
    index::GlobalIdx,
    op::Op,
    runtime::vmctx::{VmInstance, memory_limit},
    translate::MemArg,
    trap::Trap,
};

const GLOBALS: i32 = offset_of!(VmInstance, globals) as i32;
const MEMORIES: i32 = offset_of!(VmInstance, memories) as i32;

/// What stands for constant addresses among registers that hold checked ones.
const CONSTANT: Vreg = Vreg(u32::MAX);

/// How a number lies in memory.
#[derive(Clone, Copy)]
struct Access {
    log2: u32,
    opcode: Opcode,
    /// The prefix for an operand of 64 bits, if it is one.
    rex: u8,
    float: bool,
}

impl Access {
    fn load(op: Op) -> Result<Access, Unsupported> {
        use Op::*;
        let int = |log2, opcode, rex| Access { log2, opcode, rex, float: false };
        Ok(match op {
            I32Load8U | I64Load8U => int(0, op_0f(0xb6), 0),
            I32Load8S => int(0, op_0f(0xbe), 0),
            I64Load8S => int(0, op_0f(0xbe), 0x48),
            I32Load16U | I64Load16U => int(1, op_0f(0xb7), 0),
            I32Load16S => int(1, op_0f(0xbf), 0),
            I64Load16S => int(1, op_0f(0xbf), 0x48),
            I64Load32S => int(2, self::op(0x63), 0x48),
            I32Load | I64Load32U => int(2, self::op(0x8b), 0),
            I64Load => int(3, self::op(0x8b), 0x48),
            F32Load => Access { log2: 2, opcode: scalar(false, 0x10), rex: 0, float: true },
            F64Load => Access { log2: 3, opcode: scalar(true, 0x10), rex: 0, float: true },
            _ => return Err(Unsupported("not a plain load")),
        })
    }

    fn store(op: Op) -> Result<Access, Unsupported> {
        use Op::*;
        let int = |log2, opcode, rex| Access { log2, opcode, rex, float: false };
        Ok(match op {
            I32Store8 | I64Store8 => int(0, self::op(0x88), 0),
            I32Store16 | I64Store16 => int(1, op_66(0x89), 0),
            I32Store | I64Store32 => int(2, self::op(0x89), 0),
            I64Store => int(3, self::op(0x89), 0x48),
            F32Store => Access { log2: 2, opcode: scalar(false, 0x11), rex: 0, float: true },
            F64Store => Access { log2: 3, opcode: scalar(true, 0x11), rex: 0, float: true },
            _ => return Err(Unsupported("not a plain store")),
        })
    }

    fn width(self) -> u64 {
        1 << self.log2
    }

    fn wide(self) -> bool {
        self.log2 == 3
    }
}

impl Emit<'_> {
    /// A register is about to be written.
    #[inline]
    pub(super) fn written(&mut self, vreg: Vreg) {
        if vreg.0 < self.function.locals {
            self.known.written(vreg);
        }
    }

    pub(super) fn load(
        &mut self,
        op: Op,
        dst: Vreg,
        address: Arg,
        offset: u32,
    ) -> Result<(), Unsupported> {
        let access = Access::load(op)?;
        let at = self.address(access, address, offset);
        if self.can_fold(op, dst) {
            self.folded = Some((dst, at));
        } else {
            self.written(dst);
            self.load_from(access, dst, at);
        }
        Ok(())
    }

    pub(super) fn store(
        &mut self,
        op: Op,
        address: Arg,
        value: Arg,
        offset: u32,
    ) -> Result<(), Unsupported> {
        let access = Access::store(op)?;
        let at = self.address(access, address, offset);
        self.store_to(access, at, value);
        Ok(())
    }

    pub(super) fn load_far(
        &mut self,
        op: Op,
        dst: Vreg,
        address: Arg,
        at: u32,
    ) -> Result<(), Unsupported> {
        let access = Access::load(op)?;
        let at = self.address_far(access.log2, address, self.function.memargs[at as usize]);
        self.load_from(access, dst, at);
        Ok(())
    }

    pub(super) fn store_far(
        &mut self,
        op: Op,
        address: Arg,
        value: Arg,
        at: u32,
    ) -> Result<(), Unsupported> {
        let access = Access::store(op)?;
        let at = self.address_far(access.log2, address, self.function.memargs[at as usize]);
        self.store_to(access, at, value);
        Ok(())
    }

    fn load_from(&mut self, access: Access, dst: Vreg, at: Rm) {
        if self.is_nowhere(dst) {
            return;
        }
        let dst = self.dst(dst, if access.float { X15 } else { RAX });
        self.asm.rm(access.opcode, access.rex, dst.reg, at);
        if access.float {
            self.put_float(access.wide(), dst);
        } else {
            self.put_int(dst);
        }
    }

    fn store_to(&mut self, access: Access, at: Rm, value: Arg) {
        let wide = access.wide();
        let value = self.src(value);
        if let (true, Src::Rm(Rm::Reg(reg))) = (access.float, value) {
            return self.asm.rm(access.opcode, 0, reg, at);
        }
        // Floats that are not in registers pass through those for integers.
        let value_imm = match value {
            Src::Const(bits) => imm(wide, bits),
            Src::Rm(_) => None,
        };
        if let Some(value) = value_imm {
            return match access.log2 {
                0 => {
                    self.asm.rm(op(0xc6), 0, 0, at);
                    self.asm.byte(value as u8);
                }
                1 => {
                    self.asm.rm(op_66(0xc7), 0, 0, at);
                    self.asm.byte(value as u8);
                    self.asm.byte((value >> 8) as u8);
                }
                _ => self.asm.mov_to_imm(wide, at, value),
            };
        }
        let reg = self.int_reg(wide, value, RAX);
        match access.log2 {
            0 => self.asm.rm(op(0x88), if reg >= 4 { 0x40 } else { 0 }, reg, at),
            1 => self.asm.rm(op_66(0x89), 0, reg, at),
            _ => self.asm.mov_to(wide, at, reg),
        }
    }

    /// The place of an access to the first memory, which is checked. Besides what it returns, rdx is used.
    fn address(&mut self, access: Access, address: Arg, offset: u32) -> Rm {
        let limit = -(memory_limit(access.log2) as i8);
        if let Some(bits) = self.function.const_bits(address) {
            let at = u64::from(bits as u32) + u64::from(offset);
            let known = self.is_checked(CONSTANT, at + access.width());
            return match i32::try_from(at) {
                Ok(at) => {
                    if !known {
                        self.asm.alu_imm(Alu::Cmp, true, Rm::At(R14, limit.into()), at);
                        self.trap_if(cc::L, Trap::MemoryOutOfBounds);
                    }
                    Rm::At(R14, at)
                }
                Err(_) => {
                    self.asm.mov_imm(RCX, at);
                    if !known {
                        self.check_limit(RCX, limit);
                    }
                    Rm::Sum(R14, RCX, 0)
                }
            };
        }
        let end = u64::from(offset) + access.width();
        let known = match address.vreg() {
            Some(vreg) if vreg.0 < self.function.locals => self.is_checked(vreg, end),
            _ => false,
        };
        let reg = self.int_reg(false, self.src(address), RCX);
        let Ok(offset) = i32::try_from(offset) else {
            self.asm.mov_imm(RDX, offset.into());
            self.asm.lea(true, RCX, Rm::Sum(RDX, reg, 0));
            if !known {
                self.check_limit(RCX, limit);
            }
            return Rm::Sum(R14, RCX, 0);
        };
        if !known {
            let mut sum = reg;
            if offset != 0 {
                self.asm.lea(true, RDX, Rm::At(reg, offset));
                sum = RDX;
            }
            self.check_limit(sum, limit);
        }
        Rm::Sum(R14, reg, offset)
    }

    /// Traps if an address lies above the limit.
    fn check_limit(&mut self, reg: u8, limit: i8) {
        let from = self.asm.jump_above(reg, limit);
        self.cold(from, Slow::Trap(Trap::MemoryOutOfBounds));
    }

    /// Whether an access that ends there needs no check. If it does, it is checked from now on.
    fn is_checked(&mut self, address: Vreg, end: u64) -> bool {
        let known = self.known.covers(address, end);
        if !known {
            self.known.checked(address, end);
        }
        known
    }

    /// The place of an access to any memory, which is checked. It is addressed by rcx, and rdx perhaps.
    pub(super) fn address_far(&mut self, log2: u32, address: Arg, memory: MemArg) -> Rm {
        let address = self.src(address);
        if memory.is_64 {
            self.mov_int(true, RCX, address);
            match i32::try_from(memory.offset) {
                Ok(0) => {}
                Ok(offset) => self.asm.alu_imm(Alu::Add, true, Rm::Reg(RCX), offset),
                Err(_) => {
                    self.asm.mov_imm(RDX, memory.offset);
                    self.asm.alu(Alu::Add, true, RCX, Rm::Reg(RDX));
                }
            }
            if memory.offset != 0 {
                self.trap_if(cc::B, Trap::MemoryOutOfBounds);
            }
            // Limits are signed, and no memory is that large.
            self.asm.test(true, RCX, Rm::Reg(RCX));
            self.trap_if(cc::S, Trap::MemoryOutOfBounds);
        } else {
            self.mov_int(false, RCX, address);
            match i32::try_from(memory.offset) {
                Ok(0) => {}
                Ok(offset) => self.asm.alu_imm(Alu::Add, true, Rm::Reg(RCX), offset),
                Err(_) => {
                    self.asm.mov_imm(RDX, memory.offset);
                    self.asm.alu(Alu::Add, true, RCX, Rm::Reg(RDX));
                }
            }
        }
        let mut base = R14;
        if memory.memory.0 != 0 {
            base = RDX;
            x64!(self.asm.code; mov rdx, [r15 + MEMORIES]);
            self.asm.mov(true, RDX, Rm::At(RDX, table_entry(memory.memory.0)));
            self.asm.mov(true, RDX, Rm::At(RDX, MEMORY_BASE));
        }
        self.asm.alu(Alu::Cmp, true, RCX, Rm::At(base, -(memory_limit(log2) as i32)));
        self.trap_if(cc::G, Trap::MemoryOutOfBounds);
        Rm::Sum(base, RCX, 0)
    }

    /// Whether the next instruction, the only one to read what a load gives, can read it from memory itself.
    fn can_fold(&self, load: Op, dst: Vreg) -> bool {
        let Some(next) = self.function.insts.get(self.inst + 1) else {
            return false;
        };
        let read = Arg::from(dst);
        let (op, a, b) = match *next {
            Inst::Op { op, dst, a, b } if !self.is_nowhere(dst) => (op, a, b),
            Inst::Branch { op, a, b, .. } => (op, a, b),
            _ => return false,
        };
        if a != read && b != read || a == b || !self.is_single(dst) {
            return false;
        }
        use Op::*;
        match load {
            I32Load => matches!(
                op,
                I32Add
                    | I32Sub
                    | I32And
                    | I32Or
                    | I32Xor
                    | I32Mul
                    | I32Eq
                    | I32Ne
                    | I32LtS
                    | I32LtU
                    | I32GtS
                    | I32GtU
                    | I32LeS
                    | I32LeU
                    | I32GeS
                    | I32GeU
            ),
            I64Load => matches!(
                op,
                I64Add
                    | I64Sub
                    | I64And
                    | I64Or
                    | I64Xor
                    | I64Mul
                    | I64Eq
                    | I64Ne
                    | I64LtS
                    | I64LtU
                    | I64GtS
                    | I64GtU
                    | I64LeS
                    | I64LeU
                    | I64GeS
                    | I64GeU
            ),
            F32Load => match op {
                F32Add | F32Sub | F32Mul | F32Div => b == read,
                F32Sqrt | F64PromoteF32 => true,
                _ => false,
            },
            F64Load => match op {
                F64Add | F64Sub | F64Mul | F64Div => b == read,
                F64Sqrt | F32DemoteF64 => true,
                _ => false,
            },
            _ => false,
        }
    }

    pub(super) fn global_get(&mut self, dst: Vreg, global: GlobalIdx) {
        if self.is_nowhere(dst) {
            return;
        }
        let ty = self.ty(dst);
        let cell = self.global(global);
        if ty.is_float() {
            let dst = self.dst(dst, X15);
            self.mov_float(ty.is_wide(), dst.reg, Src::Rm(cell));
            self.put_float(ty.is_wide(), dst);
        } else {
            let dst = self.dst(dst, RAX);
            self.asm.mov(ty.is_wide(), dst.reg, cell);
            self.put_int(dst);
        }
    }

    pub(super) fn global_set(&mut self, ty: Ty, global: GlobalIdx, value: Arg) {
        let cell = self.global(global);
        match self.src(value) {
            Src::Rm(Rm::Reg(reg)) if ty.is_float() => {
                self.asm.sse(scalar(ty.is_wide(), 0x11), reg, cell);
            }
            value => self.store_int(ty.is_wide(), cell, value),
        }
    }

    /// The cell of a global, addressed by rax.
    fn global(&mut self, global: GlobalIdx) -> Rm {
        x64!(self.asm.code; mov rax, [r15 + GLOBALS]);
        self.asm.mov(true, RAX, Rm::At(RAX, table_entry(global.0)));
        Rm::At(RAX, 0)
    }
}

/// Where the pointer to something of this number stands in a list of an instance.
pub(super) fn table_entry(index: u32) -> i32 {
    // Modules have far fewer than that.
    (index & 0xfff_ffff) as i32 * 8
}
