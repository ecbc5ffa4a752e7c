//! The structural check of code from an artifact: one walk over every op, after which running it cannot touch anything that is not its
//! own, whatever the bytes say. What values mean is not checked: a slot may hold anything. Functions for which that is not enough, since
//! they handle references, are told apart; they are [`flow`](super::flow)'s.
//!
//! `docs/artifact.md` lists what is checked, `docs/unsafe.md` what relies on it.

use super::{Code, Function, Tables, bad, unsupported};
use crate::{
    exec::{
        TOKEN,
        moves::ZERO_STEP,
        regs::{ENTRIES, FRAME_HEADER, FUNC_HEADER},
    },
    forms::{COUNT, LOADABLE_SHARED, ON_REFS, Rows, SHARED, Traits, UNSHARED, code, layout, small},
    handlers::Handlers,
};
use alloc::vec::Vec;
use kinglet_core::{
    error::Error,
    index::{ElemIdx, FuncIdx, GlobalIdx, TableIdx, TagIdx, TypeIdx},
    module::Module,
    op::Op,
    types::{CompositeType, FuncType, GlobalType, Mutability, RefType, ValType, slot_count},
};

/// A call in the code of a function.
#[cfg_attr(
    not(feature = "compile"),
    allow(dead_code, reason = "who makes artifacts wants to know")
)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// How far above the caller's frame the callee's begins, in slots.
    pub(super) base: u32,
    pub(super) callee: Callee,
}

/// Who is called.
#[cfg_attr(
    not(feature = "compile"),
    allow(dead_code, reason = "who makes artifacts wants to know")
)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// This function.
    Func(FuncIdx),
    /// One of this type, from a table.
    Table(TypeIdx),
    /// Whatever a reference refers to.
    Ref,
}

/// What the check has found.
pub(super) struct Structure {
    /// What catches exceptions in the functions that catch any.
    pub(super) handlers: Vec<(FuncIdx, Handlers)>,
    /// The functions that handle references.
    pub(super) on_refs: Vec<FuncIdx>,
}

/// Checks the code of a module, and tells `calls` about each call in it, by the caller. `metered` code has to take fuel wherever it could run on for ever.
///
/// # Errors
/// Something is wrong with it; the error says where in the code.
pub(super) fn check(
    module: &Module,
    Code { bytes, origin }: Code<'_>,
    tables: &Tables<'_>,
    metered: bool,
    calls: &mut dyn FnMut(FuncIdx, Call),
) -> Result<Structure, Error> {
    let count = module.funcs.len();
    let first = (ENTRIES + 4 * count).next_multiple_of(8);
    if bytes.len() < first || tables.functions() != count - module.imported_funcs as usize {
        return Err(bad(origin, "there is not a function for every entry"));
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(bad(origin, "the code of a module exceeds 4 GiB"));
    }
    let [a, b, c, d] = bytes.first_chunk().copied().unwrap_or_default();
    let (stop, cross) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    if !matches!(stop, code::STOP | small::STOP)
        || !matches!(cross, code::CROSS_RETURN | small::CROSS_RETURN)
        || usize::from(stop.max(cross)) >= COUNT
    {
        return Err(bad(origin, "it does not begin with the ops that functions return to"));
    }
    let mut walk = Walk {
        module,
        code: bytes,
        origin,
        metered,
        found: Structure { handlers: Vec::new(), on_refs: Vec::new() },
        free: tables.first_handlers(),
        is_shared: cfg!(feature = "threads")
            && module.memories.iter().next().is_some_and(|memory| memory.shared),
        on_refs: false,
        inside: Inside { frame: tables.frame_size(), ..Inside::default() },
        body: &[],
        at: 0,
        starts: Vec::new(),
        targets: Vec::new(),
    };
    let mut start = first;
    for i in 0..tables.functions() {
        let func = FuncIdx(module.imported_funcs + i as u32);
        let function = tables.function(i);
        let entry = ENTRIES + 4 * func.at();
        if walk.word(entry) as usize != start {
            return Err(bad(
                origin + entry,
                "a function does not begin where the one before it ends",
            ));
        }
        let end = start.checked_add(function.len as usize).filter(|&end| end <= bytes.len());
        walk.inside.end =
            end.ok_or_else(|| bad(origin + start, "a function is longer than the code"))?;
        walk.inside.start = start;
        walk.body = &bytes[..walk.inside.end];
        walk.function(func, &function, calls)?;
        walk.handlers(tables, func, &function)?;
        if walk.on_refs {
            walk.found.on_refs.push(func);
        }
        start = walk.inside.end.next_multiple_of(8);
    }
    Ok(walk.found)
}

/// Where slots and jumps of a function may be.
#[derive(Clone, Copy, Default)]
struct Inside {
    /// Slots that every frame has: at most 65,535.
    frame: u32,
    /// The slot of the frame's header.
    header: u32,
    start: usize,
    end: usize,
}

impl Inside {
    /// Whether there are so many slots in a row: in the frame, and not over its header.
    #[inline]
    fn has(&self, first: u32, count: u32) -> bool {
        let end = first + count;
        end <= self.frame && (first >= self.header + FRAME_HEADER as u32 || end <= self.header)
    }

    /// Whether any of up to eight slots is not there. Without branches, for that is most of what reading code is.
    #[inline]
    fn miss(&self, wanted: u8, slot: impl Fn(usize) -> u16) -> bool {
        let (frame, header) = (self.frame as u16, self.header as u16);
        let misses = |number: usize| {
            let is_wanted = wanted >> number & 1 != 0;
            let slot = slot(number);
            is_wanted & ((slot >= frame) | (slot.wrapping_sub(header) < FRAME_HEADER as u16))
        };
        (0..8).fold(false, |any, number| any | misses(number))
    }

    /// Where a jump leads, if that is in the function.
    #[inline]
    fn target(&self, from: usize, distance: i32) -> Option<usize> {
        let to = from.wrapping_add_signed(distance as isize);
        (to >= self.start + FUNC_HEADER && to < self.end && to.is_multiple_of(2)).then_some(to)
    }
}

/// A walk over the ops of a function.
struct Walk<'a> {
    module: &'a Module,
    code: &'a [u8],
    /// Where the code stands in the artifact.
    origin: usize,
    metered: bool,
    /// In the functions so far.
    found: Structure,
    /// Where their handlers end in the tables.
    free: usize,
    /// Whether the first memory is shared.
    is_shared: bool,
    /// Whether the function handles references.
    on_refs: bool,
    inside: Inside,
    /// The code up to the end of the function.
    body: &'a [u8],
    at: usize,
    /// Bit per two bytes of the function: whether an op begins there.
    starts: Vec<u32>,
    /// The same: whether a jump leads there.
    targets: Vec<u32>,
}

/// What the operands read so far say, for those that follow.
#[derive(Default)]
struct Operands<'a> {
    /// The first slot of a callee's frame.
    base: u32,
    /// The type of who is called.
    callee: Option<&'a FuncType>,
    call: Option<Callee>,
    /// Whether the callee takes the place of the caller.
    tail: bool,
    numbers: [u32; 2],
    /// Jumps of a table, but for the last.
    count: u32,
    /// Whether control goes back by it.
    back: bool,
}

impl<'a> Walk<'a> {
    fn function(
        &mut self,
        func: FuncIdx,
        function: &Function,
        calls: &mut dyn FnMut(FuncIdx, Call),
    ) -> Result<(), Error> {
        let ty = self.module.func_type(func);
        self.inside.header = slot_count(ty.params());
        if self.inside.header != function.header.into() {
            return Err(self.bad("a frame's header is not where its parameters end"));
        }
        if self.inside.header + (FRAME_HEADER as u32) > self.inside.frame
            || slot_count(ty.results()) > self.inside.frame
        {
            return Err(self.bad("a frame has no room for parameters and results"));
        }
        let words = (self.inside.end - self.inside.start).div_ceil(64);
        for bits in [&mut self.starts, &mut self.targets] {
            bits.clear();
            let room = bits.try_reserve_exact(words);
            room.map_err(|_| Error::limit("there is no memory to check a function"))?;
            bits.resize(words, 0);
        }
        self.on_refs = false;
        self.handles(ty)?;
        self.at = self.inside.start;
        self.read_slot()?;
        if let Some(saved) = function.saved_pin {
            self.slots(saved.into(), 1)?;
        }
        debug_assert_eq!(self.at, self.inside.start + FUNC_HEADER);
        // Functions that zero locals or save a register do that first, and only then take fuel.
        let (mut prologue, mut fueled) = (self.metered, false);
        let mut terminal = false;
        while self.at < self.inside.end {
            if !prologue && !self.is_shared {
                terminal = self.plain(terminal);
                if self.at == self.inside.end {
                    break;
                }
            }
            set(&mut self.starts, self.at - self.inside.start);
            let opcode = self.u16()?;
            let traits = Traits::of(opcode);
            let is_loadable = |traits: Traits| {
                if self.is_shared { is_set(&LOADABLE_SHARED, opcode) } else { traits.is_loadable() }
            };
            if !traits.is_some_and(is_loadable) {
                self.on_refs(opcode)?;
            }
            terminal = traits.is_some_and(Traits::is_terminal);
            if let Some(call) = self.operands(opcode)? {
                calls(func, call);
            }
            fueled |= prologue && matches!(opcode, code::FUEL | small::FUEL);
            prologue = prologue
                && matches!(opcode, code::ZERO | small::ZERO | code::SAVE_PIN | small::SAVE_PIN);
        }
        if !terminal {
            return Err(self.bad("control runs off the end of a function"));
        }
        if self.metered && !fueled {
            return Err(self.bad("a function takes no fuel"));
        }
        if self.starts.iter().zip(&self.targets).any(|(starts, targets)| targets & !starts != 0) {
            return Err(self.bad("a jump leads into the middle of an op"));
        }
        Ok(())
    }

    /// An op that not every function can have.
    #[cold]
    fn on_refs(&mut self, opcode: u16) -> Result<(), Error> {
        let others = if self.is_shared { &UNSHARED } else { &SHARED };
        if cfg!(not(feature = "gc"))
            || usize::from(opcode) >= COUNT
            || !is_set(&ON_REFS, opcode)
            || is_set(others, opcode)
        {
            self.at -= TOKEN;
            return Err(self.unknown(opcode));
        }
        self.references()
    }

    /// A function handles values of this type.
    fn handles(&mut self, ty: &FuncType) -> Result<(), Error> {
        if ty.params().iter().chain(ty.results()).any(ValType::is_ref) {
            self.references()?;
        }
        Ok(())
    }

    /// The function handles references.
    fn references(&mut self) -> Result<(), Error> {
        self.on_refs = true;
        if cfg!(not(feature = "gc")) {
            return Err(unsupported(
                self.origin + self.at,
                "this program cannot check how references are used",
            ));
        }
        Ok(())
    }

    /// Goes over ops for as long as they are plain, as most are, and right. Answers whether the last one ends control; `before` if there
    /// is none.
    #[inline(never)]
    fn plain(&mut self, before: bool) -> bool {
        let (code, inside, metered) = (self.code, self.inside, self.metered);
        let (starts, targets) = (&mut self.starts[..], &mut self.targets[..]);
        let (mut at, mut terminal) = (self.at, before);
        // Eight halves at once are looked at, where that many follow; at the very end of the code that is left to others.
        while let Some((opcode, rest)) = code.get(at..).and_then(|rest| rest.split_first_chunk())
            && let Some(halves) = rest.first_chunk::<16>()
        {
            let traits = Traits::of(u16::from_le_bytes(*opcode)).filter(Traits::is_loadable);
            let Some(traits) = traits else { break };
            let Some(count) = traits.halves() else { break };
            let next = at + TOKEN + 2 * count;
            let shape = traits.shape();
            let half =
                |number: usize| u16::from_le_bytes([halves[2 * number], halves[2 * number + 1]]);
            if next > inside.end || inside.miss(shape.slots, half) {
                break;
            }
            if shape.vectors | shape.jumps != 0 {
                let vector = |number| inside.has(half(number).into(), 2);
                let jump = |number: usize| {
                    let distance = u32::from(half(number)) | u32::from(half(number + 1)) << 16;
                    let to = inside.target(at + TOKEN + 2 * number, distance as i32)?;
                    set(targets, to - inside.start);
                    // Those back take fuel in metered code.
                    (to > at || !metered).then_some(())
                };
                if !ones(shape.vectors).all(vector)
                    || ones(shape.jumps).try_for_each(jump).is_none()
                {
                    break;
                }
            }
            set(starts, at - inside.start);
            terminal = traits.is_terminal();
            at = next;
        }
        self.at = at;
        terminal
    }

    /// The operands of an op. Answers which call it is, if it is one.
    fn operands(&mut self, opcode: u16) -> Result<Option<Call>, Error> {
        let mut seen = Operands::default();
        let (mut numbers, mut before) = (0, b'+');
        for letter in layout(opcode).bytes() {
            match letter {
                b'd' | b's' => self.slot(1)?,
                b'v' => self.slot(2)?,
                b'k' => self.read_slot()?,
                b'T' => self.slot(3)?,
                b'M' => self.slot(4)?,
                b'r' => {
                    let (first, count) = (self.u16()?, self.u16()?);
                    self.slots(first.into(), u32::from(count).next_multiple_of(ZERO_STEP as u32))?;
                }
                b'b' => {
                    seen.base = self.u16()?.into();
                    if seen.base < self.inside.header + FRAME_HEADER as u32 {
                        return Err(
                            self.bad("a callee's frame lies over the header of its caller's")
                        );
                    }
                }
                b'h' => {
                    let header = u32::from(self.u16()?);
                    let Some(callee) = seen.callee else {
                        // Whatever a reference refers to: its type is known later.
                        if header < seen.base || header + FRAME_HEADER as u32 > self.inside.frame {
                            return Err(self.bad("a call does not fit the type of the callee"));
                        }
                        seen.call = Some(Callee::Ref);
                        continue;
                    };
                    self.handles(callee)?;
                    let params = slot_count(callee.params());
                    let room = (params + FRAME_HEADER as u32).max(slot_count(callee.results()));
                    if header != seen.base + params || seen.base + room > self.inside.frame {
                        return Err(self.bad("a call does not fit the type of the callee"));
                    }
                }
                b'n' => {
                    if u32::from(self.u16()?) != self.inside.header {
                        return Err(self.bad("a frame's header is not where it should be"));
                    }
                    seen.tail = true;
                }
                b'a' => {
                    let params = seen.callee.map_or(0, |ty| slot_count(ty.params()));
                    seen.callee.map_or(Ok(()), |ty| self.handles(ty))?;
                    self.slot(params)?;
                }
                b'm' | b'z' | b'l' => {
                    let memory = u32::from(self.u16()?);
                    self.index(memory, self.module.memories.len())?;
                    let shared = self.module.memories[memory as usize].shared;
                    if letter != b'l' && shared != (letter == b'z') {
                        return Err(self.bad("an access for memories that are shared, or are not"));
                    }
                }
                b'x' => {
                    let table = u32::from(self.u16()?);
                    self.index(table, self.module.tables.len())?;
                    if !self.module.tables[table as usize].element.heap.is_func() {
                        return Err(self.bad("it calls elements that are no functions"));
                    }
                }
                b'f' | b'p' => {
                    let func = self.u32()?;
                    self.index(func, self.module.funcs.len())?;
                    if (func < self.module.imported_funcs) != (letter == b'p') {
                        return Err(self.bad("a function is imported, or is not"));
                    }
                    seen.callee = Some(self.module.func_type(FuncIdx(func)));
                    seen.call = Some(Callee::Func(FuncIdx(func)));
                }
                b'y' => {
                    let ty = self.u32()?;
                    self.index(ty, self.module.types.len())?;
                    let CompositeType::Func(func) = &self.module.types[TypeIdx(ty)].composite
                    else {
                        return Err(self.bad("it calls what has no function type"));
                    };
                    seen.callee = Some(func);
                    seen.call = Some(Callee::Table(TypeIdx(ty)));
                }
                b'e' => {
                    let tag = self.u32()?;
                    self.index(tag, self.module.tags.len())?;
                    seen.callee = Some(self.module.tag_type(TagIdx(tag)));
                }
                b'g' | b'G' => {
                    let global = self.u32()?;
                    self.index(global, self.module.globals.len())?;
                    let GlobalType { content, mutability } = self.module.globals[GlobalIdx(global)];
                    if (content == ValType::V128) != (letter == b'G') {
                        return Err(self.bad("a global has another type"));
                    }
                    if content.is_ref() {
                        self.references()?;
                    }
                    // What is assigned stands in front.
                    if before == b'+' && mutability == Mutability::Const {
                        return Err(self.bad("it assigns a global that cannot be"));
                    }
                }
                b'j' => seen.back = self.target()?,
                b'c' => seen.count = self.u32()?,
                b't' => {
                    for _ in 0..=seen.count {
                        seen.back |= self.target()?;
                    }
                }
                b'i' | b'o' | b'u' => {
                    seen.numbers[numbers % 2] = self.u32()?;
                    numbers += 1;
                }
                b'q' => {
                    self.u32()?;
                    self.u32()?;
                }
                b'1'..=b'9' => {
                    let lanes = if letter == b'9' { 16 } else { u32::from(letter - b'0') };
                    let lane = self.u16()?.into();
                    self.index(lane, lanes as usize)?;
                }
                b'w' => _ = self.u16()?,
                b'+' => {}
                _ => return Err(self.unknown(opcode)),
            }
            before = letter;
        }
        let is_jump = matches!(opcode, code::BR_FUEL | small::BR_FUEL);
        if self.metered && seen.back && !is_jump {
            return Err(self.bad("a loop takes no fuel"));
        }
        if self.metered
            && (is_jump || matches!(opcode, code::FUEL | small::FUEL))
            && seen.numbers[0] == 0
        {
            return Err(self.bad("what takes fuel takes none"));
        }
        self.whole(opcode, seen.numbers)?;
        let base = if seen.tail { 0 } else { seen.base };
        Ok(seen.call.map(|callee| Call { base, callee }))
    }

    /// The numbers of an op of the class `slots`, if it is one.
    fn whole(&mut self, opcode: u16, [x, y]: [u32; 2]) -> Result<(), Error> {
        const WHOLE: Rows = Rows::since(Op::MemorySize);
        let Some(op) = WHOLE.op(opcode) else { return Ok(()) };
        let module = self.module;
        let (memories, tables) = (module.memories.len(), module.tables.len());
        match op {
            Op::MemorySize | Op::MemoryGrow | Op::MemoryFill => self.index(x, memories),
            Op::MemoryCopy => self.index(x, memories).and(self.index(y, memories)),
            Op::MemoryInit => self.index(x, memories).and(self.index(y, module.datas.len())),
            Op::DataDrop => self.index(x, module.datas.len()),
            Op::TableSize => self.index(x, tables),
            Op::TableGet | Op::TableSet | Op::TableGrow | Op::TableFill => self.index(x, tables),
            Op::TableCopy => {
                self.index(x, tables).and(self.index(y, tables))?;
                let [to, from] = [x, y].map(|table| module.tables[TableIdx(table)].element);
                self.same_elements(from, to)
            }
            Op::TableInit => {
                self.index(x, tables).and(self.index(y, module.elems.len()))?;
                self.same_elements(module.elems[ElemIdx(y)].ty, module.tables[TableIdx(x)].element)
            }
            Op::ElemDrop => self.index(x, module.elems.len()),
            Op::RefFunc => self.index(x, module.funcs.len()),
            _ => Ok(()),
        }
    }

    /// What catches exceptions in the function.
    fn handlers(
        &mut self,
        tables: &Tables<'_>,
        func: FuncIdx,
        function: &Function,
    ) -> Result<(), Error> {
        let Some((handlers, _)) = tables.more(function, &mut self.free)? else { return Ok(()) };
        for clause in &handlers.clauses {
            let tag = clause.tag.filter(|tag| tag.at() >= self.module.tags.len());
            let at = clause.target as usize;
            if tag.is_some()
                || at >= self.inside.end - self.inside.start
                || !is_begin(&self.starts, at)
            {
                return Err(self.bad("a clause leads nowhere"));
            }
            if let Some(tag) = clause.tag {
                let ty = self.module.tag_type(tag);
                self.slots(clause.slot.into(), slot_count(ty.params()))?;
                self.handles(ty)?;
            }
            if let Some(slot) = clause.reference {
                self.slots(slot.into(), 1)?;
                self.references()?;
            }
        }
        if !handlers.tries.is_empty() {
            self.found.handlers.push((func, handlers));
        }
        Ok(())
    }

    /// An operand that names so many slots in a row.
    #[inline]
    fn slot(&mut self, count: u32) -> Result<(), Error> {
        let first = self.u16()?;
        self.slots(first.into(), count)
    }

    /// Slots in a row: they lie in the frame, and not over its header.
    #[inline]
    fn slots(&self, first: u32, count: u32) -> Result<(), Error> {
        if !self.inside.has(first, count) {
            return Err(self.bad("a slot is not one of the frame's"));
        }
        Ok(())
    }

    /// An operand that names a slot that is only read: that may be any.
    fn read_slot(&mut self) -> Result<(), Error> {
        if u32::from(self.u16()?) >= self.inside.frame {
            return Err(self.bad("a slot is not one of the frame's"));
        }
        Ok(())
    }

    /// Elements of one type are copied to a table of another. If these are not the same, somebody has to look closer.
    fn same_elements(&mut self, from: RefType, to: RefType) -> Result<(), Error> {
        if from == to { Ok(()) } else { self.references() }
    }

    fn index(&self, index: u32, count: usize) -> Result<(), Error> {
        if index as usize >= count {
            return Err(self.bad("an index is out of range"));
        }
        Ok(())
    }

    /// A jump within the function. Answers whether it goes back.
    fn target(&mut self) -> Result<bool, Error> {
        let from = self.at;
        let distance = self.u32()? as i32;
        let Some(to) = self.inside.target(from, distance) else {
            return Err(self.bad("a jump leads out of its function"));
        };
        set(&mut self.targets, to - self.inside.start);
        Ok(distance <= 0)
    }

    #[inline]
    fn u16(&mut self) -> Result<u16, Error> {
        let Some(bytes) = self.body.get(self.at..).and_then(|rest| rest.first_chunk()) else {
            return Err(self.bad("a function ends in the middle of an op"));
        };
        self.at += 2;
        Ok(u16::from_le_bytes(*bytes))
    }

    #[inline]
    fn u32(&mut self) -> Result<u32, Error> {
        let Some(bytes) = self.body.get(self.at..).and_then(|rest| rest.first_chunk()) else {
            return Err(self.bad("a function ends in the middle of an op"));
        };
        self.at += 4;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// A word of the entries.
    fn word(&self, at: usize) -> u32 {
        let word = self.code.get(at..).and_then(|rest| rest.first_chunk());
        word.map_or(0, |word| u32::from_le_bytes(*word))
    }

    #[cold]
    fn bad(&self, what: &'static str) -> Error {
        bad(self.origin + self.at, what)
    }

    #[cold]
    fn unknown(&self, opcode: u16) -> Error {
        super::unknown(self.origin + self.at, opcode)
    }
}

fn set(bits: &mut [u32], byte: usize) {
    bits[byte / 64] |= 1 << (byte / 2 % 32);
}

fn is_begin(bits: &[u32], byte: usize) -> bool {
    byte.is_multiple_of(2) && bits[byte / 64] >> (byte / 2 % 32) & 1 != 0
}

/// The numbers of the bits that are set.
#[inline]
fn ones(bits: u8) -> impl Iterator<Item = usize> {
    let mut rest = u32::from(bits);
    core::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let number = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        Some(number)
    })
}

fn is_set(bits: &[u64], opcode: u16) -> bool {
    bits[usize::from(opcode) / 64] >> (opcode % 64) & 1 != 0
}
