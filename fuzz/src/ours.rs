//! Running modules on Kinglet.

use crate::{
    Rng,
    observe::{
        DEPTH, ELEMENTS, Guest, Host, Item, Kind, Observation, Reference, SHARED, Stop, Value, hash,
    },
};
use kinglet::{
    AnyRef, AsContext, AsContextMut, Budget, Caller, CompilationMode, Config, Engine, Error,
    ExnRef, ExnRefPre, ExnType, Extern, ExternRef, ExternType, Func, GcHeapOutOfMemory, Global,
    HeapType, I31, Instance, Memory, Module, OpSet, Ref, RefType, RootScope, Rooted, SharedMemory,
    Step, Store, StoreLimits, StoreLimitsBuilder, Strategy, Table, Tag, ThrownException, Trap,
    V128, Val, ValType, inspect,
};
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// How a module is run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// Functions are translated when they are called.
    pub(crate) lazy: bool,
    /// The code is compiled.
    pub(crate) compiled: bool,
    /// How much fuel there is, if it is counted.
    pub(crate) fuel: Option<u64>,
    /// Where calls stop.
    pub(crate) stops: Stops,
    /// Host functions call the guest back.
    pub(crate) reentrant: bool,
    /// What artifacts are made of.
    pub(crate) ops: OpSet,
}

/// Where calls stop before they end. In all cases but the first, host functions are asynchronous, if they can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stops {
    #[default]
    Nowhere,
    /// All the time, by little fuel and interrupts.
    Everywhere,
    /// At most once for lack of fuel, at places that depend on this number; and for host functions.
    Once(u64),
}

/// Runs a module, which is valid.
pub(crate) fn observe(wasm: &[u8], how: How) -> Observation {
    let engine = engine(how);
    let module = Module::new(&engine, wasm).expect("generated modules are valid");
    observe_module(&module, how)
}

/// Runs a module that an engine of the right configuration took. Nothing happens if it wants to import what cannot be made.
pub(crate) fn observe_module(module: &Module, how: How) -> Observation {
    observe_modules([module, module], how)
}

/// The same for a module that may import functions of another. Both have the same imports and exports.
pub(crate) fn observe_modules(modules: [&Module; 2], how: How) -> Observation {
    if importable(modules[0]) {
        Observation::new(|| Running::new(modules, how))
    } else {
        Observation::default()
    }
}

/// Whether something of the right type can be made for every import.
fn importable(module: &Module) -> bool {
    module.imports().all(|import| match import.ty() {
        ExternType::Func(ty) => ty.results().all(|ty| kind(&ty).is_some()),
        ExternType::Global(ty) => kind(ty.content()).is_some(),
        ExternType::Table(ty) => ty.element().is_nullable(),
        _ => true,
    })
}

pub(crate) fn engine(how: How) -> Engine {
    let mode = if how.lazy { CompilationMode::Lazy } else { CompilationMode::Eager };
    let metered = how.fuel.is_some();
    let mut config = Config::new();
    let strategy = if how.compiled { Strategy::Jit } else { Strategy::Interpreter };
    config.compilation_mode(mode).strategy(strategy).consume_fuel(metered).artifact_ops(how.ops);
    // Programs here are too small to leave garbage enough.
    config.gc_zeal_alloc_counter(NonZeroU32::new(if metered { 1 } else { 5 }));
    Engine::new(&config).expect("the configuration is sound")
}

struct Running {
    store: Store<Data>,
    module: Module,
    /// One instance that imports from the host, and one that imports functions of the first where they fit.
    instances: [Instance; 2],
    fuel: Option<u64>,
    stops: Stops,
    /// Where the last call failed.
    frames: Vec<(u32, Option<usize>)>,
}

struct Data {
    host: Host,
    limits: StoreLimits,
    /// What host functions call back.
    callback: Option<Func>,
    /// What they throw: a tag that the module imports, and how the values can be made.
    tag: Option<(Tag, Vec<Kind>)>,
}

impl Running {
    fn new([first, module]: [&Module; 2], how: How) -> Result<Running, Stop> {
        let limits = StoreLimitsBuilder::new().memory_size(1 << 20).table_elements(1000).build();
        let data = Data { host: Host::default(), limits, callback: None, tag: None };
        let mut store = Store::new(module.engine(), data);
        store.limiter(|data| &mut data.limits);
        if let Some(fuel) = how.fuel {
            store.set_fuel(fuel).expect("fuel is counted");
        }
        // What runs when a module is instantiated cannot wait.
        let asynchronous = how.stops != Stops::Nowhere && !inspect::starts(module);
        let imports: Vec<Extern> = module
            .imports()
            .map(|import| {
                let seed = hash([import.module(), import.name()].concat().as_bytes());
                item(&mut store, import.ty(), seed, asynchronous)
            })
            .collect::<Result<_, Error>>()
            .map_err(|error| stop(&mut store, error))?;
        let tag = imports.iter().find_map(|item| {
            let Extern::Tag(tag) = item else { return None };
            let kinds = tag.ty(&store).ty().params().map(|ty| kind(&ty)).collect::<Option<_>>()?;
            Some((*tag, kinds))
        });
        store.data_mut().tag = tag;
        let first = Instance::new(&mut store, first, &imports);
        let first = first.map_err(|error| stop(&mut store, error))?;
        let exported: BTreeMap<String, Extern> = first
            .exports(&store)
            .map(|export| (export.name().to_string(), export.into_extern()))
            .collect();
        let imports: Vec<Extern> = imports
            .iter()
            .map(|item| {
                let ty = item.ty(&store).func().cloned();
                let same = |found: &&Extern| ty.is_some() && found.ty(&store).func().cloned() == ty;
                exported.values().find(same).unwrap_or(item).clone()
            })
            .collect();
        let instance = Instance::new(&mut store, module, &imports);
        let instance = instance.map_err(|error| stop(&mut store, error))?;
        if how.reentrant {
            let nullary = module.exports().filter(|export| match export.ty() {
                ExternType::Func(ty) => ty.params().len() + ty.results().len() == 0,
                _ => false,
            });
            let name = nullary.map(|export| export.name().to_string()).min();
            store.data_mut().callback = name.and_then(|name| instance.get_func(&store, &name));
        }
        let (module, instances) = (module.clone(), [first, instance]);
        let (fuel, stops, frames) = (how.fuel, how.stops, Vec::new());
        Ok(Running { store, module, instances, fuel, stops, frames })
    }

    /// Calls a function in slices of fuel.
    fn call_sliced(&mut self, func: Func, params: &[Val]) -> Result<Vec<Val>, Error> {
        let store = &mut self.store;
        let mut execution = func.start(&mut *store, params)?;
        let interrupt = store.interrupt_handle();
        let mut rest = store.get_fuel()?;
        let (mut slice, interrupts) = match self.stops {
            Stops::Once(seed) => (Rng::new(seed ^ rest).below(MAX_FIRST) as u64, false),
            _ => (SLICE, true),
        };
        loop {
            // Not again where it has just been interrupted.
            if interrupts && rest.is_multiple_of(3) && slice == SLICE {
                interrupt.interrupt();
            }
            let budget = rest.min(slice);
            let all = budget == rest;
            let step = execution.run(&mut *store, Budget::fuel(budget));
            let used = budget - store.get_fuel()?;
            rest -= used;
            slice = match self.stops {
                Stops::Once(_) if matches!(step, Ok(Step::Pending(_))) => slice - used,
                Stops::Once(_) => rest,
                // More only if nothing gets done.
                _ if used == 0 => slice * 2,
                _ => SLICE,
            };
            let done = match step {
                Ok(Step::Pending(_)) => {
                    ready(execution.finish_host_call(&mut *store))?;
                    continue;
                }
                Ok(Step::Interrupted) => continue,
                Ok(Step::OutOfFuel) if !all => continue,
                Ok(Step::OutOfFuel) => Err(Trap::OutOfFuel.into()),
                Ok(Step::Done(results)) => Ok(results),
                Ok(step) => panic!("unexpected {step:?}"),
                Err(error) => Err(error),
            };
            store.set_fuel(rest)?;
            return done;
        }
    }

    /// How a call failed.
    fn failed(&mut self, error: Error) -> Stop {
        let frames = error.wasm_backtrace().map_or(&[][..], |backtrace| backtrace.frames());
        self.frames =
            frames.iter().map(|frame| (frame.func_index(), frame.module_offset())).collect();
        if error.trap() == Some(Trap::OutOfFuel) {
            // A call that has stopped for lack of fuel has not failed.
            self.frames.clear();
        }
        stop(&mut self.store, error)
    }
}

const SLICE: u64 = 50;

/// Below this is the fuel with which calls that stop once begin.
const MAX_FIRST: usize = 1000;

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
        let func = self.instances[1].get_func(&self.store, name).expect("it is exported");
        if self.stops != Stops::Nowhere {
            let params = params.iter().map(|value| from_value(&mut self.store, value));
            let params = params.collect::<Result<Vec<Val>, Error>>();
            let params = params.map_err(|error| stop(&mut self.store, error))?;
            let results = self.call_sliced(func, &params).map_err(|error| self.failed(error))?;
            return Ok(results.iter().map(|value| to_value(&mut self.store, value, 0)).collect());
        }
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        let mut scope = RootScope::new(&mut self.store);
        let params = params.iter().map(|value| from_value(&mut scope, value));
        let params = params.collect::<Result<Vec<Val>, Error>>();
        let params = params.map_err(|error| stop(&mut scope, error))?;
        match func.call(&mut scope, &params, &mut results) {
            Ok(()) => Ok(results.iter().map(|value| to_value(&mut scope, value, 0)).collect()),
            Err(error) => {
                drop(scope);
                Err(self.failed(error))
            }
        }
    }

    fn set_globals(&mut self, name: &str, value: i32) {
        for instance in self.instances {
            if let Some(global) = instance.get_global(&self.store, name) {
                // In a damaged artifact it may be anything.
                _ = global.set(&mut self.store, Val::I32(value));
            }
        }
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let mut items = Vec::new();
        for instance in self.instances {
            for export in self.module.exports() {
                let store = &mut RootScope::new(&mut self.store);
                let exported = instance.get_export(&mut *store, export.name());
                let item = match exported.expect("it is exported") {
                    Extern::Global(global) => {
                        let value = global.get(&mut *store);
                        Item::Global(to_value(store, &value, 0))
                    }
                    Extern::Memory(memory) => {
                        Item::Memory(memory.size(&*store), hash(memory.data(&*store)))
                    }
                    Extern::Table(table) => {
                        let size = table.size(&*store);
                        let nulls: Vec<u8> = (0..size)
                            .map(|i| {
                                let element = table.get(&mut *store, i);
                                element.expect("it is that large").is_null().into()
                            })
                            .collect();
                        Item::Table(size, hash(&nulls))
                    }
                    Extern::SharedMemory(memory) => Item::Memory(memory.size(), SHARED),
                    _ => continue,
                };
                items.push((export.name().to_string(), item));
            }
        }
        items
    }

    fn host(&mut self) -> &Host {
        &self.store.data().host
    }

    fn frames(&mut self) -> Vec<(u32, Option<usize>)> {
        std::mem::take(&mut self.frames)
    }

    fn fuel_used(&mut self) -> Option<u64> {
        self.fuel.map(|fuel| fuel - self.store.get_fuel().expect("fuel is counted"))
    }
}

/// Something to import, which depends on `seed` where it can.
fn item(
    store: &mut Store<Data>,
    ty: ExternType,
    seed: u64,
    asynchronous: bool,
) -> Result<Extern, Error> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let kinds: Vec<Kind> = ty.results().filter_map(|ty| kind(&ty)).collect();
            if asynchronous {
                let call =
                    move |mut caller: Caller<'_, Data>, params: &[Val], results: &mut [Val]| {
                        called(&mut caller, seed, &kinds, params, results)
                    };
                let call = Arc::new(call);
                Func::new_async(store, ty, move |caller, params, results| {
                    let call = call.clone();
                    Box::new(async move { call(caller, params, results) })
                })
                .into()
            } else {
                Func::new(store, ty, move |mut caller, params, results| {
                    called(&mut caller, seed, &kinds, params, results)
                })
                .into()
            }
        }
        ExternType::Global(ty) => {
            let kind = kind(ty.content()).expect("imports have been checked");
            let value = from_value(store, &Value::from_bits(kind, seed))?;
            Global::new(store, ty, value)?.into()
        }
        ExternType::Memory(ty) if ty.is_shared() => SharedMemory::new(store.engine(), ty)?.into(),
        ExternType::Memory(ty) => Memory::new(store, ty)?.into(),
        ExternType::Table(ty) => {
            let null = Ref::null(ty.element().heap_type());
            Table::new(store, ty, null)?.into()
        }
        ExternType::Tag(ty) => Tag::new(store, &ty)?.into(),
        other => panic!("unexpected import of {other:?}"),
    })
}

/// The output of a future that has nothing to wait for.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("host functions are ready at once"),
    }
}

crate::values::host!();

fn stop(store: &mut impl AsContextMut<Data = Data>, error: Error) -> Stop {
    match error.trap() {
        Some(trap @ (Trap::StackOverflow | Trap::OutOfFuel | Trap::AllocationTooLarge)) => {
            Stop::Exhausted(format!("{trap:?}"))
        }
        Some(trap) => match format!("{trap:?}") {
            // One trap elsewhere, whatever the null should have been.
            name if name.starts_with("Null") => Stop::Trap("NullReference".into()),
            name => Stop::Trap(name),
        },
        None if error.is::<ThrownException>() => {
            let thrown = store.as_context_mut().take_pending_exception().expect("it is there");
            let fields: Vec<Val> = thrown.fields(&mut *store).expect("it has fields").collect();
            let values = fields.iter().map(|field| to_value(store, field, 0));
            Stop::Exception(values.collect())
        }
        None if error.is::<GcHeapOutOfMemory<()>>() || error.is::<GcHeapOutOfMemory<u32>>() => {
            Stop::Exhausted("GcHeapOutOfMemory".into())
        }
        None => Stop::Other(error.to_string()),
    }
}
