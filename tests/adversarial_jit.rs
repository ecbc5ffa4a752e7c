//! Functions made to be slow, deep or large for a compiler: the code is linear in their size, or they are left to the interpreter; and both
//! tiers do the same.

use kinglet::{
    AsContextMut, Budget, Caller, Config, Engine, Error, Func, FuncType, Instance, Limits, Linker,
    Module, Step, Store, Strategy, Trap, Val, ValType,
    inspect::{self, Target},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const F32: u8 = 0x7d;
const F64: u8 = 0x7c;
const ALL: [u8; 4] = [I32, I64, F32, F64];
const EMPTY: u8 = 0x40;

const UNREACHABLE: u8 = 0;
const BLOCK: u8 = 2;
const LOOP: u8 = 3;
const IF: u8 = 4;
const ELSE: u8 = 5;
const END: u8 = 0xb;
const BR: u8 = 0xc;
const BR_IF: u8 = 0xd;
const BR_TABLE: u8 = 0xe;
const RETURN: u8 = 0xf;
const CALL: u8 = 0x10;
const RETURN_CALL: u8 = 0x12;
const TRY_TABLE: u8 = 0x1f;
const DROP: u8 = 0x1a;
const GET: u8 = 0x20;
const SET: u8 = 0x21;
const CONST: u8 = 0x41;
const I32_SUB: u8 = 0x6b;
const I32_ADD: u8 = 0x6a;
const I64_ADD: u8 = 0x7c;
const I64_EXTEND: u8 = 0xad;

/// An unsigned number; a signed one as well, if it is small.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x40 {
        bytes.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// An operator with a number.
fn op(code: u8, operand: usize) -> Vec<u8> {
    [vec![code], number(operand)].concat()
}

fn vector(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len()), items.concat()].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len()), bytes].concat()
}

/// A function: parameters, results, locals as counts and types, and the body.
struct Function {
    params: Vec<u8>,
    results: Vec<u8>,
    locals: Vec<(usize, u8)>,
    body: Vec<u8>,
}

/// A function of an `i32` to an `i64`.
fn function(locals: Vec<(usize, u8)>, body: Vec<u8>) -> Function {
    Function { params: vec![I32], results: vec![I64], locals, body }
}

/// A module of functions that import nothing; the last one is exported as `f`.
fn module(functions: &[Function]) -> Vec<u8> {
    let list = |types: &[u8]| vector(&types.iter().map(|&ty| vec![ty]).collect::<Vec<_>>());
    let types = functions.iter().map(|f| [vec![0x60], list(&f.params), list(&f.results)].concat());
    let code = functions.iter().map(|f| {
        let locals = f.locals.iter().map(|&(count, ty)| [number(count), vec![ty]].concat());
        sized(&[vector(&locals.collect::<Vec<_>>()), f.body.clone(), vec![END]].concat())
    });
    let last = functions.len() - 1;
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, items: Vec<Vec<u8>>| {
        wasm.push(id);
        wasm.extend(sized(&vector(&items)));
    };
    section(1, types.collect());
    section(3, (0..=last).map(number).collect());
    section(7, vec![[&b"\x01f\0"[..], &number(last)].concat()]);
    section(10, code.collect());
    wasm
}

/// Engines of all tiers that this program has; the interpreter's first.
fn tiers(metered: bool) -> Vec<Engine> {
    let strategies = [Strategy::Interpreter, Strategy::Jit].into_iter();
    let engines = strategies.filter_map(|strategy| {
        let mut config = Config::new();
        let mut limits = Limits::default();
        limits.max_locals = 200_000;
        config.limits(limits);
        Engine::new(config.consume_fuel(metered).strategy(strategy)).ok()
    });
    engines.collect()
}

/// Calls `f` of a module in all tiers, with these arguments. Answers what it gives.
#[track_caller]
fn run(wasm: &[u8], params: &[Val]) -> String {
    let mut outcomes = Vec::new();
    for metered in [false, true] {
        for engine in tiers(metered) {
            let module = Module::new(&engine, wasm).unwrap();
            let mut store = Store::new(&engine, ());
            _ = store.set_fuel(u64::MAX / 2);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let func = instance.get_func(&store, "f").unwrap();
            let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
            let outcome = func.call(&mut store, params, &mut results);
            outcomes.push(match outcome {
                Ok(()) => format!("{results:?}"),
                Err(error) => format!("{:?}", error.trap()),
            });
        }
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    outcomes.swap_remove(0)
}

/// Compiles the module that `make` makes of a size and of twice that size: the code is at most linear.
#[track_caller]
fn check(size: usize, make: impl Fn(usize) -> Vec<u8>) {
    let sizes = [size, 2 * size].map(|size| {
        let wasm = make(size);
        run(&wasm, &[Val::I32(size as i32 / 3)]);
        let module = Module::new(&tiers(false)[0], wasm).unwrap();
        let func = inspect::functions(&module).len() as u32 - 1;
        [Target::X64, Target::Arm64].map(|target| {
            // An error is that it is left to the interpreter.
            inspect::machine_code(&module, func, target).map_or(0, |code| code.bytes.len())
        })
    });
    for (small, large) in sizes[0].into_iter().zip(sizes[1]) {
        assert!(large <= 5 * small / 2 + 1000, "{size}: {sizes:?}");
    }
}

#[test]
fn many_locals() {
    check(24_999, |size| {
        let mut body = Vec::new();
        for local in (1..=size).step_by(7) {
            body.extend(
                [op(GET, 0), vec![I64_EXTEND], op(GET, local), vec![I64_ADD], op(SET, local)]
                    .concat(),
            );
        }
        body.extend([op(GET, size), op(GET, 1), vec![I64_ADD]].concat());
        module(&[function(vec![(size, I64)], body)])
    });
}

#[test]
fn many_targets() {
    check(25_000, |size| {
        let depth = 100;
        let blocks = [BLOCK, EMPTY].repeat(depth);
        let targets = (0..size).flat_map(|i| number(i * i % depth));
        let mut body = [blocks, op(GET, 0), vec![BR_TABLE], number(size)].concat();
        body.extend(targets.chain(number(depth - 1)));
        for block in 0..depth {
            body.extend(
                [vec![END], op(GET, 0), op(CONST, block % 60), vec![I32_ADD], op(SET, 0)].concat(),
            );
        }
        body.extend([op(GET, 0), vec![I64_EXTEND]].concat());
        module(&[function(vec![], body)])
    });
}

/// Each target takes a value that is another one for each of them.
#[test]
fn many_targets_with_values() {
    check(400, |size| {
        let mut body = [BLOCK, I64].repeat(size);
        body.extend(
            [op(GET, 0), vec![I64_EXTEND], op(GET, 0), vec![BR_TABLE], number(size - 1)].concat(),
        );
        body.extend((0..size).flat_map(number));
        for _ in 0..size {
            body.extend([vec![END], op(GET, 0), vec![I64_EXTEND], vec![I64_ADD]].concat());
        }
        module(&[function(vec![], body)])
    });
}

#[test]
fn deep_nesting() {
    check(5000, |size| {
        let mut body = [BLOCK, I64].repeat(size);
        body.extend([op(GET, 0), vec![I64_EXTEND], op(GET, 0), op(BR_IF, size / 2)].concat());
        body.extend([op(GET, 0), op(BR_IF, size - 1)].concat());
        body.extend([END].repeat(size));
        module(&[function(vec![], body)])
    });
    check(1000, |size| {
        let inner = [op(GET, 0), op(CONST, 1), vec![I32_SUB], op(SET, 0)].concat();
        let mut body = [LOOP, EMPTY].repeat(size);
        body.extend(inner);
        for depth in 0..size {
            body.extend([op(GET, 0), op(CONST, depth % 50), vec![0x4a, BR_IF, 0, END]].concat());
        }
        body.extend([op(GET, 0), vec![I64_EXTEND]].concat());
        module(&[function(vec![], body)])
    });
}

#[test]
fn large_bodies() {
    // The larger one has a megabyte.
    check(37_500, |size| {
        let step =
            [op(GET, 1), vec![0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xa0], op(SET, 1)].concat();
        let body = [step.repeat(size), op(GET, 1), vec![0xfc, 6]].concat();
        module(&[function(vec![(1, F64)], body)])
    });
}

/// Hundreds of values of each class are on the operand stack and in locals, over calls, loops and blocks.
#[test]
fn many_values() {
    check(200, |size| {
        let call = op(CALL, 0);
        let conversions = [&[0x45][..], &[I64_EXTEND], &[0xb2], &[0xb7]];
        let back: [&[u8]; 4] = [&[I64_EXTEND], &[], &[0xfc, 4], &[0xfc, 6]];
        let mut body = Vec::new();
        for i in 0..size {
            let at = i % 4;
            body.extend(
                [op(GET, 0), op(CONST, i % 60), vec![I32_ADD], conversions[at].to_vec()].concat(),
            );
            if i % 3 == 0 {
                body.extend([op(GET, 1 + i % (4 * size)), vec![DROP]].concat());
            }
        }
        body.extend([vec![LOOP, EMPTY], op(GET, 0), call.clone(), vec![DROP]].concat());
        body.extend([op(GET, 0), op(CONST, 1), vec![I32_SUB], op(SET, 0)].concat());
        for (at, ty) in ALL.into_iter().enumerate() {
            let local = 1 + at * size;
            for i in 0..size {
                let next = local + (i + 1) % size;
                let add: &[u8] = match ty {
                    I32 => &[CONST, 1, I32_ADD],
                    I64 => &[0x42, 1, I64_ADD],
                    F32 => &[0x8f],
                    _ => &[0x9d],
                };
                body.extend([op(GET, next), add.to_vec(), op(SET, local + i)].concat());
            }
        }
        body.extend([op(GET, 0), op(CONST, 0), vec![0x4a, BR_IF, 0, END]].concat());
        body.extend([0x42, 0]);
        body.extend(op(SET, 1 + size));
        for i in (0..size).rev() {
            let sum = 1 + size;
            body.extend([back[i % 4].to_vec(), op(GET, sum), vec![I64_ADD], op(SET, sum)].concat());
        }
        body.extend(op(GET, 1 + size));
        let locals = ALL.map(|ty| (size, ty)).to_vec();
        let callee = function(vec![], [op(GET, 0), vec![I64_EXTEND]].concat());
        module(&[callee, function(locals, body)])
    });
}

#[test]
fn many_parameters() {
    const COUNT: usize = 1000;
    let types: Vec<u8> = ALL.into_iter().cycle().take(COUNT).collect();
    let zeros: [&[u8]; 4] =
        [&[CONST, 7], &[0x42, 9], &[0x43, 0, 0, 0x80, 0x3f], &[0x44, 0, 0, 0, 0, 0, 0, 0, 0x40]];
    let gets: Vec<u8> = (0..COUNT).flat_map(|i| op(GET, i)).collect();
    let of = |params: &[u8], body: Vec<u8>| Function {
        params: params.into(),
        results: types.clone(),
        locals: vec![],
        body,
    };
    let constants = zeros.concat().repeat(COUNT / 4);
    let same = of(&types, gets.clone());
    let calls = of(&types, [gets.clone(), op(CALL, 0), op(CALL, 0)].concat());
    let tail = of(&types, [gets, op(RETURN_CALL, 1)].concat());
    let last = of(&[I32], [constants.clone(), op(CALL, 2)].concat());
    let results = run(&module(&[same, calls, tail, last]), &[Val::I32(0)]);
    let direct = run(&module(&[of(&[I32], constants)]), &[Val::I32(0)]);
    assert_eq!(results, direct);
}

#[test]
fn many_handlers() {
    // Each loop catches what is called in the next one.
    check(60, |size| {
        let mut body = Vec::new();
        for _ in 0..size {
            body.extend([op(GET, 0), vec![BLOCK, EMPTY, TRY_TABLE, EMPTY, 1, 2, 0]].concat());
            body.extend([op(GET, 0), op(CALL, 0), vec![DROP]].concat());
        }
        for _ in 0..size {
            body.extend([END, END]);
            body.extend([op(GET, 0), vec![I32_ADD], op(SET, 0)].concat());
        }
        body.extend([op(GET, 0), vec![I64_EXTEND]].concat());
        let callee = function(vec![], [op(GET, 0), vec![I64_EXTEND]].concat());
        module(&[callee, function(vec![], body)])
    });
    check(700, |size| {
        let one = [
            vec![BLOCK, EMPTY, TRY_TABLE, EMPTY, 1, 2, 0],
            op(GET, 0),
            op(CALL, 0),
            vec![DROP, END, END],
        ];
        let body = [one.concat().repeat(size), op(GET, 0), vec![I64_EXTEND]].concat();
        let callee = function(vec![], [op(GET, 0), vec![I64_EXTEND]].concat());
        module(&[callee, function(vec![], body)])
    });
}

#[test]
fn many_small_blocks() {
    check(1500, |size| {
        let one = [
            op(GET, 0),
            vec![IF, EMPTY],
            op(GET, 0),
            op(CONST, 1),
            vec![I32_SUB],
            op(SET, 0),
            vec![ELSE, UNREACHABLE, END],
        ];
        let body = [one.concat().repeat(size), op(GET, 0), vec![I64_EXTEND, RETURN]].concat();
        module(&[function(vec![], body)])
    });
    // Nothing of it can be reached.
    check(7000, |size| {
        let body = [vec![BR, 0], [BLOCK, EMPTY, BR, 0, END].repeat(size)].concat();
        module(&[function(vec![], [op(GET, 0), vec![I64_EXTEND], body].concat())])
    });
}

/// Whatever ends a call, the store is of use afterwards.
#[test]
fn stores_after_calls_that_did_not_return() {
    const TEXT: &str = r#"(module
        (import "host" "do" (func $do (param i32) (result i32)))
        (import "host" "wait" (func $wait (param i32) (result i32)))
        (global $depth (export "depth") (mut i32) (i32.const 0))
        (func $deep (export "deep") (param i64 f64) (result i64)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)) (local.get 1))))
        (func $do_deep (export "do") (param i32 i32) (result i32)
            (if (result i32) (local.get 1)
                (then (i32.add (i32.const 1)
                    (call $do_deep (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))
                (else (call $do (local.get 0)))))
        (func $wait_deep (export "wait") (param i32 i32) (result i32)
            (if (result i32) (local.get 1)
                (then (i32.add (i32.const 1)
                    (call $wait_deep (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))
                (else (call $wait (local.get 0))))))"#;
    for metered in [false, true] {
        for engine in tiers(metered) {
            let module = Module::new(&engine, TEXT).unwrap();
            let mut store = Store::new(&engine, ());
            _ = store.set_fuel(1 << 40);
            let mut linker = Linker::new(&engine);
            let act = |mut caller: Caller<'_, ()>, what: i32| -> Result<i32, Error> {
                match what {
                    0 => Ok(40),
                    1 => Err(Trap::IntegerOverflow.into()),
                    2 => panic!("as it should"),
                    3 => Err(Error::msg("no")),
                    _ => {
                        let again =
                            caller.get_export("deep").and_then(|it| it.into_func()).unwrap();
                        let params = [Val::I64(1), Val::F64(0)];
                        again.call(caller.as_context_mut(), &params, &mut [Val::I64(0)])?;
                        Ok(0)
                    }
                }
            };
            linker.func_wrap("host", "do", act).unwrap();
            let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
            linker
                .func_new_async("host", "wait", ty, |_, _, _| {
                    Box::new(async { Err(Error::msg("late")) })
                })
                .unwrap();
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let get = |store: &Store<()>, name: &str| instance.get_func(store, name).unwrap();
            let call = |store: &mut Store<()>, func: Func, params: &[Val]| {
                let mut results =
                    [func.ty(&*store).results().next().map_or(Val::I32(0), |_| Val::I32(0))];
                func.call(store, params, &mut results).map(|()| results[0].i32())
            };
            let [deep, act, wait] = ["deep", "do", "wait"].map(|name| get(&store, name));
            let works = |store: &mut Store<()>| {
                let results = call(store, act, &[Val::I32(0), Val::I32(100)]).unwrap();
                assert_eq!(results, Some(140));
            };
            for _ in 0..2 {
                let error = call(&mut store, deep, &[Val::I64(0), Val::F64(0)]).unwrap_err();
                assert_eq!(error.trap(), Some(Trap::StackOverflow));
                works(&mut store);
                for (what, trap) in
                    [(1, Some(Trap::IntegerOverflow)), (3, None), (4, Some(Trap::StackOverflow))]
                {
                    let error = call(&mut store, act, &[Val::I32(what), Val::I32(20)]).unwrap_err();
                    assert_eq!(error.trap(), trap);
                    works(&mut store);
                }
                let panics = || call(&mut store, act, &[Val::I32(2), Val::I32(20)]);
                assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
                works(&mut store);
                // One that is dropped while it waits, one that goes on, one that fails.
                for how in 0..3 {
                    let mut execution =
                        wait.start(&mut store, &[Val::I32(0), Val::I32(30)]).unwrap();
                    let step = execution.run(&mut store, Budget::unlimited()).unwrap();
                    assert!(matches!(step, Step::Pending(_)));
                    works(&mut store);
                    if how == 1 {
                        execution.resume(&mut store, &[Val::I32(5)]).unwrap();
                        match execution.run(&mut store, Budget::unlimited()).unwrap() {
                            Step::Done(results) => assert_eq!(results[0].i32(), Some(35)),
                            step => panic!("{step:?}"),
                        }
                    } else if how == 2 {
                        let done = pollster::block_on(execution.finish_host_call(&mut store));
                        let failed = done.and_then(|()| {
                            execution.run(&mut store, Budget::unlimited()).map(drop)
                        });
                        assert!(failed.unwrap_err().to_string().contains("late"));
                    }
                    drop(execution);
                    works(&mut store);
                }
                let error = call(&mut store, wait, &[Val::I32(0), Val::I32(3)]).unwrap_err();
                assert!(error.to_string().contains("suspended"), "{error}");
                works(&mut store);
            }
        }
    }
}
