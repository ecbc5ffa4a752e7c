//! The name section (spec, 7.4.1). Nothing depends on it being well formed: names before the damage are found.

use crate::index::FuncIdx;
use wasmparser::{BinaryReader, Name, NameSectionReader};

/// The name of the module, from the contents of a name section.
pub(crate) fn module_name(section: &[u8]) -> Option<&str> {
    subsections(section).find_map(|name| match name {
        Name::Module { name, .. } => Some(name),
        _ => None,
    })
}

/// The name of a function, from the contents of a name section.
pub(crate) fn func_name(section: &[u8], func: FuncIdx) -> Option<&str> {
    let names = subsections(section).find_map(|name| match name {
        Name::Function(names) => Some(names),
        _ => None,
    })?;
    let named = names.map_while(Result::ok).find(|naming| naming.index == func.0)?;
    Some(named.name)
}

fn subsections(section: &[u8]) -> impl Iterator<Item = Name<'_>> {
    NameSectionReader::new(BinaryReader::new(section, 0)).map_while(Result::ok)
}
