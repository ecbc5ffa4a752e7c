//! The sections of a binary module: where they lie and how large they are.

/// A section.
#[derive(Debug, PartialEq)]
pub(crate) struct Section {
    /// What it is: `type`, `code`, …; a custom section's own name.
    pub(crate) name: String,
    pub(crate) custom: bool,
    /// Where its contents begin, in bytes from the start of the module.
    pub(crate) offset: usize,
    /// How long its contents are, in bytes.
    pub(crate) size: usize,
    /// How many items it says it has; custom sections have none.
    pub(crate) items: Option<u32>,
}

const NAMES: [&str; 14] = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];

/// The sections of the module `bytes`, as far as they can be made out.
pub(crate) fn sections(bytes: &[u8]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut at = 8; // after magic number and version
    while let Some(&id) = bytes.get(at)
        && let Some((size, header)) = leb(&bytes[at + 1..])
        && let Some(contents) =
            bytes.get(at + 1 + header..).and_then(|rest| rest.get(..size as usize))
    {
        let offset = at + 1 + header;
        let number = leb(contents);
        let custom = id == 0;
        let name = match number {
            Some((length, start)) if custom => {
                let name = contents[start..].get(..length as usize).unwrap_or(&contents[start..]);
                String::from_utf8_lossy(name).into_owned()
            }
            _ => NAMES
                .get(usize::from(id))
                .map_or_else(|| format!("unknown ({id})"), ToString::to_string),
        };
        // The start section's number is a function, not a count.
        let counted = !matches!(name.as_str(), "start") && !custom;
        let items = number.filter(|_| counted).map(|(count, _)| count);
        sections.push(Section { name, custom, offset, size: contents.len(), items });
        at = offset + contents.len();
    }
    sections
}

/// An unsigned LEB128 number of 32 bits, and how many bytes it takes.
fn leb(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_and_rubbish_ends_the_list() {
        let module = b"\0asm\x01\0\0\0\x01\x84\0\x01\x60\0\0\x00\x06\x04nameX\x08\x01\x07\x0a\xff\xff\xff\xff\x0f";
        let section = |name: &str, custom, offset, size, items| Section {
            name: name.to_owned(),
            custom,
            offset,
            size,
            items,
        };
        assert_eq!(
            sections(module),
            [
                section("type", false, 11, 4, Some(1)),
                section("name", true, 17, 6, None),
                section("start", false, 25, 1, None),
            ]
        );
        for end in 0..module.len() {
            sections(&module[..end]);
        }
    }
}
