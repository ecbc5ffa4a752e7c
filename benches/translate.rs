//! How fast modules load: bytes of code per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinglet::{CompilationMode, Config, Engine, Module};
use kinglet_benches::{code_size, guests};

fn translate(criterion: &mut Criterion) {
    let engine = |mode, fuel| {
        let mut config = Config::new();
        config.compilation_mode(mode).consume_fuel(fuel);
        Engine::new(&config).expect("the configuration is sound")
    };
    let eager = engine(CompilationMode::Eager, false);
    let lazy = engine(CompilationMode::Lazy, false);
    let metered = engine(CompilationMode::Eager, true);
    let mut group = criterion.benchmark_group("translate");
    for (name, wasm) in &guests() {
        group.throughput(Throughput::Bytes(code_size(wasm) as u64));
        for (mode, engine) in [("eager", &eager), ("lazy", &lazy), ("eager, fuel", &metered)] {
            group.bench_function(format!("{name}/{mode}"), |bencher| {
                bencher.iter(|| Module::new(engine, wasm).expect("it is valid"));
            });
        }
        group.bench_function(format!("{name}/validation alone"), |bencher| {
            bencher.iter(|| Module::validate(&eager, wasm).expect("it is valid"));
        });
    }
    group.finish();
}

criterion_group!(benches, translate);
criterion_main!(benches);
