//! The section `.kgl.names`: what functions, tags and the module are called, for backtraces and messages. It is read where it lies.
//!
//! Numbers have 4 bytes: how many functions have a name, how many tags have one, and the length of the module's name or
//! [`NO_NAME`]. Then an entry for each name, of functions and then of tags, each ordered by index: the index, where
//! the name begins in the section, and its length. Then the names, that of the module first, one behind the other.

use super::{invalid, le};
use crate::{
    error::Error,
    index::{FuncIdx, TagIdx},
    module::{Module, Names},
};
use core::{ops::Range, str};
#[cfg(feature = "compile")]
use {
    crate::binary,
    alloc::{collections::BTreeMap, vec::Vec},
};

const COUNTS: usize = 12;
const ENTRY: usize = 12;
const NO_NAME: u32 = u32::MAX;

/// The name of a function.
pub(crate) fn func_name(section: &[u8], func: FuncIdx) -> Option<&str> {
    find(section, 0, number(section, 0) as usize, func.0)
}

/// The name of a tag.
pub(crate) fn tag_name(section: &[u8], tag: TagIdx) -> Option<&str> {
    find(section, number(section, 0) as usize, number(section, 4) as usize, tag.0)
}

/// The name of the module.
pub(crate) fn module_name(section: &[u8]) -> Option<&str> {
    let start = COUNTS + ENTRY * (number(section, 0) as usize + number(section, 4) as usize);
    str::from_utf8(section[start..].get(..number(section, 8) as usize)?).ok()
}

fn number(section: &[u8], at: usize) -> u32 {
    le(section, at, 4) as u32
}

/// The name with this index among `count` ones of which `first` are in front.
fn find(section: &[u8], first: usize, count: usize, index: u32) -> Option<&str> {
    let (mut low, mut high) = (first, first + count);
    while low < high {
        let middle = low.midpoint(high);
        let entry = COUNTS + ENTRY * middle;
        let found = number(section, entry);
        if found == index {
            let start = number(section, entry + 4) as usize;
            return str::from_utf8(&section[start..][..number(section, entry + 8) as usize]).ok();
        }
        if found < index {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    None
}

/// Checks a section, whose place is given, so that whatever is looked up in it is there.
pub(super) fn check(bytes: &[u8], range: Range<usize>, module: &Module) -> Result<Names, Error> {
    let section = &bytes[range.clone()];
    let error = |what, at: usize| Err(invalid(what, range.start + at));
    if section.len() < COUNTS {
        return error("unexpected end", section.len());
    }
    let (funcs, tags) = (number(section, 0) as usize, number(section, 4) as usize);
    if funcs > module.funcs.len() || tags > module.tags.len() {
        return error("there are more names than functions or tags", 0);
    }
    // Both are counts of something that is in memory, so that nothing here overflows.
    let mut end = COUNTS + ENTRY * (funcs + tags);
    if end > section.len() {
        return error("unexpected end", section.len());
    }
    let mut text = |len: u32| {
        let text = section[end..].get(..len as usize)?;
        end += text.len();
        str::from_utf8(text).is_ok().then_some(end)
    };
    let name = number(section, 8);
    if name != NO_NAME && text(name).is_none() {
        return error("a wrong name", 8);
    }
    let mut least = 0;
    for i in 0..funcs + tags {
        let entry = COUNTS + ENTRY * i;
        let (index, len) = (number(section, entry), number(section, entry + 8));
        let (space, first) =
            if i < funcs { (module.funcs.len(), 0) } else { (module.tags.len(), funcs) };
        if i == first {
            least = 0;
        }
        if index as usize >= space || index < least {
            return error("an index out of bounds or order", entry);
        }
        least = index + 1;
        let start = number(section, entry + 4);
        if text(len).is_none_or(|end| end - len as usize != start as usize) {
            return error("a wrong name", entry);
        }
    }
    Ok(Names::Table(range))
}

/// The names of a module as a section, `None` if it has none.
#[cfg(feature = "compile")]
pub(super) fn write(module: &Module) -> Option<Vec<u8>> {
    let Names::Section(names) = &module.names else { return None };
    let names = &module.wasm[names.clone()];
    let name = module.name();
    // The section is not validated: names may stand there twice, or for what does not exist.
    let (mut funcs, mut tags) = (BTreeMap::new(), BTreeMap::new());
    for (index, name) in
        binary::func_names(names).filter(|(i, _)| (*i as usize) < module.funcs.len())
    {
        funcs.entry(index).or_insert(name);
    }
    for (index, name) in binary::tag_names(names).filter(|(i, _)| (*i as usize) < module.tags.len())
    {
        tags.entry(index).or_insert(name);
    }
    if name.is_none() && funcs.is_empty() && tags.is_empty() {
        return None;
    }
    let mut section = Vec::new();
    let mut put = |number: u32| section.extend(number.to_le_bytes());
    put(funcs.len() as u32);
    put(tags.len() as u32);
    put(name.map_or(NO_NAME, |name| name.len() as u32));
    let entries = || funcs.iter().chain(&tags);
    let mut start = COUNTS + ENTRY * entries().count() + name.map_or(0, str::len);
    for (index, name) in entries() {
        put(*index);
        put(start as u32);
        put(name.len() as u32);
        start += name.len();
    }
    section.extend(name.unwrap_or_default().bytes());
    for (_, name) in entries() {
        section.extend(name.bytes());
    }
    Some(section)
}
