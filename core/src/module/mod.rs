//! A decoded, validated module (spec, 2.5): everything about it but its executable form.

pub mod const_expr;
pub mod features;

use crate::{
    Shared, artifact,
    bytes::Bytes,
    index::{out_of_range, *},
    types::{CompositeType, FuncType, GlobalType, MemoryType, RefType, SubType, TableType},
};
use alloc::boxed::Box;
use const_expr::ConstExpr;
use core::{cmp::Ordering, ops::Range};
#[cfg(feature = "compile")]
use {crate::error::Error, alloc::vec::Vec, core::mem, features::Features};

/// A decoded, validated module.
///
/// Index spaces hold imported items first, as the specification numbers them.
#[derive(Debug, Default)]
pub struct Module {
    /// The binary that the module was decoded from, or the artifact. Segments, function bodies and names are ranges of it.
    pub wasm: Bytes,
    /// Defined types, by [`TypeIdx`]. They name each other by index.
    pub types: Box<[SubType]>,
    /// The index behind the last type of each recursion group, in order.
    pub rec_groups: Box<[u32]>,
    /// Imports, in order.
    pub imports: Box<[Import]>,
    /// Exports, in order.
    pub exports: Box<[Export]>,
    /// Positions in `exports`, ordered by name.
    pub exports_by_name: Box<[u32]>,
    /// Type of each function, by [`FuncIdx`].
    pub funcs: Box<[TypeIdx]>,
    /// How many functions are imported.
    pub imported_funcs: u32,
    /// Bodies of the functions that are not imported, by [`FuncIdx`] less `imported_funcs`. Empty if the module comes from an artifact,
    /// which has none.
    pub bodies: Box<[Body]>,
    /// Tables, by [`TableIdx`].
    pub tables: Box<[TableType]>,
    /// How many tables are imported.
    pub imported_tables: u32,
    /// Initial elements of the tables that are not imported; `None` is null.
    pub table_inits: Box<[Option<ConstExpr>]>,
    /// Memories, by [`MemoryIdx`].
    pub memories: Box<[MemoryType]>,
    /// How many memories are imported.
    pub imported_memories: u32,
    /// Globals, by [`GlobalIdx`].
    pub globals: Box<[GlobalType]>,
    /// How many globals are imported.
    pub imported_globals: u32,
    /// Initial values of the globals that are not imported.
    pub global_inits: Box<[ConstExpr]>,
    /// Type of each tag, by [`TagIdx`]: its parameters are what an exception carries.
    pub tags: Box<[TypeIdx]>,
    /// How many tags are imported.
    pub imported_tags: u32,
    /// Element segments, by [`ElemIdx`].
    pub elems: Box<[Elem]>,
    /// Data segments, by [`DataIdx`].
    pub datas: Box<[Data]>,
    /// The start function.
    pub start: Option<FuncIdx>,
    /// Hints at which way branches go, ordered by where the branches are. Empty unless the proposal is enabled.
    pub branch_hints: Box<[BranchHint]>,
    /// Where the names of functions and tags are.
    pub names: Names,
}

/// Where the names of functions and tags are, and that of the module itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// There are none.
    #[default]
    None,
    /// In the name section, whose contents are this range of the binary.
    Section(Range<usize>),
    /// In a table, which is this range of the artifact.
    Table(Range<usize>),
}

/// An import: the two names it is looked up by, and its type.
#[derive(Debug)]
pub struct Import {
    /// First name.
    pub module: Shared<str>,
    /// Second name.
    pub name: Shared<str>,
    /// What is wanted.
    pub ty: ImportType,
}

/// The type of an import; functions by the index of their type in the module.
#[derive(Clone, Copy, Debug)]
pub enum ImportType {
    /// A function.
    Func(TypeIdx),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// A tag.
    Tag(TypeIdx),
}

/// An export: a name for an item of the module.
#[derive(Debug)]
pub struct Export {
    /// The name.
    pub name: Shared<str>,
    /// The item.
    pub item: ExportItem,
}

/// What an export names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportItem {
    /// A function.
    Func(FuncIdx),
    /// A table.
    Table(TableIdx),
    /// A memory.
    Memory(MemoryIdx),
    /// A global.
    Global(GlobalIdx),
    /// A tag.
    Tag(TagIdx),
}

/// A function body: where it is in the binary, and what validation found out about it.
#[derive(Clone, Debug)]
pub struct Body {
    /// Local declarations and operators, as a range of the binary.
    pub range: Range<usize>,
    /// The integer local that the interpreter keeps in a register, if any pays.
    pub pinned_int: Option<u16>,
    /// The `f64` local that the interpreter keeps in a register, if any pays.
    pub pinned_f64: Option<u16>,
}

/// A hint at which way an `if` or `br_if` goes ([branch hinting]).
///
/// [branch hinting]: https://github.com/WebAssembly/branch-hinting
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchHint {
    /// Where the operator is in the binary.
    pub offset: u32,
    /// Whether its condition is likely to hold.
    pub taken: bool,
}

/// How a segment comes to be used.
#[derive(Debug)]
pub enum SegmentMode<I> {
    /// Copied when the module is instantiated.
    Active {
        /// Where to: which table or memory.
        into: I,
        /// Where to: at which element or byte.
        offset: ConstExpr,
    },
    /// Copied by `table.init` or `memory.init`.
    Passive,
    /// Never copied: only declares functions that `ref.func` may name.
    Declared,
}

/// An element segment.
#[derive(Debug)]
pub struct Elem {
    /// Type of the elements.
    pub ty: RefType,
    /// How it is used.
    pub mode: SegmentMode<TableIdx>,
    /// The elements.
    pub items: ElemItems,
}

/// The elements of a segment.
#[derive(Debug)]
pub enum ElemItems {
    /// References to functions.
    Funcs(Box<[FuncIdx]>),
    /// Constant expressions.
    Exprs(Box<[ConstExpr]>),
}

impl ElemItems {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            ElemItems::Funcs(items) => items.len(),
            ElemItems::Exprs(items) => items.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data segment.
#[derive(Debug)]
pub struct Data {
    /// How it is used; never [`SegmentMode::Declared`].
    pub mode: SegmentMode<MemoryIdx>,
    /// Its bytes, as a range of the binary.
    pub bytes: Range<usize>,
}

impl Module {
    /// The type of function `func`.
    #[inline]
    pub fn func_type(&self, func: FuncIdx) -> &FuncType {
        self.signature(self.funcs[func])
    }

    /// A type of the module that is a function type.
    ///
    /// # Panics
    /// If it is none. Validation has made sure that the types of functions, calls, blocks and tags are.
    #[inline]
    pub fn signature(&self, ty: TypeIdx) -> &FuncType {
        match &self.types[ty].composite {
            CompositeType::Func(ty) => ty,
            _ => out_of_range(),
        }
    }

    /// The type of tag `tag`.
    pub fn tag_type(&self, tag: TagIdx) -> &FuncType {
        self.signature(self.tags[tag])
    }

    /// How many functions are not imported.
    pub fn defined_funcs(&self) -> usize {
        self.funcs.len() - self.imported_funcs as usize
    }

    /// The body of function `func`, `None` if it is imported or the module comes from an artifact.
    pub fn body(&self, func: FuncIdx) -> Option<&Body> {
        self.bodies.get(func.at().checked_sub(self.imported_funcs as usize)?)
    }

    /// Whether the condition of the `if` or `br_if` at this offset of the binary is likely to hold, if there is a hint.
    pub fn branch_hint(&self, offset: usize) -> Option<bool> {
        let hints = &self.branch_hints;
        let at = hints.binary_search_by_key(&offset, |hint| hint.offset as usize).ok()?;
        Some(hints[at].taken)
    }

    /// The export called `name`.
    pub fn export(&self, name: &str) -> Option<&Export> {
        let at = self
            .exports_by_name
            .binary_search_by(|&i| {
                let export = self.exports.get(i as usize);
                export.map_or(Ordering::Less, |export| (*export.name).cmp(name))
            })
            .ok()?;
        self.exports.get(*self.exports_by_name.get(at)? as usize)
    }

    /// The name of function `func` according to the name section.
    ///
    /// Reads the section anew each time: for messages, not for hot paths.
    pub fn func_name(&self, func: FuncIdx) -> Option<&str> {
        match &self.names {
            #[cfg(feature = "compile")]
            Names::Section(names) => crate::binary::func_name(&self.wasm[names.clone()], func),
            Names::Table(names) => artifact::func_name(&self.wasm[names.clone()], func),
            _ => None,
        }
    }

    /// The name of tag `tag` according to the name section, otherwise one that it is exported by.
    pub fn tag_name(&self, tag: TagIdx) -> Option<&str> {
        let name = match &self.names {
            #[cfg(feature = "compile")]
            Names::Section(names) => crate::binary::tag_name(&self.wasm[names.clone()], tag),
            Names::Table(names) => artifact::tag_name(&self.wasm[names.clone()], tag),
            _ => None,
        };
        name.or_else(|| {
            let export = self.exports.iter().find(|export| export.item == ExportItem::Tag(tag))?;
            Some(&export.name)
        })
    }

    /// The name of the module according to the name section.
    pub fn name(&self) -> Option<&str> {
        match &self.names {
            #[cfg(feature = "compile")]
            Names::Section(names) => crate::binary::module_name(&self.wasm[names.clone()]),
            Names::Table(names) => artifact::module_name(&self.wasm[names.clone()]),
            _ => None,
        }
    }
}

#[cfg(feature = "compile")]
impl Module {
    /// Decodes and validates a module in the binary format (spec, 3 and 5).
    ///
    /// # Errors
    ///
    /// If `wasm` is no valid module, or needs a proposal or a size that `features` do not allow. The error says where.
    pub fn decode(wasm: impl Into<Box<[u8]>>, features: &Features) -> Result<Module, Error> {
        let wasm = wasm.into();
        let module = crate::binary::decode(&wasm, features)?;
        Ok(Module { wasm: wasm.into(), ..module })
    }

    /// Validates a module in the binary format.
    ///
    /// # Errors
    ///
    /// Those of [`Module::decode`].
    pub fn validate(wasm: &[u8], features: &Features) -> Result<(), Error> {
        crate::binary::decode(wasm, features).map(drop)
    }

    /// Which of `features`, as [`Features::bits`], a module needs that is valid with all of them.
    pub fn features_used(wasm: &[u8], features: &Features) -> u64 {
        // What is valid without some of them is valid without each of these: most go by in large groups.
        let mut used = 0;
        let count = Features::NAMES.len();
        let mut groups = Vec::from([0..count / 2, count / 2..count]);
        while let Some(group) = groups.pop() {
            let mut without = features.clone();
            let mut switches = without.switches();
            let any =
                switches[group.clone()].iter_mut().fold(false, |any, on| any | mem::take(*on));
            if !any || Module::validate(wasm, &without).is_ok() {
                continue;
            }
            if group.len() == 1 {
                used |= 1 << group.start;
            } else {
                let middle = group.start + group.len() / 2;
                groups.extend([group.start..middle, middle..group.end]);
            }
        }
        used
    }
}
