//! The instructions for exceptions from before `try_table`.

use kinglet::{Config, Engine, ErrorKind, Instance, Module, Result, Store, ThrownException};

/// Calls `run` of a module with each of these arguments, with and without fuel, and from an artifact.
fn results<const N: usize>(wat: &str, args: [i32; N]) -> [Result<i32>; N] {
    let run = |config: &mut Config, from_artifact: bool| {
        let engine = Engine::new(config.wasm_legacy_exceptions(true)).unwrap();
        let mut module = Module::new(&engine, wat).unwrap();
        if from_artifact {
            module = Module::deserialize(&engine, module.serialize().unwrap()).unwrap();
        }
        let mut store = Store::new(&engine, ());
        _ = store.set_fuel(1_000_000);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        args.map(|arg| run.call(&mut store, arg))
    };
    let results = run(&mut Config::new(), false);
    let others = [
        run(Config::new().consume_fuel(true), false),
        run(Config::new().consume_fuel(true), true),
        run(&mut Config::new(), true),
    ];
    for (other, result) in others.iter().flat_map(|others| others.iter().zip(&results)) {
        assert_eq!(other.as_ref().ok(), result.as_ref().ok());
    }
    results
}

fn values<const N: usize>(wat: &str, args: [i32; N]) -> [i32; N] {
    results(wat, args).map(Result::unwrap)
}

const THROW: &str = r#"
    (tag $a (param i32)) (tag $b (param i64 f64)) (tag $c)
    (func $throw (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $a (i32.const 10))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $b (i64.const 20) (f64.const 0.5))))
        (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $c)))
        (i32.const 5))"#;

#[test]
fn catching() {
    let wat = format!(
        r#"(module {THROW}
            (func (export "run") (param i32) (result i32)
                (i32.const 1000)
                try (result i32)
                    (call $throw (local.get 0))
                    catch $a (i32.add (i32.const 1))
                    catch $b (drop) (i32.wrap_i64)
                    catch_all (i32.const 7) end
                (i32.add)))"#
    );
    assert_eq!(values(&wat, [0, 1, 2, 3]), [1005, 1011, 1020, 1007]);
}

#[test]
fn rethrowing() {
    let wat = format!(
        r#"(module {THROW}
            (func (export "run") (param $n i32) (result i32) (local $seen i32)
                try (result i32)
                        try (result i32)
                            (call $throw (local.get $n))
                            catch $a
                                (local.set $seen)
                                ;; A handler in a handler, and an exception in between.
                                try
                                    (throw $c)
                                    catch_all
                                        (block (rethrow 2)) end
                                (i32.const 0)
                            catch_all
                                (local.set $seen (i32.const 100))
                                (rethrow 0) end
                    catch $a (i32.add (local.get $seen))
                    catch $b (drop) (drop) (local.get $seen) end))"#
    );
    let [none, a, b, c] = results(&wat, [0, 1, 2, 3]);
    assert_eq!([none.unwrap(), a.unwrap(), b.unwrap()], [5, 20, 100]);
    assert!(c.unwrap_err().is::<ThrownException>());
}

#[test]
fn delegating() {
    let wat = format!(
        r#"(module {THROW}
            (func $to-function (param i32) (result i32)
                try (result i32)
                        try (result i32)
                            (call $throw (local.get 0))
                            delegate 1
                    catch_all (i32.const -1) end)
            (func $past (param i32) (result i32)
                try (result i32)
                        try (result i32)
                                (block (result i32)
                                    try (result i32)
                                        (call $throw (local.get 0))
                                        delegate 2)
                            catch_all (i32.const -2) end
                    catch $a (i32.add (i32.const 1))
                    catch_all (i32.const 33) end)
            ;; To a block: to the handler around that.
            (func $to-block (param i32) (result i32)
                try (result i32)
                        (block (result i32)
                            try (result i32)
                                (call $throw (local.get 0))
                                delegate 0)
                    catch $a (i32.add (i32.const 2)) end)
            ;; To a `try` whose handler this stands in: that catches no more.
            (func $from-handler (param i32) (result i32)
                try (result i32)
                        try (result i32)
                            (throw $c)
                            catch $c
                                try (result i32) (call $throw (local.get 0)) delegate 0
                            catch_all (i32.const -3) end
                    catch $a (i32.add (i32.const 3))
                    catch_all (i32.const 44) end)
            (func (export "run") (param i32) (result i32)
                (if (i32.lt_s (local.get 0) (i32.const 10))
                    (then try (result i32) (call $to-function (local.get 0)) catch_all (i32.const 99) end (return)))
                (if (i32.lt_s (local.get 0) (i32.const 20))
                    (then (return (call $past (i32.sub (local.get 0) (i32.const 10))))))
                (if (i32.lt_s (local.get 0) (i32.const 30))
                    (then (return (call $to-block (i32.sub (local.get 0) (i32.const 20))))))
                (call $from-handler (i32.sub (local.get 0) (i32.const 30)))))"#
    );
    assert_eq!(values(&wat, [0, 1, 2]), [5, 99, 99]);
    assert_eq!(values(&wat, [10, 11, 13]), [5, 11, 33]);
    assert_eq!(values(&wat, [20, 21]), [5, 12]);
    assert_eq!(values(&wat, [30, 31, 33]), [5, 13, 44]);
    assert!(results(&wat, [23])[0].as_ref().unwrap_err().is::<ThrownException>());
}

#[test]
fn blocks_with_parameters_branches_and_loops() {
    let wat = format!(
        r#"(module {THROW}
            (func (export "run") (param $n i32) (result i32) (local $sum i32)
                (block $out (result i32)
                    (loop $again
                        (local.get $sum)
                        try (param i32)
                                (i32.add (call $throw (local.get $n)))
                                (local.set $sum)
                                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                                (br $again)
                            catch $a
                                (local.set $sum (i32.add (local.get $sum)))
                                (local.set $n (i32.const 3))
                                (br $again)
                            catch_all end
                        (br $out (local.get $sum)))
                    (i32.const -1))))"#
    );
    assert_eq!(values(&wat, [0, 1, 3, -3]), [15, 10, 0, 30]);
}

#[test]
fn where_nothing_can_be_reached() {
    let wat = format!(
        r#"(module {THROW}
            (func (export "run") (param i32) (result i32)
                try
                        (throw $c)
                        try
                            (if (i32.const 1) (then) (else))
                            catch $a (drop)
                            catch_all try  delegate 0 (rethrow 0) end
                        try (call $throw (i32.const 1)) (drop) delegate 0
                    catch $c (return (i32.const 4)) try  catch_all (rethrow 0) end end
                (i32.const 2)))"#
    );
    assert_eq!(values(&wat, [0]), [4]);
}

#[test]
fn in_a_loop() {
    let wat = format!(
        r#"(module {THROW}
            (func (export "run") (param $n i32) (result i32) (local $sum i32)
                (loop $more
                    try
                        (drop (call $throw (i32.const 1)))
                        catch $a (local.set $sum (i32.add (local.get $sum))) end
                    (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))"#
    );
    assert_eq!(values(&wat, [10_000]), [100_000]);
}

#[test]
fn off_unless_asked_for() {
    let engine = Engine::default();
    let error = Module::new(&engine, "(module (func try end))").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("legacy-exceptions proposal is not enabled"), "{error}");
}
