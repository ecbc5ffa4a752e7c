//! What can be seen of a module that runs, whichever engine runs it.

use crate::Rng;
use std::{
    collections::hash_map::DefaultHasher,
    fmt,
    hash::{Hash, Hasher},
};

/// A value, as far as it can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    Null(Reference),
    I31(i32),
    /// A number of the host.
    Host(u32),
    /// A structure, with its fields unless it is deep inside of others.
    Struct(Vec<Value>),
    /// The length of an array, and its first elements unless it is deep inside of others.
    Array(u32, Vec<Value>),
    /// A reference to anything else.
    NonNull(Reference),
}

/// The type of a value that can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    I32,
    I64,
    F32,
    F64,
    V128,
    /// A reference that may be null.
    Ref(Reference),
    /// One that may be a number of 31 bits, and may be null or not.
    I31(bool),
    /// One that may be a value of the host, and may be null or not.
    Host(bool),
}

/// The hierarchy that a reference is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    Func,
    Extern,
    Any,
    Exn,
}

impl Value {
    /// A value of a type, made from these bits.
    pub(crate) fn from_bits(kind: Kind, bits: u64) -> Value {
        match kind {
            Kind::I32 => Value::I32(bits as i32),
            Kind::I64 => Value::I64(bits as i64),
            // Not NaN: what becomes of its payload is not determined.
            Kind::F32 => Value::F32((bits as i32 as f32).to_bits()),
            Kind::F64 => Value::F64((bits as i64 as f64).to_bits()),
            // Not NaN either, as lanes of whatever type.
            Kind::V128 => Value::V128(u128::from(bits & LANES) << 64 | u128::from(!bits & LANES)),
            Kind::Ref(reference) => Value::Null(reference),
            Kind::I31(true) if bits.is_multiple_of(4) => Value::Null(Reference::Any),
            Kind::I31(_) => Value::I31((bits as i32) << 1 >> 1),
            Kind::Host(true) if bits.is_multiple_of(4) => Value::Null(Reference::Extern),
            Kind::Host(_) => Value::Host(bits as u32),
        }
    }
}

/// Bits that make no NaN of a lane.
const LANES: u64 = 0xbfff_ffff_bfff_ffff;

/// How deep structures and arrays are looked into, and how many elements are.
pub(crate) const DEPTH: u32 = 3;
pub(crate) const ELEMENTS: u32 = 8;

/// Why a call did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A trap, by the name that it has in all engines.
    Trap(String),
    /// An exception that nobody caught, and what it carries.
    Exception(Vec<Value>),
    /// It got as far as the engine's limits on stack, memory or fuel let it, which differ from engine to engine.
    Exhausted(String),
    /// Anything else, such as an import that does not match.
    Other(String),
}

impl Stop {
    /// Whether an address is not aligned, or in no memory. Where it is neither, either may be said.
    fn is_bad_address(&self) -> bool {
        matches!(self, Stop::Trap(name) if name == "HeapMisaligned" || name == "MemoryOutOfBounds")
    }
}

/// What an exported item looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Global(Value),
    /// Size in pages, hash of the contents.
    Memory(u64, u64),
    /// Size, hash of which elements are null.
    Table(u64, u64),
}

/// Stands for the contents of shared memories, which cannot be read from here without unsafe code.
pub(crate) const SHARED: u64 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Instantiate,
    Instantiated,
    Call(String, Vec<Value>),
    Returned(Vec<Value>),
    Stopped(Stop),
    Exported(Vec<(String, Item)>),
    /// Hash of all calls of the host so far.
    Host(u64),
    /// Fuel used so far.
    Fuel(u64),
    /// Where a call has stopped: for each frame, index of the function and offset in the binary.
    Frames(Vec<(u32, Option<usize>)>),
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observation(Vec<Event>);

/// An instance in some engine.
pub(crate) trait Guest {
    /// The exported functions whose parameters can all be made, and those.
    fn funcs(&mut self) -> Vec<(String, Vec<Kind>)>;
    fn call(&mut self, name: &str, params: &[Value]) -> Result<Vec<Value>, Stop>;
    /// Sets the exported globals of this name to this value.
    fn set_globals(&mut self, name: &str, value: i32);
    /// The exported globals, memories and tables.
    fn items(&mut self) -> Vec<(String, Item)>;
    /// The calls of host functions so far.
    fn host(&mut self) -> &Host;
    /// Where the last call failed, if that is noted: for each frame, index of the function and offset in the binary.
    fn frames(&mut self) -> Vec<(u32, Option<usize>)> {
        Vec::new()
    }
    /// The fuel used so far, where it is counted.
    fn fuel_used(&mut self) -> Option<u64>;
}

impl Observation {
    /// Instantiates a module, calls what it exports, and notes everything.
    pub(crate) fn new<G: Guest>(instantiate: impl FnOnce() -> Result<G, Stop>) -> Observation {
        let mut log = Observation(vec![Event::Instantiate]);
        match instantiate() {
            Ok(mut guest) => log.run(&mut guest),
            Err(stop) => log.0.push(Event::Stopped(stop)),
        }
        log
    }

    fn run(&mut self, guest: &mut impl Guest) {
        self.0.push(Event::Instantiated);
        let mut rng = Rng::new(1);
        // Engines differ in the order of exports.
        let mut funcs = guest.funcs();
        funcs.sort_by(|(a, _), (b, _)| a.cmp(b));
        'calls: for (name, params) in funcs.into_iter().take(FUNCS) {
            for _ in 0..if params.is_empty() { CALLS / 4 } else { CALLS } {
                let params: Vec<Value> =
                    params.iter().map(|&kind| Value::from_bits(kind, rng.edge())).collect();
                guest.set_globals(FUEL, ITERATIONS as i32);
                self.0.push(Event::Call(name.clone(), params.clone()));
                let outcome = guest.call(&name, &params);
                let exhausted = matches!(outcome, Err(Stop::Exhausted(_)));
                self.0.push(match outcome {
                    Ok(results) => Event::Returned(results),
                    Err(stop) => Event::Stopped(stop),
                });
                self.0.push(Event::Frames(guest.frames()));
                self.0.push(Event::Host(guest.host().trace));
                if let Some(used) = guest.fuel_used() {
                    self.0.push(Event::Fuel(used));
                }
                if exhausted {
                    break 'calls;
                }
            }
        }
        let mut items = guest.items();
        items.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.0.push(Event::Exported(items));
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.0.iter().filter(|event| matches!(event, Event::Call(..))).count()
    }

    /// How many of them returned.
    #[cfg(test)]
    pub(crate) fn returns(&self) -> usize {
        self.0.iter().filter(|event| matches!(event, Event::Returned(_))).count()
    }

    /// # Panics
    /// If the two differ in more than when they exhaust a limit: from there on they may do as they like.
    pub(crate) fn assert_agrees(&self, other: &Observation, what: impl fmt::Display) {
        let exhausted = |event: &Event| matches!(event, Event::Stopped(Stop::Exhausted(_)));
        let comparable = |event: &&Event| !matches!(event, Event::Fuel(_) | Event::Frames(_));
        let mut before = &Event::Instantiate;
        for (a, b) in self.0.iter().filter(comparable).zip(other.0.iter().filter(comparable)) {
            match (a, b) {
                (Event::Stopped(Stop::Other(_)), Event::Stopped(Stop::Other(_))) => {}
                (Event::Stopped(a), Event::Stopped(b))
                    if a.is_bad_address() && b.is_bad_address() => {}
                _ if exhausted(a) || exhausted(b) => return,
                _ => assert_eq!(a, b, "{what} disagree after {before:?}"),
            }
            before = a;
        }
    }

    /// # Panics
    /// If the two differ, before one of them has filled its stack: what it takes differs from tier to tier.
    pub(crate) fn assert_same_below_overflow(&self, other: &Observation, what: impl fmt::Display) {
        let overflow = |event: &Event| matches!(event, Event::Stopped(Stop::Exhausted(limit)) if limit == "StackOverflow");
        let ends = [self, other].map(|log| log.0.iter().position(overflow));
        let before = |log: &Observation| match ends.into_iter().flatten().min() {
            Some(end) => Observation(log.0[..end.min(log.0.len())].to_vec()),
            None => log.clone(),
        };
        before(self).assert_same(&before(other), what);
    }

    /// The same without offsets of the binary, which artifacts may not know.
    pub(crate) fn without_offsets(mut self) -> Observation {
        for event in &mut self.0 {
            if let Event::Frames(frames) = event {
                frames.iter_mut().for_each(|(_, offset)| *offset = None);
            }
        }
        self
    }

    /// # Panics
    /// If the two differ in anything at all.
    pub(crate) fn assert_same(&self, other: &Observation, what: impl fmt::Display) {
        let mut before = &Event::Instantiate;
        for (a, b) in self.0.iter().zip(&other.0) {
            assert_eq!(a, b, "{what} disagree after {before:?}");
            before = a;
        }
        assert_eq!(self.0.len(), other.0.len(), "{what} disagree");
    }
}

/// How many exported functions are called, and how often each if it has parameters; the others a quarter as often.
const FUNCS: usize = 16;
const CALLS: usize = 12;

/// The exported global with the calls and iterations that are left to a module, and how many each call has.
pub(crate) const FUEL: &str = "\u{1}fuel";
pub(crate) const ITERATIONS: u32 = 500;

/// The embedder: what the host functions return, and what they were called with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    trace: u64,
    depth: u32,
}

impl Host {
    /// Notes a call of the function that was imported with this seed; gives what its results are made from.
    pub(crate) fn called(&mut self, seed: u64, params: &[Value]) -> Rng {
        let mut hasher = DefaultHasher::new();
        (self.trace, seed, params).hash(&mut hasher);
        self.trace = hasher.finish();
        Rng::new(self.trace)
    }

    /// Whether a host function should call the guest back. If so, [`Host::leave`] has to be called afterwards.
    pub(crate) fn enter(&mut self) -> bool {
        let again = self.trace.is_multiple_of(2) && self.depth < 3;
        self.depth += u32::from(again);
        again
    }

    /// Whether a host function should throw, now that it has done all else.
    pub(crate) fn throws(&self) -> bool {
        self.trace.rotate_left(7).is_multiple_of(4)
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// A hash of some bytes, fast for many.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = words.by_ref().fold(bytes.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(word.try_into().expect("8 bytes")))
    });
    words.remainder().iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}
