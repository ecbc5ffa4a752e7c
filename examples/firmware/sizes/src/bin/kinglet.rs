//! This runtime.
#![no_std]
#![no_main]

use kinglet::{Engine, Instance, Module, Result, Store};

board::firmware!(run);

fn run() -> bool {
    sizes::measure(|n| fib(n).unwrap_or(0))
}

fn fib(n: i32) -> Result<i32> {
    let engine = Engine::default();
    #[cfg(feature = "translate")]
    let module = Module::new(&engine, sizes::FIB)?;
    #[cfg(not(feature = "translate"))]
    let module = Module::deserialize_static(
        &engine,
        kinglet::include_artifact!(concat!(env!("OUT_DIR"), "/fib.kgl")),
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<i32, i32>(&mut store, "fib")?.call(&mut store, n)
}
