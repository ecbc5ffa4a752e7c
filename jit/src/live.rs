//! Where virtual registers are live.
//!
//! Instruction *i* reads at position 2*i* and writes at 2*i* + 1. An [`Interval`] is the hull of all positions at which a register is live: a register
//! that ends at a position and one that begins at a later one do not meet.
//!
//! Registers with one definition live from there to their last use in the order of instructions: the operand stack sees to that, as long as a loop
//! reads nothing that has been pushed before it, and handlers stand inside of the block whose end they lead to; what is below other handlers is on
//! the list [`Function::joined`]. For that and locals a backward pass over sets of them finds out where they are live, exactly. It is repeated over
//! loops until nothing changes, which takes about as many passes as loops are nested. Where the sets or the passes would be out of proportion to the function,
//! registers with several definitions are taken to be live from the entry on, to the end of the loops they are in: see [`Liveness::is_exact`].
//!
//! Exceptions: a call in a `try_table` begins a `Span` of its own, with an edge from before the call to whatever catches.

use crate::ir::{Arg, Function, Inst, Label, Operands, RuntimeOp, Ty, Vreg};
use std::ops::Range;

const NONE: u32 = u32::MAX;

/// What an operand counts, by the depth of loops.
const WEIGHTS: [f32; 5] = [1.0, 8.0, 64.0, 512.0, 4096.0];

/// The life of a virtual register.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// The first position at which it is live, or is written.
    pub start: u32,
    /// The last one.
    pub end: u32,
    /// How often it is read and written: 8 times as much for each loop around.
    pub weight: f32,
    /// Whether it has to survive a call, or is written by a clause that catches exceptions.
    pub crosses: bool,
    /// Whether anybody reads it. If not, it needs no place.
    pub read: bool,
    /// Its number among registers with several definitions.
    index: u32,
    /// How many calls stand before its latest definition: only while instructions are looked at.
    calls: u32,
}

impl Interval {
    const NEW: Interval = Interval {
        start: NONE,
        end: 0,
        weight: 0.0,
        crosses: false,
        read: false,
        index: NONE,
        calls: 0,
    };

    /// Whether it is live after an instruction, as far as that can be seen from the order of instructions, and was so before.
    fn is_across(&self, inst: usize) -> bool {
        self.read && self.start <= 2 * inst as u32 && self.end > 2 * inst as u32
    }
}

/// A block, or a part of one that begins with a call that a `try_table` surrounds.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Its first instruction.
    start: u32,
    /// How many loops are around it.
    depth: u32,
    /// The innermost `try_table`, if the first instruction may throw into it.
    thrown: Option<u32>,
    /// Which row of [`Liveness::late`] it has; `NONE` if it calls nothing.
    late: u32,
}

/// Spans that a loop consists of: from the target of jumps back to the last of these jumps.
#[derive(Clone, Copy, Debug)]
struct Loop {
    first: u32,
    last: u32,
}

/// Where the virtual registers of a function are live.
#[derive(Debug, Default)]
pub struct Liveness {
    /// The life of each virtual register.
    pub intervals: Vec<Interval>,
    /// Calls, tail calls and returns, in order.
    pub sites: Vec<u32>,
    /// How many calls there are, of the runtime as well.
    pub calls: u32,
    spans: Vec<Span>,
    /// The first span of each block.
    firsts: Vec<u32>,
    loops: Vec<Loop>,
    /// Disjoint ranges of spans, in order, that jumps back do not leave.
    ranges: Vec<Loop>,
    /// For each span, from where the last jump back leads there.
    backs: Vec<u32>,
    /// For each `try_table`, the last span that throws into it.
    throwers: Vec<u32>,
    /// Loops around a span.
    open: Vec<u32>,

    exact: bool,
    /// Words of 64 bits of a set of registers with several definitions.
    words: usize,
    /// Sets of those that are live at the start of each span. While instructions are looked at: that are read there before they are written.
    live_in: Vec<u64>,
    /// That are live at its end.
    live_out: Vec<u64>,
    /// That are written in it.
    written: Vec<u64>,
    /// That are written behind the last call in it, for spans with calls.
    late: Vec<u64>,
    /// For each `try_table`, those that are live where exceptions lead from there.
    caught: Vec<u64>,
    /// In which pass that has been found out.
    rounds: Vec<u32>,
    round: u32,
    scratch: Vec<u64>,
    /// A list: what has been written since the last call, or `try_table`s around one.
    list: Vec<u32>,
    /// How many words passes may still look at.
    work: usize,
}

impl Liveness {
    /// Finds out about a function.
    pub fn run(&mut self, function: &Function) {
        let words = (1 << 20) + 16 * function.insts.len();
        self.run_within(function, words, 8 * words);
    }

    /// Does it with sets of so many words, and passes over so many.
    fn run_within(&mut self, function: &Function, words: usize, work: usize) {
        self.work = work;
        self.find_spans(function);
        self.find_loops(function);
        self.number(function, words);
        self.scan(function);
        self.catch_values(function);
        if self.exact && self.flow(function) {
            self.extend(function);
        } else {
            self.approximate(function);
        }
        self.enter(function);
    }

    /// How many loops are around a block.
    pub fn depth(&self, block: usize) -> u32 {
        self.spans[self.firsts[block] as usize].depth
    }

    /// Whether registers with several definitions are known to be live exactly where they may be read. It is so but for
    /// enormous functions.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Registers that begin as zero: locals, not parameters, that are live at the entry. Where liveness is not exact, also references
    /// that are not defined yet, but are taken to be live.
    pub fn zeroed<'l>(&'l self, function: &'l Function) -> impl Iterator<Item = Vreg> + 'l {
        let locals =
            (function.params..function.locals).map(Vreg).filter(|&local| match self.exact {
                true => has(&self.live_in, local.0),
                false => self.intervals[local.0 as usize].read,
            });
        let joined = function.joined.iter().copied().filter(|&vreg| {
            !self.exact
                && self.intervals[vreg.0 as usize].read
                && function.vregs[vreg.0 as usize] == Ty::Ref
        });
        locals.chain(joined)
    }

    /// Which registers hold a value before an instruction that may be read after it: on the path to the next one, or where exceptions lead.
    /// What the instruction itself reads for the last time or writes is not among them.
    ///
    /// Asking takes time in proportion to the block.
    pub fn live_across(&self, function: &Function, inst: usize) -> Live<'_> {
        let mut set = Vec::new();
        if self.exact && self.words > 0 {
            let span = self.spans.partition_point(|span| span.start as usize <= inst) - 1;
            set.extend_from_slice(&self.live_out[self.row(span)]);
            for at in (inst..end(&self.spans, function, span)).rev() {
                let what = &function.insts[at];
                function.defs(what, |vreg| self.change(&mut set, vreg, false));
                if at > inst {
                    function.uses(what, |arg| {
                        arg.vreg().into_iter().for_each(|vreg| self.change(&mut set, vreg, true))
                    });
                }
            }
            let Span { start, thrown, .. } = self.spans[span];
            if let Some(thrown) = thrown.filter(|_| start as usize == inst) {
                merge(&mut set, &self.caught[self.row(thrown as usize)]);
            }
        }
        Live { liveness: self, inst, set }
    }

    fn change(&self, set: &mut [u64], vreg: Vreg, live: bool) {
        let index = self.intervals[vreg.0 as usize].index;
        if index != NONE {
            let (word, bit) = bit(index);
            set[word] = if live { set[word] | bit } else { set[word] & !bit };
        }
    }

    fn row(&self, row: usize) -> Range<usize> {
        row * self.words..(row + 1) * self.words
    }

    fn find_spans(&mut self, function: &Function) {
        self.spans.clear();
        self.firsts.clear();
        let new = |start| Span { start, depth: 0, thrown: None, late: NONE };
        if function.tries.is_empty() {
            self.spans.extend(function.blocks.iter().map(|block| new(block.start)));
            self.firsts.extend(0..function.blocks.len() as u32);
            return;
        }
        let mut segments = function.segments.iter().peekable();
        let mut innermost = None;
        for block in 0..function.blocks.len() {
            let range = function.block(block);
            self.firsts.push(self.spans.len() as u32);
            let mut span = new(range.start as u32);
            for inst in range {
                while let Some(&(_, inner)) = segments.next_if(|&&(from, _)| from as usize <= inst)
                {
                    innermost = inner;
                }
                if innermost.is_some() && Function::is_call(&function.insts[inst]) {
                    if inst as u32 > span.start {
                        self.spans.push(span);
                        span = new(inst as u32);
                    }
                    span.thrown = innermost;
                }
            }
            self.spans.push(span);
        }
    }

    fn find_loops(&mut self, function: &Function) {
        let Liveness { spans, firsts, backs, throwers, loops, ranges, open, .. } = self;
        refill(backs, spans.len(), NONE);
        refill(throwers, function.tries.len(), NONE);
        for span in 0..spans.len() {
            successors(spans, firsts, function, span, |to| {
                if to <= span {
                    backs[to] = span as u32;
                }
            });
            if let Some(thrown) = spans[span].thrown {
                throwers[thrown as usize] = span as u32;
            }
        }
        for (at, inner) in function.tries.iter().enumerate().rev() {
            let thrower = throwers[at];
            if thrower == NONE {
                continue;
            }
            if let Some(outer) = inner.outer {
                debug_assert!((outer as usize) < at, "outer ones come first");
                let outer = &mut throwers[outer as usize];
                *outer = if *outer == NONE { thrower } else { thrower.max(*outer) };
            }
            for clause in &function.clauses[inner.clauses.0 as usize..inner.clauses.1 as usize] {
                let to = target(firsts, function, clause.to);
                if to as u32 <= thrower {
                    backs[to] = if backs[to] == NONE { thrower } else { thrower.max(backs[to]) };
                }
            }
        }
        loops.clear();
        ranges.clear();
        open.clear();
        for (first, (span, &last)) in (0..).zip(spans.iter_mut().zip(&*backs)) {
            while open.pop_if(|last| *last < first).is_some() {}
            if last != NONE {
                open.push(last);
                loops.push(Loop { first, last });
                match ranges.last_mut().filter(|range| first <= range.last) {
                    Some(range) => range.last = range.last.max(last),
                    None => ranges.push(Loop { first, last }),
                }
            }
            span.depth = open.len() as u32;
        }
    }

    /// Numbers registers with several definitions, and makes room for sets of them, unless that takes too many words.
    fn number(&mut self, function: &Function, limit: usize) {
        let rows = self.spans.len()
            + function.targets.len()
            + function.tries.len()
            + function.clauses.len();
        self.words = (function.locals as usize + function.joined.len()).div_ceil(64);
        self.exact = self.words.saturating_mul(rows) <= limit;
        refill(&mut self.intervals, function.vregs.len(), Interval::NEW);
        if self.exact {
            let several = (0..function.locals).map(Vreg).chain(function.joined.iter().copied());
            for (index, vreg) in (0..).zip(several) {
                self.intervals[vreg.0 as usize].index = index;
            }
        } else {
            self.words = 0;
        }
        let size = self.words * self.spans.len();
        refill(&mut self.live_in, size, 0);
        refill(&mut self.live_out, size, 0);
        refill(&mut self.written, size, 0);
        refill(&mut self.caught, self.words * function.tries.len(), 0);
        refill(&mut self.rounds, function.tries.len(), 0);
        self.late.clear();
        self.round = 0;
    }

    /// Looks at all instructions, in order.
    fn scan(&mut self, function: &Function) {
        let Liveness { intervals, sites, spans, words, live_in, written, late, list, .. } = self;
        let words = *words;
        let mut calls = 0;
        sites.clear();
        for span in 0..spans.len() {
            let insts = spans[span].start as usize..end(spans, function, span);
            let row = span * words..(span + 1) * words;
            let (read, written) = (&mut live_in[row.clone()], &mut written[row]);
            let weight = WEIGHTS[spans[span].depth.min(4) as usize];
            let calls_before = calls;
            list.clear();
            for (inst, at) in function.insts[insts.clone()].iter().zip(insts.start as u32..) {
                let position = 2 * at;
                let Operands { args, list: more, dst, results } = function.operands(inst);
                let mut reads = |arg: Arg| {
                    let Some(vreg) = arg.vreg() else { return };
                    let interval = &mut intervals[vreg.0 as usize];
                    interval.end = position;
                    interval.weight += weight;
                    interval.read = true;
                    let mut since = interval.calls;
                    if interval.index != NONE {
                        let (word, bit) = bit(interval.index);
                        if written[word] & bit == 0 {
                            read[word] |= bit;
                            since = calls_before;
                        }
                    }
                    interval.crosses |= since < calls;
                };
                args.into_iter().for_each(&mut reads);
                more.iter().copied().for_each(reads);
                match inst {
                    Inst::Call { .. } => {
                        sites.push(at);
                        calls += 1;
                        list.clear();
                    }
                    Inst::Runtime { .. } => {
                        calls += 1;
                        list.clear();
                    }
                    Inst::TailCall { .. } | Inst::Return { .. } => sites.push(at),
                    _ => {}
                }
                let mut writes = |arg: Arg| {
                    let Some(vreg) = arg.vreg() else { return };
                    let interval = &mut intervals[vreg.0 as usize];
                    interval.start = interval.start.min(position + 1);
                    interval.end = position + 1;
                    interval.weight += weight;
                    interval.calls = calls;
                    if interval.index != NONE {
                        let (word, bit) = bit(interval.index);
                        written[word] |= bit;
                        list.push(interval.index);
                    }
                };
                writes(dst);
                results.iter().copied().for_each(writes);
            }
            if calls > calls_before && words > 0 {
                let from = late.len();
                spans[span].late = (from / words) as u32;
                late.resize(from + words, 0);
                for &index in &*list {
                    let (word, bit) = bit(index);
                    late[from + word] |= bit;
                }
            }
        }
        self.calls = calls;
    }

    /// Clauses write registers where they lead to, while a call is going on.
    fn catch_values(&mut self, function: &Function) {
        for clause in &function.clauses {
            let span = target(&self.firsts, function, clause.to);
            let position = 2 * self.spans[span].start;
            let values = function.list(clause.values).iter().filter_map(|arg| arg.vreg());
            for vreg in values.chain(clause.reference) {
                let interval = &mut self.intervals[vreg.0 as usize];
                interval.start = interval.start.min(position);
                interval.end = interval.end.max(position);
                interval.crosses = true;
            }
        }
    }

    /// Completes the sets. Returns whether it could be done.
    fn flow(&mut self, function: &Function) -> bool {
        if self.words == 0 {
            return true;
        }
        self.round = 1;
        let mut range = self.ranges.len();
        let mut span = self.spans.len();
        while span > 0 {
            if self.work == 0 {
                return false;
            }
            span -= 1;
            match self.ranges[..range].last() {
                Some(&Loop { first, last }) if last as usize == span => {
                    range -= 1;
                    while self.flow_back(function, first as usize..span + 1) {
                        if self.work == 0 {
                            return false;
                        }
                    }
                    span = first as usize;
                    self.round += 1;
                }
                _ => _ = self.flow_span(function, span),
            }
        }
        true
    }

    /// One pass over loops. Returns whether there is more at the target of a jump back than that jump has seen.
    fn flow_back(&mut self, function: &Function, range: Range<usize>) -> bool {
        self.round += 1;
        let mut again = false;
        for span in range.rev() {
            again |= self.flow_span(function, span) && self.backs[span] != NONE;
        }
        again
    }

    /// Brings a span up to date with what follows. Returns whether more is live at its start.
    fn flow_span(&mut self, function: &Function, span: usize) -> bool {
        if let Some(thrown) = self.spans[span].thrown {
            self.flow_try(function, thrown);
        }
        let row = self.row(span);
        let Liveness { spans, firsts, words, live_in, live_out, written, caught, work, .. } = self;
        let words = *words;
        let mut more = 0;
        if words == 1 {
            // Most functions: no slices of one word.
            let mut out = live_out[span];
            successors(spans, firsts, function, span, |to| {
                out |= live_in[to];
                *work = work.saturating_sub(1);
            });
            live_out[span] = out;
            let live = &mut live_in[span];
            more = out & !written[span] & !*live;
            *live |= more;
        } else {
            let out = &mut live_out[row.clone()];
            successors(spans, firsts, function, span, |to| {
                merge(out, &live_in[to * words..(to + 1) * words]);
                *work = work.saturating_sub(words);
            });
            for ((live, &out), &written) in
                live_in[row.clone()].iter_mut().zip(&*out).zip(&written[row.clone()])
            {
                more |= out & !written & !*live;
                *live |= out & !written;
            }
        }
        if let Some(thrown) = spans[span].thrown {
            let caught = &caught[thrown as usize * words..][..words];
            for (live, &caught) in live_in[row].iter_mut().zip(caught) {
                more |= caught & !*live;
                *live |= caught;
            }
        }
        more != 0
    }

    /// Brings a `try_table` up to date, and those around it, unless they are.
    fn flow_try(&mut self, function: &Function, inner: u32) {
        self.list.clear();
        let mut next = Some(inner);
        while let Some(at) = next.filter(|&at| self.rounds[at as usize] != self.round) {
            self.rounds[at as usize] = self.round;
            self.list.push(at);
            next = function.tries[at as usize].outer;
        }
        let words = self.words;
        while let Some(at) = self.list.pop() {
            let from = at as usize * words;
            let what = &function.tries[at as usize];
            if let Some(outer) = what.outer {
                // It comes first.
                let (before, own) = self.caught.split_at_mut(from);
                merge(&mut own[..words], &before[outer as usize * words..][..words]);
            }
            self.work = self.work.saturating_sub(2 * words);
            for clause in &function.clauses[what.clauses.0 as usize..what.clauses.1 as usize] {
                let to = target(&self.firsts, function, clause.to);
                self.scratch.clear();
                self.scratch.extend_from_slice(&self.live_in[to * words..(to + 1) * words]);
                let values = function.list(clause.values).iter().filter_map(|arg| arg.vreg());
                for vreg in values.chain(clause.reference) {
                    let index = self.intervals[vreg.0 as usize].index;
                    if index != NONE {
                        let (word, bit) = bit(index);
                        self.scratch[word] &= !bit;
                    }
                }
                merge(&mut self.caught[from..from + words], &self.scratch);
                self.work = self.work.saturating_sub(2 * words);
            }
        }
    }
    /// Extends intervals to all spans at whose borders registers are live, and finds out which of them cross calls.
    fn extend(&mut self, function: &Function) {
        if self.words == 0 {
            return;
        }
        let Liveness {
            intervals,
            spans,
            words,
            live_in,
            live_out,
            late,
            caught,
            scratch: seen,
            ..
        } = self;
        let vreg = |index: usize| match index.checked_sub(function.locals as usize) {
            Some(joined) => function.joined[joined].0 as usize,
            None => index,
        };
        refill(seen, *words, 0);
        for (span, live) in spans.iter().zip(live_in.chunks_exact(*words)) {
            each_new(seen, live, |index| {
                let interval = &mut intervals[vreg(index)];
                interval.start = interval.start.min(2 * span.start);
            });
        }
        refill(seen, *words, 0);
        for (at, live) in live_out.chunks_exact(*words).enumerate().rev() {
            let mut reach = |live, end: u32| {
                each_new(seen, live, |index| {
                    let interval = &mut intervals[vreg(index)];
                    interval.end = interval.end.max(end);
                });
            };
            reach(live, (2 * end(spans, function, at) as u32).saturating_sub(1));
            if let Span { start, thrown: Some(thrown), .. } = spans[at] {
                reach(&caught[thrown as usize * *words..][..*words], 2 * start + 1);
            }
        }
        refill(seen, *words, 0);
        let mut cross = |index| intervals[vreg(index)].crosses = true;
        for (span, live) in spans.iter().zip(live_out.chunks_exact(*words)) {
            if span.late != NONE {
                let late = &late[span.late as usize * *words..][..*words];
                for (at, (seen, (&live, &late))) in
                    seen.iter_mut().zip(live.iter().zip(late)).enumerate()
                {
                    each_new_bit(at, seen, live & !late, &mut cross);
                }
            }
        }
        for caught in caught.chunks_exact(*words) {
            each_new(seen, caught, &mut cross);
        }
    }

    /// Makes the intervals of registers with several definitions large enough for all that may happen.
    fn approximate(&mut self, function: &Function) {
        self.exact = false;
        let Liveness { intervals, spans, ranges, .. } = self;
        for vreg in (0..function.locals).map(Vreg).chain(function.joined.iter().copied()) {
            let interval = &mut intervals[vreg.0 as usize];
            interval.index = NONE;
            if interval.read {
                let last = spans.partition_point(|span| 2 * span.start <= interval.end) - 1;
                let range = ranges.partition_point(|range| (range.last as usize) < last);
                let last = match ranges.get(range) {
                    Some(range) if range.first as usize <= last => range.last as usize,
                    _ => last,
                };
                interval.start = 0;
                interval.end = 2 * end(spans, function, last) as u32 - 1;
                interval.crosses |= self.calls > 0;
            }
        }
    }

    /// Parameters are written at the entry. So is whatever is read but never written.
    fn enter(&mut self, function: &Function) {
        for (vreg, interval) in self.intervals.iter_mut().enumerate() {
            if interval.read && (vreg < function.params as usize || interval.start == NONE) {
                interval.start = 0;
                interval.weight += 1.0;
            }
        }
    }
}

/// The registers that are live across an instruction.
#[derive(Debug)]
pub struct Live<'l> {
    liveness: &'l Liveness,
    inst: usize,
    set: Vec<u64>,
}

impl Live<'_> {
    /// Whether this one is.
    pub fn contains(&self, vreg: Vreg) -> bool {
        let interval = &self.liveness.intervals[vreg.0 as usize];
        match interval.index {
            NONE => interval.is_across(self.inst),
            index => has(&self.set, index),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Vreg> + '_ {
        (0..self.liveness.intervals.len() as u32).map(Vreg).filter(|&vreg| self.contains(vreg))
    }
}

/// Calls `each` with the spans that control may go to behind a span, but for exceptions.
#[inline]
fn successors(
    spans: &[Span],
    firsts: &[u32],
    function: &Function,
    span: usize,
    mut each: impl FnMut(usize),
) {
    let insts = spans[span].start as usize..end(spans, function, span);
    let falls = match function.insts[insts].last() {
        Some(&Inst::Jump { to }) => {
            each(target(firsts, function, to));
            false
        }
        Some(&Inst::Branch { to, .. }) => {
            each(target(firsts, function, to));
            true
        }
        Some(&Inst::JumpTable { targets, .. }) => {
            let targets = &function.targets[targets.start as usize..][..targets.len as usize];
            targets.iter().for_each(|&to| each(target(firsts, function, to)));
            false
        }
        Some(Inst::Return { .. } | Inst::TailCall { .. } | Inst::Trap { .. }) => false,
        Some(&Inst::Runtime { site }) => !matches!(
            function.runtimes[site as usize].op,
            RuntimeOp::Throw(_) | RuntimeOp::ThrowRef
        ),
        _ => true,
    };
    if falls && span + 1 < spans.len() {
        each(span + 1);
    }
}

fn target(firsts: &[u32], function: &Function, label: Label) -> usize {
    firsts[function.labels[label.0 as usize] as usize] as usize
}

/// Where the instructions of a span end.
fn end(spans: &[Span], function: &Function, span: usize) -> usize {
    spans.get(span + 1).map_or(function.insts.len(), |next| next.start as usize)
}

fn refill<T: Copy>(list: &mut Vec<T>, len: usize, value: T) {
    list.clear();
    list.resize(len, value);
}

fn bit(index: u32) -> (usize, u64) {
    (index as usize / 64, 1 << (index % 64))
}

fn has(set: &[u64], index: u32) -> bool {
    let (word, bit) = bit(index);
    set[word] & bit != 0
}

fn merge(set: &mut [u64], more: &[u64]) {
    for (set, &more) in set.iter_mut().zip(more) {
        *set |= more;
    }
}

/// Calls `each` with the members of `set` that are not in `seen`, and adds them there.
fn each_new(seen: &mut [u64], set: &[u64], mut each: impl FnMut(usize)) {
    for (at, (seen, &set)) in seen.iter_mut().zip(set).enumerate() {
        each_new_bit(at, seen, set, &mut each);
    }
}

#[inline]
fn each_new_bit(at: usize, seen: &mut u64, set: u64, each: &mut impl FnMut(usize)) {
    let mut new = set & !*seen;
    *seen |= set;
    while new != 0 {
        each(64 * at + new.trailing_zeros() as usize);
        new &= new - 1;
    }
}

#[cfg(test)]
mod tests;
