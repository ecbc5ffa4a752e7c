//! Functions that are translated while others run.

use kinglet::{Caller, CompilationMode, Config, Engine, Linker, Module, Store};
use std::fmt::Write as _;

/// A function with a large frame is translated by a nested call, while its caller's stack was measured without it.
#[test]
fn a_large_frame_that_a_nested_call_translated_fits() {
    let engine = Engine::new(Config::new().compilation_mode(CompilationMode::Lazy)).unwrap();
    let mut locals = String::new();
    for _ in 0..1_900 {
        _ = write!(locals, " i64");
    }
    let wat = format!(
        r#"(module
            (import "host" "nested" (func $nested))
            (func $large (export "large") (result i64) (local {locals})
                (local.set 1899 (i64.const 7)) (local.get 1899))
            (func (export "main") (result i64) (call $nested) (call $large)))"#
    );
    let module = Module::new(&engine, wat).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "nested", |mut caller: Caller<'_, ()>| {
            let large = caller.get_export("large").unwrap().into_func().unwrap();
            let large = large.typed::<(), i64>(&caller).unwrap();
            assert_eq!(large.call(&mut caller, ()).unwrap(), 7);
        })
        .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let main = instance.get_typed_func::<(), i64>(&mut store, "main").unwrap();
    assert_eq!(main.call(&mut store, ()).unwrap(), 7);
}
