//! Jumps, traps, fuel, and what stands behind a function.

use super::{
    Cold, Emit, Rare, Stub,
    asm::{Cond, INSTANCE, S0, S1, S2, float, sized},
};
use crate::{
    ir::{Arg, Inst, Label, List},
    isa::{Target, buffer::Code},
};
use dynasmrt::{DynasmApi, dynasm};
use kinglet_core::{
    op::Op,
    runtime::vmctx::{VmInstance, native::VmStore},
    trap::Trap,
};
use std::mem::offset_of;

impl Emit<'_> {
    pub(super) fn jump(&mut self, to: Label, next: Option<&Inst>) {
        if !matches!(next, Some(&Inst::Label { label, .. }) if label == to) {
            let at = self.asm.jump();
            self.jumps.push((at, to));
        }
    }

    pub(super) fn branch(&mut self, op: Op, when: bool, a: Arg, b: Arg, to: Label) {
        let at = match self.zero_test(op, a, b) {
            Some((wide, reg, zero)) => self.asm.jump_if_zero(wide, reg, zero == when),
            None => {
                let cond = self.flags(op, a, b);
                self.asm.jump_if(if when { cond } else { cond.not() })
            }
        };
        self.jumps.push((at, to));
    }

    /// Whether a comparison looks for zero: in how wide a register, and whether it holds for zero.
    fn zero_test(&mut self, op: Op, a: Arg, b: Arg) -> Option<(bool, u8, bool)> {
        use Op::*;
        let (wide, zero) = match op {
            I32Eq => (false, true),
            I32Ne => (false, false),
            I64Eq => (true, true),
            I64Ne => (true, false),
            _ => return None,
        };
        let a = match (self.constant(a, wide), self.constant(b, wide)) {
            (_, Some(0)) => a,
            (Some(0), _) => b,
            _ => return None,
        };
        let reg = self.int(a, S0);
        Some((wide, reg, zero))
    }

    pub(super) fn jump_table(&mut self, index: Arg, targets: List) {
        let range = targets.start as usize..(targets.start + targets.len) as usize;
        let function = self.function;
        let targets = &function.targets[range];
        let last = targets.len().saturating_sub(1) as u32;
        let index = self.int(index, S0);
        self.asm.imm(S1, last.into());
        sized!(self.asm, false, cmp index, S1);
        self.asm.csel(false, S0, index, S1, Cond::LO);
        let adr = self.asm.adr(S1);
        dynasm!(self.asm.code
            ; .arch aarch64
            ; ldrsw x16, [x17, x16, lsl 2]
            ; add x17, x17, x16
            ; br x17
        );
        self.asm.here(adr);
        let table = self.asm.code.at();
        for (i, &label) in targets.iter().enumerate() {
            self.tables.push((table + 4 * i as u32, table, label));
            self.asm.code.push_u32(0);
        }
    }

    pub(super) fn fuel(&mut self, point: u32) {
        let cost = self.function.costs[point as usize];
        let fuel = offset_of!(VmStore, fuel) as u32;
        self.asm.load(S1, INSTANCE, offset_of!(VmInstance, store) as u32);
        self.asm.load(S0, S1, fuel);
        if cost < 4096 {
            dynasm!(self.asm.code ; .arch aarch64 ; subs X(S0), XSP(S0), cost);
        } else {
            self.asm.imm(S2, cost.into());
            dynasm!(self.asm.code ; .arch aarch64 ; subs X(S0), X(S0), X(S2));
        }
        let from = self.asm.jump_if(Cond::LO);
        self.asm.store(S0, S1, fuel);
        self.rarely(from, Rare::Fuel { cost });
    }

    pub(super) fn trap(&mut self, trap: Trap) {
        self.stop(trap, self.inst);
    }

    /// What stands behind the function.
    pub(super) fn cold(&mut self) {
        let cold = std::mem::take(&mut self.cold);
        let mut last: Option<(&Cold, u32)> = None;
        for cold in &cold {
            let inst = cold.inst as usize;
            // Checks of the same instruction trap at the same place.
            if let Some((same, at)) = last
                && (same.what, same.inst) == (cold.what, cold.inst)
                && matches!(cold.what, Rare::Trap(_) | Rare::NoInteger { .. })
            {
                super::asm::link(&mut self.asm.code.bytes, cold.from, at);
                continue;
            }
            last = Some((cold, self.asm.code.at()));
            self.asm.here(cold.from);
            match cold.what {
                Rare::Trap(trap) => self.stop(trap, inst),
                Rare::NoInteger { reg, wide } => {
                    float!(self.asm, wide, fcmp reg, reg);
                    let nan = self.asm.jump_if(Cond::VS);
                    self.stop(Trap::IntegerOverflow, inst);
                    self.asm.here(nan);
                    self.stop(Trap::BadConversionToInteger, inst);
                }
                Rare::Overflow => {
                    // The caller's call is what traps.
                    let at = self.asm.jump();
                    self.asm.code.relocate(at, Code::trap(Trap::StackOverflow));
                }
                Rare::Fuel { cost } => {
                    self.asm.imm(S0, cost.into());
                    self.keep_link();
                    self.call_stub(Stub::Fuel, inst);
                    self.restore_link();
                    self.back(cold);
                }
                Rare::CheckType(ty) => {
                    self.asm.imm(S1, ty.0.into());
                    self.call_stub(Stub::CheckType, inst);
                    self.back(cold);
                }
                Rare::Cross { shape } => {
                    self.cross(shape, inst);
                    self.back(cold);
                }
            }
        }
        // A return address of the last call must not be the address of another function.
        self.asm.stop();
    }

    /// Calls a stub.
    pub(super) fn call_stub(&mut self, stub: Stub, inst: usize) {
        let at = self.asm.call();
        self.asm.code.relocate(at, Target::Stub(stub));
        self.asm.code.site(inst, false);
    }

    fn stop(&mut self, trap: Trap, inst: usize) {
        self.keep_link();
        self.call_stub(Stub::Trap(trap), inst);
    }

    fn back(&mut self, cold: &Cold) {
        let at = self.asm.jump();
        super::asm::link(&mut self.asm.code.bytes, at, cold.back);
    }
}
