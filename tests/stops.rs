//! Executions that stop at ops that seldom do: nothing gets lost meanwhile.

use kinglet::{
    Budget, Config, Engine, Extern, Func, FuncType, Instance, MemoryType, Module, SharedMemory,
    Step, Store, Val, ValType,
};
use std::{thread, time::Duration};

#[test]
fn an_exception_stays_while_the_search_for_its_handler_stops() {
    let clauses = "(catch $other $h)".repeat(1_000);
    let wat = format!(
        r#"(module
            (type $box (struct (field i32)))
            (tag $e (param (ref $box))) (tag $other)
            (global $x (mut exnref) (ref.null exn))
            (func $down (param i32)
                (if (i32.eqz (local.get 0))
                    (then (global.get $x) (global.set $x (ref.null exn)) (throw_ref)))
                (block $h
                    (try_table {clauses} (call $down (i32.sub (local.get 0) (i32.const 1))))))
            (func $make
                (block $h (result (ref $box) exnref)
                    (try_table (catch_ref $e $h) (throw $e (struct.new $box (i32.const 42))))
                    (unreachable))
                (global.set $x)
                (drop))
            (func (export "junk") (drop (struct.new $box (i32.const 7))))
            (func (export "run") (result i32)
                (call $make)
                (block $h (result (ref $box))
                    (try_table (catch $e $h) (call $down (i32.const 100)))
                    (unreachable))
                (struct.get $box 0)))"#
    );
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let junk = instance.get_typed_func::<(), ()>(&mut store, "junk").unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    let mut execution = run.start(&mut store, &[]).unwrap();
    let mut stops = 0;
    let results = loop {
        let fuel = execution.required_fuel().max(5_000);
        match execution.run(&mut store, Budget::fuel(fuel)).unwrap() {
            Step::Done(results) => break results,
            Step::OutOfFuel => stops += 1,
            step => panic!("{step:?}"),
        }
        store.gc(None).unwrap();
        store.set_fuel(1_000).unwrap();
        (0..10).for_each(|_| junk.call(&mut store, ()).unwrap());
    };
    assert_eq!(results[0].i32(), Some(42));
    assert!(stops > 1, "{stops}");
}

#[test]
fn references_stay_while_an_interrupted_guest_waits() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let wat = r#"(module
        (type $box (struct (field i32)))
        (import "" "memory" (memory 1 1 shared))
        (func (export "junk") (drop (struct.new $box (i32.const 7))))
        (func (export "sleep") (result i32)
            (struct.new $box (i32.const 42))
            (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
            (struct.get $box 0)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance =
        Instance::new(&mut store, &module, &[Extern::SharedMemory(memory.clone())]).unwrap();
    let junk = instance.get_typed_func::<(), ()>(&mut store, "junk").unwrap();
    let sleep = instance.get_func(&mut store, "sleep").unwrap();
    let mut execution = sleep.start(&mut store, &[]).unwrap();
    let handle = store.interrupt_handle();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        });
        let step = execution.run(&mut store, Budget::unlimited()).unwrap();
        assert!(matches!(step, Step::Interrupted), "{step:?}");
    });
    store.gc(None).unwrap();
    (0..10).for_each(|_| junk.call(&mut store, ()).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            while memory.atomic_notify(0, 1) == Ok(0) {
                thread::yield_now();
            }
        });
        let step = execution.run(&mut store, Budget::unlimited()).unwrap();
        assert!(matches!(step, Step::Done(results) if results[0].i32() == Some(42)));
    });
}

/// The result of a call by reference is expected in a register as well.
#[test]
fn answers_for_functions_that_are_called_by_reference_arrive() {
    let engine = Engine::default();
    let wat = r#"(module
        (type $f (func (param i32) (result i32)))
        (import "" "f" (func $f (type $f)))
        (table funcref (elem $f))
        (func (export "table") (result i32)
            (i32.add (call_indirect (type $f) (i32.const 5) (i32.const 0)) (i32.const 1)))
        (func (export "ref") (param (ref $f)) (result i32)
            (i32.add (call_ref $f (i32.const 5) (local.get 0)) (i32.const 1))))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
    let f = Func::new_async(&mut store, ty, |_, _, _| Box::new(async { Ok(()) }));
    let instance = Instance::new(&mut store, &module, &[f.into()]).unwrap();
    for (name, args) in [("table", vec![]), ("ref", vec![f.into()])] {
        let func = instance.get_func(&mut store, name).unwrap();
        let mut execution = func.start(&mut store, &args).unwrap();
        assert!(matches!(
            execution.run(&mut store, Budget::unlimited()).unwrap(),
            Step::Pending(_)
        ));
        execution.resume(&mut store, &[Val::I32(41)]).unwrap();
        match execution.run(&mut store, Budget::unlimited()).unwrap() {
            Step::Done(results) => assert_eq!(results[0].i32(), Some(42), "{name}"),
            step => panic!("{step:?}"),
        }
    }
}
