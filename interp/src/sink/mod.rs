//! From base ops to bytecode, in one pass.
//!
//! A result goes to the accumulator of its class. Only when it must outlive that, is the op that made it changed to write its
//! slot as well: the opcode of every such form is the next one, and its destination stands in the code already. In the same way,
//! a result that is assigned to a local right away goes there by changing the op that made it. What an accumulator mirrors is
//! remembered, so that later reads of the slot or local cost nothing.
//!
//! A comparison waits for the next op: a branch takes it in. Every op is fused with the last one if the fusion table has the pair.

#[cfg(feature = "gc")]
pub(crate) mod casts;
mod control;
mod emit;
#[cfg(feature = "gc")]
mod objects;
mod values;
#[cfg(feature = "simd")]
mod vectors;

use crate::{
    exec::{moves::ZERO_STEP, regs::FRAME_HEADER},
    handlers::{Clause, Handlers},
    kinds::Kind,
};
use alloc::{boxed::Box, vec::Vec};
use kinglet_core::{
    error::Error,
    op::{Num, Op, OpSet},
    translate::{Live, Recorder, Shape},
};

/// Makes the bytecode of one function after the other; reused, for its allocations.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// The code of the function, from its header on.
    pub(crate) code: Vec<u8>,
    /// How many slots the frame of the function takes, with what its calls need beyond it.
    pub(crate) frame_size: u32,
    /// Where the ops that can stop come from: positions in the code as handlers see them, and offsets of the binary.
    /// `None` if nobody wants to know.
    pub(crate) points: Option<Vec<Point>>,
    /// Where the managed references are at the ops that can call or stop. `None` if nobody wants to know.
    pub(crate) safepoints: Option<Safepoints>,
    /// Where frames can stand. `None` if nobody wants to know.
    #[cfg(feature = "native")]
    pub(crate) noted: Option<crate::sites::Noted>,
    /// Ops that could have been fused with the one before: where they stand, and both forms.
    #[cfg(feature = "profile")]
    pub(crate) pairs: Vec<(u32, u16, u16)>,
    /// Which ops it may use.
    set: OpSet,
    /// An op that is wanted and not in the set.
    missing: Option<u16>,
    /// Offset of the binary that the current op comes from.
    pub(crate) offset: usize,
    params: u32,
    locals: u32,
    /// The pinned locals, by class.
    pub(crate) pins: [Option<u32>; CLASSES],
    /// The slot that keeps the caller's pinned `f64` local, if this function has one.
    saved_pin: Option<u32>,
    accs: [Accumulator; CLASSES],
    /// The last op, while it may be fused with the next or changed: where its opcode stands.
    last: Option<usize>,
    staged: Option<Comparison>,
    #[cfg(feature = "simd")]
    vector: Option<vectors::VectorProducer>,
    handlers: Recorder<Clause>,
    labels: Vec<Label>,
    fixups: Vec<Fixup>,
    /// The highest operand stack so far.
    max_height: u32,
    /// Bytes of code beyond which the function is refused.
    max_code: usize,
}

/// Where an op of the binary is in the code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) code: u32,
    pub(crate) offset: u32,
}

/// Where the managed references of a function are.
#[derive(Debug, Default)]
pub(crate) struct Safepoints {
    /// Slots of locals that hold references.
    pub(crate) locals: Vec<u16>,
    /// The slot of the bottom of the operand stack.
    pub(crate) operands: u32,
    /// The ops, in order.
    pub(crate) ops: Vec<Safepoint>,
    /// What is live at the next one, if that has been said.
    live: Option<Live>,
}

/// An op that can call or stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Safepoint {
    pub(crate) at: Point,
    /// The references on the operand stack: below the arguments if it is a call.
    pub(crate) live: Live,
}

/// Classes of registers: integers and references, `f32`, `f64`.
const CLASSES: usize = 3;

fn class(ty: Num) -> usize {
    match ty {
        Num::f32 => 1,
        Num::f64 => 2,
        _ => 0,
    }
}

/// What is known about an accumulator.
#[derive(Clone, Copy, Debug, Default)]
struct Accumulator {
    /// The op that made its value, while the op may still be changed.
    producer: Option<Producer>,
    /// The height of the operand that it mirrors.
    temp: Option<u32>,
    /// The local that it mirrors.
    local: Option<u32>,
}

/// An op that gave its result to the accumulator.
#[derive(Clone, Copy, Debug)]
struct Producer {
    /// Where its opcode stands.
    at: usize,
    /// Where its destination stands.
    dst: usize,
    /// The height of its result.
    height: u32,
    /// Whether the result is wanted and nowhere but in the accumulator.
    pending: bool,
    /// Whether it is part of a fused op now, and cannot be changed any more.
    fixed: bool,
    /// What the accumulator mirrored before.
    before: (Option<u32>, Option<u32>),
}

/// A comparison whose result has not been asked for yet.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    op: Op,
    /// Which pair of operand kinds of the op's list it has.
    pair: u16,
    args: [Arg; 2],
    height: u32,
}

/// An operand as it will stand in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arg {
    Slot(u32),
    Acc,
    Imm(i32),
    Pin,
}

impl Arg {
    #[inline]
    fn kind(self) -> Kind {
        match self {
            Arg::Slot(_) => Kind::Slot,
            Arg::Acc => Kind::Acc,
            Arg::Imm(_) => Kind::Imm,
            Arg::Pin => Kind::Pin,
        }
    }
}

/// A place that jumps lead to.
#[derive(Clone, Copy, Debug, Default)]
struct Label {
    at: Option<usize>,
    /// The last jump that waits for it, plus one.
    fixup: usize,
    /// Whether exceptions lead there.
    catches: bool,
}

/// A jump to a label that is not bound yet.
#[derive(Clone, Copy, Debug)]
struct Fixup {
    /// Where the distance stands.
    at: usize,
    /// The next one for the same label, plus one.
    next: usize,
}

impl Builder {
    /// A builder of code with these ops.
    pub(crate) fn new(set: OpSet) -> Builder {
        Builder { set, ..Builder::default() }
    }

    fn start(&mut self, shape: &Shape<'_>) {
        self.code.clear();
        self.labels.clear();
        self.fixups.clear();
        self.handlers.clear();
        #[cfg(feature = "profile")]
        self.pairs.clear();
        if let Some(points) = &mut self.points {
            points.clear();
        }
        self.params = shape.params;
        self.start_safepoints(shape);
        self.locals = shape.locals.len() as u32;
        let pins = [shape.pinned_int, None, shape.pinned_f64];
        self.pins = pins.map(|pin| pin.filter(|_| !self.is_small()).map(u32::from));
        self.saved_pin = self.pins[2].map(|_| self.locals + FRAME_HEADER as u32);
        self.missing = None;
        // An op that zeroes locals may write beyond them.
        self.max_height = shape.results.max(ZERO_STEP as u32);
        self.max_code =
            shape.body_len.saturating_mul(64).saturating_add(1 << 16).min(i32::MAX as usize);
        self.staged = None;
        #[cfg(feature = "simd")]
        {
            self.vector = None;
        }
        self.forget();
    }

    fn start_safepoints(&mut self, shape: &Shape<'_>) {
        if self.safepoints.is_none() {
            return;
        }
        let refs = (0..).zip(shape.locals).filter(|(_, ty)| **ty == Num::handle);
        let locals = refs.map(|(local, _)| self.local_slot(local) as u16).collect();
        self.safepoints = Some(Safepoints { locals, ..Safepoints::default() });
    }

    /// Whether only ops of the small set are used: all values are in slots.
    #[inline]
    fn is_small(&self) -> bool {
        cfg!(feature = "ops-small") || self.set == OpSet::Small
    }

    /// The slot of a local.
    pub(crate) fn local_slot(&self, local: u32) -> u32 {
        if local < self.params { local } else { local + FRAME_HEADER as u32 }
    }

    /// The slot of a height of the operand stack.
    pub(crate) fn home(&mut self, height: u32) -> u32 {
        self.max_height = self.max_height.max(height + 1);
        self.locals + FRAME_HEADER as u32 + u32::from(self.saved_pin.is_some()) + height
    }

    /// The slot of the frame's header.
    pub(crate) fn header(&self) -> u32 {
        self.params
    }

    /// The slot that keeps the caller's pinned `f64` local, if this function has one.
    pub(crate) fn saved_pin(&self) -> Option<u32> {
        self.saved_pin
    }

    /// What catches exceptions in the function just made.
    pub(crate) fn handlers(&self) -> Option<Box<Handlers>> {
        let recorder = &self.handlers;
        if recorder.tries.is_empty() {
            return None;
        }
        let offset = |label| self.labels[label as usize].at.unwrap_or_default() as u32;
        let place = |clause: &Clause| Clause { target: offset(clause.target), ..*clause };
        Some(Box::new(Handlers {
            segments: recorder.segments.as_slice().into(),
            tries: recorder.tries.as_slice().into(),
            clauses: recorder.clauses.iter().map(place).collect(),
        }))
    }

    /// Control may come from elsewhere: nothing is known about registers, and the last op must stay as it is.
    fn forget(&mut self) {
        self.accs = [Accumulator::default(); CLASSES];
        self.last = None;
    }

    /// Checks what the encoding can hold.
    fn finish(&mut self) -> Result<(), Error> {
        if let Some(opcode) = self.missing {
            // By number: a target with a small op set has no room for all the names.
            return Err(Error::msg(alloc::format!(
                "there is no op {opcode} in the op set of the module"
            )));
        }
        let top = self.max_height;
        let operands = self.home(0);
        if let Some(safepoints) = &mut self.safepoints {
            safepoints.operands = operands;
        }
        // What a call at the top of the stack writes beyond its arguments, and an operand that is put away.
        self.frame_size = self.home(top) + FRAME_HEADER as u32 + 1;
        if self.frame_size > u32::from(u16::MAX) {
            return Err(Error::limit(
                "a function needs too many locals and operands for the interpreter",
            ));
        }
        self.check_size()
    }

    fn check_size(&self) -> Result<(), Error> {
        if self.code.len() > self.max_code {
            return Err(Error::limit(
                "a function is too large for the interpreter: its branches move too many values",
            ));
        }
        Ok(())
    }
}
