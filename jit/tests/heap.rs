//! Exceptions and garbage in compiled code.
#![cfg(feature = "gc")]

mod common;

use common::*;
use kinglet_core::{
    error::ThrownException,
    runtime::native::{NativeExit, Then},
    trap::Trap,
    types::ValType,
};

const EXCEPTIONS: &str = r#"(module
    (import "" "host" (func $host (param i32)))
    (tag $t (export "t") (param i32 f64 i64))
    (tag $u)
    (func $throw (param i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $t (i32.const 10) (f64.const 2.5) (i64.const 30))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $u)))
        (call $host (local.get 0)))
    (func $middle (param i32 i64) (result i64)
        (call $throw (local.get 0))
        (local.get 1))
    (func $catch (export "catch") (param i32 i64) (result i64) (local i64)
        (local.set 2 (i64.mul (local.get 1) (i64.const 3)))
        (block $u
            (block $t (result i32 f64 i64)
                (try_table (catch $t $t) (catch $u $u)
                    (return (call $middle (local.get 0) (local.get 1))))
                (unreachable))
            (i64.add (local.get 2))
            (local.set 2)
            (i64.trunc_f64_s)
            (i64.add (local.get 2))
            (local.set 2)
            (i64.extend_i32_u)
            (return (i64.add (local.get 2))))
        (i64.add (local.get 2) (i64.const 1000)))
    (func (export "refs") (param i32) (result i32)
        (block $all (result exnref)
            (try_table (catch_all_ref $all) (call $throw (local.get 0)))
            (return (i32.const 0)))
        (block $t (param exnref) (result i32 f64 i64)
            (try_table (param exnref) (catch $t $t) (throw_ref))
            (unreachable))
        (drop) (drop))
    (func (export "here") (result i32)
        (block $u (try_table (catch $u $u) (throw $u)) (unreachable))
        (i32.const 5)))"#;

#[test]
fn exceptions_are_caught() {
    let mut world = World::new(Setup::default());
    let host = world.host(&[ValType::I32], &[], |_, _, _, _| Ok(()));
    let (instance, code) = world.instance(EXCEPTIONS, &[host]);
    assert_eq!(code.functions(), 5);
    assert_eq!(world.call(instance, "catch", &[0, 7]).unwrap(), [7]);
    assert_eq!(world.call(instance, "catch", &[1, 7]).unwrap(), [21 + 30 + 2 + 10]);
    assert_eq!(world.call(instance, "catch", &[2, 7]).unwrap(), [1021]);
    assert_eq!(world.call(instance, "refs", &[1]).unwrap(), [10]);
    assert_eq!(world.call(instance, "here", &[]).unwrap(), [5]);
    let error = world.call(instance, "refs", &[2]).unwrap_err();
    assert!(error.is::<ThrownException>());
    assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 1);
    assert!(world.store.take_pending_exception().is_some());
}

#[test]
fn exceptions_pass_through_the_host() {
    let mut world = World::new(Setup { collect_every: Some(1), ..Setup::default() });
    let host = world.host(&[ValType::I32], &[], |store, data, caller, slots| {
        // Again in the guest, which throws through this function.
        call(store, data, caller.unwrap(), "catch", &[slots[0] - 2, 1]).map(|_| ())?;
        call(store, data, caller.unwrap(), "raise", &[slots[0] - 2]).map(|_| ())
    });
    let wat = EXCEPTIONS.replace(
        "(tag $u)",
        r#"(tag $u) (func (export "raise") (param i32) (call $throw (local.get 0)))"#,
    );
    let (instance, _) = world.instance(&wat, &[host]);
    assert_eq!(world.call(instance, "catch", &[3, 7]).unwrap(), [21 + 30 + 2 + 10]);
    assert_eq!(world.call(instance, "catch", &[4, 7]).unwrap(), [1021]);
    assert_eq!(world.call(instance, "catch", &[6, 7]).unwrap(), [1021]);
    assert_eq!(world.store.stack_in_use, 0);
}

#[test]
fn looking_for_handlers_takes_fuel() {
    let mut world = World::new(Setup { fuel: Some(1 << 20), ..Setup::default() });
    let host = world.host(&[ValType::I32], &[], |_, _, _, _| Ok(()));
    let (instance, _) = world.instance(EXCEPTIONS, &[host]);
    let mut used = |arg| {
        let before = world.store.fuel;
        world.call(instance, "catch", &[arg, 7]).unwrap();
        before - world.store.fuel
    };
    // Three frames, and one clause less for the first tag.
    let [plain, first, second] = [0, 1, 2].map(&mut used);
    assert_eq!((first - plain, second - plain), (31, 32));
    world.store.fuel = second - 1;
    let func = world.func(instance, "catch");
    let exit = exit(&mut world.store, &mut (), instance, func, &mut [2, 7], true).unwrap();
    let NativeExit::Suspended(suspended) = exit else { panic!("{exit:?}") };
    assert!(matches!(suspended.then, Then::Throw(_, Some(20..))), "{suspended:?}");
    assert_eq!(suspended.frames.len(), 3);
}

#[test]
fn garbage_is_collected_around_live_objects() {
    let mut world = World::new(Setup { collect_every: Some(1), ..Setup::default() });
    let (instance, code) = world.instance(
        r#"(module
            (type $node (struct (field i32) (field (mut (ref null $node)))))
            (type $list (array (mut (ref null $node))))
            (func $make (param i32 (ref null $node)) (result (ref $node))
                (struct.new $node (local.get 0) (local.get 1)))
            (func $sum (param (ref null $node)) (result i32) (local i32)
                (block $end
                    (loop $l
                        (br_if $end (ref.is_null (local.get 0)))
                        (local.set 1 (i32.add (local.get 1) (struct.get $node 0 (local.get 0))))
                        (local.set 0 (struct.get $node 1 (local.get 0)))
                        (br $l)))
                (local.get 1))
            (func $build (export "build") (param i32) (result i32)
                (local $first (ref null $node)) (local $second (ref null $node)) (local $n i32)
                (local.set $n (local.get 0))
                (loop $l
                    (local.set $first (call $make (local.get $n) (local.get $first)))
                    (drop (call $make (i32.const 0) (ref.null $node)))
                    (local.set $second (struct.new $node (local.get $n) (local.get $second)))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i32.add (call $sum (local.get $first)) (call $sum (local.get $second))))
            (func (export "arrays") (param i32) (result i32) (local $list (ref null $list))
                (local.set $list (array.new $list (struct.new $node (i32.const 4) (ref.null $node)) (local.get 0)))
                (array.set $list (local.get $list) (i32.const 1)
                    (struct.new $node (i32.const 6) (array.get $list (local.get $list) (i32.const 0))))
                (i32.add (call $sum (array.get $list (local.get $list) (i32.const 1)))
                    (array.len (local.get $list))))
            (func (export "null") (param i32) (result i32)
                (struct.get $node 0 (ref.null $node)))
            (func (export "cast") (param i32) (result i32)
                (ref.test (ref $node) (if (result anyref) (local.get 0)
                    (then (struct.new_default $node)) (else (array.new_default $list (i32.const 1)))))))"#,
        &[],
    );
    assert_eq!(code.functions(), 6);
    assert_eq!(world.call(instance, "build", &[100]).unwrap(), [10100]);
    assert_eq!(world.call(instance, "arrays", &[3]).unwrap(), [13]);
    assert_eq!(world.call(instance, "cast", &[0]).unwrap(), [0]);
    assert_eq!(world.call(instance, "cast", &[1]).unwrap(), [1]);
    let error = world.call(instance, "null", &[0]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::NullStructReference));
}
