//! What slots hold where jumps lead to, for artifacts to say: found out by walking over a function until nothing changes.
//!
//! Only slots that are read later on are of interest. Which they are is found out first, from the end to the beginning.

use super::{
    Code,
    flow::{Body, Fail, Flow, Get, Joins},
    operands::{Operands, operands, read_u16, slots_op, target},
    states::{self, State},
    types::{Held, Types},
};
use crate::{
    exec::{TOKEN, moves::ZERO_STEP, regs::FUNC_HEADER},
    forms::{Places, Traits, code, parts, standard},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use kinglet_core::{
    error::Error,
    index::TagIdx,
    module::Module,
    op::Op,
    runtime::gc::layout::Storage,
    types::{FieldType, slot_count},
};

/// What there is to say of a function, as it stands in artifacts.
///
/// # Errors
/// It does with references what cannot be checked.
pub(super) fn infer(
    module: &Module,
    code: Code<'_>,
    types: &Types,
    frame: u32,
    body: &Body<'_>,
) -> Result<Vec<u8>, Error> {
    let live = Liveness::new(module, code, body).find();
    let mut found = Inferred { live, known: BTreeMap::new(), is_new: true };
    while core::mem::take(&mut found.is_new) {
        Flow::new(module, code, types, frame).function(body, &mut found)?;
    }
    Ok(states::write(found.known.iter().map(|(&at, slots)| (at, &slots[..]))))
}

/// Slots that are read later on, before they are written.
type Live = BTreeSet<u16>;

struct Liveness<'a> {
    module: &'a Module,
    code: &'a [u8],
    body: &'a Body<'a>,
    /// Where the ops begin.
    ops: Vec<usize>,
    /// What is live at the ops that jumps lead to, by their offsets in the function, as far as is known.
    live: BTreeMap<u32, Live>,
}

impl<'a> Liveness<'a> {
    fn new(module: &'a Module, code: Code<'a>, body: &'a Body<'a>) -> Liveness<'a> {
        let clauses = body.handlers.clauses.iter();
        let live = clauses.map(|clause| (clause.target, Live::new())).collect();
        let mut found = Liveness { module, code: code.bytes, body, ops: Vec::new(), live };
        let mut at = body.range.start + FUNC_HEADER;
        while at < body.range.end {
            found.ops.push(at);
            for (_, operands) in found.parts(&mut at) {
                for to in found.targets(&operands) {
                    found.live.entry(to).or_default();
                }
            }
        }
        found
    }

    /// The op at `at`, which is moved behind it: the parts that it consists of.
    fn parts(&self, at: &mut usize) -> Vec<(u16, Operands)> {
        let mut rest = Vec::from([read_u16(self.code, *at)]);
        *at += TOKEN;
        let mut ops = Vec::new();
        while let Some(opcode) = rest.pop() {
            match parts(opcode) {
                Some((first, second)) => rest.extend([second, first]),
                None => ops.push((standard(opcode), operands(self.code, opcode, at))),
            }
        }
        ops
    }

    /// Where jumps of an op lead to.
    fn targets(&self, o: &Operands) -> impl Iterator<Item = u32> + use<> {
        let (first, count) = o.jumps;
        let targets: Vec<u32> = (0..count)
            .map(|i| (target(self.code, first + 4 * i) - self.body.range.start) as u32)
            .collect();
        targets.into_iter()
    }

    fn find(mut self) -> BTreeMap<u32, Live> {
        let mut is_new = true;
        while core::mem::take(&mut is_new) {
            let mut live = Live::new();
            for i in (0..self.ops.len()).rev() {
                let (start, mut at) = (self.ops[i], self.ops[i]);
                let opcode = read_u16(self.code, start);
                if Traits::of(opcode).is_some_and(Traits::is_terminal) {
                    live.clear();
                }
                let offset = (start - self.body.range.start) as u32;
                let ops = self.parts(&mut at);
                let end = (at - self.body.range.start) as u32;
                for (opcode, operands) in ops.iter().rev() {
                    self.before(*opcode, operands, offset, end, &mut live);
                }
                if let Some(known) = self.live.get_mut(&offset)
                    && *known != live
                {
                    known.clone_from(&live);
                    is_new = true;
                }
            }
        }
        self.live
    }

    /// From what is live behind an op, or a part of one, to what is live before it.
    fn before(&self, opcode: u16, o: &Operands, start: u32, end: u32, live: &mut Live) {
        for to in self.targets(o) {
            live.extend(&self.live[&to]);
        }
        let mut read = |first: u16, count: usize| {
            (0..count).for_each(|i| _ = live.insert(first.saturating_add(i as u16)));
        };
        if let Some(header) = o.header {
            _ = live.split_off(&o.base);
            if !o.tail {
                self.caught(end - 1, live);
            }
            live.extend(o.base..header);
            live.extend(o.slots.list());
            return;
        }
        match opcode {
            code::ZERO => {
                let (first, count) = o.range;
                let count = usize::from(count).next_multiple_of(ZERO_STEP) as u16;
                live.retain(|slot| !(first..first.saturating_add(count)).contains(slot));
                live.extend(o.slots.list());
                return;
            }
            code::THROW => {
                let params = self.module.tag_type(TagIdx(o.numbers.list()[0])).params();
                read(o.base, slot_count(params) as usize);
                self.caught(start, live);
            }
            code::THROW_REF => self.caught(start, live),
            code::RET_MANY => read(o.range.0, o.range.1.into()),
            _ if o.is_atomic => read(o.base, 3),
            _ if o.is_multi => read(o.base, 4),
            opcode => {
                if let Some(op) = slots_op(opcode) {
                    read(o.base, self.slots(op, o.numbers.list()));
                }
            }
        }
        let writes = Places::of(opcode).result().is_none_or(|(_, slot)| slot);
        if let (true, Some(d)) = (writes, o.d) {
            live.remove(&d);
        }
        live.extend(o.slots.list());
        live.extend(o.vectors.list().iter().flat_map(|&first| [first, first + 1]));
    }

    /// What is live where an exception gets to that the op at this offset throws.
    fn caught(&self, at: u32, live: &mut Live) {
        for clause in self.body.handlers.at(at) {
            let slots = clause.tag.map_or(0, |tag| slot_count(self.module.tag_type(tag).params()));
            let values = clause.slot..clause.slot + slots as u16;
            let given = |slot: &u16| values.contains(slot) || clause.reference == Some(*slot);
            live.extend(self.live[&clause.target].iter().filter(|slot| !given(slot)));
        }
    }

    /// How many slots an op of the class `slots` reads at most.
    fn slots(&self, op: Op, numbers: &[u32]) -> usize {
        let slots = |field: &FieldType| Storage::of(field.storage).slots();
        let ty = self.module.types.get(numbers[0] as usize);
        match op {
            Op::StructNew => {
                let ty = ty.and_then(|ty| ty.as_struct());
                ty.map_or(0, |ty| ty.fields.iter().map(slots).sum())
            }
            Op::ArrayNewFixed => {
                let ty = ty.and_then(|ty| ty.as_array());
                ty.map_or(0, |ty| slots(&ty.element).saturating_mul(numbers[1] as usize))
            }
            _ => 5,
        }
    }
}

/// What holds where jumps lead to, as far as the walks have shown.
struct Inferred {
    live: BTreeMap<u32, Live>,
    /// For the ops that control gets to. Over time there are fewer slots, of wider types.
    known: BTreeMap<u32, Vec<(u16, Held)>>,
    is_new: bool,
}

impl Inferred {
    /// Control gets to an op with this. Answers how much there was to look at.
    fn join(&mut self, at: u32, get: Get<'_>, types: &Types) -> usize {
        let Some(live) = self.live.get(&at) else { return 0 };
        let Some(known) = self.known.get_mut(&at) else {
            let slots = live.iter().filter_map(|&slot| Some((slot, get(slot)?)));
            self.known.insert(at, slots.collect());
            self.is_new = true;
            return live.len();
        };
        known.retain_mut(|(slot, held)| {
            let joined = get(*slot).and_then(|other| types.join(*held, other));
            self.is_new |= joined != Some(*held);
            *held = joined.unwrap_or(*held);
            joined.is_some()
        });
        known.len()
    }
}

impl Joins for Inferred {
    fn arrive(&mut self, at: u32, state: &mut State, types: &Types) -> Result<usize, Fail> {
        if !self.live.contains_key(&at) {
            return Ok(0);
        }
        let looked = if state.is_live { self.join(at, &|slot| state.get(slot), types) } else { 0 };
        match self.known.get(&at) {
            Some(slots) => _ = state.become_these(slots),
            None => state.is_live = false,
        }
        Ok(looked)
    }

    fn leave(&mut self, to: u32, get: Get<'_>, types: &Types) -> Result<usize, Fail> {
        Ok(self.join(to, get, types))
    }
}
