//! arm64. `docs/jit.md` says how registers are used.
#![allow(
    clippy::useless_conversion,
    reason = "the assembler's macro converts whatever it is given"
)]

mod asm;
mod call;
mod control;
mod float;
mod frame;
mod int;
mod memory;
mod stubs;
#[cfg(test)]
mod tests;

use self::{
    asm::{Asm, Cond, F0, S0, S1, S2, SP, ZERO},
    frame::Frame,
};
use super::{FrameLayout, Isa, Stub, Unsupported, buffer::Code, known::Known};
use crate::{
    abi::Shape,
    ir::{Arg, Function, Inst, Label, Ty, Vreg},
    regs::{Allocation, Place, Reg, RegSet, Registers},
};
use kinglet_core::{index::TypeIdx, module::Module, op::Class, trap::Trap};

/// The instruction set of arm64: any processor of ARMv8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Arm64;

const INT_ARGS: [Reg; 8] = [
    Reg::int(0),
    Reg::int(1),
    Reg::int(2),
    Reg::int(3),
    Reg::int(4),
    Reg::int(5),
    Reg::int(6),
    Reg::int(7),
];
const FLOAT_ARGS: [Reg; 8] = [
    Reg::float(0),
    Reg::float(1),
    Reg::float(2),
    Reg::float(3),
    Reg::float(4),
    Reg::float(5),
    Reg::float(6),
    Reg::float(7),
];

/// x0 to x14 and v0 to v29.
const CALLER_SAVED: RegSet = RegSet(0x3fff_ffff_0000_7fff);
/// x19 to x26.
const CALLEE_SAVED: RegSet = RegSet(0x07f8_0000);

static REGISTERS: Registers = Registers {
    caller_saved: CALLER_SAVED,
    callee_saved: CALLEE_SAVED,
    int_args: &INT_ARGS,
    float_args: &FLOAT_ARGS,
};

/// Functions with more code than this are left to the interpreter: conditional branches reach a megabyte.
const MAX_CODE: u32 = 900 << 10;

impl Isa for Arm64 {
    const REGISTERS: &'static Registers = &REGISTERS;

    fn function(
        &self,
        module: &Module,
        function: &Function,
        allocation: &Allocation,
        shapes: &dyn Fn(TypeIdx) -> Option<u32>,
        code: &mut Code,
    ) -> Result<FrameLayout, Unsupported> {
        code.begin(function.labels.len());
        let frame = Frame::of(module, function, allocation)?;
        let memory = module.memories.first().filter(|memory| !memory.is_64);
        let start = code.at();
        let mut emit = Emit {
            module,
            function,
            allocation,
            shapes,
            asm: Asm { code },
            frame,
            inst: 0,
            known: Known::default(),
            minimum: memory.map_or(0, |memory| {
                memory.minimum.saturating_mul(1 << memory.page_size_log2.min(16))
            }),
            uses: Vec::new(),
            jumps: Vec::new(),
            tables: Vec::new(),
            cold: Vec::new(),
        };
        emit.prologue()?;
        emit.body(start)?;
        emit.cold();
        if emit.asm.code.at() - start > MAX_CODE {
            return Err(TOO_LARGE);
        }
        emit.link()?;
        Ok(emit.frame.layout)
    }

    fn stub(&self, stub: Stub, shapes: &[Shape], code: &mut Code) {
        stubs::emit(stub, shapes, code);
    }

    fn patch(&self, code: &mut [u8], at: u32, target: u32) {
        asm::link(code, at, target);
    }
}

const TOO_LARGE: Unsupported = Unsupported("the code of the function is too large");

/// What a function is emitted with.
struct Emit<'a> {
    module: &'a Module,
    function: &'a Function,
    allocation: &'a Allocation,
    shapes: &'a dyn Fn(TypeIdx) -> Option<u32>,
    asm: Asm<'a>,
    frame: Frame,
    /// The instruction that is emitted.
    inst: usize,
    known: Known,
    /// How many bytes the first memory has at least.
    minimum: u64,
    /// How often each register is read, if somebody has wanted to know.
    uses: Vec<u32>,
    /// Branches to labels.
    jumps: Vec<(u32, Label)>,
    /// Entries of jump tables: where they stand, where their table begins, and the label.
    tables: Vec<(u32, u32, Label)>,
    /// What is rarely done stands behind the function.
    cold: Vec<Cold>,
}

/// Something that is rarely done.
#[derive(Clone, Copy, Debug)]
struct Cold {
    /// The branch that leads to it.
    from: u32,
    /// The instruction that it belongs to.
    inst: u32,
    /// Where to go on.
    back: u32,
    what: Rare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rare {
    Trap(Trap),
    /// A float that has no integer: a trap that depends on whether it is NaN.
    NoInteger {
        reg: u8,
        wide: bool,
    },
    /// The stack is too small for a large frame, which is not there yet.
    Overflow,
    Fuel {
        cost: u32,
    },
    /// The type of the function in the first scratch register is not exactly this one.
    CheckType(TypeIdx),
    /// A call of the function in the first scratch register, which is of another instance or not compiled.
    Cross {
        shape: u32,
    },
}

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Reg(Reg),
    /// In memory, so far above the stack pointer.
    Stack(u32),
    Const(u64),
}

impl Emit<'_> {
    fn body(&mut self, start: u32) -> Result<(), Unsupported> {
        let insts = &self.function.insts;
        let mut i = 0;
        while let Some(inst) = insts.get(i) {
            self.inst = i;
            i += 1;
            match (*inst, insts.get(i)) {
                (
                    Inst::Op { op, dst, a, b },
                    Some(&Inst::Select { dst: to, condition, a: x, b: y }),
                ) if op.class() == Class::cmp && condition == Arg::from(dst) => {
                    let cond = self.flags(op, a, b);
                    // Neither writing the condition nor what follows changes the flags.
                    if self.reads(dst) > 1 {
                        self.set(dst, cond);
                    }
                    self.known.written(dst);
                    self.select_on(cond, to, x, y);
                    self.known.written(to);
                    i += 1;
                }
                (inst, next) => {
                    self.inst(inst, next)?;
                    let known = &mut self.known;
                    self.function.defs(&inst, |vreg| known.written(vreg));
                }
            }
            // Long before positions could overflow.
            if self.asm.code.at() - start > MAX_CODE {
                return Err(TOO_LARGE);
            }
        }
        Ok(())
    }

    fn inst(&mut self, inst: Inst, next: Option<&Inst>) -> Result<(), Unsupported> {
        match inst {
            Inst::Op { op, dst, a, b } => self.op(op, dst, a, b)?,
            Inst::ShiftAdd { wide, shift, dst, a, b } => self.shift_add(wide, shift, dst, a, b),
            Inst::Move { dst, a } => self.copy(dst, a),
            Inst::Select { dst, condition, a, b } => {
                let reg = self.int(condition, S0);
                self.asm.cmp_imm(false, reg, 0);
                self.select_on(Cond::NE, dst, a, b);
            }
            Inst::Load { op, dst, address, offset } => self.load(op, dst, address, offset)?,
            Inst::Store { op, address, value, offset } => {
                self.store(op, address, value, offset)?;
            }
            Inst::LoadFar { op, dst, address, at } => self.load_far(op, dst, address, at)?,
            Inst::StoreFar { op, address, value, at } => self.store_far(op, address, value, at)?,
            Inst::GlobalGet { dst, global } => self.global_get(dst, global),
            Inst::GlobalSet { ty, global, value } => self.global_set(ty, global, value),
            Inst::Label { label, .. } => {
                self.asm.code.bind(label);
                self.known.clear();
            }
            Inst::Jump { to } => self.jump(to, next),
            Inst::Branch { op, when, a, b, to } => self.branch(op, when, a, b, to),
            Inst::JumpTable { index, targets } => self.jump_table(index, targets),
            Inst::Call { site } => self.call(site)?,
            Inst::TailCall { site } => self.tail_call(site)?,
            Inst::Return { values } => self.ret(values),
            Inst::Runtime { site } => self.runtime(site),
            Inst::Fuel { point } => self.fuel(point),
            Inst::Trap { trap } => self.trap(trap),
        }
        Ok(())
    }

    /// How often a register is read.
    fn reads(&mut self, vreg: Vreg) -> u32 {
        if self.uses.is_empty() {
            self.uses.resize(self.function.vregs.len(), 0);
            let uses = &mut self.uses;
            for inst in &self.function.insts {
                self.function.uses(inst, |arg| {
                    if let Some(vreg) = arg.vreg() {
                        uses[vreg.0 as usize] += 1;
                    }
                });
            }
        }
        self.uses[vreg.0 as usize]
    }

    fn ty(&self, vreg: Vreg) -> Ty {
        self.function.vregs[vreg.0 as usize]
    }

    fn source(&self, arg: Arg) -> Source {
        match arg.vreg().map(|vreg| self.allocation.place(vreg)) {
            Some(Place::Reg(reg)) => Source::Reg(reg),
            Some(Place::Slot(slot)) => Source::Stack(self.slot(slot)),
            // A register that nobody reads has no value that matters.
            Some(Place::Nowhere) => Source::Const(0),
            None => Source::Const(self.function.const_bits(arg).unwrap_or(0)),
        }
    }

    /// Where a spill slot is above the stack pointer.
    fn slot(&self, slot: u32) -> u32 {
        self.frame.layout.slots_at + 8 * slot
    }

    /// The bits of a constant integer, the upper half as an `i32` has it.
    fn constant(&self, arg: Arg, wide: bool) -> Option<u64> {
        let bits = self.function.const_bits(arg)?;
        Some(if wide { bits } else { bits & u64::from(u32::MAX) })
    }

    /// The same as a signed number.
    fn signed(&self, arg: Arg, wide: bool) -> Option<i64> {
        let bits = self.function.const_bits(arg)?;
        Some(if wide { bits as i64 } else { (bits as i32).into() })
    }

    /// The register that has an integer: its own, or `scratch`.
    fn int(&mut self, arg: Arg, scratch: u8) -> u8 {
        match self.source(arg) {
            Source::Reg(reg) => return reg.number(),
            Source::Stack(at) => self.asm.load(scratch, SP, at),
            Source::Const(bits) => self.asm.imm(scratch, bits),
        }
        scratch
    }

    /// The same, or the one that is zero. Not for instructions that take that for the stack pointer.
    fn int_or_zero(&mut self, arg: Arg, scratch: u8) -> u8 {
        match self.source(arg) {
            Source::Const(0) => ZERO,
            _ => self.int(arg, scratch),
        }
    }

    /// The register that has a float: its own, or `scratch`. Uses [`S2`] for constants.
    fn float(&mut self, arg: Arg, wide: bool, scratch: u8) -> u8 {
        match self.source(arg) {
            Source::Reg(reg) => return reg.number(),
            Source::Stack(at) => self.asm.load_float(wide, scratch, SP, at),
            Source::Const(bits) => self.asm.float(scratch, bits, wide),
        }
        scratch
    }

    /// The register to compute a result in.
    fn target(&self, dst: Vreg, scratch: u8) -> u8 {
        match self.allocation.place(dst) {
            Place::Reg(reg) => reg.number(),
            _ => scratch,
        }
    }

    /// The result has been computed in `reg`. Uses [`S2`] for far slots.
    fn finish(&mut self, dst: Vreg, reg: u8) {
        let is_float = self.ty(dst).is_float();
        match self.allocation.place(dst) {
            Place::Slot(slot) if is_float => self.asm.store_float(reg, SP, self.slot(slot)),
            Place::Slot(slot) => self.asm.store(reg, SP, self.slot(slot)),
            Place::Reg(own) if is_float => self.asm.fmov(own.number(), reg),
            Place::Reg(own) => self.asm.mov(own.number(), reg),
            Place::Nowhere => {}
        }
    }

    fn copy(&mut self, dst: Vreg, a: Arg) {
        match self.allocation.place(dst) {
            Place::Nowhere => {}
            Place::Reg(reg) => {
                let wide = self.ty(dst).is_wide();
                self.fetch(reg, self.source(a), wide);
            }
            Place::Slot(slot) => {
                self.spill(self.slot(slot), self.source(a), self.ty(dst).is_wide())
            }
        }
    }

    /// Puts an operand in a register. Uses [`S2`] for floats.
    fn fetch(&mut self, to: Reg, from: Source, wide: bool) {
        let d = to.number();
        match (from, to.is_float()) {
            (Source::Reg(reg), false) => self.asm.mov(d, reg.number()),
            (Source::Reg(reg), true) => self.asm.fmov(d, reg.number()),
            (Source::Stack(at), false) if wide => self.asm.load(d, SP, at),
            (Source::Stack(at), false) => self.asm.load32(d, SP, at),
            (Source::Stack(at), true) => self.asm.load_float(wide, d, SP, at),
            (Source::Const(bits), false) => self.asm.imm(d, bits),
            (Source::Const(bits), true) => self.asm.float(d, bits, wide),
        }
    }

    /// Puts an operand in memory, so far above the stack pointer. Uses [`S1`] and [`S2`].
    fn spill(&mut self, to: u32, from: Source, wide: bool) {
        match from {
            Source::Reg(reg) if reg.is_float() => self.asm.store_float(reg.number(), SP, to),
            Source::Reg(reg) => self.asm.store(reg.number(), SP, to),
            Source::Const(0) => self.asm.store(ZERO, SP, to),
            Source::Stack(at) if at == to => {}
            _ => {
                match from {
                    // The upper half of a float's word may be anything.
                    Source::Stack(at) if !wide => self.asm.load32(S1, SP, at),
                    _ => self.fetch(Reg::int(S1), from, wide),
                }
                self.asm.store(S1, SP, to);
            }
        }
    }

    fn select_on(&mut self, cond: Cond, dst: Vreg, a: Arg, b: Arg) {
        let ty = self.ty(dst);
        if ty.is_float() {
            let a = self.float(a, ty.is_wide(), F0);
            let b = self.float(b, ty.is_wide(), asm::F1);
            let d = self.target(dst, F0);
            self.asm.fcsel(ty.is_wide(), d, a, b, cond);
            self.finish(dst, d);
        } else {
            let a = self.int_or_zero(a, S0);
            let b = self.int_or_zero(b, S1);
            let d = self.target(dst, S0);
            self.asm.csel(true, d, a, b, cond);
            self.finish(dst, d);
        }
    }

    /// Traps if the condition holds.
    fn trap_if(&mut self, cond: Cond, trap: Trap) {
        let from = self.asm.jump_if(cond);
        self.rarely(from, Rare::Trap(trap));
    }

    /// Traps if the register is zero.
    fn trap_if_zero(&mut self, wide: bool, reg: u8, trap: Trap) {
        let from = self.asm.jump_if_zero(wide, reg, true);
        self.rarely(from, Rare::Trap(trap));
    }

    /// Does something behind the function, where the branch at `from` leads; and then goes on here.
    fn rarely(&mut self, from: u32, what: Rare) {
        let back = self.asm.code.at();
        self.cold.push(Cold { from, inst: self.inst as u32, back, what });
    }

    /// Lets branches lead to their labels.
    fn link(&mut self) -> Result<(), Unsupported> {
        let Code { bytes, labels, .. } = &mut *self.asm.code;
        for &(at, label) in &self.jumps {
            let target = labels[label.0 as usize];
            if !asm::link(bytes, at, target) {
                return Err(TOO_LARGE);
            }
        }
        for &(at, table, label) in &self.tables {
            let offset = labels[label.0 as usize].wrapping_sub(table);
            bytes[at as usize..at as usize + 4].copy_from_slice(&offset.to_le_bytes());
        }
        Ok(())
    }
}

// Instructions that name them in full rely on it.
const _: () = assert!(S0 == 16 && S1 == 17 && S2 == 15);
