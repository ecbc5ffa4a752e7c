use super::{Mode, Runtime, clock_ms};
use makepad_stitch::{Func, Instance, Linker, Module, Store, Val};
use std::sync::Arc;

pub(crate) struct Engine(makepad_stitch::Engine);

impl Runtime for Engine {
    type Module = Arc<Module>;
    type Instance = (Store, Instance);

    fn new(_: Mode) -> Engine {
        Engine(makepad_stitch::Engine::new())
    }

    fn load(&self, wasm: &[u8]) -> Self::Module {
        Arc::new(Module::new(&self.0, wasm).unwrap())
    }

    fn instantiate(&self, module: &Self::Module) -> Self::Instance {
        let mut store = Store::new(self.0.clone());
        let mut linker = Linker::new();
        if module.imports().next().is_some() {
            let nop = Func::wrap(&mut store, || {});
            let add = Func::wrap(&mut store, |a: i32, b: i32| -> i32 { a.wrapping_add(b) });
            let clock = Func::wrap(&mut store, || -> i32 { clock_ms() });
            linker.define("env", "nop", nop);
            linker.define("env", "add", add);
            linker.define("env", "clock_ms", clock);
        }
        let instance = linker.instantiate(&mut store, module).unwrap();
        (store, instance)
    }

    fn call(&self, (store, instance): &mut Self::Instance, func: &str, arg: i32) -> i32 {
        let mut results = [Val::I32(0)];
        let func = instance.exported_func(func).unwrap();
        func.call(store, &[Val::I32(arg)], &mut results).unwrap();
        results[0].to_i32().unwrap()
    }

    fn call_nullary(&self, (store, instance): &mut Self::Instance, func: &str, times: u32) {
        let func = instance.exported_func(func).unwrap();
        for _ in 0..times {
            func.call(store, &[], &mut []).unwrap();
        }
    }
}
