use super::{Mode, Runtime, clock_ms};
use kinglet::{CompilationMode, Config, Instance, Linker, Module, Store, Strategy};

pub(crate) struct Engine {
    engine: kinglet::Engine,
    linker: Linker<()>,
    fuel: bool,
}

impl Runtime for Engine {
    type Module = Module;
    type Instance = (Store<()>, Instance);

    fn new(mode: Mode) -> Engine {
        let fuel = mode == Mode::Fuel;
        let mut config = Config::new();
        config.consume_fuel(fuel).compilation_mode(match mode {
            Mode::Lazy => CompilationMode::Lazy,
            _ => CompilationMode::Eager,
        });
        config.strategy(if mode.is_compiled() { Strategy::Jit } else { Strategy::Interpreter });
        let engine = kinglet::Engine::new(&config).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("env", "nop", || {}).unwrap();
        linker.func_wrap("env", "add", |a: i32, b: i32| a.wrapping_add(b)).unwrap();
        linker.func_wrap("env", "clock_ms", clock_ms).unwrap();
        Engine { engine, linker, fuel }
    }

    fn load(&self, wasm: &[u8]) -> Module {
        Module::new(&self.engine, wasm).unwrap()
    }

    fn validate(&self, wasm: &[u8]) -> Option<()> {
        Module::validate(&self.engine, wasm).unwrap();
        Some(())
    }

    fn instantiate(&self, module: &Module) -> Self::Instance {
        let mut store = Store::new(&self.engine, ());
        if self.fuel {
            store.set_fuel(u64::MAX).unwrap();
        }
        let instance = self.linker.instantiate(&mut store, module).unwrap();
        (store, instance)
    }

    fn call(&self, (store, instance): &mut Self::Instance, func: &str, arg: i32) -> i32 {
        instance.get_typed_func::<i32, i32>(&*store, func).unwrap().call(store, arg).unwrap()
    }

    fn call_nullary(&self, (store, instance): &mut Self::Instance, func: &str, times: u32) {
        let func = instance.get_typed_func::<(), ()>(&*store, func).unwrap();
        for _ in 0..times {
            func.call(&mut *store, ()).unwrap();
        }
    }
}
