//! What the interpreter does with compiled code, with code that only looks so: closures of these tests.

use kinglet_core::{
    Shared,
    error::{Error, ThrownException},
    index::{FuncAddr, FuncIdx, InstanceAddr},
    module::{Module, features::Features},
    runtime::{
        HostCall, StoreInner, StoreOptions,
        func::HostFunc,
        instance::{ExternVal, Program},
        native::{InterpreterExit, Native, NativeExit, NativeFrame, Suspended, Then},
        registry::TypeRegistry,
    },
    trap::Trap,
    types::{CompositeType, FuncType, SubType, ValType},
};
use kinglet_interp::{Code, Execution, Exit, INTERPRETER, Options};
use std::{any::Any, borrow::Cow, collections::BTreeMap};

type Body = Box<
    dyn Fn(&mut StoreInner, FuncAddr, &mut [u64], bool) -> Result<NativeExit, Error> + Send + Sync,
>;

#[derive(Default)]
struct Fake(BTreeMap<u32, Body>);

impl Native for Fake {
    fn entry(&self, func: FuncIdx) -> Option<*const u8> {
        self.0.contains_key(&func.0).then_some(std::ptr::dangling())
    }

    fn call(
        &self,
        store: &mut StoreInner,
        _: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<NativeExit, Error> {
        let index = store.funcs[func.at()].index;
        self.0[&index](store, func, slots, may_stop)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A store, and what modules are made with.
struct World {
    types: TypeRegistry,
    store: StoreInner,
    metered: bool,
}

impl World {
    fn new(metered: bool) -> World {
        let options = StoreOptions {
            consume_fuel: metered,
            interruptible: metered,
            max_stack: 1 << 17,
            max_table_elements: 1000,
            max_memory_bytes: 1 << 20,
            max_heap_bytes: 1 << 20,
            collect_every: std::num::NonZeroU32::new(1),
            epoch: Shared::default(),
        };
        let mut store = StoreInner::new(&options, Box::new(()));
        store.set_interpreter(INTERPRETER);
        World { types: TypeRegistry::default(), store, metered }
    }

    /// An instance of a module, some of whose functions are what `bodies` says.
    fn instance(
        &mut self,
        text: &str,
        imports: &[ExternVal],
        bodies: impl FnOnce(&Module) -> Vec<(u32, Body)>,
    ) -> InstanceAddr {
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::decode(Cow::Owned(wasm), &Features::default()).unwrap();
        let code =
            Code::new(&module, Options { metered: self.metered, lazy: true, ..Options::default() })
                .unwrap();
        let types = self.types.register(&module.types, &module.rec_groups);
        let native = Fake(bodies(&module).into_iter().collect());
        let mut program = Program::new(Shared::new(module), Shared::new(code), types);
        program.native = Some(Shared::new(native));
        self.store.instantiate(&mut (), &program, imports).unwrap()
    }

    fn func(&self, instance: InstanceAddr, name: &str) -> FuncAddr {
        match self.store.export(instance, name) {
            Some(ExternVal::Func(func)) => func,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// Calls a function, and gives it fuel as often as it stops. Answers its results, and how often that was.
    fn run(&mut self, instance: InstanceAddr, name: &str, args: &[u64]) -> (Vec<u64>, usize) {
        let func = self.func(instance, name);
        let mut execution = Execution::new(&mut self.store, func, args).unwrap();
        let mut stops = 0;
        self.store.fuel = 1_000_000;
        loop {
            match execution.run(&mut self.store, &mut ()).unwrap() {
                Exit::Done => return (execution.results().to_vec(), stops),
                Exit::HostCall => panic!("no host function is asynchronous here"),
                Exit::OutOfFuel => {
                    self.store.fuel = execution.required_fuel() + 1_000_000;
                    stops += 1;
                }
                Exit::Interrupted => stops += 1,
            }
        }
    }

    fn host(&mut self, params: &[ValType], results: &[ValType], call: HostCall) -> ExternVal {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        let ty = SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) };
        let func = HostFunc::new(Shared::new(self.types.register_one(ty)), call);
        ExternVal::Func(self.store.add_host_func(Shared::new(func)))
    }
}

/// A function that stops before it has done anything, with so many locals.
fn stops_at_entry(locals: usize) -> Body {
    Box::new(move |store, func, slots, may_stop| {
        assert!(may_stop);
        let vm = store.funcs[func.at()];
        let mut values = slots[..usize::from(vm.params)].to_vec();
        values.resize(locals, 0);
        // What was given need not stay there.
        slots.fill(u64::MAX);
        let frame = NativeFrame {
            instance: InstanceAddr(vm.instance),
            func: FuncIdx(vm.index),
            offset: 0,
            fuel_point: Some(0),
            locals: values,
            operands: Vec::new(),
        };
        suspended(vec![frame], Then::OutOfFuel(1))
    })
}

fn suspended(frames: Vec<NativeFrame>, then: Then) -> Result<NativeExit, Error> {
    Ok(NativeExit::Suspended(Box::new(Suspended { frames, then })))
}

/// Where a function's only op of this opcode is.
fn offset(module: &Module, func: u32, opcode: u8) -> usize {
    let range = module.body(FuncIdx(func)).unwrap().range.clone();
    let found: Vec<usize> = range.filter(|&at| module.wasm[at] == opcode).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

const CALL: u8 = 0x10;
const RETURN_CALL: u8 = 0x12;

#[test]
fn compiled_functions_are_called_from_everywhere() {
    let mut world = World::new(false);
    let add = || -> Body {
        Box::new(|_, _, slots, _| {
            slots[0] = u64::from(slots[0] as u32 + slots[1] as u32);
            Ok(NativeExit::Done)
        })
    };
    let swap: Body = Box::new(|_, _, slots, _| {
        // More results than parameters: they are written over the frame's header.
        slots.copy_from_slice(&[slots[0] + 1, 2, 3, 4, 5]);
        Ok(NativeExit::Done)
    });
    let library = world.instance(
        r#"(module (func (export "add") (param i32 i32) (result i32) unreachable))"#,
        &[],
        |_| vec![(0, add())],
    );
    let import = ExternVal::Func(world.func(library, "add"));
    let user = world.instance(
        r#"(module
            (type $binary (func (param i32 i32) (result i32)))
            (import "" "add" (func $import (type $binary)))
            (func $own (type $binary) unreachable)
            (func $many (param i64) (result i64 i64 i64 i64 i64) unreachable)
            (table funcref (elem $import $own))
            (elem declare func $own)
            (func (export "direct") (param i32) (result i32) (local $pinned i32)
                (loop (local.set $pinned (i32.add (local.get $pinned) (local.get 0)))
                    (br_if 0 (i32.lt_u (local.get $pinned) (i32.const 10))))
                (i32.sub (call $own (local.get $pinned) (i32.const 5)) (local.get $pinned)))
            (func (export "imported") (param i32) (result i32)
                (i32.mul (i32.const 2) (call $import (local.get 0) (i32.const 1))))
            (func (export "indirect") (param i32) (result i32)
                (call_indirect (type $binary) (i32.const 40) (i32.const 2) (local.get 0)))
            (func (export "reference") (param i32) (result i32)
                (call_ref $binary (local.get 0) (i32.const 1) (ref.func $own)))
            (func (export "tail") (param i32) (result i32)
                (return_call $own (local.get 0) (i32.const 7)))
            (func (export "tail_import") (param i32) (result i32)
                (return_call_indirect (type $binary) (local.get 0) (i32.const 8) (i32.const 0)))
            (func (export "deep") (param i32) (result i32)
                (i32.add (call 7 (local.get 0)) (call 8 (local.get 0))))
            (func (export "many") (param i64) (result i64 i64 i64 i64 i64) (call $many (local.get 0)))
            (export "own" (func $own)))"#,
        &[import],
        |_| vec![(1, add()), (2, swap)],
    );
    let mut call = |name: &str, args: &[u64]| world.run(user, name, args).0;
    assert_eq!(call("direct", &[3]), [5]);
    assert_eq!(call("imported", &[20]), [42]);
    assert_eq!(call("indirect", &[0]), [42]);
    assert_eq!(call("indirect", &[1]), [42]);
    assert_eq!(call("reference", &[6]), [7]);
    assert_eq!(call("tail", &[6]), [13]);
    assert_eq!(call("tail_import", &[6]), [14]);
    assert_eq!(call("deep", &[6]), [27]);
    assert_eq!(call("many", &[1]), [2, 2, 3, 4, 5]);
    assert_eq!(call("own", &[1, 2]), [3]);
}

#[test]
fn frames_go_on_in_bytecode() {
    let mut world = World::new(true);
    let text = r#"(module
        (func $fib (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func $sum (export "sum") (param $n i32) (param $x f64) (result f64) (local $sum f64)
            (loop
                (local.set $sum (f64.add (local.get $sum) (f64.mul (local.get $x) (local.get $x))))
                (if (i32.eqz (i32.and (local.get $n) (i32.const 1)))
                    (then (local.set $sum (f64.add (local.get $sum)
                        (call $sum (i32.const 1) (f64.const 0.5))))))
                (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum))
        (func $even (export "even") (param i64) (result i32)
            (if (i64.eqz (local.get 0)) (then (return (i32.const 1))))
            (return_call $odd (i64.sub (local.get 0) (i64.const 1))))
        (func $odd (param i64) (result i32)
            (if (i64.eqz (local.get 0)) (then (return (i32.const 0))))
            (return_call $even (i64.sub (local.get 0) (i64.const 1)))))"#;
    let plain = world.instance(text, &[], |_| Vec::new());
    let compiled = world.instance(text, &[], |_| {
        let locals = [1, 3, 1, 1];
        (0..4).zip(locals).map(|(func, locals)| (func, stops_at_entry(locals))).collect()
    });
    let x = 1.5f64.to_bits();
    for (name, args) in [("fib", &[9][..]), ("sum", &[5, x]), ("even", &[101]), ("even", &[100])] {
        let (expected, stops) = world.run(plain, name, args);
        assert_eq!(stops, 0);
        let (results, stops) = world.run(compiled, name, args);
        assert_eq!(results, expected, "{name}");
        assert!(stops > 2, "{name}: {stops}");
    }
}

/// `$outer` calls `$middle`, which calls `$inner` in place of itself, of another instance, which calls the host.
#[test]
fn frames_of_several_instances_go_on() {
    let mut world = World::new(true);
    let host = world.host(&[ValType::I64], &[ValType::I64], HostCall::Async(Shared::new(())));
    let inner = world.instance(
        r#"(module
            (import "" "host" (func $host (param i64) (result i64)))
            (func (export "inner") (param i64 f64) (result i64) (local $pinned f64)
                (local.set $pinned (f64.add (local.get 1) (f64.const 1)))
                (i64.add (i64.trunc_f64_s (local.get $pinned))
                    (i64.mul (local.get 0) (call $host (i64.const 7))))))"#,
        &[host],
        |_| Vec::new(),
    );
    let import = ExternVal::Func(world.func(inner, "inner"));
    let addr = InstanceAddr(world.store.funcs[world.func(inner, "inner").at()].instance);
    let inner_call = {
        let module = world.store.instance(inner).module.clone();
        offset(&module, 1, CALL)
    };
    let ExternVal::Func(host) = host else { panic!() };
    let outer = world.instance(
        r#"(module
            (import "" "inner" (func $inner (param i64 f64) (result i64)))
            (func $middle (param i64) (result i64)
                (return_call $inner (local.get 0) (f64.const 2.5)))
            (func $outer (param i64 f64) (result i64) (local $x f64)
                (local.set $x (local.get 1))
                (loop (br_if 0 (f64.lt (local.tee $x (f64.add (local.get $x) (f64.const 1)))
                    (f64.const 10))))
                (i64.add (i64.const 1000) (i64.add (call $middle (local.get 0))
                    (i64.trunc_f64_s (local.get $x)))))
            (func (export "main") (param i64 f64) (result i64) (local $y f64)
                (local.set $y (f64.add (local.get 1) (local.get 1)))
                (i64.add (call $outer (local.get 0) (local.get $y))
                    (i64.trunc_f64_s (f64.add (local.get $y) (local.get $y))))))"#,
        &[import],
        |module| {
            let offsets = [offset(module, 2, CALL), offset(module, 1, RETURN_CALL), inner_call];
            let body: Body = Box::new(move |store, func, slots, _| {
                let own = InstanceAddr(store.funcs[func.at()].instance);
                let x = f64::from_bits(slots[1]);
                let frame = |instance, func, offset, locals: &[u64]| NativeFrame {
                    instance,
                    func: FuncIdx(func),
                    offset,
                    fuel_point: None,
                    locals: locals.to_vec(),
                    operands: Vec::new(),
                };
                let mut counted = x;
                while counted < 10.0 {
                    counted += 1.0;
                }
                let pinned = [2.5f64, 3.5].map(f64::to_bits);
                let mut innermost = frame(addr, 1, offsets[2], &[slots[0], pinned[0], pinned[1]]);
                innermost.operands.push((0, 3));
                let frames = vec![
                    frame(own, 2, offsets[0], &[slots[0], slots[1], counted.to_bits()]),
                    frame(own, 1, offsets[1], &[slots[0]]),
                    innermost,
                ];
                suspended(frames, Then::HostCall(host, vec![7]))
            });
            vec![(2, body)]
        },
    );
    let main = world.func(outer, "main");
    let x = 1.25f64;
    world.store.fuel = 1000;
    let mut execution = Execution::new(&mut world.store, main, &[6, x.to_bits()]).unwrap();
    assert_eq!(execution.run(&mut world.store, &mut ()).unwrap(), Exit::HostCall);
    let (func, caller, args) = execution.host_call();
    assert_eq!((func, caller, args), (host, Some(inner), &[7][..]));
    execution.resume(&mut world.store, &[100]).unwrap();
    assert_eq!(execution.run(&mut world.store, &mut ()).unwrap(), Exit::Done);
    // 2.5 counted up to 10.5, and 2.5 twice.
    assert_eq!(execution.results(), [1000 + (3 + 6 * 100) + 10 + 5]);
}

/// Bytecode calls compiled code, which calls bytecode, which stops.
#[test]
fn executions_that_compiled_code_has_called_go_on() {
    let mut world = World::new(true);
    let instance = world.instance(
        r#"(module
            (func $low (param i32) (result i32) (local $i i32) (local $x f64)
                (loop
                    (local.set $x (f64.add (local.get $x) (f64.const 1)))
                    (local.set $i (i32.add (local.get $i) (local.get 0)))
                    (br_if 0 (f64.lt (local.get $x) (f64.const 100))))
                (local.get $i))
            (func $between (param i32) (result i32)
                (i32.add (i32.const 1) (call $low (local.get 0))))
            (func (export "main") (param i32) (result i32) (local $x f64)
                (loop (br_if 0 (f64.lt (local.tee $x (f64.add (local.get $x) (f64.const 1)))
                    (f64.const 10))))
                (i32.add (call $between (local.get 0)) (i32.trunc_f64_s (local.get $x)))))"#,
        &[],
        |module| {
            let call = offset(module, 1, CALL);
            let body: Body = Box::new(move |store, func, slots, may_stop| {
                let instance = InstanceAddr(store.funcs[func.at()].instance);
                let low = store.ref_func(instance, FuncIdx(0));
                let arg = slots[0];
                store.fuel = 20;
                let interpreter = store.interpreter().unwrap();
                match interpreter.call(store, &mut (), low, slots, may_stop)? {
                    InterpreterExit::Done => panic!("there was too little fuel"),
                    InterpreterExit::Stopped(stopped) => {
                        let frame = NativeFrame {
                            instance,
                            func: FuncIdx(1),
                            offset: call,
                            fuel_point: None,
                            locals: vec![arg],
                            operands: Vec::new(),
                        };
                        suspended(vec![frame], Then::Called(stopped))
                    }
                }
            });
            vec![(1, body)]
        },
    );
    let (results, stops) = world.run(instance, "main", &[3]);
    assert_eq!((results, stops), (vec![311], 1));
}

#[test]
fn exceptions_of_compiled_code_are_caught_in_bytecode() {
    let mut world = World::new(true);
    let text = r#"(module
        (tag $t (param i32))
        (func $throws (param i32) (result i32) (throw $t (local.get 0)))
        (func (export "catches") (param i32) (result i32)
            (block $h (result i32)
                (try_table (result i32) (catch $t $h) (call $throws (local.get 0)))
                (i32.add (i32.const 100))))
        (func (export "throws") (param i32) (result i32) (call $throws (local.get 0)))
        (func (export "traps") (param i32) (result i32) (call $traps (local.get 0)))
        (func $traps (param i32) (result i32) unreachable))"#;
    let instance = world.instance(text, &[], |_| {
        let throws: Body = Box::new(|store, func, slots, _| {
            let instance = InstanceAddr(store.funcs[func.at()].instance);
            let tag = store.instance(instance).tag(kinglet_core::index::TagIdx(0));
            let exception = store.new_exception(&mut (), tag, &slots[..1])?;
            Err(store.throw(exception).into())
        });
        let traps: Body = Box::new(|_, _, _, _| Err(Trap::UnreachableCodeReached.into()));
        vec![(0, throws), (4, traps)]
    });
    assert_eq!(world.run(instance, "catches", &[5]).0, [5]);
    world.store.fuel = 1000;
    let throws = world.func(instance, "throws");
    let error = kinglet_interp::call(&mut world.store, &mut (), throws, &mut [5]).unwrap_err();
    assert!(error.is::<ThrownException>() && error.wasm_backtrace().is_some());
    let traps = world.func(instance, "traps");
    let error = kinglet_interp::call(&mut world.store, &mut (), traps, &mut [5]).unwrap_err();
    let frames = error.wasm_backtrace().unwrap().frames();
    assert_eq!((error.trap(), frames.len()), (Some(Trap::UnreachableCodeReached), 1));
    assert_eq!((frames[0].func.0, world.store.stack_in_use), (3, 0));
}

/// Whatever callers hold while compiled code collects garbage is found.
#[test]
fn callers_of_compiled_code_keep_their_objects() {
    let mut world = World::new(false);
    let instance = world.instance(
        r#"(module
            (type $box (struct (field i32)))
            (func $collects (param (ref $box)) (result (ref $box)) unreachable)
            (func (export "main") (param i32) (result i32) (local $kept (ref null $box))
                (local.set $kept (struct.new $box (local.get 0)))
                (i32.add
                    (i32.add
                        (struct.get $box 0 (struct.new $box (i32.const 10)))
                        (struct.get $box 0 (call $collects (struct.new $box (i32.const 100)))))
                    (struct.get $box 0 (local.get $kept)))))"#,
        &[],
        |_| {
            let collects: Body = Box::new(|store, _, slots, _| {
                let scope = store.heap.roots.enter();
                store.heap.roots.add(slots[0] as u32);
                store.collect()?;
                store.heap.roots.leave(scope);
                Ok(NativeExit::Done)
            });
            vec![(0, collects)]
        },
    );
    assert_eq!(world.run(instance, "main", &[1]).0, [111]);
}
