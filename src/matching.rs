//! Whether something is what an import wants (spec, 3.3 and 4.5.4).

use crate::{Error, Extern, ExternType, ImportType, Mutability, Result};
use core::fmt;
use kinglet_core::{
    module,
    runtime::StoreInner,
    types::{self, FuncType, GlobalType, MemoryType, TableType},
};

/// What there is for an import.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    /// A function, by its type and the id of that in the engine.
    Func(u32, &'a FuncType),
    Global(GlobalType),
    Table(TableType),
    Memory(MemoryType),
    /// A tag, in the same way.
    Tag(u32, &'a FuncType),
}

impl<'a> Found<'a> {
    /// Something of a store, with the size that it has now.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn of(store: &'a StoreInner, item: &Extern) -> Found<'a> {
        item.check(store);
        match item {
            Extern::Func(func) => {
                Found::Func(store.funcs[func.addr.at()].ty, store.func_type(func.addr))
            }
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
            Extern::Tag(tag) => {
                let tag = store.tag(tag.addr);
                Found::Tag(tag.engine_type(), tag.ty())
            }
        }
    }

    pub(crate) fn to_type(self) -> types::ExternType {
        match self {
            Found::Func(_, ty) => types::ExternType::Func(ty.clone()),
            Found::Global(ty) => types::ExternType::Global(ty),
            Found::Table(ty) => types::ExternType::Table(ty),
            Found::Memory(ty) => types::ExternType::Memory(ty),
            Found::Tag(_, ty) => types::ExternType::Tag(ty.clone()),
        }
    }

    /// What was found before: its type, and the id of that if it is one of functions.
    pub(crate) fn from_type(ty: &'a types::ExternType, id: u32) -> Found<'a> {
        match ty {
            types::ExternType::Func(ty) => Found::Func(id, ty),
            types::ExternType::Global(ty) => Found::Global(*ty),
            types::ExternType::Table(ty) => Found::Table(*ty),
            types::ExternType::Memory(ty) => Found::Memory(*ty),
            types::ExternType::Tag(ty) => Found::Tag(id, ty),
        }
    }

    /// The id in the engine of a type of functions.
    pub(crate) fn id(self) -> u32 {
        match self {
            Found::Func(id, _) | Found::Tag(id, _) => id,
            _ => 0,
        }
    }
}

/// Fails unless `found` is what `import` wants.
pub(crate) fn check(found: Found<'_>, import: &ImportType<'_>) -> Result<()> {
    let types = &*import.program.types;
    let is_subtype = |a, b| types.registry().is_subtype(a, b);
    let fits = match (import.import.ty, found) {
        (module::ImportType::Func(ty), Found::Func(found, _)) => is_subtype(found, types[ty.at()]),
        (module::ImportType::Global(wanted), Found::Global(found)) => {
            global_fits(&found, &wanted.map(|i| types[i as usize]), is_subtype)
        }
        (module::ImportType::Table(wanted), Found::Table(found)) => {
            table_fits(&found, &wanted.map(|i| types[i as usize]))
        }
        (module::ImportType::Memory(wanted), Found::Memory(found)) => memory_fits(&found, &wanted),
        (module::ImportType::Tag(ty), Found::Tag(found, _)) => found == types[ty.at()],
        _ => false,
    };
    if fits { Ok(()) } else { Err(incompatible(import, found.to_type().into())) }
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
