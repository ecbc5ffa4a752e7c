//! Snippets for wasmi, with the crates' names changed. The names stand here, and what else differs is marked.

use kinglet as wasmi;
use kinglet_wasi as wasmi_wasi;

use wasmi::{
    Caller, Config, EnforcedLimits, Engine, Error, Extern, Linker, Module, ResumableCall, Store,
    StoreLimitsBuilder, TrapCode,
};

#[test]
fn hello_world() -> Result<(), Error> {
    let wasm = r#"(module
        (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))"#;
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module)?;
    let add = instance.get_typed_func::<(i32, i32), i32>(&store, "add")?;
    assert_eq!(add.call(&mut store, (1, 2))?, 3);
    Ok(())
}

#[test]
fn host_function_that_reads_guest_memory() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 42u32);
    let mut linker = Linker::<u32>::new(&engine);
    linker.func_wrap(
        "env",
        "log",
        |caller: Caller<'_, u32>, ptr: u32, len: u32| -> Result<(), Error> {
            let mem = caller
                .get_export("memory")
                .and_then(Extern::into_memory)
                .ok_or_else(|| Error::new("no memory"))?;
            let bytes = mem
                .data(&caller)
                .get(ptr as usize..(ptr + len) as usize)
                .ok_or(TrapCode::MemoryOutOfBounds)?;
            assert_eq!(format!("{} {}", caller.data(), String::from_utf8_lossy(bytes)), "42 hello");
            Ok(())
        },
    )?;
    let module = Module::new(
        &engine,
        r#"(module
            (import "env" "log" (func $log (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 4) "hello")
            (func (export "run") (call $log (i32.const 4) (i32.const 5)))
            (func (export "bad") (call $log (i32.const 65536) (i32.const 5))))"#,
    )?;
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&store, "run")?.call(&mut store, ())?;
    let bad = instance.get_typed_func::<(), ()>(&store, "bad")?;
    let error = bad.call(&mut store, ()).unwrap_err();
    assert_eq!(error.as_trap_code(), Some(TrapCode::MemoryOutOfBounds));
    Ok(())
}

#[test]
fn wasi_with_a_preopened_directory() -> Result<(), Error> {
    use wasmi_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_prestat_get"
                (func $fd_prestat_get (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (call $proc_exit
                    (i32.add (i32.const 7)
                        (call $fd_prestat_get (i32.const 3) (i32.const 0))))))"#,
    )?;
    let data = std::env::temp_dir();
    let mut ctx = WasiCtxBuilder::new();
    // wasmi's builder: `arg` can fail, directories are opened by the embedder and always writable.
    ctx.inherit_stdio().arg("prog");
    ctx.preopened_dir(data, "/data", FsPerms::ReadWrite)?;
    let mut store = Store::<WasiCtx>::new(&engine, ctx.build());
    let mut linker = Linker::new(&engine);
    wasmi_wasi::add_to_linker(&mut linker, |c: &mut WasiCtx| c)?;
    let start = linker
        .instantiate_and_start(&mut store, &module)?
        .get_typed_func::<(), ()>(&store, "_start")?;
    let mut exit = None;
    if let Err(e) = start.call(&mut store, ()) {
        if let Some(code) = e.i32_exit_status() {
            exit = Some(code);
        }
    }
    assert_eq!(exit, Some(7));
    Ok(())
}

#[test]
fn limits() -> Result<(), Error> {
    let mut c = Config::default();
    // wasmi has `set_max_recursion_depth` as well; here the stack's size is what bounds recursion.
    c.consume_fuel(true).set_max_stack_height(1 << 20).enforced_limits(EnforcedLimits::strict());
    let limits = StoreLimitsBuilder::new()
        .memory_size(16 << 20)
        .instances(1)
        .trap_on_grow_failure(true)
        .build();
    // wasmi's `Engine::new` cannot fail.
    let mut store = Store::new(&Engine::new(&c)?, limits);
    store.limiter(|l| l);
    store.set_fuel(1_000_000)?;
    let module = Module::new(
        store.engine(),
        r#"(module (func (export "run") (local i32)
            (loop $l
                (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get 0) (i32.const 5000000))))))"#,
    )?;
    let linker = Linker::new(store.engine());
    let func = linker.instantiate_and_start(&mut store, &module)?.get_func(&store, "run").unwrap();
    let mut refuelled = 0;
    let mut call = func.call_resumable(&mut store, &[], &mut [])?;
    while let ResumableCall::OutOfFuel(p) = call {
        store.set_fuel(p.required_fuel().max(1_000_000))?;
        refuelled += 1;
        call = p.resume(&mut store, &mut [])?;
    }
    assert!(refuelled > 1);
    Ok(())
}
