//! Linear scan: gives each virtual register a machine register or a spill slot, for all of its life.
//!
//! Intervals are visited in the order of their starts. One that finds no register that is free takes the one whose owner costs least
//! to keep in a slot, if that is less than its own: what counts is how often a register is read and written, in loops above all, and how long it
//! stands in the way of others. Registers that calls destroy are only for intervals that cross no call.
//!
//! Several things say which of the free registers an interval had better get: where a parameter comes in, where a call wants an argument or leaves a
//! result, and what an instruction reads for the last time, whose register its result may have.
//!
//! What nobody reads is [`Place::Nowhere`]: an instruction that writes it has to write to a scratch register.

use crate::{
    abi::{Assigner, Passed},
    ir::{Arg, Function, Inst, List},
    live::{Interval, Liveness},
    regs::{Allocation, Place, Reg, RegSet, Registers},
};

const NONE: u32 = u32::MAX;

/// Allocates registers. Its lists are reused from function to function.
#[derive(Debug, Default)]
pub struct Allocator {
    /// Intervals by start.
    starts: Buckets,
    /// Intervals in slots by end.
    ends: Buckets,
    /// Registers that intervals had better get.
    hints: Vec<Option<Reg>>,
    /// Slots that are free.
    free: Vec<u32>,
}

impl Allocator {
    /// Gives all virtual registers of a function their places.
    pub fn run(
        &mut self,
        function: &Function,
        liveness: &Liveness,
        registers: &'static Registers,
        allocation: &mut Allocation,
    ) {
        allocation.places.clear();
        allocation.places.resize(function.vregs.len(), Place::Nowhere);
        allocation.slots = 0;
        allocation.saved = RegSet::EMPTY;
        allocation.zeroed.clear();
        allocation.zeroed.extend(liveness.zeroed(function));

        let positions = 2 * function.insts.len() + 2;
        self.starts.reset(positions, function.vregs.len());
        for (vreg, interval) in liveness.intervals.iter().enumerate().rev() {
            if interval.read {
                self.starts.add(interval.start, vreg as u32);
            }
        }
        self.hint(function, liveness, registers);
        let mut scan = Scan {
            function,
            liveness,
            registers,
            hints: &self.hints,
            allocation,
            owners: [Owner::NONE; 64],
            used: RegSet::EMPTY,
            next_end: NONE,
            spilled: false,
        };
        let mut next = 0;
        while let Some(position) = self.starts.position(next) {
            scan.expire(position);
            self.starts.at(position).for_each(|vreg| scan.place(vreg, position));
            next = position + 1;
        }
        if scan.spilled {
            self.share_slots(liveness, positions, allocation);
        }
    }

    /// Finds out where the conventions want values.
    fn hint(&mut self, function: &Function, liveness: &Liveness, registers: &'static Registers) {
        self.hints.clear();
        self.hints.resize(function.vregs.len(), None);
        let hints = &mut self.hints;
        let mut params = Assigner::new(registers);
        for (hint, ty) in hints.iter_mut().zip(&function.vregs[..function.params as usize]) {
            *hint = register(params.next(ty.is_float()));
        }
        let mut pass = |list: List, wanted: &dyn Fn(&Interval) -> bool| {
            let mut assigner = Assigner::new(registers);
            for arg in function.list(list) {
                let Some(vreg) = arg.vreg() else {
                    // Most constants are integers.
                    assigner.next(false);
                    continue;
                };
                let vreg = vreg.0 as usize;
                let passed = assigner.next(function.vregs[vreg].is_float());
                if hints[vreg].is_none() && wanted(&liveness.intervals[vreg]) {
                    hints[vreg] = register(passed);
                }
            }
        };
        for &at in &liveness.sites {
            let dies = |interval: &Interval| interval.end == 2 * at;
            match function.insts[at as usize] {
                Inst::Call { site } => {
                    let site = &function.calls[site as usize];
                    pass(site.args, &dies);
                    pass(site.results, &|_| true);
                }
                Inst::TailCall { site } => pass(function.calls[site as usize].args, &dies),
                Inst::Return { values } => pass(values, &dies),
                _ => {}
            }
        }
    }

    /// Gives slots to intervals that have got no register: intervals that do not meet may have the same.
    fn share_slots(&mut self, liveness: &Liveness, positions: usize, allocation: &mut Allocation) {
        self.starts.reset(positions, liveness.intervals.len());
        self.ends.reset(positions, liveness.intervals.len());
        self.free.clear();
        for (vreg, place) in allocation.places.iter().enumerate().rev() {
            if matches!(place, Place::Slot(_)) {
                self.starts.add(liveness.intervals[vreg].start, vreg as u32);
            }
        }
        let mut next = 0;
        while let Some(position) = match (self.starts.position(next), self.ends.position(next)) {
            (Some(start), Some(end)) => Some(start.min(end)),
            (start, end) => start.or(end),
        } {
            for vreg in self.starts.at(position) {
                let slot = self.free.pop().unwrap_or_else(|| {
                    allocation.slots += 1;
                    allocation.slots - 1
                });
                allocation.places[vreg as usize] = Place::Slot(slot);
                self.ends.add(liveness.intervals[vreg as usize].end, vreg);
            }
            for vreg in self.ends.at(position) {
                if let Place::Slot(slot) = allocation.places[vreg as usize] {
                    self.free.push(slot);
                }
            }
            next = position + 1;
        }
    }
}

fn register(passed: Passed) -> Option<Reg> {
    match passed {
        Passed::Reg(reg) => Some(reg),
        Passed::Stack(_) => None,
    }
}

/// Virtual registers by position.
#[derive(Debug, Default)]
struct Buckets {
    /// The positions that have any: a set.
    some: Vec<u64>,
    /// The first one at each of these.
    first: Vec<u32>,
    /// The one that follows each of them.
    next: Vec<u32>,
}

impl Buckets {
    fn reset(&mut self, positions: usize, vregs: usize) {
        self.some.clear();
        self.some.resize(positions.div_ceil(64), 0);
        self.first.resize(positions.max(self.first.len()), NONE);
        self.next.resize(vregs.max(self.next.len()), NONE);
    }

    #[inline]
    fn add(&mut self, position: u32, vreg: u32) {
        let first = &mut self.first[position as usize];
        let (some, bit) = (&mut self.some[position as usize / 64], 1 << (position % 64));
        self.next[vreg as usize] = if *some & bit == 0 { NONE } else { *first };
        *some |= bit;
        *first = vreg;
    }

    /// The first position that has any, from this one on.
    #[inline]
    fn position(&self, from: u32) -> Option<u32> {
        let mut word = from as usize / 64;
        let mut some = self.some.get(word)? & !0 << (from % 64);
        while some == 0 {
            word += 1;
            some = *self.some.get(word)?;
        }
        Some(64 * word as u32 + some.trailing_zeros())
    }

    #[inline]
    fn at(&self, position: u32) -> impl Iterator<Item = u32> {
        let has_any = self.some[position as usize / 64] >> (position % 64) & 1 != 0;
        let mut at = if has_any { self.first[position as usize] } else { NONE };
        std::iter::from_fn(move || {
            let vreg = (at != NONE).then_some(at)?;
            at = self.next[vreg as usize];
            Some(vreg)
        })
    }
}

/// Who has a machine register, or had it last.
#[derive(Clone, Copy)]
struct Owner {
    vreg: u32,
    /// When its life ends.
    end: u32,
}

impl Owner {
    const NONE: Owner = Owner { vreg: NONE, end: 0 };
}

/// A scan of a function.
struct Scan<'s> {
    function: &'s Function,
    liveness: &'s Liveness,
    registers: &'static Registers,
    hints: &'s [Option<Reg>],
    allocation: &'s mut Allocation,
    /// By register.
    owners: [Owner; 64],
    /// Registers whose owners are alive.
    used: RegSet,
    /// When the first of these dies.
    next_end: u32,
    /// Whether somebody has got a slot. Which slot that is, is found out afterwards.
    spilled: bool,
}

impl Scan<'_> {
    /// Frees registers whose owners died before a position.
    #[inline]
    fn expire(&mut self, position: u32) {
        if self.next_end >= position {
            return;
        }
        self.next_end = NONE;
        for reg in self.used.iter() {
            let end = self.owners[reg.index()].end;
            if end < position {
                self.used.remove(reg);
            } else {
                self.next_end = self.next_end.min(end);
            }
        }
    }

    /// Finds a place for an interval.
    fn place(&mut self, vreg: u32, position: u32) {
        let allowed = self.allowed(vreg);
        let free = RegSet(allowed.0 & !self.used.0);
        let reg = match free.is_empty() {
            false => self.choose(vreg, position, free),
            true => self.evict(vreg, allowed),
        };
        match reg {
            Some(reg) => self.give(reg, vreg),
            None => self.spill(vreg),
        }
    }

    fn allowed(&self, vreg: u32) -> RegSet {
        let Registers { caller_saved, callee_saved, .. } = self.registers;
        let any = match self.liveness.intervals[vreg as usize].crosses {
            true => callee_saved.0,
            false => callee_saved.0 | caller_saved.0,
        };
        let floats = !0 << 32;
        RegSet(any & if self.function.vregs[vreg as usize].is_float() { floats } else { !floats })
    }

    /// The best of several free registers, if any of them is worth it.
    fn choose(&self, vreg: u32, position: u32, free: RegSet) -> Option<Reg> {
        if let Some(hint) = self.hints[vreg as usize].filter(|&hint| free.has(hint)) {
            return Some(hint);
        }
        if let Some(reg) = self.dying(position, free) {
            return Some(reg);
        }
        let unsaved = RegSet(free.0 & self.registers.caller_saved.0);
        // The first registers are wanted by calls.
        let best = if self.liveness.calls == 0 { unsaved.first() } else { unsaved.last() };
        best.or_else(|| RegSet(free.0 & self.allocation.saved.0).first()).or_else(|| {
            // Saving and restoring a register costs as much as a value in a slot that is written and read once.
            free.first().filter(|_| self.liveness.intervals[vreg as usize].weight > 2.0)
        })
    }

    /// A register that the instruction which writes at a position reads for the last time.
    fn dying(&self, position: u32, free: RegSet) -> Option<Reg> {
        if position & 1 == 0 {
            return None;
        }
        let of = |arg: Arg| {
            let vreg = arg.vreg()?;
            match self.allocation.place(vreg) {
                Place::Reg(reg) if free.has(reg) && self.owners[reg.index()].vreg == vreg.0 => {
                    Some(reg)
                }
                _ => None,
            }
        };
        match self.function.insts[position as usize / 2] {
            Inst::Op { a, b, .. } | Inst::ShiftAdd { a, b, .. } => of(a).or_else(|| of(b)),
            Inst::Move { a, .. } => of(a),
            Inst::Select { a, b, condition, .. } => {
                of(a).or_else(|| of(b)).or_else(|| of(condition))
            }
            Inst::Load { address, .. } | Inst::LoadFar { address, .. } => of(address),
            _ => None,
        }
    }

    /// Takes away a register, if its owner costs less in a slot.
    fn evict(&mut self, vreg: u32, allowed: RegSet) -> Option<Reg> {
        let costs = allowed.iter().map(|reg| (reg, self.cost(self.owners[reg.index()].vreg)));
        let (reg, cheapest) = costs.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        if cheapest >= self.cost(vreg) {
            return None;
        }
        let owner = self.owners[reg.index()].vreg;
        match self.elsewhere(owner) {
            Some(other) => self.give(other, owner),
            None => self.spill(owner),
        }
        Some(reg)
    }

    /// What it costs to keep a virtual register in a slot instead of a machine register.
    fn cost(&self, vreg: u32) -> f32 {
        let interval = &self.liveness.intervals[vreg as usize];
        let length = (interval.end - interval.start + 1) as f32;
        interval.weight / length.sqrt()
    }

    /// A register that has been free for as long as a virtual register has lived.
    fn elsewhere(&self, vreg: u32) -> Option<Reg> {
        let start = self.liveness.intervals[vreg as usize].start;
        let known = self.registers.caller_saved.0 | self.allocation.saved.0;
        let free = RegSet(self.allowed(vreg).0 & known & !self.used.0);
        let mut unused = free.iter().filter(|&reg| {
            let last = self.owners[reg.index()];
            last.vreg == NONE || last.end < start
        });
        unused.next()
    }

    fn give(&mut self, reg: Reg, vreg: u32) {
        let end = self.liveness.intervals[vreg as usize].end;
        self.owners[reg.index()] = Owner { vreg, end };
        self.used.add(reg);
        self.next_end = self.next_end.min(end);
        self.allocation.places[vreg as usize] = Place::Reg(reg);
        if self.registers.callee_saved.has(reg) {
            self.allocation.saved.add(reg);
        }
    }

    fn spill(&mut self, vreg: u32) {
        self.allocation.places[vreg as usize] = Place::Slot(NONE);
        self.spilled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::check,
        ir::{Ty, Vreg},
        sample::{LARGE, Maker, Rng, Style, TINY, random},
    };

    fn allocate(function: &Function, registers: &'static Registers) -> (Liveness, Allocation) {
        let (mut liveness, mut allocation) = (Liveness::default(), Allocation::default());
        liveness.run(function);
        Allocator::default().run(function, &liveness, registers, &mut allocation);
        if let Err(error) = check(function, &liveness, registers, &allocation) {
            panic!("{error}\n{:#?}", allocation.places);
        }
        (liveness, allocation)
    }

    #[test]
    fn random_functions() {
        let mut rng = Rng::new(1);
        let (mut wrong, mut changed) = (0, 0);
        for seed in 0..1000 {
            let style = Style {
                insts: 10 + seed as usize / 2,
                locals: [2, 9, 40, 120][seed as usize % 4],
                calls: seed % 3 != 0,
                tries: seed % 2 == 0,
            };
            let function = random(seed, style);
            for registers in [&TINY, &LARGE] {
                let (liveness, mut allocation) = allocate(&function, registers);
                // Two that have different places of the same kind get the same one.
                let (a, b) = (rng.below(function.vregs.len()), rng.below(function.vregs.len()));
                let (from, to) = (allocation.places[a], allocation.places[b]);
                let same_kind = function.vregs[a].is_float() == function.vregs[b].is_float();
                if from != to && from != Place::Nowhere && same_kind {
                    changed += 1;
                    allocation.places[a] = to;
                    wrong += check(&function, &liveness, registers, &allocation).is_err() as usize;
                }
            }
        }
        assert!(wrong * 4 > changed && changed > 200, "{wrong} of {changed}");
    }

    #[test]
    fn values_are_where_calls_want_them() {
        // v2 = v0 + v1; v3 = call(v2, v1); return v3 + v1
        let mut maker = Maker::new(&[Ty::I32, Ty::I32], &[]);
        let (v0, v1) = (Vreg(0), Vreg(1));
        let (v2, v3, v4) = (maker.vreg(Ty::I32), maker.vreg(Ty::I32), maker.vreg(Ty::I32));
        maker.add(v2, v0, v1);
        maker.call(&[v2.into(), v1.into()], &[v3]);
        maker.add(v4, v3, v1);
        maker.ret(&[v4.into()]);
        let (_, allocation) = allocate(&maker.function, &LARGE);
        let first = Place::Reg(LARGE.int_args[0]);
        assert_eq!(allocation.places, [first, Place::Reg(Reg::int(3)), first, first, first]);
        assert_eq!(allocation.saved, RegSet::of(&[Reg::int(3)]));
        assert_eq!((allocation.slots, allocation.zeroed.len()), (0, 0));
    }

    #[test]
    fn floats_across_calls_and_what_is_rarely_read_get_slots() {
        let mut maker = Maker::new(&[Ty::F64, Ty::F64, Ty::I32], &[Ty::I32]);
        maker.call(&[], &[]);
        maker.inst(Inst::Move { dst: Vreg(3), a: Vreg(2).into() });
        maker.ret(&[Vreg(0).into()]);
        let (_, allocation) = allocate(&maker.function, &LARGE);
        let [float, unread, int, dead] = allocation.places[..] else { panic!() };
        assert!(matches!((float, int), (Place::Slot(_), Place::Slot(_))));
        assert_eq!((unread, dead), (Place::Nowhere, Place::Nowhere));
        assert_eq!((allocation.saved, allocation.slots), (RegSet::EMPTY, 2));
    }

    #[test]
    fn what_loops_read_has_registers_and_others_share_slots() {
        let mut maker = Maker::new(&[Ty::I32; 8], &[]);
        let start = maker.label();
        for from in [0, 4] {
            for at in from..from + 4 {
                maker.add(Vreg(at), Vreg(0), Vreg(at));
            }
            let sum = maker.joined(Ty::I32);
            maker.inst(Inst::Move { dst: sum, a: Vreg(0).into() });
            for _ in 0..4 {
                let other = maker.vreg(Ty::I32);
                maker.add(other, Vreg(0), Vreg(0));
                maker.add(sum, other, sum);
            }
        }
        let inner = maker.label();
        maker.bind(start, true);
        maker.bind(inner, true);
        maker.add(Vreg(0), Vreg(0), Vreg(1));
        maker.branch(Vreg(0), inner);
        maker.branch(Vreg(0), start);
        maker.ret(&[Vreg(0).into()]);
        let (liveness, allocation) = allocate(&maker.function, &TINY);
        assert!(matches!(allocation.places[..2], [Place::Reg(_), Place::Reg(_)]));
        let spilled = (0..liveness.intervals.len())
            .filter(|&at| matches!(allocation.places[at], Place::Slot(_)));
        assert!((allocation.slots as usize) < spilled.count());
    }

    #[test]
    fn enormous_functions() {
        let mut maker = Maker::new(&[], &vec![Ty::I64; 100_000]);
        for at in 0..50_000 {
            let label = maker.label();
            maker.bind(label, false);
            maker.add(Vreg(at), Vreg(2 * at), Vreg(2 * at + 1));
        }
        maker.ret(&[Vreg(0).into()]);
        allocate(&maker.function, &LARGE);
    }
}
