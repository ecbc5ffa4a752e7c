//! The check of functions that handle references: one walk over their ops that knows which slots hold references, and of which types.
//!
//! It comes behind that of [`check`](super::check), so operands are known to be in range. Where control comes together, what holds there is
//! not found out but stands in the artifact, and has to hold wherever control comes from. So one walk does.
//!
//! Any op may read a slot or register as a number, whatever it holds. Those that take it for a reference want it to be one of the right type,
//! and whatever else is written to a slot is none. A reference that can only be null is one of no object: ops that would look into it trap, and
//! nothing has to hold behind them.

mod objects;

use super::{
    Code, Tables, bad,
    check::Structure,
    operands::{Operands, operands, read_u16, read_u32, slots_op, target},
    roots::References,
    states::{State, States},
    types::{Held, Types},
    unsupported,
};
use crate::{
    exec::{TOKEN, moves::ZERO_STEP, regs::ENTRIES, regs::FRAME_HEADER, regs::FUNC_HEADER},
    forms::{Places, Traits, code, parts, row, standard},
    handlers::Handlers,
    kinds::{CONDITION, GETS, Kind, REFERENCE, SETS, destinations, value_kinds},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::ops::Range;
use kinglet_core::{
    error::Error,
    index::{FuncIdx, TagIdx, TypeIdx},
    module::Module,
    op::Op,
    types::{FuncType, HeapType, RefType, TypeKind, ValType, slot_count},
};
use objects::access;

/// Checks the functions that handle references.
///
/// # Errors
/// Something is wrong with one; the error says where in the code.
pub(super) fn check(
    module: &Module,
    code: Code<'_>,
    tables: &Tables<'_>,
    found: &Structure,
) -> Result<References, Error> {
    if found.on_refs.is_empty() {
        return Ok(References::default());
    }
    let types = Types::new(module);
    let mut flow = Flow::new(module, code, &types, tables.frame_size());
    let mut states = States::default();
    for &func in &found.on_refs {
        let body = Body::of(module, code, tables, func)?;
        read_states(&mut states, &body, tables, &types)?;
        let mut declared = Declared { states: &states, next: 0 };
        flow.function(&body, &mut declared)?;
    }
    Ok(References::new(types, found.on_refs.clone()))
}

/// Reads what an artifact says of a function's slots, in place of what was read before.
pub(super) fn read_states(
    states: &mut States,
    body: &Body<'_>,
    tables: &Tables<'_>,
    types: &Types,
) -> Result<(), Error> {
    let read = states.read(body.states, tables.frame_size(), types);
    read.ok_or_else(|| {
        bad(tables.origin, "what slots of a function hold is not said as it should be")
    })
}

/// A function with its side tables.
pub(super) struct Body<'a> {
    pub(super) func: FuncIdx,
    /// Where it stands in the code.
    pub(super) range: Range<usize>,
    pub(super) handlers: Handlers,
    /// What slots hold, where jumps lead to.
    states: &'a [u8],
}

impl<'a> Body<'a> {
    /// A function of which the structure has been checked.
    pub(super) fn of(
        module: &Module,
        code: Code<'_>,
        tables: &Tables<'a>,
        func: FuncIdx,
    ) -> Result<Body<'a>, Error> {
        let function = tables.function(func.at() - module.imported_funcs as usize);
        let entry = ENTRIES + 4 * func.at();
        let start = read_u32(code.bytes, entry) as usize;
        let range = start..start + function.len as usize;
        let (handlers, states) = match tables.more(&function, &mut 0)? {
            Some(more) => more,
            None => (Handlers::none(), &[][..]),
        };
        Ok(Body { func, range, handlers, states })
    }
}

/// Why a function is refused.
pub(super) enum Fail {
    /// Something is wrong.
    Wrong(&'static str),
    /// It would take too long.
    TooMuch,
}

impl From<&'static str> for Fail {
    fn from(what: &'static str) -> Fail {
        Fail::Wrong(what)
    }
}

/// What a slot holds on the way from one op to another.
pub(super) type Get<'a> = &'a dyn Fn(u16) -> Option<Held>;

/// Where control comes together.
pub(super) trait Joins {
    /// Control gets to the op at this offset of the function from the one before, or does not, as `state` says. From now on, `state` is
    /// what holds there. Answers how much there was to look at.
    fn arrive(&mut self, at: u32, state: &mut State, types: &Types) -> Result<usize, Fail>;

    /// Control goes to the op at this offset of the function. Answers how much there was to look at.
    fn leave(&mut self, to: u32, get: Get<'_>, types: &Types) -> Result<usize, Fail>;

    /// What `state` says holds from this offset on: that of an op before which it has changed, and one more for what changes by the op.
    fn note(&mut self, at: u32, state: &mut State) {
        _ = (at, state);
    }

    /// All ops have been seen.
    fn end(&mut self) -> Result<(), Fail> {
        Ok(())
    }
}

/// What is said in the artifact has to hold.
struct Declared<'a> {
    states: &'a States,
    /// The number of the next op that has a state.
    next: usize,
}

const UNTRUE: &str = "a slot does not hold what it is said to";

impl Joins for Declared<'_> {
    fn arrive(&mut self, at: u32, state: &mut State, types: &Types) -> Result<usize, Fail> {
        match self.states.nth(self.next) {
            Some((op, slots)) if op <= at => {
                if op < at {
                    return Err("a state of what is no op".into());
                }
                self.next += 1;
                if state.is_live && !holds(slots, &|slot| state.get(slot), types) {
                    return Err(UNTRUE.into());
                }
                Ok(state.become_these(slots))
            }
            _ => Ok(0),
        }
    }

    fn leave(&mut self, to: u32, get: Get<'_>, types: &Types) -> Result<usize, Fail> {
        let slots =
            self.states.at(to).ok_or("it is not said what slots hold where a jump leads to")?;
        if holds(slots, get, types) { Ok(slots.len()) } else { Err(UNTRUE.into()) }
    }

    fn end(&mut self) -> Result<(), Fail> {
        let is_all = self.states.nth(self.next).is_none();
        if is_all { Ok(()) } else { Err("a state of what is no op".into()) }
    }
}

fn holds(slots: &[(u16, Held)], get: Get<'_>, types: &Types) -> bool {
    slots.iter().all(|&(slot, wanted)| get(slot).is_some_and(|held| types.matches(held, wanted)))
}

/// A walk over the ops of functions, which may branch and call in any way.
pub(super) struct Flow<'a> {
    module: &'a Module,
    code: Code<'a>,
    types: &'a Types,
    /// Slots that every frame has.
    frame: u32,
    state: State,
    /// What is still to be looked at, at most.
    left: usize,
    /// How often slots may change what they hold, in all functions together.
    max_writes: usize,
    /// Offsets of the fields of the structures that it has met.
    fields: BTreeMap<u32, Box<[u32]>>,
    /// By slot, what the parameters are of the function types of tags that it has met.
    values: BTreeMap<u32, Box<[Option<Held>]>>,
}

/// Where a function is walked over.
struct Place<'b, 'j> {
    body: &'b Body<'b>,
    joins: &'j mut dyn Joins,
    /// Offset in the function of the op at hand.
    op: u32,
}

impl<'a> Flow<'a> {
    pub(super) fn new(
        module: &'a Module,
        code: Code<'a>,
        types: &'a Types,
        frame: u32,
    ) -> Flow<'a> {
        Flow {
            module,
            code,
            types,
            frame,
            state: State::default(),
            // Linear in the size of the code, and more than it takes where many references are alive.
            left: code.bytes.len().saturating_mul(64).saturating_add(1 << 16),
            max_writes: code.bytes.len().saturating_mul(8).saturating_add(1 << 16),
            fields: BTreeMap::new(),
            values: BTreeMap::new(),
        }
    }

    /// From now on, the states say what has changed.
    pub(super) fn note_changes(&mut self) {
        self.state.changes = Some(Vec::new());
    }

    /// Walks over a function.
    ///
    /// # Errors
    /// Something is wrong with it.
    pub(super) fn function(&mut self, body: &Body<'_>, joins: &mut dyn Joins) -> Result<(), Error> {
        self.state.begin(self.frame);
        for (slot, held) in self.types.slots(self.module.func_type(body.func).params()) {
            self.state.set(slot as u16, held);
        }
        let start = body.range.start;
        let mut at = start + FUNC_HEADER;
        let mut place = Place { body, joins, op: 0 };
        while at < body.range.end {
            place.op = (at - start) as u32;
            self.op(&mut at, &mut place)
                .map_err(|fail| self.error(start + place.op as usize, fail))?;
        }
        place.joins.end().map_err(|fail| self.error(body.range.end, fail))
    }

    fn error(&self, at: usize, fail: Fail) -> Error {
        match fail {
            Fail::Wrong(what) => bad(self.code.origin + at, what),
            Fail::TooMuch => unsupported(
                self.code.origin + at,
                "a function has too many references at its jumps and calls",
            ),
        }
    }

    fn spend(&mut self, work: usize) -> Result<(), Fail> {
        self.left = self.left.checked_sub(work + 1).ok_or(Fail::TooMuch)?;
        // Stack maps say of each change what it is.
        if self.state.writes > self.max_writes { Err(Fail::TooMuch) } else { Ok(()) }
    }

    /// An op, which may be fused.
    fn op(&mut self, at: &mut usize, place: &mut Place<'_, '_>) -> Result<(), Fail> {
        let spent = place.joins.arrive(place.op, &mut self.state, self.types)?;
        self.spend(spent)?;
        place.joins.note(place.op, &mut self.state);
        let opcode = read_u16(self.code.bytes, *at);
        *at += TOKEN;
        self.part(opcode, at, place)?;
        if Traits::of(opcode).is_some_and(Traits::is_terminal) {
            self.state.is_live = false;
        }
        place.joins.note(place.op + 1, &mut self.state);
        Ok(())
    }

    /// An op or a part of one, whose operands begin at `at`.
    fn part(&mut self, opcode: u16, at: &mut usize, place: &mut Place<'_, '_>) -> Result<(), Fail> {
        if let Some((first, second)) = parts(opcode) {
            self.part(first, at, place)?;
            return self.part(second, at, place);
        }
        let o = operands(self.code.bytes, opcode, at);
        let opcode = standard(opcode);
        if !self.state.is_live {
            return Ok(());
        }
        if o.header.is_some() {
            let end = (*at - place.body.range.start) as u32;
            return self.call(opcode, &o, end, place);
        }
        self.effects(opcode, &o, place)?;
        let (first, count) = o.jumps;
        for i in 0..count {
            let to = (target(self.code.bytes, first + 4 * i) - place.body.range.start) as u32;
            let spent = place.joins.leave(to, &|slot| self.state.get(slot), self.types)?;
            self.spend(spent)?;
        }
        Ok(())
    }

    /// What an op does that does not call.
    fn effects(
        &mut self,
        opcode: u16,
        o: &Operands,
        place: &mut Place<'_, '_>,
    ) -> Result<(), Fail> {
        let held = match opcode {
            code::COPY => self.state.get(o.slots.items[0]),
            code::CONST32 | code::CONST64 => null(o.numbers.list().iter().all(|&half| half == 0)),
            code::ACC_TO_SLOT_INT => self.state.acc,
            code::ZERO => {
                let (first, count) = o.range;
                let count = usize::from(count).next_multiple_of(ZERO_STEP);
                self.spend(count)?;
                // They lie in the frame.
                for slot in usize::from(first)..usize::from(first) + count {
                    self.state.set(slot as u16, Some(Held::NULL));
                }
                None
            }
            code::SAVE_PIN => {
                self.state.set(o.slots.items[0], None);
                None
            }
            code::FUEL | code::BR_FUEL => {
                // It may stop, and what is in registers is lost on collectors.
                self.state.acc = None;
                None
            }
            code::SELECT_INT..code::GLOBAL_GET_INT => {
                let [a, b] = [0, 1].map(|i| self.state.get(o.slots.items[i]));
                a.zip(b).and_then(|(a, b)| self.types.join(a, b))
            }
            code::GLOBAL_GET_INT..code::SELECT_F32 => {
                self.types.of_value(self.module.globals[o.numbers.items[0] as usize].content)
            }
            code::GLOBAL_SET_I64..code::RET_I64 => {
                let ty = self.module.globals[o.numbers.items[0] as usize].content;
                if let Some(wanted) = self.types.of_value(ty) {
                    self.want(self.operand(opcode, o, 0, 0), wanted)?;
                }
                None
            }
            code::GLOBAL_SET_I32..code::RET_I32
            | code::GLOBAL_SET_F32..code::RET_F32
            | code::GLOBAL_SET_F64..code::RET_F64 => {
                if self.module.globals[o.numbers.items[0] as usize].content.is_ref() {
                    return Err("it assigns a number to a global that is a reference".into());
                }
                None
            }
            code::RET_I64..code::GLOBAL_SET_I32 => {
                match *self.results(place) {
                    [ty] => {
                        if let Some(wanted) = self.types.of_value(ty) {
                            self.want(self.operand(opcode, o, 0, 0), wanted)?;
                        }
                    }
                    ref others => no_refs(others)?,
                }
                None
            }
            code::RET_I32..code::GLOBAL_SET_F32
            | code::RET_F32..code::GLOBAL_SET_F64
            | code::RET_F64..code::RET
            | code::RET
            | code::RET_V128 => {
                no_refs(self.results(place))?;
                None
            }
            code::RET_MANY => {
                self.ret_many(o, place)?;
                None
            }
            code::STRUCT_GET..code::ARRAY_GET => {
                let access = access(&GETS, opcode - code::STRUCT_GET, |value| {
                    REFERENCE * destinations(value)
                });
                let object = self.operand(opcode, o, 0, 0);
                let Some(field) = self.field(object, o.numbers.items[0])? else {
                    return self.die();
                };
                self.accessed(field, access)?
            }
            code::ARRAY_GET..code::STRUCT_SET => {
                let access = access(&GETS, opcode - code::ARRAY_GET, |value| {
                    CONDITION * destinations(value)
                });
                let Some(element) = self.element(o)? else { return self.die() };
                self.accessed(element, access)?
            }
            code::STRUCT_SET..code::ARRAY_SET => {
                let access = access(&SETS, opcode - code::STRUCT_SET, |value| {
                    REFERENCE * value_kinds(value).len()
                });
                let object = self.operand(opcode, o, 0, 0);
                let Some(field) = self.field(object, o.numbers.items[0])? else {
                    return self.die();
                };
                let value = self.operand(opcode, o, 1, in_slots(opcode, 1));
                self.assigned(field, access, value)?;
                None
            }
            code::ARRAY_SET..code::REF_TEST => {
                let access = access(&SETS, opcode - code::ARRAY_SET, |value| {
                    CONDITION * value_kinds(value).len()
                });
                let Some(element) = self.element(o)? else { return self.die() };
                let value = self.operand(opcode, o, 1, 1 + in_slots(opcode, 1));
                self.assigned(element, access, value)?;
                None
            }
            code::REF_TEST..code::ARRAY_LEN => {
                let held = self.cast(opcode, o)?;
                // If this is left to the execution, it writes the slot in any case.
                o.d.into_iter().for_each(|d| self.state.set(d, None));
                held
            }
            code::ARRAY_LEN..code::CALL_REF => {
                self.want(self.operand(opcode, o, 0, 0), self.nullable(HeapType::Array))?;
                None
            }
            code::THROW => {
                let ty = self.module.tag_type(TagIdx(o.numbers.items[0]));
                self.want_values(o.base, ty.params())?;
                self.throws(place.op, place)?;
                None
            }
            code::THROW_REF => {
                self.want(self.state.get(o.slots.items[0]), self.nullable(HeapType::Exn))?;
                self.throws(place.op, place)?;
                None
            }
            opcode if is(Op::RefAsNonNull, opcode) => {
                let held = self.operand(opcode, o, 0, 0).ok_or(NO_REFERENCE)?;
                let Some(heap) = self.types.non_null(held) else { return self.die() };
                Some(self.types.of(RefType { nullable: false, heap }))
            }
            opcode if is(Op::RefI31, opcode) => Some(self.non_null(HeapType::I31)),
            opcode if is(Op::RefCastI31, opcode) => {
                self.want(self.operand(opcode, o, 0, 0), self.nullable(HeapType::Any))?;
                Some(self.non_null(HeapType::I31))
            }
            opcode => {
                if let Some(op) = slots_op(opcode) {
                    // It stops, and collectors do not look at registers.
                    self.state.acc = None;
                    return self.slots(op, o);
                }
                self.forget_vectors(o);
                None
            }
        };
        self.result(opcode, o, held);
        Ok(())
    }

    /// What an op reads or writes in several slots is no reference from now on.
    fn forget_vectors(&mut self, o: &Operands) {
        for &first in o.vectors.list() {
            self.state.set(first, None);
            self.state.set(first + 1, None);
        }
        if o.is_multi {
            (0..4).for_each(|i| self.state.set(o.base + i, None));
        }
        if o.is_atomic {
            self.state.set(o.base, None);
            self.state.acc = None;
        }
    }

    /// An op gives a result, which is a reference if `held` says of which type.
    fn result(&mut self, opcode: u16, o: &Operands, held: Option<Held>) {
        let places = Places::of(opcode);
        let (acc, slot) = places.result().unwrap_or((false, true));
        if let (true, Some(d)) = (slot, o.d) {
            self.state.set(d, held);
        }
        if acc && !places.is_float() {
            self.state.acc = held;
        }
    }

    /// What operand `number` is, of those that may be in several places, if it is a reference. If it is in a slot, it is the one of this number.
    fn operand(&self, opcode: u16, o: &Operands, number: u8, slot: usize) -> Option<Held> {
        match Places::of(opcode).operand(number) {
            Kind::Slot => self.state.get(*o.slots.list().get(slot)?),
            Kind::Acc => self.state.acc,
            // References are never pinned.
            Kind::Pin => None,
            Kind::Imm => null(o.numbers.last() == Some(0)),
        }
    }

    /// References of an abstract type, and null.
    fn nullable(&self, heap: HeapType) -> Held {
        self.types.of(RefType { nullable: true, heap })
    }

    /// References of an abstract type.
    fn non_null(&self, heap: HeapType) -> Held {
        self.types.of(RefType { nullable: false, heap })
    }

    /// Nothing behind the op at hand is ever reached.
    fn die(&mut self) -> Result<(), Fail> {
        self.state.is_live = false;
        Ok(())
    }

    fn want(&self, held: Option<Held>, wanted: Held) -> Result<(), Fail> {
        match held {
            Some(held) if self.types.matches(held, wanted) => Ok(()),
            Some(_) => Err("a reference is of another type than the one that is wanted".into()),
            None => Err(NO_REFERENCE.into()),
        }
    }

    /// Slots from `base` on hold values of these types.
    fn want_values(&mut self, base: u16, types: &[ValType]) -> Result<(), Fail> {
        self.spend(types.len())?;
        for (slot, wanted) in self.types.slots(types) {
            if let Some(wanted) = wanted {
                self.want(self.state.get(base + slot as u16), wanted)?;
            }
        }
        Ok(())
    }

    fn results(&self, place: &Place<'_, '_>) -> &'a [ValType] {
        self.module.func_type(place.body.func).results()
    }

    fn ret_many(&mut self, o: &Operands, place: &Place<'_, '_>) -> Result<(), Fail> {
        let results = self.results(place);
        // Whoever calls expects a single one in the accumulator as well.
        if results.len() == 1 || slot_count(results) != o.range.1.into() {
            no_refs(results)?;
            return Ok(());
        }
        self.want_values(o.range.0, results)
    }

    /// An op with a callee; `end` is where the op ends in the function.
    fn call(
        &mut self,
        opcode: u16,
        o: &Operands,
        end: u32,
        place: &mut Place<'_, '_>,
    ) -> Result<(), Fail> {
        let module = self.module;
        let ty = match callee(module, opcode, o) {
            Some(ty) => ty,
            None => {
                let held = self.operand(opcode, o, 0, 0).ok_or(NO_REFERENCE)?;
                match self.types.non_null(held) {
                    None => return self.die(),
                    Some(HeapType::Concrete(ty)) if ty.kind == TypeKind::Func => {
                        module.signature(TypeIdx(ty.index))
                    }
                    Some(_) => return Err("it calls what is of no type of functions".into()),
                }
            }
        };
        let (base, header) = (u32::from(o.base), u32::from(o.header.unwrap_or(0)));
        let (params, results) = (slot_count(ty.params()), slot_count(ty.results()));
        let room = (params + FRAME_HEADER as u32).max(results);
        if header != base + params || base + room > self.frame {
            return Err("a call does not fit the type of the callee".into());
        }
        self.want_values(o.base, ty.params())?;
        if o.tail {
            return self.tail_call(ty, place);
        }
        let forgotten = self.state.forget_from(o.base);
        self.spend(forgotten + ty.results().len())?;
        self.state.acc = None;
        // A handler is looked for where it would return to, by the byte in front of that.
        self.throws(end - 1, place)?;
        place.joins.note(place.op + 1, &mut self.state);
        for (slot, held) in self.types.slots(ty.results()) {
            self.state.set(o.base + slot as u16, held);
        }
        if let (&[ty], true) = (ty.results(), opcode != code::CALL_IMPORT) {
            self.state.acc = self.types.of_value(ty);
        }
        place.joins.note(end, &mut self.state);
        Ok(())
    }

    /// Whoever has called this function gets what the callee returns.
    fn tail_call(&mut self, callee: &FuncType, place: &Place<'_, '_>) -> Result<(), Fail> {
        let results = self.results(place);
        if !results.iter().any(ValType::is_ref) {
            return Ok(());
        }
        self.spend(results.len())?;
        let fits = |(from, to): (&ValType, &ValType)| match (
            self.types.of_value(*from),
            self.types.of_value(*to),
        ) {
            (Some(from), Some(to)) => self.types.matches(from, to),
            _ => from == to,
        };
        let same = callee.results().len() == results.len();
        if same && callee.results().iter().zip(results).all(fits) {
            Ok(())
        } else {
            Err("a tail call of a function that returns something else".into())
        }
    }

    /// The op at this offset may throw: whatever catches that gets there.
    fn throws(&mut self, at: u32, place: &mut Place<'_, '_>) -> Result<(), Fail> {
        let exception = self.non_null(HeapType::Exn);
        for clause in place.body.handlers.at(at) {
            let values = match clause.tag {
                Some(tag) => {
                    let (ty, types) = (self.module.tags[tag.at()], self.types);
                    let params = self.module.tag_type(tag).params();
                    &**self.values.entry(ty.0).or_insert_with(|| by_slot(params, types))
                }
                None => &[],
            };
            let state = &self.state;
            let get = |slot: u16| {
                let value = slot.checked_sub(clause.slot).map(usize::from);
                match value.filter(|&value| value < values.len()) {
                    _ if clause.reference == Some(slot) => Some(exception),
                    Some(value) => values[value],
                    None => state.get(slot),
                }
            };
            let spent = place.joins.leave(clause.target, &get, self.types)?;
            self.spend(spent)?;
        }
        Ok(())
    }
}

const NO_REFERENCE: &str = "what is taken for a reference is none";

fn null(is_null: bool) -> Option<Held> {
    is_null.then_some(Held::NULL)
}

/// Whether an op is one of those on references that have an operand and a result.
pub(super) fn is(op: Op, opcode: u16) -> bool {
    let forms = row(op);
    let count = u16::from(forms.operands) * u16::from(forms.destinations);
    (forms.forms..forms.forms + count).contains(&opcode)
}

/// The type of the callee of an op that has one, unless the callee is what a reference is of.
pub(super) fn callee<'a>(module: &'a Module, opcode: u16, o: &Operands) -> Option<&'a FuncType> {
    let number = o.numbers.items[0];
    match opcode {
        code::CALL | code::CALL_IMPORT | code::TAIL_CALL | code::TAIL_CALL_IMPORT => {
            Some(module.func_type(FuncIdx(number)))
        }
        code::CALL_REF..=code::TAIL_CALL_REF => None,
        _ => Some(module.signature(TypeIdx(number))),
    }
}

/// How many of the first operands that may be in several places are in slots.
fn in_slots(opcode: u16, count: u8) -> usize {
    (0..count).filter(|&i| Places::of(opcode).operand(i) == Kind::Slot).count()
}

fn no_refs(types: &[ValType]) -> Result<(), Fail> {
    if types.iter().any(ValType::is_ref) {
        return Err("a function returns its references in another way".into());
    }
    Ok(())
}

/// What values of these types are, by slot.
fn by_slot(types: &[ValType], of: &Types) -> Box<[Option<Held>]> {
    let mut slots = alloc::vec![None; slot_count(types) as usize];
    of.slots(types).for_each(|(slot, held)| slots[slot as usize] = held);
    slots.into()
}
