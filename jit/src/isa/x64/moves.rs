//! How values get where they are passed, and from there to where they are kept.

use super::{
    asm::Rm,
    float::{MOVAPS, scalar},
    function::{Emit, Src},
    regs::*,
};
use crate::{
    abi::{Assigner, Passed},
    ir::{List, Ty, Vreg},
    isa::Unsupported,
    regs::Place,
};
use kinglet_core::{translate::num, types::ValType};

/// Moves to registers of one class, all at once.
struct Moves {
    moves: [(u8, Src, bool); 8],
    len: usize,
}

impl Moves {
    fn new() -> Moves {
        Moves { moves: [(0, Src::Const(0), false); 8], len: 0 }
    }

    fn add(&mut self, to: u8, from: Src, wide: bool) -> Result<(), Unsupported> {
        if from.is(to) {
            return Ok(());
        }
        let next = self.moves.get_mut(self.len).ok_or(Unsupported("too many registers"))?;
        *next = (to, from, wide);
        self.len += 1;
        Ok(())
    }

    /// A move to a register that no other one reads.
    fn ready(&self) -> Option<usize> {
        let moves = &self.moves[..self.len];
        moves.iter().position(|&(to, ..)| !moves.iter().any(|&(_, from, _)| from.is(to)))
    }

    /// The next move to do. If all that are left wait for each other, the register of the first one is saved by `save` before.
    fn next(&mut self, scratch: u8, save: impl FnOnce(u8)) -> Option<(u8, Src, bool)> {
        let at = match self.ready() {
            Some(at) => at,
            None if self.len == 0 => return None,
            None => {
                let busy = self.moves[0].0;
                save(busy);
                for (_, from, _) in &mut self.moves[..self.len] {
                    if from.is(busy) {
                        *from = Src::reg(scratch);
                    }
                }
                0
            }
        };
        self.len -= 1;
        self.moves.swap(at, self.len);
        Some(self.moves[self.len])
    }
}

impl Emit<'_> {
    /// Hands over values: in registers, and in words of the stack from `at` on. Uses rcx and xmm15.
    pub(super) fn give(
        &mut self,
        values: List,
        types: &[ValType],
        at: i32,
    ) -> Result<(), Unsupported> {
        let function = self.function;
        let mut assigner = Assigner::new(&REGISTERS);
        let (mut ints, mut floats) = (Moves::new(), Moves::new());
        for (&value, &ty) in function.list(values).iter().zip(types) {
            let ty = Ty::of(num(ty)).ok_or(Unsupported("a vector"))?;
            let src = self.src(value);
            let passed = assigner.next(ty.is_float());
            match passed {
                Passed::Reg(reg) if ty.is_float() => floats.add(reg.number(), src, ty.is_wide())?,
                Passed::Reg(reg) => ints.add(reg.number(), src, ty.is_wide())?,
                Passed::Stack(_) => {
                    if let Some(word) = Self::word(at, passed) {
                        self.store_value(ty, word, src);
                    }
                }
            }
        }
        self.move_all(ints, floats);
        Ok(())
    }

    /// Puts values where they are kept that have been passed in registers, and in words of the stack from `at` on.
    pub(super) fn receive(
        &mut self,
        values: impl Iterator<Item = (Option<Vreg>, Ty)> + Clone,
        at: i32,
    ) -> Result<(), Unsupported> {
        let mut assigner = Assigner::new(&REGISTERS);
        let (mut ints, mut floats) = (Moves::new(), Moves::new());
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
                    let moves = if ty.is_float() { &mut floats } else { &mut ints };
                    moves.add(to.number(), Src::reg(from.number()), ty.is_wide())?;
                }
            }
        }
        self.move_all(ints, floats);
        if assigner.words == 0 {
            return Ok(());
        }
        let mut assigner = Assigner::new(&REGISTERS);
        for (vreg, ty) in values {
            let word = Self::word(at, assigner.next(ty.is_float()));
            let (Some(vreg), Some(word)) = (vreg, word) else {
                continue;
            };
            self.load_value(ty, vreg, word);
        }
        Ok(())
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

    fn move_all(&mut self, mut ints: Moves, mut floats: Moves) {
        let save = |busy, emit: &mut Self| emit.asm.mov(true, RCX, Rm::Reg(busy));
        while let Some((to, from, wide)) = ints.next(RCX, |busy| save(busy, self)) {
            self.mov_int(wide, to, from);
        }
        let save = |busy, emit: &mut Self| emit.asm.sse(MOVAPS, X15, Rm::Reg(busy));
        while let Some((to, from, wide)) = floats.next(X15, |busy| save(busy, self)) {
            self.mov_float(wide, to, from);
        }
    }
}
