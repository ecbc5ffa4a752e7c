//! How values get where they are passed, and from there to where they are kept.

use super::{
    asm::Rm,
    float::scalar,
    function::{Emit, Src},
    regs::*,
};
use crate::{
    abi::{Assigner, Passed},
    ir::{Arg, List, Ty, Vreg},
    isa::{Unsupported, moves::Moves},
    regs::{Place, Reg, RegSet},
};
use kinglet_core::{translate::num, types::ValType};

const SCRATCH: [Reg; 2] = [Reg::int(RCX), Reg::float(X15)];

impl Emit<'_> {
    /// Hands over values: in registers, and in words of the stack from `at` on. Uses rcx and xmm15.
    pub(super) fn give(
        &mut self,
        values: List,
        types: &[ValType],
        at: i32,
    ) -> Result<(), Unsupported> {
        let function = self.function;
        let values = function.list(values).iter().zip(types);
        let (mut moves, mut wide, mut others) = (Moves::default(), RegSet::EMPTY, false);
        let mut assigner = Assigner::new(&REGISTERS);
        for (&value, &ty) in values.clone() {
            let ty = Ty::of(num(ty)).ok_or(Unsupported("a vector"))?;
            let passed = assigner.next(ty.is_float());
            match (passed, self.place(value)) {
                (Passed::Reg(to), Place::Reg(from)) => {
                    moves.add(to, from);
                    if ty.is_wide() {
                        wide.add(to);
                    }
                }
                (Passed::Reg(_), _) => others = true,
                (Passed::Stack(word), _) => {
                    let src = self.src(value);
                    self.store_value(ty, Rm::Frame(at + 8 * word as i32), src);
                }
            }
        }
        self.move_all(moves, wide);
        if !others {
            return Ok(());
        }
        // All registers that are read have been read by now.
        let mut assigner = Assigner::new(&REGISTERS);
        for (&value, &ty) in values {
            let Some(ty) = Ty::of(num(ty)) else { continue };
            if let Passed::Reg(to) = assigner.next(ty.is_float())
                && !matches!(self.place(value), Place::Reg(_))
            {
                self.mov_value(ty, to, self.src(value));
            }
        }
        Ok(())
    }

    fn place(&self, value: Arg) -> Place {
        value.vreg().map_or(Place::Nowhere, |vreg| self.allocation.place(vreg))
    }

    fn mov_value(&mut self, ty: Ty, to: Reg, src: Src) {
        if ty.is_float() {
            self.mov_float(ty.is_wide(), to.number(), src);
        } else {
            self.mov_int(ty.is_wide(), to.number(), src);
        }
    }

    /// Puts values where they are kept that have been passed in registers, and in words of the stack from `at` on.
    pub(super) fn receive(
        &mut self,
        values: impl Iterator<Item = (Option<Vreg>, Ty)> + Clone,
        at: i32,
    ) {
        let mut assigner = Assigner::new(&REGISTERS);
        let (mut moves, mut wide) = (Moves::default(), RegSet::EMPTY);
        for (vreg, ty) in values.clone() {
            let passed = assigner.next(ty.is_float());
            let Some(vreg) = vreg else { continue };
            self.written(vreg);
            let Passed::Reg(from) = passed else { continue };
            match self.allocation.place(vreg) {
                Place::Nowhere => {}
                Place::Slot(slot) => {
                    let slot = self.slot(slot);
                    self.store_value(ty, slot, Src::reg(from.number()));
                }
                Place::Reg(to) => {
                    moves.add(to, from);
                    if ty.is_wide() {
                        wide.add(to);
                    }
                }
            }
        }
        self.move_all(moves, wide);
        if assigner.words == 0 {
            return;
        }
        let mut assigner = Assigner::new(&REGISTERS);
        for (vreg, ty) in values {
            if let (Some(vreg), Passed::Stack(word)) = (vreg, assigner.next(ty.is_float())) {
                self.load_value(ty, vreg, Rm::Frame(at + 8 * word as i32));
            }
        }
    }

    /// Loads a register's value from somewhere on the stack. Uses rcx.
    pub(super) fn load_value(&mut self, ty: Ty, vreg: Vreg, from: Rm) {
        match self.allocation.place(vreg) {
            Place::Nowhere => {}
            Place::Slot(slot) => {
                self.asm.mov(ty.is_wide(), RCX, from);
                let slot = self.slot(slot);
                self.asm.mov_to(true, slot, RCX);
            }
            Place::Reg(reg) if ty.is_float() => {
                self.mov_float(ty.is_wide(), reg.number(), Src::Rm(from));
            }
            Place::Reg(reg) => self.asm.mov(ty.is_wide(), reg.number(), from),
        }
    }

    /// Stores a value somewhere on the stack. Uses rcx.
    fn store_value(&mut self, ty: Ty, to: Rm, src: Src) {
        match src {
            Src::Rm(Rm::Reg(reg)) if ty.is_float() => {
                self.asm.sse(scalar(ty.is_wide(), 0x11), reg, to);
            }
            _ => self.store_int(ty.is_wide(), to, src),
        }
    }

    /// Moves all at once. `wide` has the destinations of values of 64 bits.
    fn move_all(&mut self, moves: Moves, wide: RegSet) {
        moves.resolve(SCRATCH, |to, from| {
            let src = Src::reg(from.number());
            if to.is_float() {
                self.mov_float(true, to.number(), src);
            } else {
                self.mov_int(to.number() == RCX || wide.has(to), to.number(), src);
            }
        });
    }
}
