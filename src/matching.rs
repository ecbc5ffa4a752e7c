//! Whether something is what an import wants (spec, 3.3 and 4.5.4).

use crate::{Error, Extern, ExternType, FuncType, ImportType, Mutability, Result, TagType};
use core::fmt;
use kinglet_core::{
    module,
    runtime::{StoreInner, registry::TypeRegistry},
    types::{GlobalType, MemoryType, TableType},
};

/// What there is for an import.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    /// A function, by the id of its type in the engine.
    Func(u32),
    Global(GlobalType),
    Table(TableType),
    Memory(MemoryType),
    /// A tag, in the same way as a function.
    Tag(u32),
}

impl Found {
    /// Something of a store, with the size that it has now.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn of(store: &StoreInner, item: &Extern) -> Found {
        item.check(store);
        match item {
            Extern::Func(func) => Found::Func(store.funcs[func.addr].ty),
            Extern::Global(global) => Found::Global(*store.global(global.addr).ty()),
            Extern::Table(table) => {
                let table = store.table(table.addr);
                let minimum = table.elems().len() as u64;
                Found::Table(TableType { minimum, ..*table.ty() })
            }
            Extern::Memory(memory) => {
                let memory = store.memory(memory.addr);
                Found::Memory(MemoryType { minimum: memory.size(), ..*memory.ty() })
            }
            #[cfg(feature = "threads")]
            Extern::SharedMemory(memory) => {
                let minimum = memory.size();
                Found::Memory(MemoryType { minimum, ..memory.ty().0 })
            }
            Extern::Tag(tag) => Found::Tag(store.tag(tag.addr).engine_type()),
        }
    }

    /// As a type; `registry` is the engine's.
    pub(crate) fn to_type(self, registry: &TypeRegistry) -> ExternType {
        match self {
            Found::Func(id) => FuncType::of(registry, id).into(),
            Found::Global(ty) => crate::GlobalType::from_core(registry, ty).into(),
            Found::Table(ty) => crate::TableType::from_core(registry, ty).into(),
            Found::Memory(ty) => crate::MemoryType(ty).into(),
            Found::Tag(id) => TagType::new(FuncType::of(registry, id)).into(),
        }
    }
}

impl From<&ExternType> for Found {
    fn from(ty: &ExternType) -> Found {
        match ty {
            ExternType::Func(ty) => Found::Func(ty.0.id()),
            ExternType::Global(ty) => Found::Global(ty.to_core()),
            ExternType::Table(ty) => Found::Table(ty.to_core()),
            ExternType::Memory(ty) => Found::Memory(ty.0),
            ExternType::Tag(ty) => Found::Tag(ty.ty().0.id()),
        }
    }
}

/// Fails unless `found` is what `import` wants.
pub(crate) fn check(found: Found, import: &ImportType<'_>) -> Result<()> {
    let types = &*import.program.types;
    let is_subtype = |a, b| types.registry().is_subtype(a, b);
    let fits = match (import.import.ty, found) {
        (module::ImportType::Func(ty), Found::Func(found)) => is_subtype(found, types[ty]),
        (module::ImportType::Global(wanted), Found::Global(found)) => {
            global_fits(&found, &wanted.map(|i| types[i as usize]), is_subtype)
        }
        (module::ImportType::Table(wanted), Found::Table(found)) => {
            table_fits(&found, &wanted.map(|i| types[i as usize]))
        }
        (module::ImportType::Memory(wanted), Found::Memory(found)) => memory_fits(&found, &wanted),
        (module::ImportType::Tag(ty), Found::Tag(found)) => found == types[ty],
        _ => false,
    };
    if fits { Ok(()) } else { Err(incompatible(import, found.to_type(types.registry()))) }
}

/// The error that says that an import wants something else.
#[cold]
fn incompatible(import: &ImportType<'_>, found: ExternType) -> Error {
    let (module, name, wanted) = (import.module(), import.name(), import.ty());
    let what: &dyn fmt::Display = if wanted.noun() == found.noun() {
        &alloc::format!(
            "{} types incompatible: expected type `{wanted}`, found type `{found}`",
            wanted.noun()
        )
    } else {
        &alloc::format!("expected {}, found {}", wanted.noun(), found.noun())
    };
    Error::link(alloc::format!("incompatible import type for `{module}::{name}`: {what}"))
}

/// The error that says that there is nothing for an import.
#[cold]
pub(crate) fn unknown(import: &ImportType<'_>) -> Error {
    let (module, name) = (import.module(), import.name());
    Error::link(alloc::format!("unknown import: `{module}::{name}` has not been defined"))
}

fn global_fits(
    actual: &GlobalType,
    wanted: &GlobalType,
    is_subtype: impl FnOnce(u32, u32) -> bool,
) -> bool {
    actual.mutability == wanted.mutability
        && match wanted.mutability {
            Mutability::Const => actual.content.matches(wanted.content, is_subtype),
            Mutability::Var => actual.content == wanted.content,
        }
}

fn table_fits(actual: &TableType, wanted: &TableType) -> bool {
    actual.element == wanted.element
        && actual.is_64 == wanted.is_64
        && sizes_fit((actual.minimum, actual.maximum), (wanted.minimum, wanted.maximum))
}

fn memory_fits(actual: &MemoryType, wanted: &MemoryType) -> bool {
    actual.is_64 == wanted.is_64
        && actual.page_size_log2 == wanted.page_size_log2
        && actual.shared == wanted.shared
        && sizes_fit((actual.minimum, actual.maximum), (wanted.minimum, wanted.maximum))
}

fn sizes_fit(actual: (u64, Option<u64>), wanted: (u64, Option<u64>)) -> bool {
    actual.0 >= wanted.0
        && wanted.1.is_none_or(|most| actual.1.is_some_and(|actual_most| actual_most <= most))
}
