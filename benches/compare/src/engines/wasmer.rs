use super::{Mode, Runtime, clock_ms};
use std::num::NonZero;
use wasmer::{
    Function, Instance, Module, Store, imports,
    sys::{EngineBuilder, Singlepass},
};

/// With Singlepass.
pub(crate) struct Engine(wasmer::Engine);

impl Runtime for Engine {
    type Module = Module;
    type Instance = (Store, Instance);

    fn new(_: Mode) -> Engine {
        let mut compiler = Singlepass::new();
        compiler.num_threads(NonZero::<usize>::MIN);
        Engine(EngineBuilder::new(compiler).engine().into())
    }

    fn load(&self, wasm: &[u8]) -> Module {
        Module::new(&self.0, wasm).unwrap()
    }

    fn instantiate(&self, module: &Module) -> Self::Instance {
        let mut store = Store::new(self.0.clone());
        let imports = if module.imports().len() == 0 {
            imports! {}
        } else {
            imports! { "env" => {
                "nop" => Function::new_typed(&mut store, || {}),
                "add" => Function::new_typed(&mut store, |a: i32, b: i32| a.wrapping_add(b)),
                "clock_ms" => Function::new_typed(&mut store, clock_ms),
            } }
        };
        let instance = Instance::new(&mut store, module, &imports).unwrap();
        (store, instance)
    }

    fn call(&self, (store, instance): &mut Self::Instance, func: &str, arg: i32) -> i32 {
        let func = instance.exports.get_typed_function::<i32, i32>(store, func).unwrap();
        func.call(store, arg).unwrap()
    }

    fn call_nullary(&self, (store, instance): &mut Self::Instance, func: &str, times: u32) {
        let func = instance.exports.get_typed_function::<(), ()>(store, func).unwrap();
        for _ in 0..times {
            func.call(store).unwrap();
        }
    }
}
