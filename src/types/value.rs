//! Types of values, and how the types of references stand to each other.

use super::{ArrayType, FuncType, StructType, defined::Defined};
use core::fmt;
use kinglet_core::{
    runtime::registry::TypeRegistry,
    types::{self, ConcreteType, TypeKind},
};

/// The type of a value (spec, 2.3.5).
///
/// ```
/// use kinglet::{Engine, FuncType, HeapType, RefType, ValType};
///
/// let nothing = FuncType::new(&Engine::default(), [], []);
/// let reference = ValType::from(RefType::new(false, HeapType::ConcreteFunc(nothing)));
/// assert!(reference.matches(&ValType::FUNCREF));
/// assert!(!ValType::FUNCREF.matches(&reference));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// The type of a reference (spec, 2.3.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    is_nullable: bool,
    heap_type: HeapType,
}

/// What a reference may point to (spec, 2.3.3).
///
/// There are four hierarchies, and every type is a subtype of those above it in its own:
///
/// ```text
///   func               extern       any                      exn
///    │                   │           │                        │
///   concrete functions noextern     eq                      noexn
///    │                               ├─────────┬───────────┐
///   nofunc                          i31      struct       array
///                                    │         │           │
///                                    │  concrete structs  concrete arrays
///                                    └─────────┴───────────┘
///                                             none
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeapType {
    /// Any external value: of the host, or of the guest and passed through `extern.convert_any`.
    Extern,
    /// No external value.
    NoExtern,
    /// Any function.
    Func,
    /// Functions of a given type.
    ConcreteFunc(FuncType),
    /// No function.
    NoFunc,
    /// Any data of the guest, and what has passed through `any.convert_extern`.
    Any,
    /// Whatever `ref.eq` compares.
    Eq,
    /// An integer of 31 bits.
    I31,
    /// Any array.
    Array,
    /// Arrays of a given type.
    ConcreteArray(ArrayType),
    /// Any structure.
    Struct,
    /// Structures of a given type.
    ConcreteStruct(StructType),
    /// No data.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
}

macro_rules! abstract_types {
    ($( $(#[$doc:meta])* $constant:ident $heap:ident; )*) => {
        impl RefType {
            $( $(#[$doc])* pub const $constant: RefType = RefType { is_nullable: true, heap_type: HeapType::$heap }; )*
        }

        impl ValType {
            $( $(#[$doc])* pub const $constant: ValType = ValType::Ref(RefType::$constant); )*
        }

        fn to_core(ty: &HeapType) -> types::HeapType {
            match ty {
                $( HeapType::$heap => types::HeapType::$heap, )*
                HeapType::ConcreteFunc(FuncType(ty)) => concrete(TypeKind::Func, ty),
                HeapType::ConcreteArray(ArrayType(ty)) => concrete(TypeKind::Array, ty),
                HeapType::ConcreteStruct(StructType(ty)) => concrete(TypeKind::Struct, ty),
            }
        }

        fn from_core(registry: &TypeRegistry, ty: types::HeapType) -> HeapType {
            match ty {
                $( types::HeapType::$heap => HeapType::$heap, )*
                types::HeapType::Concrete(ConcreteType { kind, index }) => {
                    let ty = Defined::of(registry, index);
                    match kind {
                        TypeKind::Func => HeapType::ConcreteFunc(FuncType(ty)),
                        TypeKind::Array => HeapType::ConcreteArray(ArrayType(ty)),
                        TypeKind::Struct => HeapType::ConcreteStruct(StructType(ty)),
                    }
                }
                _ => unreachable!("a type of references without a counterpart"),
            }
        }
    };
}

abstract_types! {
    /// `externref`
    EXTERNREF Extern;
    /// `nullexternref`
    NULLEXTERNREF NoExtern;
    /// `funcref`
    FUNCREF Func;
    /// `nullfuncref`
    NULLFUNCREF NoFunc;
    /// `anyref`
    ANYREF Any;
    /// `eqref`
    EQREF Eq;
    /// `i31ref`
    I31REF I31;
    /// `arrayref`
    ARRAYREF Array;
    /// `structref`
    STRUCTREF Struct;
    /// `nullref`
    NULLREF None;
    /// `exnref`
    EXNREF Exn;
    /// `nullexnref`
    NULLEXNREF NoExn;
}

fn concrete(kind: TypeKind, ty: &Defined) -> types::HeapType {
    types::HeapType::Concrete(ConcreteType { kind, index: ty.id() })
}

impl ValType {
    /// Whether it is one of the types of numbers.
    pub fn is_num(&self) -> bool {
        matches!(self, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
    }

    /// Whether it is the type of vectors.
    pub fn is_v128(&self) -> bool {
        matches!(self, ValType::V128)
    }

    /// Whether it is a type of references.
    pub fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// The type of references, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        match self {
            ValType::Ref(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of references.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn unwrap_ref(&self) -> &RefType {
        self.as_ref().expect("expected a type of references")
    }

    /// Whether every value of this type is one of `other`.
    pub fn matches(&self, other: &ValType) -> bool {
        match (self, other) {
            (ValType::Ref(a), ValType::Ref(b)) => a.matches(b),
            (a, b) => a == b,
        }
    }

    /// With ids of the engine, which stay those of the types as long as this value lives.
    pub(crate) fn to_core(&self) -> types::ValType {
        match self {
            ValType::I32 => types::ValType::I32,
            ValType::I64 => types::ValType::I64,
            ValType::F32 => types::ValType::F32,
            ValType::F64 => types::ValType::F64,
            ValType::V128 => types::ValType::V128,
            ValType::Ref(ty) => types::ValType::Ref(ty.to_core()),
        }
    }

    /// The type with these ids, which are in use.
    pub(crate) fn from_core(registry: &TypeRegistry, ty: types::ValType) -> ValType {
        match ty {
            types::ValType::I32 => ValType::I32,
            types::ValType::I64 => ValType::I64,
            types::ValType::F32 => ValType::F32,
            types::ValType::F64 => ValType::F64,
            types::ValType::V128 => ValType::V128,
            types::ValType::Ref(ty) => ValType::Ref(RefType::from_core(registry, ty)),
        }
    }

    /// The defined type that it names, if it does.
    pub(crate) fn defined(&self) -> Option<&Defined> {
        self.as_ref()?.defined()
    }
}

impl RefType {
    /// The type of references to values of `heap_type`, with or without null.
    pub fn new(is_nullable: bool, heap_type: HeapType) -> RefType {
        RefType { is_nullable, heap_type }
    }

    /// Whether the null reference belongs to it.
    pub fn is_nullable(&self) -> bool {
        self.is_nullable
    }

    /// What the references may point to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// Whether every value of this type is one of `other`.
    pub fn matches(&self, other: &RefType) -> bool {
        (other.is_nullable || !self.is_nullable) && self.heap_type.matches(&other.heap_type)
    }

    /// The defined type that it names, if it does.
    pub(crate) fn defined(&self) -> Option<&Defined> {
        self.heap_type.defined()
    }

    pub(crate) fn to_core(&self) -> types::RefType {
        types::RefType { nullable: self.is_nullable, heap: self.heap_type.to_core() }
    }

    pub(crate) fn from_core(registry: &TypeRegistry, ty: types::RefType) -> RefType {
        RefType { is_nullable: ty.nullable, heap_type: from_core(registry, ty.heap) }
    }
}

impl HeapType {
    /// The largest type of its hierarchy.
    pub fn top(&self) -> HeapType {
        self.hierarchy(types::HeapType::top)
    }

    /// The smallest type of its hierarchy: only null belongs to it.
    pub fn bottom(&self) -> HeapType {
        self.hierarchy(types::HeapType::bottom)
    }

    /// Whether it is a type that a module or the embedder has defined.
    pub fn is_concrete(&self) -> bool {
        self.defined().is_some()
    }

    /// The type of functions, if it is a concrete one.
    pub fn as_concrete_func(&self) -> Option<&FuncType> {
        match self {
            HeapType::ConcreteFunc(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of structures, if it is a concrete one.
    pub fn as_concrete_struct(&self) -> Option<&StructType> {
        match self {
            HeapType::ConcreteStruct(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of arrays, if it is a concrete one.
    pub fn as_concrete_array(&self) -> Option<&ArrayType> {
        match self {
            HeapType::ConcreteArray(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether every value of this type is one of `other`. Types of different engines do not match.
    pub fn matches(&self, other: &HeapType) -> bool {
        match (self.defined(), other.defined()) {
            (Some(a), Some(b)) => a.is_subtype_of(b),
            _ => self.to_core().matches(other.to_core(), |_, _| false),
        }
    }

    fn hierarchy(&self, of: fn(types::HeapType) -> types::HeapType) -> HeapType {
        // Neither end is a concrete type.
        from_core(&TypeRegistry::default(), of(self.to_core()))
    }

    fn defined(&self) -> Option<&Defined> {
        match self {
            HeapType::ConcreteFunc(FuncType(ty))
            | HeapType::ConcreteArray(ArrayType(ty))
            | HeapType::ConcreteStruct(StructType(ty)) => Some(ty),
            _ => None,
        }
    }

    pub(crate) fn to_core(&self) -> types::HeapType {
        to_core(self)
    }

    pub(crate) fn from_core(registry: &TypeRegistry, ty: types::HeapType) -> HeapType {
        from_core(registry, ty)
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

impl From<FuncType> for HeapType {
    fn from(ty: FuncType) -> HeapType {
        HeapType::ConcreteFunc(ty)
    }
}

impl From<StructType> for HeapType {
    fn from(ty: StructType) -> HeapType {
        HeapType::ConcreteStruct(ty)
    }
}

impl From<ArrayType> for HeapType {
    fn from(ty: ArrayType) -> HeapType {
        HeapType::ConcreteArray(ty)
    }
}

macro_rules! display {
    ($($ty:ident)*) => { $(
        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.to_core(), f)
            }
        }
    )* };
}

display! { ValType RefType HeapType }
