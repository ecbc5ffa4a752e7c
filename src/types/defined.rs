//! Types that modules and embedders define: of functions, structures and arrays.

use super::ValType;
use crate::{Engine, Error, Mutability, Result, store::engine};
use alloc::vec::Vec;
use core::{
    fmt,
    hash::{Hash, Hasher},
};
use kinglet_core::{
    Shared,
    runtime::{
        StoreInner,
        registry::{TypeDef, TypeIds, TypeRegistry},
    },
    types::{self, CompositeType, SubType},
};

/// A type of an engine, kept in use.
#[derive(Clone)]
pub(crate) struct Defined(Shared<TypeIds>);

/// How many supertypes a type may have that are each other's; and a structure, fields.
const MAX_DEPTH: usize = 63;
const MAX_FIELDS: usize = 10_000;

impl Defined {
    /// A new type, if it fits its supertype.
    fn new(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Defined>,
        composite: CompositeType,
    ) -> Result<Defined> {
        let registry = engine.types();
        if let Some(supertype) = supertype {
            let def = supertype.def();
            if !supertype.is_of(engine) {
                crate::bail!("the supertype is one of another engine");
            }
            if def.ty().is_final {
                crate::bail!("the supertype is final");
            }
            if def.supers.len() >= MAX_DEPTH {
                crate::bail!("a type may have {MAX_DEPTH} supertypes at most");
            }
            let is_subtype = |a, b| registry.is_subtype(a, b);
            if !composite.matches(&def.ty().composite, &is_subtype) {
                crate::bail!("the type does not match its supertype");
            }
        }
        let is_final = finality == Finality::Final;
        let ty = SubType { is_final, supertype: supertype.map(Defined::id), composite };
        Ok(Defined(Shared::new(registry.register_one(ty))))
    }

    /// The type with an id that is in use.
    pub(crate) fn of(registry: &TypeRegistry, id: u32) -> Defined {
        Defined(Shared::new(registry.keep(id).expect("a type in use")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0[0]
    }

    pub(crate) fn ids(&self) -> &Shared<TypeIds> {
        &self.0
    }

    /// Whether it is a type of this engine.
    pub(crate) fn is_of(&self, engine: &Engine) -> bool {
        TypeRegistry::same(self.registry(), engine.types())
    }

    /// Keeps it in use as long as the store lives, whose objects have it from now on.
    ///
    /// # Panics
    /// If it is a type of another engine.
    pub(crate) fn keep(&self, store: &mut StoreInner) {
        self.check_engine(engine(store));
        store.keep_type(&self.0);
    }

    /// # Panics
    /// If it is a type of another engine.
    pub(crate) fn check_engine(&self, engine: &Engine) {
        assert!(self.is_of(engine), "a type is used with another engine");
    }

    pub(crate) fn registry(&self) -> &TypeRegistry {
        self.0.registry()
    }

    fn def(&self) -> &TypeDef {
        &self.0.defs()[0]
    }

    pub(crate) fn is_subtype_of(&self, other: &Defined) -> bool {
        TypeRegistry::same(self.registry(), other.registry())
            && self.def().is_subtype_of(other.def())
    }

    fn finality(&self) -> Finality {
        if self.def().ty().is_final { Finality::Final } else { Finality::NonFinal }
    }

    fn supertype(&self) -> Option<Defined> {
        Some(Defined::of(self.registry(), self.def().ty().supertype?))
    }

    fn val_type(&self, ty: types::ValType) -> ValType {
        ValType::from_core(self.registry(), ty)
    }
}

impl PartialEq for Defined {
    fn eq(&self, other: &Defined) -> bool {
        self.id() == other.id() && TypeRegistry::same(self.registry(), other.registry())
    }
}

impl Eq for Defined {}

impl Hash for Defined {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// Whether a type can have subtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finality {
    /// It cannot.
    Final,
    /// It can.
    NonFinal,
}

/// The type of a function.
///
/// Equal types of an engine are one type, whoever has defined them.
///
/// ```
/// use kinglet::{Engine, FuncType, ValType};
///
/// let ty = FuncType::new(&Engine::default(), [ValType::I32, ValType::I64], [ValType::F32]);
/// assert_eq!(ty.params().len(), 2);
/// assert_eq!(ty.to_string(), "(func (param i32 i64) (result f32))");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FuncType(pub(crate) Defined);

/// The type of a structure.
///
/// ```
/// use kinglet::{Engine, FieldType, Mutability, StorageType, StructType, ValType};
///
/// let fields = [
///     FieldType::new(Mutability::Var, StorageType::I8),
///     FieldType::new(Mutability::Const, ValType::F64.into()),
/// ];
/// let ty = StructType::new(&Engine::default(), fields)?;
/// assert_eq!(ty.to_string(), "(struct (field (mut i8)) (field f64))");
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StructType(pub(crate) Defined);

/// The type of an array.
///
/// ```
/// use kinglet::{ArrayType, Engine, FieldType, Mutability, StorageType};
///
/// let bytes = FieldType::new(Mutability::Var, StorageType::I8);
/// let ty = ArrayType::new(&Engine::default(), bytes);
/// assert_eq!(ty.to_string(), "(array (mut i8))");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ArrayType(pub(crate) Defined);

macro_rules! defined {
    ($($ty:ident $what:literal;)*) => { $(
        impl $ty {
            /// Whether it can have subtypes.
            pub fn finality(&self) -> Finality {
                self.0.finality()
            }

            /// The type that it is declared to be a subtype of.
            pub fn supertype(&self) -> Option<$ty> {
                self.0.supertype().map($ty)
            }

            #[doc = concat!("Whether every ", $what, " of this type is one of `other`. Types of different engines do not match.")]
            pub fn matches(&self, other: &$ty) -> bool {
                self.0.is_subtype_of(&other.0)
            }
        }

        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )* };
}

defined! {
    FuncType "function";
    StructType "structure";
    ArrayType "array";
}

impl FuncType {
    /// The final type of functions with these parameters and results.
    ///
    /// # Panics
    /// If one of these types is of another engine.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        FuncType::with_finality_and_supertype(engine, Finality::Final, None, params, results)
            .expect("without a supertype there is nothing to match")
    }

    /// The type of functions with these parameters and results that is a subtype of `supertype`, if there is one.
    ///
    /// # Errors
    /// The supertype is final, or the type does not match it: parameters must have the same types or larger ones, results the
    /// same or smaller ones.
    ///
    /// # Panics
    /// If one of these types is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&FuncType>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        let (params, results): (Vec<_>, Vec<_>) =
            (params.into_iter().collect(), results.into_iter().collect());
        params.iter().chain(&results).for_each(|ty| check_engine(engine, ty));
        let composite = CompositeType::Func(types::FuncType::new(
            params.iter().map(ValType::to_core),
            results.iter().map(ValType::to_core),
        ));
        Ok(FuncType(Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite)?))
    }

    /// Types of the parameters, in order.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.core().params().iter().map(|&ty| self.0.val_type(ty))
    }

    /// The type of parameter `i`.
    pub fn param(&self, i: usize) -> Option<ValType> {
        self.params().nth(i)
    }

    /// Types of the results, in order.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.core().results().iter().map(|&ty| self.0.val_type(ty))
    }

    /// The type of result `i`.
    pub fn result(&self, i: usize) -> Option<ValType> {
        self.results().nth(i)
    }

    /// The type with an id that is in use.
    pub(crate) fn of(registry: &TypeRegistry, id: u32) -> FuncType {
        FuncType(Defined::of(registry, id))
    }

    pub(crate) fn core(&self) -> &types::FuncType {
        self.0.ids().func(0)
    }
}

impl StructType {
    /// The final type of structures with these fields.
    ///
    /// # Errors
    /// There are too many.
    ///
    /// # Panics
    /// If one of their types is of another engine.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> Result<StructType> {
        StructType::with_finality_and_supertype(engine, Finality::Final, None, fields)
    }

    /// The type of structures with these fields that is a subtype of `supertype`, if there is one.
    ///
    /// # Errors
    /// There are too many fields, the supertype is final, or the type does not match it: its fields must come first, with the same types
    /// or, where they cannot be assigned, smaller ones.
    ///
    /// # Panics
    /// If one of these types is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&StructType>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType> {
        let fields: Vec<FieldType> = fields.into_iter().take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            return Err(Error::limit(alloc::format!(
                "a structure may have {MAX_FIELDS} fields at most"
            )));
        }
        fields.iter().for_each(|field| field.check_engine(engine));
        let fields = fields.iter().map(FieldType::to_core).collect();
        let composite = CompositeType::Struct(types::StructType { fields });
        Ok(StructType(Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite)?))
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        self.core().fields.iter().map(|ty| FieldType::from_core(&self.0, ty))
    }

    /// Field `i`.
    pub fn field(&self, i: usize) -> Option<FieldType> {
        self.fields().nth(i)
    }

    pub(crate) fn of(registry: &TypeRegistry, id: u32) -> StructType {
        StructType(Defined::of(registry, id))
    }

    pub(crate) fn core(&self) -> &types::StructType {
        self.0.ids().structure(0)
    }
}

impl ArrayType {
    /// The final type of arrays with such elements.
    ///
    /// # Panics
    /// If their type is of another engine.
    pub fn new(engine: &Engine, field_type: FieldType) -> ArrayType {
        ArrayType::with_finality_and_supertype(engine, Finality::Final, None, field_type)
            .expect("without a supertype there is nothing to match")
    }

    /// The type of arrays with such elements that is a subtype of `supertype`, if there is one.
    ///
    /// # Errors
    /// The supertype is final, or its elements have another type, or, if they cannot be assigned, a smaller one.
    ///
    /// # Panics
    /// If one of these types is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&ArrayType>,
        field_type: FieldType,
    ) -> Result<ArrayType> {
        field_type.check_engine(engine);
        let composite = CompositeType::Array(types::ArrayType { element: field_type.to_core() });
        Ok(ArrayType(Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite)?))
    }

    /// The type of the elements, and whether they can be assigned.
    pub fn field_type(&self) -> FieldType {
        FieldType::from_core(&self.0, &self.core().element)
    }

    /// What the elements hold.
    pub fn element_type(&self) -> StorageType {
        self.field_type().element_type
    }

    /// Whether the elements can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.core().element.mutability
    }

    pub(crate) fn of(registry: &TypeRegistry, id: u32) -> ArrayType {
        ArrayType(Defined::of(registry, id))
    }

    pub(crate) fn core(&self) -> &types::ArrayType {
        self.0.ids().array(0)
    }
}

/// The type of a field of a structure, or of the elements of an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    mutability: Mutability,
    element_type: StorageType,
}

/// What a field or element holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A value.
    ValType(ValType),
}

impl FieldType {
    /// The type of fields that hold `element_type`.
    pub fn new(mutability: Mutability, element_type: StorageType) -> FieldType {
        FieldType { mutability, element_type }
    }

    /// Whether it can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// What it holds.
    pub fn element_type(&self) -> &StorageType {
        &self.element_type
    }

    /// Whether every field of this type can stand where one of `other` is expected.
    pub fn matches(&self, other: &FieldType) -> bool {
        match other.mutability {
            Mutability::Var => self == other,
            Mutability::Const => {
                self.mutability == Mutability::Const
                    && self.element_type.matches(&other.element_type)
            }
        }
    }

    fn check_engine(&self, engine: &Engine) {
        if let StorageType::ValType(ty) = &self.element_type {
            check_engine(engine, ty);
        }
    }

    fn to_core(&self) -> types::FieldType {
        let storage = match &self.element_type {
            StorageType::I8 => types::StorageType::I8,
            StorageType::I16 => types::StorageType::I16,
            StorageType::ValType(ty) => types::StorageType::Val(ty.to_core()),
        };
        types::FieldType { storage, mutability: self.mutability }
    }

    fn from_core(of: &Defined, ty: &types::FieldType) -> FieldType {
        let element_type = match ty.storage {
            types::StorageType::I8 => StorageType::I8,
            types::StorageType::I16 => StorageType::I16,
            types::StorageType::Val(ty) => StorageType::ValType(of.val_type(ty)),
        };
        FieldType { mutability: ty.mutability, element_type }
    }
}

impl StorageType {
    /// Whether it is packed into fewer bits than a value has.
    pub fn is_packed(&self) -> bool {
        !self.is_val_type()
    }

    /// Whether it is a type of values.
    pub fn is_val_type(&self) -> bool {
        matches!(self, StorageType::ValType(_))
    }

    /// The type of values, if it is one.
    pub fn as_val_type(&self) -> Option<&ValType> {
        match self {
            StorageType::ValType(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of values.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn unwrap_val_type(&self) -> &ValType {
        self.as_val_type().expect("expected a type of values")
    }

    /// The type of what is written and read.
    pub fn unpack(&self) -> &ValType {
        self.as_val_type().unwrap_or(&ValType::I32)
    }

    /// Whether whatever this holds can stand where `other` is expected.
    pub fn matches(&self, other: &StorageType) -> bool {
        match (self, other) {
            (StorageType::ValType(a), StorageType::ValType(b)) => a.matches(b),
            (a, b) => a == b,
        }
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> StorageType {
        StorageType::ValType(ty)
    }
}

fn check_engine(engine: &Engine, ty: &ValType) {
    if let Some(ty) = ty.defined() {
        ty.check_engine(engine);
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core().fmt(f)
    }
}

impl fmt::Display for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(struct")?;
        self.core().fields.iter().try_for_each(|field| write!(f, " (field {field})"))?;
        f.write_str(")")
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(array {})", self.core().element)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_core(), f)
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageType::I8 => f.write_str("i8"),
            StorageType::I16 => f.write_str("i16"),
            StorageType::ValType(ty) => ty.fmt(f),
        }
    }
}
