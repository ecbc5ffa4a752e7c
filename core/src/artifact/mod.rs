//! Artifacts: modules that have been compiled ahead of time to the interpreter's bytecode (`docs/artifact.md`).
//!
//! An artifact is used where it lies, in flash or in a mapped file: it has no pointers, and its code, tables, data and names are
//! not copied. It is the same bytes whatever host has made it, and runs on all of them. What it says about the module is small and
//! becomes a [`Module`] again when it is read, for which neither the decoder nor the validator is needed: [`read`] does their
//! checks on its own, and takes any bytes for what they are. Code and its tables are the interpreter's, which checks them.
//!
//! The container is an ELF file, so that the usual tools show and strip its sections.

mod elf;
mod names;
mod read;
#[cfg(feature = "compile")]
mod write;

pub(crate) use names::{func_name, module_name, tag_name};
pub use read::read;
#[cfg(feature = "compile")]
pub use write::write;

use crate::{error::Error, module::Module};
use alloc::{borrow::Cow, boxed::Box};
use core::ops::Range;

/// The version of the format that is written. It is independent of the version of the crate.
pub const VERSION: u32 = 1;

/// The oldest version that is read: the one before, once there is one.
const OLDEST: u32 = 1;

/// What the section `.kgl.header` begins with.
const MAGIC: [u8; 8] = *b"kinglet\0";

/// The sections: their names, and what their beginnings are aligned to.
mod section {
    #[cfg(feature = "compile")]
    pub(super) const HEADER: (&str, usize) = (".kgl.header", 8);
    pub(super) const MODULE: (&str, usize) = (".kgl.module", 8);
    pub(super) const CODE: (&str, usize) = (".kgl.code", crate::bytes::Bytes::ALIGN);
    pub(super) const TABLES: (&str, usize) = (".kgl.tables", 8);
    pub(super) const DATA: (&str, usize) = (".kgl.data", 8);
    pub(super) const NEEDS: (&str, usize) = (".kgl.needs", 8);
    pub(super) const NAMES: (&str, usize) = (".kgl.names", 8);
}

/// Numbers that stand for something in the section `.kgl.module`.
mod code {
    use crate::types::TypeKind;

    pub(super) const I32: u8 = 0x7f;
    pub(super) const I64: u8 = 0x7e;
    pub(super) const F32: u8 = 0x7d;
    pub(super) const F64: u8 = 0x7c;
    pub(super) const V128: u8 = 0x7b;
    pub(super) const FUNCREF: u8 = 0x70;
    pub(super) const EXTERNREF: u8 = 0x6f;
    /// Other references, those that may be null and those that are not. What they point to follows: an abstract type by its place in
    /// [`HeapType::ABSTRACT`](crate::types::HeapType::ABSTRACT), or behind these a defined type.
    pub(super) const REF_NULLABLE: u8 = 0x63;
    pub(super) const REF: u8 = 0x64;

    /// Defined types: flags, above which is the number of what they describe.
    pub(super) const FINAL: u8 = 1;
    pub(super) const HAS_SUPERTYPE: u8 = 2;
    pub(super) const ENDS_GROUP: u8 = 4;
    pub(super) const KIND_SHIFT: u32 = 3;
    pub(super) const KINDS: [TypeKind; 3] = [TypeKind::Func, TypeKind::Struct, TypeKind::Array];

    /// Fields and elements: how they are kept if they are no values, and whether they can be assigned.
    pub(super) const I8: u8 = 0x78;
    pub(super) const I16: u8 = 0x77;

    /// Memories and tables: flags.
    pub(super) const HAS_MAXIMUM: u8 = 1;
    pub(super) const IS_64: u8 = 2;
    pub(super) const SHARED: u8 = 4;
    pub(super) const PAGES_OF_A_BYTE: u8 = 8;

    /// What is imported or exported.
    pub(super) const FUNC: u8 = 0;
    pub(super) const TABLE: u8 = 1;
    pub(super) const MEMORY: u8 = 2;
    pub(super) const GLOBAL: u8 = 3;
    pub(super) const TAG: u8 = 4;

    /// Segments: how they are used, and a flag for elements that are constant expressions.
    pub(super) const ACTIVE: u8 = 0;
    pub(super) const PASSIVE: u8 = 1;
    pub(super) const DECLARED: u8 = 2;
    pub(super) const EXPRS: u8 = 4;

    /// Operators of constant expressions.
    pub(super) const CONST: u8 = 0;
    pub(super) const VECTOR: u8 = 1;
    pub(super) const GLOBAL_GET: u8 = 2;
    pub(super) const REF_NULL: u8 = 3;
    pub(super) const REF_FUNC: u8 = 4;
    pub(super) const I32_ADD: u8 = 5;
    pub(super) const I32_SUB: u8 = 6;
    pub(super) const I32_MUL: u8 = 7;
    pub(super) const I64_ADD: u8 = 8;
    pub(super) const I64_SUB: u8 = 9;
    pub(super) const I64_MUL: u8 = 10;
    pub(super) const REF_I31: u8 = 11;
    pub(super) const STRUCT_NEW: u8 = 12;
    pub(super) const STRUCT_NEW_DEFAULT: u8 = 13;
    pub(super) const ARRAY_NEW: u8 = 14;
    pub(super) const ARRAY_NEW_DEFAULT: u8 = 15;
    pub(super) const ARRAY_NEW_FIXED: u8 = 16;
}

/// What the interpreter adds to a module in an artifact.
#[derive(Clone, Debug, Default)]
pub struct Image<'a> {
    /// Which ops the bytecode is made of: [`OpSet`](crate::op::OpSet) as a number.
    pub op_set: u8,
    /// Whether the code counts what it executes.
    pub metered: bool,
    /// Bytecode.
    pub code: Cow<'a, [u8]>,
    /// What the interpreter wants to know about the bytecode.
    pub tables: Cow<'a, [u8]>,
    /// What running the code takes.
    pub needs: Needs,
}

/// What running a module takes, beyond what its types say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// For each export that is a function, in order: how many slots of the value stack a call takes at most. `None` if that is
    /// not known: the function calls itself, or what cannot be told before it runs.
    pub stack: Box<[Option<u32>]>,
}

/// What [`read`] has found in an artifact.
#[derive(Debug)]
pub struct Loaded {
    /// The module. Its [`wasm`](Module::wasm) are the bytes of the artifact, and it has no bodies.
    pub module: Module,
    /// See [`Image::op_set`].
    pub op_set: u8,
    /// See [`Image::metered`].
    pub metered: bool,
    /// Where the bytecode is, from the start of the artifact. It begins at an address that is a multiple of 16.
    pub code: Range<usize>,
    /// Where the interpreter's tables are, from the start of the artifact. They begin at an address that is a multiple of 8.
    pub tables: Range<usize>,
    /// What running the code takes.
    pub needs: Needs,
}

/// What the header of an artifact says. It stands right behind the header of the ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the format.
    pub version: u32,
    /// See [`Image::op_set`].
    pub op_set: u8,
    /// See [`Image::metered`].
    pub metered: bool,
    /// The proposals that the module needs, as [`Features::bits`](crate::module::features::Features::bits).
    pub features: u64,
    /// The SHA-256 of the binary that the module was compiled from.
    pub wasm_sha256: [u8; 32],
}

impl Header {
    const SIZE: usize = 56;

    /// Reads the header of an artifact.
    ///
    /// # Errors
    /// These bytes are no artifact, or its version is not one that this program reads.
    pub fn read(bytes: &[u8]) -> Result<Header, Error> {
        const START: usize = elf::HEADER;
        if !detect(bytes) {
            return Err(invalid("it is none", 0));
        }
        let Some(header) = bytes.get(START..START + Header::SIZE) else {
            return Err(invalid("unexpected end", bytes.len()));
        };
        let (op_set, metered) = (header[12], header[13]);
        let version = le(header, 8, 4) as u32;
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(invalid(
                "its format has a version that this program does not read",
                START + 8,
            ));
        }
        if metered > 1 || header[14] != 0 || header[15] != 0 {
            return Err(invalid("unknown flags", START + 12));
        }
        let mut wasm_sha256 = [0; 32];
        wasm_sha256.copy_from_slice(&header[24..]);
        Ok(Header {
            version,
            op_set,
            metered: metered == 1,
            features: le(header, 16, 8),
            wasm_sha256,
        })
    }

    #[cfg(feature = "compile")]
    fn to_bytes(self) -> [u8; Header::SIZE] {
        let mut bytes = [0; Header::SIZE];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..14].copy_from_slice(&[self.op_set, self.metered.into()]);
        bytes[16..24].copy_from_slice(&self.features.to_le_bytes());
        bytes[24..].copy_from_slice(&self.wasm_sha256);
        bytes
    }
}

/// Whether these bytes begin as an artifact does.
pub fn detect(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::IDENT)
        && bytes.get(elf::HEADER..).is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// The sections of an artifact: their names, and where they are.
pub fn sections(bytes: &[u8]) -> impl Iterator<Item = (&str, Range<usize>)> {
    let elf = detect(bytes).then(|| elf::Elf::open(bytes).ok()).flatten();
    elf.into_iter().flat_map(elf::Elf::all)
}

/// The little-endian number of `width` bytes at `at`, which are there.
fn le(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes
        .get(at..at + width)
        .unwrap_or_default()
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// What is wrong with an artifact. All messages but one come from here, so that a small program gets only one copy.
#[cold]
#[inline(never)]
fn invalid(what: &str, offset: usize) -> Error {
    Error::invalid(alloc::format!("invalid artifact: {what}"), offset)
}
