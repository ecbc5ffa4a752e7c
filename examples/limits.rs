//! Limits for guests that are not trusted: shape of the module, memory, stack, fuel and time.

use kinglet::{
    Config, Engine, Instance, Limits, Module, Result, Store, StoreLimits, StoreLimitsBuilder, Trap,
};
use std::{thread, time::Duration};

fn main() -> Result<()> {
    let mut config = Config::new();
    config
        .limits(Limits::strict())
        .max_wasm_stack(128 << 10)
        .consume_fuel(true)
        .epoch_interruption(true);
    let engine = Engine::new(&config)?;
    let module = Module::new(
        &engine,
        r#"(module
            (memory 1)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func $recurse (export "recurse") (call $recurse))
            (func (export "spin") (loop $again (br $again))))"#,
    )?;

    let limits: StoreLimits = StoreLimitsBuilder::new().memory_size(1 << 20).instances(1).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    store.set_fuel(10_000_000)?;
    let instance = Instance::new(&mut store, &module, &[])?;

    // 16 pages of 64 KiB are the limit.
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow")?;
    assert_eq!(grow.call(&mut store, 15)?, 1);
    assert_eq!(grow.call(&mut store, 1)?, -1);

    let recurse = instance.get_typed_func::<(), ()>(&mut store, "recurse")?;
    let error = recurse.call(&mut store, ()).unwrap_err();
    println!("{error:#}");
    assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow));

    let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    store.set_fuel(100_000)?;
    let error = spin.call(&mut store, ()).unwrap_err();
    println!("{error:#}");
    assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));

    // A deadline: one tick from now, and another thread lets time tick.
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(1);
    let clock = thread::spawn({
        let engine = engine.clone();
        move || {
            thread::sleep(Duration::from_millis(10));
            engine.increment_epoch();
        }
    });
    let error = spin.call(&mut store, ()).unwrap_err();
    println!("{error:#}");
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    clock.join().expect("the clock does not panic");
    Ok(())
}
