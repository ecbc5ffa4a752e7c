//! Reading an artifact: everything that validation has made sure of is made sure of again.
//!
//! Programs for small devices carry this, so it is plain loops over a cursor. Time and memory are linear in the size of the artifact:
//! nothing is allocated for more items than the bytes that are left could hold.

use super::{
    Header, Loaded, Needs, code,
    elf::{Elf, HEADER},
    invalid, le, names, section,
};
use crate::{
    Shared,
    bytes::Bytes,
    error::Error,
    index::*,
    module::{
        const_expr::{ConstExpr, ConstOp},
        features::{Features, Limits, Row},
        *,
    },
    runtime::registry::{TypeIds, TypeRegistry},
    types::*,
};
use alloc::vec::Vec;
use core::{ops::Range, str};

/// Parameters and results of a function: no validator lets more pass, and running code counts on it.
const MAX_VALUES: u32 = 1000;

/// Fields of a structure: as many as validators let pass.
const MAX_FIELDS: u32 = 10_000;

/// How many supertypes a type has at most.
const MAX_DEPTH: u8 = 63;

/// Reads an artifact. Its module needs no more than `features` allow.
///
/// # Errors
/// These bytes are not an artifact that this program can use, or they are not at an address that is a multiple of 16. The error says
/// what is wrong, and where. What the bytecode and the interpreter's tables are is not looked at.
pub fn read(bytes: Bytes, features: &Features) -> Result<Loaded, Error> {
    let header = Header::read(&bytes)?;
    check_features(header.features, features)?;
    if !bytes.as_ptr().addr().is_multiple_of(Bytes::ALIGN) {
        return Err(invalid("it has to be at an address that is a multiple of 16", 0));
    }
    let elf = Elf::open(&bytes)?;
    let (code, tables) = (elf.section(section::CODE)?, elf.section(section::TABLES)?);
    let data = elf.section(section::DATA)?;
    let mut rules =
        Rules { features: header.features, limits: &features.limits, flags: &[], types: 0 };
    let mut cursor = Cursor::new(&bytes, elf.section(section::MODULE)?);
    let mut module = module(&mut cursor, &mut rules, data)?;
    let needs = needs(&mut Cursor::new(&bytes, elf.section(section::NEEDS)?), &module)?;
    if let Some(range) = elf.find(section::NAMES)? {
        module.names = names::check(&bytes, range, &module)?;
    }
    module.wasm = bytes.clone();
    Ok(Loaded { module, op_set: header.op_set, metered: header.metered, code, tables, needs })
}

/// Fails unless this build has all that a module needs, and it is switched on.
fn check_features(needed: u64, features: &Features) -> Result<(), Error> {
    let built = Features::in_build().bits();
    let missing = needed & !(features.bits() & built);
    if missing == 0 {
        return Ok(());
    }
    let first = missing.trailing_zeros();
    let Some(name) = Features::NAMES.get(first as usize) else {
        return Err(invalid("it needs a proposal that this version does not know", HEADER + 16));
    };
    let why = if built >> first & 1 == 0 { "part of this build" } else { "enabled" };
    let message = alloc::format!("the {name} proposal is not {why}");
    Err(Error::unsupported(message, HEADER + 16))
}

/// What a module has to keep to.
struct Rules<'a> {
    /// What the header says that it needs.
    features: u64,
    limits: &'a Limits,
    /// The flags of its types.
    flags: &'a [u8],
    /// How many of the types can be named where the reader is.
    types: usize,
}

impl Rules<'_> {
    fn needs(&self, row: Row) -> bool {
        self.features >> row as u32 & 1 == 1
    }

    /// What a type describes, if it can be named.
    fn kind(&self, index: u32) -> Option<TypeKind> {
        let flags = self.flags[..self.types].get(index as usize)?;
        code::KINDS.get(usize::from(flags >> code::KIND_SHIFT)).copied()
    }
}

/// A place in a section.
struct Cursor<'a> {
    /// The artifact, up to the end of the section.
    bytes: &'a [u8],
    at: usize,
    /// Where what was read last begins, for errors.
    item: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], section: Range<usize>) -> Cursor<'a> {
        let bytes = bytes.get(..section.end).unwrap_or_default();
        Cursor { bytes, at: section.start, item: section.start }
    }

    #[cold]
    fn error(&self, what: &str) -> Error {
        invalid(what, self.item)
    }

    /// Fails unless something holds of what was read last.
    fn check(&self, holds: bool, what: &str) -> Result<(), Error> {
        if holds { Ok(()) } else { Err(self.error(what)) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        self.at += taken.map_or(0, <[u8]>::len);
        taken.ok_or_else(|| self.error("unexpected end"))
    }

    /// The next byte, of whatever is being read.
    fn next(&mut self) -> Result<u8, Error> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.error("unexpected end")) };
        self.at += 1;
        Ok(byte)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.item = self.at;
        self.next()
    }

    /// An unsigned LEB128 number.
    fn number(&mut self) -> Result<u64, Error> {
        let (mut value, mut shift) = (0, 0);
        self.item = self.at;
        loop {
            let byte = self.next()?;
            // The tenth byte has one bit.
            self.check(shift < 63 || byte < 2, "a number of more than 64 bits")?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// A number that is at most `max`.
    fn up_to(&mut self, max: u64, what: &str) -> Result<u64, Error> {
        let number = self.number()?;
        self.check(number <= max, what)?;
        Ok(number)
    }

    /// An index into a space of `count` items.
    fn index(&mut self, count: usize, what: &str) -> Result<u32, Error> {
        let index = self.number()?;
        self.check(index < count as u64, what)?;
        Ok(index as u32)
    }

    /// How many items follow that have at least `size` bytes each. With `before` others there are at most `limit`.
    fn count(
        &mut self,
        before: usize,
        limit: u32,
        size: usize,
        what: &str,
    ) -> Result<usize, Error> {
        let count = self.number()?;
        self.check(count.saturating_add(before as u64) <= limit.into(), what)?;
        let rest = (self.bytes.len() - self.at) / size;
        self.check(count <= rest as u64, "unexpected end")?;
        Ok(count as usize)
    }

    /// A byte that is 0 or 1.
    fn flag(&mut self) -> Result<bool, Error> {
        let byte = self.byte()?;
        self.check(byte < 2, "neither 0 nor 1")?;
        Ok(byte == 1)
    }

    fn name(&mut self) -> Result<&'a str, Error> {
        let len = self.count(0, u32::MAX, 1, "too long a name")?;
        self.item = self.at;
        str::from_utf8(self.take(len)?).map_err(|_| self.error("a name that is not UTF-8"))
    }

    fn end(&mut self) -> Result<(), Error> {
        self.item = self.at;
        self.check(self.at == self.bytes.len(), "unexpected bytes")
    }
}

/// The index spaces of a module, which imports begin.
#[derive(Default)]
struct Spaces {
    types: Vec<SubType>,
    subtypes: Subtypes,
    funcs: Vec<TypeIdx>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    tags: Vec<TypeIdx>,
}

/// Which types are subtypes of which, if there are any that can be values' types.
#[derive(Default)]
struct Subtypes(Option<TypeIds>);

impl Subtypes {
    fn is_subtype(&self, a: u32, b: u32) -> bool {
        let defs = self.0.as_ref().map_or(&[][..], TypeIds::defs);
        defs.get(a as usize).zip(defs.get(b as usize)).is_some_and(|(a, b)| a.is_subtype_of(b))
    }

    /// Whether a value of type `a` is one of type `b`.
    fn match_refs(&self, a: RefType, b: RefType) -> bool {
        if cfg!(not(feature = "gc")) {
            // There are but functions and values of the host, and null is one of both.
            return a.heap.top() == b.heap.top();
        }
        a.matches(b, |a, b| self.is_subtype(a, b))
    }
}

fn module<'a>(
    c: &mut Cursor<'a>,
    rules: &mut Rules<'a>,
    data: Range<usize>,
) -> Result<Module, Error> {
    let (mut module, mut spaces) = (Module::default(), Spaces::default());
    let (m, s) = (&mut module, &mut spaces);
    types(c, rules, m, s)?;
    let (rules, limits) = (&*rules, rules.limits);
    imports(c, rules, m, s)?;

    let count = c.count(s.funcs.len(), limits.max_functions, 1, "too many functions")?;
    s.funcs.reserve_exact(count);
    for _ in 0..count {
        s.funcs.push(type_index(c, &s.types)?);
    }

    let count = c.count(s.tables.len(), limits.max_tables, 4, "too many tables")?;
    s.tables.reserve_exact(count);
    let mut inits = Vec::with_capacity(count);
    for _ in 0..count {
        let ty = table_type(c, rules)?;
        s.tables.push(ty);
        let has_init = c.flag()?;
        c.check(has_init || ty.element.nullable, "a table of elements that cannot be null")?;
        inits.push(if has_init { Some(expr(c, ValType::Ref(ty.element), s)?) } else { None });
    }
    m.table_inits = inits.into();

    let count = c.count(s.memories.len(), limits.max_memories, 2, "too many memories")?;
    s.memories.reserve_exact(count);
    for _ in 0..count {
        s.memories.push(memory_type(c, rules)?);
    }

    let count = c.count(s.globals.len(), limits.max_globals, 4, "too many globals")?;
    s.globals.reserve_exact(count);
    let mut inits = Vec::with_capacity(count);
    for _ in 0..count {
        let ty = global_type(c, rules)?;
        // It may name the globals in front of it.
        inits.push(expr(c, ty.content, s)?);
        s.globals.push(ty);
    }
    m.global_inits = inits.into();

    let count = c.count(s.tags.len(), limits.max_tags, 1, "too many tags")?;
    s.tags.reserve_exact(count);
    for _ in 0..count {
        s.tags.push(tag(c, rules, &s.types)?);
    }

    exports(c, rules, m, s)?;
    if c.flag()? {
        let func = FuncIdx(c.index(s.funcs.len(), "an unknown function")?);
        let ty = s.types[s.funcs[func]].as_func();
        let plain = ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty());
        c.check(plain, "a start function with values")?;
        m.start = Some(func);
    }
    elems(c, rules, m, s)?;
    datas(c, rules, m, s, data)?;
    c.end()?;
    let Spaces { types, funcs, tables, memories, globals, tags, .. } = spaces;
    module.types = types.into();
    (module.funcs, module.tables, module.memories) = (funcs.into(), tables.into(), memories.into());
    (module.globals, module.tags) = (globals.into(), tags.into());
    Ok(module)
}

fn types<'a>(
    c: &mut Cursor<'a>,
    rules: &mut Rules<'a>,
    module: &mut Module,
    spaces: &mut Spaces,
) -> Result<(), Error> {
    let limits = rules.limits;
    let count = c.count(0, limits.max_types, 2, "too many types")?;
    let (start, mut groups) = (c.at, Vec::new());
    for i in 0..count {
        let flags = c.byte()?;
        let kind = usize::from(flags >> code::KIND_SHIFT);
        let objects = cfg!(feature = "gc") && rules.needs(Row::gc);
        c.check(kind < if objects { code::KINDS.len() } else { 1 }, "an unknown form of types")?;
        if flags & code::ENDS_GROUP != 0 {
            groups.push(i as u32 + 1);
        } else {
            c.check(i + 1 < count, "a recursion group that does not end")?;
        }
    }
    rules.flags = &c.bytes[start..c.at];
    let mut types = Vec::<SubType>::with_capacity(count);
    // How many supertypes each type has.
    let mut depths = Vec::with_capacity(count);
    let mut ends = groups.iter();
    for i in 0..count {
        if i == rules.types {
            // Types of a group name each other.
            rules.types = ends.next().map_or(count, |&end| end as usize);
        }
        let flags = rules.flags[i];
        let supertype = match flags & code::HAS_SUPERTYPE {
            0 => None,
            _ => Some(c.index(i, "an unknown supertype")?),
        };
        let mut depth = 0;
        if let Some(supertype) = supertype {
            depth = depths[supertype as usize] + 1;
            c.check(!types[supertype as usize].is_final, "a final supertype")?;
            c.check(depth <= MAX_DEPTH, "too many supertypes")?;
        }
        let composite = composite_type(c, rules, i)?;
        if let Some(supertype) = supertype
            && cfg!(not(feature = "gc"))
        {
            // There are no types of values of which one is a subtype of the other.
            let same = types[supertype as usize].composite == composite;
            c.check(same, UNLIKE_SUPERTYPE)?;
        }
        types.push(SubType { is_final: flags & code::FINAL != 0, supertype, composite });
        depths.push(depth);
    }
    if cfg!(feature = "gc") && count > 0 {
        let subtypes = Subtypes(Some(TypeRegistry::default().register(&types, &groups)));
        for ty in &types {
            let supertype = ty.supertype.map(|supertype| &types[supertype as usize].composite);
            let is_subtype = |a, b| subtypes.is_subtype(a, b);
            let matches = |supertype| ty.composite.matches(supertype, &is_subtype);
            c.check(supertype.is_none_or(matches), UNLIKE_SUPERTYPE)?;
        }
        spaces.subtypes = subtypes;
    }
    (spaces.types, module.rec_groups) = (types, groups.into());
    Ok(())
}

const UNLIKE_SUPERTYPE: &str = "a type that does not match its supertype";

/// How the type of this index is made up.
fn composite_type(
    c: &mut Cursor<'_>,
    rules: &Rules<'_>,
    index: usize,
) -> Result<CompositeType, Error> {
    let limits = rules.limits;
    Ok(match rules.kind(index as u32) {
        Some(TypeKind::Struct) if cfg!(feature = "gc") => {
            let count = c.count(0, MAX_FIELDS, 2, "too many fields")?;
            let mut fields = Vec::with_capacity(count);
            for _ in 0..count {
                fields.push(field_type(c, rules)?);
            }
            CompositeType::Struct(StructType { fields: fields.into() })
        }
        Some(TypeKind::Array) if cfg!(feature = "gc") => {
            CompositeType::Array(ArrayType { element: field_type(c, rules)? })
        }
        _ => {
            let params = c.count(0, limits.max_params.min(MAX_VALUES), 1, "too many parameters")?;
            let params = val_types(c, rules, params)?;
            let results = c.count(0, limits.max_results.min(MAX_VALUES), 1, "too many results")?;
            let results = val_types(c, rules, results)?;
            CompositeType::Func(FuncType::new(params, results))
        }
    })
}

fn field_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<FieldType, Error> {
    let first = c.byte()?;
    let storage = match first {
        code::I8 => StorageType::I8,
        code::I16 => StorageType::I16,
        first => StorageType::Val(val_type_of(c, rules, first)?),
    };
    Ok(FieldType { storage, mutability: mutability(c)? })
}

fn mutability(c: &mut Cursor<'_>) -> Result<Mutability, Error> {
    Ok(if c.flag()? { Mutability::Var } else { Mutability::Const })
}

fn val_types(c: &mut Cursor<'_>, rules: &Rules<'_>, count: usize) -> Result<Vec<ValType>, Error> {
    let mut types = Vec::with_capacity(count);
    for _ in 0..count {
        types.push(val_type(c, rules)?);
    }
    Ok(types)
}

fn val_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<ValType, Error> {
    let first = c.byte()?;
    val_type_of(c, rules, first)
}

/// A type that begins with this byte.
fn val_type_of(c: &mut Cursor<'_>, rules: &Rules<'_>, first: u8) -> Result<ValType, Error> {
    Ok(match first {
        code::I32 => ValType::I32,
        code::I64 => ValType::I64,
        code::F32 => ValType::F32,
        code::F64 => ValType::F64,
        code::V128 => {
            c.check(rules.needs(Row::simd), "a vector, for which the header does not ask")?;
            ValType::V128
        }
        first => ValType::Ref(ref_type_of(c, rules, first)?),
    })
}

fn ref_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<RefType, Error> {
    let first = c.byte()?;
    ref_type_of(c, rules, first)
}

/// A type of references that begins with this byte.
fn ref_type_of(c: &mut Cursor<'_>, rules: &Rules<'_>, first: u8) -> Result<RefType, Error> {
    const UNKNOWN: &str = "an unknown type";
    match first {
        code::FUNCREF => Ok(RefType::FUNCREF),
        code::EXTERNREF => Ok(RefType::EXTERNREF),
        code::REF | code::REF_NULLABLE if cfg!(feature = "gc") => {
            let number = c.up_to(u32::MAX.into(), UNKNOWN)? as u32;
            let heap = HeapType::from_number(number, |index| rules.kind(index));
            let heap = heap.ok_or_else(|| c.error(UNKNOWN))?;
            Ok(RefType { nullable: first == code::REF_NULLABLE, heap })
        }
        _ => Err(c.error(UNKNOWN)),
    }
}

/// The index of a type of functions.
fn type_index(c: &mut Cursor<'_>, types: &[SubType]) -> Result<TypeIdx, Error> {
    let index = TypeIdx(c.index(types.len(), "an unknown type")?);
    c.check(types[index.at()].as_func().is_some(), "a type that is not one of functions")?;
    Ok(index)
}

/// Minimum and maximum, neither of which is more than `most`.
fn limits(c: &mut Cursor<'_>, flags: u8, most: u64) -> Result<(u64, Option<u64>), Error> {
    let minimum = c.up_to(most, "too large a minimum")?;
    if flags & code::HAS_MAXIMUM == 0 {
        return Ok((minimum, None));
    }
    let maximum = c.up_to(most, "too large a maximum")?;
    c.check(minimum <= maximum, "a minimum that is more than the maximum")?;
    Ok((minimum, Some(maximum)))
}

fn table_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<TableType, Error> {
    let element = ref_type(c, rules)?;
    let flags = c.byte()?;
    c.check(flags & !(code::HAS_MAXIMUM | code::IS_64) == 0, "unknown flags of a table")?;
    let is_64 = flags & code::IS_64 != 0;
    let (minimum, maximum) = limits(c, flags, if is_64 { u64::MAX } else { u32::MAX.into() })?;
    Ok(TableType { element, is_64, minimum, maximum })
}

fn memory_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<MemoryType, Error> {
    let flags = c.byte()?;
    let known = code::HAS_MAXIMUM | code::IS_64 | code::SHARED | code::PAGES_OF_A_BYTE;
    c.check(flags & !known == 0, "unknown flags of a memory")?;
    let (is_64, shared) = (flags & code::IS_64 != 0, flags & code::SHARED != 0);
    let threads = rules.needs(Row::threads) && cfg!(feature = "threads");
    c.check(!shared || threads, "a shared memory, which this build does not have")?;
    c.check(!shared || flags & code::HAS_MAXIMUM != 0, "a shared memory without a maximum")?;
    let bytes = flags & code::PAGES_OF_A_BYTE != 0;
    let page_size_log2 = if bytes { 0 } else { MemoryType::DEFAULT_PAGE_SIZE_LOG2 };
    let most = match (is_64, bytes) {
        (false, false) => 1 << 16,
        (false, true) => u32::MAX.into(),
        (true, false) => 1 << 48,
        (true, true) => u64::MAX,
    };
    let (minimum, maximum) = limits(c, flags, most)?;
    Ok(MemoryType { is_64, minimum, maximum, page_size_log2, shared })
}

fn global_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<GlobalType, Error> {
    Ok(GlobalType { content: val_type(c, rules)?, mutability: mutability(c)? })
}

fn tag(c: &mut Cursor<'_>, rules: &Rules<'_>, types: &[SubType]) -> Result<TypeIdx, Error> {
    let ty = type_index(c, types)?;
    c.check(rules.needs(Row::exceptions), "a tag, for which the header does not ask")?;
    let results = types[ty].as_func().is_some_and(|ty| !ty.results().is_empty());
    c.check(!results, "a tag with results")?;
    Ok(ty)
}

fn imports(
    c: &mut Cursor<'_>,
    rules: &Rules<'_>,
    m: &mut Module,
    s: &mut Spaces,
) -> Result<(), Error> {
    let limits = rules.limits;
    let count = c.count(0, limits.max_imports, 4, "too many imports")?;
    let mut imports: Vec<Import> = Vec::with_capacity(count);
    for _ in 0..count {
        let (first, name) = (c.name()?, Shared::from(c.name()?));
        let ty = match c.byte()? {
            code::FUNC => {
                let ty = type_index(c, &s.types)?;
                s.funcs.push(ty);
                ImportType::Func(ty)
            }
            code::TABLE => {
                let ty = table_type(c, rules)?;
                s.tables.push(ty);
                ImportType::Table(ty)
            }
            code::MEMORY => {
                let ty = memory_type(c, rules)?;
                s.memories.push(ty);
                ImportType::Memory(ty)
            }
            code::GLOBAL => {
                let ty = global_type(c, rules)?;
                s.globals.push(ty);
                ImportType::Global(ty)
            }
            code::TAG => {
                let ty = tag(c, rules, &s.types)?;
                s.tags.push(ty);
                ImportType::Tag(ty)
            }
            _ => return Err(c.error("an unknown kind of import")),
        };
        // Imports of one module mostly follow each other.
        let module = match imports.last() {
            Some(last) if *last.module == *first => last.module.clone(),
            _ => Shared::from(first),
        };
        imports.push(Import { module, name, ty });
    }
    m.imports = imports.into();
    m.imported_funcs = s.funcs.len() as u32;
    m.imported_tables = s.tables.len() as u32;
    m.imported_memories = s.memories.len() as u32;
    m.imported_globals = s.globals.len() as u32;
    m.imported_tags = s.tags.len() as u32;
    Ok(())
}

const WRONG_TYPE: &str = "a constant of the wrong type";
const NO_OPERANDS: &str = "an operator without its operands";

/// What is known of a value of a constant expression.
#[derive(Clone, Copy)]
enum Known {
    /// A constant, which is of any type of numbers that has room for it.
    Const(u64),
    /// Null, of any type that has it.
    Null,
    Is(ValType),
}

/// The values of a constant expression, as far as it has been read.
struct Values<'a> {
    spaces: &'a Spaces,
    stack: Vec<Known>,
}

impl Values<'_> {
    /// The topmost value leaves, which has to be of type `ty`.
    fn pop(&mut self, c: &Cursor<'_>, ty: ValType) -> Result<(), Error> {
        let value = self.stack.pop().ok_or_else(|| c.error(NO_OPERANDS))?;
        let fits = match (value, ty) {
            (Known::Const(bits), ValType::I32 | ValType::F32) => bits <= u32::MAX.into(),
            (Known::Const(_), ValType::I64 | ValType::F64) => true,
            (Known::Null, ValType::Ref(ty)) => ty.nullable,
            (Known::Is(ValType::Ref(value)), ValType::Ref(ty)) => {
                let [value, ty] =
                    [value, ty].map(|ty| RefType { heap: ty.heap.internalized(), ..ty });
                self.spaces.subtypes.match_refs(value, ty)
            }
            (Known::Is(value), ty) => value == ty,
            _ => false,
        };
        c.check(fits, WRONG_TYPE)
    }

    fn push(&mut self, ty: ValType) {
        self.stack.push(Known::Is(ty));
    }

    /// Reads an operator.
    fn op(&mut self, c: &mut Cursor<'_>) -> Result<ConstOp, Error> {
        let spaces = self.spaces;
        let op = match c.byte()? {
            code::CONST => {
                let bits = c.number()?;
                self.stack.push(Known::Const(bits));
                ConstOp::Const(bits)
            }
            code::VECTOR => {
                self.push(ValType::V128);
                let bytes = c.take(16)?;
                ConstOp::Vector([le(bytes, 0, 8), le(bytes, 8, 8)])
            }
            code::GLOBAL_GET => {
                let index = c.index(spaces.globals.len(), "an unknown global")?;
                let global = spaces.globals[index as usize];
                c.check(global.mutability == Mutability::Const, "a global that may change")?;
                self.push(global.content);
                ConstOp::GlobalGet(GlobalIdx(index))
            }
            code::REF_NULL => {
                self.stack.push(Known::Null);
                ConstOp::RefNull
            }
            code::REF_FUNC => {
                let func = FuncIdx(c.index(spaces.funcs.len(), "an unknown function")?);
                self.push(reference(TypeKind::Func, spaces.funcs[func.at()]));
                ConstOp::RefFunc(func)
            }
            code::I32_ADD => self.arithmetic(c, ValType::I32, ConstOp::I32Add)?,
            code::I32_SUB => self.arithmetic(c, ValType::I32, ConstOp::I32Sub)?,
            code::I32_MUL => self.arithmetic(c, ValType::I32, ConstOp::I32Mul)?,
            code::I64_ADD => self.arithmetic(c, ValType::I64, ConstOp::I64Add)?,
            code::I64_SUB => self.arithmetic(c, ValType::I64, ConstOp::I64Sub)?,
            code::I64_MUL => self.arithmetic(c, ValType::I64, ConstOp::I64Mul)?,
            code::REF_I31 if cfg!(feature = "gc") => {
                self.pop(c, ValType::I32)?;
                self.push(ValType::Ref(RefType { nullable: false, heap: HeapType::I31 }));
                ConstOp::RefI31
            }
            op @ code::STRUCT_NEW..=code::ARRAY_NEW_FIXED if cfg!(feature = "gc") => {
                self.object(c, op)?
            }
            _ => return Err(c.error("an unknown operator")),
        };
        Ok(op)
    }

    fn arithmetic(&mut self, c: &Cursor<'_>, ty: ValType, op: ConstOp) -> Result<ConstOp, Error> {
        self.pop(c, ty)?;
        self.pop(c, ty)?;
        self.push(ty);
        Ok(op)
    }

    /// An operator that makes an object.
    fn object(&mut self, c: &mut Cursor<'_>, op: u8) -> Result<ConstOp, Error> {
        const OTHER: &str = "an object of a type of others";
        let types = &self.spaces.types;
        let ty = TypeIdx(c.index(types.len(), "an unknown type")?);
        let (composite, of_structs) = (&types[ty.at()].composite, op <= code::STRUCT_NEW_DEFAULT);
        let fields = match composite {
            CompositeType::Struct(ty) if of_structs => &ty.fields[..],
            CompositeType::Array(ty) if !of_structs => core::slice::from_ref(&ty.element),
            _ => return Err(c.error(OTHER)),
        };
        if let code::STRUCT_NEW_DEFAULT | code::ARRAY_NEW_DEFAULT = op {
            let has_default = |field: &FieldType| !matches!(field.storage, StorageType::Val(ValType::Ref(ty)) if !ty.nullable);
            c.check(fields.iter().all(has_default), "a field without a default")?;
        }
        let made = match op {
            code::STRUCT_NEW => {
                for field in fields.iter().rev() {
                    self.pop(c, field.storage.unpack())?;
                }
                ConstOp::StructNew(ty, fields.len() as u32)
            }
            code::STRUCT_NEW_DEFAULT => ConstOp::StructNewDefault(ty),
            code::ARRAY_NEW_FIXED => {
                let count = c.up_to(self.stack.len() as u64, NO_OPERANDS)? as u32;
                for _ in 0..count {
                    self.pop(c, fields[0].storage.unpack())?;
                }
                ConstOp::ArrayNewFixed(ty, count)
            }
            op => {
                self.pop(c, ValType::I32)?;
                if op == code::ARRAY_NEW {
                    self.pop(c, fields[0].storage.unpack())?;
                    ConstOp::ArrayNew(ty)
                } else {
                    ConstOp::ArrayNewDefault(ty)
                }
            }
        };
        self.push(reference(composite.kind(), ty));
        Ok(made)
    }
}

/// The type of references to values of a defined type.
fn reference(kind: TypeKind, ty: TypeIdx) -> ValType {
    let heap = HeapType::Concrete(ConcreteType { kind, index: ty.0 });
    ValType::Ref(RefType { nullable: false, heap })
}

/// A constant expression that has a value of type `ty`.
fn expr(c: &mut Cursor<'_>, ty: ValType, spaces: &Spaces) -> Result<ConstExpr, Error> {
    let count = c.count(0, u32::MAX, 1, "too many operators")?;
    let mut ops = Vec::with_capacity(count);
    let mut values = Values { spaces, stack: Vec::new() };
    for _ in 0..count {
        ops.push(values.op(c)?);
    }
    c.check(values.stack.len() == 1, "a constant expression that has not one value")?;
    values.pop(c, ty)?;
    Ok(match ops[..] {
        [op] => ConstExpr::One(op),
        _ => ConstExpr::Many(ops.into()),
    })
}

fn exports(
    c: &mut Cursor<'_>,
    rules: &Rules<'_>,
    module: &mut Module,
    spaces: &Spaces,
) -> Result<(), Error> {
    const UNKNOWN: &str = "an export of what does not exist";
    let count = c.count(0, rules.limits.max_exports, 4, "too many exports")?;
    let mut exports = Vec::with_capacity(count);
    for _ in 0..count {
        let name = Shared::from(c.name()?);
        let item = match c.byte()? {
            code::FUNC => ExportItem::Func(FuncIdx(c.index(spaces.funcs.len(), UNKNOWN)?)),
            code::TABLE => ExportItem::Table(TableIdx(c.index(spaces.tables.len(), UNKNOWN)?)),
            code::MEMORY => ExportItem::Memory(MemoryIdx(c.index(spaces.memories.len(), UNKNOWN)?)),
            code::GLOBAL => ExportItem::Global(GlobalIdx(c.index(spaces.globals.len(), UNKNOWN)?)),
            code::TAG => ExportItem::Tag(TagIdx(c.index(spaces.tags.len(), UNKNOWN)?)),
            _ => return Err(c.error("an unknown kind of export")),
        };
        exports.push(Export { name, item });
    }
    // As many as there are exports, and no name twice: so it is every export.
    let mut by_name: Vec<u32> = Vec::with_capacity(count);
    for _ in 0..count {
        let next = c.index(count, "an unknown export")?;
        if let Some(&last) = by_name.last() {
            let ordered = exports[last as usize].name < exports[next as usize].name;
            c.check(ordered, "exports that have the same name or are out of order")?;
        }
        by_name.push(next);
    }
    (module.exports, module.exports_by_name) = (exports.into(), by_name.into());
    Ok(())
}

/// The type of indices into a memory or table.
fn index_type(is_64: bool) -> ValType {
    if is_64 { ValType::I64 } else { ValType::I32 }
}

fn elems(
    c: &mut Cursor<'_>,
    rules: &Rules<'_>,
    module: &mut Module,
    spaces: &Spaces,
) -> Result<(), Error> {
    let limit = rules.limits.max_element_segments;
    let count = c.count(0, limit, 2, "too many element segments")?;
    let mut elems = Vec::with_capacity(count);
    for _ in 0..count {
        let flags = c.byte()?;
        let exprs = flags & code::EXPRS != 0;
        let mut table = None;
        let mode = match flags & !code::EXPRS {
            code::ACTIVE => {
                let into = TableIdx(c.index(spaces.tables.len(), "an unknown table")?);
                let ty = spaces.tables[into];
                table = Some(ty.element);
                SegmentMode::Active { into, offset: expr(c, index_type(ty.is_64), spaces)? }
            }
            code::PASSIVE => SegmentMode::Passive,
            code::DECLARED => SegmentMode::Declared,
            _ => return Err(c.error("unknown flags of an element segment")),
        };
        let ty = if exprs { ref_type(c, rules)? } else { RefType::FUNCREF };
        // Functions are not null.
        let elements = RefType { nullable: exprs && ty.nullable, ..ty };
        let fits = table.is_none_or(|table| spaces.subtypes.match_refs(elements, table));
        c.check(fits, "elements of another type than the table's")?;
        let count = c.count(0, u32::MAX, 1, "too many elements")?;
        let items = if exprs {
            let mut items = Vec::with_capacity(count);
            for _ in 0..count {
                items.push(expr(c, ValType::Ref(ty), spaces)?);
            }
            ElemItems::Exprs(items.into())
        } else {
            let mut items = Vec::with_capacity(count);
            for _ in 0..count {
                items.push(FuncIdx(c.index(spaces.funcs.len(), "an unknown function")?));
            }
            ElemItems::Funcs(items.into())
        };
        elems.push(Elem { ty, mode, items });
    }
    module.elems = elems.into();
    Ok(())
}

fn datas(
    c: &mut Cursor<'_>,
    rules: &Rules<'_>,
    module: &mut Module,
    spaces: &Spaces,
    contents: Range<usize>,
) -> Result<(), Error> {
    let limit = rules.limits.max_data_segments;
    let count = c.count(0, limit, 3, "too many data segments")?;
    let mut datas = Vec::with_capacity(count);
    for _ in 0..count {
        let mode = match c.byte()? {
            code::ACTIVE => {
                let into = MemoryIdx(c.index(spaces.memories.len(), "an unknown memory")?);
                let ty = index_type(spaces.memories[into].is_64);
                SegmentMode::Active { into, offset: expr(c, ty, spaces)? }
            }
            code::PASSIVE => SegmentMode::Passive,
            _ => return Err(c.error("unknown flags of a data segment")),
        };
        let start = c.up_to(contents.len() as u64, "data out of bounds")? as usize;
        let len = c.up_to((contents.len() - start) as u64, "data out of bounds")? as usize;
        let start = contents.start + start;
        datas.push(Data { mode, bytes: start..start + len });
    }
    module.datas = datas.into();
    Ok(())
}

fn needs(c: &mut Cursor<'_>, module: &Module) -> Result<Needs, Error> {
    let funcs = module.exports.iter().filter(|export| matches!(export.item, ExportItem::Func(_)));
    let mut stack = Vec::with_capacity(funcs.clone().count());
    for _ in funcs {
        // One more than it is, so that there is a number for what is not known.
        let slots = c.up_to(u32::MAX.into(), "too large a stack")?;
        stack.push(slots.checked_sub(1).map(|slots| slots as u32));
    }
    c.end()?;
    Ok(Needs { stack: stack.into() })
}
