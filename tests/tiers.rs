//! The tiers do the same, with the same amount of fuel, wherever they are stopped.

mod common;

use common::{Program, guests, tiers, workloads};
use kinglet::{
    AsContextMut, Budget, Caller, Config, Engine, Execution, Extern, ExternRef, Func, Instance,
    Linker, Module, RootScope, Step, Store, Trap, Val, inspect,
};
use kinglet_wasi::{FsPerms, MemFs, MemoryInputPipe, MemoryOutputPipe, WasiCtx, WasiCtxBuilder};

/// A call under way in one tier.
struct Run<T: 'static> {
    store: Store<T>,
    execution: Execution,
    /// Fuel used so far.
    used: u64,
}

impl<T: 'static> Run<T> {
    fn new(mut store: Store<T>, func: Func, params: &[Val]) -> Run<T> {
        let execution = func.start(&mut store, params).unwrap();
        Run { store, execution, used: 0 }
    }

    /// Runs with so much fuel, or as much as it takes to get any further. Answers how far it came, and whether it can go on.
    fn step(&mut self, fuel: u64) -> (String, bool) {
        let fuel = fuel.max(self.execution.required_fuel());
        let step = self.execution.run(&mut self.store, Budget::fuel(fuel));
        self.used += fuel - self.store.get_fuel().unwrap();
        match step {
            Ok(Step::Pending(call)) => {
                let answer = call.params().last().and_then(Val::i64).unwrap().wrapping_mul(3);
                self.execution.resume(&mut self.store, &[Val::I64(answer)]).unwrap();
                (format!("pending{}", texts(call.params())), true)
            }
            Ok(Step::Done(results)) => (texts(&results), false),
            Ok(step) => (format!("{step:?}, needs {}", self.execution.required_fuel()), true),
            // How much fits on the stack depends on the tier.
            Err(error) if error.trap() == Some(Trap::StackOverflow) => (String::new(), false),
            Err(error) => (error.to_string(), false),
        }
    }

    fn globals(&mut self) -> String {
        let globals = inspect::objects(&self.store).into_iter().filter_map(Extern::into_global);
        let mut scope = RootScope::new(&mut self.store);
        let values: Vec<Val> = globals.map(|global| global.get(&mut scope)).collect();
        texts(&values)
    }

    fn memories(&self) -> impl Iterator<Item = &[u8]> {
        let memories = inspect::objects(&self.store).into_iter().filter_map(Extern::into_memory);
        memories.map(|memory| memory.data(&self.store))
    }
}

/// Numbers as they are, and of references whether they are null.
fn texts(vals: &[Val]) -> String {
    let text = |val: &Val| match val.ref_() {
        Some(reference) => format!("null: {}", reference.is_null()),
        None => format!("{val:?}"),
    };
    format!("{:?}", vals.iter().map(text).collect::<Vec<_>>())
}

/// Runs both in slices of this fuel until they end or there are no more. They stop at the same places, in the same state.
/// Answers how much fuel they have used.
#[track_caller]
fn assert_same<T>(mut runs: [Run<T>; 2], name: &str, slices: impl IntoIterator<Item = u64>) -> u64 {
    let [a, b] = &mut runs;
    for (i, slice) in slices.into_iter().enumerate() {
        let (step, more) = a.step(slice);
        assert_eq!((&step, more), (&b.step(slice).0, more), "{name}, slice {i} of {slice}");
        if step.is_empty() {
            break;
        }
        assert_eq!(a.used, b.used, "{name}, fuel after slice {i} of {slice}: {step}");
        assert_eq!(a.globals(), b.globals(), "{name}, globals after slice {i} of {slice}");
        assert!(a.memories().eq(b.memories()), "{name}, memories after slice {i} of {slice}");
        if !more {
            break;
        }
    }
    a.used
}

/// Where to stop first: there, compiled code goes over to the interpreter.
const FIRST: [u64; 11] = [0, 1, 2, 3, 10, 30, 100, 1000, 5000, 12_345, 99_999];

/// How far to go from there.
const FAR: u64 = 300_000;

fn check(program: &Program) {
    let engines = tiers(Config::new().consume_fuel(true)).map(|c| Engine::new(&c).unwrap());
    let modules = engines.map(|engine| Module::new(&engine, &program.wasm).unwrap());
    assert!(inspect::tiers(&modules[1]).compiled > 0, "{}", program.name);
    let start = || modules.each_ref().map(|module| start(program, module));
    for first in FIRST {
        assert_same(start(), &program.name, [first, FAR]);
    }
    for (slice, count) in [(1, 200), (17, 200), (500, 200), (10_000, 30), (300_001, 2)] {
        assert_same(start(), &program.name, std::iter::repeat_n(slice, count));
    }
}

fn start(program: &Program, module: &Module) -> Run<WasiCtx> {
    let mut linker = Linker::new(module.engine());
    kinglet_wasi::add_to_linker(&mut linker, |wasi| wasi).unwrap();
    let mut wasi = WasiCtxBuilder::new();
    wasi.deterministic(1).arg(&program.name).args(&program.args);
    wasi.envs(&program.env).stdin(MemoryInputPipe::new(&*program.stdin));
    wasi.stdout(MemoryOutputPipe::new(1 << 20)).stderr(MemoryOutputPipe::new(1 << 20));
    let fs = Box::new(MemFs::new(1 << 20).with_clock(|| 0));
    wasi.preopened_fs(fs, &program.dir, FsPerms::ReadWrite).unwrap();
    let mut store = Store::new(module.engine(), wasi.build());
    store.set_fuel(u64::MAX).unwrap();
    let instance = linker.instantiate(&mut store, module).unwrap();
    if let Some(initialize) = instance.get_func(&store, "_initialize") {
        initialize.call(&mut store, &[], &mut []).unwrap();
    }
    let func = instance.get_func(&store, &program.export).unwrap();
    Run::new(store, func, &program.params)
}

#[test]
fn workloads_stop_at_the_same_places() {
    workloads().iter().for_each(check);
}

#[test]
fn guests_stop_at_the_same_places() {
    guests().iter().for_each(check);
}

/// Values of all types stand in locals and on the operand stack while it calls, loops and calls the host, deep down.
const DEEP: &str = r#"(module
    (import "host" "ask" (func $ask (param f64 i64) (result i64)))
    (memory 1)
    (global $sum (mut i64) (i64.const 0))
    (table 3 funcref)
    (elem (i32.const 0) $deep $other)
    (type $f (func (param i32 i64 f32 f64 externref) (result i64 f64 externref)))
    (func $other (type $f)
        (local $n i32)
        (loop $again
            (i64.store (i32.mul (local.get $n) (i32.const 8)) (local.get 1))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 5))))
        (call_indirect (type $f)
            (local.get 0)
            (i64.add (local.get 1) (i64.load (i32.const 8)))
            (f32.mul (local.get 2) (f32.const 0.75))
            (f64.add (local.get 3) (f64.const 0.125))
            (local.get 4)
            (i32.const 0)))
    (func $deep (export "run") (type $f)
        (local i32 i64)
        (if (i32.eqz (local.get 0))
            (then (return (local.get 1) (f64.promote_f32 (local.get 2)) (local.get 4))))
        (i64.add (local.get 1) (i64.const 5))
        (i64.mul
            (i64.extend_i32_u (local.get 0))
            (call $ask (local.get 3) (local.get 1)))
        (local.set 6 (i64.xor))
        (global.set $sum (i64.add (global.get $sum) (local.get 6)))
        (f64.convert_i64_s (local.get 6))
        (call_indirect (type $f)
            (i32.sub (local.get 0) (i32.const 1))
            (local.get 6)
            (f32.add (local.get 2) (f32.const 1.5))
            (local.get 3)
            (local.get 4)
            (i32.rem_u (local.get 0) (i32.const 2)))
        (local.set 4)
        (local.set 3)
        (local.set 1)
        (local.set 3 (f64.add (local.get 3)))
        (i64.add (local.get 1) (local.get 6))
        (local.get 3)
        (local.get 4))
    (export "memory" (memory 0)))"#;

/// Starts calls of `run`, so many deep, in both tiers. The host function is what `define` makes of it.
fn deep<T: Default>(
    config: &Config,
    define: fn(&mut Linker<T>),
) -> impl Fn(i32) -> [Run<T>; 2] + use<T> {
    let programs = tiers(config).map(|config| {
        let mut linker = Linker::new(&Engine::new(&config).unwrap());
        define(&mut linker);
        linker.instantiate_pre(&Module::new(linker.engine(), DEEP).unwrap()).unwrap()
    });
    move |depth| {
        programs.each_ref().map(|program| {
            let mut store = Store::new(program.module().engine(), T::default());
            let instance = program.instantiate(&mut store).unwrap();
            let run = instance.get_func(&store, "run").unwrap();
            let host = ExternRef::new(&mut store, 5u8).unwrap();
            let params = [
                Val::I32(depth),
                Val::I64(7),
                Val::F32(0.5_f32.to_bits()),
                Val::F64(0.25_f64.to_bits()),
                Val::ExternRef(Some(host)),
            ];
            Run::new(store, run, &params)
        })
    }
}

fn metered() -> Config {
    let mut config = Config::new();
    config.consume_fuel(true);
    config
}

#[test]
fn deep_calls_stop_at_the_same_places() {
    fn define(linker: &mut Linker<()>) {
        linker.func_wrap("host", "ask", |x: f64, n: i64| n ^ x.to_bits() as i64).unwrap();
    }
    let start = deep(&metered(), define);
    let total = assert_same(start(20), "whole", [u64::MAX]);
    assert!(total > 500);
    for first in 0..total {
        assert_eq!(assert_same(start(20), "two parts", [first, u64::MAX]), total);
    }
    for slice in 1..50 {
        assert_eq!(assert_same(start(20), "slices", [slice].repeat(3000)), total);
    }
}

#[test]
fn deep_calls_wait_for_the_host_at_the_same_places() {
    fn define(linker: &mut Linker<()>) {
        linker
            .func_wrap_async("host", "ask", |_: Caller<'_, ()>, (_, n): (f64, i64)| {
                Box::new(async move { n })
            })
            .unwrap();
    }
    let start = deep(&metered(), define);
    for depth in [1, 2, 3, 40] {
        let total = assert_same(start(depth), "whole", [u64::MAX; 100]);
        for slice in [1, 5, 20, 100] {
            assert_eq!(assert_same(start(depth), "slices", [slice].repeat(10_000)), total);
        }
    }
}

/// Interrupts come when the fuel of a slice is used up, so that the place differs, but not what comes of it.
#[test]
fn deep_calls_can_be_interrupted() {
    fn define(linker: &mut Linker<u32>) {
        linker
            .func_wrap("host", "ask", |mut caller: Caller<'_, u32>, x: f64, n: i64| {
                *caller.data_mut() += 1;
                if caller.data().is_multiple_of(3) {
                    caller.as_context_mut().engine().increment_epoch();
                } else {
                    caller.interrupt_handle().interrupt();
                }
                n ^ x.to_bits() as i64
            })
            .unwrap();
    }
    const DEPTH: i32 = 3000;
    for fuel in [false, true] {
        let mut config = Config::new();
        config.epoch_interruption(true).consume_fuel(fuel);
        let outcomes = deep(&config, define)(DEPTH).map(|mut run| {
            run.store.set_epoch_deadline(1);
            let mut interrupts = 0;
            if fuel {
                run.store.set_fuel(u64::MAX).unwrap();
            }
            loop {
                match run.execution.run(&mut run.store, Budget::unlimited()).unwrap() {
                    Step::Interrupted => {
                        interrupts += 1;
                        run.store.set_epoch_deadline(1);
                    }
                    Step::Done(results) => {
                        assert!(interrupts > 1, "{interrupts}");
                        let left = run.store.get_fuel().ok();
                        return (texts(&results), run.globals(), *run.store.data(), left);
                    }
                    step => panic!("{step:?}"),
                }
            }
        });
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

#[test]
fn calls_that_cannot_stop_use_the_same_fuel() {
    for program in workloads() {
        let left = tiers(&metered()).map(|config| {
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, &program.wasm).unwrap();
            let mut store = Store::new(&engine, ());
            store.set_fuel(u64::MAX).unwrap();
            let run = Instance::new(&mut store, &module, &[]).unwrap().get_func(&store, "run");
            let mut results = [Val::I32(0)];
            run.unwrap().call(&mut store, &program.params, &mut results).unwrap();
            (store.get_fuel().unwrap(), results[0].i32())
        });
        assert_eq!(left[0], left[1], "{}", program.name);
        assert!(left[0].0 < u64::MAX - 1000);
    }
}
