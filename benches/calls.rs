//! What calls between host and guest, and between guests, cost.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinglet::{Engine, Linker, Module, Store, Val};
use kinglet_benches::read;

fn calls(criterion: &mut Criterion) {
    let engine = Engine::default();
    let module = Module::new(&engine, read("workloads/call.wasm")).expect("it is valid");
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "nop", || {}).expect("it is new");
    linker.func_wrap("env", "add", |a: i32, b: i32| a.wrapping_add(b)).expect("it is new");
    linker.func_wrap("env", "clock_ms", || 0).expect("it is new");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("all imports are there");

    let mut group = criterion.benchmark_group("calls");
    let typed = instance.get_typed_func::<(), ()>(&store, "nullary").expect("it is exported");
    group.bench_function("host to guest", |bencher| {
        bencher.iter(|| typed.call(&mut store, ()).expect("it does not trap"));
    });
    let untyped = instance.get_func(&store, "nullary").expect("it is exported");
    group.bench_function("host to guest, untyped", |bencher| {
        bencher.iter(|| untyped.call(&mut store, &[], &mut []).expect("it does not trap"));
    });

    // So many calls in a loop that the call from the host and the loop itself do not matter: the latter is measured too.
    group.throughput(Throughput::Elements(u64::from(CALLS)));
    for (name, func) in [
        ("the loop alone", "loop_empty"),
        ("guest to host", "loop_nop"),
        ("guest to host, with arguments", "loop_add"),
        ("guest to guest", "loop_local"),
        ("guest to guest, indirect", "loop_indirect"),
    ] {
        let func = instance.get_func(&store, func).expect("it is exported");
        let mut results = [Val::I32(0)];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let params = [Val::I32(CALLS.cast_signed())];
                func.call(&mut store, &params, &mut results).expect("it does not trap");
            });
        });
    }
    group.finish();
}

const CALLS: u32 = 10_000;

criterion_group!(benches, calls);
criterion_main!(benches);
