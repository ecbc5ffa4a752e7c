//! Types: of values, of what modules and embedders define, and of what modules import and export.

mod defined;
mod value;

pub use defined::{ArrayType, FieldType, Finality, FuncType, StorageType, StructType};
pub use value::{HeapType, RefType, ValType};

use crate::{Mutability, Result};
use core::fmt;
use kinglet_core::{
    index::TypeIdx,
    module::{self, ExportItem, Import},
    runtime::{instance::Program, registry::TypeRegistry},
    types,
};

/// The type of a global.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

impl GlobalType {
    /// The type of globals with such values.
    pub fn new(content: ValType, mutability: Mutability) -> GlobalType {
        GlobalType { content, mutability }
    }

    /// Type of the value.
    pub fn content(&self) -> &ValType {
        &self.content
    }

    /// Whether the value can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    pub(crate) fn to_core(&self) -> types::GlobalType {
        types::GlobalType { content: self.content.to_core(), mutability: self.mutability }
    }

    pub(crate) fn from_core(registry: &TypeRegistry, ty: types::GlobalType) -> GlobalType {
        GlobalType::new(ValType::from_core(registry, ty.content), ty.mutability)
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => write!(f, "(global {})", self.content),
            Mutability::Var => write!(f, "(global (mut {}))", self.content),
        }
    }
}

/// The type of a table. Sizes are in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    element: RefType,
    is_64: bool,
    minimum: u64,
    maximum: Option<u64>,
}

impl TableType {
    /// The type of tables of such elements.
    pub fn new(element: RefType, minimum: u32, maximum: Option<u32>) -> TableType {
        let (minimum, maximum) = (minimum.into(), maximum.map(u64::from));
        TableType { element, is_64: false, minimum, maximum }
    }

    /// The type of tables of such elements that are indexed by `i64`.
    pub fn new64(element: RefType, minimum: u64, maximum: Option<u64>) -> TableType {
        TableType { element, is_64: true, minimum, maximum }
    }

    /// Type of the elements.
    pub fn element(&self) -> &RefType {
        &self.element
    }

    /// The smallest size.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// The largest size, if there is one.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Whether the table is indexed by `i64`.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    pub(crate) fn to_core(&self) -> types::TableType {
        let TableType { is_64, minimum, maximum, .. } = *self;
        types::TableType { element: self.element.to_core(), is_64, minimum, maximum }
    }

    pub(crate) fn from_core(registry: &TypeRegistry, ty: types::TableType) -> TableType {
        let types::TableType { element, is_64, minimum, maximum } = ty;
        TableType { element: RefType::from_core(registry, element), is_64, minimum, maximum }
    }
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = if self.is_64 { "i64 " } else { "" };
        write!(f, "(table {index}{}", self.minimum)?;
        if let Some(maximum) = self.maximum {
            write!(f, " {maximum}")?;
        }
        write!(f, " {})", self.element)
    }
}

/// The type of a memory. Sizes are in pages, of 64 KiB unless the type says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType(pub(crate) types::MemoryType);

impl MemoryType {
    /// The type of memories of such sizes.
    pub fn new(minimum: u32, maximum: Option<u32>) -> MemoryType {
        MemoryTypeBuilder::new().min(minimum.into()).max(maximum.map(u64::from)).ty.clone()
    }

    /// The type of memories of such sizes that are addressed by `i64`.
    pub fn new64(minimum: u64, maximum: Option<u64>) -> MemoryType {
        MemoryTypeBuilder::new().memory64(true).min(minimum).max(maximum).ty.clone()
    }

    /// The type of memories of such sizes that several threads may use at the same time.
    pub fn shared(minimum: u32, maximum: u32) -> MemoryType {
        let maximum = Some(maximum.into());
        MemoryTypeBuilder::new().shared(true).min(minimum.into()).max(maximum).ty.clone()
    }

    /// The smallest size.
    pub fn minimum(&self) -> u64 {
        self.0.minimum
    }

    /// The largest size, if there is one.
    pub fn maximum(&self) -> Option<u64> {
        self.0.maximum
    }

    /// Whether the memory is addressed by `i64`.
    pub fn is_64(&self) -> bool {
        self.0.is_64
    }

    /// Whether several threads may use the memory at the same time: then it is a [`SharedMemory`](crate::SharedMemory).
    pub fn is_shared(&self) -> bool {
        self.0.shared
    }

    /// Bytes per page.
    pub fn page_size(&self) -> u64 {
        self.0.page_size()
    }

    /// The base-two logarithm of the number of bytes per page.
    pub fn page_size_log2(&self) -> u8 {
        self.0.page_size_log2
    }
}

/// Builds a [`MemoryType`].
///
/// ```
/// use kinglet::MemoryTypeBuilder;
///
/// let ty = MemoryTypeBuilder::new().min(100).max(Some(1000)).page_size_log2(0).build()?;
/// assert_eq!((ty.minimum(), ty.page_size()), (100, 1));
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTypeBuilder {
    ty: MemoryType,
}

impl Default for MemoryTypeBuilder {
    fn default() -> MemoryTypeBuilder {
        MemoryTypeBuilder {
            ty: MemoryType(types::MemoryType {
                is_64: false,
                minimum: 0,
                maximum: None,
                page_size_log2: types::MemoryType::DEFAULT_PAGE_SIZE_LOG2,
                shared: false,
            }),
        }
    }
}

impl MemoryTypeBuilder {
    /// A type with no smallest or largest size, 32-bit addresses, pages of 64 KiB, for one thread.
    pub fn new() -> MemoryTypeBuilder {
        MemoryTypeBuilder::default()
    }

    /// The smallest size, in pages.
    pub fn min(&mut self, pages: u64) -> &mut MemoryTypeBuilder {
        self.ty.0.minimum = pages;
        self
    }

    /// The largest size, in pages.
    pub fn max(&mut self, pages: Option<u64>) -> &mut MemoryTypeBuilder {
        self.ty.0.maximum = pages;
        self
    }

    /// Whether the memory is addressed by `i64`.
    pub fn memory64(&mut self, is_64: bool) -> &mut MemoryTypeBuilder {
        self.ty.0.is_64 = is_64;
        self
    }

    /// Whether several threads may use the memory at the same time.
    pub fn shared(&mut self, shared: bool) -> &mut MemoryTypeBuilder {
        self.ty.0.shared = shared;
        self
    }

    /// The base-two logarithm of the number of bytes per page: 16, or 0.
    pub fn page_size_log2(&mut self, log2: u8) -> &mut MemoryTypeBuilder {
        self.ty.0.page_size_log2 = log2;
        self
    }

    /// The type.
    ///
    /// # Errors
    /// It makes no sense: the largest size is less than the smallest, or more than addresses can reach; a page has another number of
    /// bytes than 1 or 65,536; or the memory is shared and has no largest size.
    pub fn build(&self) -> Result<MemoryType> {
        self.ty.check()?;
        Ok(self.ty.clone())
    }
}

impl MemoryType {
    /// Checks what validation checks of the types in modules (spec, 3.2.9).
    pub(crate) fn check(&self) -> Result<()> {
        let ty = &self.0;
        if ty.maximum.is_some_and(|maximum| maximum < ty.minimum) {
            crate::bail!(
                "maximum size of a memory is less than its minimum: {} < {}",
                ty.maximum.unwrap_or_default(),
                ty.minimum
            );
        }
        if !matches!(ty.page_size_log2, 0 | types::MemoryType::DEFAULT_PAGE_SIZE_LOG2) {
            crate::bail!(
                "pages of 2^{} bytes; there are pages of 1 and of 65,536",
                ty.page_size_log2
            );
        }
        if ty.shared && ty.maximum.is_none() {
            crate::bail!("a shared memory must have a maximum size");
        }
        if ty.maximum.unwrap_or(ty.minimum) > ty.address_space() {
            crate::bail!("memory size is more than its addresses can reach");
        }
        Ok(())
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = if self.0.is_64 { "i64 " } else { "" };
        write!(f, "(memory {index}{}", self.0.minimum)?;
        if let Some(maximum) = self.0.maximum {
            write!(f, " {maximum}")?;
        }
        if self.0.page_size_log2 != 16 {
            write!(f, " (pagesize {:#x})", self.page_size())?;
        }
        if self.0.shared {
            f.write_str(" shared")?;
        }
        f.write_str(")")
    }
}

/// The type of a tag: a function type, whose parameters are what an exception carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagType(pub(crate) FuncType);

impl TagType {
    /// The type of tags of exceptions that carry the parameters of `ty`, which has no results.
    pub fn new(ty: FuncType) -> TagType {
        TagType(ty)
    }

    /// The function type.
    pub fn ty(&self) -> &FuncType {
        &self.0
    }
}

impl fmt::Display for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(tag")?;
        self.0.params().try_for_each(|ty| write!(f, " (param {ty})"))?;
        f.write_str(")")
    }
}

/// The type of something that can be imported or exported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A tag.
    Tag(TagType),
}

macro_rules! extern_types {
    ($( $variant:ident $ty:ident $as_ref:ident $unwrap:ident $what:literal; )*) => {
        impl ExternType {
            $(
                #[doc = concat!("The type, if it is that of a ", $what, ".")]
                pub fn $as_ref(&self) -> Option<&$ty> {
                    match self { ExternType::$variant(ty) => Some(ty), _ => None }
                }

                #[doc = concat!("The type of a ", $what, ".\n\n# Panics\nIf it is the type of something else.")]
                pub fn $unwrap(&self) -> &$ty {
                    self.$as_ref().expect(concat!("expected a ", $what))
                }
            )*

            /// What it is the type of, in one word.
            pub(crate) fn noun(&self) -> &'static str {
                match self { $( ExternType::$variant(_) => $what, )* }
            }
        }

        $(
            impl From<$ty> for ExternType {
                fn from(ty: $ty) -> ExternType {
                    ExternType::$variant(ty)
                }
            }
        )*

        impl fmt::Display for ExternType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $( ExternType::$variant(ty) => ty.fmt(f), )* }
            }
        }
    };
}

extern_types! {
    Func FuncType func unwrap_func "function";
    Global GlobalType global unwrap_global "global";
    Table TableType table unwrap_table "table";
    Memory MemoryType memory unwrap_memory "memory";
    Tag TagType tag unwrap_tag "tag";
}

/// Something that a module imports: the two names that it is looked up by, and what it has to be.
#[derive(Clone, Copy)]
pub struct ImportType<'m> {
    pub(crate) program: &'m Program,
    pub(crate) import: &'m Import,
}

impl<'m> ImportType<'m> {
    /// The first name.
    pub fn module(&self) -> &'m str {
        &self.import.module
    }

    /// The second name.
    pub fn name(&self) -> &'m str {
        &self.import.name
    }

    /// What it has to be.
    pub fn ty(&self) -> ExternType {
        let types = &self.program.types;
        let id = |i: u32| types[i as usize];
        let func = |ty: TypeIdx| FuncType::of(types.registry(), types[ty]);
        match self.import.ty {
            module::ImportType::Func(ty) => ExternType::Func(func(ty)),
            module::ImportType::Table(ty) => {
                ExternType::Table(TableType::from_core(types.registry(), ty.map(id)))
            }
            module::ImportType::Memory(ty) => ExternType::Memory(MemoryType(ty)),
            module::ImportType::Global(ty) => {
                ExternType::Global(GlobalType::from_core(types.registry(), ty.map(id)))
            }
            module::ImportType::Tag(ty) => ExternType::Tag(TagType(func(ty))),
        }
    }
}

impl fmt::Debug for ImportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportType")
            .field("module", &self.module())
            .field("name", &self.name())
            .field("ty", &self.ty())
            .finish()
    }
}

/// Something that a module exports: its name, and what it is.
#[derive(Clone, Copy)]
pub struct ExportType<'m> {
    pub(crate) program: &'m Program,
    pub(crate) export: &'m module::Export,
}

impl<'m> ExportType<'m> {
    /// The name.
    pub fn name(&self) -> &'m str {
        &self.export.name
    }

    /// What it is.
    pub fn ty(&self) -> ExternType {
        let Program { module, types, .. } = self.program;
        let id = |i: u32| types[i as usize];
        let func = |ty: TypeIdx| FuncType::of(types.registry(), types[ty]);
        match self.export.item {
            ExportItem::Func(i) => ExternType::Func(func(module.funcs[i])),
            ExportItem::Table(i) => {
                let ty = module.tables[i].map(id);
                ExternType::Table(TableType::from_core(types.registry(), ty))
            }
            ExportItem::Memory(i) => ExternType::Memory(MemoryType(module.memories[i])),
            ExportItem::Global(i) => {
                let ty = module.globals[i].map(id);
                ExternType::Global(GlobalType::from_core(types.registry(), ty))
            }
            ExportItem::Tag(i) => ExternType::Tag(TagType(func(module.tags[i]))),
        }
    }
}

impl fmt::Debug for ExportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportType").field("name", &self.name()).field("ty", &self.ty()).finish()
    }
}
