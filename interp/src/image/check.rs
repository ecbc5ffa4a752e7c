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
    forms::{
        COUNT, LOADABLE, LOADABLE_SHARED, ON_REFS, PLAIN, SHARED, TERMINAL, UNSHARED, code, layout,
        row, standard,
    },
    handlers::Handlers,
};
use alloc::vec::Vec;
use kinglet_core::{
    error::Error,
    index::{FuncIdx, TagIdx, TypeIdx},
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
    for (i, opcode) in [code::STOP, code::CROSS_RETURN].into_iter().enumerate() {
        let found = u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
        if usize::from(found) >= COUNT || standard(found) != opcode {
            return Err(bad(
                origin + 2 * i,
                "it does not begin with the ops that functions return to",
            ));
        }
    }
    let mut walk = Walk {
        module,
        code: bytes,
        origin,
        frame: tables.frame_size(),
        metered,
        found: Structure { handlers: Vec::new(), on_refs: Vec::new() },
        free: tables.first_handlers(),
        is_shared: module.memories.first().is_some_and(|memory| memory.shared),
        on_refs: false,
        header: 0,
        start: 0,
        end: 0,
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
        walk.end = end.ok_or_else(|| bad(origin + start, "a function is longer than the code"))?;
        walk.start = start;
        walk.body = &bytes[..walk.end];
        walk.function(func, &function, calls)?;
        walk.handlers(tables, func, &function)?;
        if walk.on_refs {
            walk.found.on_refs.push(func);
        }
        start = walk.end.next_multiple_of(8);
    }
    Ok(walk.found)
}

/// A walk over the ops of a function.
struct Walk<'a> {
    module: &'a Module,
    code: &'a [u8],
    /// Where the code stands in the artifact.
    origin: usize,
    /// Slots that every frame has.
    frame: u32,
    metered: bool,
    /// In the functions so far.
    found: Structure,
    /// Where their handlers end in the tables.
    free: usize,
    /// Whether the first memory is shared.
    is_shared: bool,
    /// Whether the function handles references.
    on_refs: bool,
    /// The slot of the frame's header.
    header: u32,
    start: usize,
    end: usize,
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
        self.header = slot_count(ty.params());
        if self.header != function.header.into() {
            return Err(self.bad("a frame's header is not where its parameters end"));
        }
        if self.header + (FRAME_HEADER as u32) > self.frame || slot_count(ty.results()) > self.frame
        {
            return Err(self.bad("a frame has no room for parameters and results"));
        }
        let words = (self.end - self.start).div_ceil(64);
        for bits in [&mut self.starts, &mut self.targets] {
            bits.clear();
            let room = bits.try_reserve_exact(words);
            room.map_err(|_| Error::limit("there is no memory to check a function"))?;
            bits.resize(words, 0);
        }
        self.on_refs = false;
        self.handles(ty)?;
        self.at = self.start;
        self.read_slot()?;
        if let Some(saved) = function.saved_pin {
            self.slots(saved.into(), 1)?;
        }
        debug_assert_eq!(self.at, self.start + FUNC_HEADER);
        let (mut prologue, mut fueled, mut terminal) = (true, false, false);
        let is_shared = cfg!(feature = "threads") && self.is_shared;
        let loadable = if is_shared { &LOADABLE_SHARED } else { &LOADABLE };
        while self.at < self.end {
            set(&mut self.starts, self.at - self.start);
            let opcode = self.u16()?;
            if usize::from(opcode) >= COUNT || !is_set(loadable, opcode) {
                self.on_refs(opcode)?;
            }
            terminal = is_set(&TERMINAL, opcode);
            if is_set(&PLAIN, opcode) {
                self.plain(opcode)?;
                prologue &= standard(opcode) == code::SAVE_PIN;
                continue;
            }
            if let Some(call) = self.operands(opcode)? {
                calls(func, call);
            }
            // Functions that zero locals or save a register do that first.
            fueled |= prologue && standard(opcode) == code::FUEL;
            prologue &= matches!(standard(opcode), code::ZERO | code::SAVE_PIN);
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

    /// The operands of an op, if they are of the kinds that most are of.
    fn plain(&mut self, opcode: u16) -> Result<(), Error> {
        let mut back = false;
        for letter in layout(opcode).bytes() {
            match letter {
                b'd' | b's' => {
                    let slot = u32::from(self.u16()?);
                    if slot >= self.frame || slot.wrapping_sub(self.header) < FRAME_HEADER as u32 {
                        return Err(self.bad("a slot is not one of the frame's"));
                    }
                }
                b'v' => self.slot(2)?,
                b'i' | b'o' => _ = self.u32()?,
                b'q' => _ = (self.u32()?, self.u32()?),
                b'j' => back |= self.target()?,
                _ => {}
            }
        }
        if back && self.metered { Err(self.bad("a loop takes no fuel")) } else { Ok(()) }
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
                    if seen.base < self.header + FRAME_HEADER as u32 {
                        return Err(
                            self.bad("a callee's frame lies over the header of its caller's")
                        );
                    }
                }
                b'h' => {
                    let header = u32::from(self.u16()?);
                    let Some(callee) = seen.callee else {
                        // Whatever a reference refers to: its type is known later.
                        if header < seen.base || header + FRAME_HEADER as u32 > self.frame {
                            return Err(self.bad("a call does not fit the type of the callee"));
                        }
                        seen.call = Some(Callee::Ref);
                        continue;
                    };
                    self.handles(callee)?;
                    let params = slot_count(callee.params());
                    let room = (params + FRAME_HEADER as u32).max(slot_count(callee.results()));
                    if header != seen.base + params || seen.base + room > self.frame {
                        return Err(self.bad("a call does not fit the type of the callee"));
                    }
                }
                b'n' => {
                    if u32::from(self.u16()?) != self.header {
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
                    let CompositeType::Func(func) = &self.module.types[ty as usize].composite
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
                    let GlobalType { content, mutability } = self.module.globals[global as usize];
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
        if self.metered && seen.back && standard(opcode) != code::BR_FUEL {
            return Err(self.bad("a loop takes no fuel"));
        }
        if self.metered
            && matches!(standard(opcode), code::FUEL | code::BR_FUEL)
            && seen.numbers[0] == 0
        {
            return Err(self.bad("what takes fuel takes none"));
        }
        self.whole(standard(opcode), seen.numbers)?;
        let base = if seen.tail { 0 } else { seen.base };
        Ok(seen.call.map(|callee| Call { base, callee }))
    }

    /// The numbers of an op of the class `slots`, if it is one.
    fn whole(&mut self, opcode: u16, [x, y]: [u32; 2]) -> Result<(), Error> {
        const FIRST: u16 = row(Op::MemorySize).forms;
        let Some(op) =
            opcode.checked_sub(FIRST).and_then(|n| Op::from_number(Op::MemorySize as u16 + n))
        else {
            return Ok(());
        };
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
                let [to, from] = [x, y].map(|table| module.tables[table as usize].element);
                self.same_elements(from, to)
            }
            Op::TableInit => {
                self.index(x, tables).and(self.index(y, module.elems.len()))?;
                self.same_elements(module.elems[y as usize].ty, module.tables[x as usize].element)
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
            if tag.is_some() || at >= self.end - self.start || !is_begin(&self.starts, at) {
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
        let end = first + count;
        if end > self.frame || (first < self.header + FRAME_HEADER as u32 && end > self.header) {
            return Err(self.bad("a slot is not one of the frame's"));
        }
        Ok(())
    }

    /// An operand that names a slot that is only read: that may be any.
    fn read_slot(&mut self) -> Result<(), Error> {
        if u32::from(self.u16()?) >= self.frame {
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
        let to = from.wrapping_add_signed(distance as isize);
        if to < self.start + FUNC_HEADER || to >= self.end || !to.is_multiple_of(2) {
            return Err(self.bad("a jump leads out of its function"));
        }
        set(&mut self.targets, to - self.start);
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
        u32::from_le_bytes([self.code[at], self.code[at + 1], self.code[at + 2], self.code[at + 3]])
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

fn is_set(bits: &[u64], opcode: u16) -> bool {
    bits[usize::from(opcode) / 64] >> (opcode % 64) & 1 != 0
}
