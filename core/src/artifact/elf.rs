//! The container: an ELF file of 64 bits and little-endian byte order, for no machine, with nothing but sections.

use super::{invalid, le};
use crate::error::Error;
use core::{ops::Range, str};
#[cfg(feature = "compile")]
use {
    super::section,
    alloc::{vec, vec::Vec},
};

/// Bytes of the file's header, behind which is the section `.kgl.header`.
pub(super) const HEADER: usize = 64;

/// What the file begins with: the magic number, 64 bits, little-endian, version 1.
pub(super) const IDENT: [u8; 7] = *b"\x7fELF\x02\x01\x01";

/// Bytes of an entry of the table of sections.
const ENTRY: usize = 64;

/// Bytes in which the name of a section ends that is listed.
const MAX_NAME: usize = 256;

/// The sections of a file.
pub(super) struct Elf<'a> {
    bytes: &'a [u8],
    /// The table of sections.
    table: Range<usize>,
    /// Their names.
    names: Range<usize>,
}

impl<'a> Elf<'a> {
    /// Finds the sections of a file that begins as an artifact does.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Elf<'a>, Error> {
        let (size, count, names) = (le(bytes, 58, 2), le(bytes, 60, 2), le(bytes, 62, 2));
        let table = range(bytes, le(bytes, 40, 8), count * ENTRY as u64);
        let Some(table) = table.filter(|_| size == ENTRY as u64 && names < count) else {
            return Err(invalid("its table of sections is out of bounds", 40));
        };
        let entry = table.start + names as usize * ENTRY;
        let names = contents(bytes, entry)?;
        Ok(Elf { bytes, table, names })
    }

    /// Where the contents of a section are. It is `None` if there is no such section.
    pub(super) fn find(&self, (name, align): (&str, usize)) -> Result<Option<Range<usize>>, Error> {
        for entry in self.table.clone().step_by(ENTRY) {
            let names = &self.bytes[self.names.clone()];
            let found = names.get(le(self.bytes, entry, 4) as usize..).unwrap_or_default();
            if found.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0)) {
                let range = contents(self.bytes, entry)?;
                if !range.start.is_multiple_of(align) {
                    return Err(invalid("a section is not aligned", entry));
                }
                return Ok(Some(range));
            }
        }
        Ok(None)
    }

    /// All sections that have a name of at most 255 bytes.
    pub(super) fn all(self) -> impl Iterator<Item = (&'a str, Range<usize>)> {
        let names = &self.bytes[self.names.clone()];
        self.table.step_by(ENTRY).filter_map(move |entry| {
            let name = names.get(le(self.bytes, entry, 4) as usize..)?;
            // Many sections may have the same name: it must not be long.
            let name = name.iter().take(MAX_NAME).position(|b| *b == 0).map(|len| &name[..len])?;
            let name = str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
            Some((name, contents(self.bytes, entry).ok()?))
        })
    }

    /// The same as [`Elf::find`] for a section that has to be there.
    pub(super) fn section(&self, section: (&str, usize)) -> Result<Range<usize>, Error> {
        match self.find(section)? {
            Some(range) => Ok(range),
            None => {
                let what = alloc::format!("there is no section {}", section.0);
                Err(invalid(&what, self.table.start))
            }
        }
    }
}

/// Where the contents of a section are whose entry of the table is at `entry`.
fn contents(bytes: &[u8], entry: usize) -> Result<Range<usize>, Error> {
    match range(bytes, le(bytes, entry + 24, 8), le(bytes, entry + 32, 8)) {
        Some(range) => Ok(range),
        None => Err(invalid("a section is out of bounds", entry)),
    }
}

/// `len` bytes from `start`, if they are there.
fn range(bytes: &[u8], start: u64, len: u64) -> Option<Range<usize>> {
    let end = start.checked_add(len)?;
    (end <= bytes.len() as u64).then_some(start as usize..end as usize)
}

/// A file with these sections, of which [`section::HEADER`] is the first.
#[cfg(feature = "compile")]
pub(super) fn write(sections: &[((&str, usize), &[u8])]) -> Vec<u8> {
    const RELOCATABLE: u16 = 1;
    const CONTENTS: u32 = 1;
    const STRINGS: u32 = 3;
    debug_assert!(sections[0].0 == section::HEADER);

    let mut file = vec![0; HEADER];
    let mut names = vec![0];
    // The first entry stands for no section.
    let mut table = vec![0; ENTRY];
    let mut add = |file: &mut Vec<u8>, name: usize, ty: u32, align: usize, bytes: &[u8]| {
        file.resize(file.len().next_multiple_of(align), 0);
        let entry = table.len();
        table.extend((name as u32).to_le_bytes());
        table.extend(ty.to_le_bytes());
        // No flags, and no address.
        table.extend([0; 16]);
        table.extend((file.len() as u64).to_le_bytes());
        table.extend((bytes.len() as u64).to_le_bytes());
        table.extend([0; 8]);
        table.extend((align as u64).to_le_bytes());
        table.resize(entry + ENTRY, 0);
        file.extend(bytes);
    };
    for ((name, align), bytes) in sections {
        add(&mut file, names.len(), CONTENTS, *align, bytes);
        names.extend(name.bytes().chain([0]));
    }
    let name = names.len();
    names.extend(b".shstrtab\0");
    add(&mut file, name, STRINGS, 1, &names);

    file.resize(file.len().next_multiple_of(8), 0);
    let (start, count) = (file.len() as u64, sections.len() as u16 + 2);
    file.extend(table);
    file[..IDENT.len()].copy_from_slice(&IDENT);
    file[16..18].copy_from_slice(&RELOCATABLE.to_le_bytes());
    file[20..24].copy_from_slice(&1u32.to_le_bytes());
    file[40..48].copy_from_slice(&start.to_le_bytes());
    let counts = [HEADER as u16, 0, 0, ENTRY as u16, count, count - 1];
    for (i, count) in counts.iter().enumerate() {
        file[52 + 2 * i..54 + 2 * i].copy_from_slice(&count.to_le_bytes());
    }
    file
}
