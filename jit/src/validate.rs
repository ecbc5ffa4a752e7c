//! What every function that comes out of the builder keeps to.

use crate::ir::*;

impl Function {
    /// Checks that the lists fit together: for tests.
    ///
    /// # Errors
    /// If they do not: what is wrong.
    pub fn validate(&self) -> Result<(), String> {
        self.check_blocks()?;
        let count = self.vregs.len();
        let mut defined = vec![false; count];
        defined[..self.locals as usize].fill(true);
        let mut joined = vec![false; count];
        for pair in self.joined.windows(2) {
            ensure(pair[0] < pair[1], || format!("joined registers are out of order: {pair:?}"))?;
        }
        for vreg in &self.joined {
            ensure(vreg.0 >= self.locals, || format!("{vreg:?} is a local and joined"))?;
            match joined.get_mut(vreg.0 as usize) {
                Some(it) => *it = true,
                None => return Err(format!("{vreg:?} does not exist")),
            }
        }
        for clause in &self.clauses {
            ensure(self.labels.len() > clause.to.0 as usize, || format!("{clause:?}"))?;
            let values = self.list(clause.values).iter().filter_map(|arg| arg.vreg());
            for vreg in values.chain(clause.reference) {
                ensure(joined[vreg.0 as usize], || format!("{clause:?} writes {vreg:?}"))?;
                defined[vreg.0 as usize] = true;
            }
        }
        for (i, inst) in self.insts.iter().enumerate() {
            let mut wrong = None;
            self.uses(inst, |arg| {
                let optional = matches!(inst, Inst::Op { b, .. } if *b == Arg::NONE);
                let fine = match (arg.vreg(), arg.constant()) {
                    (Some(vreg), _) => defined.get(vreg.0 as usize) == Some(&true),
                    (_, Some(at)) => at < self.consts.len(),
                    _ => optional,
                };
                if !fine {
                    wrong = Some(arg);
                }
            });
            if let Some(arg) = wrong {
                return Err(format!("instruction {i} reads {arg:?}: {inst:?}"));
            }
            self.defs(inst, |vreg| {
                let at = vreg.0 as usize;
                let once = vreg.0 < self.locals || joined.get(at) == Some(&true);
                match defined.get_mut(at) {
                    Some(defined) if once || !*defined => *defined = true,
                    _ => wrong = Some(vreg.into()),
                }
            });
            if let Some(arg) = wrong {
                return Err(format!("instruction {i} writes {arg:?} again: {inst:?}"));
            }
        }
        self.check_notes()
    }

    fn check_blocks(&self) -> Result<(), String> {
        let ends = |inst: &Inst| {
            matches!(
                inst,
                Inst::Jump { .. }
                    | Inst::Branch { .. }
                    | Inst::JumpTable { .. }
                    | Inst::TailCall { .. }
                    | Inst::Return { .. }
                    | Inst::Trap { .. }
            )
        };
        ensure(self.insts.last().is_some_and(ends), || "it has no end".into())?;
        let (mut starts, mut block) = (self.blocks.iter().map(|block| block.start).peekable(), 0);
        let mut bound = vec![false; self.labels.len()];
        for (i, inst) in self.insts.iter().enumerate() {
            let begins = starts.next_if_eq(&(i as u32)).is_some();
            block += usize::from(begins);
            let label = if let Inst::Label { label, .. } = inst { Some(label.0) } else { None };
            let wanted = i == 0 || label.is_some() || ends(&self.insts[i - 1]);
            ensure(begins == wanted, || format!("blocks at instruction {i}: {inst:?}"))?;
            if let Some(label) = label {
                let at = label as usize;
                let fits = bound.get(at) == Some(&false) && self.labels[at] as usize + 1 == block;
                ensure(fits, || format!("label {label} at instruction {i}"))?;
                bound[at] = true;
            }
            let exists = |to: &Label| (to.0 as usize) < self.labels.len();
            let fits = match inst {
                Inst::Jump { to } | Inst::Branch { to, .. } => exists(to),
                &Inst::JumpTable { targets: List { start, len }, .. } => {
                    let targets = self.targets.get(start as usize..(start + len) as usize);
                    len > 0 && targets.is_some_and(|targets| targets.iter().all(exists))
                }
                _ => true,
            };
            ensure(fits, || format!("targets of instruction {i}: {inst:?}"))?;
        }
        ensure(starts.next().is_none(), || "a block begins behind the end".into())?;
        ensure(bound.iter().all(|&bound| bound), || "a label is not bound".into())?;
        let sorted = self.segments.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let in_range = self.segments.last().is_none_or(|last| last.0 as usize <= self.insts.len());
        ensure(sorted && in_range, || format!("segments: {:?}", self.segments))
    }

    fn check_notes(&self) -> Result<(), String> {
        let Some(notes) = &self.notes else { return Ok(()) };
        ensure(notes.offsets.len() == self.insts.len(), || "offsets are missing".into())?;
        let stops = (0..).zip(&self.insts).filter(|(_, inst)| {
            Function::is_call(inst) || matches!(inst, Inst::TailCall { .. } | Inst::Fuel { .. })
        });
        ensure(stops.map(|stop| stop.0).eq(notes.stacks.iter().map(|stack| stack.0)), || {
            format!("stacks: {:?}", notes.stacks)
        })
    }
}

fn ensure(condition: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(why()) }
}
