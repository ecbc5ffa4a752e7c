//! How long instantiation takes.

use criterion::{Criterion, criterion_group, criterion_main};
use kinglet::{Engine, Linker, Module, Store};
use kinglet_benches::read;

fn instantiate(criterion: &mut Criterion) {
    let engine = Engine::default();
    let mut group = criterion.benchmark_group("instantiate");
    for file in ["workloads/small.wasm", "workloads/call.wasm", "../tests/guests/rust-library.wasm"]
    {
        let module = Module::new(&engine, read(file)).expect("it is valid");
        let mut linker = Linker::<()>::new(&engine);
        linker.define_unknown_imports_as_traps(&module).expect("the imports are functions");
        let pre = linker.instantiate_pre(&module).expect("all imports are defined");
        let name = file.rsplit('/').next().unwrap_or(file);
        group.bench_function(format!("{name}/linker"), |bencher| {
            bencher.iter(|| {
                let mut store = Store::new(&engine, ());
                linker.instantiate(&mut store, &module).expect("there is memory");
                store
            });
        });
        group.bench_function(format!("{name}/instance_pre"), |bencher| {
            bencher.iter(|| {
                let mut store = Store::new(&engine, ());
                pre.instantiate(&mut store).expect("there is memory");
                store
            });
        });
    }
    group.finish();
}

criterion_group!(benches, instantiate);
criterion_main!(benches);
