//! How fast programs run.

use criterion::{Criterion, criterion_group, criterion_main};
use kinglet::{Config, Engine, Instance, Module, Store};
use kinglet_benches::{CASES, Program, WORKLOADS, read};

fn workloads(criterion: &mut Criterion) {
    execute(criterion, "workloads", WORKLOADS, &Config::new());
}

fn cases(criterion: &mut Criterion) {
    execute(criterion, "cases", CASES, &Config::new());
}

fn metered(criterion: &mut Criterion) {
    execute(criterion, "workloads with fuel", WORKLOADS, Config::new().consume_fuel(true));
}

fn execute(criterion: &mut Criterion, group: &str, programs: &[Program], config: &Config) {
    let engine = Engine::new(config).expect("the configuration is sound");
    let mut group = criterion.benchmark_group(group);
    group.sample_size(20);
    for program in programs {
        let module = Module::new(&engine, read(program.file)).expect("it is valid");
        let mut store = Store::new(&engine, ());
        // Fails where fuel is not counted, and is not needed there.
        let _ = store.set_fuel(u64::MAX);
        let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
        let run = instance.get_typed_func::<i32, i32>(&store, "run").expect("it exports `run`");
        group.bench_function(program.file, |bencher| {
            bencher.iter(|| run.call(&mut store, program.arg).expect("it does not trap"));
        });
    }
    group.finish();
}

criterion_group!(benches, workloads, cases, metered);
criterion_main!(benches);
