//! Values, and how they stand in slots.
//!
//! A slot has 64 bits: integers and floats stand in its low bits with zeros above, references as handles (address
//! plus one, 0 for null). A `v128` takes two, the low half first.

use crate::{
    AsContext, AsContextMut, Error, Func, HeapType, Result, ValType,
    store::{StoreContext, StoreContextMut, StoreId},
};
use alloc::boxed::Box;
use core::any::Any;
use kinglet_core::{
    index::{ExternAddr, FuncAddr},
    runtime::StoreInner,
    types::{self, ConcreteType, RefType, TypeKind},
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
    ExternRef(Option<ExternRef>),
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
    Extern(Option<ExternRef>),
}

/// A reference to a value of the host, which guests can hold and pass on but not look into. It belongs to a store,
/// which keeps the value until it ends.
///
/// ```
/// use kinglet::{Engine, ExternRef, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let reference = ExternRef::new(&mut store, "text");
/// assert_eq!(reference.data(&store).unwrap().downcast_ref(), Some(&"text"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef {
    store: StoreId,
    addr: ExternAddr,
}

impl ExternRef {
    /// Gives a value to the store and makes a reference to it.
    pub fn new<V: Any + Send + Sync>(mut store: impl AsContextMut, value: V) -> ExternRef {
        let StoreContextMut { inner, .. } = store.as_context_mut();
        ExternRef { store: StoreId::of(inner), addr: inner.add_extern(Box::new(value)) }
    }

    /// The value. `None` if the reference was made by a guest; there is no way yet to do that.
    ///
    /// # Panics
    /// If `store` is not the store that it belongs to.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Option<&'a (dyn Any + Send + Sync)> {
        let store = store.into();
        self.store.check(store.inner);
        Some(store.inner.extern_value(self.addr))
    }

    #[inline]
    pub(crate) fn handle(reference: Option<ExternRef>, store: StoreId) -> u32 {
        reference.map_or(0, |reference| {
            reference.store.check_same(store);
            reference.addr.0 + 1
        })
    }

    #[inline]
    pub(crate) fn from_handle(handle: u32, store: StoreId) -> Option<ExternRef> {
        handle.checked_sub(1).map(|addr| ExternRef { store, addr: ExternAddr(addr) })
    }
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

impl Val {
    /// The null reference to a function.
    pub const fn null_func_ref() -> Val {
        Val::FuncRef(None)
    }

    /// The null reference to a value of the host.
    pub const fn null_extern_ref() -> Val {
        Val::ExternRef(None)
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

    /// The type of the value, the smallest that it belongs to.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ValType {
        let store = store.as_context();
        ValType::from_core(store.engine().types(), self.core_type(store.inner))
    }

    /// Whether the value belongs to a type.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ValType) -> bool {
        let store = store.as_context();
        ty.defined().is_none_or(|ty| ty.is_of(store.engine()))
            && self.matches(store.inner, ty.to_core())
    }

    /// Whether it is a null reference.
    pub fn is_null(&self) -> bool {
        matches!(self, Val::FuncRef(None) | Val::ExternRef(None))
    }

    accessors! {
        i32 unwrap_i32 i32, "an i32", Val::I32(v) => v;
        i64 unwrap_i64 i64, "an i64", Val::I64(v) => v;
        f32 unwrap_f32 f32, "an f32", Val::F32(v) => f32::from_bits(v);
        f64 unwrap_f64 f64, "an f64", Val::F64(v) => f64::from_bits(v);
        v128 unwrap_v128 V128, "a v128", Val::V128(v) => v;
        ref_ unwrap_ref Ref, "a reference", ref v @ (Val::FuncRef(_) | Val::ExternRef(_)) => Ref::of(v);
    }

    /// The function, if it is a reference to one or null.
    pub fn func_ref(&self) -> Option<Option<&Func>> {
        match self {
            Val::FuncRef(func) => Some(func.as_ref()),
            _ => None,
        }
    }

    /// The function that it refers to, or `None` for null.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn unwrap_func_ref(&self) -> Option<&Func> {
        self.func_ref().expect("expected a reference to a function")
    }

    /// The value of the host, if it is a reference to one or null.
    pub fn extern_ref(&self) -> Option<Option<&ExternRef>> {
        match self {
            Val::ExternRef(reference) => Some(reference.as_ref()),
            _ => None,
        }
    }

    /// The value of the host that it refers to, or `None` for null.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn unwrap_extern_ref(&self) -> Option<&ExternRef> {
        self.extern_ref().expect("expected a reference to a value of the host")
    }

    /// The largest type that such values have.
    fn kind(&self) -> types::ValType {
        match self {
            Val::I32(_) => types::ValType::I32,
            Val::I64(_) => types::ValType::I64,
            Val::F32(_) => types::ValType::F32,
            Val::F64(_) => types::ValType::F64,
            Val::V128(_) => types::ValType::V128,
            Val::FuncRef(_) => types::ValType::FUNCREF,
            Val::ExternRef(_) => types::ValType::EXTERNREF,
        }
    }

    /// The smallest type that it belongs to, with ids of the engine.
    fn core_type(&self, store: &StoreInner) -> types::ValType {
        let id = StoreId::of(store);
        let heap = match self {
            Val::FuncRef(Some(func)) => {
                func.store.check_same(id);
                let index = store.funcs[func.addr.at()].ty;
                types::HeapType::Concrete(ConcreteType { kind: TypeKind::Func, index })
            }
            Val::ExternRef(Some(reference)) => {
                reference.store.check_same(id);
                types::HeapType::Extern
            }
            Val::FuncRef(None) => types::HeapType::NoFunc,
            Val::ExternRef(None) => types::HeapType::NoExtern,
            _ => return self.kind(),
        };
        types::ValType::Ref(RefType { nullable: self.is_null(), heap })
    }

    /// Whether it belongs to a type with ids of the engine.
    pub(crate) fn matches(&self, store: &StoreInner, ty: types::ValType) -> bool {
        match ty {
            types::ValType::Ref(_) => {
                let is_subtype = |a, b| store.types.is_subtype(a, b);
                self.core_type(store).matches(ty, is_subtype)
            }
            ty => self.kind() == ty,
        }
    }

    /// The bits of its slots.
    ///
    /// # Panics
    /// If it is a reference that belongs to another store.
    pub(crate) fn to_bits(self, store: StoreId) -> [u64; 2] {
        let low = match self {
            Val::I32(v) => u64::from(v as u32),
            Val::I64(v) => v as u64,
            Val::F32(v) => v.into(),
            Val::F64(v) => v,
            Val::V128(v) => return v.to_bits(),
            Val::FuncRef(func) => Func::handle(func, store).into(),
            Val::ExternRef(reference) => ExternRef::handle(reference, store).into(),
        };
        [low, 0]
    }

    /// The value of a type with these bits.
    pub(crate) fn from_bits(ty: types::ValType, bits: [u64; 2], store: StoreId) -> Val {
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

    fn width(ty: types::ValType) -> usize {
        if ty == types::ValType::V128 { 2 } else { 1 }
    }
}

/// Writes values to slots. They have the right types.
///
/// # Panics
/// If one is a reference that belongs to another store.
pub(crate) fn write_slots(vals: &[Val], slots: &mut [u64], store: StoreId) {
    let mut at = 0;
    for val in vals {
        let bits = val.to_bits(store);
        let width = Val::width(val.kind());
        slots[at..at + width].copy_from_slice(&bits[..width]);
        at += width;
    }
}

/// Reads values of these types from slots.
pub(crate) fn read_slots<'a>(
    types: &'a [types::ValType],
    slots: &'a [u64],
    store: StoreId,
) -> impl Iterator<Item = Val> + 'a {
    let mut at = 0;
    types.iter().map(move |&ty| {
        let high = slots.get(at + 1).copied().unwrap_or(0);
        let val = Val::from_bits(ty, [slots[at], high], store);
        at += Val::width(ty);
        val
    })
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
    match vals.iter().zip(types).position(|(val, &ty)| !val.matches(store, ty)) {
        None => Ok(()),
        Some(i) => Err(Error::msg(alloc::format!(
            "{what} type mismatch: {what} {i} is of type {}, expected {}",
            vals[i].kind(),
            types[i]
        ))),
    }
}

impl Ref {
    /// The null reference of a type.
    pub fn null(heap: &HeapType) -> Ref {
        match heap.top() {
            HeapType::Extern => Ref::Extern(None),
            _ => Ref::Func(None),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None))
    }

    /// The function, if it is a reference to one or null.
    pub fn as_func(&self) -> Option<Option<&Func>> {
        match self {
            Ref::Func(func) => Some(func.as_ref()),
            _ => None,
        }
    }

    /// The value of the host, if it is a reference to one or null.
    pub fn as_extern(&self) -> Option<Option<&ExternRef>> {
        match self {
            Ref::Extern(reference) => Some(reference.as_ref()),
            _ => None,
        }
    }

    /// The function that it refers to, or `None` for null.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn unwrap_func(&self) -> Option<&Func> {
        self.as_func().expect("expected a reference to a function")
    }

    fn of(val: &Val) -> Ref {
        match *val {
            Val::FuncRef(func) => Ref::Func(func),
            Val::ExternRef(reference) => Ref::Extern(reference),
            _ => Ref::Func(None),
        }
    }

    pub(crate) fn handle(self, store: StoreId) -> u32 {
        match self {
            Ref::Func(func) => Func::handle(func, store),
            Ref::Extern(reference) => ExternRef::handle(reference, store),
        }
    }

    pub(crate) fn from_handle(heap: types::HeapType, handle: u32, store: StoreId) -> Ref {
        match heap.top() {
            types::HeapType::Extern => Ref::Extern(ExternRef::from_handle(handle, store)),
            _ => Ref::Func(Func::from_handle(handle, store)),
        }
    }
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Val {
        match reference {
            Ref::Func(func) => Val::FuncRef(func),
            Ref::Extern(reference) => Val::ExternRef(reference),
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
    Val: Func, v => Val::FuncRef(Some(v));
    Val: Option<Func>, v => Val::FuncRef(v);
    Val: ExternRef, v => Val::ExternRef(Some(v));
    Val: Option<ExternRef>, v => Val::ExternRef(v);
    Ref: Func, v => Ref::Func(Some(v));
    Ref: Option<Func>, v => Ref::Func(v);
    Ref: ExternRef, v => Ref::Extern(Some(v));
    Ref: Option<ExternRef>, v => Ref::Extern(v);
}
