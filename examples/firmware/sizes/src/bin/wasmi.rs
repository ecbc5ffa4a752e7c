#![no_std]
#![no_main]

use wasmi::{Engine, Error, Instance, Module, Store};

board::firmware!(run);

fn run() -> bool {
    sizes::measure(|n| fib(n).unwrap_or(0))
}

fn fib(n: i32) -> Result<i32, Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, sizes::FIB)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<i32, i32>(&store, "fib")?.call(&mut store, n)
}
