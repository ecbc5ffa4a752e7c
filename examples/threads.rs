//! Threads: four stores on four threads of the host count in one shared memory.

use kinglet::{Engine, Instance, MemoryType, Module, Result, SharedMemory, Store};
use std::{sync::atomic::Ordering, thread};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "memory" (memory 1 1 shared))
            (func (export "count") (param $times i32)
                (loop $again
                    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
                    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
                    (br_if $again (local.get $times)))))"#,
    )?;
    // A shared memory belongs to no store: every instance that imports it sees the same bytes.
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1))?;
    thread::scope(|scope| {
        let count = || -> Result<()> {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[memory.clone().into()])?;
            instance.get_typed_func::<i32, ()>(&mut store, "count")?.call(&mut store, 10_000)
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;

    let bytes = &memory.data()[..4];
    let total = u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[i].load(Ordering::Relaxed)));
    println!("counted to {total}");
    assert_eq!(total, 40_000);
    Ok(())
}
