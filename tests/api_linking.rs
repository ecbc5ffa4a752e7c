//! Imports, exports, instances of several modules that share objects.

mod common;

use common::{call, instance, link};
use kinglet::{
    Engine, ErrorKind, Extern, ExternType, Func, Global, GlobalType, Instance, Linker, Memory,
    MemoryType, Module, Mutability, Ref, RefType, Store, Table, TableType, Trap, Val, ValType,
};

fn error_of(linker: &Linker<()>, store: &mut Store<()>, wat: &str) -> kinglet::Error {
    let module = Module::new(linker.engine(), wat).unwrap();
    linker.instantiate(store, &module).unwrap_err()
}

#[test]
fn instances_share_memories_tables_globals_and_functions() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let library = Module::new(
        &engine,
        r#"(module
            (memory (export "memory") 1)
            (table (export "table") 2 funcref)
            (global (export "counter") (mut i32) (i32.const 10))
            (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "call") (param i32) (result i32)
                (call_indirect (result i32) (local.get 0)))
            (func (export "bump") (global.set 0 (i32.add (global.get 0) (i32.const 1)))))"#,
    )
    .unwrap();
    let library = linker.instantiate(&mut store, &library).unwrap();
    linker.instance(&mut store, "lib", library).unwrap();
    let user = Module::new(
        &engine,
        r#"(module
            (import "lib" "memory" (memory 1))
            (import "lib" "table" (table 2 funcref))
            (import "lib" "counter" (global $counter (mut i32)))
            (import "lib" "load" (func $load (param i32) (result i32)))
            (import "lib" "call" (func $call (param i32) (result i32)))
            (import "lib" "bump" (func $bump))
            (elem (i32.const 1) $answer)
            (data (i32.const 16) "\2a\00\00\00")
            (func $answer (result i32) (i32.add (i32.const 40) (global.get $own)))
            (global $own i32 (i32.const 2))
            (func (export "memory") (result i32) (call $load (i32.const 16)))
            (func (export "table") (result i32) (call $call (i32.const 1)))
            (func (export "null") (result i32) (call $call (i32.const 0)))
            (func (export "global") (result i32) (call $bump) (global.get $counter)))"#,
    )
    .unwrap();
    let user = linker.instantiate(&mut store, &user).unwrap();
    assert_eq!(call::<_, (), i32>(&mut store, user, "memory", ()).unwrap(), 42);
    assert_eq!(call::<_, (), i32>(&mut store, user, "table", ()).unwrap(), 42);
    assert_eq!(call::<_, (), i32>(&mut store, user, "global", ()).unwrap(), 11);
    let error = call::<_, (), i32>(&mut store, user, "null", ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IndirectCallToNull));
    let counter = library.get_global(&store, "counter").unwrap();
    assert_eq!(counter.get(&mut store).i32(), Some(11));
}

#[test]
fn growth_is_seen_by_all_who_share() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(3))).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define(&store, "host", "memory", memory).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "memory" (memory 1 3))
            (func (export "size") (result i32) (memory.size))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "last") (result i32)
                (i32.load8_u (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))))"#,
    )
    .unwrap();
    let a = linker.instantiate(&mut store, &module).unwrap();
    let b = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, a, "grow", 1).unwrap(), 1);
    assert_eq!(call::<_, (), i32>(&mut store, b, "size", ()).unwrap(), 2);
    assert_eq!(memory.size(&store), 2);
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 2);
    let last = memory.data_size(&store) - 1;
    memory.data_mut(&mut store)[last] = 9;
    assert_eq!(call::<_, (), i32>(&mut store, a, "last", ()).unwrap(), 9);
    assert_eq!(call::<_, i32, i32>(&mut store, b, "grow", 1).unwrap(), -1);
    let error = memory.grow(&mut store, 1).unwrap_err();
    assert_eq!(error.to_string(), "failed to grow memory by `1`");

    // An import may ask for what a memory has grown to.
    let wants = r#"(module (import "host" "memory" (memory 3 3)))"#;
    linker.instantiate(&mut store, &Module::new(&engine, wants).unwrap()).unwrap();
}

#[test]
fn missing_and_wrong_imports_are_named() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "f", |_: i32| ()).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    linker.define(&store, "env", "m", memory).unwrap();
    let table = TableType::new(RefType::FUNCREF, 1, Some(5));
    let table = Table::new(&mut store, table, Ref::Func(None)).unwrap();
    linker.define(&store, "env", "t", table).unwrap();
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    let global = Global::new(&mut store, ty, Val::I32(0)).unwrap();
    linker.define(&store, "env", "g", global).unwrap();

    for (wat, message) in [
        (
            r#"(module (import "env" "nothing" (func)))"#,
            "unknown import: `env::nothing` has not been defined",
        ),
        (
            r#"(module (import "env" "f" (func (param i64) (result i32))))"#,
            "incompatible import type for `env::f`: function types incompatible: \
             expected type `(func (param i64) (result i32))`, found type `(func (param i32))`",
        ),
        (
            r#"(module (import "env" "f" (memory 1)))"#,
            "incompatible import type for `env::f`: expected memory, found function",
        ),
        (
            r#"(module (import "env" "m" (memory 2)))"#,
            "incompatible import type for `env::m`: memory types incompatible: \
             expected type `(memory 2)`, found type `(memory 1)`",
        ),
        (
            r#"(module (import "env" "m" (memory i64 1)))"#,
            "incompatible import type for `env::m`: memory types incompatible: \
             expected type `(memory i64 1)`, found type `(memory 1)`",
        ),
        (
            r#"(module (import "env" "m" (memory 1 7)))"#,
            "incompatible import type for `env::m`: memory types incompatible: \
             expected type `(memory 1 7)`, found type `(memory 1)`",
        ),
        (
            r#"(module (import "env" "t" (table 1 4 funcref)))"#,
            "incompatible import type for `env::t`: table types incompatible: \
             expected type `(table 1 4 funcref)`, found type `(table 1 5 funcref)`",
        ),
        (
            r#"(module (import "env" "t" (table 1 externref)))"#,
            "incompatible import type for `env::t`: table types incompatible: \
             expected type `(table 1 externref)`, found type `(table 1 5 funcref)`",
        ),
        (
            r#"(module (import "env" "g" (global (mut i32))))"#,
            "incompatible import type for `env::g`: global types incompatible: \
             expected type `(global (mut i32))`, found type `(global i32)`",
        ),
        (
            r#"(module (import "env" "g" (global i64)))"#,
            "incompatible import type for `env::g`: global types incompatible: \
             expected type `(global i64)`, found type `(global i32)`",
        ),
    ] {
        let error = error_of(&linker, &mut store, wat);
        assert_eq!(error.to_string(), message, "{wat}");
        assert_eq!(error.kind(), ErrorKind::Link);
        let module = Module::new(&engine, wat).unwrap();
        let error = linker.instantiate_pre(&module).unwrap_err();
        assert_eq!(error.to_string(), message, "{wat}");
    }
}

#[test]
fn names_can_be_shadowed_only_if_allowed() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker.func_wrap("m", "f", || 1).unwrap();
    let error = linker.func_wrap("m", "f", || 2).unwrap_err();
    assert_eq!(error.to_string(), "import of `m::f` defined twice");
    linker.allow_shadowing(true).func_wrap("m", "f", || 3).unwrap();
    let wat = r#"(module (import "m" "f" (func $f (result i32))) (export "f" (func $f)))"#;
    let (mut store, instance) = link(&linker, (), wat);
    assert_eq!(call::<_, (), i32>(&mut store, instance, "f", ()).unwrap(), 3);
}

#[test]
fn aliases_stand_for_the_same_thing() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker.func_wrap("a", "one", || 1).unwrap();
    linker.func_wrap("a", "two", || 2).unwrap();
    linker.alias_module("a", "b").unwrap();
    linker.alias("a", "two", "c", "zwei").unwrap();
    assert_eq!(
        linker.alias("a", "three", "c", "x").unwrap_err().to_string(),
        "no item named `a::three` defined"
    );
    let mut store = Store::new(linker.engine(), ());
    for (module, name, value) in [("b", "one", 1), ("b", "two", 2), ("c", "zwei", 2)] {
        let func = linker.get(&mut store, module, name).and_then(Extern::into_func).unwrap();
        let func = func.typed::<(), i32>(&store).unwrap();
        assert_eq!(func.call(&mut store, ()).unwrap(), value);
    }
    assert!(linker.get(&mut store, "c", "one").is_none());
    assert_eq!(linker.iter(&mut store).count(), 5);
}

#[test]
fn unknown_imports_can_fail_when_they_are_called() {
    let mut linker = Linker::<()>::new(&Engine::default());
    let wat = r#"(module
        (import "env" "missing" (func $missing (param i32) (result i64)))
        (func (export "fine") (result i32) (i32.const 1))
        (func (export "bad") (drop (call $missing (i32.const 0)))))"#;
    let module = Module::new(linker.engine(), wat).unwrap();
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let (mut store, instance) = link(&linker, (), wat);
    assert_eq!(call::<_, (), i32>(&mut store, instance, "fine", ()).unwrap(), 1);
    let error = call::<_, (), ()>(&mut store, instance, "bad", ()).unwrap_err();
    assert_eq!(format!("{error:#}"), "unknown import: `env::missing` has not been defined");
}

#[test]
fn commands_get_a_new_instance_for_each_call_and_reactors_do_not() {
    let counter = |extra: &str| {
        format!(
            r#"(module
                (global $n (mut i32) (i32.const 0))
                (func (export "next") (result i32)
                    (global.set $n (i32.add (global.get $n) (i32.const 1)))
                    (global.get $n))
                {extra})"#
        )
    };
    let user = r#"(module
        (import "m" "next" (func $next (result i32)))
        (func (export "twice") (result i32) (drop (call $next)) (call $next)))"#;
    let start = r#"(func (export "_start"))"#;
    let initialize = r#"(func (export "_initialize") (global.set $n (i32.const 10)))"#;
    for (extra, expected) in [(start, 1), ("", 2), (initialize, 12)] {
        let mut linker = Linker::<()>::new(&Engine::default());
        let mut store = Store::new(linker.engine(), ());
        let module = Module::new(linker.engine(), counter(extra)).unwrap();
        linker.module(&mut store, "m", &module).unwrap();
        let user = Module::new(linker.engine(), user).unwrap();
        let user = linker.instantiate(&mut store, &user).unwrap();
        assert_eq!(call::<_, (), i32>(&mut store, user, "twice", ()).unwrap(), expected);
    }
    let mut linker = Linker::<()>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), ());
    let both = Module::new(linker.engine(), counter(&format!("{start}{initialize}"))).unwrap();
    assert!(linker.module(&mut store, "m", &both).is_err());
}

#[test]
fn start_functions_run_and_may_trap() {
    let mut linker = Linker::<Vec<i32>>::new(&Engine::default());
    linker
        .func_wrap("host", "log", |mut caller: kinglet::Caller<'_, Vec<i32>>, n: i32| {
            caller.data_mut().push(n);
        })
        .unwrap();
    let wat = r#"(module
        (import "host" "log" (func $log (param i32)))
        (start $start)
        (func $start (call $log (i32.const 5))))"#;
    let (store, _) = link(&linker, Vec::new(), wat);
    assert_eq!(*store.data(), [5]);

    let module = Module::new(linker.engine(), "(module (func $s unreachable) (start $s))").unwrap();
    let mut store = Store::new(linker.engine(), Vec::new());
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    // A start function can be the host's own.
    let wat = r#"(module (import "host" "f" (func $f)) (start $f))"#;
    let mut linker = Linker::<u32>::new(&Engine::default());
    linker
        .func_wrap("host", "f", |mut caller: kinglet::Caller<'_, u32>| *caller.data_mut() += 1)
        .unwrap();
    let (store, _) = link(&linker, 0, wat);
    assert_eq!(*store.data(), 1);
}

#[test]
fn segments_that_do_not_fit_leave_what_was_written() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define(&store, "host", "memory", memory).unwrap();
    let error = error_of(
        &linker,
        &mut store,
        r#"(module
            (import "host" "memory" (memory 1))
            (data (i32.const 0) "written")
            (data (i32.const 65535) "too long"))"#,
    );
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    assert_eq!(&memory.data(&store)[..7], b"written");
    assert_eq!(memory.data(&store)[65_535], 0);
}

#[test]
fn exports_are_listed_in_order_and_found_by_name() {
    let (mut store, instance) = instance(
        r#"(module
            (func (export "z") (param i32))
            (memory (export "a") 1)
            (export "again" (func 0))
            (table (export "t") 1 externref)
            (global (export "") i64 (i64.const 7)))"#,
    );
    let names: Vec<&str> = instance.exports(&store).map(|export| export.name()).collect();
    assert_eq!(names, ["z", "a", "again", "t", ""]);
    assert!(matches!(instance.get_export(&store, "a"), Some(Extern::Memory(_))));
    assert!(instance.get_func(&store, "a").is_none());
    assert!(instance.get_export(&store, "b").is_none());
    let func = instance.get_func(&store, "z").unwrap();
    assert_eq!(func, instance.get_func(&store, "again").unwrap());
    assert_eq!(func.ty(&store).to_string(), "(func (param i32))");
    assert_eq!(instance.get_global(&store, "").unwrap().get(&mut store).i64(), Some(7));
    let table = instance.get_table(&store, "t").unwrap();
    assert!(matches!(Extern::Table(table).ty(&store), ExternType::Table(_)));
}

#[test]
fn imported_functions_can_be_exported_again() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker.func_wrap("host", "inc", |n: i32| n + 1).unwrap();
    let wat =
        r#"(module (import "host" "inc" (func (param i32) (result i32))) (export "inc" (func 0)))"#;
    let (mut store, instance) = link(&linker, (), wat);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "inc", 4).unwrap(), 5);
}

#[test]
fn imports_by_position() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let wat = r#"(module
        (import "" "" (func $f (result i32)))
        (func (export "run") (result i32) (call $f)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.to_string(), "expected 1 imports, found 0");
    let func = Func::wrap(&mut store, || 3i64);
    let error = Instance::new(&mut store, &module, &[func.into()]).unwrap_err();
    assert!(error.to_string().starts_with("incompatible import type for `::`"), "{error}");
    let func = Func::wrap(&mut store, || 3i32);
    let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
    assert_eq!(call::<_, (), i32>(&mut store, instance, "run", ()).unwrap(), 3);
}

#[test]
fn modules_of_another_engine_are_refused() {
    let module = Module::new(&Engine::default(), "(module)").unwrap();
    let mut store = Store::new(&Engine::default(), ());
    assert!(Instance::new(&mut store, &module, &[]).is_err());
    assert!(Linker::new(store.engine()).instantiate(&mut store, &module).is_err());
    let pre = Linker::new(module.engine()).instantiate_pre(&module).unwrap();
    assert!(pre.instantiate(&mut store).is_err());
}

#[test]
#[should_panic(expected = "object used with the wrong store")]
fn functions_of_another_store_are_refused() {
    let (_, instance) = instance(r#"(module (func (export "f")))"#);
    let mut other = Store::new(&Engine::default(), ());
    let _ = instance.get_func(&mut other, "f");
}

#[test]
#[should_panic(expected = "object used with the wrong store")]
fn references_of_another_store_are_refused() {
    let engine = Engine::default();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let func = Func::wrap(&mut a, || ());
    let take = Func::wrap(&mut b, |_: Option<Func>| ());
    let _ = take.call(&mut b, &[func.into()], &mut []);
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    let (mut store, instance) =
        instance(r#"(module (func (export "f") (param i32 i64) (result f32) unreachable))"#);
    let func = instance.get_func(&store, "f").unwrap();
    let mut result = [Val::I32(0)];
    let message = |error: kinglet::Error| error.to_string();
    assert_eq!(
        message(func.call(&mut store, &[Val::I32(1)], &mut result).unwrap_err()),
        "expected 2 arguments, got 1"
    );
    assert_eq!(
        message(func.call(&mut store, &[Val::I32(1), Val::I32(1)], &mut result).unwrap_err()),
        "argument type mismatch: argument 1 is of type i32, expected i64"
    );
    assert_eq!(
        message(func.call(&mut store, &[Val::I32(1), Val::I64(1)], &mut []).unwrap_err()),
        "expected 1 results, got 0"
    );
    assert_eq!(
        message(instance.get_typed_func::<i32, f32>(&store, "f").unwrap_err()),
        "failed to convert function `f` to given type: type mismatch: \
         expected (func (param i32) (result f32)), found (func (param i32 i64) (result f32))"
    );
    assert_eq!(
        message(instance.get_typed_func::<(), ()>(&store, "g").unwrap_err()),
        "failed to find function export `g`"
    );
}

#[test]
fn what_can_be_sent_and_shared() {
    fn send<T: Send>() {}
    fn send_and_sync<T: Send + Sync>() {}

    send_and_sync::<Engine>();
    send_and_sync::<Module>();
    send_and_sync::<Linker<std::cell::Cell<i32>>>();
    send_and_sync::<kinglet::InstancePre<std::cell::Cell<i32>>>();
    send_and_sync::<Store<i32>>();
    send::<Store<std::cell::Cell<i32>>>();
    send_and_sync::<kinglet::InterruptHandle>();
    send_and_sync::<kinglet::Error>();
    send::<kinglet::Execution>();
}
