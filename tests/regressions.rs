//! Programs that went wrong once.

use kinglet::{
    Budget, Caller, Config, Engine, Error, Func, FuncType, Instance, Linker, Module, Step, Store,
    Strategy, Trap, Val,
};

/// Calls the export `run` of a module in the text format.
fn run(wat: &str, argument: i32) -> i32 {
    let engine = Engine::default();
    let module = Module::new(&engine, wat).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").expect("it exports `run`");
    run.call(&mut store, argument).expect("it does not trap")
}

/// A comparison that waits for its use, with a constant in the slot where the next operand then goes.
#[test]
fn comparison_before_the_slots_of_its_operands_are_written() {
    let wat = r#"
        (module
          (func (export "run") (param i32) (result i32)
            (i32.eqz (i32.const 0)) (local.get 0) (block) (local.tee 0) (br_table 0 0)))
    "#;
    assert_eq!(run(wat, 1), 1);
}

/// An atomic access whose address and offset add up to more than 64 bits: the last bits of the sum say whether it is aligned.
#[test]
fn unaligned_atomics_beyond_all_addresses() {
    let wat = r#"
        (module
          (memory i64 1)
          (func (export "run") (param i64) (result i32)
            (i32.atomic.load offset=0xffffffffffffffff (local.get 0))))
    "#;
    let engine = Engine::default();
    let module = Module::new(&engine, wat).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
    let run = instance.get_typed_func::<i64, i32>(&mut store, "run").expect("it exports `run`");
    let mut trap = |address| run.call(&mut store, address).expect_err("no such address").trap();
    assert_eq!(trap(5), Some(Trap::MemoryOutOfBounds));
    assert_eq!(trap(6), Some(Trap::HeapMisaligned));
}

/// No elements of a segment that only declares, in a module without passive ones.
#[test]
fn nothing_from_a_segment_that_declares() {
    let wat = r#"
        (module
          (table 1 externref)
          (elem $none declare externref (ref.null extern))
          (func (export "run") (param i32) (result i32)
            (table.init $none (i32.const 0) (i32.const 0) (i32.const 0))
            (local.get 0)))
    "#;
    assert_eq!(run(wat, 3), 3);
}

/// Engines of all tiers that this program has.
fn tiers(configure: impl Fn(&mut Config)) -> Vec<Engine> {
    let strategies = [Strategy::Interpreter, Strategy::Jit].into_iter();
    let engines = strategies.filter_map(|strategy| {
        let mut config = Config::new();
        configure(&mut config);
        Engine::new(config.strategy(strategy)).ok()
    });
    engines.collect()
}

/// Functions whose types have vectors that nobody computes, called by the host, as elements of tables, by references and as imports.
#[test]
fn vectors_in_types_only() {
    let wat = r#"
        (module
          (type $get (func (result v128)))
          (type $put (func (param v128)))
          (import "host" "get" (func $host (type $get)))
          (table funcref (elem $get $put))
          (func $get (export "get") (type $get) unreachable)
          (func $put (export "put") (type $put))
          (func (export "direct") (drop (call $get)))
          (func (export "import") (drop (call $host)))
          (func (export "table") (drop (call_indirect (type $get) (i32.const 0))))
          (func (export "reference") (drop (call_ref $get (ref.func $get))))
          (func (export "null") (call_ref $put unreachable (ref.null $put)))
          (func (export "tail") (type $get) (return_call $get))
          (func (export "none") (param i32) (if (local.get 0) (then (drop (call $get))))))
    "#;
    for engine in tiers(|_| {}) {
        let module = Module::new(&engine, wat).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        let ty = module.imports().next().and_then(|import| import.ty().func().cloned());
        let host = Func::new(&mut store, ty.expect("it is one"), |_, _, _| {
            Err(Trap::IntegerOverflow.into())
        });
        let instance = Instance::new(&mut store, &module, &[host.into()]).expect("it fits");
        let mut trap = |name: &str, params: &[Val], results: usize| {
            let func = instance.get_func(&store, name).expect("it is exported");
            let mut results = vec![Val::I32(0); results];
            func.call(&mut store, params, &mut results).err().and_then(|error| error.trap())
        };
        for (name, results) in
            [("get", 1), ("direct", 0), ("table", 0), ("reference", 0), ("null", 0), ("tail", 1)]
        {
            assert_eq!(trap(name, &[], results), Some(Trap::UnreachableCodeReached), "{name}");
        }
        assert_eq!(trap("import", &[], 0), Some(Trap::IntegerOverflow));
        assert_eq!(trap("put", &[Val::V128(7.into())], 0), None);
        assert_eq!(trap("none", &[Val::I32(0)], 0), None);
        assert_eq!(trap("none", &[Val::I32(1)], 0), Some(Trap::UnreachableCodeReached));
    }
}

/// A branch that is more than a jump, and keeps a reference if it is not taken.
#[test]
fn what_br_on_null_keeps() {
    let wat = r#"
        (module
          (type $f (func (result i32)))
          (elem declare func $f)
          (func $f (type $f) (i32.const 5))
          (func $choose (param i32) (result (ref null $f))
            (if (result (ref null $f)) (local.get 0) (then (ref.func $f)) (else (ref.null $f))))
          (func (export "run") (param i32) (result i32)
            (block $out (result i32)
              (i32.const 1) (i32.const 2)
              (br_on_null $out (call $choose (local.get 0)))
              (call_ref $f)
              (i32.add) (i32.add)))
          (func (export "loop") (param i32) (result i32)
            (loop $again (result i32)
              (if (i32.eqz (local.get 0)) (then (return (i32.const 9))))
              (i32.const 3)
              (br_on_null $again (call $choose (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
              (call_ref $f)
              (i32.add)))
          (func (export "return") (param i32) (result i32)
            (i32.const 4)
            (br_on_null 0 (call $choose (local.get 0)))
            (call_ref $f)
            (i32.add)))
    "#;
    for engine in
        [tiers(|_| {}), tiers(|config| _ = config.consume_fuel(true))].into_iter().flatten()
    {
        let module = Module::new(&engine, wat).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        _ = store.set_fuel(1000);
        let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
        for (name, null, other) in [("run", 2, 8), ("loop", 9, 8), ("return", 4, 9)] {
            let func =
                instance.get_typed_func::<i32, i32>(&mut store, name).expect("it is exported");
            assert_eq!(func.call(&mut store, 2).expect("it returns"), other, "{name}");
            let argument = i32::from(name == "loop");
            assert_eq!(func.call(&mut store, argument).expect("it returns"), null, "{name}");
        }
    }
}

/// Backtraces of exceptions and traps that leave functions of both tiers and of the host.
#[test]
fn backtraces_across_tiers() {
    // Those with vectors are interpreted.
    let wat = r#"
        (module
          (import "host" "back" (func $back (param i32)))
          (import "host" "wait" (func $wait))
          (tag $e (param i32))
          (tag $other)
          (func $throw (param i32)
            (if (i32.eq (local.get 0) (i32.const 7)) (then (unreachable)))
            (if (i32.eq (local.get 0) (i32.const 6)) (then (call $wait) (throw $e (i32.const 2))))
            (if (i32.eq (local.get 0) (i32.const 5)) (then (call $back (i32.const 7))))
            (if (i32.eq (local.get 0) (i32.const 4)) (then (call $back (i32.const 1))))
            (throw $e (i32.const 1)))
          (func $interpreted (param i32) (drop (v128.const i64x2 1 1)) (call $throw (local.get 0)))
          (func $compiled (param i32) (call $interpreted (local.get 0)) (nop))
          (func $between (param i32)
            (block $caught (try_table (catch $other $caught) (call $compiled (local.get 0)))))
          (func $twice (param i32) (drop (v128.const i64x2 1 1)) (call $between (local.get 0)) (nop))
          (func $once_more (export "compiled") (param i32)
            (block $caught (result exnref)
              (try_table (catch_all_ref $caught) (call $twice (i32.const 1)))
              (ref.null exn))
            (drop)
            (call $twice (local.get 0)))
          (func (export "interpreted") (param i32)
            (drop (v128.const i64x2 1 1))
            (call $once_more (local.get 0))))
    "#;
    let run = |engine: &Engine, name: &str, argument: i32, fuel: Option<u64>| {
        let module = Module::new(engine, wat).expect("the module is valid");
        let mut store = Store::new(engine, None);
        let mut linker = Linker::new(engine);
        let back = |mut caller: Caller<'_, Option<Func>>, argument: i32| {
            let func = caller.data().expect("it is set");
            func.call(&mut caller, &[Val::I32(argument)], &mut [])
        };
        linker.func_wrap("host", "back", back).expect("it is the first one");
        let ty = FuncType::new(engine, [], []);
        let wait = linker.func_new_async("host", "wait", ty, |_, _, _| Box::new(async { Ok(()) }));
        wait.expect("it is the first one");
        _ = store.set_fuel(1_000_000);
        let instance = linker.instantiate(&mut store, &module).expect("it needs no more");
        *store.data_mut() = instance.get_func(&store, "compiled");
        let func = instance.get_func(&store, name).expect("it is exported");
        let mut execution = func.start(&mut store, &[Val::I32(argument)]).expect("it can begin");
        let mut budget = fuel.map_or(Budget::unlimited(), Budget::fuel);
        let error = loop {
            match execution.run(&mut store, budget) {
                Ok(Step::Pending(_)) => execution.resume(&mut store, &[]).expect("it waits"),
                Ok(Step::OutOfFuel) => budget = Budget::fuel(1_000_000),
                Ok(step) => panic!("{step:?}"),
                Err(error) => break error,
            }
        };
        let frames = error.wasm_backtrace().expect("a guest has failed").frames();
        frames.iter().map(|frame| (frame.func_index(), frame.module_offset())).collect::<Vec<_>>()
    };
    for argument in [1, 4, 5, 6, 7] {
        for name in ["compiled", "interpreted"] {
            let once = tiers(|_| {})
                .iter()
                .map(|engine| run(engine, name, argument, None))
                .collect::<Vec<_>>();
            assert!(!once[0].is_empty());
            assert!(once.iter().all(|frames| *frames == once[0]), "{name} {argument}: {once:?}");
            // What the host calls cannot stop.
            let slices = if matches!(argument, 4 | 5) { 0..1 } else { 1..200 };
            for engine in tiers(|config| _ = config.consume_fuel(true)) {
                for fuel in slices.clone().step_by(3) {
                    assert_eq!(
                        run(&engine, name, argument, Some(fuel)),
                        once[0],
                        "{name} {argument} {fuel}"
                    );
                }
            }
        }
    }
}

/// Who has called in place of itself is in no backtrace, whoever was called, and whoever fails.
#[test]
fn backtraces_after_tail_calls() {
    let wat = r#"
        (module
          (import "host" "fail" (func $fail (param i32)))
          (import "other" "trap" (func $other (param i32)))
          (type $f (func (param i32)))
          (table 4 funcref)
          (elem (i32.const 0) $own $other $fail)
          (func $own (param i32) (drop (v128.const i64x2 1 1)) (unreachable))
          (func $tail (param i32)
            (if (i32.eq (local.get 0) (i32.const 0)) (then (return_call $own (local.get 0))))
            (if (i32.eq (local.get 0) (i32.const 1)) (then (return_call $other (local.get 0))))
            (if (i32.eq (local.get 0) (i32.const 2)) (then (return_call $fail (local.get 0))))
            (if (i32.lt_u (local.get 0) (i32.const 20))
              (then (return_call_indirect (type $f)
                (local.get 0) (i32.sub (local.get 0) (i32.const 10)))))
            (return_call_ref $f (local.get 0) (ref.null $f)))
          (func (export "run") (param i32) (call $tail (local.get 0)) (nop))
          (func (export "interpreted") (param i32)
            (drop (v128.const i64x2 1 1)) (call $tail (local.get 0)) (nop)))
    "#;
    let other = "(module (func (export \"trap\") (param i32) (unreachable)))";
    let run = |engine: &Engine, name: &str, argument: i32| {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        let other = Module::new(engine, other).expect("the module is valid");
        linker.module(&mut store, "other", &other).expect("it needs nothing");
        let fail = |argument: i32| -> Result<(), Error> { Err(Error::msg(format!("{argument}"))) };
        linker.func_wrap("host", "fail", fail).expect("it is the first one");
        let module = Module::new(engine, wat).expect("the module is valid");
        let instance = linker.instantiate(&mut store, &module).expect("it needs no more");
        let func = instance.get_func(&store, name).expect("it is exported");
        let error = func.call(&mut store, &[Val::I32(argument)], &mut []).expect_err("it fails");
        let frames = error.wasm_backtrace().expect("a guest has failed").frames();
        frames.iter().map(|frame| (frame.func_index(), frame.module_offset())).collect::<Vec<_>>()
    };
    for (argument, callee) in [
        (0, Some(2)),
        (1, Some(0)),
        (2, None),
        (10, Some(2)),
        (11, Some(0)),
        (12, None),
        (13, Some(3)),
        (14, Some(3)),
        (20, Some(3)),
    ] {
        for (name, caller) in [("run", 4), ("interpreted", 5)] {
            let all =
                tiers(|_| {}).iter().map(|engine| run(engine, name, argument)).collect::<Vec<_>>();
            let funcs: Vec<u32> = all[0].iter().map(|frame| frame.0).collect();
            let expected: Vec<u32> = callee.into_iter().chain([caller]).collect();
            assert_eq!(funcs, expected, "{name} {argument}");
            assert!(all.iter().all(|frames| *frames == all[0]), "{name} {argument}: {all:?}");
        }
    }
}

/// With whatever fuel, an exception gets as far in all tiers, and leaves as much.
#[test]
fn fuel_of_exceptions_across_tiers() {
    // Those with vectors are interpreted.
    let wat = r#"
        (module
          (tag $e)
          (tag $other)
          (func $throw (param i32) (if (local.get 0) (then (throw $e))))
          (func $a (param i32) (drop (v128.const i64x2 1 1)) (call $throw (local.get 0)))
          (func $b (param i32)
            (block $no (try_table (catch $other $no) (call $a (local.get 0)))))
          (func $c (param i32) (drop (v128.const i64x2 1 1)) (call $b (local.get 0)) (nop))
          (func $d (param i32) (call $c (local.get 0)) (nop))
          (func (export "run") (param i32)
            (block $caught (try_table (catch_all $caught) (call $d (i32.const 1))))
            (call $d (local.get 0))))
    "#;
    let engines = tiers(|config| _ = config.consume_fuel(true));
    let modules: Vec<_> = engines.iter().map(|engine| Module::new(engine, wat)).collect();
    for fuel in 0..220 {
        for argument in [0, 1] {
            let outcomes = modules.iter().map(|module| {
                let module = module.as_ref().expect("the module is valid");
                let mut store = Store::new(module.engine(), ());
                store.set_fuel(fuel).expect("fuel is counted");
                let instance = Instance::new(&mut store, module, &[]).expect("it needs nothing");
                let run = instance.get_typed_func::<i32, ()>(&mut store, "run").expect("it is");
                let outcome = run.call(&mut store, argument).map_err(|error| error.to_string());
                (outcome, store.get_fuel().expect("fuel is counted"))
            });
            let outcomes: Vec<_> = outcomes.collect();
            assert!(
                outcomes.iter().all(|it| *it == outcomes[0]),
                "{fuel} {argument}: {outcomes:?}"
            );
        }
    }
}
