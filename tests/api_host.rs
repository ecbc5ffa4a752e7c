//! Host functions: arguments and results, re-entrancy, errors, panics.

mod common;

use common::{call, link};
use kinglet::{
    Caller, Config, Engine, Error, ErrorKind, Extern, ExternRef, Func, FuncType, Linker, Module,
    OwnedRooted, Rooted, RootedGcRef, Store, Trap, Val, ValType, format_err,
};
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[test]
fn all_types_go_in_and_out() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker
        .func_wrap("h", "all", |a: i32, b: u32, c: i64, d: u64, e: f32, f: f64| {
            (a - 1, b + 1, c - 1, d + 1, e * 2.0, f * 2.0)
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "all" (func $all
            (param i32 i32 i64 i64 f32 f64) (result i32 i32 i64 i64 f32 f64)))
        (func (export "all") (param i32 i32 i64 i64 f32 f64) (result i32 i32 i64 i64 f32 f64)
            (call $all (local.get 0) (local.get 1) (local.get 2)
                (local.get 3) (local.get 4) (local.get 5))))"#;
    let (mut store, instance) = link(&linker, (), wat);
    type All = (i32, u32, i64, u64, f32, f64);
    let all = instance.get_typed_func::<All, All>(&store, "all").unwrap();
    let params = (i32::MIN + 1, u32::MAX - 1, i64::MIN + 1, u64::MAX - 1, -0.0, 1e300);
    let (a, b, c, d, e, f) = all.call(&mut store, params).unwrap();
    assert_eq!((a, b, c, d, f), (i32::MIN, u32::MAX, i64::MIN, u64::MAX, 2e300));
    assert!(e == 0.0 && e.is_sign_negative());

    let mut results = [Val::I32(0); 6];
    let vals = [Val::I32(-5), 5u32.into(), Val::I64(-5), 5u64.into(), 1f32.into(), f64::NAN.into()];
    all.func().call(&mut store, &vals, &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(-6));
    assert_eq!(results[3].i64(), Some(6));
    assert!(results[5].unwrap_f64().is_nan());
}

#[test]
fn sixteen_parameters_and_results() {
    let mut store = Store::new(&Engine::default(), ());
    let func = Func::wrap(
        &mut store,
        |a: i32,
         b: i32,
         c: i32,
         d: i32,
         e: i32,
         f: i32,
         g: i32,
         h: i32,
         i: i32,
         j: i32,
         k: i32,
         l: i32,
         m: i32,
         n: i32,
         o: i32,
         p: i32| { (p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a) },
    );
    type T = (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32);
    let reverse = func.typed::<T, T>(&store).unwrap();
    let result =
        reverse.call(&mut store, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)).unwrap();
    assert_eq!(result.0, 16);
    assert_eq!(result.7, 9);
    assert_eq!(result.15, 1);
}

#[test]
fn untyped_functions_see_and_set_values() {
    let engine = Engine::default();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let ty = FuncType::new(&engine, [ValType::I64, ValType::F32], [ValType::F32, ValType::I64]);
    linker
        .func_new("h", "swap", ty, |mut caller, params, results| {
            caller.data_mut().push(format!("{params:?}"));
            results[0] = params[1];
            results[1] = params[0];
            Ok(())
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "swap" (func $swap (param i64 f32) (result f32 i64)))
        (func (export "swap") (param i64 f32) (result f32 i64)
            (call $swap (local.get 0) (local.get 1))))"#;
    let (mut store, instance) = link(&linker, vec![], wat);
    let result = call::<_, (i64, f32), (f32, i64)>(&mut store, instance, "swap", (7, 0.5));
    assert_eq!(result.unwrap(), (0.5, 7));
    assert_eq!(store.data().len(), 1);
}

#[test]
fn untyped_functions_must_return_the_right_types() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [], [ValType::I32]);
    let func = Func::new(&mut store, ty, |_, _, results| {
        results[0] = Val::I64(1);
        Ok(())
    });
    let error = func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "host function returned a wrong value: \
         result type mismatch: result 0 is of type i64, expected i32"
    );
}

#[test]
fn host_functions_can_call_back() {
    let mut linker = Linker::<u32>::new(&Engine::default());
    linker
        .func_wrap("h", "factorial", |mut caller: Caller<'_, u32>, n: i64| {
            *caller.data_mut() += 1;
            let guest = caller.get_export("factorial").and_then(Extern::into_func).unwrap();
            guest.typed::<i64, i64>(&caller)?.call(&mut caller, n)
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "factorial" (func $host (param i64) (result i64)))
        (func (export "factorial") (param i64) (result i64)
            (if (result i64) (i64.eqz (local.get 0))
                (then (i64.const 1))
                (else (i64.mul (local.get 0)
                    (call $host (i64.sub (local.get 0) (i64.const 1))))))))"#;
    let (mut store, instance) = link(&linker, 0, wat);
    assert_eq!(
        call::<_, i64, i64>(&mut store, instance, "factorial", 20).unwrap(),
        2_432_902_008_176_640_000
    );
    assert_eq!(*store.data(), 20);
}

#[test]
fn endless_recursion_through_the_host_overflows_the_stack() {
    endless_recursion(&Config::new());
    // However large the guest's stack may be, the host's is not.
    endless_recursion(Config::new().max_wasm_stack(1 << 30));
}

fn endless_recursion(config: &Config) {
    let mut linker = Linker::<()>::new(&Engine::new(config).unwrap());
    linker
        .func_wrap("h", "again", |mut caller: Caller<'_, ()>| {
            let run = caller.get_export("run").and_then(Extern::into_func).unwrap();
            run.typed::<(), ()>(&caller)?.call(&mut caller, ())
        })
        .unwrap();
    let wat = r#"(module (import "h" "again" (func $again)) (func (export "run") (call $again)))"#;
    let (mut store, instance) = link(&linker, (), wat);
    for _ in 0..2 {
        let error = call::<_, (), ()>(&mut store, instance, "run", ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[derive(Debug, PartialEq)]
struct Refused(u32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

#[test]
fn errors_reach_the_embedder_unchanged_and_leave_the_store_usable() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker
        .func_wrap("h", "fail", |how: u32| -> Result<u32, Error> {
            match how {
                0 => Err(Error::new(Refused(7))),
                1 => Err(Trap::IntegerOverflow.into()),
                2 => Err(format_err!("number {how}")),
                3 => Err(Error::i32_exit(42)),
                4 => Err(io::Error::other("disk").into()),
                _ => Ok(how),
            }
        })
        .unwrap();
    linker.func_wrap("h", "own", || -> Result<(), Refused> { Err(Refused(1)) }).unwrap();
    linker.func_wrap("h", "text", || -> Result<(), &str> { Err("just text") }).unwrap();
    let wat = r#"(module
        (import "h" "fail" (func $fail (param i32) (result i32)))
        (import "h" "own" (func $own))
        (import "h" "text" (func $text))
        (func $inner (param i32) (result i32) (call $fail (local.get 0)))
        (func (export "run") (param i32) (result i32) (call $inner (local.get 0)))
        (func (export "own") (call $own))
        (func (export "text") (call $text)))"#;
    let (mut store, instance) = link(&linker, (), wat);
    let mut fail = |how| {
        let error = call::<_, u32, u32>(&mut store, instance, "run", how).unwrap_err();
        assert_eq!(call::<_, u32, u32>(&mut store, instance, "run", 9).unwrap(), 9);
        error
    };
    let error = fail(0);
    assert_eq!(error.downcast_ref(), Some(&Refused(7)));
    assert_eq!(error.kind(), ErrorKind::Host);
    assert_eq!(format!("{error:#}"), "refused 7");
    let names: Vec<_> =
        error.wasm_backtrace().unwrap().frames().iter().map(|frame| frame.func_name()).collect();
    assert_eq!(names, [Some("inner"), None]);
    // `local.get 0` and `call` of both functions, behind the byte that says that there are no locals.
    let offsets: Vec<_> =
        error.wasm_backtrace().unwrap().frames().iter().map(|frame| frame.func_offset()).collect();
    assert_eq!(offsets, [Some(3), Some(3)]);
    assert_eq!(error.downcast::<Refused>().unwrap(), Refused(7));
    assert_eq!(fail(1).trap(), Some(Trap::IntegerOverflow));
    assert_eq!(format!("{:#}", fail(2)), "number 2");
    let exit = fail(3);
    assert_eq!(exit.i32_exit_status(), Some(42));
    assert_eq!(exit.downcast_ref::<kinglet::I32Exit>().unwrap().0, 42);
    assert!(fail(4).is::<io::Error>());
    let error = call::<_, (), ()>(&mut store, instance, "own", ()).unwrap_err();
    assert!(error.is::<Refused>());
    let error = call::<_, (), ()>(&mut store, instance, "text", ()).unwrap_err();
    assert_eq!(format!("{error:#}"), "just text");
}

#[test]
fn panics_pass_through_and_leave_the_store_usable() {
    let mut linker = Linker::<u32>::new(&Engine::default());
    linker
        .func_wrap("h", "panic", |mut caller: Caller<'_, u32>, depth: i32| {
            *caller.data_mut() += 1;
            if depth == 0 {
                panic!("out of luck");
            }
            let run = caller.get_export("run").and_then(Extern::into_func).unwrap();
            run.typed::<i32, ()>(&caller)?.call(&mut caller, depth - 1)
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "panic" (func $panic (param i32)))
        (func (export "run") (param i32) (call $panic (local.get 0)))
        (func $deep (export "deep") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
                (then (i32.const 0))
                (else (i32.add (i32.const 1)
                    (call $deep (i32.sub (local.get 0) (i32.const 1))))))))"#;
    let (mut store, instance) = link(&linker, 0, wat);
    for _ in 0..100 {
        let panic =
            catch_unwind(AssertUnwindSafe(|| call::<_, i32, ()>(&mut store, instance, "run", 3)));
        assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "out of luck");
    }
    assert_eq!(*store.data(), 400);
    // All of the stack is there again.
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "deep", 5_000).unwrap(), 5_000);
}

#[test]
fn references_travel() {
    type Reference = Option<Rooted<ExternRef>>;
    type Kept = Vec<Option<OwnedRooted<ExternRef>>>;
    let mut linker = Linker::<Kept>::new(&Engine::default());
    linker
        .func_wrap(
            "h",
            "keep",
            |mut caller: Caller<'_, Kept>, reference: Reference| -> kinglet::Result<Reference> {
                let kept = reference.map(|r| r.to_owned_rooted(&mut caller)).transpose()?;
                caller.data_mut().push(kept);
                Ok(reference)
            },
        )
        .unwrap();
    linker
        .func_wrap("h", "apply", |mut caller: Caller<'_, _>, func: Option<Func>, n: i32| {
            let func = func.ok_or(Trap::NullReference)?;
            func.typed::<i32, i32>(&caller)?.call(&mut caller, n)
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "keep" (func $keep (param externref) (result externref)))
        (import "h" "apply" (func $apply (param funcref i32) (result i32)))
        (elem declare func $double)
        (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        (func (export "keep") (param externref) (result externref)
            (drop (call $keep (ref.null extern)))
            (call $keep (local.get 0)))
        (func (export "apply") (param i32) (result i32)
            (call $apply (ref.func $double) (local.get 0)))
        (func (export "double") (result funcref) (ref.func $double)))"#;
    let (mut store, instance) = link(&linker, vec![], wat);
    let reference = ExternRef::new(&mut store, String::from("precious")).unwrap();
    let keep = instance.get_typed_func::<Reference, Reference>(&store, "keep").unwrap();
    let back = keep.call(&mut store, Some(reference)).unwrap().unwrap();
    assert!(Rooted::ref_eq(&store, &back, &reference).unwrap());
    let data = back.data(&store).unwrap().unwrap();
    assert_eq!(data.downcast_ref::<String>().unwrap(), "precious");
    let [None, Some(kept)] = &store.data()[..] else { panic!("{:?}", store.data()) };
    assert!(Rooted::ref_eq(&store, kept, &reference).unwrap());
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "apply", 21).unwrap(), 42);
    let double = instance.get_typed_func::<(), Option<Func>>(&store, "double").unwrap();
    let double = double.call(&mut store, ()).unwrap().unwrap();
    let double = double.typed::<i32, i32>(&store).unwrap();
    assert_eq!(double.call(&mut store, 4).unwrap(), 8);
}

#[test]
fn the_caller_is_the_instance_that_calls() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("h", "who", |mut caller: Caller<'_, ()>| {
            let Some(Extern::Global(id)) = caller.get_export("id") else { return -1 };
            let id = id.get(&mut caller).unwrap_i32();
            assert!(caller.get_export("nothing").is_none());
            id
        })
        .unwrap();
    let wat = |id| {
        format!(
            r#"(module
                (import "h" "who" (func $who (result i32)))
                (export "direct" (func $who))
                (global (export "id") i32 (i32.const {id}))
                (func (export "who") (result i32) (call $who)))"#
        )
    };
    let mut store = Store::new(&engine, ());
    for id in [3, 4] {
        let module = Module::new(&engine, wat(id)).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(call::<_, (), i32>(&mut store, instance, "who", ()).unwrap(), id);
        // Called by the host, there is no instance.
        assert_eq!(call::<_, (), i32>(&mut store, instance, "direct", ()).unwrap(), -1);
    }
}

#[test]
fn data_and_memory_can_be_used_at_once() {
    let mut linker = Linker::<Vec<u8>>::new(&Engine::default());
    linker
        .func_wrap("h", "take", |mut caller: Caller<'_, Vec<u8>>, at: u32, len: u32| {
            let memory = caller.get_export("m").and_then(Extern::into_memory).unwrap();
            let (bytes, data) = memory.data_and_store_mut(&mut caller);
            let range = at as usize..at as usize + len as usize;
            data.extend(bytes.get(range).ok_or(Trap::MemoryOutOfBounds)?);
            bytes[0] = 1;
            Ok::<_, Trap>(())
        })
        .unwrap();
    let wat = r#"(module
        (import "h" "take" (func $take (param i32 i32)))
        (memory (export "m") 1)
        (data (i32.const 10) "abc")
        (func (export "take") (param i32 i32) (result i32)
            (call $take (local.get 0) (local.get 1))
            (i32.load8_u (i32.const 0))))"#;
    let (mut store, instance) = link(&linker, vec![], wat);
    let take = instance.get_typed_func::<(u32, u32), i32>(&store, "take").unwrap();
    assert_eq!(take.call(&mut store, (10, 3)).unwrap(), 1);
    assert_eq!(store.data(), b"abc");
    let error = take.call(&mut store, (65_536, 1)).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn calls_nest_through_the_host() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("", "again", |mut caller: Caller<'_, u32>, n: i32| -> kinglet::Result<i32> {
            *caller.data_mut() += 1;
            let func = caller.get_export("f").and_then(Extern::into_func).unwrap();
            let func = func.typed::<i32, i32>(&caller)?;
            // The first call leaves everything as the second one needs it.
            func.call(&mut caller, n & 1)?;
            func.call(&mut caller, n - 1)
        })
        .unwrap();
    let wat = r#"(module
        (import "" "again" (func $again (param i32) (result i32)))
        (func (export "f") (param i32) (result i32)
            (if (i32.eq (local.get 0) (i32.const -5)) (then unreachable))
            (if (i32.le_s (local.get 0) (i32.const 1)) (then (return (local.get 0))))
            (if (i32.and (local.get 0) (i32.const 1)) (then (return_call $again (local.get 0))))
            (i32.add (i32.const 1) (call $again (local.get 0)))))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let func = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
    for round in 1..4 {
        assert_eq!(func.call(&mut store, 9).unwrap(), 5);
        assert_eq!(*store.data(), 8 * round);
        let trap = func.call(&mut store, -5).unwrap_err().trap();
        assert_eq!(trap, Some(Trap::UnreachableCodeReached));
    }
    // However deep they nest, there is an end.
    let trap = func.call(&mut store, i32::MAX).unwrap_err().trap();
    assert_eq!(trap, Some(Trap::StackOverflow));
    assert_eq!(func.call(&mut store, 9).unwrap(), 5);
}
