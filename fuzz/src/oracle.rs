//! Running modules on wasmtime, whose results ours are compared with.

use crate::observe::{
    DEPTH, ELEMENTS, Guest, Host, Item, Kind, Observation, Reference, SHARED, Stop, Value, hash,
};
use std::{collections::BTreeMap, sync::LazyLock};
use wasmtime::{
    AnyRef, AsContext, AsContextMut, Caller, Collector, Config, Engine, Error, ExnRef, ExnRefPre,
    ExnType, Extern, ExternRef, ExternType, Func, FuncType, Global, HeapType, I31, Instance,
    Memory, Module, OptLevel, Ref, RefType, RegallocAlgorithm, Result, RootScope, Rooted,
    SharedMemory, Store, StoreLimits, StoreLimitsBuilder, Table, Tag, ThrownException, Trap, V128,
    Val, ValType,
};

/// Runs a module. `None` if wasmtime does not take it, or it wants to import what cannot be made.
pub(crate) fn observe(wasm: &[u8]) -> Option<Observation> {
    let module = Module::new(&ENGINE, wasm).ok()?;
    importable(&module).then(|| Observation::new(|| Running::new(&module)))
}

/// It compiles fast, and does what is not determined as we do.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .relaxed_simd_deterministic(true)
        .shared_memory(true)
        .collector(Collector::Null)
        .cranelift_opt_level(OptLevel::None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None)
        .memory_init_cow(false)
        .signals_based_traps(false)
        // Shared memories grow only into this.
        .memory_reservation(1 << 20)
        .memory_guard_size(0)
        .memory_reservation_for_growth(0)
        .gc_heap_reservation(0)
        .gc_heap_guard_size(0)
        .gc_heap_reservation_for_growth(0);
    Engine::new(&config).expect("the configuration is sound")
});

struct Running {
    store: Store<Data>,
    module: Module,
    instances: [Instance; 2],
}

struct Data {
    host: Host,
    limits: StoreLimits,
    /// What host functions call back.
    callback: Option<Func>,
    /// What they throw: a tag that the module imports, and how the values can be made.
    tag: Option<(Tag, Vec<Kind>)>,
}

/// Whether something of the right type can be made for every import.
fn importable(module: &Module) -> bool {
    module.imports().all(|import| match import.ty() {
        ExternType::Func(ty) => ty.results().all(|ty| kind(&ty).is_some()),
        ExternType::Global(ty) => kind(ty.content()).is_some(),
        ExternType::Table(ty) => ty.element().is_nullable(),
        ExternType::Memory(_) | ExternType::Tag(_) => true,
    })
}

impl Running {
    fn new(module: &Module) -> Result<Running, Stop> {
        let limits = StoreLimitsBuilder::new().memory_size(1 << 20).table_elements(1000).build();
        let data = Data { host: Host::default(), limits, callback: None, tag: None };
        let mut store = Store::new(module.engine(), data);
        store.limiter(|data| &mut data.limits);
        let stop = |store: &mut Store<Data>, error| stop(store, error);
        let imports: Vec<Extern> = module
            .imports()
            .map(|import| {
                let seed = hash([import.module(), import.name()].concat().as_bytes());
                item(&mut store, import.ty(), seed)
            })
            .collect::<Result<_, Error>>()
            .map_err(|error| stop(&mut store, error))?;
        let tag = imports.iter().find_map(|item| {
            let Extern::Tag(tag) = item else { return None };
            let kinds = tag.ty(&store).ty().params().map(|ty| kind(&ty)).collect::<Option<_>>()?;
            Some((*tag, kinds))
        });
        store.data_mut().tag = tag;
        let first = Instance::new(&mut store, module, &imports);
        let first = first.map_err(|error| stop(&mut store, error))?;
        let exported: BTreeMap<String, Extern> = module
            .exports()
            .map(|export| {
                let item = first.get_export(&mut store, export.name()).expect("it is exported");
                (export.name().to_string(), item)
            })
            .collect();
        let imports: Vec<Extern> = imports
            .iter()
            .map(|item| {
                let ty = item.ty(&store).func().cloned();
                let same = |found: &&Extern| match (&ty, found.ty(&store).func()) {
                    (Some(ty), Some(found)) => FuncType::eq(found, ty),
                    _ => false,
                };
                exported.values().find(same).unwrap_or(item).clone()
            })
            .collect();
        let instance = Instance::new(&mut store, module, &imports);
        let instance = instance.map_err(|error| stop(&mut store, error))?;
        let nullary = module.exports().filter(|export| match export.ty() {
            ExternType::Func(ty) => ty.params().len() + ty.results().len() == 0,
            _ => false,
        });
        let name = nullary.map(|export| export.name().to_string()).min();
        let callback = name.and_then(|name| instance.get_func(&mut store, &name));
        store.data_mut().callback = callback;
        Ok(Running { store, module: module.clone(), instances: [first, instance] })
    }
}

impl Guest for Running {
    fn funcs(&mut self) -> Vec<(String, Vec<Kind>)> {
        let funcs = self.module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(ty) => {
                let params = ty.params().map(|ty| kind(&ty)).collect::<Option<_>>()?;
                Some((export.name().into(), params))
            }
            _ => None,
        });
        funcs.collect()
    }

    fn call(&mut self, name: &str, params: &[Value]) -> Result<Vec<Value>, Stop> {
        let func = self.instances[1].get_func(&mut self.store, name).expect("it is exported");
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        let mut scope = RootScope::new(&mut self.store);
        let params = params.iter().map(|value| from_value(&mut scope, value));
        let params = params.collect::<Result<Vec<Val>, Error>>();
        let params = params.map_err(|error| stop(&mut scope, error))?;
        match func.call(&mut scope, &params, &mut results) {
            Ok(()) => Ok(results.iter().map(|value| to_value(&mut scope, value, 0)).collect()),
            Err(error) => Err(stop(&mut scope, error)),
        }
    }

    fn set_globals(&mut self, name: &str, value: i32) {
        for instance in self.instances {
            if let Some(global) = instance.get_global(&mut self.store, name) {
                global.set(&mut self.store, Val::I32(value)).expect("it is a number");
            }
        }
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let mut items = Vec::new();
        for instance in self.instances {
            for export in self.module.exports() {
                let name = export.name();
                let mut scope = RootScope::new(&mut self.store);
                let exported = instance.get_export(&mut scope, name).expect("it is exported");
                let item = match exported {
                    Extern::Global(global) => {
                        let value = global.get(&mut scope);
                        Item::Global(to_value(&mut scope, &value, 0))
                    }
                    Extern::Memory(memory) => {
                        Item::Memory(memory.size(&scope), hash(memory.data(&scope)))
                    }
                    Extern::SharedMemory(memory) => Item::Memory(memory.size(), SHARED),
                    Extern::Table(table) => {
                        let size = table.size(&scope);
                        let nulls: Vec<u8> = (0..size)
                            .map(|i| {
                                let element = table.get(&mut scope, i).expect("it is that large");
                                element.is_null().into()
                            })
                            .collect();
                        Item::Table(size, hash(&nulls))
                    }
                    Extern::Func(_) | Extern::Tag(_) => continue,
                };
                items.push((name.to_string(), item));
            }
        }
        items
    }

    fn host(&mut self) -> &Host {
        &self.store.data().host
    }

    fn fuel_used(&mut self) -> Option<u64> {
        None
    }
}

/// Something to import, which depends on `seed` where it can.
fn item(store: &mut Store<Data>, ty: ExternType, seed: u64) -> Result<Extern, Error> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let kinds: Vec<Kind> = ty.results().filter_map(|ty| kind(&ty)).collect();
            let func = move |mut caller: Caller<'_, Data>, params: &[Val], results: &mut [Val]| {
                called(&mut caller, seed, &kinds, params, results)
            };
            Func::new(store, ty, func).into()
        }
        ExternType::Global(ty) => {
            let kind = kind(ty.content()).expect("imports have been checked");
            let mut scope = RootScope::new(store);
            let value = from_value(&mut scope, &Value::from_bits(kind, seed))?;
            Global::new(&mut scope, ty, value)?.into()
        }
        ExternType::Memory(ty) if ty.is_shared() => SharedMemory::new(store.engine(), ty)?.into(),
        ExternType::Memory(ty) => Memory::new(store, ty)?.into(),
        ExternType::Table(ty) => {
            let null = Ref::null(ty.element().heap_type());
            Table::new(store, ty, null)?.into()
        }
        ExternType::Tag(ty) => Tag::new(store, &ty)?.into(),
    })
}

crate::values::host!();

fn stop(store: &mut impl AsContextMut<Data = Data>, error: Error) -> Stop {
    match error.downcast_ref() {
        Some(trap @ (Trap::StackOverflow | Trap::OutOfFuel | Trap::AllocationTooLarge)) => {
            Stop::Exhausted(format!("{trap:?}"))
        }
        Some(trap) => Stop::Trap(format!("{trap:?}")),
        None if error.is::<ThrownException>() => {
            let thrown = store.as_context_mut().take_pending_exception().expect("it is there");
            let fields: Vec<Val> = thrown.fields(&mut *store).expect("it is rooted").collect();
            let values = fields.iter().map(|field| to_value(store, field, 0));
            Stop::Exception(values.collect())
        }
        None if error.is::<wasmtime::GcHeapOutOfMemory<()>>()
            || error.is::<wasmtime::GcHeapOutOfMemory<u32>>() =>
        {
            Stop::Exhausted("GcHeapOutOfMemory".into())
        }
        None => Stop::Other(error.to_string()),
    }
}
