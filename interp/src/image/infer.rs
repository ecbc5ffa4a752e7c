//! What slots hold where jumps lead to, for artifacts to say: found out by walking over a function until nothing changes.
//!
//! Only slots that are taken for references or compared later on are of interest: others may be numbers, and one that is zero looks like null.
//! Which they are is found out first, from the end to the beginning.

use super::{
    Code,
    flow::{Body, Fail, Flow, Get, Joins, callee, is},
    operands::{Operands, operands, read_u16, slots_op, target},
    states::{self, State},
    types::{Held, Types},
};
use crate::{
    exec::{TOKEN, moves::ZERO_STEP, regs::FUNC_HEADER},
    forms::{Places, Traits, code, parts, row, standard},
    kinds::{Kind, LISTS},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{iter, mem};
use kinglet_core::{
    error::Error,
    index::TagIdx,
    module::Module,
    op::Op,
    types::{ValType, slot_count},
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
    // How often it takes to walk over a function is up to the function. This is linear in its size, and a few times what a walk may take.
    let mut left = (1 << 16) + body.range.len().saturating_mul(1024);
    let live = Liveness::new(module, code, body).find(&mut left);
    let mut found = Inferred { live, known: BTreeMap::new(), is_new: true, left };
    while mem::take(&mut found.is_new) {
        Flow::new(module, code, types, frame).function(body, &mut found)?;
    }
    Ok(states::write(found.known.iter().map(|(&at, slots)| (at, &slots[..]))))
}

/// What it costs to look at an op, where a jump costs one, and so does a slot there.
const OP: usize = 16;

/// Slots that are taken for references later on, or compared as such, before they are written; and [`ACC`].
type Live = BTreeSet<u16>;

/// The accumulator of integers and references among slots: frames are too small for a slot of that number.
const ACC: u16 = u16::MAX;

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

    /// Finds out what is live at jumps, unless that takes more than what is `left`: then nothing is left for what comes next, either.
    fn find(mut self, left: &mut usize) -> BTreeMap<u32, Live> {
        let mut is_new = true;
        while mem::take(&mut is_new) && *left > 0 {
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
                    let looked = self.before(*opcode, operands, offset, end, &mut live);
                    *left = left.saturating_sub(OP + looked);
                }
                if let Some(known) = self.live.get_mut(&offset) {
                    // What is in registers is forgotten where control comes together.
                    live.remove(&ACC);
                    *left = left.saturating_sub(live.len());
                    if *known != live {
                        known.clone_from(&live);
                        is_new = true;
                    }
                }
                if *left == 0 {
                    break;
                }
            }
        }
        self.live
    }

    /// From what is live behind an op, or a part of one, to what is live before it. Answers how much there was to look at.
    fn before(&self, opcode: u16, o: &Operands, start: u32, end: u32, live: &mut Live) -> usize {
        if let Some(header) = o.header {
            return self.call(opcode, o, header, end, live);
        }
        let mut looked = 0;
        for to in self.targets(o) {
            let known = &self.live[&to];
            live.extend(known);
            looked += 1 + known.len();
        }
        let places = Places::of(opcode);
        let (to_acc, to_slot) = places.result().unwrap_or((false, true));
        let in_acc = to_acc && !places.is_float() && live.remove(&ACC);
        let in_slot = to_slot && o.d.is_some_and(|d| live.remove(&d));
        let is_live = in_acc || in_slot;
        let slots = o.slots.list();
        match opcode {
            code::ZERO => {
                let (first, count) = (usize::from(o.range.0), usize::from(o.range.1));
                let zeroed = first..first + count.next_multiple_of(ZERO_STEP);
                live.retain(|&slot| !zeroed.contains(&slot.into()));
            }
            code::ACC_TO_SLOT_INT if is_live => _ = live.insert(ACC),
            code::COPY if is_live => live.extend(slots),
            code::SELECT_INT..code::GLOBAL_GET_INT if is_live => live.extend(&slots[..2]),
            code::GLOBAL_SET_I64..code::RET_I64 => {
                if self.module.globals[o.numbers.items[0] as usize].content.is_ref() {
                    taken(opcode, o, live);
                }
            }
            code::RET_I64..code::GLOBAL_SET_I32 => {
                if self.results().iter().any(ValType::is_ref) {
                    taken(opcode, o, live);
                }
            }
            code::RET_MANY => looked += values(o.range.0, self.results().iter().copied(), live),
            code::STRUCT_GET..code::CALL_REF => taken(opcode, o, live),
            code::THROW => {
                let params = self.module.tag_type(TagIdx(o.numbers.items[0])).params();
                looked += values(o.base, params.iter().copied(), live) + self.caught(start, live);
            }
            code::THROW_REF => {
                taken(opcode, o, live);
                looked += self.caught(start, live);
            }
            opcode if is(Op::RefAsNonNull, opcode) || is(Op::RefCastI31, opcode) => {
                taken(opcode, o, live);
            }
            // An object must not make way for another that would be equal to it.
            opcode if is_equality(opcode) => {
                let kinds = [0, 1].map(|number| places.operand(number));
                if kinds.iter().all(|kind| matches!(kind, Kind::Slot | Kind::Acc)) {
                    live.extend(slots);
                    if kinds.contains(&Kind::Acc) {
                        live.insert(ACC);
                    }
                }
            }
            opcode => {
                if let Some(op) = slots_op(opcode) {
                    looked += self.slots(op, o, live);
                }
            }
        }
        looked
    }

    /// The same for an op with a callee.
    fn call(&self, opcode: u16, o: &Operands, header: u16, end: u32, live: &mut Live) -> usize {
        _ = live.split_off(&o.base);
        let caught = if o.tail { 0 } else { self.caught(end - 1, live) };
        if let Some(ty) = callee(self.module, opcode, o) {
            return caught + values(o.base, ty.params().iter().copied(), live);
        }
        // The type is that of the reference, which is not known yet.
        taken(opcode, o, live);
        live.extend(o.base..header);
        caught + usize::from(header - o.base)
    }

    /// The same for an op of the class `slots`.
    fn slots(&self, op: Op, o: &Operands, live: &mut Live) -> usize {
        let base = o.base;
        let [ty, count, ..] = o.numbers.items;
        let ty = self.module.types.get(ty as usize);
        if let Op::TableGet
        | Op::RefFunc
        | Op::StructNew
        | Op::StructNewDefault
        | Op::StructGet
        | Op::ArrayNew
        | Op::ArrayNewDefault
        | Op::ArrayNewFixed
        | Op::ArrayNewData
        | Op::ArrayNewElem
        | Op::ArrayGet = op
        {
            // The result, if that is a reference.
            live.remove(&base);
        }
        let taken: &[u16] = match op {
            Op::TableGrow
            | Op::StructGet
            | Op::ArrayGet
            | Op::ArrayInitData
            | Op::ArrayInitElem => &[0],
            Op::TableSet | Op::TableFill => &[1],
            Op::StructSet => &[0, 1],
            Op::ArraySet | Op::ArrayFill | Op::ArrayCopy => &[0, 2],
            Op::StructNew => {
                let fields = ty.and_then(|ty| ty.as_struct()).map_or(&[][..], |ty| &ty.fields);
                return values(base, fields.iter().map(|field| field.storage.unpack()), live);
            }
            Op::ArrayNew | Op::ArrayNewFixed => {
                let Some(ty) = ty.and_then(|ty| ty.as_array()) else { return 0 };
                let count = if op == Op::ArrayNew { 1 } else { count as usize };
                return values(base, iter::repeat_n(ty.element.storage.unpack(), count), live);
            }
            _ => &[],
        };
        live.extend(taken.iter().map(|i| base + i));
        taken.len()
    }

    /// What is live where an exception gets to that the op at this offset throws.
    fn caught(&self, at: u32, live: &mut Live) -> usize {
        let mut looked = 0;
        for clause in self.body.handlers.at(at) {
            let slots = clause.tag.map_or(0, |tag| slot_count(self.module.tag_type(tag).params()));
            let values = clause.slot..clause.slot + slots as u16;
            let given = |slot: &u16| values.contains(slot) || clause.reference == Some(*slot);
            let caught = &self.live[&clause.target];
            live.extend(caught.iter().filter(|slot| !given(slot)));
            looked += 1 + caught.len();
        }
        looked
    }

    /// What the function returns.
    fn results(&self) -> &'a [ValType] {
        self.module.func_type(self.body.func).results()
    }
}

/// Whether an op compares what may be references for equality.
fn is_equality(opcode: u16) -> bool {
    [Op::I64Eq, Op::I64Ne].iter().any(|&op| {
        let forms = row(op);
        let pairs = LISTS[usize::from(forms.list)].len() as u16;
        let values = forms.forms..forms.forms + pairs * u16::from(forms.destinations);
        values.contains(&opcode) || (forms.branches..forms.branches + pairs).contains(&opcode)
    })
}

/// An op takes its first operand for a reference; and what it assigns to a field or element, which is its last one.
fn taken(opcode: u16, o: &Operands, live: &mut Live) {
    let slots = o.slots.list();
    live.extend(slots.first());
    if let code::STRUCT_SET..code::REF_TEST = opcode {
        live.extend(slots.last());
    }
    let places = Places::of(opcode);
    if [0, 1].iter().any(|&number| places.operand(number) == Kind::Acc) {
        live.insert(ACC);
    }
}

/// Values of these types are taken from the slots from `first` on. Answers how many slots they have.
fn values(first: u16, types: impl Iterator<Item = ValType>, live: &mut Live) -> usize {
    let mut slot = first;
    for ty in types {
        if ty.is_ref() {
            live.insert(slot);
        }
        slot += slot_count(&[ty]) as u16;
    }
    usize::from(slot - first)
}

/// What holds where jumps lead to, as far as the walks have shown.
struct Inferred {
    live: BTreeMap<u32, Live>,
    /// For the ops that control gets to. Over time there are fewer slots, of wider types.
    known: BTreeMap<u32, Vec<(u16, Held)>>,
    is_new: bool,
    /// How much may still be looked at.
    left: usize,
}

impl Inferred {
    fn spend(&mut self, work: usize) -> Result<(), Fail> {
        self.left = self.left.checked_sub(work).ok_or(Fail::TooMuch)?;
        Ok(())
    }

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
        self.spend(OP)?;
        if !self.live.contains_key(&at) {
            return Ok(0);
        }
        let looked = if state.is_live { self.join(at, &|slot| state.get(slot), types) } else { 0 };
        match self.known.get(&at) {
            Some(slots) => _ = state.become_these(slots),
            None => state.is_live = false,
        }
        self.spend(looked)?;
        Ok(looked)
    }

    fn leave(&mut self, to: u32, get: Get<'_>, types: &Types) -> Result<usize, Fail> {
        let looked = self.join(to, get, types);
        self.spend(1 + looked)?;
        Ok(looked)
    }
}
