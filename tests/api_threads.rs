//! Shared memories: several stores, each on a thread of its own, over the same bytes.

use kinglet::{
    Budget, Config, Engine, Extern, Instance, Limits, Linker, Memory, MemoryType,
    MemoryTypeBuilder, Module, SharedMemory, Step, Store, Trap, TypedFunc, Val, WaitResult,
};
use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

const THREADS: u32 = 4;

/// A memory, and an instance of a module that imports it as `m.memory`.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(module: &Module, memory: &SharedMemory) -> Guest {
        let mut store = Store::new(module.engine(), ());
        let imports: Vec<Extern> = module.imports().map(|_| memory.clone().into()).collect();
        let instance = Instance::new(&mut store, module, &imports).unwrap();
        Guest { store, instance }
    }

    fn func(&mut self, name: &str) -> TypedFunc<i32, i32> {
        self.instance.get_typed_func(&mut self.store, name).unwrap()
    }

    fn call(&mut self, name: &str, argument: i32) -> kinglet::Result<i32> {
        let func = self.func(name);
        func.call(&mut self.store, argument)
    }
}

fn module(engine: &Engine, fields: &str) -> Module {
    Module::new(engine, format!("(module {fields})")).unwrap()
}

fn word(memory: &SharedMemory, at: usize) -> u32 {
    let mut bytes = [0; 4];
    memory.read(at, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn counters_lose_nothing() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(import "m" "memory" (memory 1 1 shared))
        (func (export "count") (param i32) (result i32)
            (loop
                (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
                (drop (i64.atomic.rmw.sub (i32.const 8) (i64.const 1)))
                (drop (i32.atomic.rmw8.xor_u (i32.const 16) (i32.const 1)))
                (drop (i64.atomic.rmw16.add_u (i32.const 18) (i64.const 3)))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i32.const 0))"#,
    );
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let times = 2_500;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| Guest::new(&module, &memory).call("count", times).unwrap());
        }
    });
    let total = THREADS * times as u32;
    assert_eq!(word(&memory, 0), total);
    assert_eq!(word(&memory, 8), 0u32.wrapping_sub(total));
    assert_eq!(word(&memory, 12), u32::MAX);
    assert_eq!(word(&memory, 16), (total % 2) | ((3 * total % 65_536) << 16));
}

/// A mutex as C libraries have it: 0 free, 1 locked, 2 locked and waited for. It guards a counter that is not atomic.
const MUTEX: &str = r#"(import "m" "memory" (memory 1 1 shared))
    (func $lock (local $state i32)
        (if (i32.eqz (local.tee $state
                (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1))))
            (then (return)))
        (block $taken
            (loop $again
                (br_if $taken
                    (i32.eqz (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2))))
                (drop (memory.atomic.wait32 (i32.const 0) (i32.const 2) (i64.const -1)))
                (br $again))))
    (func $unlock
        (if (i32.ne (i32.atomic.rmw.sub (i32.const 0) (i32.const 1)) (i32.const 1))
            (then
                (i32.atomic.store (i32.const 0) (i32.const 0))
                (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))))
    (func (export "count") (param i32) (result i32)
        (loop
            (call $lock)
            (i64.store offset=64 (i32.const 1) (i64.add (i64.load offset=64 (i32.const 1)) (i64.const 1)))
            (call $unlock)
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.const 0))"#;

#[test]
fn a_mutex_excludes() {
    for config in [Config::new(), Config::new().epoch_interruption(true).clone()] {
        let engine = Engine::new(&config).unwrap();
        let module = module(&engine, MUTEX);
        let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| Guest::new(&module, &memory).call("count", 2_000).unwrap());
            }
        });
        assert_eq!((word(&memory, 65), word(&memory, 0)), (THREADS * 2_000, 0));
    }
}

#[test]
fn a_memory_grows_while_others_use_it() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(import "m" "memory" (memory 1 40 shared))
        ;; Writes the last bytes of the memory again and again, until it has so many pages.
        (func (export "chase") (param i32) (result i32) (local $size i32) (local $last i32)
            (loop
                (local.set $last (i32.sub (i32.mul (local.tee $size (memory.size)) (i32.const 65536)) (i32.const 8)))
                (i64.store (local.get $last) (i64.const -1))
                (if (i64.ne (i64.load (local.get $last)) (i64.const -1)) (then unreachable))
                (br_if 0 (i32.lt_u (local.get $size) (local.get 0))))
            (local.get $size))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))"#,
    );
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 40)).unwrap();
    let first = memory.data().as_ptr();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(Guest::new(&module, &memory).call("chase", 40).unwrap(), 40));
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut guest = Guest::new(&module, &memory);
                for _ in 0..13 {
                    assert!(guest.call("grow", 1).unwrap() > 0);
                }
            });
        }
        for _ in 0..13 {
            assert!(memory.grow(1).unwrap() > 0);
        }
    });
    assert_eq!((memory.size(), memory.data().as_ptr()), (40, first));
    assert!(memory.grow(1).is_err());
    assert_eq!(Guest::new(&module, &memory).call("grow", 1).unwrap(), -1);
}

#[test]
fn waits_end() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(import "m" "memory" (memory 1 1 shared))
        (func (export "wait32") (param i32) (result i32)
            (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 20_000_000)))
        (func (export "wait64") (param i32) (result i32)
            (memory.atomic.wait64 (local.get 0) (i64.const 7) (i64.const -1)))
        (func (export "notify") (param i32) (result i32)
            (memory.atomic.notify (local.get 0) (i32.const -1)))"#,
    );
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut guest = Guest::new(&module, &memory);
    let start = Instant::now();
    assert_eq!(guest.call("wait32", 0).unwrap(), 2);
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(guest.call("wait64", 8).unwrap(), 1);
    let nap = Some(Duration::from_millis(5));
    assert_eq!(memory.atomic_wait32(4, 0, nap), Ok(WaitResult::TimedOut));
    assert_eq!(memory.atomic_wait64(8, 1, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait32(4, 0, Some(Duration::ZERO)), Ok(WaitResult::TimedOut));
    for (address, trap) in [(2, Trap::HeapMisaligned), (65_536, Trap::MemoryOutOfBounds)] {
        assert_eq!(memory.atomic_wait32(address, 0, None), Err(trap));
        assert_eq!(memory.atomic_notify(address, 1), Err(trap));
        for name in ["wait32", "notify"] {
            assert_eq!(guest.call(name, address as i32).unwrap_err().trap(), Some(trap), "{name}");
        }
    }
    assert_eq!(memory.atomic_wait64(4, 0, None), Err(Trap::HeapMisaligned));

    // Those that wait the longest are woken first, at this address only.
    memory.write(16, &7u64.to_le_bytes()).unwrap();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| Guest::new(&module, &memory).call("wait64", 16).unwrap()))
            .collect();
        assert_eq!(memory.atomic_notify(24, 9), Ok(0));
        let mut woken = 0;
        while woken < 2 {
            woken += memory.atomic_notify(16, 2 - woken).unwrap();
            thread::yield_now();
        }
        while woken < 3 {
            woken += guest.call("notify", 16).unwrap() as u32;
            thread::yield_now();
        }
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 0);
        }
    });
    assert_eq!(memory.atomic_notify(16, 9), Ok(0));
}

const SLEEPER: &str = r#"(import "m" "memory" (memory 1 1 shared))
    (func (export "sleep") (param i32) (result i32)
        (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))"#;

#[test]
fn waiting_guests_are_interrupted() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let module = module(&engine, SLEEPER);
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();

    let mut guest = Guest::new(&module, &memory);
    let handle = guest.store.interrupt_handle();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        handle.interrupt();
    });
    assert_eq!(guest.call("sleep", 0).unwrap_err().trap(), Some(Trap::Interrupt));
    other.join().unwrap();

    guest.store.set_epoch_deadline(1);
    let ticker = engine.clone();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        ticker.increment_epoch();
    });
    assert_eq!(guest.call("sleep", 0).unwrap_err().trap(), Some(Trap::Interrupt));
    other.join().unwrap();
    // Nobody waits any more.
    assert_eq!(memory.atomic_notify(0, 9), Ok(0));
}

/// An execution that was interrupted while it waited goes on waiting when it runs again. Waiting costs no fuel.
#[test]
fn interrupted_executions_wait_again() {
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let module = module(&engine, SLEEPER);
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut guest = Guest::new(&module, &memory);
    guest.store.set_fuel(1_000).unwrap();
    let handle = guest.store.interrupt_handle();
    let func = guest.instance.get_func(&mut guest.store, "sleep").unwrap();
    let mut execution = func.start(&mut guest.store, &[Val::I32(0)]).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        });
        let step = execution.run(&mut guest.store, Budget::unlimited()).unwrap();
        assert!(matches!(step, Step::Interrupted));
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            while memory.atomic_notify(0, 1) == Ok(0) {
                thread::yield_now();
            }
        });
        let step = execution.run(&mut guest.store, Budget::unlimited()).unwrap();
        assert!(matches!(step, Step::Done(results) if results[0].i32() == Some(0)));
    });
    // The operators of the function, once.
    assert_eq!(guest.store.get_fuel().unwrap(), 1_000 - 5);
}

/// What an execution that was interrupted while it waited refers to is not collected.
#[test]
fn waiting_executions_keep_their_objects() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let module = module(
        &engine,
        r#"(import "m" "memory" (memory 1 1 shared))
        (type $box (struct (field i32)))
        (func (export "hold") (param i32) (result i32)
            (struct.new $box (local.get 0))
            (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
            (struct.get $box 0))
        (func (export "churn") (param i32) (result i32)
            (struct.get $box 0 (struct.new $box (local.get 0))))"#,
    );
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut guest = Guest::new(&module, &memory);
    let handle = guest.store.interrupt_handle();
    let func = guest.instance.get_func(&mut guest.store, "hold").unwrap();
    let mut execution = func.start(&mut guest.store, &[Val::I32(77)]).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        });
        let step = execution.run(&mut guest.store, Budget::unlimited()).unwrap();
        assert!(matches!(step, Step::Interrupted));
    });
    guest.store.gc(None).unwrap();
    assert_eq!(guest.call("churn", 1).unwrap(), 1);
    memory.write(0, &[1]).unwrap();
    let step = execution.run(&mut guest.store, Budget::unlimited()).unwrap();
    assert!(matches!(step, Step::Done(results) if results[0].i32() == Some(77)));
}

/// The same in memories of all kinds: atomics want aligned addresses, other accesses do not.
#[test]
fn accesses_of_all_kinds_of_memories() {
    let engine = Engine::default();
    for (shared, index, before) in [
        ("1 1 shared", "", ""),
        ("1 1 shared", "", "(memory 1)"),
        ("i64 1 1 shared", "i64", ""),
        ("i64 1 1 shared", "i64", "(memory 1)"),
        ("1 1", "", ""),
        ("1", "", "(memory 1)"),
        ("i64 1", "i64", ""),
    ] {
        let memory = if before.is_empty() { "" } else { "1" };
        let address = |address: &str| match index {
            "" => format!("(local.get {address})"),
            _ => format!("(i64.extend_i32_u (local.get {address}))"),
        };
        let (a, zero) = (address("0"), if index.is_empty() { "i32" } else { "i64" });
        let accesses = format!(
            r#"(memory {shared_})
            (func (export "narrow") (param i32) (result i32)
                (i32.store8 {m} {a} (i32.const 0x181))
                (i32.store16 {m} offset=1 {a} (i32.const 0x18283))
                (i64.store32 {m} offset=3 {a} (i64.const 0x187868584))
                (f32.store {m} offset=7 {a} (f32.const 1.5))
                (f64.store {m} offset=11 {a} (f64.const -2.5))
                (i64.store {m} offset=19 {a} (i64.const 0x8f8e8d8c8b8a8988))
                (i32.store {m} offset=27 {a} (i32.const 0x94939291))
                (i32.add
                    (i32.add (i32.load8_s {m} {a}) (i32.load8_u {m} {a}))
                    (i32.add (i32.load16_s {m} offset=1 {a}) (i32.load16_u {m} offset=1 {a}))))
            (func (export "wide") (param i32) (result i32)
                (if (i64.ne (i64.load32_s {m} offset=3 {a}) (i64.const 0xffffffff87868584)) (then unreachable))
                (if (i64.ne (i64.load32_u {m} offset=3 {a}) (i64.const 0x87868584)) (then unreachable))
                (if (i64.ne (i64.load16_s {m} offset=3 {a}) (i64.const 0xffffffffffff8584)) (then unreachable))
                (if (i64.ne (i64.load8_u {m} offset=3 {a}) (i64.const 0x84)) (then unreachable))
                (if (f32.ne (f32.load {m} offset=7 {a}) (f32.const 1.5)) (then unreachable))
                (if (f64.ne (f64.load {m} offset=11 {a}) (f64.const -2.5)) (then unreachable))
                (if (i64.ne (i64.load {m} offset=19 {a}) (i64.const 0x8f8e8d8c8b8a8988)) (then unreachable))
                (i32.load {m} offset=27 {a}))
            (func (export "atomic") (param i32) (result i32)
                (i64.atomic.store {m} offset=8 {a} (i64.const 0x1122334455667788))
                (drop (i32.atomic.rmw16.cmpxchg_u {m} offset=10 {a} (i32.const 0x5566) (i32.const 0xabcd)))
                (i32.add (i32.atomic.load8_u {m} offset=11 {a}) (i32.wrap_i64 (i64.atomic.load {m} offset=8 {a}))))
            (func (export "notify") (param i32) (result i32) (memory.atomic.notify {m} {a} (i32.const 1)))
            (func (export "fill") (param i32) (result i32)
                (memory.fill {m} ({z}.const 0) (i32.const 7) ({z}.const 100))
                (memory.fill {m} ({z}.const 3) (i32.const 9) ({z}.const 21))
                (memory.copy {m} {m} {a} ({z}.const 1) ({z}.const 40))
                (memory.init {m} $d {a} (i32.const 1) (i32.const 3))
                (i32.load8_u {m} offset=24 {a}))
            (data $d "abcd")"#,
            shared_ = shared,
            m = memory,
            z = zero,
        );
        let module = module(&engine, &format!("{before} {accesses}"));
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut call = |name: &str, at: i32| {
            let func = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            func.call(&mut store, at)
        };
        for at in [0, 1, 2, 3, 4, 7, 13, 1000, 65_536 - 31] {
            let narrow = 0x81 - 0x7f + 0x8283 + 0x8283 - 0x1_0000;
            assert_eq!(call("narrow", at).unwrap(), narrow, "{shared} {at}");
            assert_eq!(call("wide", at).unwrap(), 0x9493_9291u32 as i32, "{shared} {at}");
        }
        for name in ["narrow", "wide"] {
            let trap = call(name, 65_536 - 30).unwrap_err().trap();
            assert_eq!(trap, Some(Trap::MemoryOutOfBounds), "{shared} {name}");
        }
        assert_eq!(call("atomic", 16).unwrap(), 0xab + 0xabcd_7788u32 as i32, "{shared}");
        assert_eq!(call("atomic", 4).unwrap_err().trap(), Some(Trap::HeapMisaligned));
        assert_eq!(call("atomic", 65_536 - 8).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
        assert_eq!(call("notify", 4).unwrap(), 0);
        assert_eq!(call("notify", 5).unwrap_err().trap(), Some(Trap::HeapMisaligned));
        // Byte 24 after where it was copied to: of the run of sevens behind the run of nines, or of the copy over it.
        for (at, value) in [(0, 7), (1, 7), (5, 7), (40, 7), (2, 7)] {
            assert_eq!(call("fill", at).unwrap(), value, "{shared} {at}");
        }
    }
}

/// Vectors are read and written alike in memories of all kinds.
#[test]
fn vectors_in_all_kinds_of_memories() {
    let engine = Engine::default();
    let loads = [
        "load",
        "load8x8_s",
        "load8x8_u",
        "load16x4_s",
        "load16x4_u",
        "load32x2_s",
        "load32x2_u",
        "load8_splat",
        "load16_splat",
        "load32_splat",
        "load64_splat",
        "load32_zero",
        "load64_zero",
    ];
    let lanes = [("8", 13), ("16", 6), ("32", 1), ("64", 1)];
    let mut results = Vec::new();
    for (memory, before, index) in [
        ("1 1", "", ""),
        ("1 1 shared", "", ""),
        ("1 1 shared", "(memory 1)", ""),
        ("i64 1 1 shared", "", "i64"),
    ] {
        let m = if before.is_empty() { "" } else { "1" };
        let a = if index.is_empty() { "(local.get 0)" } else { "(i64.extend_i32_u (local.get 0))" };
        let mut body = String::new();
        for (i, load) in loads.iter().enumerate() {
            let to = 1024 + 17 * i;
            body += &format!("(v128.store {m} offset={to} {a} (v128.{load} {m} offset=3 {a}))");
        }
        let vector = "(v128.const i64x2 0x0123456789abcdef 0xfedcba9876543210)";
        for (i, (bits, lane)) in lanes.iter().enumerate() {
            let (to, into) = (2048 + 17 * i, 3072 + 17 * i);
            body += &format!(
                "(v128.store {m} offset={to} {a} (v128.load{bits}_lane {m} offset=5 {lane} {a} {vector}))
                (v128.store{bits}_lane {m} offset={into} {lane} {a} {vector})"
            );
        }
        let fields = format!(
            r#"{before} (memory {memory})
            (func (export "run") (param i32) (result i32) {body} (i32.const 0))
            (func (export "byte") (param i32) (result i32) (i32.load8_u {m} {a}))
            (func (export "beyond") (param i32) (result i32) (v128.store {m} {a} {vector}) (i32.const 0))
            (data (memory {n}) ({z}.const 0) "\81\02\ff\7f\80\00\c3\3c\5a\a5\11\92\fe\01\77\88\99\aa\bb\cc\dd\ee\01\23\45\67")"#,
            n = if before.is_empty() { "0" } else { "1" },
            z = if index.is_empty() { "i32" } else { "i64" },
        );
        let module = module(&engine, &fields);
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut call = |name: &str, at: i32| {
            let func = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            func.call(&mut store, at)
        };
        for at in [0, 1, 5, 8] {
            call("run", at).unwrap();
        }
        results.push((0..4096).map(|at| call("byte", at).unwrap()).collect::<Vec<_>>());
        call("beyond", 65_536 - 16).unwrap();
        let trap = call("beyond", 65_536 - 15).unwrap_err().trap();
        assert_eq!(trap, Some(Trap::MemoryOutOfBounds), "{memory}");
    }
    assert!(results[0].iter().filter(|&&byte| byte != 0).count() > 200);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn copies_between_memories() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(import "m" "memory" (memory 1 1 shared))
        (memory $own (export "own") 1)
        (func (export "out") (param i32) (result i32)
            (memory.copy $own 0 (i32.const 5) (local.get 0) (i32.const 5000)) (i32.const 0))
        (func (export "in") (param i32) (result i32)
            (memory.copy 0 $own (local.get 0) (i32.const 5) (i32.const 5000)) (i32.const 0))
        (func (export "within") (param i32) (result i32)
            (memory.copy 0 0 (local.get 0) (i32.const 7000) (i32.const 5000)) (i32.const 0))"#,
    );
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut guest = Guest::new(&module, &memory);
    let own = guest.instance.get_memory(&mut guest.store, "own").unwrap();
    let bytes: Vec<u8> = (0..5000u32).map(|i| (i * i / 7) as u8).collect();
    let mut found = vec![0; bytes.len()];
    for at in [0, 1, 4, 7, 4096] {
        memory.write(at, &bytes).unwrap();
        guest.call("out", at as i32).unwrap();
        assert_eq!(own.data(&guest.store)[5..5005], bytes);
        guest.call("in", at as i32 + 3).unwrap();
        memory.read(at + 3, &mut found).unwrap();
        assert_eq!(found, bytes);
    }
    for to in [2000, 6999, 7000, 7001, 7008, 9001, 20_000] {
        memory.write(7000, &bytes).unwrap();
        guest.call("within", to).unwrap();
        memory.read(to as usize, &mut found).unwrap();
        assert_eq!(found, bytes, "{to}");
    }
    assert_eq!(guest.call("within", 65_536).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn waits_need_a_shared_memory() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(memory 1)
        (func (export "wait") (param i32) (result i32)
            (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0)))"#,
    );
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let wait = instance.get_typed_func::<i32, i32>(&mut store, "wait").unwrap();
    let trap = wait.call(&mut store, 0).unwrap_err().trap().unwrap();
    assert_eq!(trap, Trap::AtomicWaitNonSharedMemory);
    assert_eq!(trap.message(), "expected shared memory");
}

#[test]
fn shared_and_other_memories_are_not_exchanged() {
    let engine = Engine::default();
    let wants_shared = module(&engine, r#"(import "m" "memory" (memory 1 1 shared))"#);
    let wants_own = module(&engine, r#"(import "m" "memory" (memory 1 1))"#);
    let shared = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let mut store = Store::new(&engine, ());
    let own = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
    Instance::new(&mut store, &wants_shared, &[shared.clone().into()]).unwrap();
    Instance::new(&mut store, &wants_own, &[own.into()]).unwrap();
    for (module, item) in [(&wants_shared, own.into()), (&wants_own, shared.clone().into())] {
        let error = Instance::new(&mut store, module, &[item]).unwrap_err().to_string();
        assert!(error.contains("memory types incompatible"), "{error}");
        assert!(error.contains("(memory 1 1 shared)"), "{error}");
    }
    let error = Memory::new(&mut store, MemoryType::shared(1, 1)).unwrap_err().to_string();
    assert!(error.contains("SharedMemory"), "{error}");
    let error = SharedMemory::new(&engine, MemoryType::new(1, Some(1))).unwrap_err();
    assert!(error.to_string().contains("shared"), "{error}");
}

#[test]
fn exported_shared_memories_outlive_their_store() {
    let engine = Engine::default();
    let owner =
        module(&engine, r#"(memory (export "memory") 1 2 shared) (data (i32.const 3) "abc")"#);
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let instance = linker.instantiate(&mut store, &owner).unwrap();
    let memory = instance.get_shared_memory(&mut store, "memory").unwrap();
    assert!(instance.get_memory(&mut store, "memory").is_none());
    linker.instance(&store, "m", instance).unwrap();
    drop(store);
    // A linker with nothing else of a store works with others.
    let user = module(
        &engine,
        r#"(import "m" "memory" (memory 1 2 shared))
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))"#,
    );
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &user).unwrap();
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load").unwrap();
    assert_eq!(load.call(&mut store, 2).unwrap().to_le_bytes(), *b"\0abc");
    memory.data()[5].store(b'!', Ordering::Relaxed);
    assert_eq!(load.call(&mut store, 2).unwrap().to_le_bytes(), *b"\0ab!");
    assert!(memory.write(65_535, b"ab").is_err());
    assert!(memory.read(usize::MAX, &mut [0; 2]).is_err());
}

#[test]
fn room_is_taken_when_it_is_used() {
    let engine = Engine::default();
    // A hundred memories of 4 GiB.
    let ty = MemoryType::shared(1, 65_536);
    let memories: Vec<_> =
        (0..100).map(|_| SharedMemory::new(&engine, ty.clone()).unwrap()).collect();
    let memory = &memories[50];
    assert_eq!(memory.grow(65_535).unwrap(), 1);
    assert_eq!(memory.data_size() as u64, 1 << 32);
    memory.write((1 << 32) - 3, b"end").unwrap();
    let mut end = [0; 4];
    memory.read((1 << 32) - 4, &mut end).unwrap();
    assert_eq!(&end, b"\0end");
}

#[test]
fn limits_hold_for_shared_memories() {
    let mut limits = Limits::default();
    limits.max_memory_bytes = 3 << 16;
    let engine = Engine::new(Config::new().limits(limits)).unwrap();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 10)).unwrap();
    assert_eq!(memory.grow(2).unwrap(), 1);
    assert!(memory.grow(1).is_err());
    assert!(SharedMemory::new(&engine, MemoryType::shared(4, 10)).is_err());
    // More than any address space has.
    let huge = MemoryTypeBuilder::new().memory64(true).shared(true).max(Some(1 << 47)).build();
    let huge = huge.unwrap();
    assert!(SharedMemory::new(&Engine::default(), huge.clone()).is_err());
    assert_eq!(SharedMemory::new(&engine, huge).unwrap().grow(4).ok(), None);
}

#[test]
fn memory_types_are_checked() {
    let build = |edit: &dyn Fn(&mut MemoryTypeBuilder)| {
        let mut builder = MemoryTypeBuilder::new();
        edit(&mut builder);
        builder.build()
    };
    assert!(build(&|b| _ = b.shared(true)).is_err());
    assert!(build(&|b| _ = b.page_size_log2(3)).is_err());
    assert!(build(&|b| _ = b.min(2).max(Some(1))).is_err());
    assert!(build(&|b| _ = b.min(65_537)).is_err());
    let bytes = build(&|b| _ = b.page_size_log2(0).min(65_537).max(Some(70_001))).unwrap();
    assert_eq!(bytes.to_string(), "(memory 65537 70001 (pagesize 0x1))");
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, bytes).unwrap();
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 65_537);
    assert_eq!((memory.size(&store), memory.data_size(&store)), (65_538, 65_538));
    assert!(memory.grow(&mut store, 5_000).is_err());
}
