//! What it takes to run compiled code without the rest of the runtime.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use kinglet_core::{
    Shared,
    error::{Error, WasmBacktrace},
    index::{FuncAddr, InstanceAddr},
    module::{Module, features::Features},
    runtime::{
        Code, HostCall, StoreInner, StoreOptions,
        func::HostFunc,
        instance::{ExternVal, Program},
        native::{Interpreter, InterpreterExit, NativeExit},
        registry::TypeRegistry,
        trace::Trace,
    },
    types::{CompositeType, FuncType, SubType, ValType},
};
use kinglet_jit::{
    compile::{CompiledModule, Machine, Options},
    run::NativeCode,
};
use std::any::Any;

/// How a store and its modules are made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    pub metered: bool,
    pub fuel: Option<u64>,
    pub collect_every: Option<u32>,
    /// Slots of stack; 0 for the usual number.
    pub max_stack: usize,
}

/// A store and everything that it takes to fill it.
pub struct World {
    pub store: StoreInner,
    setup: Setup,
    types: TypeRegistry,
}

/// Stands for bytecode that nobody runs.
struct Nothing;

impl Code for Nothing {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Stands for the interpreter: "runs" a function by calling what the host has put in the store's data.
struct Stand;

/// What [`Stand`] does instead of a function.
pub type Instead =
    Box<dyn FnMut(&mut StoreInner, FuncAddr, &mut [u64], bool) -> Result<InterpreterExit, Error>>;

impl Interpreter for Stand {
    fn call(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<InterpreterExit, Error> {
        let instead = data.downcast_mut::<Instead>().expect("something to do instead");
        instead(store, func, slots, may_stop)
    }

    fn backtrace(&self, store: &StoreInner, trace: &Trace) -> Option<WasmBacktrace> {
        store.backtrace(trace, |_| None)
    }
}

/// Whether there is a compiler for this machine.
pub fn supported() -> bool {
    Machine::host().is_some()
}

impl World {
    pub fn new(setup: Setup) -> World {
        let options = StoreOptions {
            consume_fuel: setup.fuel.is_some(),
            interruptible: setup.metered,
            max_stack: if setup.max_stack == 0 { 1 << 17 } else { setup.max_stack },
            max_table_elements: 1 << 20,
            max_memory_bytes: 1 << 30,
            max_heap_bytes: 1 << 26,
            collect_every: setup.collect_every.and_then(std::num::NonZeroU32::new),
            epoch: Shared::default(),
        };
        let mut store = StoreInner::new(&options, Box::new(()));
        store.fuel = setup.fuel.unwrap_or_default();
        store.set_interpreter(&Stand);
        World { store, setup, types: TypeRegistry::default() }
    }

    /// An instance of a module, and its code.
    pub fn instance(
        &mut self,
        wat: &str,
        imports: &[ExternVal],
    ) -> (InstanceAddr, Shared<NativeCode>) {
        let wasm = wat::parse_str(wat).unwrap();
        let module = Shared::new(Module::decode(wasm, &Features::default()).unwrap());
        let types = self.types.register(&module.types, &module.rec_groups);
        let mut program = Program::new(module.clone(), Shared::new(Nothing), types);
        let machine = Machine::host().unwrap();
        let options = Options { metered: self.setup.metered || self.setup.fuel.is_some() };
        let compiled = CompiledModule::new(&module, &machine, options).unwrap();
        let code = NativeCode::new(module, compiled).unwrap();
        program.native = Some(code.clone());
        let instance = self.store.instantiate(&mut (), &program, imports).unwrap();
        (instance, code)
    }

    /// A function of the host.
    pub fn host(
        &mut self,
        params: &[ValType],
        results: &[ValType],
        call: impl Fn(
            &mut StoreInner,
            &mut dyn Any,
            Option<InstanceAddr>,
            &mut [u64],
        ) -> Result<(), Error>
        + Send
        + Sync
        + 'static,
    ) -> ExternVal {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        let ty = SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) };
        let types = Shared::new(self.types.register_one(ty));
        let func = HostFunc::new(
            types,
            HostCall::Sync(Box::new(move |store, data, caller, slots| {
                call(store, &mut **data, caller.instance(), slots)
            })),
        );
        ExternVal::Func(self.store.add_host_func(Shared::new(func)))
    }

    pub fn export(&self, instance: InstanceAddr, name: &str) -> ExternVal {
        self.store.export(instance, name).unwrap()
    }

    pub fn func(&self, instance: InstanceAddr, name: &str) -> FuncAddr {
        func_of(&self.store, instance, name)
    }

    /// Calls an exported function that returns at once, if at all.
    pub fn call(
        &mut self,
        instance: InstanceAddr,
        name: &str,
        args: &[u64],
    ) -> Result<Vec<u64>, Error> {
        call(&mut self.store, &mut (), instance, name, args)
    }
}

pub fn func_of(store: &StoreInner, instance: InstanceAddr, name: &str) -> FuncAddr {
    match store.export(instance, name) {
        Some(ExternVal::Func(func)) => func,
        other => panic!("{name} is {other:?}"),
    }
}

/// Calls an exported function.
pub fn call(
    store: &mut StoreInner,
    data: &mut dyn Any,
    instance: InstanceAddr,
    name: &str,
    args: &[u64],
) -> Result<Vec<u64>, Error> {
    let func = func_of(store, instance, name);
    let results = store.func_type(func).results().len();
    let mut slots = args.to_vec();
    slots.resize(args.len().max(results), 0);
    match exit(store, data, instance, func, &mut slots, false)? {
        NativeExit::Done => {}
        NativeExit::Suspended(suspended) => panic!("it stopped: {suspended:?}"),
    }
    slots.truncate(results);
    Ok(slots)
}

/// Calls a function, which may stop.
pub fn exit(
    store: &mut StoreInner,
    data: &mut dyn Any,
    instance: InstanceAddr,
    func: FuncAddr,
    slots: &mut [u64],
    may_stop: bool,
) -> Result<NativeExit, Error> {
    let native = store.instance(instance).native.clone().unwrap();
    native.call(store, data, func, slots, may_stop)
}
