//! Linking: a program imports from a library, and both import from the host.

use kinglet::{Engine, Linker, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("math", "square", |x: f64| x * x)?;

    let library = Module::new(
        &engine,
        r#"(module
            (import "math" "square" (func $square (param f64) (result f64)))
            (global $calls (export "calls") (mut i32) (i32.const 0))
            (func (export "norm") (param f64 f64) (result f64)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (f64.sqrt (f64.add
                    (call $square (local.get 0))
                    (call $square (local.get 1))))))"#,
    )?;
    let library = linker.instantiate(&mut store, &library)?;
    // All that the library exports can now be imported from "geometry".
    linker.instance(&mut store, "geometry", library)?;

    let program = Module::new(
        &engine,
        r#"(module
            (import "geometry" "norm" (func $norm (param f64 f64) (result f64)))
            (import "geometry" "calls" (global $calls (mut i32)))
            (func (export "run") (result f64 i32)
                (call $norm (f64.const 3) (f64.const 4))
                (global.get $calls)))"#,
    )?;
    let run = linker
        .instantiate(&mut store, &program)?
        .get_typed_func::<(), (f64, i32)>(&mut store, "run")?;
    let (norm, calls) = run.call(&mut store, ())?;
    println!("norm {norm}, after {calls} call");
    assert_eq!((norm, calls), (5.0, 1));

    // What is missing is named.
    let broken = Module::new(&engine, r#"(module (import "geometry" "angle" (func)))"#)?;
    let error = linker.instantiate(&mut store, &broken).unwrap_err();
    println!("{error}");
    assert_eq!(error.to_string(), "unknown import: `geometry::angle` has not been defined");
    Ok(())
}
