//! The code of a module as it stands in an artifact, where it is run in place: the same region of bytes that translation makes, and
//! side tables. All numbers are little-endian.
//!
//! ```text
//! tables    0   slots of the largest frame, 4 bytes
//!           4   number of functions, 4 bytes
//!           8   for each function 12 bytes: bytes of its code, where more about it stands in the tables or 0 (4 bytes each),
//!               the slot of its saved pin or 0xffff, and that of its frame's header (2 bytes each)
//!           …   more about functions, one behind the other: numbers of segments, tries and clauses, and of bytes of states; then
//!               these; 4 bytes for each number, 0xffff_ffff for none
//! ```

mod check;
#[cfg(feature = "gc")]
mod flow;
#[cfg(all(feature = "gc", feature = "compile"))]
mod infer;
#[cfg(feature = "compile")]
mod make;
#[cfg(feature = "gc")]
mod operands;
#[cfg(feature = "gc")]
mod roots;
#[cfg(feature = "gc")]
mod states;
#[cfg(test)]
mod tests;
#[cfg(feature = "gc")]
mod types;

#[cfg(feature = "compile")]
pub use make::{Image, make};
#[cfg(feature = "gc")]
pub(crate) use roots::{References, StackMap};

use crate::handlers::{Clause, Handlers};
use alloc::{format, vec::Vec};
use kinglet_core::{
    error::Error,
    index::{FuncIdx, TagIdx},
    module::Module,
};

/// What is known about code that has been checked.
pub(crate) struct Checked {
    /// What catches exceptions in the functions that catch any.
    pub(crate) handlers: Vec<(FuncIdx, Handlers)>,
    #[cfg(feature = "gc")]
    pub(crate) references: References,
}

/// Checks the code of a module, so that running it is safe.
///
/// # Errors
/// Something is wrong with it; the error says where.
pub(crate) fn check(
    module: &Module,
    code: Code<'_>,
    tables: &Tables<'_>,
    metered: bool,
) -> Result<Checked, Error> {
    let found = check::check(module, code, tables, metered, &mut |_, _| {})?;
    Ok(Checked {
        #[cfg(feature = "gc")]
        references: flow::check(module, code, tables, &found)?,
        handlers: found.handlers,
    })
}

/// The bytecode.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where it stands in the artifact.
    pub(crate) origin: usize,
}

/// The side tables.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    bytes: &'a [u8],
    /// Where they stand in the artifact.
    origin: usize,
}

/// What is known about the code of a function.
pub(crate) struct Function {
    /// Bytes of code.
    pub(crate) len: u32,
    /// Where more about it stands, 0 if there is no more.
    more: u32,
    /// The slot that keeps the caller's pinned `f64` local, if this function has one.
    pub(crate) saved_pin: Option<u16>,
    /// The slot of the frame's header.
    pub(crate) header: u16,
}

const HEADER: usize = 8;
const FUNCTION: usize = 12;
/// In place of a number that there is not.
const NONE: u32 = u32::MAX;

impl<'a> Tables<'a> {
    /// The tables in these bytes.
    ///
    /// # Errors
    /// They are cut off.
    pub(crate) fn new(bytes: &'a [u8], origin: usize) -> Result<Tables<'a>, Error> {
        let tables = Tables { bytes, origin };
        let count = tables.word(4).unwrap_or(NONE) as usize;
        match count.checked_mul(FUNCTION).and_then(|len| len.checked_add(HEADER)) {
            Some(len) if len <= bytes.len() && tables.frame_size() <= u32::from(u16::MAX) => {
                Ok(tables)
            }
            _ => Err(bad(origin, "its tables of functions are cut off")),
        }
    }

    /// Slots of the largest frame.
    pub(crate) fn frame_size(&self) -> u32 {
        self.word(0).unwrap_or(NONE)
    }

    /// How many functions there are.
    pub(crate) fn functions(&self) -> usize {
        self.word(4).unwrap_or_default() as usize
    }

    /// The function with this number, which there is.
    pub(crate) fn function(&self, number: usize) -> Function {
        let at = HEADER + FUNCTION * number;
        let word = |at| self.word(at).unwrap_or_default();
        let saved = word(at + 8) as u16;
        Function {
            len: word(at),
            more: word(at + 4),
            saved_pin: (saved != u16::MAX).then_some(saved),
            header: (word(at + 8) >> 16) as u16,
        }
    }

    /// Where the first handlers can stand.
    fn first_handlers(&self) -> usize {
        HEADER + FUNCTION * self.functions()
    }

    /// What catches exceptions in a function, and what its slots hold. It stands at `free` or behind, and moves that to its end: if functions
    /// shared it, it could take far more memory than the tables.
    ///
    /// # Errors
    /// It is cut off, or refers to what is not there, or lies over something else.
    fn more(
        &self,
        function: &Function,
        free: &mut usize,
    ) -> Result<Option<(Handlers, &'a [u8])>, Error> {
        // Without the feature, nothing is thrown, and there are no references.
        if function.more == 0 || cfg!(not(feature = "gc")) {
            return Ok(None);
        }
        let mut reader = Reader { tables: *self, at: function.more as usize };
        if reader.at < *free {
            return Err(bad(self.origin + reader.at, "handlers are those of another function"));
        }
        let [segments, tries, clauses] = [reader.u32()?, reader.u32()?, reader.u32()?];
        let states = reader.u32()? as usize;
        let mut handlers = Handlers {
            segments: reader.list(segments, 8, |r| Ok((r.u32()?, r.optional()?)))?,
            tries: reader.list(tries, 12, |r| {
                Ok(kinglet_core::runtime::handlers::Try {
                    outer: r.optional()?,
                    clauses: (r.u32()?, r.u32()?),
                })
            })?,
            clauses: Default::default(),
        };
        handlers.clauses = reader.list(clauses, 12, |r| {
            let (tag, target, slots) = (r.optional()?, r.u32()?, r.u32()?);
            let reference = (slots >> 16) as u16;
            Ok(Clause {
                tag: tag.map(TagIdx),
                target,
                slot: slots as u16,
                reference: (reference != u16::MAX).then_some(reference),
                wanted: true,
            })
        })?;
        let inside =
            |number: Option<u32>, before: usize| number.is_none_or(|n| (n as usize) < before);
        let sound = handlers.segments.is_sorted_by_key(|segment| segment.0)
            && handlers.segments.iter().all(|segment| inside(segment.1, handlers.tries.len()))
            // What is outside stands before, so that a search ends.
            && handlers.tries.iter().enumerate().all(|(i, table)| inside(table.outer, i))
            && handlers.tries.iter().all(|t| t.clauses.0 <= t.clauses.1 && t.clauses.1 <= clauses);
        let states = self.bytes[reader.at..].get(..states).ok_or_else(|| reader.cut_off())?;
        *free = reader.at + states.len();
        if sound {
            // A search does not come by more than one that catches nothing, however many there are.
            for number in 0..handlers.tries.len() {
                let outer =
                    handlers.tries[number].outer.map(|outer| handlers.tries[outer as usize]);
                if let Some(outer) = outer.filter(|outer| outer.clauses.0 == outer.clauses.1) {
                    handlers.tries[number].outer = outer.outer;
                }
            }
            Ok(Some((handlers, states)))
        } else {
            Err(bad(self.origin + reader.at, "its handlers refer to none"))
        }
    }

    fn word(&self, at: usize) -> Option<u32> {
        self.bytes
            .get(at..at.checked_add(4)?)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
    }
}

struct Reader<'a> {
    tables: Tables<'a>,
    at: usize,
}

impl Reader<'_> {
    fn cut_off(&self) -> Error {
        bad(self.tables.origin + self.at, "its handlers are cut off")
    }

    fn u32(&mut self) -> Result<u32, Error> {
        let word = self.tables.word(self.at).ok_or_else(|| self.cut_off())?;
        self.at += 4;
        Ok(word)
    }

    fn optional(&mut self) -> Result<Option<u32>, Error> {
        Ok(Some(self.u32()?).filter(|&word| word != NONE))
    }

    /// So many things of `size` bytes each.
    fn list<T>(
        &mut self,
        count: u32,
        size: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<alloc::boxed::Box<[T]>, Error> {
        if (self.tables.bytes.len() - self.at) / size < count as usize {
            return Err(self.cut_off());
        }
        (0..count).map(|_| read(self)).collect()
    }
}

/// What is wrong with an artifact, at this offset.
#[cold]
#[inline(never)]
fn bad(at: usize, what: &str) -> Error {
    Error::invalid(format!("invalid artifact: {what}"), at)
}

/// What artifacts cannot have yet, or this program does not have.
#[cold]
#[inline(never)]
fn unsupported(at: usize, what: &str) -> Error {
    Error::unsupported(format!("artifact: {what}"), at)
}

/// An op that an artifact cannot have, or that this build does not know.
#[cold]
#[inline(never)]
fn unknown(at: usize, opcode: u16) -> Error {
    // The names are many.
    #[cfg(feature = "std")]
    if let Some(name) = crate::forms::name(opcode) {
        return unsupported(
            at,
            &format!("either none can have the op `{name}`, or this program does not"),
        );
    }
    // Numbers are written in one way.
    let opcode = u32::from(opcode);
    let hint = if cfg!(feature = "float") { "" } else { ", which has no floats" };
    unsupported(
        at,
        &format!("either none can have the op {opcode}, or this program{hint} does not"),
    )
}

/// What the side tables say about a function.
#[cfg(feature = "compile")]
struct Entry {
    /// Bytes of code.
    len: u32,
    saved_pin: Option<u16>,
    /// The slot of the frame's header.
    header: u32,
    handlers: Option<alloc::boxed::Box<Handlers>>,
    /// What its slots hold, where jumps lead to.
    states: Vec<u8>,
}

/// The side tables of functions, in order.
#[cfg(feature = "compile")]
fn write_tables(frame_size: u32, entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut more) = (Vec::new(), Vec::new());
    let word = |to: &mut Vec<u8>, word: u32| to.extend_from_slice(&word.to_le_bytes());
    word(&mut bytes, frame_size);
    word(&mut bytes, entries.len() as u32);
    for Entry { len, saved_pin, header, handlers, states } in entries {
        let at = HEADER + FUNCTION * entries.len() + more.len();
        let has_more = handlers.is_some() || !states.is_empty();
        word(&mut bytes, *len);
        word(&mut bytes, if has_more { at as u32 } else { 0 });
        word(&mut bytes, u32::from(saved_pin.unwrap_or(u16::MAX)) | header << 16);
        if !has_more {
            continue;
        }
        let (segments, tries, clauses) = match handlers {
            Some(handlers) => (&*handlers.segments, &*handlers.tries, &*handlers.clauses),
            None => (&[][..], &[][..], &[][..]),
        };
        let to = &mut more;
        for count in [segments.len(), tries.len(), clauses.len(), states.len()] {
            word(to, count as u32);
        }
        for &(start, innermost) in segments {
            word(to, start);
            word(to, innermost.unwrap_or(NONE));
        }
        for table in tries {
            word(to, table.outer.unwrap_or(NONE));
            word(to, table.clauses.0);
            word(to, table.clauses.1);
        }
        for clause in clauses {
            // What nobody reads need not be written.
            let reference = clause.reference.filter(|_| clause.wanted).unwrap_or(u16::MAX);
            word(to, clause.tag.map_or(NONE, |tag| tag.0));
            word(to, clause.target);
            word(to, u32::from(clause.slot) | u32::from(reference) << 16);
        }
        to.extend_from_slice(states);
        to.resize(to.len().next_multiple_of(4), 0);
    }
    bytes.extend_from_slice(&more);
    bytes
}
