//! How fast modules load: bytes of code per second; and of artifacts, all of their bytes.

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
    let mut group = criterion.benchmark_group("artifact");
    for (name, wasm) in &guests() {
        let artifact = eager.precompile_module(wasm).expect("it is valid");
        // Where they stand is where they are used, so that nothing is copied.
        let artifact: &'static [u8] = artifact.leak();
        group.throughput(Throughput::Bytes(artifact.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Module::deserialize_static(&eager, artifact).expect("it is valid"));
        });
    }
    group.finish();
}

criterion_group!(benches, translate);
criterion_main!(benches);
