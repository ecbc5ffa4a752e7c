//! Branches, fuel and traps, and the code behind the function that they lead to.

use super::{
    asm::{Alu, Rm, cc},
    compare::Cond,
    function::{Emit, STORE, Src},
    regs::*,
};
use crate::{
    ir::{Arg, Inst, Label, List},
    isa::{Stub, Target, Unsupported, buffer::UNBOUND},
};
use core::mem::offset_of;
use dynasmrt::DynasmApi;
use kinglet_core::{index::TypeIdx, op::Op, runtime::vmctx::native::VmStore, trap::Trap};

const FUEL: i32 = offset_of!(VmStore, fuel) as i32;

/// A displacement of four bytes that leads to a label.
pub(super) struct Fixup {
    at: u32,
    label: Label,
}

/// What is seldom done, and stands behind the function.
pub(super) struct Cold {
    /// The displacement of the jump that leads there.
    from: u32,
    /// Where it leads back to.
    back: u32,
    /// The instruction that it is for.
    inst: usize,
    what: Slow,
}

/// What is seldom done.
#[derive(Clone, Copy)]
pub(super) enum Slow {
    Trap(Trap),
    /// Fuel does not suffice for the cost.
    Fuel(u32),
    /// The type of what is called is not the one wanted.
    CheckType(TypeIdx),
    /// What is called is of another instance, or not compiled: with the stub for that.
    Cross(u32),
    /// What is called is compiled, and of another instance.
    Elsewhere,
    /// The same for a tail call, with how many words it is given.
    CrossTail(u32, u32),
}

/// The targets of a jump table, and the displacement that leads to them.
pub(super) struct Table {
    at: u32,
    targets: List,
}

/// Jump tables with no more targets than this are comparisons.
const FEW: u32 = 4;

impl Emit<'_> {
    pub(super) fn jump_unless_next(&mut self, to: Label) {
        match self.function.insts.get(self.inst + 1) {
            Some(&Inst::Label { label, .. }) if label == to => {}
            _ => self.jump(to),
        }
    }

    fn jump(&mut self, to: Label) {
        self.jump_to(None, to);
    }

    /// Jumps to a label, if a condition holds.
    fn jump_to(&mut self, condition: Option<u8>, to: Label) {
        match self.asm.code.labels.get(to.0 as usize) {
            Some(&at) if at != UNBOUND => self.asm.jump_back(condition, at),
            _ => {
                let at = match condition {
                    Some(condition) => self.asm.jump_if(condition),
                    None => self.asm.jump(),
                };
                self.fixups.push(Fixup { at, label: to });
            }
        }
    }

    pub(super) fn branch(&mut self, op: Op, when: bool, a: Arg, b: Arg, to: Label) {
        let cond = self.compare(op, a, b);
        self.jump_on(if when { cond } else { cond.negated() }, to);
    }

    /// Jumps if the flags say so.
    pub(super) fn jump_on(&mut self, cond: Cond, to: Label) {
        let (mut cond, mut to) = (cond, to);
        // A branch over a jump is a branch to where that leads.
        let next = self.function.insts.get(self.inst + 1..self.inst + 3);
        if let Some(&[Inst::Jump { to: elsewhere }, Inst::Label { label, .. }]) = next
            && label == to
        {
            self.inst += 1;
            cond = cond.negated();
            to = elsewhere;
        }
        match cond {
            Cond::One(condition) => self.jump_to(Some(condition), to),
            Cond::Either(first, second) => {
                self.jump_to(Some(first), to);
                self.jump_to(Some(second), to);
            }
            Cond::Both(first, second) => {
                let over = self.asm.skip(first ^ 1);
                self.jump_to(Some(second), to);
                self.asm.land(over);
            }
        }
    }

    pub(super) fn jump_table(&mut self, index: Arg, targets: List) {
        let function = self.function;
        let labels = &function.targets[targets.start as usize..][..targets.len as usize];
        let Some((&last, few)) = labels.split_last() else {
            return;
        };
        let index = self.int_reg(false, self.src(index), RAX);
        if targets.len <= FEW {
            for (number, &to) in few.iter().enumerate() {
                if to == last {
                    continue;
                }
                if number == 0 {
                    self.asm.test(false, index, Rm::Reg(index));
                } else {
                    self.asm.alu_imm(Alu::Cmp, false, Rm::Reg(index), number as i32);
                }
                self.jump_to(Some(cc::E), to);
            }
            return self.jump_unless_next(last);
        }
        // The lower one of the index and the number of the last target, without a branch to guess.
        self.asm.mov_imm(RCX, u64::from(targets.len) - 1);
        self.asm.alu(Alu::Cmp, false, index, Rm::Reg(RCX));
        self.asm.cmov(cc::B, false, RCX, Rm::Reg(index));
        x64!(self.asm.code; .bytes [0x48, 0x8d, 0x15]; .i32 0);
        let at = self.asm.at() - 4;
        self.tables.push(Table { at, targets });
        x64!(self.asm.code; movsxd rcx, DWORD [rdx + rcx * 4]; add rcx, rdx; jmp rcx);
    }

    pub(super) fn fuel(&mut self, point: u32) {
        let cost = self.function.costs[point as usize];
        if cost == 0 {
            return;
        }
        x64!(self.asm.code; mov rax, [r15 + STORE]);
        self.with_fuel(Alu::Sub, cost);
        let from = self.asm.jump_if(cc::B);
        self.cold(from, Slow::Fuel(cost));
    }

    /// Adds a cost to the fuel of the store in rax, or subtracts it.
    fn with_fuel(&mut self, alu: Alu, cost: u32) {
        match i32::try_from(cost) {
            Ok(cost) => self.asm.alu_imm(alu, true, Rm::At(RAX, FUEL), cost),
            Err(_) => {
                self.asm.mov_imm(RCX, cost.into());
                self.asm.alu_to(alu, true, Rm::At(RAX, FUEL), RCX);
            }
        }
    }

    pub(super) fn trap(&mut self, trap: Trap) {
        self.call_stub(Stub::Trap(trap));
        self.asm.code.site(self.inst, false);
    }

    /// Traps if the flags say so.
    pub(super) fn trap_if(&mut self, condition: u8, trap: Trap) {
        let from = self.asm.jump_if(condition);
        self.cold(from, Slow::Trap(trap));
    }

    pub(super) fn trap_always(&mut self, trap: Trap) {
        let from = self.asm.jump();
        self.cold(from, Slow::Trap(trap));
    }

    /// Here it goes on after what a jump leads to.
    pub(super) fn cold(&mut self, from: u32, what: Slow) {
        let back = self.asm.at();
        self.cold.push(Cold { from, back, inst: self.inst, what });
    }

    pub(super) fn call_stub(&mut self, stub: Stub) {
        self.lead_out(0xe8, Target::Stub(stub));
    }

    /// A call or jump out of the function, by its opcode.
    pub(super) fn lead_out(&mut self, opcode: u8, target: Target) {
        let at = self.asm.ahead(opcode);
        self.asm.code.relocate(at, target);
    }

    pub(super) fn cold_code(&mut self) {
        let cold = core::mem::take(&mut self.cold);
        for Cold { from, back, inst, what } in cold {
            let here = self.asm.at();
            self.asm.lead(from, here);
            self.inst = inst;
            match what {
                Slow::Trap(trap) => {
                    self.trap(trap);
                    continue;
                }
                Slow::Fuel(cost) => {
                    self.with_fuel(Alu::Add, cost);
                    self.mov_int(false, RAX, Src::Const(cost.into()));
                    self.call_stub(Stub::Fuel);
                    self.asm.code.site(inst, false);
                }
                Slow::CheckType(ty) => {
                    self.mov_int(false, RCX, Src::Const(ty.0.into()));
                    self.call_stub(Stub::CheckType);
                    self.asm.code.site(inst, false);
                }
                Slow::Cross(shape) => self.cross(shape),
                Slow::Elsewhere => self.elsewhere(),
                Slow::CrossTail(shape, words) => {
                    self.cross_tail(shape, words);
                    continue;
                }
            }
            self.asm.jump_back(None, back);
        }
    }

    /// Lets jumps lead to their labels.
    pub(super) fn resolve(&mut self) -> Result<(), Unsupported> {
        for Fixup { at, label } in core::mem::take(&mut self.fixups) {
            let to = self.bound(label)?;
            self.asm.lead(at, to);
        }
        Ok(())
    }

    fn bound(&self, label: Label) -> Result<u32, Unsupported> {
        match self.asm.code.labels.get(label.0 as usize) {
            Some(&at) if at != UNBOUND => Ok(at),
            _ => Err(Unsupported("a jump to nowhere")),
        }
    }

    /// Jump tables: distances from their beginning.
    pub(super) fn tables(&mut self) -> Result<(), Unsupported> {
        let function = self.function;
        for Table { at, targets } in core::mem::take(&mut self.tables) {
            x64!(self.asm.code; .align 4);
            let start = self.asm.at();
            self.asm.lead(at, start);
            for label in &function.targets[targets.start as usize..][..targets.len as usize] {
                let to = self.bound(*label)?;
                self.asm.code.push_u32(to.wrapping_sub(start));
            }
        }
        Ok(())
    }
}
