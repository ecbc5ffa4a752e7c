//! Host functions: the guest calls closures of the host, which use the store's data and the guest's memory.

use kinglet::{Caller, Engine, Extern, Linker, Module, Result, Store, Trap};

/// What the host functions work on.
#[derive(Default)]
struct Host {
    lines: Vec<String>,
}

fn main() -> Result<()> {
    let engine = Engine::default();
    let mut linker = Linker::<Host>::new(&engine);
    linker.func_wrap("host", "double", |n: i32| n * 2)?;
    linker.func_wrap("host", "log", |mut caller: Caller<'_, Host>, ptr: u32, len: u32| {
        let memory = caller
            .get_export("memory")
            .and_then(Extern::into_memory)
            .ok_or("the guest exports no memory")?;
        let (bytes, host) = memory.data_and_store_mut(&mut caller);
        // Never trust numbers from a guest.
        let bytes = bytes
            .get(ptr as usize..)
            .and_then(|rest| rest.get(..len as usize))
            .ok_or(Trap::MemoryOutOfBounds)?;
        host.lines.push(String::from_utf8_lossy(bytes).into_owned());
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    })?;

    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "log" (func $log (param i32 i32)))
            (import "host" "double" (func $double (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 64) "hello from the guest")
            (func (export "run") (result i32)
                (call $log (i32.const 64) (i32.const 20))
                (call $double (i32.const 21)))
            (func (export "wrong") (call $log (i32.const -1) (i32.const 5))))"#,
    )?;
    let mut store = Store::new(&engine, Host::default());
    let instance = linker.instantiate(&mut store, &module)?;

    let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
    assert_eq!(run.call(&mut store, ())?, 42);
    println!("the guest said: {:?}", store.data().lines);
    assert_eq!(store.data().lines, ["hello from the guest"]);

    // An error of a host function ends the guest and comes out of the call.
    let wrong = instance.get_typed_func::<(), ()>(&mut store, "wrong")?;
    let error = wrong.call(&mut store, ()).unwrap_err();
    println!("{error}");
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    Ok(())
}
