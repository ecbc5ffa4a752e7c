//! The check of functions that handle references: one walk over their ops that knows which slots hold references, and of which types.
//!
//! It comes behind that of [`check`](super::check), so operands are known to be in range. Where control comes together, what holds there is
//! not found out but stands in the artifact, and has to hold wherever control comes from. So one walk does.
//!
//! Any op may read a slot or register as a number, whatever it holds. Those that take it for a reference want it to be one of the right type,
//! and whatever else is written to a slot is none. A reference that can only be null is one of no object: ops that would look into it trap, and
//! nothing has to hold behind them.

use super::{
    Code, Tables, bad,
    check::Structure,
    roots::References,
    states::{State, States},
    types::{Held, Types},
    unsupported,
};
use crate::{
    exec::{TOKEN, moves::ZERO_STEP, regs::ENTRIES, regs::FRAME_HEADER, regs::FUNC_HEADER},
    forms::{Places, Traits, code, layout, parts, row, standard},
    handlers::Handlers,
    kinds::{CONDITION, GETS, Kind, REFERENCE, SETS, destinations, value_kinds},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::ops::Range;
use kinglet_core::{
    error::Error,
    index::{ElemIdx, FuncIdx, TagIdx, TypeIdx},
    module::{ElemItems, Module},
    op::{Num, Op},
    runtime::gc::layout::{Storage, StructLayout},
    types::{
        CastTarget, CompositeType, FieldType, FuncType, HeapType, Mutability, RefType, StorageType,
        TypeKind, ValType, slot_count,
    },
};

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
                state.become_these(slots);
                Ok(slots.len())
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

/// The operands of an op, sorted by what they are.
#[derive(Default)]
pub(super) struct Operands {
    /// The slot of the result.
    pub(super) d: Option<u16>,
    /// Other slots of their own.
    pub(super) slots: Few<u16>,
    /// First slots of vectors.
    pub(super) vectors: Few<u16>,
    /// What is no slot. 64 bits are two numbers, the lower half first.
    pub(super) numbers: Few<u32>,
    /// Slots in a row: the first, and how many.
    pub(super) range: (u16, u16),
    /// The first of operands, results, arguments or values that stand in a row; how many is known elsewhere.
    pub(super) base: u16,
    /// The slot of a callee's header, if it calls.
    pub(super) header: Option<u16>,
    /// Whether the callee takes the place of the caller.
    pub(super) tail: bool,
    /// Whether its operands in a row are a fixed number, and its results are there.
    pub(super) is_multi: bool,
    /// Whether it is on a memory, atomically.
    pub(super) is_atomic: bool,
    /// Where the first jump target stands, and how many there are.
    pub(super) jumps: (usize, usize),
}

/// At most as many as any op has.
#[derive(Clone, Copy, Default)]
pub(super) struct Few<T> {
    items: [T; 4],
    len: usize,
}

impl<T: Copy> Few<T> {
    fn push(&mut self, item: T) {
        self.items[self.len] = item;
        self.len += 1;
    }

    pub(super) fn list(&self) -> &[T] {
        &self.items[..self.len]
    }

    pub(super) fn last(&self) -> Option<T> {
        self.list().last().copied()
    }
}

/// Reads the operands of an op that is not fused, and moves `at` behind them.
pub(super) fn operands(code: &[u8], opcode: u16, at: &mut usize) -> Operands {
    let mut o = Operands::default();
    let mut count = 0;
    let u16 = |at: &mut usize| {
        *at += 2;
        u16::from_le_bytes([code[*at - 2], code[*at - 1]])
    };
    let u32 = |at: &mut usize| {
        *at += 4;
        read_u32(code, *at - 4)
    };
    for letter in layout(opcode).bytes() {
        match letter {
            b'd' => o.d = Some(u16(at)),
            b's' | b'k' => o.slots.push(u16(at)),
            b'v' => o.vectors.push(u16(at)),
            b'r' => o.range = (u16(at), u16(at)),
            b'b' | b'a' | b'T' => o.base = u16(at),
            b'M' => (o.base, o.is_multi) = (u16(at), true),
            b'h' => o.header = Some(u16(at)),
            // Of ops with a callee, only tail calls name the frame's own header.
            b'n' => (_, o.tail) = (u16(at), o.header.is_some()),
            b'l' => {
                o.numbers.push(u16(at).into());
                o.is_atomic = true;
            }
            b'w' | b'm' | b'z' | b'x' | b'1'..=b'9' => o.numbers.push(u16(at).into()),
            b'q' => (0..2).for_each(|_| o.numbers.push(u32(at))),
            b'c' => count = u32(at) as usize,
            b'j' => {
                o.jumps = (*at, 1);
                *at += 4;
            }
            b't' => {
                o.jumps = (*at, count + 1);
                *at += 4 * (count + 1);
            }
            _ => o.numbers.push(u32(at)),
        }
    }
    o
}

/// Where a jump leads whose distance stands at `at`.
pub(super) fn target(code: &[u8], at: usize) -> usize {
    at.wrapping_add_signed(read_u32(code, at) as i32 as isize)
}

pub(super) fn read_u16(code: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([code[at], code[at + 1]])
}

fn read_u32(code: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([code[at], code[at + 1], code[at + 2], code[at + 3]])
}

/// A walk over the ops of functions, which may branch and call in any way.
pub(super) struct Flow<'a> {
    module: &'a Module,
    code: Code<'a>,
    types: &'a Types,
    /// Slots that every frame has.
    frame: u32,
    state: State,
    /// What is still to be looked at in the function, at most.
    left: usize,
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
            left: 0,
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
        // Linear in the size of the function, and more than it takes where many references are alive.
        self.left = (1 << 16) + body.range.len().saturating_mul(256);
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
                "a function has too many references at its jumps",
            ),
        }
    }

    fn spend(&mut self, work: usize) -> Result<(), Fail> {
        self.left = self.left.checked_sub(work + 1).ok_or(Fail::TooMuch)?;
        Ok(())
    }

    /// An op, which may be fused.
    fn op(&mut self, at: &mut usize, place: &mut Place<'_, '_>) -> Result<(), Fail> {
        let spent = place.joins.arrive(place.op, &mut self.state, self.types)?;
        self.spend(spent)?;
        place.joins.note(place.op, &mut self.state);
        let opcode = read_u16(self.code.bytes, *at);
        *at += TOKEN;
        self.part(standard(opcode), at, place)?;
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
        let ty: &FuncType = match opcode {
            code::CALL | code::CALL_IMPORT | code::TAIL_CALL | code::TAIL_CALL_IMPORT => {
                module.func_type(FuncIdx(o.numbers.items[0]))
            }
            code::CALL_REF..=code::TAIL_CALL_REF => {
                let held = self.operand(opcode, o, 0, 0).ok_or(NO_REFERENCE)?;
                match self.types.non_null(held) {
                    None => return self.die(),
                    Some(HeapType::Concrete(ty)) if ty.kind == TypeKind::Func => {
                        module.signature(TypeIdx(ty.index))
                    }
                    Some(_) => return Err("it calls what is of no type of functions".into()),
                }
            }
            _ => module.signature(TypeIdx(o.numbers.items[0])),
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
        self.state.forget_from(o.base);
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

    /// The field of a structure at an offset; `None` if there can only be null.
    fn field(&mut self, object: Option<Held>, offset: u32) -> Result<Option<FieldType>, Fail> {
        let index = match self.types.non_null(object.ok_or(NO_REFERENCE)?) {
            None => return Ok(None),
            Some(HeapType::Concrete(ty)) => ty.index,
            Some(_) => return Err(NO_OBJECT.into()),
        };
        let CompositeType::Struct(ty) = &self.module.types[index as usize].composite else {
            return Err(NO_OBJECT.into());
        };
        let offsets = self.fields.entry(index).or_insert_with(|| {
            let layout =
                StructLayout::new(ty.fields.iter().map(|field| Storage::of(field.storage)));
            layout.fields.iter().map(|field| field.offset).collect()
        });
        let number = offsets.binary_search(&offset).map_err(|_| "there is no field there")?;
        Ok(Some(ty.fields[number]))
    }

    /// The elements of the array in the first slot; `None` if there can only be null.
    fn element(&self, o: &Operands) -> Result<Option<FieldType>, Fail> {
        let held = self.state.get(o.slots.items[0]).ok_or(NO_REFERENCE)?;
        match self.types.non_null(held) {
            None => Ok(None),
            Some(HeapType::Concrete(ty)) if ty.kind == TypeKind::Array => {
                Ok(Some(self.array(ty.index)?))
            }
            Some(_) => Err(NO_OBJECT.into()),
        }
    }

    /// What is read from a field or element.
    fn accessed(&self, field: FieldType, access: (Num, Num)) -> Result<Option<Held>, Fail> {
        if !fits(field.storage, access) {
            return Err("a field is kept in another way".into());
        }
        Ok(self.types.of_value(field.storage.unpack()))
    }

    /// A field or element is written.
    fn assigned(
        &self,
        field: FieldType,
        access: (Num, Num),
        value: Option<Held>,
    ) -> Result<(), Fail> {
        let wanted = self.accessed(field, access)?;
        assignable(field)?;
        wanted.map_or(Ok(()), |wanted| self.want(value, wanted))
    }

    /// A test of what a reference is, or a cast, which gives the reference.
    fn cast(&self, opcode: u16, o: &Operands) -> Result<Option<Held>, Fail> {
        let (number, flags) = (o.numbers.items[0], o.numbers.items[1]);
        let known = CastTarget::NULLABLE | CastTarget::ABSTRACT | CastTarget::FUNCTION;
        let flag = |flag: u16| flags & u32::from(flag) != 0;
        let (is_abstract, is_func) = (flag(CastTarget::ABSTRACT), flag(CastTarget::FUNCTION));
        let is_other =
            matches!(opcode, code::REF_TEST_OTHER..code::REF_CAST | code::REF_CAST_OTHER..);
        let count = if is_abstract { HeapType::ABSTRACT.len() } else { self.module.types.len() };
        let is_sound = flags & !u32::from(known) == 0
            && !(is_abstract && is_func)
            && (is_other || !is_abstract && !is_func)
            && (number as usize) < count;
        if !is_sound {
            return Err("a cast to what is no type".into());
        }
        let nullable = flag(CastTarget::NULLABLE);
        let to = if is_abstract {
            self.types.of(RefType { nullable, heap: HeapType::ABSTRACT[number as usize] })
        } else {
            let kind = self.module.types[number as usize].composite.kind();
            if (kind == TypeKind::Func) != is_func {
                return Err("a cast to what is no type".into());
            }
            self.types.of_defined(number, nullable)
        };
        let top = self.types.ref_type(to).map_or(HeapType::Any, |ty| ty.heap.top());
        self.want(self.operand(opcode, o, 0, 0), self.nullable(top))?;
        Ok(if opcode < code::REF_CAST { None } else { Some(to) })
    }

    /// An op of the class `slots`: operands and results in a row.
    fn slots(&mut self, op: Op, o: &Operands) -> Result<(), Fail> {
        let (module, types, base) = (self.module, self.types, o.base);
        let [x, y, ..] = o.numbers.items;
        let slot = |i: u32| u16::try_from(u32::from(base) + i).unwrap_or(u16::MAX);
        let table = |i: u32| types.of(module.tables[i as usize].element);
        let mut result = None;
        match op {
            Op::MemoryCopy
            | Op::MemoryFill
            | Op::MemoryInit
            | Op::DataDrop
            | Op::ElemDrop
            | Op::AtomicFence => return Ok(()),
            Op::MemorySize | Op::MemoryGrow | Op::TableSize => {}
            Op::TableGet => result = Some(table(x)),
            Op::TableSet | Op::TableFill => {
                return self.want(self.state.get(slot(1)), table(x));
            }
            Op::TableGrow => self.want(self.state.get(slot(0)), table(x))?,
            Op::TableCopy => return self.want(Some(table(y)), table(x)),
            Op::TableInit => return self.want(Some(self.elements(y)?), table(x)),
            Op::RefFunc => result = Some(types.of_defined(module.funcs[x as usize].0, false)),
            Op::StructNew | Op::StructNewDefault => {
                let fields = &self.structure(x)?.fields;
                if op == Op::StructNew {
                    self.want_fields(base, fields, 1)?;
                } else {
                    fields.iter().try_for_each(|field| defaultable(*field))?;
                }
                self.spend(fields.len())?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNew => {
                let element = self.array(x)?;
                self.want_fields(base, &[element], 1)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewDefault => {
                defaultable(self.array(x)?)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewFixed => {
                let element = self.array(x)?;
                self.want_fields(base, &[element], y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewData => {
                self.from_data(self.array(x)?, y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewElem => {
                self.from_elements(self.array(x)?, y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::StructGet | Op::StructSet => {
                let field = self.structure(x)?.fields.get(y as usize);
                let field = *field.ok_or("there is no field of that number")?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                if op == Op::StructSet {
                    assignable(field)?;
                    return self.want_fields(slot(1), &[field], 1);
                }
                self.state.set(slot(1), None);
                result = types.of_value(field.storage.unpack());
            }
            Op::ArrayGet | Op::ArraySet | Op::ArrayFill => {
                let element = self.array(x)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                if op != Op::ArrayGet {
                    assignable(element)?;
                    let behind = u32::from(op == Op::ArrayFill);
                    self.room(base, 2 + behind + Storage::of(element.storage).slots() as u32)?;
                    return self.want_fields(slot(2), &[element], 1);
                }
                self.state.set(slot(1), None);
                result = types.of_value(element.storage.unpack());
            }
            Op::ArrayCopy => {
                let (to, from) = (self.array(x)?, self.array(y)?);
                self.room(base, 5)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                self.want(self.state.get(slot(2)), types.of_defined(y, true))?;
                assignable(to)?;
                let same = match (from.storage, to.storage) {
                    (StorageType::Val(ValType::Ref(from)), StorageType::Val(ValType::Ref(to))) => {
                        types.matches(types.of(from), types.of(to))
                    }
                    (from, to) => from == to,
                };
                return if same { Ok(()) } else { Err("elements of another type".into()) };
            }
            Op::ArrayInitData | Op::ArrayInitElem => {
                let element = self.array(x)?;
                self.room(base, 4)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                assignable(element)?;
                return if op == Op::ArrayInitData {
                    self.from_data(element, y)
                } else {
                    self.from_elements(element, y)
                };
            }
            _ => return Err("an op that is not known".into()),
        }
        self.state.set(base, result);
        Ok(())
    }

    /// That many slots from `base` on lie in the frame.
    fn room(&self, base: u16, count: u32) -> Result<(), Fail> {
        let lies = u32::from(base).checked_add(count).is_some_and(|end| end <= self.frame);
        if lies { Ok(()) } else { Err("operands do not lie in the frame".into()) }
    }

    /// Slots from `base` on hold values for these fields, `times` over.
    fn want_fields(&mut self, base: u16, fields: &[FieldType], times: u32) -> Result<(), Fail> {
        let slots = |field: &FieldType| Storage::of(field.storage).slots();
        let count = fields.iter().map(slots).sum::<usize>().saturating_mul(times as usize);
        self.room(base, u32::try_from(count).unwrap_or(u32::MAX))?;
        self.spend(count)?;
        let mut at = base;
        for field in (0..times).flat_map(|_| fields) {
            if let Some(wanted) = self.types.of_value(field.storage.unpack()) {
                self.want(self.state.get(at), wanted)?;
            }
            at += slots(field) as u16;
        }
        Ok(())
    }

    fn structure(&self, ty: u32) -> Result<&'a kinglet_core::types::StructType, Fail> {
        let ty = self.module.types.get(ty as usize).and_then(|ty| ty.as_struct());
        ty.ok_or_else(|| "it is no type of structures".into())
    }

    /// The elements of arrays of a type.
    fn array(&self, ty: u32) -> Result<FieldType, Fail> {
        let ty = self.module.types.get(ty as usize).and_then(|ty| ty.as_array());
        ty.map(|ty| ty.element).ok_or_else(|| "it is no type of arrays".into())
    }

    /// What the elements of a segment are.
    fn elements(&self, segment: u32) -> Result<Held, Fail> {
        let elem =
            self.module.elems.get(ElemIdx(segment).at()).ok_or("an index is out of range")?;
        Ok(match elem.items {
            // Functions are not null.
            ElemItems::Funcs(_) => self.non_null(HeapType::Func),
            ElemItems::Exprs(_) => self.types.of(elem.ty),
        })
    }

    /// Elements of an array come from an element segment.
    fn from_elements(&self, element: FieldType, segment: u32) -> Result<(), Fail> {
        let wanted = self.types.of_value(element.storage.unpack());
        self.want(Some(self.elements(segment)?), wanted.ok_or("elements that are no references")?)
    }

    /// Elements of an array come from a data segment.
    fn from_data(&self, element: FieldType, segment: u32) -> Result<(), Fail> {
        if segment as usize >= self.module.datas.len() {
            return Err("an index is out of range".into());
        }
        if element.storage.unpack().is_ref() {
            return Err("references made of data".into());
        }
        Ok(())
    }
}

const NO_REFERENCE: &str = "what is taken for a reference is none";
const NO_OBJECT: &str = "an object is of no type, or of one of others";

fn null(is_null: bool) -> Option<Held> {
    is_null.then_some(Held::NULL)
}

/// Whether an op is one of those on references that have an operand and a result.
fn is(op: Op, opcode: u16) -> bool {
    let forms = row(op);
    let count = u16::from(forms.operands) * u16::from(forms.destinations);
    (forms.forms..forms.forms + count).contains(&opcode)
}

/// The op of the class `slots` that this is, if it is one.
pub(super) fn slots_op(opcode: u16) -> Option<Op> {
    let number = opcode.checked_sub(row(Op::MemorySize).forms)?;
    Op::from_number(Op::MemorySize as u16 + number)
}

/// How many of the first operands that may be in several places are in slots.
fn in_slots(opcode: u16, count: u8) -> usize {
    (0..count).filter(|&i| Places::of(opcode).operand(i) == Kind::Slot).count()
}

/// How a field is read or written by the form of this number in its family, of which each way has so many forms.
fn access(ways: &[(Num, Num)], number: u16, forms: impl Fn(Num) -> usize) -> (Num, Num) {
    let mut number = usize::from(number);
    for &(stored, value) in ways {
        match number.checked_sub(forms(value)) {
            Some(rest) => number = rest,
            None => return (stored, value),
        }
    }
    // There are no more.
    ways[0]
}

/// Whether something that is kept in this way can be read or written in that.
fn fits(storage: StorageType, access: (Num, Num)) -> bool {
    let ways: &[_] = match storage {
        StorageType::I8 => &[(Num::i8, Num::u32), (Num::u8, Num::u32)],
        StorageType::I16 => &[(Num::i16, Num::u32), (Num::u16, Num::u32)],
        StorageType::Val(ValType::I32 | ValType::Ref(_)) => &[(Num::u32, Num::u32)],
        StorageType::Val(ValType::I64) => &[(Num::u64, Num::u64)],
        StorageType::Val(ValType::F32) => &[(Num::f32, Num::f32)],
        StorageType::Val(ValType::F64) => &[(Num::f64, Num::f64)],
        StorageType::Val(ValType::V128) => &[],
    };
    ways.contains(&access)
}

fn assignable(field: FieldType) -> Result<(), Fail> {
    // A subtype may have a narrower type for what cannot be assigned.
    if field.mutability == Mutability::Var {
        Ok(())
    } else {
        Err("it assigns a field that cannot be".into())
    }
}

fn defaultable(field: FieldType) -> Result<(), Fail> {
    match field.storage {
        StorageType::Val(ValType::Ref(ty)) if !ty.nullable => {
            Err("a field without a default".into())
        }
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::COUNT;

    /// No op has more operands of a kind than [`Operands`] has room for.
    #[test]
    fn operands_of_all_ops_have_room() {
        let code = [0; 256];
        for opcode in (0..COUNT as u16).filter(|&opcode| parts(opcode).is_none()) {
            operands(&code, opcode, &mut 0);
        }
    }
}
