//! Exceptions: who catches them, and what the frames in between get back.

use kinglet::{
    AsContextMut, Budget, Caller, CompilationMode, Config, Engine, ExnRef, ExnRefPre, ExnType,
    Extern, Func, FuncType, Instance, Linker, Module, OwnedRooted, Result, Rooted, RootedGcRef,
    Step, Store, Tag, TagType, ThrownException, Trap, Val, ValType,
};

/// An instance of a module that imports nothing.
fn instance(wat: &str) -> (Store<()>, Instance) {
    with_config(&Config::new(), wat)
}

fn with_config(config: &Config, wat: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn run(store: &mut Store<()>, instance: Instance, name: &str, arg: i32) -> Result<i32> {
    instance.get_typed_func::<i32, i32>(&mut *store, name).unwrap().call(store, arg)
}

fn i32_tag(store: &mut Store<()>) -> Tag {
    let ty = FuncType::new(store.engine(), [ValType::I32], []);
    Tag::new(store, &TagType::new(ty)).unwrap()
}

fn throw_i32(mut caller: impl AsContextMut, tag: Tag, value: i32) -> Result<i32> {
    let ty = ExnType::from_tag_type(&tag.ty(&caller))?;
    let pre = ExnRefPre::new(&mut caller, ty);
    let exception = ExnRef::new(&mut caller, &pre, &tag, &[Val::I32(value)])?;
    Ok(caller.as_context_mut().throw(exception)?)
}

const NESTED: &str = r#"(module
    (tag $a (param i32)) (tag $b (param i64 f32)) (tag $c)
    (func $throw (param i32)
        (if (i32.eq (local.get 0) (i32.const 0)) (then (throw $a (i32.const 10))))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $b (i64.const 20) (f32.const 0.5))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $c))))
    (func (export "run") (param $which i32) (result i32)
        (i32.add (i32.const 1000)
            (block $done (result i32)
                (block $outer
                    (block $b (result i64 f32)
                        (try_table (catch $c $outer) (catch $a $done)
                            (block $a (result i32)
                                (try_table (catch $a $a) (catch $b $b) (call $throw (local.get $which)))
                                (br $done (i32.const 1)))
                            ;; Thrown from a handler: the inner one is left.
                            (throw $a (i32.add (i32.const 5))))
                        (unreachable))
                    (local.set $which (i32.trunc_f32_s (f32.mul (f32.const 2))))
                    (br $done (i32.add (i32.wrap_i64) (local.get $which))))
                (i32.const 7)))))"#;

#[test]
fn nested_handlers() {
    let (mut store, instance) = instance(NESTED);
    let mut run = |which| run(&mut store, instance, "run", which).unwrap();
    assert_eq!([0, 1, 2, 3].map(&mut run), [1015, 1021, 1007, 1001]);
}

/// Integer and `f64` locals that are worth a register, in every frame that an exception leaves and in the one that catches it.
const PINNED: &str = r#"(module
    (tag $e (param i32))
    (global $sum (mut f64) (f64.const 0))
    (func $leaf (param $n i32) (param $x f64)
        (local.set $x (f64.add (local.get $x) (local.get $x)))
        (loop $more
            (local.set $x (f64.add (local.get $x) (f64.const 1)))
            (local.set $n (i32.add (local.get $n) (i32.const 3)))
            (br_if $more (i32.lt_s (local.get $n) (i32.const 100))))
        (global.set $sum (f64.add (global.get $sum) (local.get $x)))
        (throw $e (local.get $n)))
    (func $middle (param $m i32) (param $y f64)
        (loop $more
            (local.set $y (f64.mul (local.get $y) (f64.const 1.5)))
            (local.set $m (i32.add (local.get $m) (i32.const 1)))
            (br_if $more (i32.lt_s (local.get $m) (i32.const 50))))
        (call $leaf (local.get $m) (local.get $y)))
    (func $plain (param i32) (call $middle (local.get 0) (f64.const 2)))
    (func (export "run") (param $i i32) (result i32)
        (local $f f64) (local $caught i32) (local $j i32)
        (local.set $f (f64.const 0.25))
        (loop $more
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (local.set $f (f64.add (local.get $f) (f64.const 1)))
            (local.set $caught
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (local.set $i (i32.add (local.get $i) (i32.const 1)))
                        (local.set $f (f64.add (local.get $f) (f64.const 0.5)))
                        (call $plain (local.get $i))
                        (unreachable))
                    (i32.const 0)))
            (local.set $j (i32.add (local.get $j) (local.get $caught)))
            (br_if $more (i32.lt_s (local.get $i) (i32.const 20))))
        ;; 10 times: i counts by two, f by 1.5, and each leaf throws 101.
        (i32.add (i32.add (local.get $i) (i32.mul (local.get $j) (i32.const 1000)))
            (i32.trunc_f64_s (f64.mul (local.get $f) (f64.const 10000000))))))"#;

#[test]
fn pinned_locals_come_back() {
    let expected = 20 + 10 * 101 * 1000 + 152_500_000;
    for mode in [CompilationMode::Eager, CompilationMode::Lazy] {
        let (mut store, instance) = with_config(Config::new().compilation_mode(mode), PINNED);
        assert_eq!(run(&mut store, instance, "run", 0).unwrap(), expected);
        assert_eq!(run(&mut store, instance, "run", 0).unwrap(), expected);
    }
}

#[test]
fn handlers_see_locals_as_they_were_when_it_was_thrown() {
    let (mut store, instance) = instance(
        r#"(module
            (tag $e)
            (func (export "run") (param $p i32) (result i32) (local $x i32)
                (local.set $x (i32.const 1))
                (block $h
                    (try_table (catch $e $h)
                        (local.set $p (i32.add (local.get $p) (i32.const 1)))
                        (local.set $x (i32.mul (local.get $p) (i32.const 100)))
                        (local.set $p (i32.add (local.get $p) (i32.const 1)))
                        (throw $e)))
                (i32.add (local.get $p) (local.get $x))))"#,
    );
    assert_eq!(run(&mut store, instance, "run", 5).unwrap(), 607);
}

#[test]
fn operands_below_a_handler_are_kept() {
    // Reads of locals, constants, a comparison that waits for its use, a value that is in the accumulator only.
    let (mut store, instance) = instance(
        r#"(module
            (tag $e (param i32))
            (func $f (param i32) (throw $e (local.get 0)))
            (func (export "run") (param $p i32) (result i32)
                (local.get $p)
                (i32.const 3)
                (i32.lt_s (local.get $p) (i32.const 10))
                (i32.mul (local.get $p) (i32.const 7))
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (local.set $p (i32.const 1000))
                        (call $f (local.get $p)))
                    (unreachable))
                (i32.add) (i32.add) (i32.add) (i32.add)))"#,
    );
    assert_eq!(run(&mut store, instance, "run", 5).unwrap(), 5 + 3 + 1 + 35 + 1000);
}

#[test]
fn references_throw_the_same_exception_again() {
    let (mut store, instance) = instance(
        r#"(module
            (tag $e (param i32 f64)) (tag $none)
            (global $kept (mut exnref) (ref.null exn))
            (func $again (param i32)
                (block $h (result exnref)
                    (try_table (catch_all_ref $h) (throw $e (local.get 0) (f64.const 1.5)))
                    (unreachable))
                (global.set $kept)
                (throw_ref (global.get $kept)))
            (func (export "run") (param i32) (result i32)
                (local $n i32) (local $x f64)
                (block $all
                    (block $h (result i32 f64 exnref)
                        (try_table (catch $none $all) (catch_ref $e $h) (catch_all $all)
                            (call $again (local.get 0)))
                        (unreachable))
                    (drop) (local.set $x) (local.set $n)
                    (return (i32.add (local.get $n) (i32.trunc_f64_s (local.get $x)))))
                (i32.const -1))
            (func (export "null") (param i32) (result i32)
                (block $h (try_table (catch_all $h) (throw_ref (ref.null exn))))
                (i32.const 1)))"#,
    );
    assert_eq!(run(&mut store, instance, "run", 41).unwrap(), 42);
    assert_eq!(run(&mut store, instance, "null", 0).unwrap_err().trap(), Some(Trap::NullReference));
}

#[test]
fn handlers_that_are_loops_or_the_function() {
    let wat = r#"(module
        (tag $e (param i32))
        (func $f (param i32) (throw $e (i32.sub (local.get 0) (i32.const 1))))
        (func (export "loop") (param i32) (result i32) (local $n i32)
            (local.get 0)
            (loop $again (param i32)
                (local.set 0)
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (if (local.get 0) (then (try_table (catch $e $again) (call $f (local.get 0))))))
            (local.get $n))
        (func $several (param i32) (result i32 f64)
            (block $h (result i32)
                (try_table (result i32) (catch $e $h) (i32.const 0) (call $f (local.get 0))))
            (f64.const 2))
        (func (export "function") (param i32) (result i32)
            (try_table (result i32) (catch $e 0) (call $f (local.get 0)) (i32.const 0))
            (i32.add (i32.const 1)))
        (func (export "nothing") (param i32) (result i32)
            (call $leave (local.get 0))
            (i32.const 3))
        (func $leave (param i32)
            (try_table (catch_all 0) (call $f (local.get 0))) (unreachable))
        (func $two (param i32) (result i32 exnref)
            (try_table (result i32 exnref) (catch_ref $e 0) (call $f (local.get 0)) (unreachable)))
        (func (export "two") (param i32) (result i32) (call $two (local.get 0)) (drop)))"#;
    for config in [Config::new(), Config::new().consume_fuel(true).clone()] {
        let (mut store, instance) = with_config(&config, wat);
        _ = store.set_fuel(1_000_000);
        let mut run = |name| run(&mut store, instance, name, 10).unwrap();
        assert_eq!(["loop", "function", "nothing", "two"].map(&mut run), [11, 9, 3, 9]);
    }
}

#[test]
fn tail_calls_leave_their_try_table() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let tag = i32_tag(&mut store);
    let host =
        Func::wrap(&mut store, move |caller: Caller<'_, ()>, n: i32| throw_i32(caller, tag, n));
    let other = Module::new(
        &engine,
        r#"(module (import "" "e" (tag $e (param i32)))
            (func (export "f") (param i32) (result i32) (throw $e (local.get 0))))"#,
    )
    .unwrap();
    let other = Instance::new(&mut store, &other, &[tag.into()]).unwrap();
    let guest = other.get_func(&mut store, "f").unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "e" (tag $e (param i32)))
            (import "" "host" (func $host (param i32) (result i32)))
            (import "" "guest" (func $guest (param i32) (result i32)))
            (table funcref (elem $host $guest $own))
            (type $f (func (param i32) (result i32)))
            (func $own (param i32) (result i32) (throw $e (local.get 0)))
            (func $tail0 (param i32) (result i32) (local f64)
                (loop $l (local.set 1 (f64.add (local.get 1) (f64.const 1))) (br_if $l (f64.lt (local.get 1) (f64.const 9))))
                (block $h (try_table (catch_all $h) (return_call $host (local.get 0)))) (i32.const -1))
            (func $tail1 (param i32) (result i32)
                (block $h (try_table (catch_all $h) (return_call $guest (local.get 0)))) (i32.const -1))
            (func $tail2 (param i32) (result i32)
                (block $h (try_table (catch_all $h) (return_call $own (local.get 0)))) (i32.const -1))
            (func $tail3 (param i32) (result i32)
                (block $h (try_table (catch_all $h)
                    (return_call_indirect (type $f) (local.get 0) (i32.rem_u (local.get 0) (i32.const 3)))))
                (i32.const -1))
            (func (export "run") (param i32) (result i32) (local $x f64) (local $i i32)
                (loop $l
                    (local.set $x (f64.add (local.get $x) (f64.const 1)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $l (f64.lt (local.get $x) (f64.const 50))))
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (if (i32.lt_s (local.get 0) (i32.const 10)) (then (drop (call $tail0 (local.get 0)))))
                        (if (i32.lt_s (local.get 0) (i32.const 20)) (then (drop (call $tail1 (local.get 0)))))
                        (if (i32.lt_s (local.get 0) (i32.const 30)) (then (drop (call $tail2 (local.get 0)))))
                        (drop (call $tail3 (local.get 0))))
                    (i32.const -2))
                (i32.add (i32.add (local.get $i)) (i32.trunc_f64_s (local.get $x)))))"#,
    )
    .unwrap();
    let imports = [tag.into(), host.into(), guest.into()];
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    for n in 0..40 {
        assert_eq!(run(&mut store, instance, "run", n).unwrap(), n + 100, "{n}");
    }
}

/// Guest, host, guest of another instance, and back.
fn through_host(
    on_error: impl Fn(Caller<'_, ()>, kinglet::Error, Tag) -> Result<i32> + Send + Sync + 'static,
) -> Result<i32> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let tag = i32_tag(&mut store);
    let inner = Module::new(
        &engine,
        r#"(module (import "" "e" (tag $e (param i32)))
            (func (export "f") (param i32) (result i32) (throw $e (i32.add (local.get 0) (i32.const 1)))))"#,
    )?;
    let inner = Instance::new(&mut store, &inner, &[tag.into()])?;
    let f = inner.get_typed_func::<i32, i32>(&mut store, "f")?;
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| {
        f.call(&mut caller, n).or_else(|error| on_error(caller, error, tag))
    });
    let outer = Module::new(
        &engine,
        r#"(module
            (import "" "e" (tag $e (param i32)))
            (import "" "host" (func $host (param i32) (result i32)))
            (func (export "run") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (result i32) (catch $e $h) (call $host (local.get 0)))
                    (i32.add (i32.const 1000)))))"#,
    )?;
    let outer = Instance::new(&mut store, &outer, &[tag.into(), host.into()])?;
    let result = run(&mut store, outer, "run", 5);
    if result.is_ok() {
        assert!(!store.has_pending_exception());
    }
    result
}

#[test]
fn host_functions_pass_exceptions_on_or_do_not() {
    // Returned on.
    assert_eq!(through_host(|_, error, _| Err(error)).unwrap(), 6);
    // Swallowed.
    let swallow = |mut caller: Caller<'_, ()>, error: kinglet::Error, tag: Tag| {
        assert!(error.is::<ThrownException>());
        let exception = caller.as_context_mut().take_pending_exception().unwrap();
        assert!(Tag::eq(&exception.tag(&mut caller)?, &tag, &caller));
        assert_eq!(exception.fields(&mut caller)?.len(), 1);
        exception.field(&mut caller, 0).map(|value| value.unwrap_i32())
    };
    assert_eq!(through_host(swallow).unwrap(), 1006);
    // Another one instead.
    let replace = |caller: Caller<'_, ()>, _: kinglet::Error, tag: Tag| throw_i32(caller, tag, 77);
    assert_eq!(through_host(replace).unwrap(), 77);
    // Something that is no exception, which nobody catches.
    let fail = |_: Caller<'_, ()>, _: kinglet::Error, _: Tag| Err(kinglet::Error::msg("no"));
    assert!(through_host(fail).unwrap_err().to_string().starts_with("no"));
    let trap =
        |_: Caller<'_, ()>, _: kinglet::Error, _: Tag| Err(Trap::UnreachableCodeReached.into());
    assert_eq!(through_host(trap).unwrap_err().trap(), Some(Trap::UnreachableCodeReached));
}

#[test]
fn identity_survives_the_host() {
    type Kept = Option<OwnedRooted<ExnRef>>;
    let engine = Engine::default();
    let mut store = Store::new(&engine, Kept::None);
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "host" (func $host))
            (tag (export "e") (param i64))
            (global (export "g") (mut exnref) (ref.null exn))
            (func (export "throw") (throw 0 (i64.const 9)))
            (func (export "run")
                (block $h (result exnref)
                    (try_table (catch_all_ref $h) (call $host))
                    (unreachable))
                (throw_ref)))"#,
    )
    .unwrap();
    let host = Func::wrap(&mut store, |mut caller: Caller<'_, Kept>| -> Result<()> {
        let throw = caller.get_export("throw").and_then(Extern::into_func).unwrap();
        let error = throw.call(&mut caller, &[], &mut []).unwrap_err();
        let exception = caller.as_context_mut().take_pending_exception().unwrap();
        *caller.data_mut() = Some(exception.to_owned_rooted(&mut caller)?);
        caller.as_context_mut().throw::<()>(exception).unwrap_err();
        Err(error)
    });
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    let error = instance
        .get_typed_func::<(), ()>(&mut store, "run")
        .unwrap()
        .call(&mut store, ())
        .unwrap_err();
    assert!(error.is::<ThrownException>());
    assert!(error.to_string().starts_with("thrown Wasm exception"));
    let exception = store.take_pending_exception().unwrap();
    let kept = store.data().clone().unwrap();
    assert!(Rooted::ref_eq(&store, &exception, &kept).unwrap());
    let tag = instance.get_tag(&mut store, "e").unwrap();
    assert!(Tag::eq(&exception.tag(&mut store).unwrap(), &tag, &store));
    assert_eq!(exception.field(&mut store, 0).unwrap().i64(), Some(9));
    assert!(exception.field(&mut store, 1).is_err());
    assert!(store.take_pending_exception().is_none());
}

#[test]
fn across_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let below = Module::new(
        &engine,
        r#"(module
            (tag $mine (export "mine") (param i32)) (tag $other (param i32))
            (func $deep (export "f") (param i32) (result i32) (local $i i32) (local $x f64)
                (local.set $i (local.get 0))
                (loop $l
                    (local.set $x (f64.add (local.get $x) (f64.const 1)))
                    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                    (br_if $l (i32.gt_s (local.get $i) (i32.const 0))))
                (if (i32.eq (local.get 0) (i32.const 50)) (then (throw $mine (i32.trunc_f64_s (local.get $x)))))
                (if (i32.eq (local.get 0) (i32.const 100)) (then (throw $other (i32.const 0))))
                (call $deep (i32.add (local.get 0) (i32.const 1)))))"#,
    )
    .unwrap();
    let below = linker.instantiate(&mut store, &below).unwrap();
    linker.instance(&mut store, "below", below).unwrap();
    let above = Module::new(
        &engine,
        r#"(module
            (import "below" "mine" (tag $mine (param i32)))
            (import "below" "f" (func $f (param i32) (result i32)))
            (table funcref (elem $f))
            (tag $unrelated (param i32))
            (func $indirect (param i32) (result i32)
                (block $h (result i32)
                    (try_table (result i32) (catch $unrelated $h)
                        (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))))
            (func (export "run") (param i32) (result i32) (local $i i32) (local $x f64)
                (loop $l
                    (local.set $x (f64.add (local.get $x) (f64.const 1)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $l (i32.lt_s (local.get $i) (i32.const 500))))
                (block $all
                    (block $h (result i32)
                        (try_table (catch $unrelated $h) (catch $mine $h) (catch_all $all)
                            (drop (call $indirect (local.get 0))))
                        (unreachable))
                    (return (i32.add (i32.add (local.get $i)) (i32.trunc_f64_s (local.get $x)))))
                (i32.const -1)))"#,
    )
    .unwrap();
    let above = linker.instantiate(&mut store, &above).unwrap();
    assert_eq!(run(&mut store, above, "run", 0).unwrap(), 1050);
    assert_eq!(run(&mut store, above, "run", 49).unwrap(), 1050);
    assert_eq!(run(&mut store, above, "run", 51).unwrap(), -1);
}

#[test]
fn traps_are_not_caught() {
    let (mut store, instance) = instance(
        r#"(module
            (memory 1)
            (func $trap (param i32)
                (if (i32.eqz (local.get 0)) (then (unreachable)))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (drop (i32.div_s (i32.const 1) (i32.const 0)))))
                (if (i32.eq (local.get 0) (i32.const 2)) (then (drop (i32.load (i32.const -1)))))
                (call $trap (local.get 0)))
            (func (export "run") (param i32) (result i32)
                (block $h (try_table (catch_all $h) (call $trap (local.get 0))))
                (i32.const 1)))"#,
    );
    let traps = [
        Trap::UnreachableCodeReached,
        Trap::IntegerDivisionByZero,
        Trap::MemoryOutOfBounds,
        Trap::StackOverflow,
    ];
    for (n, trap) in traps.into_iter().enumerate() {
        assert_eq!(run(&mut store, instance, "run", n as i32).unwrap_err().trap(), Some(trap));
    }
}

#[test]
fn deep_stacks() {
    let mut config = Config::new();
    config.max_wasm_stack(64 << 20);
    let (mut store, instance) = with_config(
        &config,
        r#"(module
            (tag $e (param i32))
            (func $down (param i32) (result i32) (local $x f64)
                (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 7))))
                (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (func (export "run") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (result i32) (catch $e $h) (call $down (local.get 0))))))"#,
    );
    assert_eq!(run(&mut store, instance, "run", 100_000).unwrap(), 7);
}

#[test]
fn a_million_throws() {
    let (mut store, instance) = instance(
        r#"(module
            (tag $e (param i32)) (tag $f)
            (func $throw (param i32) (throw $e (local.get 0)))
            (func (export "run") (param $n i32) (result i32) (local $sum i32)
                (loop $more
                    (block $h (result i32)
                        (try_table (catch $e $h) (call $throw (local.get $n)))
                        (unreachable))
                    (local.set $sum (i32.add (local.get $sum)))
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if $more (local.get $n)))
                (local.get $sum)))"#,
    );
    let sum = (1..=1_000_000u32).fold(0u32, u32::wrapping_add);
    assert_eq!(run(&mut store, instance, "run", 1_000_000).unwrap(), sum as i32);
}

#[test]
fn fuel_and_suspension() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let (mut store, instance) = with_config(&config, PINNED);
    let func = instance.get_func(&mut store, "run").unwrap();
    let mut execution = func.start(&mut store, &[Val::I32(0)]).unwrap();
    let mut slices = 0;
    let results = loop {
        let fuel = execution.required_fuel().max(20);
        match execution.run(&mut store, Budget::fuel(fuel)).unwrap() {
            Step::Done(results) => break results,
            Step::OutOfFuel => slices += 1,
            step => panic!("{step:?}"),
        }
    };
    assert!(slices > 20, "{slices}");
    assert_eq!(results[0].i32(), Some(20 + 10 * 101 * 1000 + 152_500_000));
}

#[test]
fn asynchronous_host_functions_throw() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let tag = i32_tag(&mut store);
    let host = Func::wrap_async(&mut store, move |caller: Caller<'_, ()>, (n,): (i32,)| {
        Box::new(async move { throw_i32(caller, tag, n + 1) })
    });
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "e" (tag $e (param i32)))
            (import "" "host" (func $host (param i32) (result i32)))
            (func $tail (param i32) (result i32)
                (block $h (try_table (catch_all $h) (return_call $host (local.get 0)))) (i32.const -1))
            (func (export "uncaught") (param i32) (result i32) (call $tail (local.get 0)))
            (func (export "run") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (if (local.get 0) (then (drop (call $tail (local.get 0)))))
                        (drop (call $host (local.get 0))))
                    (unreachable))))"#,
    )
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[tag.into(), host.into()]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for n in [0, 5] {
        assert_eq!(pollster::block_on(run.call_async(&mut store, n)).unwrap(), n + 1);
    }
    let uncaught = instance.get_typed_func::<i32, i32>(&mut store, "uncaught").unwrap();
    let error = pollster::block_on(uncaught.call_async(&mut store, 3)).unwrap_err();
    assert!(error.is::<ThrownException>());
    assert_eq!(
        store.take_pending_exception().unwrap().field(&mut store, 0).unwrap().i32(),
        Some(4)
    );

    // The same, step by step.
    let func = instance.get_func(&mut store, "run").unwrap();
    let mut execution = func.start(&mut store, &[Val::I32(8)]).unwrap();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()), Ok(Step::Pending(_))));
    pollster::block_on(execution.finish_host_call(&mut store)).unwrap();
    match execution.run(&mut store, Budget::unlimited()).unwrap() {
        Step::Done(results) => assert_eq!(results[0].i32(), Some(9)),
        step => panic!("{step:?}"),
    }
}

#[test]
fn tags_are_matched_by_type_and_told_apart_by_identity() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let tag = i32_tag(&mut store);
    let import =
        |ty: &str| Module::new(&engine, format!(r#"(module (import "" "e" (tag {ty})))"#)).unwrap();
    assert!(Instance::new(&mut store, &import("(param i32)"), &[tag.into()]).is_ok());
    let error = Instance::new(&mut store, &import("(param i64)"), &[tag.into()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "incompatible import type for `::e`: tag types incompatible: expected type `(tag (param i64))`, found type `(tag (param i32))`"
    );
    let ty = FuncType::new(&engine, [], [ValType::I32]);
    assert!(Tag::new(&mut store, &TagType::new(ty)).is_err());
    let other = i32_tag(&mut store);
    assert!(!Tag::eq(&tag, &other, &store));
    let pre = ExnRefPre::new(&mut store, ExnType::new(&engine, [ValType::I64]).unwrap());
    assert!(ExnRef::new(&mut store, &pre, &tag, &[Val::I64(1)]).is_err());
    let pre = ExnRefPre::new(&mut store, ExnType::new(&engine, [ValType::I32]).unwrap());
    assert!(ExnRef::new(&mut store, &pre, &tag, &[Val::I64(1)]).is_err());
    assert!(ExnRef::new(&mut store, &pre, &tag, &[]).is_err());
}

#[test]
fn many_try_tables_in_a_function() {
    // Linear to translate, and each is found without a look at all others.
    let tries: String = (0..10_000)
        .map(|i| {
            format!(
                "(block $h{i} (try_table (catch $e $h{i}) (br_if $done (i32.eq (local.get 0) (i32.const {i}))) (call $f))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))"
            )
        })
        .collect();
    let (mut store, instance) = instance(&format!(
        r#"(module (tag $e) (func $f (throw $e))
            (func (export "run") (param i32) (result i32) (local i32) (block $done {tries}) (local.get 1)))"#
    ));
    assert_eq!(run(&mut store, instance, "run", 10_000).unwrap(), 10_000);
    assert_eq!(run(&mut store, instance, "run", 5_000).unwrap(), 5_000);
}

/// A search that looks at many clauses takes its time, so it costs fuel and can be interrupted.
#[test]
fn the_search_for_a_handler_is_metered() {
    let clauses = "(catch $other $h)".repeat(1_000);
    let wat = format!(
        r#"(module
            (tag $e (param i32)) (tag $other)
            (func $down (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 7))))
                (block $h
                    (try_table {clauses}
                        (return (call $down (i32.sub (local.get 0) (i32.const 1))))))
                (i32.const -1))
            (func (export "run") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (result i32) (catch $e $h) (call $down (local.get 0))))))"#
    );
    let mut config = Config::new();
    let (mut store, instance) = with_config(config.consume_fuel(true), &wat);
    store.set_fuel(1 << 30).unwrap();
    assert_eq!(run(&mut store, instance, "run", 100).unwrap(), 7);
    let used = (1 << 30) - store.get_fuel().unwrap();
    assert!((100_000..300_000).contains(&used), "{used}");

    // Little by little: it says how much it takes to get on.
    let func = instance.get_func(&mut store, "run").unwrap();
    let mut execution = func.start(&mut store, &[Val::I32(100)]).unwrap();
    let mut stops = 0;
    let results = loop {
        let fuel = execution.required_fuel().max(5_000);
        match execution.run(&mut store, Budget::fuel(fuel)).unwrap() {
            Step::Done(results) => break results,
            Step::OutOfFuel => stops += 1,
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(results[0].i32(), Some(7));
    assert!((2..20).contains(&stops), "{stops}");
    store.set_fuel(50_000).unwrap();
    let error = run(&mut store, instance, "run", 100).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
}

/// The operand of `throw_ref` may be all that refers to it.
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

/// References to exceptions are garbage when nobody has them any more.
#[test]
fn a_million_references() {
    let (mut store, instance) = instance(
        r#"(module
            (tag $e (param i32))
            (func $throw (param i32) (throw $e (local.get 0)))
            (func (export "run") (param $n i32) (result i32) (local $sum i32) (local $last exnref)
                (loop $more
                    (block $h (result i32 exnref)
                        (try_table (catch_ref $e $h) (call $throw (local.get $n)))
                        (unreachable))
                    (local.set $last)
                    (local.set $sum (i32.add (local.get $sum)))
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if $more (local.get $n)))
                (block $h (result i32)
                    (try_table (catch $e $h) (throw_ref (local.get $last)))
                    (unreachable))
                (i32.add (local.get $sum))))"#,
    );
    let sum = (1..=1_000_000u32).fold(1u32, u32::wrapping_add);
    assert_eq!(run(&mut store, instance, "run", 1_000_000).unwrap(), sum as i32);
    assert!(store.gc_heap_size() < 16 << 20, "{}", store.gc_heap_size());
}

/// Vectors take two slots, references are held by the exception, and both survive collections wherever there can be one.
#[test]
fn all_kinds_of_values() {
    const WAT: &str = r#"(module
        (type $box (struct (field i32)))
        (import "" "host" (func $host))
        (tag $e (param i32 v128 f32 (ref null $box) externref f64))
        (func (export "throw")
            (throw $e
                (i32.const 1) (v128.const i64x2 2 3) (f32.const 4) (struct.new $box (i32.const 5))
                (ref.null extern) (f64.const 6)))
        (func $sum (param i32 v128 f32 (ref null $box) externref f64) (result i32)
            (drop (struct.new $box (i32.const 100)))
            (i32.add (local.get 0)
                (i32.add (i32.wrap_i64 (i64.mul (i64x2.extract_lane 0 (local.get 1)) (i64x2.extract_lane 1 (local.get 1))))
                    (i32.add (i32.trunc_f32_s (local.get 2))
                        (i32.add (struct.get $box 0 (local.get 3)) (i32.trunc_f64_s (local.get 5)))))))
        (func (export "run") (param i32) (result i32)
            (local $x exnref)
            (block $h (result i32 v128 f32 (ref null $box) externref f64)
                (try_table (catch $e $h) (call $host))
                (unreachable))
            (call $sum)
            (block $h (result i32 v128 f32 (ref null $box) externref f64)
                (try_table (catch $e $h)
                    (block $r (result i32 v128 f32 (ref null $box) externref f64 exnref)
                        (try_table (catch_ref $e $r) (call $host))
                        (unreachable))
                    (local.set $x) (drop) (drop) (drop) (drop) (drop) (drop)
                    (drop (struct.new $box (i32.const 101)))
                    (throw_ref (local.get $x)))
                (unreachable))
            (call $sum)
            (i32.add)))"#;
    for zeal in [None, core::num::NonZeroU32::new(1)] {
        let engine = Engine::new(Config::new().gc_zeal_alloc_counter(zeal)).unwrap();
        let module = Module::new(&engine, WAT).unwrap();
        let mut store = Store::new(&engine, ());
        let host = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<()> {
            let throw = caller.get_export("throw").and_then(Extern::into_func).unwrap();
            throw.call(&mut caller, &[], &mut [])
        });
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        for _ in 0..10 {
            assert_eq!(run(&mut store, instance, "run", 0).unwrap(), 2 * (1 + 2 * 3 + 4 + 5 + 6));
        }
        let throw = instance.get_typed_func::<(), ()>(&mut store, "throw").unwrap();
        throw.call(&mut store, ()).unwrap_err();
        let exception = store.take_pending_exception().unwrap();
        let fields: Vec<Val> = exception.fields(&mut store).unwrap().collect();
        assert_eq!(fields.len(), 6);
        assert_eq!(fields[1].v128().map(|v| v.as_u128()), Some(3 << 64 | 2));
        assert_eq!(
            (fields[0].i32(), fields[2].f32(), fields[5].f64()),
            (Some(1), Some(4.0), Some(6.0))
        );
    }
}
