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
    types::*,
};
use alloc::vec::Vec;
use core::{ops::Range, str};

/// Parameters and results of a function: no validator lets more pass, and running code counts on it.
const MAX_VALUES: u32 = 1000;

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
    let rules = Rules { features: header.features, limits: &features.limits };
    let mut cursor = Cursor::new(&bytes, elf.section(section::MODULE)?);
    let mut module = module(&mut cursor, &rules, data)?;
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
}

impl Rules<'_> {
    fn needs(&self, row: Row) -> bool {
        self.features >> row as u32 & 1 == 1
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
    funcs: Vec<TypeIdx>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    tags: Vec<TypeIdx>,
}

fn module(c: &mut Cursor<'_>, rules: &Rules<'_>, data: Range<usize>) -> Result<Module, Error> {
    let (mut module, mut spaces) = (Module::default(), Spaces::default());
    let (limits, m, s) = (rules.limits, &mut module, &mut spaces);
    types(c, rules, m)?;
    imports(c, rules, m, s)?;

    let count = c.count(s.funcs.len(), limits.max_functions, 1, "too many functions")?;
    s.funcs.reserve_exact(count);
    for _ in 0..count {
        s.funcs.push(type_index(c, &m.types)?);
    }

    let count = c.count(s.tables.len(), limits.max_tables, 4, "too many tables")?;
    s.tables.reserve_exact(count);
    let mut inits = Vec::with_capacity(count);
    for _ in 0..count {
        let ty = table_type(c)?;
        s.tables.push(ty);
        inits.push(if c.flag()? { Some(expr(c, ValType::Ref(ty.element), s)?) } else { None });
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
        s.tags.push(tag(c, rules, &m.types)?);
    }

    exports(c, rules, m, s)?;
    if c.flag()? {
        let func = FuncIdx(c.index(s.funcs.len(), "an unknown function")?);
        let ty = m.signature(s.funcs[func]);
        c.check(ty.params().is_empty() && ty.results().is_empty(), "a start function with values")?;
        m.start = Some(func);
    }
    elems(c, rules, m, s)?;
    datas(c, rules, m, s, data)?;
    c.end()?;
    let Spaces { funcs, tables, memories, globals, tags } = spaces;
    (module.funcs, module.tables, module.memories) = (funcs.into(), tables.into(), memories.into());
    (module.globals, module.tags) = (globals.into(), tags.into());
    Ok(module)
}

fn types(c: &mut Cursor<'_>, rules: &Rules<'_>, module: &mut Module) -> Result<(), Error> {
    let limits = rules.limits;
    let count = c.count(0, limits.max_types, 3, "too many types")?;
    let (mut types, mut groups) = (Vec::<SubType>::with_capacity(count), Vec::new());
    // How many supertypes each type has.
    let mut depths = Vec::with_capacity(count);
    for i in 0..count {
        let flags = c.byte()?;
        let known = code::FINAL | code::HAS_SUPERTYPE | code::ENDS_GROUP;
        c.check(flags & !known == 0, "an unknown form of types")?;
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
        let params = c.count(0, limits.max_params.min(MAX_VALUES), 1, "too many parameters")?;
        let params = val_types(c, rules, params)?;
        let results = c.count(0, limits.max_results.min(MAX_VALUES), 1, "too many results")?;
        let results = val_types(c, rules, results)?;
        let composite = CompositeType::Func(FuncType::new(params, results));
        if let Some(supertype) = supertype {
            // There are no types of values of which one is a subtype of the other.
            let same = types[supertype as usize].composite == composite;
            c.check(same, "a type that does not match its supertype")?;
        }
        let is_final = flags & code::FINAL != 0;
        types.push(SubType { is_final, supertype, composite });
        depths.push(depth);
        if flags & code::ENDS_GROUP != 0 {
            groups.push(types.len() as u32);
        } else {
            c.check(i + 1 < count, "a recursion group that does not end")?;
        }
    }
    (module.types, module.rec_groups) = (types.into(), groups.into());
    Ok(())
}

fn val_types(c: &mut Cursor<'_>, rules: &Rules<'_>, count: usize) -> Result<Vec<ValType>, Error> {
    let mut types = Vec::with_capacity(count);
    for _ in 0..count {
        types.push(val_type(c, rules)?);
    }
    Ok(types)
}

fn val_type(c: &mut Cursor<'_>, rules: &Rules<'_>) -> Result<ValType, Error> {
    Ok(match c.byte()? {
        code::I32 => ValType::I32,
        code::I64 => ValType::I64,
        code::F32 => ValType::F32,
        code::F64 => ValType::F64,
        code::V128 => {
            c.check(rules.needs(Row::simd), "a vector, for which the header does not ask")?;
            ValType::V128
        }
        code::FUNCREF => ValType::FUNCREF,
        code::EXTERNREF => ValType::EXTERNREF,
        _ => return Err(c.error("an unknown type")),
    })
}

fn ref_type(c: &mut Cursor<'_>) -> Result<RefType, Error> {
    match c.byte()? {
        code::FUNCREF => Ok(RefType::FUNCREF),
        code::EXTERNREF => Ok(RefType::EXTERNREF),
        _ => Err(c.error("an unknown type of references")),
    }
}

fn type_index(c: &mut Cursor<'_>, types: &[SubType]) -> Result<TypeIdx, Error> {
    Ok(TypeIdx(c.index(types.len(), "an unknown type")?))
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

fn table_type(c: &mut Cursor<'_>) -> Result<TableType, Error> {
    let element = ref_type(c)?;
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
    let content = val_type(c, rules)?;
    let mutability = if c.flag()? { Mutability::Var } else { Mutability::Const };
    Ok(GlobalType { content, mutability })
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
                let ty = type_index(c, &m.types)?;
                s.funcs.push(ty);
                ImportType::Func(ty)
            }
            code::TABLE => {
                let ty = table_type(c)?;
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
                let ty = tag(c, rules, &m.types)?;
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

/// A constant expression that has a value of type `ty`.
fn expr(c: &mut Cursor<'_>, ty: ValType, spaces: &Spaces) -> Result<ConstExpr, Error> {
    let count = c.count(0, u32::MAX, 1, "too many operators")?;
    let mut ops = Vec::with_capacity(count);
    // How many values there are. All have the same type, as the operators on values are arithmetic.
    let mut height = 0;
    for _ in 0..count {
        let op = const_op(c, ty, spaces)?;
        if let ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul = op {
            c.check(height > 1 && ty == ValType::I32, "an operator without its operands")?;
            height -= 1;
        } else if let ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul = op {
            c.check(height > 1 && ty == ValType::I64, "an operator without its operands")?;
            height -= 1;
        } else {
            height += 1;
        }
        ops.push(op);
    }
    c.check(height == 1, "a constant expression that has not one value")?;
    Ok(match ops[..] {
        [op] => ConstExpr::One(op),
        _ => ConstExpr::Many(ops.into()),
    })
}

/// An operator; unless it is arithmetic, its value has type `ty`.
fn const_op(c: &mut Cursor<'_>, ty: ValType, spaces: &Spaces) -> Result<ConstOp, Error> {
    const WRONG: &str = "a constant of the wrong type";
    let op = c.byte()?;
    Ok(match op {
        code::CONST => ConstOp::Const(match ty {
            ValType::I32 | ValType::F32 => c.up_to(u32::MAX.into(), WRONG)?,
            ValType::I64 | ValType::F64 => c.number()?,
            _ => return Err(c.error(WRONG)),
        }),
        code::VECTOR => {
            c.check(ty == ValType::V128, WRONG)?;
            let bytes = c.take(16)?;
            ConstOp::Vector([le(bytes, 0, 8), le(bytes, 8, 8)])
        }
        code::GLOBAL_GET => {
            let index = c.index(spaces.globals.len(), "an unknown global")?;
            let global = spaces.globals[GlobalIdx(index)];
            c.check(global.mutability == Mutability::Const, "a global that may change")?;
            c.check(global.content == ty, WRONG)?;
            ConstOp::GlobalGet(GlobalIdx(index))
        }
        code::REF_NULL => {
            c.check(ty.is_ref(), WRONG)?;
            ConstOp::RefNull
        }
        code::REF_FUNC => {
            c.check(ty == ValType::FUNCREF, WRONG)?;
            ConstOp::RefFunc(FuncIdx(c.index(spaces.funcs.len(), "an unknown function")?))
        }
        code::I32_ADD => ConstOp::I32Add,
        code::I32_SUB => ConstOp::I32Sub,
        code::I32_MUL => ConstOp::I32Mul,
        code::I64_ADD => ConstOp::I64Add,
        code::I64_SUB => ConstOp::I64Sub,
        code::I64_MUL => ConstOp::I64Mul,
        _ => return Err(c.error("an unknown operator")),
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
        let ty = if exprs { ref_type(c)? } else { RefType::FUNCREF };
        c.check(
            table.is_none_or(|table| table == ty),
            "elements of another type than the table's",
        )?;
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
