//! Programs that went wrong once.

use kinglet::{Engine, Instance, Module, Store, Trap};

/// Calls the export `run` of a module in the text format.
fn run(wat: &str, argument: i32) -> i32 {
    let engine = Engine::default();
    let module = Module::new(&engine, wat).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").expect("it exports `run`");
    run.call(&mut store, argument).expect("it does not trap")
}

/// A comparison that waits for its use, with a constant in the slot where the next operand then goes.
#[test]
fn comparison_before_the_slots_of_its_operands_are_written() {
    let wat = r#"
        (module
          (func (export "run") (param i32) (result i32)
            (i32.eqz (i32.const 0)) (local.get 0) (block) (local.tee 0) (br_table 0 0)))
    "#;
    assert_eq!(run(wat, 1), 1);
}

/// An atomic access whose address and offset add up to more than 64 bits: the last bits of the sum say whether it is aligned.
#[test]
fn unaligned_atomics_beyond_all_addresses() {
    let wat = r#"
        (module
          (memory i64 1)
          (func (export "run") (param i64) (result i32)
            (i32.atomic.load offset=0xffffffffffffffff (local.get 0))))
    "#;
    let engine = Engine::default();
    let module = Module::new(&engine, wat).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it needs nothing");
    let run = instance.get_typed_func::<i64, i32>(&mut store, "run").expect("it exports `run`");
    let mut trap = |address| run.call(&mut store, address).expect_err("no such address").trap();
    assert_eq!(trap(5), Some(Trap::MemoryOutOfBounds));
    assert_eq!(trap(6), Some(Trap::HeapMisaligned));
}

/// No elements of a segment that only declares, in a module without passive ones.
#[test]
fn nothing_from_a_segment_that_declares() {
    let wat = r#"
        (module
          (table 1 externref)
          (elem $none declare externref (ref.null extern))
          (func (export "run") (param i32) (result i32)
            (table.init $none (i32.const 0) (i32.const 0) (i32.const 0))
            (local.get 0)))
    "#;
    assert_eq!(run(wat, 3), 3);
}
