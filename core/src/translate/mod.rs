//! From wasm operators to base ops, in one pass over a validated function body.
//!
//! The translator keeps the operand stack of the function at translation time: reads of locals and constants become operands
//! of the ops that use them. Control flow becomes labels and jumps. What a tier makes of the ops is its [`Sink`]'s business; both
//! tiers get the same ops, slots and fuel points.
//!
//! Everything is linear in the size of the body: a read of a local that must be saved because the local is about to be
//! assigned is found through a chain per local, and operands that have been moved to their slots at the entry of a block are
//! never looked at again at the entry of an inner one.

#[cfg(feature = "gc")]
mod casts;
mod control;
mod exceptions;
mod handlers;
#[cfg(feature = "legacy-exceptions")]
mod legacy;
#[cfg(feature = "gc")]
mod objects;
mod refs;
#[cfg(feature = "simd")]
mod simd;
mod sink;
mod visit;

pub use handlers::Recorder;
pub use refs::{Live, Refs};
pub use sink::{Access, Callee, Catch, Loc, MemArg, Operand, Shape, Sink};

use crate::{
    binary::{body_reader, val_type},
    error::Error,
    index::*,
    module::Module,
    op::{Class, Num, Op},
    types::{ValType, slot_count},
};
use alloc::vec::Vec;
use control::Frame;
use refs::Notes;
use wasmparser::BinaryReader;

/// How to translate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Place fuel points at function entries and at jumps back to loops.
    pub metered: bool,
    /// Take notes of where managed references are: see [`Translator::take_refs`].
    pub refs: bool,
    /// Say by ops what a branch has found out about a reference: a cast where it is of a type, and one more where it is not null. For
    /// code whose types somebody wants to check, who then need not know what branches test.
    pub explicit: bool,
}

/// Translates functions; reuse it to reuse its allocations.
///
/// # Fuel
/// In metered code, entering a function costs as many units as its body has operators, and every jump back to the head of a
/// loop as many as the loop has, between its `loop` and its `end`.
#[derive(Debug)]
pub struct Translator<L, F> {
    stack: Vec<Entry>,
    /// For each slot of locals, the topmost operand that reads it, plus one.
    reads: Vec<u32>,
    /// Types of the slots of locals.
    locals: Vec<Num>,
    /// The first slot of each local, if some take two; otherwise empty, and local *i* has slot *i*.
    local_slots: Vec<u32>,
    frames: Vec<Frame<L, F>>,
    targets: Vec<L>,
    stubs: Vec<(u32, L)>,
    notes: Option<Notes>,
    /// Offsets of the fields of the structs of the module that the last function has met.
    #[cfg(feature = "gc")]
    layouts: alloc::collections::BTreeMap<u32, alloc::boxed::Box<[u32]>>,
    clauses: Vec<Catch<L>>,
    /// Where exceptions lead whose handlers are loops that take fuel: label, the loop, what a jump to it costs, what is
    /// live at its head.
    pads: Vec<(L, L, u32, Live)>,
    /// The blocks that cannot be reached and are open, but for the one where that begins.
    dead: Vec<wasmparser::FrameKind>,
}

impl<L, F> Default for Translator<L, F> {
    fn default() -> Self {
        Translator {
            stack: Vec::new(),
            reads: Vec::new(),
            locals: Vec::new(),
            local_slots: Vec::new(),
            frames: Vec::new(),
            targets: Vec::new(),
            stubs: Vec::new(),
            notes: None,
            #[cfg(feature = "gc")]
            layouts: Default::default(),
            clauses: Vec::new(),
            pads: Vec::new(),
            dead: Vec::new(),
        }
    }
}

/// Locals that any function may declare.
const MIN_LOCALS: usize = 2_000;
/// Locals that a function may declare for every byte of its body, so that translation takes time linear in its size.
const LOCALS_PER_BYTE: usize = 16;

/// A slot of the operand stack: a value, or the second slot of the vector below.
#[derive(Clone, Copy, Debug)]
struct Entry {
    loc: Loc,
    /// `None` for the second slot of a vector.
    ty: Option<Num>,
    /// If the value is a read of a local, the next operand below that reads the same local, plus one.
    below: u32,
}

/// One function on its way through the translator.
struct Run<'t, S: Sink> {
    module: &'t Module,
    sink: &'t mut S,
    t: &'t mut Translator<S::Label, S::FuelPoint>,
    metered: bool,
    /// See [`Options::explicit`].
    explicit: bool,
    /// Operands below this height have been moved out of locals.
    settled: usize,
    /// 0 if the current operator can be reached; otherwise 1 plus the number of unreachable blocks it is in.
    dead: u32,
    /// How many `try_table`s are open.
    tries: u32,
    /// Operators seen so far.
    operators: u32,
    entry_fuel: Option<S::FuelPoint>,
}

impl<L: Copy, F: Copy> Translator<L, F> {
    /// Translates function `func`, which must not be imported, into `sink`.
    ///
    /// # Errors
    /// If the function exceeds what the sink can express.
    pub fn translate<S: Sink<Label = L, FuelPoint = F>>(
        &mut self,
        module: &Module,
        func: FuncIdx,
        sink: &mut S,
        options: Options,
    ) -> Result<(), Error> {
        let Some(body) = module.body(func) else {
            return Err(Error::invalid(
                "a function without a body: it is imported, or the module comes from an artifact",
                0,
            ));
        };
        let ty = module.func_type(func);
        self.stack.clear();
        self.frames.clear();
        self.pads.clear();
        self.dead.clear();
        self.locals.clear();
        self.locals.extend(ty.params().iter().map(|&p| num(p)));
        let mut vectors = ty.params().contains(&ValType::V128);
        let (declared, reader) = body_reader(module, body)?;
        for (count, ty) in declared {
            let locals = self.locals.len() + count as usize;
            if locals > MIN_LOCALS + LOCALS_PER_BYTE * body.range.len() {
                return Err(Error::limit("a function declares too many locals for its size"));
            }
            self.locals.resize(locals, num(ty));
            vectors |= ty == ValType::V128;
        }
        self.notes = options.refs.then(Notes::default);
        self.local_slots.clear();
        if vectors {
            self.lay_out_locals();
        }
        let slot_of = |local: u16| match self.local_slots.get(usize::from(local)) {
            Some(&slot) => u16::try_from(slot).ok(),
            None => Some(local),
        };
        self.reads.clear();
        self.reads.resize(self.locals.len(), 0);
        sink.begin(&Shape {
            func,
            locals: &self.locals,
            params: slot_count(ty.params()),
            results: slot_count(ty.results()),
            body_len: body.range.len(),
            pinned_int: body.pinned_int.and_then(slot_of),
            pinned_f64: body.pinned_f64.and_then(slot_of),
        })?;
        let mut run = Run {
            module,
            sink,
            t: self,
            metered: options.metered,
            explicit: options.explicit,
            settled: 0,
            dead: 0,
            tries: 0,
            operators: 0,
            entry_fuel: None,
        };
        run.enter_function(func);
        let code = &module.wasm[..body.range.end];
        let mut offset = reader.original_position() as usize;
        while !run.t.frames.is_empty() {
            run.sink.position(offset)?;
            if let Some(notes) = &mut run.t.notes {
                notes.offset = offset as u32;
            }
            run.operators += 1;
            if let Some(len) = run.short(&code[offset..]) {
                offset += len;
                continue;
            }
            let mut reader = BinaryReader::new(&code[offset..], offset as u64);
            reader.visit_operator(&mut run).map_err(|e| {
                Error::invalid(alloc::string::String::from(e.message()), e.offset() as usize)
            })??;
            offset = reader.original_position() as usize;
        }
        run.sink.end()
    }

    /// Where managed references are on the operand stack of the last function, if it was translated with notes.
    pub fn take_refs(&mut self) -> Refs {
        self.notes.take().unwrap_or_default().finish()
    }

    /// Gives every vector a second slot.
    fn lay_out_locals(&mut self) {
        for ty in core::mem::take(&mut self.locals) {
            self.local_slots.push(self.locals.len() as u32);
            self.locals.push(ty);
            if ty == Num::v128 {
                self.locals.push(Num::u64);
            }
        }
    }
}

impl<S: Sink> Run<'_, S> {
    fn height(&self) -> u32 {
        self.t.stack.len() as u32
    }

    fn push(&mut self, loc: Loc, ty: Num) {
        let mut below = 0;
        if let Loc::Local(local) = loc {
            below = core::mem::replace(
                &mut self.t.reads[local as usize],
                self.t.stack.len() as u32 + 1,
            );
        }
        if ty == Num::handle
            && let Some(notes) = &mut self.t.notes
        {
            notes.push(self.t.stack.len() as u32, loc == Loc::Temp);
        }
        self.t.stack.push(Entry { loc, ty: Some(ty), below });
        if ty == Num::v128 {
            self.t.stack.push(Entry { loc: Loc::Temp, ty: None, below: 0 });
        }
    }

    fn push_temp(&mut self, ty: Num) {
        self.push(Loc::Temp, ty);
    }

    fn push_types(&mut self, types: &[ValType]) {
        for &ty in types {
            self.push_temp(num(ty));
        }
    }

    fn pop(&mut self) -> (Num, Operand) {
        // Validated code never pops from an empty stack.
        let Some(mut entry) = self.t.stack.pop() else { return Self::nothing() };
        if entry.ty.is_none() {
            let Some(first) = self.t.stack.pop() else { return Self::nothing() };
            entry = first;
        }
        if let Loc::Local(local) = entry.loc {
            self.t.reads[local as usize] = entry.below;
        }
        if entry.ty == Some(Num::handle)
            && let Some(notes) = &mut self.t.notes
        {
            notes.pop();
        }
        self.settled = self.settled.min(self.t.stack.len());
        let height = self.t.stack.len() as u32;
        (entry.ty.unwrap_or(Num::u64), Operand { loc: entry.loc, height })
    }

    #[cold]
    fn nothing() -> (Num, Operand) {
        (Num::u64, Operand { loc: Loc::Const(0), height: 0 })
    }

    fn truncate(&mut self, height: u32) {
        while self.t.stack.len() > height as usize {
            self.pop();
        }
    }

    /// Writes the operand at `height` to the slot of height `to`, leaving the stack as it is.
    fn place(&mut self, height: u32, to: u32) {
        let entry = self.t.stack[height as usize];
        if let Some(ty) = entry.ty {
            self.sink.place(ty, Operand { loc: entry.loc, height }, to);
        }
    }

    /// Moves operands that read locals to their slots, all of them.
    fn settle_reads(&mut self) {
        for height in self.settled..self.t.stack.len() {
            if let Loc::Local(local) = self.t.stack[height].loc {
                self.keep(height as u32);
                self.t.reads[local as usize] = 0;
            }
        }
        self.settled = self.t.stack.len();
    }

    /// Writes the operand at `height` to its slot, where it stays, leaving the stack as it is.
    fn keep_here(&mut self, height: u32) {
        let entry = self.t.stack[height as usize];
        if let Some(ty) = entry.ty {
            self.sink.keep(ty, Operand { loc: entry.loc, height });
        }
    }

    /// Moves the operand at `height` to its slot, for good.
    fn keep(&mut self, height: u32) {
        self.keep_here(height);
        let entry = &mut self.t.stack[height as usize];
        entry.loc = Loc::Temp;
        if entry.ty == Some(Num::handle)
            && let Some(notes) = &mut self.t.notes
        {
            notes.settle(height);
        }
    }

    /// Tells the sink which references below `height` are live at the op that comes next, if somebody wants to know. To be
    /// called in front of every op during which garbage can be collected.
    fn note_live(&mut self, height: u32) {
        if let Some(notes) = &self.t.notes {
            self.sink.live(notes.live(height));
        }
    }

    /// The same, with what is live at the head of a loop, before a jump there.
    fn say_live(&mut self, live: Live) {
        if self.t.notes.is_some() {
            self.sink.live(live);
        }
    }

    /// Moves the operands of the `count` topmost slots there, as an op or call that takes its operands there needs it.
    /// Returns the height of the first.
    fn place_top(&mut self, count: u32) -> u32 {
        let base = self.height() - count;
        for height in base..self.height() {
            self.place(height, height);
        }
        base
    }

    fn unary(&mut self, op: Op, to: Num) {
        let (_, a) = self.pop();
        self.sink.unary(op, a, a.height);
        self.push_temp(to);
    }

    fn binary(&mut self, op: Op, to: Num) {
        let (_, b) = self.pop();
        let (_, a) = self.pop();
        self.sink.binary(op, a, b, a.height);
        self.push_temp(to);
    }

    /// The topmost operand, for an op that leaves it where it is.
    fn peek(&mut self) -> Operand {
        let height = self.height() - 1;
        let loc = self.t.stack[height as usize].loc;
        if loc == Loc::Temp {
            self.place(height, height);
            return Operand { loc, height };
        }
        Operand { loc, height: height + 1 }
    }

    /// The type of a slot that holds a value of the validator's type `ty`.
    fn num(&self, ty: wasmparser::ValType) -> Num {
        // Whatever validation let pass can be converted.
        val_type(ty, &self.module.types, 0).map_or(Num::u64, num)
    }

    /// An op of one of the numeric classes, as its row describes it.
    fn numeric(&mut self, op: Op) {
        match op.class() {
            Class::un | Class::un_trap => self.unary(op, op.result()),
            _ => self.binary(op, op.result()),
        }
    }

    fn equals_zero(&mut self, op: Op) {
        self.push(Loc::Const(0), Num::u64);
        self.binary(op, Num::u32);
    }

    fn memarg(&self, arg: wasmparser::MemArg) -> MemArg {
        // The other target, a garbage-collected array, is a proposal that validation refuses.
        let memory =
            if let wasmparser::MemArgTarget::Memory(memory) = arg.target { memory } else { 0 };
        self.place_in(memory, arg.offset)
    }

    /// The place of an access to a memory.
    fn place_in(&self, memory: u32, offset: u64) -> MemArg {
        let ty = &self.module.memories[memory as usize];
        MemArg { memory: MemoryIdx(memory), is_64: ty.is_64, shared: ty.shared, offset }
    }

    fn access(&mut self, op: Op, at: MemArg) {
        if op.class() == Class::load {
            let (_, address) = self.pop();
            self.sink.load(op, address, at, address.height);
            self.push_temp(op.result());
        } else {
            let (_, value) = self.pop();
            let (_, address) = self.pop();
            self.sink.store(op, address, value, at);
        }
    }

    /// An op of one of the atomic classes.
    fn atomic(&mut self, op: Op, arg: wasmparser::MemArg) {
        let base = self.place_top(op.class().atomic_operands().unwrap_or_default());
        self.note_live(self.height());
        self.truncate(base);
        self.sink.atomic(op, self.memarg(arg), base);
        if op.class() != Class::atomic_store {
            self.push_temp(op.result());
        }
    }

    /// An op of the class `slots` with `operands` slots of operands and a result of type `result`.
    fn slots(&mut self, op: Op, immediates: [u32; 2], operands: u32, result: Option<Num>) {
        let base = self.place_top(operands);
        self.note_live(self.height());
        self.truncate(base);
        self.sink.slots(op, immediates, operands, result, base);
        if let Some(ty) = result {
            self.push_temp(ty);
        }
    }

    /// An op of the class `multi`.
    fn multi(&mut self, op: Op, operands: u32, results: u32) {
        let base = self.place_top(operands);
        self.truncate(base);
        self.sink.multi(op, operands, results, base);
        for _ in 0..results {
            self.push_temp(op.result());
        }
    }

    /// The first slot of a local.
    #[inline]
    fn local_slot(&self, local: u32) -> u32 {
        self.t.local_slots.get(local as usize).copied().unwrap_or(local)
    }

    /// Assigns the local whose first slot this is.
    fn local_set(&mut self, local: u32) -> Num {
        let (ty, value) = self.pop();
        let mut read = core::mem::take(&mut self.t.reads[local as usize]);
        while let Some(height) = read.checked_sub(1) {
            self.keep(height);
            read = self.t.stack[height as usize].below;
        }
        self.sink.local_set(local, ty, value);
        ty
    }

    fn select(&mut self) {
        let (_, condition) = self.pop();
        let (_, b) = self.pop();
        let (ty, a) = self.pop();
        self.sink.select(ty, condition, a, b, a.height);
        self.push_temp(ty);
    }

    /// The type of addresses and sizes of a memory or table.
    fn index_type(is_64: bool) -> Num {
        if is_64 { Num::u64 } else { Num::u32 }
    }
}

/// The type of a value of type `ty` in slots. References are handles; the collector has no business with those to functions.
pub fn num(ty: ValType) -> Num {
    match ty {
        ValType::I32 => Num::u32,
        ValType::Ref(_) if ty.is_managed() => Num::handle,
        ValType::I64 | ValType::Ref(_) => Num::u64,
        ValType::F32 => Num::f32,
        ValType::F64 => Num::f64,
        ValType::V128 => Num::v128,
    }
}
