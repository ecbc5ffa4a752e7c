//! Vectors: two slots wherever other values take one.

mod common;

use common::{call, instance, link};
use kinglet::{
    Budget, Engine, Func, FuncType, Global, GlobalType, Linker, Module, Mutability, Step, Store,
    V128, Val, ValType, inspect,
};

const A: V128 = V128::from_u128(0x0f0e0d0c_0b0a0908_07060504_03020100);
const B: V128 = V128::from_u128(0xffff_ffff_ffff_ffff_0000_0000_0000_0001);

#[test]
fn host_functions_take_and_give_vectors_among_scalars() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker
        .func_wrap("h", "turn", |a: i32, b: V128, c: f64, d: V128, e: i64| {
            assert_eq!((a, c, e), (1, 2.5, -3));
            (e, d, c, b, a)
        })
        .unwrap();
    let wat = r#"(module
        (type $turn (func (param i32 v128 f64 v128 i64) (result i64 v128 f64 v128 i32)))
        (import "h" "turn" (func $import (type $turn)))
        (table funcref (elem $import $own))
        (func $own (type $turn)
            (call $import (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
        (func (export "direct") (type $turn)
            (call $own (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
        (func (export "tail") (type $turn)
            (return_call $own (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
        (func (export "tail of an import") (type $turn)
            (return_call $import (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
        (func (export "indirect") (type $turn)
            (call_indirect (type $turn) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                (local.get 4) (i32.const 0)))
        (func (export "indirect tail") (type $turn)
            (return_call_indirect (type $turn) (local.get 0) (local.get 1) (local.get 2)
                (local.get 3) (local.get 4) (i32.const 1))))"#;
    let (mut store, instance) = link(&linker, (), wat);
    for name in ["direct", "tail", "tail of an import", "indirect", "indirect tail"] {
        type Params = (i32, V128, f64, V128, i64);
        let turned: (i64, V128, f64, V128, i32) =
            call::<_, Params, _>(&mut store, instance, name, (1, A, 2.5, B, -3)).unwrap();
        assert_eq!(turned, (-3, B, 2.5, A, 1), "{name}");

        let func = instance.get_func(&mut store, name).unwrap();
        let params = [Val::I32(1), A.into(), Val::from(2.5), B.into(), Val::I64(-3)];
        let mut results = vec![Val::I32(0); 5];
        func.call(&mut store, &params, &mut results).unwrap();
        assert_eq!(results[1].v128(), Some(B), "{name}");
        assert_eq!((results[3].unwrap_v128(), results[4].i32()), (A, Some(1)), "{name}");
    }
}

#[test]
fn host_functions_of_types_known_at_run_time() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [ValType::V128, ValType::I32], [ValType::I32, ValType::V128]);
    let func = Func::new(&mut store, ty, |_, params, results| {
        (results[0], results[1]) = (params[1], params[0]);
        Ok(())
    });
    let typed = func.typed::<(V128, i32), (i32, V128)>(&store).unwrap();
    assert_eq!(typed.call(&mut store, (A, 7)).unwrap(), (7, A));
    assert!(func.typed::<(i64, i32), (i32, V128)>(&store).is_err());
    let vectors = |a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p: V128| -> V128 {
        let all: [V128; 15] = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o];
        all.into_iter().fold(p, |x, y| V128::from(u128::from(x).wrapping_mul(3) ^ u128::from(y)))
    };
    let v = |i: u128| V128::from(i << 64 | i);
    let expected = (0..15).fold(15u128 << 64 | 15, |x, i| x.wrapping_mul(3) ^ u128::from(v(i)));
    let sixteen = Func::wrap(&mut store, vectors);
    let mut result = [Val::I32(0)];
    let params: Vec<Val> = (0..16).map(|i| v(i).into()).collect();
    sixteen.call(&mut store, &params, &mut result).unwrap();
    assert_eq!(result[0].unwrap_v128().as_u128(), expected);
}

#[test]
fn locals_and_operands_of_two_slots() {
    // Vectors between scalars, before and behind the frame header; pinned locals behind vectors.
    let wat = r#"(module
        (func (export "sum") (param $n i32) (param $a v128) (param $x f64)
                (result v128 f64 i32)
            (local $i i32) (local $sum v128) (local $y f64) (local $old v128)
            (loop $again
                (local.set $old (local.get $sum))
                (local.set $sum (i32x4.add (local.get $sum) (local.get $a)))
                (local.set $y (f64.add (local.get $y) (local.get $x)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
            (v128.xor (local.get $sum) (v128.xor (local.get $old) (local.get $old)))
            (local.get $y)
            (local.get $i))
        (func (export "swap") (param v128 v128) (result v128 v128)
            (local v128)
            (local.get 0)
            (local.set 0 (local.get 1))
            (local.set 1)
            (local.get 0)
            (local.tee 2 (local.get 1)))
        (func (export "blocks") (param i32 v128 v128) (result v128 i32)
            (local.get 1) (local.get 0)
            (block $out (param v128 i32) (result v128 i32)
                (loop $again (param v128 i32) (result v128 i32)
                    (local.set 0)
                    (i8x16.add (local.get 2))
                    (local.get 0)
                    (br_if $out (i32.eqz (local.get 0)))
                    (i32.sub (i32.const 1))
                    (br $again))))
        (func (export "select") (param i32 v128 v128) (result v128)
            (select (local.get 1) (local.get 2) (local.get 0)))
        (func (export "table") (param i32 v128) (result v128)
            (block $b (result v128)
                (block $a (result v128)
                    (local.get 1)
                    (br_table $a $b 2 (local.get 0)))
                (v128.not))
            (v128.not))
        (func (export "if") (param i32 v128) (result v128)
            (drop (local.get 1))
            (if (result v128) (local.get 0)
                (then (local.get 1)) (else (v128.const i64x2 1 -1)))))"#;
    let (mut store, instance) = instance(wat);
    let ones = V128::from(0x00000001_00000001_00000001_00000001);
    let sum: (V128, f64, i32) = call(&mut store, instance, "sum", (5, ones, 0.5)).unwrap();
    assert_eq!(sum, (V128::from(u128::from(ones) * 5), 2.5, 5));
    let swapped: (V128, V128) = call(&mut store, instance, "swap", (A, B)).unwrap();
    assert_eq!(swapped, (B, A));
    let blocks: (V128, i32) = call(&mut store, instance, "blocks", (3, A, ones)).unwrap();
    assert_eq!(blocks, (V128::from(u128::from(A) + u128::from(ones) * 4), 0));
    assert_eq!(call::<_, _, V128>(&mut store, instance, "select", (1, A, B)).unwrap(), A);
    assert_eq!(call::<_, _, V128>(&mut store, instance, "select", (0, A, B)).unwrap(), B);
    let not = V128::from(!u128::from(A));
    for (index, expected) in [(0, A), (1, not), (2, A), (9, A)] {
        assert_eq!(
            call::<_, _, V128>(&mut store, instance, "table", (index, A)).unwrap(),
            expected
        );
    }
    assert_eq!(call::<_, _, V128>(&mut store, instance, "if", (1, A)).unwrap(), A);
    let other = V128::from(u128::from(u64::MAX) << 64 | 1);
    assert_eq!(call::<_, _, V128>(&mut store, instance, "if", (0, A)).unwrap(), other);
}

#[test]
fn globals_hold_vectors() {
    let mut linker = Linker::<()>::new(&Engine::default());
    let mut store = Store::new(linker.engine(), ());
    let ty = GlobalType::new(ValType::V128, Mutability::Var);
    let global = Global::new(&mut store, ty, A.into()).unwrap();
    linker.define(&store, "h", "g", global).unwrap();
    let wat = r#"(module
        (import "h" "g" (global $g (mut v128)))
        (global $constant v128 (v128.const i64x2 1 -1))
        (global (export "copy") v128 (global.get $constant))
        (func (export "exchange") (param v128) (result v128)
            (global.get $g) (global.set $g (local.get 0))))"#;
    let module = Module::new(linker.engine(), wat).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(call::<_, _, V128>(&mut store, instance, "exchange", B).unwrap(), A);
    assert_eq!(global.get(&mut store).v128(), Some(B));
    global.set(&mut store, A.into()).unwrap();
    assert_eq!(call::<_, _, V128>(&mut store, instance, "exchange", B).unwrap(), A);
    let copy = instance.get_global(&mut store, "copy").unwrap();
    assert_eq!(copy.get(&mut store).v128(), Some(V128::from(u128::from(u64::MAX) << 64 | 1)));
}

#[test]
fn executions_wait_with_vectors() {
    let mut linker = Linker::<()>::new(&Engine::default());
    let ty = FuncType::new(linker.engine(), [ValType::V128, ValType::I32], [ValType::V128]);
    linker
        .func_new_async("h", "later", ty, |_, _, _| unreachable!("the test answers for it"))
        .unwrap();
    let wat = r#"(module
        (import "h" "later" (func $later (param v128 i32) (result v128)))
        (func (export "run") (param v128) (result i32 v128)
            (local $i i32)
            (local.set $i (i32.const 9))
            (i32.const 1)
            (call $later (local.get 0) (local.get $i))
            (v128.xor (local.get 0))))"#;
    let (mut store, instance) = link(&linker, (), wat);
    let run = instance.get_func(&mut store, "run").unwrap();
    let mut execution = run.start(&mut store, &[A.into()]).unwrap();
    let Step::Pending(pending) = execution.run(&mut store, Budget::unlimited()).unwrap() else {
        panic!("it calls the host");
    };
    assert_eq!(pending.params()[0].v128(), Some(A));
    assert_eq!(pending.params()[1].i32(), Some(9));
    assert!(execution.resume(&mut store, &[Val::I64(0)]).is_err());
    execution.resume(&mut store, &[B.into()]).unwrap();
    let Step::Done(results) = execution.run(&mut store, Budget::unlimited()).unwrap() else {
        panic!("nothing else stops it");
    };
    assert_eq!(results[0].i32(), Some(1));
    assert_eq!(results[1].unwrap_v128().as_u128(), A.as_u128() ^ B.as_u128());
}

#[test]
fn exceptions_carry_vectors() {
    let wat = r#"(module
        (tag $t (param i32 v128 i64))
        (func $throw (param v128) (throw $t (i32.const 1) (local.get 0) (i64.const 2)))
        (func (export "catch") (param v128) (result i32 v128 i64)
            (block $caught (result i32 v128 i64)
                (try_table (catch $t $caught) (call $throw (local.get 0)))
                (unreachable))))"#;
    let (mut store, instance) = instance(wat);
    let caught: (i32, V128, i64) = call(&mut store, instance, "catch", A).unwrap();
    assert_eq!(caught, (1, A, 2));
}

/// Loads and stores of all kinds, at addresses that are aligned and not, in a memory declared by `memory`.
fn accesses(memory: &str, address: &str) {
    let wat = format!(
        r#"(module
        (memory 1)
        {memory}
        (data (memory $m) ({address}.const 16)
            "\01\82\03\84\05\86\07\88\09\8a\0b\8c\0d\8e\0f\90\11\12")
        (func (export "load") (param {address}) (result v128)
            (v128.load $m (local.get 0)))
        (func (export "load far") (param {address}) (result v128)
            (v128.load $m offset=8 (local.get 0)))
        (func (export "widen") (param {address}) (result v128)
            (v128.load8x8_s $m (local.get 0)))
        (func (export "splat") (param {address}) (result v128)
            (v128.load16_splat $m (local.get 0)))
        (func (export "zero") (param {address}) (result v128)
            (v128.load32_zero $m (local.get 0)))
        (func (export "lane") (param {address} v128) (result v128)
            (v128.load32_lane $m 2 (local.get 0) (local.get 1)))
        (func (export "store") (param {address} v128) (result v128)
            (v128.store $m (local.get 0) (local.get 1))
            (v128.load $m (local.get 0)))
        (func (export "store lane") (param {address} v128) (result v128)
            (v128.store $m (local.get 0) (v128.const i64x2 0 0))
            (v128.store16_lane $m 5 (local.get 0) (local.get 1))
            (v128.load $m (local.get 0))))"#
    );
    let (mut store, instance) = instance(&wat);
    let mut memory = [0u8; 65536];
    memory[16..34].copy_from_slice(&[
        1, 0x82, 3, 0x84, 5, 0x86, 7, 0x88, 9, 0x8a, 11, 0x8c, 13, 0x8e, 15, 0x90, 17, 18,
    ]);
    let at = |from: usize| u128::from_le_bytes(memory[from..from + 16].try_into().unwrap());
    let wide = address == "i64";
    let mut run = |name: &str, address: u64, vector: Option<V128>| -> kinglet::Result<V128> {
        let mut params =
            vec![if wide { Val::I64(address as i64) } else { Val::I32(address as i32) }];
        params.extend(vector.map(Val::from));
        let mut results = [Val::I32(0)];
        let func = instance.get_func(&mut store, name).unwrap();
        func.call(&mut store, &params, &mut results)?;
        Ok(results[0].unwrap_v128())
    };
    for from in [16, 17] {
        assert_eq!(run("load", from as u64, None).unwrap(), V128::from(at(from)));
        assert_eq!(run("load far", from as u64, None).unwrap(), V128::from(at(from + 8)));
        let widened = (0..8)
            .fold(0, |all, i| all | u128::from(memory[from + i] as i8 as i16 as u16) << (16 * i));
        assert_eq!(run("widen", from as u64, None).unwrap(), V128::from(widened));
        let half = u128::from(at(from) as u16);
        let splat = (0..8).fold(0, |all, i| all | half << (16 * i));
        assert_eq!(run("splat", from as u64, None).unwrap(), V128::from(splat));
        assert_eq!(run("zero", from as u64, None).unwrap(), V128::from(at(from) as u32 as u128));
        let lane = A.as_u128() & !(0xffff_ffff << 64) | (at(from) & 0xffff_ffff) << 64;
        assert_eq!(run("lane", from as u64, Some(A)).unwrap(), V128::from(lane));
        assert_eq!(run("store", 4096 + from as u64, Some(A)).unwrap(), A);
        let lane = V128::from(A.as_u128() >> 80 & 0xffff);
        assert_eq!(run("store lane", 4096 + from as u64, Some(A)).unwrap(), lane);
    }
    for (name, vector, width) in [
        ("load", None, 16),
        ("widen", None, 8),
        ("splat", None, 2),
        ("zero", None, 4),
        ("lane", Some(A), 4),
        ("store", Some(A), 16),
    ] {
        assert!(run(name, 65536 - width, vector).is_ok(), "{name}");
        assert!(run(name, 65537 - width, vector).is_err(), "{name}");
        assert!(run(name, u64::MAX, vector).is_err(), "{name}");
    }
}

#[test]
fn memories_of_all_kinds() {
    for address in ["i32", "i64"] {
        accesses(&format!("(memory $m {address} 1)"), address);
        #[cfg(feature = "threads")]
        accesses(&format!("(memory $m {address} 1 1 shared)"), address);
    }
    let (mut store, instance) = instance(
        r#"(module (memory 1) (func (export "f") (param v128) (result v128) (local i32)
            (v128.store (local.get 1) (local.get 0))
            (v128.store offset=16 (i32.const 1) (v128.load (i32.const 0)))
            (v128.load offset=1 (i32.add (local.get 1) (i32.const 16)))))"#,
    );
    assert_eq!(call::<_, _, V128>(&mut store, instance, "f", A).unwrap(), A);
}

#[test]
fn listings_show_vectors() {
    let module = Module::new(
        &Engine::default(),
        r#"(module (memory 1) (func (param i32 v128) (result v128)
            (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31
                (i32x4.shl (v128.load offset=5 (local.get 0)) (i32.const 3))
                (v128.const i64x2 1 2))))"#,
    )
    .unwrap();
    let listing = inspect::bytecode(&module, 0).unwrap();
    for part in
        [" v128_load.", " +5", " i32x4_shl.si ", " i8x16_shuffle ", " const_v128 ", " ret_v128 "]
    {
        assert!(listing.contains(part), "{part}: {listing}");
    }
}

#[cfg(feature = "gc")]
#[test]
fn objects_hold_vectors() {
    let wat = r#"(module
        (type $s (struct (field i32) (field (mut v128)) (field i8) (field (ref null $s))))
        (type $a (array (mut v128)))
        (global $g (ref $s)
            (struct.new $s (i32.const 1) (v128.const i64x2 1 2) (i32.const 3) (ref.null $s)))
        (func (export "struct") (param v128 v128) (result i32 v128 i32 v128)
            (local $s (ref null $s))
            (local.set $s
                (struct.new $s (i32.const 7) (local.get 0) (i32.const 0x1ff) (global.get $g)))
            (struct.get $s 0 (local.get $s))
            (struct.get $s 1 (local.get $s))
            (struct.set $s 1 (local.get $s) (local.get 1))
            (struct.get_u $s 2 (local.get $s))
            (i64x2.add
                (struct.get $s 1 (local.get $s))
                (struct.get $s 1 (struct.get $s 3 (local.get $s)))))
        (func (export "array") (param v128 v128) (result v128 v128 v128 i32)
            (local $a (ref null $a)) (local $b (ref null $a))
            (local.set $a (array.new_fixed $a 3
                (local.get 0) (local.get 1) (v128.const i64x2 5 6)))
            (local.set $b (array.new $a (local.get 1) (i32.const 4)))
            (array.copy $a $a
                (local.get $b) (i32.const 1) (local.get $a) (i32.const 0) (i32.const 2))
            (array.set $a (local.get $b) (i32.const 3) (v128.not (local.get 0)))
            (array.get $a (local.get $b) (i32.const 0))
            (array.get $a (local.get $b) (i32.const 1))
            (array.get $a (local.get $b) (i32.const 3))
            (array.len (array.new_default $a (i32.const 2)))))"#;
    let (mut store, instance) = instance(wat);
    let (one, two) = (V128::from(1 << 64 | 1), V128::from(2));
    let got: (i32, V128, i32, V128) = call(&mut store, instance, "struct", (A, one)).unwrap();
    assert_eq!(got, (7, A, 0xff, V128::from(3 << 64 | 2)));
    let got: (V128, V128, V128, i32) = call(&mut store, instance, "array", (A, two)).unwrap();
    assert_eq!(got, (two, A, V128::from(!A.as_u128()), 2));
}
