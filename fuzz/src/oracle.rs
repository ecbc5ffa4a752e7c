//! Running modules on wasmi, whose results ours are compared with.

use crate::observe::{Guest, Host, Item, Kind, Observation, Reference, Stop, Value, hash};
use std::collections::BTreeMap;
use wasmi::{
    Caller, CompilationMode, Config, Engine, Error, Extern, ExternType, F32, F64, Func, Global,
    Instance, Memory, Module, Nullable, Ref, Store, StoreLimits, StoreLimitsBuilder, Table,
    TrapCode, Val, ValType,
};

/// Runs a module. `None` if wasmi does not take it.
pub(crate) fn observe(wasm: &[u8]) -> Option<Observation> {
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::LazyTranslation);
    let module = Module::new(&Engine::new(&config), wasm).ok()?;
    Some(Observation::new(|| Running::new(&module)))
}

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
}

impl Running {
    fn new(module: &Module) -> Result<Running, Stop> {
        let limits = StoreLimitsBuilder::new().memory_size(1 << 20).table_elements(1000).build();
        let data = Data { host: Host::default(), limits, callback: None };
        let mut store = Store::new(module.engine(), data);
        store.limiter(|data| &mut data.limits);
        let imports: Vec<Extern> = module
            .imports()
            .map(|import| {
                let seed = hash([import.module(), import.name()].concat().as_bytes());
                item(&mut store, import.ty(), seed)
            })
            .collect::<Result<_, Error>>()
            .map_err(stop)?;
        let first = Instance::new(&mut store, module, &imports).map_err(stop)?;
        let exported: BTreeMap<String, Extern> = first
            .exports(&store)
            .map(|export| (export.name().to_string(), export.into_extern()))
            .collect();
        let imports: Vec<Extern> = imports
            .iter()
            .map(|item| {
                let ty = item.ty(&store).func().cloned();
                let same = |found: &&Extern| ty.is_some() && found.ty(&store).func().cloned() == ty;
                *exported.values().find(same).unwrap_or(item)
            })
            .collect();
        let instance = Instance::new(&mut store, module, &imports).map_err(stop)?;
        let nullary = module.exports().filter(|export| match export.ty() {
            ExternType::Func(ty) => ty.params().len() + ty.results().len() == 0,
            _ => false,
        });
        let name = nullary.map(|export| export.name().to_string()).min();
        store.data_mut().callback = name.and_then(|name| instance.get_func(&store, &name));
        Ok(Running { store, module: module.clone(), instances: [first, instance] })
    }
}

impl Guest for Running {
    fn funcs(&mut self) -> Vec<(String, Vec<Kind>)> {
        let funcs = self.module.exports().filter_map(|export| match export.ty() {
            ExternType::Func(ty) => {
                Some((export.name().into(), ty.params().iter().copied().map(kind).collect()))
            }
            _ => None,
        });
        funcs.collect()
    }

    fn call(&mut self, name: &str, params: &[Value]) -> Result<Vec<Value>, Stop> {
        let func = self.instances[1].get_func(&self.store, name).expect("it is exported");
        let params: Vec<Val> = params.iter().map(|&value| from_value(value)).collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &params, &mut results).map_err(stop)?;
        Ok(results.iter().map(to_value).collect())
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let store = &self.store;
        let items = self.instances.iter().flat_map(|instance| instance.exports(store)).filter_map(
            |export| {
                let name = export.name().to_string();
                let item = match export.into_extern() {
                    Extern::Global(global) => Item::Global(to_value(&global.get(store))),
                    Extern::Memory(memory) => {
                        Item::Memory(memory.size(store), hash(memory.data(store)))
                    }
                    Extern::Table(table) => {
                        let size = table.size(store);
                        let nulls: Vec<u8> = (0..size)
                            .map(|i| {
                                table.get(store, i).expect("it is that large").is_null().into()
                            })
                            .collect();
                        Item::Table(size, hash(&nulls))
                    }
                    Extern::Func(_) => return None,
                };
                Some((name, item))
            },
        );
        items.collect()
    }

    fn host(&mut self) -> &Host {
        &self.store.data().host
    }

    fn fuel_used(&mut self) -> Option<u64> {
        None
    }
}

/// Something to import, which depends on `seed` where it can.
fn item(store: &mut Store<Data>, ty: &ExternType, seed: u64) -> Result<Extern, Error> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let kinds: Vec<Kind> = ty.results().iter().copied().map(kind).collect();
            let func = move |mut caller: Caller<'_, Data>, params: &[Val], results: &mut [Val]| {
                let params: Vec<Value> = params.iter().map(to_value).collect();
                let mut rng = caller.data_mut().host.called(seed, &params);
                for (result, &kind) in results.iter_mut().zip(&kinds) {
                    *result = from_value(Value::from_bits(kind, rng.edge()));
                }
                if let Some(callback) = caller.data().callback
                    && caller.data_mut().host.enter()
                {
                    let done = callback.call(&mut caller, &[], &mut []);
                    caller.data_mut().host.leave();
                    done?;
                }
                Ok(())
            };
            Func::new(store, ty.clone(), func).into()
        }
        ExternType::Global(ty) => {
            let value = from_value(Value::from_bits(kind(ty.content()), seed));
            Global::new(store, value, ty.mutability()).into()
        }
        ExternType::Memory(ty) => Memory::new(store, *ty)?.into(),
        ExternType::Table(ty) => Table::new(store, *ty, Ref::default_for_ty(ty.element()))?.into(),
    })
}

fn kind(ty: ValType) -> Kind {
    match ty {
        ValType::I32 => Kind::I32,
        ValType::I64 => Kind::I64,
        ValType::F32 => Kind::F32,
        ValType::F64 => Kind::F64,
        ValType::FuncRef => Kind::Ref(Reference::Func),
        ValType::ExternRef => Kind::Ref(Reference::Extern),
        ValType::V128 => panic!("unexpected vector"),
    }
}

fn from_value(value: Value) -> Val {
    match value {
        Value::I32(x) => Val::I32(x),
        Value::I64(x) => Val::I64(x),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::Null(Reference::Func) => Val::FuncRef(Nullable::Null),
        Value::Null(Reference::Extern) => Val::ExternRef(Nullable::Null),
        Value::NonNull(_) => panic!("only null references are made here"),
    }
}

fn to_value(value: &Val) -> Value {
    match value {
        Val::I32(x) => Value::I32(*x),
        Val::I64(x) => Value::I64(*x),
        Val::F32(x) => Value::F32(x.to_bits()),
        Val::F64(x) => Value::F64(x.to_bits()),
        Val::FuncRef(Nullable::Null) => Value::Null(Reference::Func),
        Val::FuncRef(Nullable::Val(_)) => Value::NonNull(Reference::Func),
        Val::ExternRef(Nullable::Null) => Value::Null(Reference::Extern),
        Val::ExternRef(Nullable::Val(_)) => Value::NonNull(Reference::Extern),
        Val::V128(_) => panic!("unexpected vector"),
    }
}

fn stop(error: Error) -> Stop {
    match error.as_trap_code() {
        Some(
            trap @ (TrapCode::StackOverflow | TrapCode::OutOfFuel | TrapCode::OutOfSystemMemory),
        ) => Stop::Exhausted(format!("{trap:?}")),
        Some(trap) => Stop::Trap(format!("{trap:?}")),
        // Not a trap there when it is in an instantiation.
        None if error.to_string().starts_with("out of bounds table access") => {
            Stop::Trap("TableOutOfBounds".into())
        }
        None => Stop::Other(error.to_string()),
    }
}
