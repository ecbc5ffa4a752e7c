use super::*;
use crate::{
    ir::{Clause, List},
    sample::{Maker, Style, random},
};
use kinglet_core::index::GlobalIdx;
use std::collections::BTreeSet;

type Set = BTreeSet<Vreg>;

/// Liveness of all registers, by the definition.
struct Naive<'f> {
    function: &'f Function,
    /// Before each instruction.
    before: Vec<Set>,
}

impl Naive<'_> {
    fn new(function: &Function) -> Naive<'_> {
        let mut naive = Naive { function, before: vec![Set::new(); function.insts.len() + 1] };
        loop {
            let mut changed = false;
            for inst in (0..function.insts.len()).rev() {
                let mut live = naive.across(inst);
                function.uses(&function.insts[inst], |arg| live.extend(arg.vreg()));
                changed |= live != naive.before[inst];
                naive.before[inst] = live;
            }
            if !changed {
                return naive;
            }
        }
    }

    fn at(&self, label: Label) -> &Set {
        let block = self.function.labels[label.0 as usize] as usize;
        &self.before[self.function.blocks[block].start as usize]
    }

    fn across(&self, inst: usize) -> Set {
        let function = self.function;
        let next = &self.before[inst + 1];
        let mut live = match function.insts[inst] {
            Inst::Jump { to } => self.at(to).clone(),
            Inst::Branch { to, .. } => next | self.at(to),
            Inst::JumpTable { targets: List { start, len }, .. } => {
                let targets = &function.targets[start as usize..(start + len) as usize];
                targets.iter().flat_map(|&to| self.at(to).clone()).collect()
            }
            Inst::Return { .. } | Inst::TailCall { .. } | Inst::Trap { .. } => Set::new(),
            Inst::Runtime { site }
                if matches!(function.runtimes[site as usize].op, RuntimeOp::Throw(_)) =>
            {
                Set::new()
            }
            _ => next.clone(),
        };
        function.defs(&function.insts[inst], |vreg| _ = live.remove(&vreg));
        if Function::is_call(&function.insts[inst]) {
            let segment = function.segments.iter().rev().find(|segment| segment.0 as usize <= inst);
            let mut next = segment.and_then(|segment| segment.1);
            while let Some(at) = next {
                let inner = function.tries[at as usize];
                for clause in &function.clauses[inner.clauses.0 as usize..inner.clauses.1 as usize]
                {
                    live.extend(self.at(clause.to) - &values(function, clause));
                }
                next = inner.outer;
            }
        }
        live
    }
}

fn values(function: &Function, clause: &Clause) -> Set {
    function
        .list(clause.values)
        .iter()
        .filter_map(|arg| arg.vreg())
        .chain(clause.reference)
        .collect()
}

fn compare(function: &Function, liveness: &Liveness) {
    let naive = Naive::new(function);
    let is_several = |vreg: &Vreg| vreg.0 < function.locals || function.joined.contains(vreg);
    let mut crossing: Set =
        function.clauses.iter().flat_map(|clause| values(function, clause)).collect();
    for inst in 0..function.insts.len() {
        let across = naive.across(inst);
        let live: Set = liveness.live_across(function, inst).iter().collect();
        assert!(across.is_subset(&live), "at {inst}: {across:?} {live:?}");
        if liveness.exact {
            let several: Set = live.into_iter().filter(is_several).collect();
            assert_eq!(several, across.iter().copied().filter(is_several).collect(), "at {inst}");
        }
        for vreg in &naive.before[inst] {
            let interval = &liveness.intervals[vreg.0 as usize];
            assert!(interval.read);
            assert!(
                (interval.start..=interval.end).contains(&(2 * inst as u32)),
                "{vreg:?} at {inst}"
            );
        }
        for vreg in &across {
            assert!(liveness.intervals[vreg.0 as usize].is_across(inst), "{vreg:?} at {inst}");
        }
        if Function::is_call(&function.insts[inst]) {
            crossing.extend(across);
        }
    }
    for (vreg, interval) in (0..).map(Vreg).zip(&liveness.intervals) {
        let crosses = crossing.contains(&vreg);
        assert!(interval.crosses || !crosses, "{vreg:?}");
        if liveness.exact && is_several(&vreg) {
            assert_eq!(interval.crosses, crosses, "{vreg:?}");
        }
    }
    let zeroed: Set = liveness.zeroed(function).collect();
    let locals = (function.params..function.locals).map(Vreg);
    let live: Set = locals.filter(|local| naive.before[0].contains(local)).collect();
    assert!(live.is_subset(&zeroed) && (!liveness.exact || live == zeroed), "{live:?} {zeroed:?}");
}

#[test]
fn random_functions() {
    let mut liveness = Liveness::default();
    for seed in 0..240 {
        let style = Style {
            insts: 10 + seed as usize / 2,
            locals: [2, 9, 70, 200][seed as usize % 4],
            calls: seed % 3 != 0,
            tries: seed % 2 == 0,
        };
        let function = random(seed, style);
        liveness.run(&function);
        assert!(liveness.is_exact());
        compare(&function, &liveness);
        liveness.run_within(&function, 0, usize::MAX);
        compare(&function, &liveness);
        liveness.run_within(&function, usize::MAX, 0);
        compare(&function, &liveness);
    }
}

#[test]
fn a_local_is_dead_before_it_is_written_again() {
    // loop { v0 = v0 + v0; call; v1 = v0; call; v0 = 1; if v1 continue }
    let mut maker = Maker::new(&[Ty::I32], &[Ty::I32]);
    let (v0, v1) = (Vreg(0), Vreg(1));
    let start = maker.label();
    maker.bind(start, true);
    maker.add(v0, v0, v0);
    maker.call(&[], &[]);
    maker.inst(Inst::Move { dst: v1, a: v0.into() });
    maker.call(&[], &[]);
    let one = maker.constant(1);
    maker.inst(Inst::Move { dst: v0, a: one });
    maker.branch(v1, start);
    maker.ret(&[]);
    let mut liveness = Liveness::default();
    liveness.run(&maker.function);
    let live = |inst| -> Vec<Vreg> { liveness.live_across(&maker.function, inst).iter().collect() };
    assert_eq!((live(2), live(4)), (vec![v0], vec![v1]));
    assert_eq!(liveness.zeroed(&maker.function).count(), 0);
    assert_eq!(liveness.depth(0), 1);
    assert_eq!(liveness.depth(1), 0);
}

#[test]
fn depths() {
    let mut maker = Maker::new(&[Ty::I32], &[]);
    let labels: Vec<Label> = (0..3).map(|_| maker.label()).collect();
    labels.iter().for_each(|&label| maker.bind(label, true));
    maker.branch(Vreg(0), labels[2]);
    maker.branch(Vreg(0), labels[1]);
    maker.branch(Vreg(0), labels[0]);
    maker.ret(&[]);
    let mut liveness = Liveness::default();
    liveness.run(&maker.function);
    let depths: Vec<u32> =
        (0..maker.function.blocks.len()).map(|block| liveness.depth(block)).collect();
    assert_eq!(depths, [1, 2, 3, 2, 1, 0]);
}

/// 100,000 locals in 50,000 blocks, or loops: takes no time and memory in proportion to the product.
#[test]
fn enormous_functions() {
    for loops in [false, true] {
        let mut maker = Maker::new(&[], &vec![Ty::I64; 100_000]);
        let mut labels = Vec::new();
        for at in 0..50_000 {
            let label = maker.label();
            maker.bind(label, loops);
            maker.add(Vreg(at), Vreg(2 * at), Vreg(2 * at + 1));
            labels.push(label);
        }
        for &label in labels.iter().rev().filter(|_| loops) {
            maker.branch(Vreg(0), label);
        }
        maker.ret(&[Vreg(0).into()]);
        let mut liveness = Liveness::default();
        liveness.run(&maker.function);
        assert!(!liveness.is_exact());
    }
}

/// From the innermost loop a jump back leads to the next one out, and so on: one pass for each.
#[test]
fn too_many_passes() {
    for (depth, is_exact) in [(50, true), (5000, false)] {
        let mut maker = Maker::new(&[], &[Ty::I32]);
        let condition = maker.constant(1);
        let labels: Vec<(Label, Label)> =
            (0..depth).map(|_| (maker.label(), maker.label())).collect();
        let mut around = None;
        for &(start, tail) in &labels {
            maker.bind(start, true);
            match around.replace(tail) {
                Some(around) => maker.branch(condition, around),
                None => maker.inst(Inst::GlobalSet {
                    ty: Ty::I32,
                    global: GlobalIdx(0),
                    value: Vreg(0).into(),
                }),
            }
        }
        for &(start, tail) in labels.iter().rev() {
            maker.bind(tail, false);
            maker.inst(Inst::Jump { to: start });
        }
        let mut liveness = Liveness::default();
        liveness.run(&maker.function);
        assert_eq!(liveness.is_exact(), is_exact);
        let last = maker.function.insts.len() - 1;
        assert!(liveness.intervals[0].is_across(last));
        assert!(liveness.live_across(&maker.function, last).contains(Vreg(0)));
    }
}
