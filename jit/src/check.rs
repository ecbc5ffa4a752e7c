//! Checks what [`alloc`](crate::alloc) and [`live`](crate::live) have found, without knowing how: for debug builds, tests and fuzzing.
//!
//! A function is run with symbols in place of values: a machine register or slot holds the name of a virtual register, or nothing that
//! is known. Where paths meet, what they agree on stays. Then whatever is read has to be where its place says.

use crate::{
    ir::{Clause, Function, Inst, Label, RuntimeOp, Ty, Vreg},
    live::Liveness,
    regs::{Allocation, Place, Reg, RegSet, Registers},
};

/// The most words that are spent on a function. What needs more is taken to be right.
const MAX_WORDS: usize = 1 << 24;

/// Which virtual register is in each machine register, by its index, and in each slot.
type State = Vec<Option<Vreg>>;

/// Checks an allocation: that values are where they are read; that calls, exceptions and other values have left them there; that registers fit their
/// types; that registers to be saved are known; and that everything which is said to be live across a call is there.
///
/// Functions that would need very much memory are not looked at.
///
/// # Errors
/// A description of the first place that is wrong.
pub fn check(
    function: &Function,
    liveness: &Liveness,
    registers: &Registers,
    allocation: &Allocation,
) -> Result<(), String> {
    let checker = Checker { function, liveness, registers, allocation };
    checker.places()?;
    let entry = checker.entry()?;
    if function.blocks.is_empty() || function.blocks.len() * entry.len() > MAX_WORDS {
        return Ok(());
    }
    let states = checker.solve(entry);
    let sites = function.insts.iter().filter(|inst| is_site(inst)).count();
    let with_liveness = sites * function.vregs.len() <= MAX_WORDS;
    for (block, state) in states.into_iter().enumerate() {
        if let Some(state) = state {
            checker.verify(block, state, with_liveness)?;
        }
    }
    Ok(())
}

struct Checker<'c> {
    function: &'c Function,
    liveness: &'c Liveness,
    registers: &'c Registers,
    allocation: &'c Allocation,
}

impl Checker<'_> {
    /// Whether places fit their virtual registers.
    fn places(&self) -> Result<(), String> {
        let Allocation { places, slots, saved, .. } = self.allocation;
        if places.len() != self.function.vregs.len() {
            return Err(format!(
                "{} places for {} registers",
                places.len(),
                self.function.vregs.len()
            ));
        }
        let known = RegSet(self.registers.caller_saved.0 | self.registers.callee_saved.0);
        for (at, (&place, ty)) in places.iter().zip(&self.function.vregs).enumerate() {
            let fits = match place {
                Place::Nowhere => true,
                Place::Slot(slot) => slot < *slots,
                Place::Reg(reg) => {
                    let is_saved = !self.registers.callee_saved.has(reg) || saved.has(reg);
                    known.has(reg) && reg.is_float() == ty.is_float() && is_saved
                }
            };
            if !fits {
                return Err(format!("v{at} of type {ty:?} in {place:?}"));
            }
        }
        Ok(())
    }

    /// What is where at the entry.
    fn entry(&self) -> Result<State, String> {
        let mut state = vec![None; 64 + self.allocation.slots as usize];
        let params = (0..self.function.params).map(Vreg);
        for vreg in params.chain(self.allocation.zeroed.iter().copied()) {
            if let Some(at) = self.at(vreg)
                && let Some(other) = state[at].replace(vreg)
            {
                return Err(format!(
                    "v{} and v{} are in the same place at the entry",
                    other.0, vreg.0
                ));
            }
        }
        Ok(state)
    }

    /// What is where at the start of each block that can be reached.
    fn solve(&self, entry: State) -> Vec<Option<State>> {
        let blocks = self.function.blocks.len();
        let mut states = vec![None; blocks];
        let mut pending = vec![false; blocks];
        (states[0], pending[0]) = (Some(entry), true);
        while pending.contains(&true) {
            for block in 0..blocks {
                if !std::mem::take(&mut pending[block]) {
                    continue;
                }
                let Some(mut state) = states[block].clone() else { continue };
                let mut flow =
                    |to: usize, state: &State| pending[to] |= meet(&mut states[to], state);
                for at in self.function.block(block) {
                    self.step(at, &mut state, &mut flow);
                }
                self.leave(block, &state, &mut flow);
            }
        }
        states
    }

    /// Runs an instruction. Exceptions go to `flow`.
    fn step(&self, at: usize, state: &mut State, flow: &mut impl FnMut(usize, &State)) {
        let inst = &self.function.insts[at];
        if Function::is_call(inst) {
            self.clobber(state);
            let mut next = self.innermost(at);
            while let Some(inner) = next {
                let inner = &self.function.tries[inner as usize];
                for clause in self.clauses(inner.clauses) {
                    let mut caught = state.clone();
                    for vreg in self.values(clause) {
                        self.write(vreg, &mut caught);
                    }
                    flow(self.block(clause.to), &caught);
                }
                next = inner.outer;
            }
        }
        self.function.defs(inst, |vreg| self.write(vreg, state));
    }

    fn leave(&self, block: usize, state: &State, flow: &mut impl FnMut(usize, &State)) {
        let insts = &self.function.insts[self.function.block(block)];
        let falls = match insts.last() {
            Some(&Inst::Jump { to }) => {
                flow(self.block(to), state);
                false
            }
            Some(&Inst::Branch { to, .. }) => {
                flow(self.block(to), state);
                true
            }
            Some(&Inst::JumpTable { targets, .. }) => {
                let targets =
                    &self.function.targets[targets.start as usize..][..targets.len as usize];
                targets.iter().for_each(|&to| flow(self.block(to), state));
                false
            }
            Some(Inst::TailCall { .. } | Inst::Return { .. } | Inst::Trap { .. }) => false,
            Some(&Inst::Runtime { site }) => {
                let op = self.function.runtimes[site as usize].op;
                !matches!(op, RuntimeOp::Throw(_) | RuntimeOp::ThrowRef)
            }
            _ => true,
        };
        if falls && block + 1 < self.function.blocks.len() {
            flow(block + 1, state);
        }
    }

    /// Runs a block again, and looks whether what is read is there.
    fn verify(&self, block: usize, mut state: State, with_liveness: bool) -> Result<(), String> {
        for at in self.function.block(block) {
            let inst = &self.function.insts[at];
            let wrong = |vreg: Vreg, state: &State, what: &str| {
                let place = self.allocation.place(vreg);
                let holds = self.at(vreg).and_then(|at| state[at]);
                Err(format!(
                    "v{} is {what} at {at} ({inst:?}), but its place {place:?} holds {holds:?}",
                    vreg.0
                ))
            };
            let mut lost = None;
            self.function.uses(inst, |arg| {
                lost = lost.or(arg.vreg().filter(|&vreg| !self.holds(vreg, &state)));
            });
            if let Some(vreg) = lost {
                return wrong(vreg, &state, "read");
            }
            if with_liveness && is_site(inst) {
                let mut after = state.clone();
                if Function::is_call(inst) {
                    self.clobber(&mut after);
                }
                let live = self.liveness.live_across(self.function, at);
                let lost =
                    live.iter().find(|&vreg| self.is_wanted(vreg) && !self.holds(vreg, &after));
                if let Some(vreg) = lost {
                    return wrong(vreg, &after, "live");
                }
            }
            self.step(at, &mut state, &mut |_, _| {});
            if Function::is_call(inst)
                && let Some(vreg) = self.unsafely_caught(at)
            {
                return wrong(vreg, &state, "caught");
            }
        }
        Ok(())
    }

    /// Whether what is said to be live may not be garbage.
    fn is_wanted(&self, vreg: Vreg) -> bool {
        let is_ref = self.function.vregs[vreg.0 as usize] == Ty::Ref;
        self.liveness.is_exact() || vreg.0 < self.function.locals || is_ref
    }

    /// A value that an exception would bring to a register which is not restored.
    fn unsafely_caught(&self, at: usize) -> Option<Vreg> {
        let inner = self.innermost(at)?;
        let clauses = self.clauses(self.function.tries[inner as usize].clauses);
        let mut values = clauses.iter().flat_map(|clause| self.values(clause));
        values.find(|&vreg| match self.allocation.place(vreg) {
            Place::Reg(reg) => !self.registers.callee_saved.has(reg),
            _ => false,
        })
    }

    fn clobber(&self, state: &mut State) {
        self.registers.caller_saved.iter().map(Reg::index).for_each(|reg| state[reg] = None);
    }

    fn write(&self, vreg: Vreg, state: &mut State) {
        if let Some(at) = self.at(vreg) {
            state[at] = Some(vreg);
        }
    }

    fn holds(&self, vreg: Vreg, state: &State) -> bool {
        self.at(vreg).is_some_and(|at| state[at] == Some(vreg))
    }

    fn at(&self, vreg: Vreg) -> Option<usize> {
        match self.allocation.place(vreg) {
            Place::Nowhere => None,
            Place::Reg(reg) => Some(reg.index()),
            Place::Slot(slot) => Some(64 + slot as usize),
        }
    }

    fn block(&self, label: Label) -> usize {
        self.function.labels[label.0 as usize] as usize
    }

    fn innermost(&self, at: usize) -> Option<u32> {
        let segments = &self.function.segments;
        let after = segments.partition_point(|&(from, _)| from as usize <= at);
        segments[..after].last().and_then(|&(_, inner)| inner)
    }

    fn clauses(&self, (from, to): (u32, u32)) -> &[Clause] {
        &self.function.clauses[from as usize..to as usize]
    }

    /// What a clause writes.
    fn values(&self, clause: &Clause) -> impl Iterator<Item = Vreg> {
        let values = self.function.list(clause.values).iter().filter_map(|arg| arg.vreg());
        values.chain(clause.reference)
    }
}

/// Whether somebody may ask what is live there.
fn is_site(inst: &Inst) -> bool {
    Function::is_call(inst) || matches!(inst, Inst::Fuel { .. })
}

/// Keeps what two states agree on. Returns whether that is less than before.
fn meet(known: &mut Option<State>, new: &State) -> bool {
    let Some(known) = known else {
        *known = Some(new.clone());
        return true;
    };
    let mut less = false;
    for (known, new) in known.iter_mut().zip(new) {
        if known.is_some() && known != new {
            *known = None;
            less = true;
        }
    }
    less
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::Allocator,
        sample::{LARGE, Maker, TINY},
    };

    fn allocate(function: &Function, registers: &'static Registers) -> (Liveness, Allocation) {
        let (mut liveness, mut allocation) = (Liveness::default(), Allocation::default());
        liveness.run(function);
        Allocator::default().run(function, &liveness, registers, &mut allocation);
        (liveness, allocation)
    }

    /// Makes an allocation wrong, and looks how that is described.
    fn fails(function: &Function, spoil: impl Fn(&mut Allocation), expected: &str) {
        let (liveness, mut allocation) = allocate(function, &LARGE);
        assert_eq!(check(function, &liveness, &LARGE, &allocation), Ok(()));
        spoil(&mut allocation);
        let error = check(function, &liveness, &LARGE, &allocation).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn wrong_allocations() {
        // v1 = v0; loop { call(v0, v1, v2); if v0 continue }
        let mut maker = Maker::new(&[Ty::I32, Ty::F32], &[Ty::I64]);
        let [v0, v1, v2] = [Vreg(0), Vreg(1), Vreg(2)];
        let start = maker.label();
        maker.bind(start, true);
        maker.call(&[v0.into(), v1.into(), v2.into()], &[]);
        maker.branch(v0, start);
        maker.ret(&[]);
        let function = &maker.function;
        fails(
            function,
            |allocation| allocation.places[0] = Place::Reg(Reg::int(11)),
            "v0 is read at 1",
        );
        fails(function, |allocation| allocation.places[0] = allocation.places[2], "at the entry");
        fails(function, |allocation| allocation.places[0] = Place::Nowhere, "v0 is read at 1");
        fails(function, |allocation| allocation.places[1] = allocation.places[0], "v1 of type F32");
        fails(function, |allocation| allocation.places[1] = Place::Slot(9), "v1 of type F32");
        fails(function, |allocation| allocation.saved = RegSet::EMPTY, "v0 of type I32");
        fails(function, |allocation| allocation.zeroed.clear(), "v2 is read at 1");
        fails(function, |allocation| _ = allocation.places.pop(), "2 places");

        let mut maker = Maker::new(&[Ty::I32], &[]);
        maker.call(&[], &[]);
        maker.ret(&[v0.into()]);
        let spoil = |allocation: &mut Allocation| allocation.places[0] = Place::Reg(Reg::int(11));
        fails(&maker.function, spoil, "v0 is live at 0");
    }

    /// A loop that is entered again by exceptions only: what it reads has to survive the call.
    #[test]
    fn exceptions() {
        let mut maker = Maker::new(&[Ty::I32, Ty::I32], &[]);
        let caught = maker.joined(Ty::I32);
        maker.inst(Inst::Move { dst: caught, a: Vreg(0).into() });
        let start = maker.label();
        maker.bind(start, true);
        maker.add(Vreg(1), caught, Vreg(1));
        let values = maker.list([caught.into()]);
        maker.enter(
            None,
            &[Clause { tag: None, to: start, values, reference: None, wanted: false }],
        );
        maker.call(&[], &[]);
        maker.leave(None);
        maker.ret(&[]);
        let function = &maker.function;
        let spoiled = Place::Reg(Reg::int(11));
        fails(function, |allocation| allocation.places[1] = spoiled, "v1 is read at 2");
        fails(function, |allocation| allocation.places[2] = spoiled, "v2 is caught at 3");
        fails(function, |allocation| allocation.places[2] = allocation.places[1], "is read at 2");
        let (liveness, allocation) = allocate(function, &TINY);
        assert_eq!(check(function, &liveness, &TINY, &allocation), Ok(()));
    }
}
