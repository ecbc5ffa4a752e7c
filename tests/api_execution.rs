//! Calls that stop and go on: fuel in slices, interruption, pending host calls, async.

mod common;

use common::link;
use kinglet::{
    Budget, Caller, Config, Engine, Error, Execution, Extern, Func, FuncType, Instance, Linker,
    Module, ResumableCall, Step, Store, Trap, Val, ValType,
};
use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

const COUNT: &str = r#"(module
    (func (export "count") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
        (local.get 1))
    (func $fib (export "fib") (param i64) (result i64)
        (if (result i64) (i64.lt_u (local.get 0) (i64.const 2))
            (then (local.get 0))
            (else (i64.add
                (call $fib (i64.sub (local.get 0) (i64.const 1)))
                (call $fib (i64.sub (local.get 0) (i64.const 2))))))))"#;

fn metered(wat: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    link(&Linker::new(&engine), (), wat)
}

/// Runs to the end in slices of `fuel`. Answers the results and the number of slices.
fn run_sliced(execution: &mut Execution, store: &mut Store<()>, fuel: u64) -> (Vec<Val>, u32) {
    for slices in 1..1_000_000 {
        match execution.run(&mut *store, Budget::fuel(fuel)).unwrap() {
            Step::Done(results) => return (results, slices),
            Step::OutOfFuel => {}
            step => panic!("{step:?}"),
        }
    }
    panic!("no end")
}

#[test]
fn slices_of_fuel_add_up_to_the_same_result() {
    let (mut store, instance) = metered(COUNT);
    let fib = instance.get_func(&store, "fib").unwrap();
    let mut total = |slice| {
        let mut execution = fib.start(&mut store, &[Val::I64(15)]).unwrap();
        let (results, slices) = run_sliced(&mut execution, &mut store, slice);
        assert_eq!(results[0].i64(), Some(610));
        slices
    };
    assert_eq!(total(u64::MAX), 1);
    let (many, few) = (total(100), total(1000));
    assert!(many > 5 * few && few > 3, "{many} {few}");
}

#[test]
fn an_execution_says_how_much_fuel_it_needs() {
    let (mut store, instance) = metered(COUNT);
    let fib = instance.get_func(&store, "fib").unwrap();
    let mut execution = fib.start(&mut store, &[Val::I64(8)]).unwrap();
    let mut fuel = 0;
    for _ in 0..10_000 {
        match execution.run(&mut store, Budget::fuel(fuel)).unwrap() {
            Step::Done(results) => {
                assert_eq!(results[0].i64(), Some(21));
                return;
            }
            Step::OutOfFuel => fuel = execution.required_fuel(),
            step => panic!("{step:?}"),
        }
        assert!((1..100).contains(&fuel));
    }
    panic!("no end");
}

#[test]
fn several_executions_take_turns_in_one_store() {
    let (mut store, instance) = metered(COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut running: Vec<(i32, Execution)> =
        [500, 100, 300].map(|n| (n, count.start(&mut store, &[Val::I32(n)]).unwrap())).into();
    let mut finished = Vec::new();
    while !running.is_empty() {
        running.retain_mut(|(n, execution)| {
            match execution.run(&mut store, Budget::fuel(200)).unwrap() {
                Step::Done(results) => {
                    assert_eq!(results[0].i32(), Some(*n));
                    finished.push(*n);
                    false
                }
                _ => true,
            }
        });
    }
    assert_eq!(finished, [100, 300, 500]);
}

#[test]
fn a_budget_is_the_fuel_of_the_store() {
    let (mut store, instance) = metered(COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut execution = count.start(&mut store, &[Val::I32(10)]).unwrap();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::OutOfFuel));
    store.set_fuel(10_000).unwrap();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::Done(_)));
    let left = store.get_fuel().unwrap();
    assert!(left > 9_000 && left < 10_000, "{left}");
}

#[test]
fn an_execution_that_ended_cannot_run() {
    let (mut store, instance) = metered(COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut execution = count.start(&mut store, &[Val::I32(1)]).unwrap();
    run_sliced(&mut execution, &mut store, 1000);
    let error = execution.run(&mut store, Budget::unlimited()).unwrap_err();
    assert_eq!(error.to_string(), "the execution has ended");
    assert!(execution.resume(&mut store, &[]).is_err());
    assert!(count.start(&mut store, &[]).is_err());
}

#[test]
fn budgets_of_fuel_need_an_engine_that_consumes_it() {
    let (mut store, instance) = link(&Linker::new(&Engine::default()), (), COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut execution = count.start(&mut store, &[Val::I32(1)]).unwrap();
    assert!(execution.run(&mut store, Budget::fuel(5)).is_err());
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::Done(_)));
}

#[test]
fn interrupted_executions_can_go_on() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let (mut store, instance) = link(&Linker::new(&engine), (), COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut execution = count.start(&mut store, &[Val::I32(1_000_000)]).unwrap();
    store.interrupt_handle().interrupt();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::Interrupted));
    store.set_epoch_deadline(1);
    engine.increment_epoch();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::Interrupted));
    store.set_epoch_deadline(u64::MAX);
    match execution.run(&mut store, Budget::unlimited()).unwrap() {
        Step::Done(results) => assert_eq!(results[0].i32(), Some(1_000_000)),
        step => panic!("{step:?}"),
    }
}

#[test]
fn traps_end_an_execution_with_a_backtrace() {
    let wat = r#"(module
        (func $bad (result i32) (i32.div_s (i32.const 1) (i32.const 0)))
        (func (export "run") (drop (call $bad))))"#;
    let (mut store, instance) = link(&Linker::new(&Engine::default()), (), wat);
    let run = instance.get_func(&store, "run").unwrap();
    let mut execution = run.start(&mut store, &[]).unwrap();
    let error = execution.run(&mut store, Budget::unlimited()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
    let frames = error.wasm_backtrace().unwrap().frames();
    assert_eq!(frames.len(), 2);
    assert_eq!((frames[0].func_index(), frames[0].func_name()), (0, Some("bad")));
    assert_eq!((frames[1].func_index(), frames[1].func_name()), (1, None));
    assert!(frames[0].module_offset() < frames[1].module_offset());
    let text = error.to_string();
    assert!(text.starts_with("wasm trap: integer divide by zero\nwasm backtrace:\n"), "{text}");
    assert!(text.contains("!bad") && text.contains("<wasm function 1>"), "{text}");
    let error = execution.run(&mut store, Budget::unlimited()).unwrap_err();
    assert_eq!(error.to_string(), "the execution has ended");
}

/// A future that is pending `n` times and wakes itself.
struct Yield(u32);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

const FETCH: &str = r#"(module
    (import "host" "fetch" (func $fetch (param i32) (result i64)))
    (func $sum (export "sum") (param i32) (result i64)
        (if (result i64) (i32.eqz (local.get 0))
            (then (i64.const 0))
            (else (i64.add
                (call $fetch (local.get 0))
                (call $sum (i32.sub (local.get 0) (i32.const 1)))))))
    (func (export "tail") (param i32) (result i64) (return_call $fetch (local.get 0)))
    (export "fetch" (func $fetch)))"#;

fn fetching() -> Linker<Vec<i32>> {
    let mut linker = Linker::new(&Engine::default());
    linker
        .func_wrap_async("host", "fetch", |mut caller: Caller<'_, Vec<i32>>, (n,): (i32,)| {
            Box::new(async move {
                Yield(3).await;
                caller.data_mut().push(n);
                if n < 0 { Err(Error::msg("nothing there")) } else { Ok(i64::from(n) * 10) }
            })
        })
        .unwrap();
    linker
}

#[test]
fn asynchronous_host_functions_suspend_the_guest() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    for (name, n, result, log) in
        [("sum", 4, 100, vec![4, 3, 2, 1]), ("tail", 5, 50, vec![5]), ("fetch", 6, 60, vec![6])]
    {
        let func = instance.get_typed_func::<i32, i64>(&store, name).unwrap();
        assert_eq!(pollster::block_on(func.call_async(&mut store, n)).unwrap(), result);
        assert_eq!(std::mem::take(store.data_mut()), log);
        let mut results = [Val::I32(0)];
        let params = [Val::I32(n)];
        let call = func.func().call_async(&mut store, &params, &mut results);
        pollster::block_on(call).unwrap();
        assert_eq!(results[0].i64(), Some(result));
        store.data_mut().clear();
    }
}

#[test]
fn futures_of_calls_can_be_sent_and_run_side_by_side() {
    fn send<F: Future + Send>(future: F) -> F {
        future
    }
    let linker = fetching();
    let (mut a, instance_a) = link(&linker, vec![], FETCH);
    let (mut b, instance_b) = link(&linker, vec![], FETCH);
    let sum_a = instance_a.get_typed_func::<i32, i64>(&a, "sum").unwrap();
    let sum_b = instance_b.get_typed_func::<i32, i64>(&b, "sum").unwrap();
    let mut calls =
        [Box::pin(send(sum_a.call_async(&mut a, 3))), Box::pin(send(sum_b.call_async(&mut b, 5)))]
            .map(Some);
    let mut results = [0, 0];
    let polls = AtomicUsize::new(0);
    pollster::block_on(std::future::poll_fn(|context| {
        polls.fetch_add(1, Ordering::Relaxed);
        for (call, result) in calls.iter_mut().zip(&mut results) {
            if let Some(future) = call
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = value.unwrap();
                *call = None;
            }
        }
        if calls.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    }));
    drop(calls);
    assert_eq!(results, [60, 150]);
    assert!(polls.into_inner() > 15);
    assert_eq!(b.data().len(), 5);
}

#[test]
fn errors_of_asynchronous_host_functions_end_the_call() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    let tail = instance.get_typed_func::<i32, i64>(&store, "tail").unwrap();
    let error = pollster::block_on(tail.call_async(&mut store, -1)).unwrap_err();
    assert_eq!(format!("{error:#}"), "nothing there");
    assert_eq!(pollster::block_on(tail.call_async(&mut store, 1)).unwrap(), 10);
}

#[test]
fn abandoned_calls_leave_the_store_usable() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    let sum = instance.get_typed_func::<i32, i64>(&store, "sum").unwrap();
    for _ in 0..10 {
        let mut call = Box::pin(sum.call_async(&mut store, 3));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(pollster::block_on(sum.call_async(&mut store, 2)).unwrap(), 30);
}

#[test]
fn the_embedder_can_answer_for_a_host_function() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    let sum = instance.get_func(&store, "sum").unwrap();
    let mut execution = sum.start(&mut store, &[Val::I32(3)]).unwrap();
    for n in [3, 2, 1] {
        let Step::Pending(call) = execution.run(&mut store, Budget::unlimited()).unwrap() else {
            panic!("no call");
        };
        assert_eq!(call.params()[0].i32(), Some(n));
        assert_eq!(call.func().ty(&store).to_string(), "(func (param i32) (result i64))");
        assert!(execution.run(&mut store, Budget::unlimited()).is_err());
        assert!(execution.resume(&mut store, &[Val::I32(0)]).is_err());
        if n == 2 {
            pollster::block_on(execution.finish_host_call(&mut store)).unwrap();
        } else {
            execution.resume(&mut store, &[Val::I64(7)]).unwrap();
        }
    }
    match execution.run(&mut store, Budget::unlimited()).unwrap() {
        Step::Done(results) => assert_eq!(results[0].i64(), Some(7 + 20 + 7)),
        step => panic!("{step:?}"),
    }
    assert_eq!(*store.data(), [2]);
}

#[test]
fn executions_outlive_borrows_of_their_store_and_move_between_threads() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    let sum = instance.get_func(&store, "sum").unwrap();
    let mut execution = sum.start(&mut store, &[Val::I32(1)]).unwrap();
    assert!(matches!(execution.run(&mut store, Budget::unlimited()).unwrap(), Step::Pending(_)));
    let results = std::thread::spawn(move || {
        execution.resume(&mut store, &[Val::I64(5)]).unwrap();
        match execution.run(&mut store, Budget::unlimited()).unwrap() {
            Step::Done(results) => results[0].i64(),
            step => panic!("{step:?}"),
        }
    });
    assert_eq!(results.join().unwrap(), Some(5));
}

#[test]
fn synchronous_calls_cannot_wait() {
    let (mut store, instance) = link(&fetching(), vec![], FETCH);
    for name in ["sum", "tail", "fetch"] {
        let func = instance.get_typed_func::<i32, i64>(&store, name).unwrap();
        let error = func.call(&mut store, 1).unwrap_err();
        assert!(error.to_string().contains("asynchronous host function"), "{name}: {error}");
    }
    // Neither can a guest that a synchronous host function calls.
    let mut linker = fetching();
    linker
        .func_wrap("host", "nest", |mut caller: Caller<'_, Vec<i32>>| -> kinglet::Result<i64> {
            let sum = caller.get_export("sum").and_then(Extern::into_func).unwrap();
            sum.typed::<i32, i64>(&caller)?.call(&mut caller, 1)
        })
        .unwrap();
    let wat = FETCH.replacen(
        "(func $sum",
        r#"(import "host" "nest" (func $nest (result i64))) (func (export "nest") (result i64) (call $nest)) (func $sum"#,
        1,
    );
    let (mut store, instance) = link(&linker, vec![], &wat);
    let nest = instance.get_typed_func::<(), i64>(&store, "nest").unwrap();
    assert!(pollster::block_on(nest.call_async(&mut store, ())).is_err());
    let sum = instance.get_typed_func::<i32, i64>(&store, "sum").unwrap();
    assert_eq!(pollster::block_on(sum.call_async(&mut store, 1)).unwrap(), 10);
}

#[test]
fn untyped_asynchronous_functions() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 1);
    let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32, ValType::I32]);
    let func = Func::new_async(&mut store, ty, |caller, params, results| {
        Box::new(async move {
            Yield(1).await;
            results[0] = params[0];
            results[1] = Val::I32(*caller.data());
            Ok(())
        })
    });
    let mut results = [Val::I32(0); 2];
    pollster::block_on(func.call_async(&mut store, &[Val::I32(8)], &mut results)).unwrap();
    assert_eq!(results.map(|val| val.unwrap_i32()), [8, 1]);
    let wrapped = Func::wrap_async(&mut store, |_: Caller<'_, i32>, (a, b): (i32, f32)| {
        Box::new(async move { (b, a) })
    });
    let wrapped = wrapped.typed::<(i32, f32), (f32, i32)>(&store).unwrap();
    assert_eq!(pollster::block_on(wrapped.call_async(&mut store, (1, 2.0))).unwrap(), (2.0, 1));
}

#[test]
fn start_functions_can_wait() {
    let linker = fetching();
    let wat = r#"(module
        (import "host" "fetch" (func $fetch (param i32) (result i64)))
        (func $start (drop (call $fetch (i32.const 9))))
        (start $start))"#;
    let module = Module::new(linker.engine(), wat).unwrap();
    let mut store = Store::new(linker.engine(), vec![]);
    pollster::block_on(linker.instantiate_async(&mut store, &module)).unwrap();
    assert_eq!(*store.data(), [9]);
    assert!(linker.instantiate(&mut store, &module).is_err());
}

#[test]
fn host_functions_see_and_set_fuel() {
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let mut linker = Linker::<Vec<u64>>::new(&engine);
    linker
        .func_wrap("host", "refuel", |mut caller: Caller<'_, Vec<u64>>| {
            let fuel = caller.get_fuel().unwrap();
            caller.data_mut().push(fuel);
            caller.set_fuel(500).unwrap();
        })
        .unwrap();
    let wat = r#"(module
        (import "host" "refuel" (func $refuel))
        (func (export "run") (param i32)
            (loop $l
                (call $refuel)
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    let (mut store, instance) = link(&linker, vec![], wat);
    store.set_fuel(500).unwrap();
    let run = instance.get_typed_func::<i32, ()>(&store, "run").unwrap();
    run.call(&mut store, 1000).unwrap();
    assert_eq!(store.data().len(), 1000);
    assert!(
        store.data().iter().all(|&fuel| (400..500).contains(&fuel)),
        "{:?}",
        &store.data()[..9]
    );
}

#[test]
fn resumable_calls() {
    let (mut store, instance) = metered(COUNT);
    let count = instance.get_func(&store, "count").unwrap();
    let mut results = [Val::I32(0)];
    store.set_fuel(100).unwrap();
    let mut call = count.call_resumable(&mut store, &[Val::I32(1000)], &mut results).unwrap();
    let mut refuelled = 0;
    while let ResumableCall::OutOfFuel(pending) = call {
        store.set_fuel(pending.required_fuel().max(100)).unwrap();
        refuelled += 1;
        call = pending.resume(&mut store, &mut results).unwrap();
    }
    assert!(matches!(call, ResumableCall::Finished));
    assert_eq!(results[0].i32(), Some(1000));
    assert!(refuelled > 10);
}

/// The result of a call by reference is expected in a register as well.
#[test]
fn answers_for_functions_that_are_called_by_reference_arrive() {
    let engine = Engine::default();
    let wat = r#"(module
        (type $f (func (param i32) (result i32)))
        (import "" "f" (func $f (type $f)))
        (table funcref (elem $f))
        (func (export "table") (result i32)
            (i32.add (call_indirect (type $f) (i32.const 5) (i32.const 0)) (i32.const 1)))
        (func (export "ref") (param (ref $f)) (result i32)
            (i32.add (call_ref $f (i32.const 5) (local.get 0)) (i32.const 1))))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
    let f = Func::new_async(&mut store, ty, |_, _, _| Box::new(async { Ok(()) }));
    let instance = Instance::new(&mut store, &module, &[f.into()]).unwrap();
    for (name, args) in [("table", vec![]), ("ref", vec![f.into()])] {
        let func = instance.get_func(&mut store, name).unwrap();
        let mut execution = func.start(&mut store, &args).unwrap();
        assert!(matches!(
            execution.run(&mut store, Budget::unlimited()).unwrap(),
            Step::Pending(_)
        ));
        execution.resume(&mut store, &[Val::I32(41)]).unwrap();
        match execution.run(&mut store, Budget::unlimited()).unwrap() {
            Step::Done(results) => assert_eq!(results[0].i32(), Some(42), "{name}"),
            step => panic!("{step:?}"),
        }
    }
}

/// Futures of host functions that call guests that call them: however deep, the native stack suffices.
#[test]
fn asynchronous_calls_nest_up_to_a_limit() {
    type Guest = (Option<Func>, u32);
    let engine = Engine::default();
    let wat = r#"(module (import "" "f" (func $f)) (func (export "run") (call $f)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, (None, 0));
    let ty = FuncType::new(&engine, [], []);
    let f = Func::new_async(&mut store, ty, |mut caller: Caller<'_, Guest>, _, _| {
        Box::new(async move {
            caller.data_mut().1 += 1;
            let run = caller.data().0.unwrap();
            run.call_async(&mut caller, &[], &mut []).await
        })
    });
    let instance = Instance::new(&mut store, &module, &[f.into()]).unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    store.data_mut().0 = Some(run);
    for _ in 0..2 {
        store.data_mut().1 = 0;
        let error = pollster::block_on(run.call_async(&mut store, &[], &mut [])).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        assert!((100..=256).contains(&store.data().1), "{}", store.data().1);
    }
}
