//! Tail calls of host functions.

use kinglet::{Engine, Func, FuncType, Linker, Module, Store, Val, ValType};

/// The results of the host function reach further than anything that the function that calls it has on its stack, wherever
/// the frame of that function is in the value stack.
#[test]
fn many_results_at_the_end_of_the_stack() {
    const RESULTS: usize = 100;
    let types = "i64 ".repeat(RESULTS);
    let operands = "(i64.const 1)".repeat(50);
    let wat = format!(
        r#"(module
            (import "host" "many" (func $many (result {types})))
            (func $deep (export "deep") (param i32) (result {types})
                (if (i32.eqz (local.get 0)) (then {operands} (return_call $many)))
                (call $deep (i32.sub (local.get 0) (i32.const 1)))))"#
    );
    let engine = Engine::default();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [], [const { ValType::I64 }; RESULTS]);
    let many = Func::new(&mut store, ty, |_, _, results| {
        for (i, result) in results.iter_mut().enumerate() {
            *result = Val::I64(i as i64);
        }
        Ok(())
    });
    let mut linker = Linker::new(&engine);
    linker.define(&store, "host", "many", many).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let deep = instance.get_func(&mut store, "deep").unwrap();
    for depth in 0..400 {
        let mut results = vec![Val::I64(0); RESULTS];
        deep.call(&mut store, &[Val::I32(depth)], &mut results).unwrap();
        assert_eq!(results[RESULTS - 1].i64(), Some(RESULTS as i64 - 1), "{depth}");
    }
}
