//! Types of the specification (section 2.3).

use alloc::boxed::Box;
use core::fmt;

/// What a reference may point to (spec, 2.3.3).
///
/// Function references, external references, references to data (`any`) and exceptions are hierarchies of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HeapType {
    /// Any function.
    Func,
    /// No function.
    NoFunc,
    /// Any external value: of the host, or of the guest and passed through `extern.convert_any`.
    Extern,
    /// No external value.
    NoExtern,
    /// Any data of the guest, and what has passed through `any.convert_extern`.
    Any,
    /// Whatever `ref.eq` compares.
    Eq,
    /// An integer of 31 bits.
    I31,
    /// Any structure.
    Struct,
    /// Any array.
    Array,
    /// No data.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
    /// Values of a defined type.
    Concrete(ConcreteType),
}

/// A defined type, by its number: its index in a decoded module, its [`TypeId`](crate::index::TypeId) at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConcreteType {
    /// What it describes, so that its hierarchy is known without a look at it.
    pub kind: TypeKind,
    /// Which type.
    pub index: u32,
}

/// What a defined type describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeKind {
    /// Functions.
    Func,
    /// Structures.
    Struct,
    /// Arrays.
    Array,
}

impl From<TypeKind> for HeapType {
    /// The abstract type of all values of that kind.
    fn from(kind: TypeKind) -> HeapType {
        match kind {
            TypeKind::Func => HeapType::Func,
            TypeKind::Struct => HeapType::Struct,
            TypeKind::Array => HeapType::Array,
        }
    }
}

impl HeapType {
    /// The largest type of its hierarchy: `func`, `extern`, `any` or `exn`.
    pub const fn top(self) -> HeapType {
        use HeapType::*;
        match self {
            Func | NoFunc | Concrete(ConcreteType { kind: TypeKind::Func, .. }) => Func,
            Extern | NoExtern => Extern,
            Exn | NoExn => Exn,
            Any | Eq | I31 | Struct | Array | None | Concrete(_) => Any,
        }
    }

    /// The smallest type of its hierarchy: only null belongs to it.
    pub const fn bottom(self) -> HeapType {
        use HeapType::*;
        match self.top() {
            Func => NoFunc,
            Extern => NoExtern,
            Exn => NoExn,
            _ => None,
        }
    }

    /// The abstract types, in the order of their numbers where a number stands for one.
    pub const ABSTRACT: [HeapType; 12] = [
        HeapType::Func,
        HeapType::NoFunc,
        HeapType::Extern,
        HeapType::NoExtern,
        HeapType::Any,
        HeapType::Eq,
        HeapType::I31,
        HeapType::Struct,
        HeapType::Array,
        HeapType::None,
        HeapType::Exn,
        HeapType::NoExn,
    ];

    /// The type as a number: that of its place among the abstract types, or behind these the number of a defined type.
    pub fn number(self) -> u32 {
        match self {
            HeapType::Concrete(ty) => Self::ABSTRACT.len() as u32 + ty.index,
            heap => Self::ABSTRACT.iter().position(|&other| other == heap).unwrap_or(0) as u32,
        }
    }

    /// The type with a number; `kind` answers of what kind a defined type is, if there is one of that number.
    pub fn from_number(
        number: u32,
        kind: impl FnOnce(u32) -> Option<TypeKind>,
    ) -> Option<HeapType> {
        match number.checked_sub(Self::ABSTRACT.len() as u32) {
            None => Some(Self::ABSTRACT[number as usize]),
            Some(index) => Some(HeapType::Concrete(ConcreteType { kind: kind(index)?, index })),
        }
    }

    /// The type whose values are the same handles: what passes between `extern` and `any` stays as it is.
    #[must_use]
    pub fn internalized(self) -> HeapType {
        match self {
            HeapType::Extern => HeapType::Any,
            HeapType::NoExtern => HeapType::None,
            heap => heap,
        }
    }

    /// Whether references of the type are to functions. All others are managed.
    pub const fn is_func(self) -> bool {
        matches!(self.top(), HeapType::Func)
    }

    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> HeapType {
        match self {
            HeapType::Concrete(ConcreteType { kind, index }) => {
                HeapType::Concrete(ConcreteType { kind, index: number(index) })
            }
            other => other,
        }
    }

    /// Whether every value of this type is one of `other`; `is_subtype` says so of defined types, by their numbers.
    pub fn matches(self, other: HeapType, is_subtype: impl FnOnce(u32, u32) -> bool) -> bool {
        use HeapType::*;
        if let (Concrete(a), Concrete(b)) = (self, other) {
            return a.kind == b.kind && (a.index == b.index || is_subtype(a.index, b.index));
        }
        let declared = if let Concrete(ty) = self { ty.kind.into() } else { self };
        match (declared, other) {
            (a, b) if a == b => true,
            (NoFunc | NoExtern | None | NoExn, b) => self.top() == b.top(),
            (I31 | Struct | Array, Eq | Any) | (Eq, Any) => true,
            _ => false,
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Concrete(ty) => return write!(f, "{}", ty.index),
        })
    }
}

/// A reference type (spec, 2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefType {
    /// Whether the null reference belongs to the type.
    pub nullable: bool,
    /// What the reference may point to.
    pub heap: HeapType,
}

impl RefType {
    /// `(ref null func)`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `(ref null extern)`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };
    /// `(ref null exn)`.
    pub const EXNREF: RefType = RefType { nullable: true, heap: HeapType::Exn };

    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> RefType {
        RefType { heap: self.heap.map(number), ..self }
    }

    /// Whether every value of this type is one of `other`; `is_subtype` says so of defined types, by their numbers.
    pub fn matches(self, other: RefType, is_subtype: impl FnOnce(u32, u32) -> bool) -> bool {
        (other.nullable || !self.nullable) && self.heap.matches(other.heap, is_subtype)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap) {
            (true, HeapType::Concrete(ty)) => write!(f, "(ref null {})", ty.index),
            (true, HeapType::None) => f.write_str("nullref"),
            (true, HeapType::NoFunc) => f.write_str("nullfuncref"),
            (true, HeapType::NoExtern) => f.write_str("nullexternref"),
            (true, HeapType::NoExn) => f.write_str("nullexnref"),
            (true, heap) => write!(f, "{heap}ref"),
            (false, heap) => write!(f, "(ref {heap})"),
        }
    }
}

/// What a reference may be cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CastTarget {
    /// The type, with indices of the module.
    pub ty: RefType,
    /// Whether it is a defined type without subtypes.
    pub is_final: bool,
}

impl CastTarget {
    /// Null is of the type.
    pub const NULLABLE: u16 = 1;
    /// It is an abstract type, by its place in [`HeapType::ABSTRACT`].
    pub const ABSTRACT: u16 = 2;
    /// It is a type of functions.
    pub const FUNCTION: u16 = 4;

    /// The type as operands of an op: a number, and flags.
    pub fn operands(self) -> (u32, u16) {
        let RefType { nullable, heap } = self.ty;
        let (number, flags) = match heap {
            HeapType::Concrete(ty) if ty.kind == TypeKind::Func => (ty.index, Self::FUNCTION),
            HeapType::Concrete(ty) => (ty.index, 0),
            heap => {
                let number = HeapType::ABSTRACT.iter().position(|&other| other == heap);
                (number.unwrap_or(0) as u32, Self::ABSTRACT)
            }
        };
        (number, if nullable { flags | Self::NULLABLE } else { flags })
    }
}

/// The type of a value (spec, 2.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValType {
    /// 32-bit integer, signed or not.
    I32,
    /// 64-bit integer, signed or not.
    I64,
    /// 32-bit IEEE 754 number.
    F32,
    /// 64-bit IEEE 754 number.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `exnref`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);

    /// Whether values of the type are references.
    pub const fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether values of the type are references that the collector has to know of: to anything but functions.
    pub const fn is_managed(&self) -> bool {
        matches!(self, ValType::Ref(ty) if !ty.heap.is_func())
    }

    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> ValType {
        match self {
            ValType::Ref(ty) => ValType::Ref(ty.map(number)),
            other => other,
        }
    }

    /// Whether every value of this type is one of `other`; `is_subtype` says so of defined types, by their numbers.
    pub fn matches(self, other: ValType, is_subtype: impl FnOnce(u32, u32) -> bool) -> bool {
        match (self, other) {
            (ValType::Ref(a), ValType::Ref(b)) => a.matches(b, is_subtype),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(r) => r.fmt(f),
        }
    }
}

/// How many slots values of these types take: a `v128` takes two.
pub fn slot_count(types: &[ValType]) -> u32 {
    types.iter().map(|ty| if *ty == ValType::V128 { 2 } else { 1 }).sum()
}

/// The type of a function: parameters and results (spec, 2.3.9).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FuncType {
    /// Parameters, then results.
    types: Box<[ValType]>,
    params: u32,
}

impl FuncType {
    /// A function type from its parameter and result types.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        let mut types: alloc::vec::Vec<ValType> = params.into_iter().collect();
        let params = types.len() as u32;
        types.extend(results);
        FuncType { types: types.into(), params }
    }

    /// Types of the parameters, in order.
    #[inline]
    pub fn params(&self) -> &[ValType] {
        self.types.get(..self.params as usize).unwrap_or_default()
    }

    /// Types of the results, in order.
    #[inline]
    pub fn results(&self) -> &[ValType] {
        self.types.get(self.params as usize..).unwrap_or_default()
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (what, types) in [(" (param", self.params()), (" (result", self.results())] {
            if !types.is_empty() {
                f.write_str(what)?;
                types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
                f.write_str(")")?;
            }
        }
        f.write_str(")")
    }
}

impl fmt::Debug for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a field or element holds (spec, 2.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A value.
    Val(ValType),
}

impl StorageType {
    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> StorageType {
        match self {
            StorageType::Val(ty) => StorageType::Val(ty.map(number)),
            packed => packed,
        }
    }

    /// The type of values that are written and read.
    pub const fn unpack(self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        }
    }

    /// Bytes that such a field takes: a reference takes the 4 of a handle.
    pub const fn size(self) -> u32 {
        match self {
            StorageType::I8 => 1,
            StorageType::I16 => 2,
            StorageType::Val(ValType::I32 | ValType::F32 | ValType::Ref(_)) => 4,
            StorageType::Val(ValType::I64 | ValType::F64) => 8,
            StorageType::Val(ValType::V128) => 16,
        }
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageType::I8 => f.write_str("i8"),
            StorageType::I16 => f.write_str("i16"),
            StorageType::Val(ty) => ty.fmt(f),
        }
    }
}

/// The type of a field of a structure, or of the elements of an array (spec, 2.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldType {
    /// What it holds.
    pub storage: StorageType,
    /// Whether it can be assigned.
    pub mutability: Mutability,
}

impl FieldType {
    /// Whether such a field can stand where `other` is expected; `is_subtype` says so of defined types, by their numbers.
    pub fn matches(&self, other: &FieldType, is_subtype: &dyn Fn(u32, u32) -> bool) -> bool {
        let values = |a: StorageType, b: StorageType| match (a, b) {
            (StorageType::Val(a), StorageType::Val(b)) => a.matches(b, is_subtype),
            (a, b) => a == b,
        };
        let (a, b) = (self.storage, other.storage);
        // What can be assigned has the same type, though that may go by other numbers.
        self.mutability == other.mutability
            && values(a, b)
            && (self.mutability == Mutability::Const || values(b, a))
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => self.storage.fmt(f),
            Mutability::Var => write!(f, "(mut {})", self.storage),
        }
    }
}

/// The type of a structure: its fields, in order (spec, 2.3.8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StructType {
    /// Types of the fields.
    pub fields: Box<[FieldType]>,
}

/// The type of an array (spec, 2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArrayType {
    /// Type of the elements.
    pub element: FieldType,
}

/// What a defined type describes, and how it is made up (spec, 2.3.10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompositeType {
    /// Functions.
    Func(FuncType),
    /// Structures.
    Struct(StructType),
    /// Arrays.
    Array(ArrayType),
}

impl CompositeType {
    /// Whether a type that is made up so may be a subtype of one that is made up as `other` (spec, 3.3.10).
    pub fn matches(&self, other: &CompositeType, is_subtype: &dyn Fn(u32, u32) -> bool) -> bool {
        let values = |a: &[ValType], b: &[ValType]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.matches(*b, is_subtype))
        };
        match (self, other) {
            (CompositeType::Func(a), CompositeType::Func(b)) => {
                values(b.params(), a.params()) && values(a.results(), b.results())
            }
            (CompositeType::Struct(a), CompositeType::Struct(b)) => {
                a.fields.len() >= b.fields.len()
                    && a.fields.iter().zip(&b.fields).all(|(a, b)| a.matches(b, is_subtype))
            }
            (CompositeType::Array(a), CompositeType::Array(b)) => {
                a.element.matches(&b.element, is_subtype)
            }
            _ => false,
        }
    }

    /// What it describes.
    pub const fn kind(&self) -> TypeKind {
        match self {
            CompositeType::Func(_) => TypeKind::Func,
            CompositeType::Struct(_) => TypeKind::Struct,
            CompositeType::Array(_) => TypeKind::Array,
        }
    }
}

/// A defined type, and where it stands among others (spec, 2.3.11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubType {
    /// Whether no other type can have it as its supertype.
    pub is_final: bool,
    /// The number of the type that it is declared to be a subtype of.
    pub supertype: Option<u32>,
    /// How it is made up.
    pub composite: CompositeType,
}

impl SubType {
    /// The type with the numbers of all defined types changed.
    #[must_use]
    pub fn map(&self, number: &dyn Fn(u32) -> u32) -> SubType {
        let field = |ty: &FieldType| FieldType { storage: ty.storage.map(number), ..*ty };
        let composite = match &self.composite {
            CompositeType::Func(ty) => CompositeType::Func(FuncType {
                types: ty.types.iter().map(|ty| ty.map(number)).collect(),
                params: ty.params,
            }),
            CompositeType::Struct(ty) => {
                CompositeType::Struct(StructType { fields: ty.fields.iter().map(field).collect() })
            }
            CompositeType::Array(ty) => {
                CompositeType::Array(ArrayType { element: field(&ty.element) })
            }
        };
        let supertype = self.supertype.map(number);
        SubType { is_final: self.is_final, supertype, composite }
    }

    /// Calls `each` with the numbers of the defined types that it names, its supertype last.
    pub fn for_each_named(&self, each: &mut dyn FnMut(u32)) {
        let (values, fields): (&[ValType], &[FieldType]) = match &self.composite {
            CompositeType::Func(ty) => (&ty.types, &[]),
            CompositeType::Struct(ty) => (&[], &ty.fields),
            CompositeType::Array(ty) => (&[], core::slice::from_ref(&ty.element)),
        };
        let mut value = |ty| {
            if let ValType::Ref(RefType { heap: HeapType::Concrete(ty), .. }) = ty {
                each(ty.index);
            }
        };
        values.iter().for_each(|&ty| value(ty));
        fields.iter().for_each(|field| value(field.storage.unpack()));
        if let Some(supertype) = self.supertype {
            each(supertype);
        }
    }

    /// The function type, if it is one.
    pub const fn as_func(&self) -> Option<&FuncType> {
        match &self.composite {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The structure type, if it is one.
    pub const fn as_struct(&self) -> Option<&StructType> {
        match &self.composite {
            CompositeType::Struct(ty) => Some(ty),
            _ => None,
        }
    }

    /// The array type, if it is one.
    pub const fn as_array(&self) -> Option<&ArrayType> {
        match &self.composite {
            CompositeType::Array(ty) => Some(ty),
            _ => None,
        }
    }
}

impl From<FuncType> for SubType {
    /// The final type without a supertype that such functions have if nothing else is said.
    fn from(ty: FuncType) -> SubType {
        SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
    }
}

/// Whether a global, field or element can be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutability {
    /// The value never changes.
    Const,
    /// The value can be assigned.
    Var,
}

/// The type of a global (spec, 2.3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// Type of the value.
    pub content: ValType,
    /// Whether it can be assigned.
    pub mutability: Mutability,
}

impl GlobalType {
    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> GlobalType {
        GlobalType { content: self.content.map(number), ..self }
    }
}

/// The type of a table: elements and size in elements (spec, 2.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// Type of the elements.
    pub element: RefType,
    /// Whether the table is indexed by `i64`.
    pub is_64: bool,
    /// Initial number of elements.
    pub minimum: u64,
    /// Largest number of elements it may grow to.
    pub maximum: Option<u64>,
}

impl TableType {
    /// The type with the number of a defined type changed.
    #[must_use]
    pub fn map(self, number: impl FnOnce(u32) -> u32) -> TableType {
        TableType { element: self.element.map(number), ..self }
    }
}

/// The type of a memory: size in pages (spec, 2.3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Whether the memory is addressed by `i64`.
    pub is_64: bool,
    /// Initial number of pages.
    pub minimum: u64,
    /// Largest number of pages it may grow to.
    pub maximum: Option<u64>,
    /// Base-two logarithm of the page size in bytes: 16, or 0 with custom page sizes.
    pub page_size_log2: u8,
    /// Whether several threads may use the memory at the same time. Such a memory has a maximum.
    pub shared: bool,
}

impl MemoryType {
    /// The base-two logarithm of the page size without custom page sizes.
    pub const DEFAULT_PAGE_SIZE_LOG2: u8 = 16;

    /// Bytes per page.
    pub const fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// The most pages that a memory of this type can have, by its own maximum and by its address type.
    pub fn limit(&self) -> u64 {
        self.maximum.unwrap_or(u64::MAX).min(self.address_space())
    }

    /// The most pages that addresses of this type can reach.
    pub const fn address_space(&self) -> u64 {
        if self.is_64 { 1 << (63 - self.page_size_log2) } else { (1 << 32) >> self.page_size_log2 }
    }
}
