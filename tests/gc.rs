//! The managed heap: what is kept, what is freed, and what happens when there is no room.

use kinglet::{
    AnyRef, ArrayRef, AsContextMut, Budget, Caller, Config, Engine, ExternRef, Func,
    GcHeapOutOfMemory, I31, Instance, Linker, Module, OwnedRooted, RootScope, Rooted, RootedGcRef,
    Step, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc, Val, WasmParams, WasmResults,
};
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

type Any = Option<Rooted<AnyRef>>;
type Extern = Option<Rooted<ExternRef>>;

fn instance(config: &Config, wat: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// A module as it is, and from an artifact.
fn modules(engine: &Engine, wat: &str) -> [Module; 2] {
    let module = Module::new(engine, wat).unwrap();
    let artifact = Module::deserialize(engine, module.serialize().unwrap()).unwrap();
    [module, artifact]
}

fn func<T: 'static, P: WasmParams, R: WasmResults>(
    store: &mut Store<T>,
    instance: Instance,
    name: &str,
) -> TypedFunc<P, R> {
    instance.get_typed_func(store, name).unwrap()
}

/// Counts how many of its kind there are.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_scheme_makes_a_million_objects_in_a_small_heap() {
    let text = include_str!("guests/scheme.wat");
    run_scheme(&Module::new(&Engine::default(), text).unwrap());
    // From an artifact, with garbage collected in one place after the other.
    let zeal = NonZeroU32::new(997);
    let engine = Engine::new(Config::new().gc_zeal_alloc_counter(zeal)).unwrap();
    let [_, artifact] = modules(&engine, text);
    run_scheme(&artifact);
}

fn run_scheme(module: &Module) {
    let limits = StoreLimitsBuilder::new().memory_size(1 << 18).build();
    let mut store = Store::new(module.engine(), limits);
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    let text = func::<_, u32, Rooted<ArrayRef>>(&mut store, instance, "text");
    let run = instance.get_func(&store, "run").unwrap();
    let program = include_bytes!("guests/scheme.scm");
    let bytes = text.call(&mut store, program.len() as u32).unwrap();
    for (i, &byte) in (0..).zip(program) {
        bytes.set(&mut store, i, Val::I32(byte.into())).unwrap();
    }
    let mut results = [Val::I32(0)];
    run.call(&mut store, &[bytes.into()], &mut results).unwrap();
    // Each round sorts (1000), computes 6 * 7 in unary (42), and turns a queue (40).
    assert_eq!(results[0].unwrap_i32(), 42 * 1082);
    let objects = instance.get_global(&store, "objects").unwrap().get(&mut store).unwrap_i32();
    assert!(objects >= 1_000_000, "{objects}");
    assert!(store.gc_heap_size() <= 1 << 18, "{}", store.gc_heap_size());
}

#[test]
fn references_last_as_long_as_their_scope_or_owner() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut store = Store::new(&Engine::default(), ());
    let outer = ExternRef::new(&mut store, Counted::new(&count)).unwrap();
    let (inner, owned, again);
    {
        let mut scope = RootScope::new(&mut store);
        inner = ExternRef::new(&mut scope, Counted::new(&count)).unwrap();
        let third = ExternRef::new(&mut scope, Counted::new(&count)).unwrap();
        owned = third.to_owned_rooted(&mut scope).unwrap();
        again = owned.clone();
        scope.as_context_mut().gc(None).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }
    assert!(inner.data(&store).is_err());
    assert!(inner.to_owned_rooted(&mut store).is_err());
    // What takes its place is not taken for it.
    let other = ExternRef::new(&mut store, 1).unwrap();
    assert!(inner.data(&store).is_err() && other.data(&store).unwrap().is_some());
    store.gc(None).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    drop(owned);
    store.gc(None).unwrap();
    assert!(again.data(&store).unwrap().unwrap().is::<Counted>());
    let rooted = again.to_rooted(&mut store);
    assert!(Rooted::ref_eq(&store, &rooted, &again).unwrap());
    assert!(!Rooted::ref_eq(&store, &rooted, &outer).unwrap());
    drop(again);
    store.gc(None).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    drop(store);
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
#[should_panic(expected = "wrong store")]
fn references_belong_to_their_store() {
    let mut store = Store::new(&Engine::default(), ());
    let mut other = Store::new(&Engine::default(), ());
    let reference = ExternRef::new(&mut store, 1).unwrap();
    ExternRef::new(&mut other, 2).unwrap();
    _ = reference.data(&other);
}

#[test]
fn what_a_host_function_makes_ends_with_its_call() {
    let count = Arc::new(AtomicUsize::new(0));
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "make" (func $make (result externref)))
            (global $kept (mut externref) (ref.null extern))
            (func (export "run") (param i32)
                (loop $again
                    (global.set $kept (call $make))
                    (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )
    .unwrap();
    let counter = count.clone();
    let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
        ExternRef::new(&mut caller, Counted::new(&counter)).map(Some)
    });
    let instance = Instance::new(&mut store, &module, &[make.into()]).unwrap();
    let run = func::<_, i32, ()>(&mut store, instance, "run");
    run.call(&mut store, 1000).unwrap();
    store.gc(None).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

/// A list of `n` to 1, and its sum; in between, the list is nowhere but on the operand stack.
const LIST: &str = r#"
    (type $node (struct (field i32) (field (ref null $node))))
    (func $list (export "list") (param $n i32) (result (ref null $node))
        (local $list (ref null $node)) (local $i i32)
        (loop $again (result (ref null $node))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (local.set $list (struct.new $node (local.get $i) (local.get $list)))
            (br_if $again (i32.lt_s (local.get $i) (local.get $n)))
            (local.get $list))
        )
    (func $sum (export "sum") (param $list (ref null $node)) (result i32)
        (local $sum i32)
        (block $end
            (loop $again
                (br_if $end (ref.is_null (local.get $list)))
                (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
                (local.set $list (struct.get $node 1 (local.get $list)))
                (br $again)))
        (local.get $sum))"#;

/// An instance of a module with lists as it is, and of one from an artifact.
fn list_instances(config: &Config, more: &str) -> [(Store<()>, Instance); 2] {
    let engine = Engine::new(config).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("", "nested", |mut caller: Caller<'_, ()>, n: i32| -> kinglet::Result<i32> {
            let run = caller.get_export("run").unwrap().into_func().unwrap();
            let run = run.typed::<i32, i32>(&caller)?;
            caller.as_context_mut().gc(None)?;
            let sum = if n == 0 { 0 } else { run.call(&mut caller, n - 1)? };
            caller.as_context_mut().gc(None)?;
            Ok(sum)
        })
        .unwrap();
    let wat = format!(
        r#"(module (import "" "nested" (func $nested (param i32) (result i32))) {LIST} {more})"#
    );
    modules(&engine, &wat).map(|module| {
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        (store, instance)
    })
}

#[test]
fn lists_below_nested_calls_of_the_host_stay() {
    for zeal in [None, NonZeroU32::new(1), NonZeroU32::new(7)] {
        let instances = list_instances(
            Config::new().gc_zeal_alloc_counter(zeal),
            r#"(func (export "run") (param $n i32) (result i32)
                (local $kept (ref null $node))
                (local.set $kept (call $list (i32.const 10)))
                (i64.const -1)
                (call $list (i32.const 20))
                (f64.const 1e300)
                (local.get $kept)
                (call $nested (local.get $n))
                (local.set $n)
                (call $sum)
                (local.set $n (i32.add (local.get $n)))
                (drop)
                (call $sum)
                (local.set $n (i32.add (local.get $n)))
                (drop)
                (local.get $n))"#,
        );
        for (mut store, instance) in instances {
            let run = func::<_, i32, i32>(&mut store, instance, "run");
            for depth in [0, 1, 5] {
                assert_eq!(run.call(&mut store, depth).unwrap(), (depth + 1) * (55 + 210));
            }
            store.gc(None).unwrap();
        }
    }
}

#[test]
fn executions_that_stand_still_keep_what_they_refer_to() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut config = Config::new();
    config.consume_fuel(true);
    let instances = list_instances(
        &config,
        r#"(func (export "run") (param i32) (result i32) (unreachable))
        (func (export "spin") (param externref i32) (result externref i32)
            (local $list (ref null $node))
            (local.set $list (call $list (i32.const 100)))
            (local.get 0)
            (loop $again (param externref) (result externref)
                (drop)
                (call $list (i32.const 5))
                (drop)
                (local.get 0)
                (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
            (call $sum (local.get $list)))"#,
    );
    for (store, instance) in instances {
        keep_what_they_refer_to(store, instance, &count);
    }
}

fn keep_what_they_refer_to(mut store: Store<()>, instance: Instance, count: &Arc<AtomicUsize>) {
    let spin = instance.get_func(&store, "spin").unwrap();
    let start = |store: &mut Store<()>| {
        let mut scope = RootScope::new(store);
        let reference = ExternRef::new(&mut scope, Counted::new(count)).unwrap();
        spin.start(&mut scope, &[reference.into(), Val::I32(50)]).unwrap()
    };
    let mut executions: Vec<_> = (0..3).map(|_| start(&mut store)).collect();
    let mut slices = 0;
    while !executions.is_empty() {
        store.gc(None).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), executions.len());
        let mut scope = RootScope::new(&mut store);
        executions.retain_mut(|execution| {
            match execution.run(&mut scope, Budget::fuel(200)).unwrap() {
                Step::Done(results) => {
                    let value = results[0].unwrap_extern_ref().unwrap();
                    assert!(value.data(&scope).unwrap().unwrap().is::<Counted>());
                    assert_eq!(results[1].unwrap_i32(), 5050);
                    false
                }
                _ => true,
            }
        });
        slices += 1;
        if slices == 5 {
            executions.pop();
        }
    }
    assert!(slices > 5);
    store.gc(None).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn what_passes_through_waiting_host_functions_stays() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap_async("", "wait", |mut caller: Caller<'_, ()>, (reference,): (Extern,)| {
            Box::new(async move {
                caller.as_context_mut().gc(None)?;
                let data = reference.unwrap();
                assert!(data.data(&caller)?.unwrap().is::<i32>());
                Ok::<Extern, kinglet::Error>(Some(ExternRef::new(&mut caller, "made")?))
            })
        })
        .unwrap();
    let modules = modules(
        &engine,
        r#"(module
            (import "" "wait" (func $wait (param externref) (result externref)))
            (func (export "run") (param externref) (result externref externref)
                (local.get 0) (call $wait (local.get 0)))
            (func (export "tail") (param externref) (result externref)
                (return_call $wait (local.get 0))))"#,
    );
    for module in modules {
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        pass_through(store, instance);
    }
}

fn pass_through(mut store: Store<()>, instance: Instance) {
    for (name, results) in [("run", 2), ("tail", 1)] {
        let func = instance.get_func(&store, name).unwrap();
        let mut execution = {
            let mut scope = RootScope::new(&mut store);
            let value = ExternRef::new(&mut scope, 7).unwrap();
            func.start(&mut scope, &[value.into()]).unwrap()
        };
        store.gc(None).unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            let Step::Pending(_) = execution.run(&mut scope, Budget::unlimited()).unwrap() else {
                panic!("it waits")
            };
        }
        store.gc(None).unwrap();
        pollster::block_on(execution.finish_host_call(&mut store)).unwrap();
        store.gc(None).unwrap();
        let Step::Done(vals) = execution.run(&mut store, Budget::unlimited()).unwrap() else {
            panic!("it is done")
        };
        assert_eq!(vals.len(), results);
        let made = vals[results - 1].unwrap_extern_ref().unwrap();
        assert_eq!(made.data(&store).unwrap().unwrap().downcast_ref(), Some(&"made"));
        if results == 2 {
            let given = vals[0].unwrap_extern_ref().unwrap();
            assert_eq!(given.data(&store).unwrap().unwrap().downcast_ref(), Some(&7));
        }
    }
}

#[test]
fn a_guest_without_end_fails_and_the_store_goes_on() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (type $node (struct (field (ref null $node))))
            (type $bytes (array (mut i8)))
            (type $wide (array (mut i64)))
            (global $kept (mut (ref null $node)) (ref.null $node))
            (func (export "forever")
                (loop $again
                    (global.set $kept (struct.new $node (global.get $kept)))
                    (br $again)))
            (func (export "forget") (global.set $kept (ref.null $node)))
            (func (export "bytes") (param i32) (result i32)
                (array.len (array.new_default $bytes (local.get 0))))
            (func (export "wide") (param i32) (result i32)
                (array.len (array.new $wide (i64.const 1) (local.get 0)))))"#,
    )
    .unwrap();
    let limits = StoreLimitsBuilder::new().memory_size(1 << 20).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let forever = func::<StoreLimits, (), ()>(&mut store, instance, "forever");
    let forget = func::<_, (), ()>(&mut store, instance, "forget");
    let bytes = func::<_, u32, u32>(&mut store, instance, "bytes");
    let wide = func::<_, u32, u32>(&mut store, instance, "wide");
    for _ in 0..3 {
        let error = forever.call(&mut store, ()).unwrap_err();
        assert!(error.is::<GcHeapOutOfMemory<()>>(), "{error}");
        assert!(error.wasm_backtrace().is_some());
        assert!(bytes.call(&mut store, 500_000).is_err());
        forget.call(&mut store, ()).unwrap();
        assert_eq!(bytes.call(&mut store, 500_000).unwrap(), 500_000);
    }
    for len in [1 << 20, 1 << 30, u32::MAX] {
        assert!(bytes.call(&mut store, len).unwrap_err().is::<GcHeapOutOfMemory<()>>());
    }
    let error = wide.call(&mut store, u32::MAX).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
    // The value of a reference that there is no room for comes back.
    forever.call(&mut store, ()).unwrap_err();
    let mut error = None;
    for i in 0..10_000 {
        if let Err(full) = ExternRef::new(&mut store, i) {
            error = Some((i, full));
            break;
        }
    }
    let (i, error) = error.unwrap();
    let (value, error) = error.downcast::<GcHeapOutOfMemory<i32>>().unwrap().take_inner();
    assert_eq!((value, error.bytes_needed()), (i, 16));
    assert!(store.gc_heap_size() <= 1 << 20);
}

#[test]
fn the_host_looks_into_objects() {
    let (mut store, instance) = instance(
        &Config::new(),
        r#"(module
            (type $point (struct (field i8) (field (mut f64)) (field (mut anyref)) (field v128)))
            (type $array (array (mut i16)))
            (func (export "point") (result (ref $point))
                (struct.new $point
                    (i32.const -1) (f64.const 1.5) (ref.i31 (i32.const -3)) (v128.const i64x2 1 2)))
            (func (export "array") (result anyref)
                (array.new_fixed $array 3 (i32.const 1) (i32.const -2) (i32.const 3)))
            (func (export "same") (param anyref) (result anyref) (local.get 0)))"#,
    );
    let point = func::<_, (), Rooted<AnyRef>>(&mut store, instance, "point");
    let point = point.call(&mut store, ()).unwrap();
    assert!(point.is_eqref(&store).unwrap() && !point.is_array(&store).unwrap());
    let point = point.unwrap_struct(&store).unwrap();
    let fields: Vec<Val> = point.fields(&mut store).unwrap().collect();
    assert_eq!((fields[0].i32(), fields[1].f64()), (Some(0xff), Some(1.5)));
    let small = fields[2].unwrap_any_ref().unwrap().unwrap_i31(&store).unwrap();
    assert_eq!((small, fields[3].unwrap_v128().as_u128()), (I31::wrapping_i32(-3), 1 | 2 << 64));
    assert!(point.set_field(&mut store, 0, Val::I32(1)).is_err());
    assert!(point.set_field(&mut store, 1, Val::I32(1)).is_err());
    assert!(point.set_field(&mut store, 4, Val::I32(1)).is_err());
    point.set_field(&mut store, 2, point.into()).unwrap();
    let itself = point.field(&mut store, 2).unwrap();
    let itself = itself.unwrap_any_ref().unwrap();
    assert!(Rooted::ref_eq(&store, itself, &point.to_anyref()).unwrap());

    let array = func::<_, (), Any>(&mut store, instance, "array");
    let array = array.call(&mut store, ()).unwrap().unwrap();
    let array = array.unwrap_array(&store).unwrap();
    let elems: Vec<i32> = array.elems(&mut store).unwrap().map(|val| val.unwrap_i32()).collect();
    assert_eq!(elems, [1, 0xfffe, 3]);
    array.set(&mut store, 2, Val::I32(0x1_0007)).unwrap();
    assert_eq!(array.get(&mut store, 2).unwrap().unwrap_i32(), 7);
    assert!(array.get(&mut store, 3).is_err() && array.set(&mut store, 3, Val::I32(0)).is_err());

    // A value of the host goes through both hierarchies and comes back.
    let host = ExternRef::new(&mut store, 42).unwrap();
    let any = AnyRef::convert_extern(&mut store, host).unwrap();
    assert!(!any.is_eqref(&store).unwrap());
    let same = func::<_, Any, Any>(&mut store, instance, "same");
    let any = same.call(&mut store, Some(any)).unwrap().unwrap();
    let back = ExternRef::convert_any(&mut store, any).unwrap();
    assert_eq!(back.data(&store).unwrap().unwrap().downcast_ref(), Some(&42));
    let owned: OwnedRooted<AnyRef> = any.to_owned_rooted(&mut store).unwrap();
    assert!(!owned.is_i31(&store).unwrap());
}
