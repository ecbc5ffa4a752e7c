//! Linkers.

use crate::{
    AsContext, AsContextMut, Caller, Engine, Error, Extern, ExternType, Func, FuncType, ImportType,
    Instance, InstancePre, IntoFunc, Module, Result, Val, WasmRet, WasmTyList, func, instance,
    matching::{self, Found},
};
use alloc::{boxed::Box, collections::BTreeMap, string::ToString, vec::Vec};
use core::{fmt, future::Future, marker::PhantomData};
use kinglet_core::{
    Shared,
    runtime::{StoreInner, func::HostFunc, instance::ExternVal},
};

/// Says what modules may import, by two names each, and instantiates them.
///
/// Host functions belong to the linker and work in any store of its engine. What belongs to a store, such as a memory
/// or an instance, makes the linker usable with that store only.
///
/// ```
/// use kinglet::{Engine, Linker, Module, Store};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "double", |x: i32| x * 2)?;
///
/// let library = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "double" (func $double (param i32) (result i32)))
///         (func (export "quadruple") (param i32) (result i32)
///             (call $double (call $double (local.get 0)))))"#,
/// )?;
/// let library = linker.instantiate(&mut store, &library)?;
/// linker.instance(&mut store, "library", library)?;
///
/// let program = Module::new(
///     &engine,
///     r#"(module
///         (import "library" "quadruple" (func $quadruple (param i32) (result i32)))
///         (func (export "run") (result i32) (call $quadruple (i32.const 5))))"#,
/// )?;
/// let run = linker.instantiate(&mut store, &program)?.get_typed_func::<(), i32>(&mut store, "run")?;
/// assert_eq!(run.call(&mut store, ())?, 20);
/// # Ok::<(), kinglet::Error>(())
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    names: Names,
    map: BTreeMap<Key, Definition>,
    allow_shadowing: bool,
    _data: PhantomData<fn(T) -> T>,
}

/// Module and name, as numbers from [`Names`].
type Key = (u32, u32);

/// Names as numbers, so that looking one up does not allocate.
#[derive(Clone, Default)]
struct Names {
    ids: BTreeMap<Shared<str>, u32>,
    names: Vec<Shared<str>>,
}

impl Names {
    fn add(&mut self, name: &str) -> u32 {
        if let Some(id) = self.id(name) {
            return id;
        }
        let (id, name) = (self.names.len() as u32, Shared::from(name));
        self.names.push(Shared::clone(&name));
        self.ids.insert(name, id);
        id
    }

    fn id(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }
}

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Definition {
    /// Something of a store, and its type when it was defined.
    Extern(Extern, Shared<ExternType>),
    /// A host function, not bound to a store.
    Host(Shared<HostFunc>),
}

impl Definition {
    fn of(store: &StoreInner, engine: &Engine, item: Extern) -> Definition {
        let ty = Found::of(store, &item).to_type(engine.types());
        Definition::Extern(item, Shared::new(ty))
    }

    /// What it is for an import, with the size that it has now or, without a store, had when it was defined.
    ///
    /// # Panics
    /// If it belongs to another store.
    fn found(&self, store: Option<&StoreInner>) -> Found {
        match (self, store) {
            (Definition::Host(func), _) => Found::Func(func.engine_type()),
            (Definition::Extern(item, _), Some(store)) => Found::of(store, item),
            (Definition::Extern(_, ty), None) => (&**ty).into(),
        }
    }

    /// The object, which is created if need be.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn to_core(&self, store: &mut StoreInner) -> ExternVal {
        match self {
            Definition::Extern(item, _) => item.to_core(store),
            Definition::Host(func) => ExternVal::Func(store.add_host_func(func.clone())),
        }
    }
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            names: Names::default(),
            map: BTreeMap::new(),
            allow_shadowing: false,
            _data: PhantomData,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a definition may replace another of the same names. If not, which is the default, that is an error.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker<T> {
        self.allow_shadowing = allow;
        self
    }

    /// Defines a host function by a closure, whose parameters and result say the type. See [`Func::wrap`] for what
    /// it may take and return.
    ///
    /// # Errors
    /// The names are taken.
    pub fn func_wrap<Params, Args>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Args>,
    ) -> Result<&mut Linker<T>> {
        let func = func.into_func(&self.engine);
        self.insert(module, name, Definition::Host(Shared::new(func)))
    }

    /// Defines a host function of a type that is known only at run time. See [`Func::new`].
    ///
    /// # Errors
    /// The names are taken.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Linker<T>> {
        let func = func::untyped(&self.engine, ty, func);
        self.insert(module, name, Definition::Host(Shared::new(func)))
    }

    /// Defines a host function that gives a future. Guests that call it have to be called with
    /// [`TypedFunc::call_async`](crate::TypedFunc::call_async) or the like.
    ///
    /// ```
    /// use kinglet::{Engine, Linker, Module, Store};
    ///
    /// let engine = Engine::default();
    /// let mut linker = Linker::new(&engine);
    /// linker.func_wrap_async("host", "next", |mut caller: kinglet::Caller<'_, i32>, (step,): (i32,)| {
    ///     Box::new(async move {
    ///         *caller.data_mut() += step;
    ///         *caller.data()
    ///     })
    /// })?;
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (import "host" "next" (func $next (param i32) (result i32)))
    ///         (func (export "run") (result i32)
    ///             (drop (call $next (i32.const 1)))
    ///             (call $next (i32.const 10))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, 0);
    /// let run = linker.instantiate(&mut store, &module)?.get_typed_func::<(), i32>(&mut store, "run")?;
    /// assert_eq!(pollster::block_on(run.call_async(&mut store, ()))?, 11);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The names are taken.
    pub fn func_wrap_async<F, Params: WasmTyList, Args: WasmRet + 'static>(
        &mut self,
        module: &str,
        name: &str,
        func: F,
    ) -> Result<&mut Linker<T>>
    where
        F: for<'a> Fn(Caller<'a, T>, Params) -> Box<dyn Future<Output = Args> + Send + 'a>
            + Send
            + Sync
            + 'static,
    {
        let func = func::typed_async(&self.engine, func);
        self.insert(module, name, Definition::Host(Shared::new(func)))
    }

    /// Defines a host function that gives a future and is of a type that is known only at run time.
    ///
    /// # Errors
    /// The names are taken.
    pub fn func_new_async<F>(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: F,
    ) -> Result<&mut Linker<T>>
    where
        T: Send,
        F: for<'a> Fn(
                Caller<'a, T>,
                &'a [Val],
                &'a mut [Val],
            ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
            + Send
            + Sync
            + 'static,
    {
        let func = func::untyped_async(&self.engine, ty, func);
        self.insert(module, name, Definition::Host(Shared::new(func)))
    }

    /// Defines something of a store.
    ///
    /// # Errors
    /// The names are taken.
    ///
    /// # Panics
    /// If `item` belongs to another store, or the store is of another engine than the linker.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Linker<T>> {
        let store = store.as_context();
        self.check_store(store.engine());
        let item = Definition::of(store.inner, &self.engine, item.into());
        self.insert(module, name, item)
    }

    /// Defines all that an instance exports, under the module name `module_name`.
    ///
    /// # Errors
    /// Names are taken.
    ///
    /// # Panics
    /// If the store is of another engine than the linker.
    pub fn instance(
        &mut self,
        store: impl AsContext<Data = T>,
        module_name: &str,
        instance: Instance,
    ) -> Result<&mut Linker<T>> {
        let store = store.as_context();
        self.check_store(store.engine());
        for export in instance.exports(&store) {
            let name = export.name();
            let item = Definition::of(store.inner, &self.engine, export.into_extern());
            self.insert(module_name, name, item)?;
        }
        Ok(self)
    }

    /// Instantiates a module and defines what it exports, under the module name `module_name`.
    ///
    /// By [the conventions of WASI], a module that exports `_start` is a command: each call of one of its functions gets
    /// an instance of its own. Others are reactors: they are instantiated once, and `_initialize` is called if they have it.
    ///
    /// [the conventions of WASI]: https://github.com/WebAssembly/WASI/blob/main/legacy/application-abi.md
    ///
    /// # Errors
    /// Names are taken, the module cannot be instantiated, or it exports both `_start` and `_initialize`.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Linker<T>> {
        let is_func = |name| matches!(module.get_export(name), Some(ExternType::Func(_)));
        match (is_func("_start"), is_func("_initialize")) {
            (true, true) => crate::bail!("program cannot be both a command and a reactor"),
            (true, false) => self.command(module_name, module),
            (false, initialize) => {
                let instance = self.instantiate(&mut store, module)?;
                if initialize {
                    let initialize = instance.get_typed_func::<(), ()>(&store, "_initialize")?;
                    initialize.call(&mut store, ())?;
                }
                self.instance(&store, module_name, instance)
            }
        }
    }

    fn command(&mut self, module_name: &str, module: &Module) -> Result<&mut Linker<T>> {
        let pre = self.instantiate_pre(module)?;
        for export in module.exports() {
            let ExternType::Func(ty) = export.ty() else { continue };
            let (pre, name) = (pre.clone(), export.name().to_string());
            let call = move |mut caller: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                let instance = pre.instantiate(&mut caller)?;
                let func = instance.get_func(&caller, &name);
                func.expect("the module exports it").call(&mut caller, params, results)
            };
            let func = func::untyped(&self.engine, ty, call);
            self.insert(module_name, export.name(), Definition::Host(Shared::new(func)))?;
        }
        Ok(self)
    }

    /// Defines `as_module as_name` to be what `module name` is.
    ///
    /// # Errors
    /// There is no such thing, or the names are taken.
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Linker<T>> {
        let Some(item) = self.find(module, name).cloned() else {
            crate::bail!("no item named `{module}::{name}` defined");
        };
        self.insert(as_module, as_name, item)
    }

    /// Defines all that is defined under the module name `module` under the module name `as_module` as well.
    ///
    /// # Errors
    /// Names are taken.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<()> {
        let Some(id) = self.names.id(module) else { return Ok(()) };
        let items: Vec<_> = self
            .map
            .range((id, 0)..=(id, u32::MAX))
            .map(|(&(_, name), item)| {
                (Shared::clone(&self.names.names[name as usize]), item.clone())
            })
            .collect();
        for (name, item) in items {
            self.insert(as_module, &name, item)?;
        }
        Ok(())
    }

    /// Defines each function that a module imports and that is not defined, as one that fails when it is called.
    ///
    /// # Errors
    /// Never; the result is for the sake of other runtimes' users.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for import in module.imports() {
            let ExternType::Func(ty) = import.ty() else { continue };
            if self.find(import.module(), import.name()).is_none() {
                let message = matching::unknown(&import).to_string();
                let fail = move |_: Caller<'_, T>, _: &[Val], _: &mut [Val]| {
                    Err(Error::link(message.clone()))
                };
                self.func_new(import.module(), import.name(), ty, fail)?;
            }
        }
        Ok(())
    }

    /// What is defined under these names.
    ///
    /// # Panics
    /// If it belongs to another store, or the store is of another engine than the linker.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        let store = store.as_context_mut();
        self.check_store(store.engine());
        let inner = store.inner;
        let item = self.find(module, name)?.to_core(inner);
        Some(Extern::from_core(item, inner))
    }

    /// What is defined for an import.
    ///
    /// # Panics
    /// If it belongs to another store, or the store is of another engine than the linker.
    pub fn get_by_import(
        &self,
        store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Option<Extern> {
        self.get(store, import.module(), import.name())
    }

    /// The function to call to run a module: what it exports as `""` or as `_start`. If neither is there, a function
    /// that does nothing.
    ///
    /// # Errors
    /// What stands there is not a function.
    pub fn get_default(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
    ) -> Result<Func> {
        for name in ["", "_start"] {
            match self.get(&mut store, module, name) {
                Some(Extern::Func(func)) => return Ok(func),
                Some(_) => crate::bail!("`{name}` in `{module}` is not a function"),
                None => {}
            }
        }
        Ok(Func::wrap(store, || ()))
    }

    /// All definitions: module, name, and what they stand for.
    ///
    /// # Panics
    /// If one belongs to another store, or the store is of another engine than the linker.
    pub fn iter<'a>(
        &'a self,
        mut store: impl AsContextMut<Data = T> + 'a,
    ) -> impl Iterator<Item = (&'a str, &'a str, Extern)> + 'a {
        self.check_store(store.as_context().engine());
        self.map.iter().map(move |(&(module, name), item)| {
            let inner = store.as_context_mut().inner;
            let item = Extern::from_core(item.to_core(inner), inner);
            (self.names.name(module), self.names.name(name), item)
        })
    }

    /// Instantiates a module and runs its start function.
    ///
    /// # Errors
    /// An import is not defined or not what the module wants, the store's limiter refuses, a segment does not fit, or
    /// the start function traps.
    ///
    /// # Panics
    /// If an import belongs to another store.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let store = store.as_context_mut();
        self.check_engine(module)?;
        instance::check_engine(&store, module)?;
        let mut imports = Vec::with_capacity(module.imports().len());
        for import in module.imports() {
            let item = self.find_import(&import)?;
            matching::check(item.found(Some(store.inner)), &import)?;
            imports.push(item.to_core(store.inner));
        }
        Instance::create(store, module, &imports)
    }

    /// The same as [`Linker::instantiate`].
    ///
    /// # Errors
    /// As there.
    pub fn instantiate_and_start(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate(store, module)
    }

    /// As [`Linker::instantiate`], where the start function may call asynchronous host functions.
    ///
    /// # Errors
    /// As there.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate_async(store).await
    }

    /// Finds and checks what a module imports, once for many instances.
    ///
    /// # Errors
    /// An import is not defined or not what the module wants.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        self.check_engine(module)?;
        let imports = module.imports().map(|import| {
            let item = self.find_import(&import)?;
            matching::check(item.found(None), &import)?;
            Ok(item.clone())
        });
        Ok(InstancePre::new(module.clone(), imports.collect::<Result<_>>()?))
    }

    /// # Panics
    /// If it is not the engine of the linker.
    fn check_store(&self, engine: &Engine) {
        assert!(Engine::same(&self.engine, engine), "linker and store are of different engines");
    }

    fn check_engine(&self, module: &Module) -> Result<()> {
        if !Engine::same(&self.engine, module.engine()) {
            crate::bail!("linker and module are of different engines");
        }
        Ok(())
    }

    fn find_import(&self, import: &ImportType<'_>) -> Result<&Definition> {
        self.find(import.module(), import.name()).ok_or_else(|| matching::unknown(import))
    }

    fn find(&self, module: &str, name: &str) -> Option<&Definition> {
        self.map.get(&(self.names.id(module)?, self.names.id(name)?))
    }

    fn insert(&mut self, module: &str, name: &str, item: Definition) -> Result<&mut Linker<T>> {
        let key = (self.names.add(module), self.names.add(name));
        if !self.allow_shadowing && self.map.contains_key(&key) {
            crate::bail!("import of `{module}::{name}` defined twice");
        }
        self.map.insert(key, item);
        Ok(self)
    }
}

impl<T: 'static> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker {
            engine: self.engine.clone(),
            names: self.names.clone(),
            map: self.map.clone(),
            allow_shadowing: self.allow_shadowing,
            _data: PhantomData,
        }
    }
}

impl<T: 'static> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            self.map.keys().map(|&(module, name)| (self.names.name(module), self.names.name(name)));
        f.debug_list().entries(names).finish()
    }
}
