//! How a guest is at some moment.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Display, Write as _};
use std::hash::{Hash, Hasher};

use kinglet::{AsContext, AsContextMut, Error, Extern, Global, Memory, Val, inspect};

use crate::values;

/// How finely differences between memories are found, in bytes.
const BLOCK: usize = 256;

/// How much is compared at once, in bytes: some blocks.
const PAGE: usize = 256 * BLOCK;

/// Fuel, globals and memories.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    /// Fuel used so far.
    fuel: u64,
    globals: Vec<String>,
    /// The sizes of all memories, in bytes.
    sizes: Vec<usize>,
    /// The blocks that are not as in the state before: index of the memory and offset, hash of the contents.
    changed: BTreeMap<(usize, usize), u64>,
}

/// Follows the state of a store.
pub(super) struct Observer {
    /// Fuel at the beginning.
    fuel: u64,
    /// The memories as they were last seen.
    memories: Vec<Vec<u8>>,
}

impl Observer {
    /// For a store that runs with so much fuel.
    pub(super) fn new(fuel: u64) -> Observer {
        Observer { fuel, memories: Vec::new() }
    }

    /// The state now, as a difference to when this was last asked.
    pub(super) fn state(&mut self, store: &mut impl AsContextMut) -> Result<State, Error> {
        let changed = self.changes(&*store)?;
        Ok(State {
            fuel: self.fuel - store.as_context().get_fuel()?,
            globals: globals(&*store)
                .into_iter()
                .map(|global| text(&global.get(&mut *store)))
                .collect(),
            sizes: self.memories.iter().map(Vec::len).collect(),
            changed: changed
                .into_iter()
                .map(|(memory, at)| ((memory, at), hash(self.block(memory, at))))
                .collect(),
        })
    }

    /// The blocks that have changed since this was last asked.
    pub(super) fn changes(&mut self, store: &impl AsContext) -> Result<Vec<(usize, usize)>, Error> {
        let mut changed = Vec::new();
        for (i, memory) in memories(store)?.into_iter().enumerate() {
            let context = store.as_context();
            let now = memory.data(&context);
            if self.memories.len() == i {
                self.memories.push(Vec::new());
            }
            let seen = &mut self.memories[i];
            seen.resize(now.len(), 0);
            let places = (0..).step_by(PAGE);
            for (page, (seen, now)) in places.zip(seen.chunks_mut(PAGE).zip(now.chunks(PAGE))) {
                // Almost all are as they were, and long comparisons are fast.
                if seen == now {
                    continue;
                }
                let places = (page..).step_by(BLOCK);
                for (at, (seen, now)) in places.zip(seen.chunks_mut(BLOCK).zip(now.chunks(BLOCK))) {
                    if seen != now {
                        seen.copy_from_slice(now);
                        changed.push((i, at));
                    }
                }
            }
        }
        Ok(changed)
    }

    /// A block, as it was last seen.
    pub(super) fn block(&self, memory: usize, at: usize) -> &[u8] {
        let rest = &self.memories[memory][at..];
        &rest[..rest.len().min(BLOCK)]
    }

    /// Changes a memory, which is nothing to be noticed.
    pub(super) fn write(
        &mut self,
        store: &mut impl AsContextMut,
        index: usize,
        at: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.memories[index][at..][..bytes.len()].copy_from_slice(bytes);
        memories(&*store)?[index].write(store, at, bytes)?;
        Ok(())
    }
}

/// All memories of a store.
fn memories(store: &impl AsContext) -> Result<Vec<Memory>, Error> {
    let mut memories = Vec::new();
    for object in inspect::objects(store) {
        match object {
            Extern::Memory(memory) => memories.push(memory),
            Extern::SharedMemory(_) => {
                return Err(Unsupported("it has a shared memory").into());
            }
            _ => {}
        }
    }
    Ok(memories)
}

fn globals(store: &impl AsContext) -> Vec<Global> {
    inspect::objects(store).into_iter().filter_map(Extern::into_global).collect()
}

/// Why a program cannot be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsupported(pub(super) &'static str);

impl Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tiers cannot be compared on this program: {}", self.0)
    }
}

impl std::error::Error for Unsupported {}

impl From<Unsupported> for Error {
    fn from(reason: Unsupported) -> Error {
        Error::new(reason)
    }
}

/// Says line by line what differs between two tiers.
#[derive(Default)]
pub(super) struct Differences(pub(super) String);

impl Differences {
    /// Something of the first tier, and of the second.
    pub(super) fn compare<T: PartialEq>(
        &mut self,
        what: impl Display,
        (a, b): (&T, &T),
        show: impl Fn(&T) -> String,
    ) {
        if a != b {
            let (a, b) = (show(a), show(b));
            self.line(format_args!("{what}: {a} in the interpreter, {b} in compiled code"));
        }
    }

    pub(super) fn states(&mut self, a: &State, b: &State) {
        self.compare("fuel used", (&a.fuel, &b.fuel), u64::to_string);
        for (i, (a, b)) in a.globals.iter().zip(&b.globals).enumerate() {
            self.compare(format_args!("global {i}"), (a, b), String::clone);
        }
        self.compare("bytes of memory", (&a.sizes, &b.sizes), |sizes| format!("{sizes:?}"));
        let mut blocks: Vec<_> = a.changed.keys().chain(b.changed.keys()).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks.retain(|block| a.changed.get(block) != b.changed.get(block));
        if let [(memory, at), others @ ..] = &blocks[..] {
            let end = at + BLOCK;
            self.line(format_args!(
                "memory {memory} differs in the bytes {at:#x}..{end:#x}, and in {} more blocks",
                others.len()
            ));
        }
    }

    pub(super) fn line(&mut self, line: impl Display) {
        write!(self.0, "\n  {line}").expect("a string takes everything");
    }
}

/// Values such that equal texts are equal bits.
pub(super) fn texts(values: &[Val]) -> Vec<String> {
    values.iter().map(text).collect()
}

fn text(value: &Val) -> String {
    match value {
        Val::F32(bits) => format!("{} ({bits:#x})", f32::from_bits(*bits)),
        Val::F64(bits) => format!("{} ({bits:#x})", f64::from_bits(*bits)),
        other => values::show(other),
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
