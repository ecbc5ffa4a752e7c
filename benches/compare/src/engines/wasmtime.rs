use super::{Mode, Runtime, clock_ms};
use wasmtime::{Config, Engine, Instance, Linker, Module, Store, Strategy};

/// Its optimising compiler.
pub(crate) struct Cranelift(Wasmtime);
/// Its baseline compiler.
pub(crate) struct Winch(Wasmtime);
/// Its interpreter.
pub(crate) struct Pulley(Wasmtime);

struct Wasmtime {
    engine: Engine,
    linker: Linker<()>,
}

impl Wasmtime {
    fn new(config: &mut Config, mode: Mode) -> Wasmtime {
        if mode == Mode::Checked {
            config.memory_reservation(0).memory_guard_size(0).signals_based_traps(false);
        }
        let engine = Engine::new(config).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("env", "nop", || {}).unwrap();
        linker.func_wrap("env", "add", |a: i32, b: i32| a.wrapping_add(b)).unwrap();
        linker.func_wrap("env", "clock_ms", clock_ms).unwrap();
        Wasmtime { engine, linker }
    }
}

macro_rules! runtime {
    ($name:ident, $config:expr) => {
        impl Runtime for $name {
            type Module = Module;
            type Instance = (Store<()>, Instance);

            fn new(mode: Mode) -> $name {
                $name(Wasmtime::new($config, mode))
            }

            fn load(&self, wasm: &[u8]) -> Module {
                Module::new(&self.0.engine, wasm).unwrap()
            }

            fn validate(&self, wasm: &[u8]) -> Option<()> {
                Module::validate(&self.0.engine, wasm).unwrap();
                Some(())
            }

            fn instantiate(&self, module: &Module) -> Self::Instance {
                let mut store = Store::new(&self.0.engine, ());
                let instance = self.0.linker.instantiate(&mut store, module).unwrap();
                (store, instance)
            }

            fn call(&self, (store, instance): &mut Self::Instance, func: &str, arg: i32) -> i32 {
                let func = instance.get_typed_func::<i32, i32>(&mut *store, func).unwrap();
                func.call(store, arg).unwrap()
            }

            fn call_nullary(&self, (store, instance): &mut Self::Instance, func: &str, times: u32) {
                let func = instance.get_typed_func::<(), ()>(&mut *store, func).unwrap();
                for _ in 0..times {
                    func.call(&mut *store, ()).unwrap();
                }
            }
        }
    };
}

runtime!(Cranelift, &mut Config::new());
runtime!(Winch, Config::new().strategy(Strategy::Winch));
runtime!(Pulley, Config::new().target("pulley64").unwrap());
