//! The name section (spec, 7.4.1). Nothing depends on it being well formed: names before the damage are found.

use crate::index::{FuncIdx, TagIdx};
use wasmparser::{BinaryReader, Name, NameMap, NameSectionReader};

/// The name of the module, from the contents of a name section.
pub(crate) fn module_name(section: &[u8]) -> Option<&str> {
    subsections(section).find_map(|name| match name {
        Name::Module { name, .. } => Some(name),
        _ => None,
    })
}

/// The name of a function, from the contents of a name section.
pub(crate) fn func_name(section: &[u8], func: FuncIdx) -> Option<&str> {
    Some(func_names(section).find(|(index, _)| *index == func.0)?.1)
}

/// The name of a tag, from the contents of a name section.
pub(crate) fn tag_name(section: &[u8], tag: TagIdx) -> Option<&str> {
    Some(tag_names(section).find(|(index, _)| *index == tag.0)?.1)
}

/// The names of functions, with their indices.
pub(crate) fn func_names(section: &[u8]) -> impl Iterator<Item = (u32, &str)> {
    let names = subsections(section).find_map(|name| match name {
        Name::Function(names) => Some(names),
        _ => None,
    });
    names.into_iter().flat_map(entries)
}

/// The names of tags, with their indices.
pub(crate) fn tag_names(section: &[u8]) -> impl Iterator<Item = (u32, &str)> {
    let names = subsections(section).find_map(|name| match name {
        Name::Tag(names) => Some(names),
        _ => None,
    });
    names.into_iter().flat_map(entries)
}

fn entries(names: NameMap<'_>) -> impl Iterator<Item = (u32, &str)> {
    names.into_iter().map_while(Result::ok).map(|naming| (naming.index, naming.name))
}

fn subsections(section: &[u8]) -> impl Iterator<Item = Name<'_>> {
    NameSectionReader::new(BinaryReader::new(section, 0)).map_while(Result::ok)
}
