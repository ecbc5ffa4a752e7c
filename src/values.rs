//! Values, and how they stand in slots.
//!
//! A slot has 64 bits: integers and floats stand in its low bits with zeros above, references as handles (address
//! plus one, 0 for null). A `v128` takes two, the low half first.

use crate::{
    AnyRef, ArrayRef, AsContext, EqRef, Error, ExnRef, ExternRef, Func, HeapType, RefType, Result,
    Rooted, StructRef, ValType, store::StoreId,
};
use kinglet_core::{
    index::FuncAddr,
    runtime::StoreInner,
    types::{self, ConcreteType, TypeKind},
};

/// A value of WebAssembly.
///
/// ```
/// use kinglet::Val;
///
/// let val = Val::from(1.5f64);
/// assert_eq!(val.f64(), Some(1.5));
/// assert_eq!(val.i32(), None);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Val {
    /// 32-bit integer, signed or not.
    I32(i32),
    /// 64-bit integer, signed or not.
    I64(i64),
    /// 32-bit float, as its bits.
    F32(u32),
    /// 64-bit float, as its bits.
    F64(u64),
    /// 128-bit vector.
    V128(V128),
    /// Reference to a function, or null.
    FuncRef(Option<Func>),
    /// Reference to a value of the host, or null.
    ExternRef(Option<Rooted<ExternRef>>),
    /// Reference to whatever a guest makes, or null.
    AnyRef(Option<Rooted<AnyRef>>),
    /// Reference to an exception, or null.
    ExnRef(Option<Rooted<ExnRef>>),
}

/// The bits of a 128-bit vector, lane 0 lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct V128(u128);

/// A reference.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ref {
    /// To a function, or null.
    Func(Option<Func>),
    /// To a value of the host, or null.
    Extern(Option<Rooted<ExternRef>>),
    /// To whatever a guest makes, or null.
    Any(Option<Rooted<AnyRef>>),
    /// To an exception, or null.
    Exn(Option<Rooted<ExnRef>>),
}

impl Func {
    #[inline]
    pub(crate) fn handle(func: Option<Func>, store: StoreId) -> u32 {
        func.map_or(0, |func| {
            func.store.check_same(store);
            func.addr.0 + 1
        })
    }

    #[inline]
    pub(crate) fn from_handle(handle: u32, store: StoreId) -> Option<Func> {
        handle.checked_sub(1).map(|addr| Func { store, addr: FuncAddr(addr) })
    }
}

impl V128 {
    /// The vector with these bits.
    pub const fn from_u128(bits: u128) -> V128 {
        V128(bits)
    }

    /// The bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The bits of its slots.
    pub(crate) const fn to_bits(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// The vector whose slots have these bits.
    pub(crate) const fn from_bits(bits: [u64; 2]) -> V128 {
        V128(bits[0] as u128 | (bits[1] as u128) << 64)
    }
}

impl From<u128> for V128 {
    fn from(bits: u128) -> V128 {
        V128(bits)
    }
}

impl From<V128> for u128 {
    fn from(vector: V128) -> u128 {
        vector.0
    }
}

macro_rules! accessors {
    ($( $as:ident $unwrap:ident $ty:ty, $what:literal, $pattern:pat => $value:expr; )*) => { $(
        #[doc = concat!("The value, if it is ", $what, ".")]
        pub fn $as(&self) -> Option<$ty> {
            match *self { $pattern => Some($value), _ => None }
        }

        #[doc = concat!("The value, which is ", $what, ".\n\n# Panics\nIf it is something else.")]
        #[track_caller]
        pub fn $unwrap(&self) -> $ty {
            self.$as().expect(concat!("expected ", $what))
        }
    )* };
}

/// Accessors of references: the value, if it is one or null, and the same for those who know that it is.
macro_rules! reference_accessors {
    ($( $variant:ident $as:ident $unwrap:ident $ty:ty, $what:literal; )*) => { $(
        #[doc = concat!("The value, if it is ", $what, " or null.")]
        pub fn $as(&self) -> Option<Option<&$ty>> {
            match self { Self::$variant(reference) => Some(reference.as_ref()), _ => None }
        }

        #[doc = concat!("The value, which is ", $what, ", or `None` for null.\n\n# Panics\nIf it is something else.")]
        #[track_caller]
        pub fn $unwrap(&self) -> Option<&$ty> {
            self.$as().expect(concat!("expected ", $what))
        }
    )* };
}

impl Val {
    /// The null reference to a function.
    pub const fn null_func_ref() -> Val {
        Val::FuncRef(None)
    }

    /// The null external reference.
    pub const fn null_extern_ref() -> Val {
        Val::ExternRef(None)
    }

    /// The null reference of the type `anyref`.
    pub const fn null_any_ref() -> Val {
        Val::AnyRef(None)
    }

    /// The null reference to an exception.
    pub const fn null_exn_ref() -> Val {
        Val::ExnRef(None)
    }

    /// The zero or null of a type.
    pub fn default_for_ty(ty: &ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128(0)),
            ValType::Ref(ty) => Ref::null(ty.heap_type()).into(),
        }
    }

    /// The most specific type of the value.
    ///
    /// # Errors
    /// It is a reference whose scope has ended.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        let store = store.as_context();
        Ok(ValType::from_core(store.engine().types(), self.core_type(store.inner)?))
    }

    /// Whether the value is of a type.
    ///
    /// # Errors
    /// It is a reference whose scope has ended.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ValType) -> Result<bool> {
        let store = store.as_context();
        Ok(ty.defined().is_none_or(|ty| ty.is_of(store.engine()))
            && self.matches(store.inner, ty.to_core())?)
    }

    /// Whether it is a null reference.
    pub fn is_null(&self) -> bool {
        Ref::of(self).is_some_and(|reference| reference.is_null())
    }

    accessors! {
        i32 unwrap_i32 i32, "an i32", Val::I32(v) => v;
        i64 unwrap_i64 i64, "an i64", Val::I64(v) => v;
        f32 unwrap_f32 f32, "an f32", Val::F32(v) => f32::from_bits(v);
        f64 unwrap_f64 f64, "an f64", Val::F64(v) => f64::from_bits(v);
        v128 unwrap_v128 V128, "a v128", Val::V128(v) => v;
    }

    /// The reference, if it is one.
    pub fn ref_(&self) -> Option<Ref> {
        Ref::of(self)
    }

    /// The reference.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn unwrap_ref(&self) -> Ref {
        self.ref_().expect("expected a reference")
    }

    reference_accessors! {
        FuncRef func_ref unwrap_func_ref Func, "a reference to a function";
        ExternRef extern_ref unwrap_extern_ref Rooted<ExternRef>, "an external reference";
        AnyRef any_ref unwrap_any_ref Rooted<AnyRef>, "a reference of the type anyref";
        ExnRef exn_ref unwrap_exn_ref Rooted<ExnRef>, "a reference to an exception";
    }

    fn core_type(&self, store: &StoreInner) -> Result<types::ValType> {
        Ok(match self {
            Val::I32(_) => types::ValType::I32,
            Val::I64(_) => types::ValType::I64,
            Val::F32(_) => types::ValType::F32,
            Val::F64(_) => types::ValType::F64,
            Val::V128(_) => types::ValType::V128,
            Val::FuncRef(func) => Ref::Func(*func).core_type(store)?,
            Val::ExternRef(reference) => Ref::Extern(*reference).core_type(store)?,
            Val::AnyRef(reference) => Ref::Any(*reference).core_type(store)?,
            Val::ExnRef(reference) => Ref::Exn(*reference).core_type(store)?,
        })
    }

    /// Whether it belongs to a type.
    pub(crate) fn matches(&self, store: &StoreInner, ty: types::ValType) -> Result<bool> {
        Ok(self.core_type(store)?.matches(ty, |a, b| store.types.is_subtype(a, b)))
    }

    /// The bits of its slots, if it belongs to a type.
    pub(crate) fn for_type(
        self,
        store: &StoreInner,
        ty: types::ValType,
        what: &str,
    ) -> Result<[u64; 2]> {
        let actual = self.core_type(store)?;
        if actual.matches(ty, |a, b| store.types.is_subtype(a, b)) {
            return self.to_bits(store);
        }
        Err(Error::msg(alloc::format!(
            "{what} type mismatch: the value is of type {actual}, expected {ty}"
        )))
    }

    /// The bits of its slots.
    ///
    /// # Errors
    /// It is a reference whose scope has ended.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub(crate) fn to_bits(self, store: &StoreInner) -> Result<[u64; 2]> {
        let low = match self {
            Val::I32(v) => u64::from(v as u32),
            Val::I64(v) => v as u64,
            Val::F32(v) => v.into(),
            Val::F64(v) => v,
            Val::V128(v) => return Ok(v.to_bits()),
            Val::FuncRef(func) => Ref::Func(func).handle(store)?.into(),
            Val::ExternRef(reference) => Ref::Extern(reference).handle(store)?.into(),
            Val::AnyRef(reference) => Ref::Any(reference).handle(store)?.into(),
            Val::ExnRef(reference) => Ref::Exn(reference).handle(store)?.into(),
        };
        Ok([low, 0])
    }

    /// The value of a type with these bits. A reference becomes a root of the scope that is open.
    pub(crate) fn from_bits(ty: types::ValType, bits: [u64; 2], store: &mut StoreInner) -> Val {
        let low = bits[0];
        match ty {
            types::ValType::I32 => Val::I32(low as i32),
            types::ValType::I64 => Val::I64(low as i64),
            types::ValType::F32 => Val::F32(low as u32),
            types::ValType::F64 => Val::F64(low),
            types::ValType::V128 => Val::V128(V128::from_bits(bits)),
            types::ValType::Ref(ty) => Ref::from_handle(ty.heap, low as u32, store).into(),
        }
    }

    fn width(&self) -> usize {
        if matches!(self, Val::V128(_)) { 2 } else { 1 }
    }
}

/// Writes values to slots. They have the right types.
///
/// # Errors
/// One is a reference whose scope has ended.
///
/// # Panics
/// If one is a reference that belongs to another store.
pub(crate) fn write_slots(vals: &[Val], slots: &mut [u64], store: &StoreInner) -> Result<()> {
    let mut at = 0;
    for val in vals {
        let bits = val.to_bits(store)?;
        slots[at..at + val.width()].copy_from_slice(&bits[..val.width()]);
        at += val.width();
    }
    Ok(())
}

/// Reads values of these types from slots, and gives each to `read`.
pub(crate) fn read_slots(
    types: &[types::ValType],
    slots: &[u64],
    store: &mut StoreInner,
    mut read: impl FnMut(Val),
) {
    let mut at = 0;
    for &ty in types {
        let high = slots.get(at + 1).copied().unwrap_or(0);
        let val = Val::from_bits(ty, [slots[at], high], store);
        at += val.width();
        read(val);
    }
}

/// Fails unless the values have these types.
pub(crate) fn check_vals(
    store: &StoreInner,
    vals: &[Val],
    types: &[types::ValType],
    what: &str,
) -> Result<()> {
    if vals.len() != types.len() {
        return Err(Error::msg(alloc::format!(
            "expected {} {what}s, got {}",
            types.len(),
            vals.len()
        )));
    }
    for (i, (val, &ty)) in vals.iter().zip(types).enumerate() {
        let actual = val.core_type(store)?;
        if !actual.matches(ty, |a, b| store.types.is_subtype(a, b)) {
            return Err(Error::msg(alloc::format!(
                "{what} type mismatch: {what} {i} is of type {actual}, expected {ty}"
            )));
        }
    }
    Ok(())
}

impl Ref {
    /// The null reference of a type.
    pub fn null(heap: &HeapType) -> Ref {
        match heap.top() {
            HeapType::Extern => Ref::Extern(None),
            HeapType::Any => Ref::Any(None),
            HeapType::Exn => Ref::Exn(None),
            _ => Ref::Func(None),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None))
    }

    reference_accessors! {
        Func as_func unwrap_func Func, "a reference to a function";
        Extern as_extern unwrap_extern Rooted<ExternRef>, "an external reference";
        Any as_any unwrap_any Rooted<AnyRef>, "a reference of the type anyref";
        Exn as_exn unwrap_exn Rooted<ExnRef>, "a reference to an exception";
    }

    /// The most specific type of the reference.
    ///
    /// # Errors
    /// Its scope has ended.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<RefType> {
        let store = store.as_context();
        Ok(RefType::from_core(store.engine().types(), self.ref_type(store.inner)?))
    }

    fn of(val: &Val) -> Option<Ref> {
        match *val {
            Val::FuncRef(func) => Some(Ref::Func(func)),
            Val::ExternRef(reference) => Some(Ref::Extern(reference)),
            Val::AnyRef(reference) => Some(Ref::Any(reference)),
            Val::ExnRef(reference) => Some(Ref::Exn(reference)),
            _ => None,
        }
    }

    fn core_type(self, store: &StoreInner) -> Result<types::ValType> {
        self.ref_type(store).map(types::ValType::Ref)
    }

    fn ref_type(self, store: &StoreInner) -> Result<types::RefType> {
        let handle = self.handle(store)?;
        let top = match self {
            Ref::Func(_) => types::HeapType::Func,
            Ref::Extern(_) => types::HeapType::Extern,
            Ref::Any(_) => types::HeapType::Any,
            Ref::Exn(_) => types::HeapType::Exn,
        };
        let heap = match (handle, top) {
            (0, top) => top.bottom(),
            (func, types::HeapType::Func) => types::HeapType::Concrete(ConcreteType {
                kind: TypeKind::Func,
                index: store.funcs[func as usize - 1].ty,
            }),
            (handle, types::HeapType::Any) => store.heap.type_of(handle),
            (_, top) => top,
        };
        Ok(types::RefType { nullable: handle == 0, heap })
    }

    /// What stands for it in a slot.
    pub(crate) fn handle(self, store: &StoreInner) -> Result<u32> {
        match self {
            Ref::Func(func) => Ok(Func::handle(func, StoreId::of(store))),
            Ref::Extern(reference) => Rooted::handle(reference, store),
            Ref::Any(reference) => Rooted::handle(reference, store),
            Ref::Exn(reference) => Rooted::handle(reference, store),
        }
    }

    pub(crate) fn from_handle(heap: types::HeapType, handle: u32, store: &mut StoreInner) -> Ref {
        match heap.top() {
            types::HeapType::Extern => Ref::Extern(Rooted::from_handle(handle, store)),
            types::HeapType::Any => Ref::Any(Rooted::from_handle(handle, store)),
            types::HeapType::Exn => Ref::Exn(Rooted::from_handle(handle, store)),
            _ => Ref::Func(Func::from_handle(handle, StoreId::of(store))),
        }
    }
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Val {
        match reference {
            Ref::Func(func) => Val::FuncRef(func),
            Ref::Extern(reference) => Val::ExternRef(reference),
            Ref::Any(reference) => Val::AnyRef(reference),
            Ref::Exn(reference) => Val::ExnRef(reference),
        }
    }
}

macro_rules! conversions {
    ($( $to:ty: $from:ty, $value:ident => $val:expr; )*) => { $(
        impl From<$from> for $to {
            fn from($value: $from) -> $to {
                $val
            }
        }
    )* };
}

conversions! {
    Val: i32, v => Val::I32(v);
    Val: u32, v => Val::I32(v as i32);
    Val: i64, v => Val::I64(v);
    Val: u64, v => Val::I64(v as i64);
    Val: f32, v => Val::F32(v.to_bits());
    Val: f64, v => Val::F64(v.to_bits());
    Val: V128, v => Val::V128(v);
}

/// References, null or not, as values.
macro_rules! reference_conversions {
    ($( $ref_:ident $val:ident: $ty:ty, $value:ident => $reference:expr; )*) => { $(
        conversions! {
            Val: $ty, $value => Val::$val(Some($reference));
            Val: Option<$ty>, v => Val::$val(v.map(|$value| $reference));
            Ref: $ty, $value => Ref::$ref_(Some($reference));
            Ref: Option<$ty>, v => Ref::$ref_(v.map(|$value| $reference));
        }
    )* };
}

reference_conversions! {
    Func FuncRef: Func, v => v;
    Extern ExternRef: Rooted<ExternRef>, v => v;
    Any AnyRef: Rooted<AnyRef>, v => v;
    Any AnyRef: Rooted<EqRef>, v => v.to_anyref();
    Any AnyRef: Rooted<StructRef>, v => v.to_anyref();
    Any AnyRef: Rooted<ArrayRef>, v => v.to_anyref();
    Exn ExnRef: Rooted<ExnRef>, v => v;
}
