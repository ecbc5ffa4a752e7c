//! Value stacks and memories that the embedder provides.

use kinglet::{
    Budget, Caller, Config, Engine, ErrorKind, Func, Instance, Linker, Memory, MemoryType, Module,
    Result, Step, Store, Trap,
};

/// Calls as deep as an argument says, calls of the host, and a trap.
const GUEST: &str = r#"(module
    (import "host" "f" (func $f (param i32) (result i32)))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))
    (func (export "host") (param i32) (result i32) (call $f (local.get 0)))
    (func (export "forever") (loop (br 0)))
    (func (export "trap") (unreachable)))"#;

fn slots(count: usize) -> &'static mut [u64] {
    vec![u64::MAX; count].leak()
}

/// Bytes that are not zero, aligned to 16.
fn bytes<const COUNT: usize>() -> &'static mut [u8] {
    #[repr(align(16))]
    struct Aligned<const COUNT: usize>([u8; COUNT]);
    &mut Box::leak(Box::new(Aligned([7; COUNT]))).0
}

/// A store with so many slots, and an instance whose import calls what `deep` of the same instance is for the argument.
fn guest(engine: &Engine, count: usize) -> Result<(Store<()>, Instance)> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "f", |mut caller: Caller<'_, ()>, n: i32| {
        let deep = caller.get_export("deep").and_then(|export| export.into_func());
        deep.expect("the guest exports it").typed::<i32, i32>(&caller)?.call(&mut caller, n)
    })?;
    let mut store = Store::new(engine, ());
    store.provide_stack(slots(count));
    let instance = linker.instantiate(&mut store, &Module::new(engine, GUEST)?)?;
    Ok((store, instance))
}

/// How deep it goes before its stack overflows.
fn depth(store: &mut Store<()>, func: &Func) -> Result<i32> {
    let deep = func.typed::<i32, i32>(&*store)?;
    let fits = |store: &mut Store<()>, n| match deep.call(store, n) {
        Ok(result) => {
            assert_eq!(result, n);
            true
        }
        Err(error) => {
            assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
            false
        }
    };
    let (mut low, mut high) = (0, 100_000);
    while low + 1 < high {
        let middle = (low + high) / 2;
        *(if fits(store, middle) { &mut low } else { &mut high }) = middle;
    }
    Ok(low)
}

#[test]
fn a_provided_stack_is_as_large_as_it_is() -> Result<()> {
    let engine = Engine::default();
    let mut depths = Vec::new();
    for count in [50, 100, 200] {
        let (mut store, instance) = guest(&engine, count)?;
        let deep = instance.get_func(&mut store, "deep").unwrap();
        depths.push(depth(&mut store, &deep)?);
    }
    // Every call takes the same.
    assert!(depths[0] > 0 && depths[1] > depths[0]);
    let frames = (depths[2] - depths[1]) - 2 * (depths[1] - depths[0]);
    assert!(frames.abs() <= 1, "{depths:?}");
    Ok(())
}

#[test]
fn the_configuration_limits_a_provided_stack() -> Result<()> {
    let small = Engine::new(Config::new().max_wasm_stack(1024))?;
    let depths = [128, 100_000].map(|count| {
        let (mut store, instance) = guest(&small, count)?;
        let deep = instance.get_func(&mut store, "deep").unwrap();
        depth(&mut store, &deep)
    });
    let [exact, large] = depths;
    assert_eq!(exact?, large?);
    Ok(())
}

#[test]
fn a_stack_on_which_nothing_fits_is_a_trap() -> Result<()> {
    for count in [0, 1, 4] {
        let (mut store, instance) = guest(&Engine::default(), count)?;
        let deep = instance.get_typed_func::<i32, i32>(&mut store, "deep")?;
        assert_eq!(deep.call(&mut store, 0).unwrap_err().trap(), Some(Trap::StackOverflow));
    }
    Ok(())
}

#[test]
fn nested_calls_take_their_stack_from_the_heap() -> Result<()> {
    let (mut store, instance) = guest(&Engine::default(), 60)?;
    let host = instance.get_typed_func::<i32, i32>(&mut store, "host")?;
    let deep = instance.get_func(&mut store, "deep").unwrap();
    let before = depth(&mut store, &deep)?;
    assert_eq!(host.call(&mut store, 1000)?, 1000);
    assert_eq!(depth(&mut store, &deep)?, before);
    Ok(())
}

#[test]
fn a_provided_stack_comes_back_however_its_call_ends() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let (mut store, instance) = guest(&engine, 60)?;
    store.set_fuel(u64::MAX)?;
    let deep = instance.get_func(&mut store, "deep").unwrap();
    let before = depth(&mut store, &deep)?;
    let trap = instance.get_typed_func::<(), ()>(&mut store, "trap")?;
    assert_eq!(trap.call(&mut store, ()).unwrap_err().trap(), Some(Trap::UnreachableCodeReached));
    assert_eq!(depth(&mut store, &deep)?, before);

    // An execution that stands still has it, and gives it back when it is dropped.
    let forever = instance.get_func(&mut store, "forever").unwrap();
    let mut execution = forever.start(&mut store, &[])?;
    assert!(matches!(execution.run(&mut store, Budget::fuel(100))?, Step::OutOfFuel));
    store.set_fuel(u64::MAX)?;
    assert_eq!(deep.typed::<i32, i32>(&store)?.call(&mut store, before + 1000)?, before + 1000);
    drop(execution);
    assert_eq!(depth(&mut store, &deep)?, before);
    Ok(())
}

#[test]
fn a_provided_memory_grows_as_far_as_there_are_bytes() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "m") 100 (pagesize 1))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#,
    )?;
    const COUNT: usize = 4096;
    let mut store = Store::new(&engine, ());
    store.provide_memory(bytes::<COUNT>());
    let instance = Instance::new(&mut store, &module, &[])?;
    let memory = instance.get_memory(&mut store, "m").unwrap();
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow")?;
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load")?;
    let set = instance.get_typed_func::<i32, ()>(&mut store, "store")?;
    assert_eq!(memory.data(&store), [0; 100]);
    let first = memory.data(&store).as_ptr();
    set.call(&mut store, 99)?;
    assert_eq!(load.call(&mut store, 100).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    let most = (COUNT - Store::<()>::MEMORY_HEADER) as i32;
    assert_eq!(grow.call(&mut store, most - 100 + 1)?, -1);
    assert_eq!(grow.call(&mut store, most - 100)?, 100);
    assert_eq!(grow.call(&mut store, 1)?, -1);
    assert_eq!([99, 100, most - 1].map(|at| load.call(&mut store, at).unwrap()), [1, 0, 0]);
    assert_eq!(load.call(&mut store, most).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    assert_eq!(memory.data(&store).as_ptr(), first);
    Ok(())
}

#[test]
fn memories_get_what_is_provided_in_turn() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "a") 10 (pagesize 1)) (memory (export "b") 20 (pagesize 1))
            (memory (export "c") 30 (pagesize 1)))"#,
    )?;
    let mut store = Store::new(&engine, ());
    // Bytes that are not aligned are skipped.
    let (first, second) = (&mut bytes::<256>()[1..], bytes::<128>());
    let ends = [first.as_ptr_range(), second.as_ptr_range()];
    store.provide_memory(first);
    store.provide_memory(second);
    let instance = Instance::new(&mut store, &module, &[])?;
    let memories = ["a", "b", "c"].map(|name| instance.get_memory(&mut store, name).unwrap());
    let within =
        |memory: &Memory| ends.iter().position(|r| r.contains(&memory.data(&store).as_ptr()));
    assert_eq!([0, 1, 2].map(|i| within(&memories[i])), [Some(0), Some(1), None]);
    assert_eq!([0, 1, 2].map(|i| memories[i].data(&store)), [&[0; 10][..], &[0; 20], &[0; 30]]);
    assert!(memories[0].grow(&mut store, 256 - 16 - 64 - 10).is_ok());
    assert!(memories[0].grow(&mut store, 1).is_err());
    assert!(memories[2].grow(&mut store, 100_000).is_ok());
    Ok(())
}

#[test]
fn a_memory_that_does_not_fit_is_an_error_with_the_figures() -> Result<()> {
    let engine = Engine::default();
    let module = |pages| {
        Module::new(&engine, format!(r#"(module (memory (export "m") {pages} (pagesize 1)))"#))
    };
    let mut store = Store::new(&engine, ());
    store.provide_memory(bytes::<1024>());
    let error = Instance::new(&mut store, &module(961)?, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let message = error.to_string();
    assert!(["961", "1025", "1024"].iter().all(|figure| message.contains(figure)), "{message}");
    let error = Memory::new(&mut store, MemoryType::new(1, None)).unwrap_err();
    assert!(error.to_string().contains("65600"), "{error}");
    // Nobody has taken it.
    let instance = Instance::new(&mut store, &module(960)?, &[])?;
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert_eq!(memory.data(&store), [0; 960]);
    assert!(memory.grow(&mut store, 1).is_err());
    // Less than a header.
    let mut store = Store::new(&engine, ());
    store.provide_memory(&mut []);
    assert_eq!(Instance::new(&mut store, &module(0)?, &[]).unwrap_err().kind(), ErrorKind::Limit);
    Ok(())
}
