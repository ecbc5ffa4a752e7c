//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part of it")]

use kinglet::{Engine, Instance, Linker, Module, Store, WasmParams, WasmResults};

/// An instance of a module without imports, in a store of its own.
pub(crate) fn instance(wat: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// An instance of a module in a store of its own.
pub(crate) fn link<T>(linker: &Linker<T>, data: T, wat: &str) -> (Store<T>, Instance) {
    let module = Module::new(linker.engine(), wat).unwrap();
    let mut store = Store::new(linker.engine(), data);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

/// Calls an exported function.
pub(crate) fn call<T, P: WasmParams, R: WasmResults>(
    store: &mut Store<T>,
    instance: Instance,
    name: &str,
    params: P,
) -> kinglet::Result<R> {
    instance.get_typed_func::<P, R>(&mut *store, name)?.call(store, params)
}
