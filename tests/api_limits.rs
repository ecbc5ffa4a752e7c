//! Limits: memory and tables, numbers of objects, stack, fuel, deadlines, shapes of modules.

mod common;

use common::{call, instance};
use kinglet::{
    Config, Engine, Error, ErrorKind, Instance, Limits, Linker, Memory, MemoryType, Module, Ref,
    RefType, ResourceLimiter, Result, Store, StoreLimits, StoreLimitsBuilder, Table, TableType,
    Trap,
};
use std::{thread, time::Duration};

const GROWS: &str = r#"(module
    (memory (export "m") 1 100)
    (table (export "t") 1 100 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn limited(limits: StoreLimits, wat: &str) -> (Store<StoreLimits>, Result<Instance>) {
    let engine = Engine::default();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let module = Module::new(&engine, wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[]);
    (store, instance)
}

#[test]
fn growth_stops_at_the_limits() {
    let limits = StoreLimitsBuilder::new().memory_size(3 << 16).table_elements(5).build();
    let (mut store, instance) = limited(limits, GROWS);
    let instance = instance.unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 2).unwrap(), 1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 1).unwrap(), -1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 0).unwrap(), 3);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "table", 4).unwrap(), 1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "table", 1).unwrap(), -1);
    let memory = instance.get_memory(&store, "m").unwrap();
    assert_eq!(memory.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
    let table = instance.get_table(&store, "t").unwrap();
    assert_eq!(table.grow(&mut store, 1, Ref::Func(None)).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn growth_can_trap() {
    let limits = StoreLimitsBuilder::new().memory_size(1 << 16).trap_on_grow_failure(true).build();
    let (mut store, instance) = limited(limits, GROWS);
    let error = call::<_, i32, i32>(&mut store, instance.unwrap(), "memory", 1).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::GrowthLimited));
    // Also where the type forbids it.
    let (mut store, instance) =
        limited(StoreLimitsBuilder::new().trap_on_grow_failure(true).build(), GROWS);
    let error = call::<_, i32, i32>(&mut store, instance.unwrap(), "table", 100).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::GrowthLimited));
}

#[test]
fn creation_is_limited() {
    let too_large = StoreLimitsBuilder::new().memory_size(65_535).build();
    let error = limited(too_large, GROWS).1.unwrap_err();
    assert_eq!(error.to_string(), "memory minimum size of 1 pages exceeds memory limits");
    assert_eq!(error.kind(), ErrorKind::Limit);
    let too_large = StoreLimitsBuilder::new().table_elements(0).build();
    let error = limited(too_large, GROWS).1.unwrap_err();
    assert_eq!(error.to_string(), "table minimum size of 1 elements exceeds table limits");
    for limits in [
        StoreLimitsBuilder::new().instances(0).build(),
        StoreLimitsBuilder::new().memories(0).build(),
        StoreLimitsBuilder::new().tables(0).build(),
    ] {
        let error = limited(limits, GROWS).1.unwrap_err();
        assert!(error.to_string().starts_with("resource limit exceeded: "), "{error}");
    }
    let (mut store, _) = limited(StoreLimitsBuilder::new().memories(2).build(), "(module)");
    Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    assert!(Memory::new(&mut store, MemoryType::new(1, None)).is_err());
}

#[test]
fn a_limiter_of_ones_own_sees_all_growth() {
    #[derive(Default)]
    struct Log(Vec<(usize, usize, Option<usize>)>);

    impl ResourceLimiter for Log {
        fn memory_growing(&mut self, now: usize, then: usize, most: Option<usize>) -> Result<bool> {
            self.0.push((now, then, most));
            if then > 4 << 16 { Err(Error::msg("enough")) } else { Ok(then <= 3 << 16) }
        }

        fn table_growing(&mut self, now: usize, then: usize, most: Option<usize>) -> Result<bool> {
            self.0.push((now, then, most));
            Ok(true)
        }
    }

    let engine = Engine::default();
    let mut store = Store::new(&engine, (1, Log::default()));
    store.limiter(|data| &mut data.1);
    let module = Module::new(&engine, GROWS).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 3).unwrap(), -1);
    let error = call::<_, i32, i32>(&mut store, instance, "memory", 4).unwrap_err();
    assert_eq!(format!("{error:#}"), "enough");
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "table", 2).unwrap(), 1);
    let page = 65_536;
    assert_eq!(
        store.data().1.0,
        [
            (0, 1, Some(100)),
            (0, page, Some(100 * page)),
            (page, 4 * page, Some(100 * page)),
            (page, 5 * page, Some(100 * page)),
            (1, 3, Some(100)),
        ]
    );
}

#[test]
fn huge_sizes_are_errors() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for ty in [
        MemoryType::new(65_537, None),
        MemoryType::new64(1 << 48, None),
        MemoryType::new64(u64::MAX, None),
        MemoryType::new64(1 << 47, None),
        MemoryType::new(2, Some(1)),
    ] {
        assert!(Memory::new(&mut store, ty.clone()).is_err(), "{ty}");
    }
    for ty in [
        TableType::new64(RefType::FUNCREF, u64::MAX, None),
        TableType::new64(RefType::FUNCREF, 1 << 61, None),
        TableType::new(RefType::FUNCREF, 2, Some(1)),
    ] {
        assert!(Table::new(&mut store, ty.clone(), Ref::Func(None)).is_err(), "{ty}");
    }
    let (mut store, instance) = instance(
        r#"(module
            (memory (export "m") i64 1)
            (table (export "t") i64 1 funcref)
            (func (export "memory") (param i64) (result i64) (memory.grow (local.get 0)))
            (func (export "table") (param i64) (result i64)
                (table.grow (ref.null func) (local.get 0))))"#,
    );
    for delta in [1 << 46, 1 << 48, i64::MAX, -1] {
        assert_eq!(call::<_, i64, i64>(&mut store, instance, "memory", delta).unwrap(), -1);
        assert_eq!(call::<_, i64, i64>(&mut store, instance, "table", delta).unwrap(), -1);
    }
}

#[test]
fn tables_and_memories_obey_the_limits_of_the_configuration() {
    let mut limits = Limits::default();
    (limits.max_table_elements, limits.max_memory_bytes) = (10, 2 << 16);
    let engine = Engine::new(Config::new().limits(limits)).unwrap();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, GROWS).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 2).unwrap(), -1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "memory", 1).unwrap(), 1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "table", 10).unwrap(), -1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "table", 9).unwrap(), 1);
    for (wat, message) in [
        ("(module (memory 3))", "no room for a memory of 3 pages"),
        ("(module (table 11 funcref))", "no room for a table of 11 elements"),
    ] {
        let module = Module::new(&engine, wat).unwrap();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // By default, too, a guest cannot make tables of any size.
    let (mut store, instance) = instance_of_table();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "grow", 20_000_000).unwrap(), -1);
}

fn instance_of_table() -> (Store<()>, Instance) {
    instance(
        r#"(module
            (table 0 funcref)
            (func (export "grow") (param i32) (result i32)
                (table.grow (ref.null func) (local.get 0))))"#,
    )
}

#[test]
fn recursion_overflows_a_stack_of_the_configured_size() {
    let depth = |bytes| {
        let engine = Engine::new(Config::new().max_wasm_stack(bytes)).unwrap();
        let module = Module::new(
            &engine,
            r#"(module
                (global $n (export "n") (mut i32) (i32.const 0))
                (func $f (export "f") (param i64 i64) (result i64)
                    (global.set $n (i32.add (global.get $n) (i32.const 1)))
                    (i64.add (local.get 0) (call $f (local.get 1) (local.get 0)))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let error = call::<_, (i64, i64), i64>(&mut store, instance, "f", (1, 2)).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        instance.get_global(&store, "n").unwrap().get(&mut store).unwrap_i32()
    };
    let (small, large) = (depth(64 << 10), depth(1 << 20));
    assert!(small > 500 && large > 10 * small && large < 1 << 20, "{small} {large}");
    assert!(Engine::new(Config::new().max_wasm_stack(0)).is_err());
}

const LOOPS: &str = r#"(module
    (func (export "forever") (loop $l (br $l)))
    (func (export "count") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
        (local.get 1)))"#;

fn loops(config: &Config) -> (Store<()>, Instance) {
    let engine = Engine::new(config).unwrap();
    let module = Module::new(&engine, LOOPS).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

#[test]
fn fuel_is_consumed_and_runs_out() {
    let (mut store, instance) = loops(Config::new().consume_fuel(true));
    let error = call::<_, (), ()>(&mut store, instance, "forever", ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    store.set_fuel(1_000_000).unwrap();
    let mut used = |n| {
        let before = store.get_fuel().unwrap();
        assert_eq!(call::<_, i32, i32>(&mut store, instance, "count", n).unwrap(), n);
        before - store.get_fuel().unwrap()
    };
    let (ten, thousand) = (used(10), used(1000));
    assert_eq!(used(10), ten);
    assert!((900..20_000).contains(&(thousand - ten)), "{ten} {thousand}");
    let error = call::<_, (), ()>(&mut store, instance, "forever", ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    assert!(store.get_fuel().unwrap() < 100);
}

#[test]
fn fuel_needs_an_engine_that_consumes_it() {
    let (mut store, _) = instance("(module)");
    let error = store.set_fuel(1).unwrap_err();
    assert!(error.to_string().contains("Config::consume_fuel"), "{error}");
    assert!(store.get_fuel().is_err());
}

#[test]
fn another_thread_can_interrupt() {
    let (mut store, instance) = loops(Config::new().epoch_interruption(true));
    for _ in 0..3 {
        let handle = store.interrupt_handle();
        let timer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        });
        let error = call::<_, (), ()>(&mut store, instance, "forever", ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupt));
        timer.join().unwrap();
        assert_eq!(call::<_, i32, i32>(&mut store, instance, "count", 100).unwrap(), 100);
    }
}

#[test]
fn epochs_end_what_passes_its_deadline() {
    let (mut store, instance) = loops(Config::new().epoch_interruption(true));
    let engine = store.engine().clone();
    store.set_epoch_deadline(2);
    engine.increment_epoch();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "count", 10_000).unwrap(), 10_000);
    let ticker = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        engine.increment_epoch();
    });
    let error = call::<_, (), ()>(&mut store, instance, "forever", ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    ticker.join().unwrap();
    store.set_epoch_deadline(1);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "count", 10_000).unwrap(), 10_000);
}

#[test]
#[should_panic(expected = "Config::epoch_interruption")]
fn interruption_has_to_be_configured() {
    let (store, _) = instance("(module)");
    let _ = store.interrupt_handle();
}

#[test]
fn modules_that_exceed_limits_are_refused() {
    let mut limits = Limits::default();
    limits.max_functions = 2;
    let engine = Engine::new(Config::new().limits(limits)).unwrap();
    assert!(Module::new(&engine, "(module (func) (func))").is_ok());
    let error = Module::new(&engine, "(module (func) (func) (func))").unwrap_err();
    assert!(error.offset().is_some(), "{error}");
    let engine = Engine::new(Config::new().limits(Limits::strict())).unwrap();
    let nested = format!("(module (func {} {}))", "(block ".repeat(300), ")".repeat(300));
    assert!(Module::new(&engine, &nested).is_err());
    assert!(Module::new(&Engine::default(), &nested).is_ok());
}

#[test]
fn pre_instantiated_modules_obey_the_store() {
    let engine = Engine::default();
    let module = Module::new(&engine, GROWS).unwrap();
    let pre = Linker::new(&engine).instantiate_pre(&module).unwrap();
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().instances(2).build());
    store.limiter(|limits| limits);
    assert!(pre.instantiate(&mut store).is_ok());
    assert!(pre.instantiate(&mut store).is_ok());
    assert!(pre.instantiate(&mut store).is_err());
}
