//! Modules from their binary form, validated in the same pass.

use super::{error, flags, hints::Hints, profile::Profile, types::*};
use crate::{
    Shared,
    error::Error,
    index::*,
    module::{features::Features, *},
    types::{CompositeType, RefType, SubType},
};
use alloc::{boxed::Box, format, vec::Vec};
use core::ops::Range;
use wasmparser::{
    FromReader, FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload,
    SectionLimited, ValidPayload, Validator, ValidatorResources,
};

/// Decodes and validates `wasm`. The module lacks nothing but the binary itself.
pub(crate) fn decode(wasm: &[u8], features: &Features) -> Result<Module, Error> {
    let flags = flags(features);
    let mut parser = Parser::new(0);
    parser.set_features(flags);
    let mut decoder = Decoder {
        features,
        validator: Validator::new_with_features(flags),
        allocations: FuncValidatorAllocations::default(),
        profile: Profile::new(features.limits.max_nesting),
        bodies: Vec::new(),
        hints: Hints::default(),
        module: Module::default(),
    };
    for payload in parser.parse_all(wasm) {
        decoder.payload(payload.map_err(error)?)?;
    }
    decoder.module.bodies = decoder.bodies.into();
    decoder.module.branch_hints = decoder.hints.finish()?;
    Ok(decoder.module)
}

struct Decoder<'f> {
    features: &'f Features,
    validator: Validator,
    /// Recycled from function to function.
    allocations: FuncValidatorAllocations,
    profile: Profile,
    bodies: Vec<Body>,
    hints: Hints,
    module: Module,
}

impl Decoder<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        self.check_counts(&payload)?;
        if let ValidPayload::Func(func, body) = self.validator.payload(&payload).map_err(error)? {
            return self.body(func, &body);
        }
        let module = &mut self.module;
        match payload {
            Payload::TypeSection(section) => self.types(section)?,
            Payload::ImportSection(section) => self.imports(section)?,
            Payload::FunctionSection(section) => {
                append(&mut module.funcs, section, |ty, _| Ok(TypeIdx(ty)))?;
            }
            Payload::TableSection(section) => {
                let types = &module.types;
                module.table_inits = collect(section.clone(), |table, _| match &table.init {
                    wasmparser::TableInit::RefNull => Ok(None),
                    wasmparser::TableInit::Expr(init) => const_expr(init, types).map(Some),
                })?;
                append(&mut module.tables, section, |table, at| table_type(table.ty, types, at))?;
            }
            Payload::MemorySection(section) => {
                append(&mut module.memories, section, memory_type)?;
            }
            Payload::GlobalSection(section) => {
                let types = &module.types;
                module.global_inits =
                    collect(section.clone(), |global, _| const_expr(&global.init_expr, types))?;

                append(&mut module.globals, section, |global, at| {
                    global_type(global.ty, types, at)
                })?;
            }
            Payload::TagSection(section) => {
                append(&mut module.tags, section, |tag, _| Ok(TypeIdx(tag.func_type_idx)))?;
            }
            Payload::ExportSection(section) => {
                module.exports = collect(section, export)?;
                let mut by_name: Box<[u32]> = (0..module.exports.len() as u32).collect();
                by_name.sort_unstable_by_key(|&i| &module.exports[i as usize].name);
                module.exports_by_name = by_name;
            }
            Payload::StartSection { func, .. } => module.start = Some(FuncIdx(func)),
            Payload::ElementSection(section) => {
                module.elems = collect(section, |item, at| elem(item, &module.types, at))?;
            }
            Payload::CodeSectionStart { count, .. } => self.bodies.reserve_exact(count as usize),
            Payload::DataSection(section) => {
                module.datas = collect(section, |item, _| data(item, &module.types))?;
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                let names = range(section.data_range());
                if module.names == Names::None {
                    module.names = Names::Section(names);
                }
            }
            Payload::CustomSection(section) if self.features.branch_hinting => {
                self.hints.section(&section, module)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses sections that declare too many items, before anybody makes room for them.
    fn check_counts(&self, payload: &Payload<'_>) -> Result<(), Error> {
        let (module, limits) = (&self.module, &self.features.limits);
        match payload {
            Payload::TypeSection(section) => check_section(section, 0, limits.max_types, "types"),
            Payload::ImportSection(section) => {
                check_section(section, 0, limits.max_imports, "imports")
            }
            Payload::FunctionSection(section) => {
                check_section(section, module.funcs.len(), limits.max_functions, "functions")
            }
            Payload::TableSection(section) => {
                check_section(section, module.tables.len(), limits.max_tables, "tables")
            }
            Payload::MemorySection(section) => {
                check_section(section, module.memories.len(), limits.max_memories, "memories")
            }
            Payload::GlobalSection(section) => {
                check_section(section, module.globals.len(), limits.max_globals, "globals")
            }
            Payload::TagSection(section) => {
                check_section(section, module.tags.len(), limits.max_tags, "tags")
            }
            Payload::ExportSection(section) => {
                check_section(section, 0, limits.max_exports, "exports")
            }
            Payload::ElementSection(section) => {
                check_section(section, 0, limits.max_element_segments, "element segments")
            }
            Payload::DataSection(section) => {
                check_section(section, 0, limits.max_data_segments, "data segments")
            }
            _ => Ok(()),
        }
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>) -> Result<(), Error> {
        let limits = &self.features.limits;
        let mut types: Vec<SubType> = Vec::with_capacity(section.count() as usize);
        let mut groups = Vec::with_capacity(section.count() as usize);
        for group in section {
            let group: Vec<_> = group.map_err(error)?.into_types_and_offsets().collect();
            let start = types.len();
            // Types of a group name each other, so their kinds come first.
            for (offset, ty) in &group {
                types.push(outline(ty, *offset)?);
                check(types.len() as u64, limits.max_types, "types", *offset)?;
            }
            for (i, (offset, ty)) in group.iter().enumerate() {
                let composite = composite_type(ty, &types, *offset)?;
                if let CompositeType::Func(ty) = &composite {
                    check(ty.params().len() as u64, limits.max_params, "parameters", *offset)?;
                    check(ty.results().len() as u64, limits.max_results, "results", *offset)?;
                }
                types[start + i].composite = composite;
            }
            groups.push(types.len() as u32);
        }
        self.module.types = types.into();
        self.module.rec_groups = groups.into();
        Ok(())
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'_>) -> Result<(), Error> {
        let offset = section.range().start;
        let mut imports: Vec<Import> = Vec::new();
        let (mut funcs, mut tables) = (Vec::new(), Vec::new());
        let (mut memories, mut globals, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        for import in section.into_imports_with_offsets() {
            let (at, import) = import.map_err(error)?;
            let ty = match import.ty {
                wasmparser::TypeRef::Func(ty) => {
                    funcs.push(TypeIdx(ty));
                    ImportType::Func(TypeIdx(ty))
                }
                wasmparser::TypeRef::Table(ty) => {
                    let ty = table_type(ty, &self.module.types, at)?;
                    tables.push(ty);
                    ImportType::Table(ty)
                }
                wasmparser::TypeRef::Memory(ty) => {
                    let ty = memory_type(ty, at)?;
                    memories.push(ty);
                    ImportType::Memory(ty)
                }
                wasmparser::TypeRef::Global(ty) => {
                    let ty = global_type(ty, &self.module.types, at)?;
                    globals.push(ty);
                    ImportType::Global(ty)
                }
                wasmparser::TypeRef::Tag(ty) => {
                    tags.push(TypeIdx(ty.func_type_idx));
                    ImportType::Tag(TypeIdx(ty.func_type_idx))
                }
                wasmparser::TypeRef::FuncExact(_) => {
                    return Err(unsupported(format_args!("this kind of import"), at));
                }
            };
            // Imports of one module mostly follow each other.
            let module = match imports.last() {
                Some(last) if *last.module == *import.module => last.module.clone(),
                _ => Shared::from(import.module),
            };
            imports.push(Import { module, name: Shared::from(import.name), ty });
        }

        let limits = &self.features.limits;
        check(imports.len() as u64, limits.max_imports, "imports", offset)?;
        check(funcs.len() as u64, limits.max_functions, "functions", offset)?;
        check(tables.len() as u64, limits.max_tables, "tables", offset)?;
        check(memories.len() as u64, limits.max_memories, "memories", offset)?;
        check(globals.len() as u64, limits.max_globals, "globals", offset)?;
        check(tags.len() as u64, limits.max_tags, "tags", offset)?;
        self.module.imported_funcs = funcs.len() as u32;
        self.module.imported_tables = tables.len() as u32;
        self.module.imported_memories = memories.len() as u32;
        self.module.imported_globals = globals.len() as u32;
        self.module.imported_tags = tags.len() as u32;
        self.module.funcs = funcs.into();
        self.module.tables = tables.into();
        self.module.memories = memories.into();
        self.module.globals = globals.into();
        self.module.tags = tags.into();
        self.module.imports = imports.into();
        Ok(())
    }

    fn body(
        &mut self,
        func: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Error> {
        let limits = &self.features.limits;
        let range = range(body.range());
        check(
            range.len() as u64,
            limits.max_function_size,
            "bytes in a function body",
            body.range().start,
        )?;

        let (index, flags) = (func.index, func.features);
        self.profile.branches = self.hints.has(index).then(Vec::new);
        let mut validator = func.into_validator(core::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        reader.set_features(flags);
        let mut locals = 0u64;
        for _ in 0..reader.read_var_u32().map_err(error)? {
            let offset = reader.original_position();
            let (count, ty) = reader.read().map_err(error)?;
            locals += u64::from(count);
            check(locals, limits.max_locals, "locals", offset)?;
            validator.define_locals(offset, count, ty).map_err(error)?;
            val_type(ty, &self.module.types, offset)?;
        }
        while !reader.eof() {
            let offset = reader.original_position();
            let mut visitor = self.profile.visitor(validator.visitor(offset), offset);
            reader.visit_operator(&mut visitor).and_then(|valid| valid).map_err(error)?;
        }
        let end = reader.original_position();
        reader.finish_expression(&validator.visitor(end)).map_err(error)?;
        if let Some(offset) = self.profile.too_deep() {
            return Err(exceeds("nested blocks", limits.max_nesting, offset));
        }

        if let Some(branches) = self.profile.branches.take() {
            self.hints.check(index, body.range().start, &branches)?;
        }

        let mut body = Body { range, pinned_int: None, pinned_f64: None };
        self.profile.finish(&validator, &mut body);
        self.bodies.push(body);
        self.allocations = validator.into_allocations();
        Ok(())
    }
}

/// The items of a section, each with the offset at which it begins.
fn collect<'a, T: FromReader<'a>, U>(
    section: SectionLimited<'a, T>,
    mut item: impl FnMut(T, u64) -> Result<U, Error>,
) -> Result<Box<[U]>, Error> {
    // Validation has read them all, so there are as many as the section says.
    let mut items = Vec::with_capacity(section.count() as usize);
    for read in section.into_iter_with_offsets() {
        let (offset, read) = read.map_err(error)?;
        items.push(item(read, offset)?);
    }
    Ok(items.into())
}

/// Appends the items of a section to an index space that imports have begun.
fn append<'a, T: FromReader<'a>, U>(
    space: &mut Box<[U]>,
    section: SectionLimited<'a, T>,
    item: impl FnMut(T, u64) -> Result<U, Error>,
) -> Result<(), Error> {
    let items = collect(section, item)?;
    let mut all = core::mem::take(space).into_vec();
    all.extend(items);
    *space = all.into();
    Ok(())
}

fn export(export: wasmparser::Export<'_>, offset: u64) -> Result<Export, Error> {
    let item = match export.kind {
        wasmparser::ExternalKind::Func => ExportItem::Func(FuncIdx(export.index)),
        wasmparser::ExternalKind::Table => ExportItem::Table(TableIdx(export.index)),
        wasmparser::ExternalKind::Memory => ExportItem::Memory(MemoryIdx(export.index)),
        wasmparser::ExternalKind::Global => ExportItem::Global(GlobalIdx(export.index)),
        wasmparser::ExternalKind::Tag => ExportItem::Tag(TagIdx(export.index)),
        wasmparser::ExternalKind::FuncExact => {
            return Err(unsupported(format_args!("this kind of export"), offset));
        }
    };
    Ok(Export { name: Shared::from(export.name), item })
}

fn elem(elem: wasmparser::Element<'_>, types: &[SubType], offset: u64) -> Result<Elem, Error> {
    let mode = match elem.kind {
        wasmparser::ElementKind::Active { table_index, offset_expr } => SegmentMode::Active {
            into: TableIdx(table_index.unwrap_or(0)),
            offset: const_expr(&offset_expr, types)?,
        },
        wasmparser::ElementKind::Passive => SegmentMode::Passive,
        wasmparser::ElementKind::Declared => SegmentMode::Declared,
    };
    let (ty, items) = match elem.items {
        wasmparser::ElementItems::Functions(funcs) => {
            (RefType::FUNCREF, ElemItems::Funcs(collect(funcs, |func, _| Ok(FuncIdx(func)))?))
        }
        wasmparser::ElementItems::Expressions(ty, exprs) => (
            ref_type(ty, types, offset)?,
            ElemItems::Exprs(collect(exprs, |expr, _| const_expr(&expr, types))?),
        ),
    };
    Ok(Elem { ty, mode, items })
}

fn data(data: wasmparser::Data<'_>, types: &[SubType]) -> Result<Data, Error> {
    let mode = match data.kind {
        wasmparser::DataKind::Active { memory_index, offset_expr } => SegmentMode::Active {
            into: MemoryIdx(memory_index),
            offset: const_expr(&offset_expr, types)?,
        },
        wasmparser::DataKind::Passive => SegmentMode::Passive,
    };
    let end = data.range.end as usize;
    Ok(Data { mode, bytes: end - data.data.len()..end })
}

/// Offsets in a binary that is in memory fit in `usize`.
fn range(range: Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// Refuses a section if its items and `others` are more than `limit`, or more than it has bytes.
fn check_section<T>(
    section: &SectionLimited<'_, T>,
    others: usize,
    limit: u32,
    what: &str,
) -> Result<(), Error> {
    let (count, range) = (u64::from(section.count()), section.range());
    check(others as u64 + count, limit, what, range.start)?;
    let bytes = range.end - range.start;
    if count > bytes {
        let message = format!("unexpected end: a section of {bytes} bytes declares {count} {what}");
        return Err(Error::invalid(message, range.start as usize));
    }
    Ok(())
}

fn check(count: u64, limit: u32, what: &str, offset: u64) -> Result<(), Error> {
    if count > limit.into() { Err(exceeds(what, limit, offset)) } else { Ok(()) }
}

#[cold]
fn exceeds(what: &str, limit: u32, offset: u64) -> Error {
    Error::invalid(format!("too many {what}: the limit is {limit}"), offset as usize)
}
