//! Instances.

use crate::{
    AsContext, AsContextMut, Error, Extern, ExternType, Func, Global, Memory, Module, Result,
    StoreContext, StoreContextMut, Table, Tag, TypedFunc, WasmParams, WasmResults, func,
    linker::Definition,
    matching::{self, Found},
    store::StoreId,
};
use alloc::{format, vec::Vec};
use core::{fmt, marker::PhantomData};
use kinglet_core::{
    Shared,
    index::{FuncAddr, InstanceAddr},
    runtime::instance::ExternVal,
};

/// An instance of a module in a store.
///
/// Methods panic if they are given another store.
///
/// ```
/// use kinglet::{Engine, Instance, Module, Store};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (func (export "six") (result i32) (i32.const 6)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let six = instance.get_typed_func::<(), i32>(&mut store, "six")?;
/// assert_eq!(six.call(&mut store, ())?, 6);
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    store: StoreId,
    addr: InstanceAddr,
}

impl Instance {
    /// Creates an instance and runs its start function. `imports` stand in the order of [`Module::imports`]; a
    /// [`Linker`](crate::Linker) finds them by name.
    ///
    /// # Errors
    /// The imports are not what the module wants, the store's limiter refuses, a segment does not fit, or the start
    /// function traps.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let store = store.as_context_mut();
        let wanted = module.imports();
        if wanted.len() != imports.len() {
            crate::bail!("expected {} imports, found {}", wanted.len(), imports.len());
        }
        check_engine(&store, module)?;
        for (import, item) in wanted.zip(imports) {
            matching::check(Found::of(store.inner, item), &import)?;
        }
        let imports: Vec<ExternVal> =
            imports.iter().map(|item| item.to_core(store.inner)).collect();
        Instance::create(store, module, &imports)
    }

    /// Creates an instance and runs its start function. The imports have been checked.
    pub(crate) fn create<T: 'static>(
        mut store: StoreContextMut<'_, T>,
        module: &Module,
        imports: &[ExternVal],
    ) -> Result<Instance> {
        let (instance, start) = Instance::prepare(&mut store, module, imports)?;
        if let Some(start) = start {
            func::call_slots(store.inner, store.data, start, &mut [])?;
        }
        Ok(instance)
    }

    /// Creates an instance but does not run its start function.
    fn prepare<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        module: &Module,
        imports: &[ExternVal],
    ) -> Result<(Instance, Option<FuncAddr>)> {
        let program = module.program();
        let addr = store.inner.instantiate(store.data, program, imports)?;
        let start = program.module.start.map(|start| store.inner.ref_func(addr, start));
        Ok((Instance { store: StoreId::of(store.inner), addr }, start))
    }

    /// What it exports under `name`.
    pub fn get_export(&self, store: impl AsContext, name: &str) -> Option<Extern> {
        let inner = store.as_context().inner;
        self.store.check(inner);
        Some(Extern::from_core(inner.export(self.addr, name)?, inner))
    }

    /// The function that it exports under `name`.
    pub fn get_func(&self, store: impl AsContext, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The function that it exports under `name`, for calls with these types.
    ///
    /// # Errors
    /// There is none, or it has another type.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let store = store.as_context();
        let func = self
            .get_func(&store, name)
            .ok_or_else(|| Error::msg(format!("failed to find function export `{name}`")))?;
        func.typed(&store).map_err(|error| {
            error.context(format_args!("failed to convert function `{name}` to given type"))
        })
    }

    /// The memory that it exports under `name`.
    pub fn get_memory(&self, store: impl AsContext, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The shared memory that it exports under `name`.
    #[cfg(feature = "threads")]
    pub fn get_shared_memory(
        &self,
        store: impl AsContext,
        name: &str,
    ) -> Option<crate::SharedMemory> {
        self.get_export(store, name)?.into_shared_memory()
    }

    /// The table that it exports under `name`.
    pub fn get_table(&self, store: impl AsContext, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The global that it exports under `name`.
    pub fn get_global(&self, store: impl AsContext, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The tag that it exports under `name`.
    pub fn get_tag(&self, store: impl AsContext, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All that it exports, in the order of [`Module::exports`].
    pub fn exports<'a, T: 'static>(
        self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> impl ExactSizeIterator<Item = Export<'a>> {
        let inner = store.into().inner;
        self.store.check(inner);
        let addr = self.addr;
        inner.instance(addr).module.exports.iter().map(move |export| Export {
            name: &export.name,
            item: Extern::from_core(inner.export_item(addr, export.item), inner),
        })
    }
}

pub(crate) fn check_engine<T: 'static>(
    store: &StoreContextMut<'_, T>,
    module: &Module,
) -> Result<()> {
    if crate::Engine::same(store.engine(), module.engine()) {
        Ok(())
    } else {
        Err(Error::msg("cross-`Engine` instantiation is not supported"))
    }
}

/// Something that an instance exports.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    name: &'a str,
    item: Extern,
}

impl<'a> Export<'a> {
    /// The name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.item.ty(store)
    }

    /// What it is.
    pub fn into_extern(self) -> Extern {
        self.item
    }

    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        self.item.into_func()
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        self.item.into_memory()
    }

    /// The shared memory, if it is one.
    #[cfg(feature = "threads")]
    pub fn into_shared_memory(self) -> Option<crate::SharedMemory> {
        self.item.into_shared_memory()
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        self.item.into_table()
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        self.item.into_global()
    }
}

/// A module whose imports have been found and checked: the fastest way to many instances. Clones share it.
///
/// ```
/// use kinglet::{Engine, Linker, Module, Store};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (import "host" "f" (func)) (start 0))"#)?;
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "f", || ())?;
/// let pre = linker.instantiate_pre(&module)?;
/// for _ in 0..3 {
///     pre.instantiate(&mut Store::new(&engine, ()))?;
/// }
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct InstancePre<T: 'static> {
    module: Module,
    imports: Shared<[Definition]>,
    _data: PhantomData<fn(T) -> T>,
}

impl<T: 'static> InstancePre<T> {
    pub(crate) fn new(module: Module, imports: Vec<Definition>) -> InstancePre<T> {
        InstancePre { module, imports: imports.into(), _data: PhantomData }
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Creates an instance and runs its start function.
    ///
    /// # Errors
    /// The store's limiter refuses, a segment does not fit, or the start function traps.
    ///
    /// # Panics
    /// If an import belongs to another store.
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let mut store = store.as_context_mut();
        let imports = self.imports(&mut store)?;
        Instance::create(store, &self.module, &imports)
    }

    /// As [`InstancePre::instantiate`], where the start function may call asynchronous host functions.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn instantiate_async(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<Instance> {
        let mut store = store.as_context_mut();
        let imports = self.imports(&mut store)?;
        let (instance, start) = Instance::prepare(&mut store, &self.module, &imports)?;
        if let Some(start) = start {
            func::call_slots_async(&mut store, start, &mut []).await?;
        }
        Ok(instance)
    }

    fn imports(&self, store: &mut StoreContextMut<'_, T>) -> Result<Vec<ExternVal>> {
        check_engine(store, &self.module)?;
        Ok(self.imports.iter().map(|item| item.to_core(store.inner)).collect())
    }
}

impl<T: 'static> Clone for InstancePre<T> {
    fn clone(&self) -> InstancePre<T> {
        InstancePre {
            module: self.module.clone(),
            imports: self.imports.clone(),
            _data: PhantomData,
        }
    }
}

impl<T: 'static> fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstancePre").field("module", &self.module).finish_non_exhaustive()
    }
}
