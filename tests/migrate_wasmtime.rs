//! Snippets for wasmtime, with the crates' names changed and nothing else. The names stand here.

use kinglet as wasmtime;
use kinglet_wasi as wasmtime_wasi;

use wasmtime::{
    Caller, Config, Engine, Error, Extern, Linker, Module, Result, Store, StoreLimitsBuilder, Trap,
};

#[test]
fn hello_world() -> Result<()> {
    let wasm = r#"(module
        (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))"#;
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    assert_eq!(add.call(&mut store, (1, 2))?, 3);
    Ok(())
}

const LOGS: &str = r#"(module
    (import "env" "log" (func $log (param i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 4) "hello")
    (func (export "run") (call $log (i32.const 4) (i32.const 5)))
    (func (export "bad") (call $log (i32.const 65536) (i32.const 5))))"#;

#[test]
fn host_function_that_reads_guest_memory() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 42u32);
    let mut linker = Linker::<u32>::new(&engine);
    linker.func_wrap(
        "env",
        "log",
        |mut caller: Caller<'_, u32>, ptr: u32, len: u32| -> Result<(), Error> {
            let mem = caller
                .get_export("memory")
                .and_then(Extern::into_memory)
                .ok_or_else(|| wasmtime::format_err!("no memory"))?;
            let bytes = mem
                .data(&caller)
                .get(ptr as usize..(ptr + len) as usize)
                .ok_or(Trap::MemoryOutOfBounds)?;
            assert_eq!(format!("{} {}", caller.data(), String::from_utf8_lossy(bytes)), "42 hello");
            *caller.data_mut() += 1;
            Ok(())
        },
    )?;
    let module = Module::new(&engine, LOGS)?;
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    run.call(&mut store, ())?;
    assert_eq!(*store.data(), 43);
    let bad = instance.get_typed_func::<(), ()>(&mut store, "bad")?;
    let error = bad.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
    Ok(())
}

#[test]
fn wasi_with_a_preopened_directory() -> Result<()> {
    use wasmtime_wasi::{
        FsPerms, I32Exit, WasiCtxBuilder,
        p1::{self, WasiP1Ctx},
    };

    let engine = Engine::default();
    let module = Module::new(&engine, EXITS)?;
    let data = std::env::temp_dir();
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |cx| cx)?;
    let ctx = WasiCtxBuilder::new()
        .inherit_stdio()
        .arg("prog")
        .preopened_dir(data, "/data", FsPerms::ReadWrite)?
        .build_p1();
    let mut store = Store::new(&engine, ctx);
    let start =
        linker.instantiate(&mut store, &module)?.get_typed_func::<(), ()>(&mut store, "_start")?;
    let mut exit = None;
    if let Err(e) = start.call(&mut store, ()) {
        if let Some(x) = e.downcast_ref::<I32Exit>() {
            exit = Some(x.0);
        }
    }
    assert_eq!(exit, Some(7));
    Ok(())
}

/// Exits with 7 if descriptor 3 is a preopened directory.
const EXITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get"
        (func $fd_prestat_get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (if (i32.eqz (call $fd_prestat_get (i32.const 3) (i32.const 0)))
            (then (call $proc_exit (i32.const 7))))
        (call $proc_exit (i32.const 1))))"#;

#[test]
fn limits() -> Result<()> {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true).max_wasm_stack(1 << 20);
    let engine = Engine::new(&config)?;
    let limits = StoreLimitsBuilder::new()
        .memory_size(16 << 20)
        .instances(1)
        .trap_on_grow_failure(true)
        .build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|l| l);
    store.set_fuel(1_000_000)?;
    store.set_epoch_deadline(1);
    let module = Module::new(&engine, r#"(module (func (export "run") (loop $l (br $l))))"#)?;
    let run = Linker::new(&engine)
        .instantiate(&mut store, &module)?
        .get_typed_func::<(), ()>(&mut store, "run")?;
    let mut dead = false;
    match run.call(&mut store, ()) {
        Err(e) if e.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel) => dead = true,
        r => r?,
    }
    assert!(dead);

    store.set_fuel(u64::MAX)?;
    let ticker = std::thread::spawn(move || engine.increment_epoch());
    let error = run.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
    ticker.join().unwrap();
    Ok(())
}
