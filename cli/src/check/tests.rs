use kinglet::{Caller, Config, Engine, Error, Extern, Instance, Linker, Module, Store, Val};

use super::{Recorder, Recording, Replay};

const MODULE: &str = r#"(module
    (import "host" "read" (func $read (param i32) (result i32)))
    (import "host" "write" (func $write (param i32)))
    (memory (export "memory") 2)
    (global $g (mut i32) (i32.const 0))
    (func (export "run") (result i32)
        (global.set $g (i32.const 3))
        (i32.store (i32.const 0x1000) (i32.const 4))
        (call $write (call $read (i32.const 0x10000)))
        (i32.load (i32.const 0x10000))))"#;

fn engine() -> Engine {
    Engine::new(Config::new().consume_fuel(true)).expect("the configuration is sound")
}

fn store(engine: &Engine) -> Store<()> {
    let mut store = Store::new(engine, ());
    store.set_fuel(1000).expect("fuel is counted");
    store
}

fn module_of(engine: &Engine, text: &str) -> Module {
    let binary = wat::parse_str(text).expect("it is a module");
    Module::new(engine, binary).expect("it is valid")
}

fn run(store: &mut Store<()>, module: &Module, imports: &[Extern]) -> Result<Vec<Val>, Error> {
    let instance = Instance::new(&mut *store, module, imports)?;
    let mut results = [Val::I32(0)];
    instance.get_func(&*store, "run").expect("it is exported").call(store, &[], &mut results)?;
    Ok(results.to_vec())
}

/// What `module` does with this host.
fn record(linker: &Linker<()>, module: &Module) -> Result<Recording, Error> {
    let mut store = store(linker.engine());
    let recorder = Recorder::new(&store)?;
    let imports = recorder.imports(&mut store, linker, module)?;
    let outcome = run(&mut store, module, &imports);
    recorder.finish(&mut store, outcome.as_deref())
}

/// Runs one module with the host, and then the other one without it.
fn compare(first: &str, second: &str, full: bool) -> Result<(), Error> {
    let engine = engine();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "read", |mut caller: Caller<'_, ()>, at: i32| {
        let memory = caller.get_export("memory").and_then(Extern::into_memory);
        memory.expect("it is exported").write(&mut caller, at as usize, &[7])?;
        Ok::<i32, Error>(1)
    })?;
    linker.func_wrap("host", "write", move |_: i32| {
        if full { Err(Error::msg("the disk is full")) } else { Ok(()) }
    })?;
    let recording = record(&linker, &module_of(&engine, first))?;

    let module = module_of(&engine, second);
    let mut store = store(&engine);
    let replay = Replay::new(recording, &store, &module)?;
    let imports = replay.imports(&mut store, &module);
    let outcome = run(&mut store, &module, &imports);
    replay.finish(&mut store, outcome.as_deref())
}

#[test]
fn equal_runs_are_equal() {
    compare(MODULE, MODULE, false).expect("they are");
    compare(MODULE, MODULE, true).expect("failing, they are as well");
}

#[test]
fn the_first_difference_is_named() {
    for (from, to, differences) in [
        (
            "0x10000)))",
            "0x10004)))",
            "at call 1 of the host, `host::read`:
  arguments: (65536) in the interpreter, (65540) in compiled code",
        ),
        (
            "(call $write (call $read (i32.const 0x10000)))",
            "(call $write (i32.const 0x10000)) (drop (call $read (i32.const 0)))",
            "at call 1 of the host, `host::write`:
  function: `host::read` in the interpreter, `host::write` in compiled code
  fuel used: 11 in the interpreter, 13 in compiled code",
        ),
        (
            "(i32.const 3)",
            "(i32.const 5)",
            "at call 1 of the host, `host::read`:
  global 0: 3 in the interpreter, 5 in compiled code",
        ),
        (
            "(i32.const 4)",
            "(i32.const 5)",
            "at call 1 of the host, `host::read`:
  memory 0 differs in the bytes 0x1000..0x1100, and in 0 more blocks",
        ),
        (
            "(i32.load (i32.const 0x10000))",
            "(i32.load (i32.const 0x10004))",
            "in the end:
  outcome: Ok([\"7\"]) in the interpreter, Ok([\"0\"]) in compiled code",
        ),
    ] {
        assert!(MODULE.contains(from), "{from}");
        let error = compare(MODULE, &MODULE.replacen(from, to, 1), false).expect_err(differences);
        assert_eq!(error.to_string(), format!("the tiers differ {differences}"));
    }
}

#[test]
fn a_host_that_calls_back_is_refused() {
    let engine = engine();
    let module = r#"(module
        (import "host" "back" (func $back))
        (func (export "back") nop)
        (func (export "run") (result i32) (call $back) (i32.const 0)))"#;
    let module = module_of(&engine, module);
    let mut linker: Linker<()> = Linker::new(&engine);
    let back = |mut caller: Caller<'_, ()>| {
        let back = caller.get_export("back").and_then(Extern::into_func);
        back.expect("it is exported").call(&mut caller, &[], &mut [])
    };
    linker.func_wrap("host", "back", back).expect("the name is free");
    let error = record(&linker, &module).err().expect("it calls back");
    assert!(error.to_string().ends_with("the host calls the guest back"), "{error}");
}
