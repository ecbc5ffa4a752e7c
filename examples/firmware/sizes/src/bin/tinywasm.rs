#![no_std]
#![no_main]

use tinywasm::{
    Engine, ModuleInstance, Result, Store,
    engine::{Config, StackConfig},
    parse_bytes,
};

board::firmware!(run);

fn run() -> bool {
    sizes::measure(|n| fib(n).unwrap_or(0))
}

fn fib(n: i32) -> Result<i32> {
    let module = parse_bytes(sizes::FIB)?;
    // Its own sizes are those of larger machines.
    let config = Config::new()
        .with_value_stack(StackConfig::dynamic(64, 1024))
        .with_call_stack(StackConfig::dynamic(8, 128));
    let mut store = Store::new(Engine::new(config));
    let instance = ModuleInstance::instantiate(&mut store, &module, None)?;
    instance.func::<i32, i32>(&store, "fib")?.call(&mut store, n)
}
