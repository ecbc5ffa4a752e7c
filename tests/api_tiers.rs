//! The strategies of an engine. Most of these tests do something where there is a compiler: with the feature `jit`.

use kinglet::{
    Budget, Config, Engine, Func, Instance, Linker, Module, Step, Store, Strategy, Trap, Val,
    inspect,
};

const TEXT: &str = r#"(module
    (import "host" "next" (func $next (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add
                (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "sum") (param i32) (result i64) (local $i i32) (local $sum i64)
        (loop
            (i64.store (i32.mul (local.get $i) (i32.const 8))
                (i64.extend_i32_u (call $next (local.get $i))))
            (local.set $sum (i64.add (local.get $sum)
                (i64.load (i32.mul (local.get $i) (i32.const 8)))))
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
        (local.get $sum))
    (func $lanes (export "lanes") (param i32) (result i32)
        (i32x4.extract_lane 2 (i32x4.mul (i32x4.splat (call $fib (local.get 0))) (i32x4.splat (i32.const 3)))))
    (func (export "both") (param i32) (result i32) (i32.add (call $lanes (local.get 0)) (i32.const 1)))
    (func (export "trap") (param i32) (i32.store (local.get 0) (i32.const 1)))
    (func (export "deep") (param i32) (result i32) (i32.add (call 6 (local.get 0)) (i32.const 1))))"#;

/// The compiler's engine and the interpreter's; only the latter if this program has no compiler.
fn engines(configure: impl Fn(&mut Config)) -> Vec<Engine> {
    [Strategy::Interpreter, Strategy::Jit]
        .into_iter()
        .filter_map(|strategy| {
            let mut config = Config::new();
            configure(&mut config);
            Engine::new(config.strategy(strategy)).ok()
        })
        .collect()
}

fn instance(engine: &Engine) -> (Store<i32>, Instance) {
    let mut store = Store::new(engine, 0);
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("host", "next", |mut caller: kinglet::Caller<'_, i32>, i: i32| {
            *caller.data_mut() += i;
            *caller.data()
        })
        .unwrap();
    _ = store.set_fuel(1_000_000);
    let module = Module::new(engine, TEXT).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn func(store: &mut Store<i32>, instance: &Instance, name: &str) -> Func {
    instance.get_func(store, name).unwrap()
}

#[test]
fn strategies_can_be_had_or_are_refused() {
    let jit = Engine::new(Config::new().strategy(Strategy::Jit));
    let tiers = |strategy| {
        let engine = Engine::new(Config::new().strategy(strategy)).unwrap();
        inspect::tiers(&Module::new(&engine, TEXT).unwrap())
    };
    let (interpreted, auto) = (tiers(Strategy::Interpreter), tiers(Strategy::Auto));
    assert_eq!((interpreted.functions, interpreted.compiled, interpreted.vectors), (6, 0, 0));
    match jit {
        Ok(_) => assert_eq!((auto.compiled, auto.vectors), (5, 1)),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("compiler"), "{message}");
            assert_eq!(auto.compiled, 0);
        }
    }
}

#[test]
fn tiers_give_the_same_results() {
    for engine in engines(|_| {}) {
        let (mut store, instance) = instance(&engine);
        let fib = instance.get_typed_func::<i32, i32>(&mut store, "fib").unwrap();
        assert_eq!(fib.call(&mut store, 20).unwrap(), 6765);
        let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, 4).unwrap(), 1 + 3 + 6);
        let both = instance.get_typed_func::<i32, i32>(&mut store, "both").unwrap();
        assert_eq!(both.call(&mut store, 10).unwrap(), 166);
        let trap = func(&mut store, &instance, "trap");
        let error = trap.call(&mut store, &[Val::I32(-1)], &mut []).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
        let frames = error.wasm_backtrace().unwrap().frames();
        assert_eq!((frames.len(), frames[0].func_index()), (1, 5));
        let deep = func(&mut store, &instance, "deep");
        let error = deep.call(&mut store, &[Val::I32(0)], &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn calls_stop_and_go_on() {
    for engine in engines(|config| _ = config.consume_fuel(true)) {
        let (mut store, instance) = instance(&engine);
        for (name, arg, expected) in
            [("fib", 12, Val::I32(144)), ("sum", 20, Val::I64(1330)), ("both", 12, Val::I32(433))]
        {
            store.set_fuel(0).unwrap();
            *store.data_mut() = 0;
            let func = func(&mut store, &instance, name);
            let mut execution = func.start(&mut store, &[Val::I32(arg)]).unwrap();
            let mut stops = 0;
            let results = loop {
                let fuel = execution.required_fuel().max(50);
                match execution.run(&mut store, Budget::fuel(fuel)).unwrap() {
                    Step::Done(results) => break results,
                    Step::OutOfFuel => stops += 1,
                    step => panic!("{step:?}"),
                }
            };
            assert_eq!(format!("{results:?}"), format!("{:?}", [expected]));
            assert!(stops > 3, "{name}: {stops}");
        }
    }
}

#[test]
fn machine_code_can_be_listed_for_all_targets() {
    let module = Module::new(&Engine::default(), TEXT).unwrap();
    let has_compiler = Engine::new(Config::new().strategy(Strategy::Jit)).is_ok();
    for target in [inspect::Target::X64, inspect::Target::Arm64] {
        match inspect::machine_code(&module, 1, target) {
            Ok(code) => {
                assert_eq!(code.functions.first(), Some(&(code.start, 1)));
                assert!(code.bytes.len() > 16 && code.functions.len() == 5);
            }
            Err(error) => assert!(!has_compiler, "{error}"),
        }
        let error = inspect::machine_code(&module, 3, target).unwrap_err().to_string();
        assert!(!has_compiler || error.contains("vectors"), "{error}");
        let error = inspect::machine_code(&module, 0, target).unwrap_err();
        assert_eq!(error.to_string(), "function 0 is imported");
    }
    match inspect::ir(&module, 1) {
        Ok(ir) => assert!(ir.starts_with("function 1(v0:i32)"), "{ir}"),
        Err(error) => assert!(!has_compiler, "{error}"),
    }
}
