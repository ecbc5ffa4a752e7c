//! What can be imported and exported besides functions: memories, tables and globals. Tags are in `exceptions`.

#[cfg(feature = "threads")]
use crate::SharedMemory;
use crate::{
    AsContext, AsContextMut, Error, ExternType, Func, GlobalType, MemoryType, Mutability, Ref,
    Result, StoreContext, StoreContextMut, TableType, Tag, Val, store::StoreId,
};
use core::fmt;
use kinglet_core::{
    index::{GlobalAddr, MemoryAddr, TableAddr},
    runtime::{StoreInner, instance::ExternVal},
    types::{RefType, ValType},
};

/// Something that can be imported or exported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A memory that several threads share.
    #[cfg(feature = "threads")]
    SharedMemory(SharedMemory),
    /// A tag.
    Tag(Tag),
}

macro_rules! externs {
    ($( $variant:ident $into:ident $what:literal; )*) => {
        impl Extern {
            $(
                #[doc = concat!("The ", $what, ", if it is one.")]
                pub fn $into(self) -> Option<$variant> {
                    match self { Extern::$variant(item) => Some(item), _ => None }
                }
            )*

            /// The type.
            ///
            /// # Panics
            /// If `store` is not the store that it belongs to.
            pub fn ty(&self, store: impl AsContext) -> ExternType {
                match self {
                    $( Extern::$variant(item) => item.ty(store).into(), )*
                    #[cfg(feature = "threads")]
                    Extern::SharedMemory(memory) => memory.ty().into(),
                }
            }

            /// # Panics
            /// If it belongs to another store.
            pub(crate) fn check(&self, store: &StoreInner) {
                match self {
                    $( Extern::$variant(item) => item.store.check(store), )*
                    #[cfg(feature = "threads")]
                    Extern::SharedMemory(_) => {}
                }
            }

            /// The object in a store. A shared memory becomes one of the store.
            ///
            /// # Panics
            /// If it belongs to another store.
            pub(crate) fn to_core(&self, store: &mut StoreInner) -> ExternVal {
                self.check(store);
                match self {
                    $( Extern::$variant(item) => ExternVal::$variant(item.addr), )*
                    #[cfg(feature = "threads")]
                    Extern::SharedMemory(memory) => {
                        ExternVal::Memory(store.add_shared_memory(&memory.0))
                    }
                }
            }

            pub(crate) fn from_core(val: ExternVal, inner: &StoreInner) -> Extern {
                #[cfg(feature = "threads")]
                if let ExternVal::Memory(addr) = val
                    && let Some(shared) = inner.memory(addr).as_shared()
                {
                    return Extern::SharedMemory(SharedMemory(shared.clone()));
                }
                let store = StoreId::of(inner);
                match val { $( ExternVal::$variant(addr) => Extern::$variant($variant { store, addr }), )* }
            }
        }

        $(
            impl From<$variant> for Extern {
                fn from(item: $variant) -> Extern {
                    Extern::$variant(item)
                }
            }
        )*
    };
}

externs! {
    Func into_func "function";
    Global into_global "global";
    Table into_table "table";
    Memory into_memory "memory";
    Tag into_tag "tag";
}

#[cfg(feature = "threads")]
impl Extern {
    /// The shared memory, if it is one.
    pub fn into_shared_memory(self) -> Option<SharedMemory> {
        match self {
            Extern::SharedMemory(memory) => Some(memory),
            _ => None,
        }
    }
}

#[cfg(feature = "threads")]
impl From<SharedMemory> for Extern {
    fn from(memory: SharedMemory) -> Extern {
        Extern::SharedMemory(memory)
    }
}

/// A linear memory of a store.
///
/// Methods panic if they are given another store.
///
/// ```
/// use kinglet::{Engine, Memory, MemoryType, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(2)))?;
/// memory.write(&mut store, 100, b"bytes")?;
/// assert_eq!(&memory.data(&store)[100..105], b"bytes");
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// assert_eq!(memory.data_size(&store), 2 * 65_536);
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub(crate) store: StoreId,
    pub(crate) addr: MemoryAddr,
}

impl Memory {
    /// A memory with the minimal size of its type.
    ///
    /// # Errors
    /// The type makes no sense or is that of a shared memory, the store's limiter refuses, or there is no room.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        ty.check()?;
        if ty.is_shared() {
            crate::bail!("a shared memory belongs to no store: it is a `SharedMemory`");
        }
        Ok(Memory { store: StoreId::of(inner), addr: inner.add_memory(data, ty.0)? })
    }

    /// The type that it was created with.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        MemoryType(*self.get(store.as_context().inner).ty())
    }

    /// The bytes.
    #[inline]
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        self.get(store.into().inner).data()
    }

    /// The bytes, writable.
    #[inline]
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        self.get_mut(store.into().inner).data_mut()
    }

    /// The bytes and the embedder's data, both writable.
    #[inline]
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let StoreContextMut { inner, data } = store.into();
        (self.get_mut(inner).data_mut(), data)
    }

    /// The size, in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.get(store.as_context().inner).size()
    }

    /// The size, in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.get(store.as_context().inner).data().len()
    }

    /// Bytes per page.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        self.get(store.as_context().inner).ty().page_size()
    }

    /// Grows it by `delta` pages. Answers the old size, in pages.
    ///
    /// # Errors
    /// That is more than its type or the store's limiter allows, or there is no room.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        self.store.check(inner);
        let old = inner.grow_memory(data, self.addr, delta)?;
        old.ok_or_else(|| Error::limit(alloc::format!("failed to grow memory by `{delta}`")))
    }

    /// Copies bytes out of it, from `offset`, as many as `buffer` has.
    ///
    /// # Errors
    /// It does not have them all. Then nothing is copied.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let data = self.get(store.as_context().inner).data();
        let bytes = data.get(offset..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(MemoryAccessError(()))?);
        Ok(())
    }

    /// Copies bytes into it, from `offset`.
    ///
    /// # Errors
    /// It is too small. Then nothing is copied.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), MemoryAccessError> {
        let data = self.get_mut(store.as_context_mut().inner).data_mut();
        let place = data.get_mut(offset..).and_then(|rest| rest.get_mut(..bytes.len()));
        place.ok_or(MemoryAccessError(()))?.copy_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn get<'a>(&self, inner: &'a StoreInner) -> &'a kinglet_core::runtime::memory::Memory {
        self.store.check(inner);
        inner.memory(self.addr)
    }

    #[inline]
    fn get_mut<'a>(
        &self,
        inner: &'a mut StoreInner,
    ) -> &'a mut kinglet_core::runtime::memory::Memory {
        self.store.check(inner);
        inner.memory_mut(self.addr)
    }
}

/// An access outside of a memory, by [`Memory::read`] or [`Memory::write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryAccessError(pub(crate) ());

impl fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for MemoryAccessError {}

impl From<MemoryAccessError> for Error {
    #[cold]
    fn from(error: MemoryAccessError) -> Error {
        Error::new(error)
    }
}

/// A table of a store.
///
/// Methods panic if they, or a reference they are given, belong to another store.
///
/// ```
/// use kinglet::{Engine, Func, Ref, RefType, Store, Table, TableType};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None))?;
/// let func = Func::wrap(&mut store, || 7);
/// table.set(&mut store, 1, func.into())?;
/// assert!(table.get(&mut store, 0).unwrap().is_null());
/// assert!(table.get(&mut store, 1).unwrap().unwrap_func().is_some());
/// assert!(table.get(&mut store, 2).is_none());
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub(crate) store: StoreId,
    pub(crate) addr: TableAddr,
}

impl Table {
    /// A table with the minimal size of its type, all elements `init`.
    ///
    /// # Errors
    /// `init` is not of the type of the elements, the store's limiter refuses, or there is no room.
    ///
    /// # Panics
    /// If the type is one of another engine.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Table> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        if let Some(maximum) = ty.maximum().filter(|&maximum| maximum < ty.minimum()) {
            crate::bail!(
                "maximum size of a table is less than its minimum: {maximum} < {}",
                ty.minimum()
            );
        }
        if let Some(ty) = ty.element().defined() {
            ty.keep(inner);
        }
        check_elem(inner, init, ty.to_core().element)?;
        let init = init.handle(inner)?;
        Ok(Table { store: StoreId::of(inner), addr: inner.add_table(data, ty.to_core(), init)? })
    }

    /// The type that it was created with.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let store = store.as_context();
        TableType::from_core(store.engine().types(), *self.core(store.inner).ty())
    }

    /// The size, in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.core(store.as_context().inner).elems().len() as u64
    }

    /// Element `index`, or `None` if there is no such element.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        let inner = store.as_context_mut().inner;
        let table = self.core(inner);
        let handle = *table.elems().get(usize::try_from(index).ok()?)?;
        Some(Ref::from_handle(table.ty().element.heap, handle, inner))
    }

    /// Sets element `index`.
    ///
    /// # Errors
    /// There is no such element, or `value` is not of its type.
    pub fn set(&self, store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        self.fill(store, index, value, 1)
    }

    /// Grows it by `delta` elements, all `init`. Answers the old size.
    ///
    /// # Errors
    /// That is more than its type or the store's limiter allows, there is no room, or `init` is not of the type of the
    /// elements.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        check_elem(inner, init, self.core(inner).ty().element)?;
        let init = init.handle(inner)?;
        let old = inner.grow_table(data, self.addr, init, delta)?;
        old.ok_or_else(|| Error::limit(alloc::format!("failed to grow table by `{delta}`")))
    }

    /// Sets `len` elements from `dst` to `value`.
    ///
    /// # Errors
    /// It does not have them all, or `value` is not of their type. Then nothing is set.
    pub fn fill(&self, mut store: impl AsContextMut, dst: u64, value: Ref, len: u64) -> Result<()> {
        let inner = store.as_context_mut().inner;
        check_elem(inner, value, self.core(inner).ty().element)?;
        let value = value.handle(inner)?;
        Ok(inner.fill_table(self.addr, dst, value, len)?)
    }

    /// Copies `len` elements of `src_table`, from `src`, to `dst_table`, from `dst`. They may be the same table.
    ///
    /// # Errors
    /// They do not have them all, or their elements are of different types. Then nothing is copied.
    pub fn copy(
        mut store: impl AsContextMut,
        dst_table: &Table,
        dst: u64,
        src_table: &Table,
        src: u64,
        len: u64,
    ) -> Result<()> {
        let inner = store.as_context_mut().inner;
        if dst_table.core(inner).ty().element != src_table.core(inner).ty().element {
            return Err(Error::msg("tables do not have the same element type"));
        }
        Ok(inner.copy_table(dst_table.addr, src_table.addr, dst, src, len)?)
    }

    fn core<'a>(&self, inner: &'a StoreInner) -> &'a kinglet_core::runtime::table::Table {
        self.store.check(inner);
        inner.table(self.addr)
    }
}

fn check_elem(inner: &StoreInner, value: Ref, element: RefType) -> Result<()> {
    if Val::from(value).matches(inner, ValType::Ref(element))? {
        Ok(())
    } else {
        Err(Error::msg(alloc::format!("value does not match the table's element type {element}")))
    }
}

/// A global of a store.
///
/// Methods panic if they, or a reference they are given, belong to another store.
///
/// ```
/// use kinglet::{Engine, Global, GlobalType, Mutability, Store, Val, ValType};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let global = Global::new(&mut store, GlobalType::new(ValType::I64, Mutability::Var), Val::I64(1))?;
/// global.set(&mut store, Val::I64(2))?;
/// assert_eq!(global.get(&mut store).i64(), Some(2));
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Global {
    pub(crate) store: StoreId,
    pub(crate) addr: GlobalAddr,
}

impl Global {
    /// A global with this value.
    ///
    /// # Errors
    /// The value is not of the type's.
    ///
    /// # Panics
    /// If the type is one of another engine.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let inner = store.as_context_mut().inner;
        if let Some(ty) = ty.content().defined() {
            ty.keep(inner);
        }
        check_content(inner, value, ty.to_core().content)?;
        let bits = value.to_bits(inner)?;
        Ok(Global { store: StoreId::of(inner), addr: inner.add_global(ty.to_core(), bits)? })
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let store = store.as_context();
        GlobalType::from_core(store.engine().types(), *self.core(store.inner).ty())
    }

    /// The value.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let inner = store.as_context_mut().inner;
        let global = self.core(inner);
        let (ty, bits) = (global.ty().content, global.get());
        Val::from_bits(ty, bits, inner)
    }

    /// Sets the value.
    ///
    /// # Errors
    /// The global cannot be assigned, or the value is not of its type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let inner = store.as_context_mut().inner;
        let ty = *self.core(inner).ty();
        if ty.mutability == Mutability::Const {
            return Err(Error::msg("immutable global cannot be set"));
        }
        check_content(inner, value, ty.content)?;
        let bits = value.to_bits(inner)?;
        inner.global_mut(self.addr).set(bits);
        Ok(())
    }

    fn core<'a>(&self, inner: &'a StoreInner) -> &'a kinglet_core::runtime::table::Global {
        self.store.check(inner);
        inner.global(self.addr)
    }
}

fn check_content(inner: &StoreInner, value: Val, ty: ValType) -> Result<()> {
    if value.matches(inner, ty)? {
        Ok(())
    } else {
        Err(Error::msg(alloc::format!("value does not match the global's type {ty}")))
    }
}
