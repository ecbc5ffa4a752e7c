//! Compiled code, from the host's point of view.

mod common;

use common::*;
use kinglet_core::{
    error::Error,
    runtime::native::{InterpreterExit, NativeExit, Then},
    trap::Trap,
    types::ValType,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn f64s(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn functions_compute_and_call_each_other() {
    let mut world = World::new(Setup::default());
    let (instance, code) = world.instance(
        r#"(module
            (func $fib (export "fib") (param i32) (result i32)
                (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                    (then (local.get 0))
                    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
            (func (export "mean") (param f64 f64 f64) (result f64)
                (f64.div (f64.add (local.get 0) (f64.add (local.get 1) (local.get 2))) (f64.const 3)))
            (func (export "sum") (param $n i64) (result i64) (local $s i64)
                (loop $l
                    (local.set $s (i64.add (local.get $s) (local.get $n)))
                    (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
                (local.get $s))
            (func $many (export "many") (param i32 i64 f32 f64 i32 i64 i32 i64 i32 i64 i32 i64)
                (result i64 i32 f64 f32 i64 i32 i64 i32 i64 i32 i64 i32)
                (local.get 1) (local.get 0) (local.get 3) (local.get 2) (local.get 5) (local.get 4)
                (local.get 7) (local.get 6) (local.get 9) (local.get 8) (local.get 11) (local.get 10))
            (func (export "twice") (param i32 i64 f32 f64 i32 i64 i32 i64 i32 i64 i32 i64) (result i64)
                (call $many (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
                    (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11))
                drop drop drop drop drop drop drop drop drop drop drop))"#,
        &[],
    );
    assert_eq!(code.functions(), 5);
    assert_eq!(world.call(instance, "fib", &[20]).unwrap(), [6765]);
    assert_eq!(world.call(instance, "mean", &f64s(&[1.0, 2.0, 6.0])).unwrap(), f64s(&[3.0]));
    assert_eq!(world.call(instance, "sum", &[100]).unwrap(), [5050]);
    let args: Vec<u64> = (1..=12).collect();
    let swapped: Vec<u64> = (1..=12).map(|i| if i % 2 == 0 { i - 1 } else { i + 1 }).collect();
    assert_eq!(world.call(instance, "many", &args).unwrap(), swapped);
    assert_eq!(world.call(instance, "twice", &args).unwrap(), [2]);
}

#[test]
fn memories_grow() {
    let mut world = World::new(Setup::default());
    let (instance, _) = world.instance(
        r#"(module (memory (export "mem") 1)
            (func $grow (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "test") (param i32) (result i32 i32)
                (i32.store (i32.const 8) (i32.const 77))
                (drop (call $grow (local.get 0)))
                (i32.store offset=65536 (i32.const 8) (i32.const 5))
                (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 65544)))
                (memory.size)))"#,
        &[],
    );
    assert_eq!(world.call(instance, "test", &[2]).unwrap(), [82, 3]);
    let error = world.call(instance, "test", &[1 << 17]).map(|_| ());
    assert_eq!(error.map_err(|error| error.trap()), Ok(()));
}

#[test]
fn the_host_is_called() {
    let mut world = World::new(Setup::default());
    let params = [ValType::I32, ValType::F32, ValType::I64, ValType::F64];
    let host = world.host(&params, &[ValType::I64, ValType::F32], |_, _, caller, slots| {
        assert!(caller.is_some());
        assert_eq!(slots.len(), 4);
        assert_eq!(slots[1], u64::from(1.5f32.to_bits()));
        slots[0] = slots[0] + slots[2] + f64::from_bits(slots[3]) as u64;
        slots[1] = u64::from(2.5f32.to_bits());
        Ok(())
    });
    let (instance, _) = world.instance(
        r#"(module (import "" "" (func $host (param i32 f32 i64 f64) (result i64 f32)))
            (table 1 funcref) (elem (i32.const 0) $host)
            (type $t (func (param i32 f32 i64 f64) (result i64 f32)))
            (func (export "direct") (param i32) (result i64 f32)
                (call $host (local.get 0) (f32.const 1.5) (i64.const 3) (f64.const 4)))
            (func (export "indirect") (param i32) (result i64 f32)
                (call_indirect (type $t) (local.get 0) (f32.const 1.5) (i64.const 3) (f64.const 4) (i32.const 0)))
            (func (export "tail") (param i32) (result i64 f32)
                (return_call $host (local.get 0) (f32.const 1.5) (i64.const 3) (f64.const 4))))"#,
        &[host],
    );
    for name in ["direct", "indirect", "tail"] {
        let results = world.call(instance, name, &[10]).unwrap();
        assert_eq!(results, [17, u64::from(2.5f32.to_bits())], "{name}");
    }
}

#[test]
fn the_host_calls_back() {
    let mut world = World::new(Setup::default());
    let host = world.host(&[ValType::I32], &[ValType::I32], |store, data, caller, slots| {
        if slots[0] > 0 {
            slots[0] = call(store, data, caller.unwrap(), "down", &[slots[0] - 1])?[0];
        }
        Ok(())
    });
    let (instance, _) = world.instance(
        r#"(module (import "" "" (func $host (param i32) (result i32)))
            (func (export "down") (param i32) (result i32)
                (i32.add (i32.const 1) (call $host (local.get 0)))))"#,
        &[host],
    );
    assert_eq!(world.call(instance, "down", &[50]).unwrap(), [51]);
    let error = world.call(instance, "down", &[100_000]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    assert_eq!(world.store.stack_in_use, 0);
}

#[test]
fn traps_say_where() {
    let mut world = World::new(Setup::default());
    let wat = r#"(module $m
        (func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func $outer (export "outer") (param i32) (result i32)
            (nop) (i32.add (i32.const 1) (call $inner (local.get 0)))))"#;
    let (instance, _) = world.instance(wat, &[]);
    assert_eq!(world.call(instance, "outer", &[1]).unwrap(), [2]);
    let error = world.call(instance, "outer", &[0]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
    let frames = error.wasm_backtrace().unwrap().frames();
    let names: Vec<_> = frames.iter().map(|frame| frame.func_name().unwrap()).collect();
    assert_eq!(names, ["inner", "outer"]);
    // Behind the count of locals: `i32.const`, `local.get`; `nop`, `i32.const`, `local.get`.
    let offsets: Vec<_> = frames.iter().map(|frame| frame.func_offset().unwrap()).collect();
    assert_eq!(offsets, [5, 6]);
}

#[test]
fn the_stack_ends() {
    let mut world = World::new(Setup::default());
    let (instance, _) = world.instance(
        r#"(module (func $f (export "f") (param i32) (result i32)
            (i32.add (i32.const 1) (call $f (local.get 0)))))"#,
        &[],
    );
    for _ in 0..3 {
        let error = world.call(instance, "f", &[0]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 64);
    }
}

#[test]
fn panics_pass_through() {
    let mut world = World::new(Setup { fuel: Some(1000), ..Setup::default() });
    let host = world.host(&[], &[], |_, _, _, _| panic!("on purpose"));
    let (instance, _) = world.instance(
        r#"(module (import "" "" (func $host)) (func (export "f") (call $host)) (func (export "g")))"#,
        &[host],
    );
    for _ in 0..2 {
        let panic = catch_unwind(AssertUnwindSafe(|| world.call(instance, "f", &[]))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        assert_eq!(world.store.stack_in_use, 0);
        world.call(instance, "g", &[]).unwrap();
    }
    assert!(world.store.fuel < 1000 && world.store.fuel > 900);
}

const LOOP: &str = r#"(module (func (export "f") (param i32) (result i32) (local i32)
    (loop $l
        (local.set 1 (i32.add (local.get 1) (i32.const 3)))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))"#;

#[test]
fn fuel_runs_out() {
    let mut world = World::new(Setup { fuel: Some(1 << 40), ..Setup::default() });
    let (instance, _) = world.instance(LOOP, &[]);
    assert_eq!(world.call(instance, "f", &[100_000]).unwrap(), [300_000]);
    let used = (1 << 40) - world.store.fuel;
    world.store.fuel = used;
    world.call(instance, "f", &[100_000]).unwrap();
    assert_eq!(world.store.fuel, 0);
    world.store.fuel = used - 1;
    let error = world.call(instance, "f", &[100_000]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    assert!(error.wasm_backtrace().is_some());
    assert!(world.store.fuel < 20);
}

#[test]
fn code_is_interrupted() {
    let mut world = World::new(Setup { metered: true, ..Setup::default() });
    let (instance, _) = world.instance(LOOP, &[]);
    world.call(instance, "f", &[100]).unwrap();
    world.store.interrupt_flag().store(true, std::sync::atomic::Ordering::Relaxed);
    let error = world.call(instance, "f", &[100]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    world.call(instance, "f", &[100]).unwrap();
}

#[test]
fn code_stops_with_its_frames() {
    let mut world = World::new(Setup { fuel: Some(0), ..Setup::default() });
    let (instance, _) = world.instance(
        r#"(module
            (func $f (export "f") (param i64 i32 f64) (result i32) (local i32)
                (i32.add (i32.mul (i32.const 7) (local.get 1))
                    (call $g (local.get 1) (local.tee 3 (i32.const 9))))
                (i32.add (local.get 3)))
            (func $g (param i32 i32) (result i32)
                (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1)))"#,
        &[],
    );
    world.store.fuel = 100;
    let func = world.func(instance, "f");
    let mut slots = [1, 100, 2.5f64.to_bits()];
    let exit = exit(&mut world.store, &mut (), instance, func, &mut slots, true).unwrap();
    let NativeExit::Suspended(suspended) = exit else { panic!("{exit:?}") };
    let Then::OutOfFuel(cost) = suspended.then else { panic!("{suspended:?}") };
    assert!(cost > 0 && cost < 20);
    let [outer, inner] = &suspended.frames[..] else { panic!("{suspended:?}") };
    assert_eq!((outer.func.0, inner.func.0), (0, 1));
    assert_eq!(outer.locals[3], 9);
    assert_eq!(outer.operands, [(0, 700)]);
    assert_eq!(outer.fuel_point, None);
    assert_eq!(inner.fuel_point, Some(1));
    assert_eq!(inner.locals[1], 9);
    assert!(inner.locals[0] < 100 && inner.locals[0] > 0);
}

#[test]
fn what_is_not_compiled_is_interpreted() {
    let mut world = World::new(Setup::default());
    let (instance, code) = world.instance(
        r#"(module
            (func $v (param i32 i64) (result i64) (local v128) (i64.const 0))
            (table 1 funcref) (elem (i32.const 0) $v)
            (type $t (func (param i32 i64) (result i64)))
            (func (export "f") (param i32) (result i64)
                (i64.add (call $v (local.get 0) (i64.const 5))
                    (call_indirect (type $t) (local.get 0) (i64.const 6) (i32.const 0)))))"#,
        &[],
    );
    assert_eq!(code.functions(), 1);
    let mut instead: Instead = Box::new(|store, func, slots, may_stop| {
        assert!(!may_stop);
        assert_eq!(store.funcs[func.at()].index, 0);
        slots[0] = slots[0] * 10 + slots[1];
        Ok(InterpreterExit::Done)
    });
    let results = call(&mut world.store, &mut instead, instance, "f", &[2]).unwrap();
    assert_eq!(results, [51]);
    let mut fails: Instead = Box::new(|_, _, _, _| Err(Error::msg("no")));
    let error = call(&mut world.store, &mut fails, instance, "f", &[2]).unwrap_err();
    assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 1);
    assert_eq!(format!("{error:#}"), "no");
}

#[test]
fn instances_call_each_other() {
    let mut world = World::new(Setup::default());
    let (first, _) = world.instance(
        r#"(module (memory 1) (data (i32.const 0) "\05")
            (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "grow") (result i32) (memory.grow (i32.const 1))))"#,
        &[],
    );
    let imports = [world.export(first, "get"), world.export(first, "grow")];
    let (second, _) = world.instance(
        r#"(module (import "" "get" (func $get (param i32) (result i32))) (import "" "grow" (func $grow (result i32)))
            (memory 1) (data (i32.const 0) "\07")
            (func (export "f") (result i32)
                (i32.add (i32.add (call $get (i32.const 0)) (call $grow))
                    (i32.load8_u (i32.const 0))))
            (func (export "trap") (result i32) (i32.add (i32.const 1) (call $get (i32.const -1))))
            (func (export "tail") (result i32) (return_call $get (i32.const 0))))"#,
        &imports,
    );
    assert_eq!(world.call(second, "f", &[]).unwrap(), [13]);
    assert_eq!(world.call(second, "f", &[]).unwrap(), [14]);
    assert_eq!(world.call(second, "tail", &[]).unwrap(), [5]);
    let error = world.call(second, "trap", &[]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    let funcs: Vec<_> = error.wasm_backtrace().unwrap().frames().iter().map(|f| f.func.0).collect();
    assert_eq!(funcs, [0, 3]);
}

#[test]
fn types_are_checked() {
    let mut world = World::new(Setup::default());
    let (instance, _) = world.instance(
        r#"(module
            (type $super (sub (func (result i32))))
            (type $sub (sub $super (func (result i32))))
            (type $other (func (result i64)))
            (func $f (type $sub) (i32.const 3))
            (table 3 funcref) (elem (i32.const 0) $f $g)
            (func $g (type $other) (i64.const 1))
            (func (export "call") (param i32) (result i32)
                (call_indirect (type $super) (local.get 0))))"#,
        &[],
    );
    assert_eq!(world.call(instance, "call", &[0]).unwrap(), [3]);
    let trap = |world: &mut World, at| world.call(instance, "call", &[at]).unwrap_err().trap();
    assert_eq!(trap(&mut world, 1), Some(Trap::BadSignature));
    assert_eq!(trap(&mut world, 2), Some(Trap::IndirectCallToNull));
    assert_eq!(trap(&mut world, 3), Some(Trap::TableOutOfBounds));
}
