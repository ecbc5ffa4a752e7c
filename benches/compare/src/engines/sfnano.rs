use super::{Mode, Runtime, clock_ms};
use sf_nano_core::{Caller, Config, Engine as Nano, Import, Instance, Module, Tier, Value};

/// Its interpreter. A module belongs to one instance, so that instantiation includes loading.
pub(crate) struct Engine(Nano);

impl Engine {
    fn imports() -> [Import; 3] {
        let nop = |_: &mut Caller, _: &[Value], _: &mut [Value]| Ok(());
        let add = |_: &mut Caller, params: &[Value], results: &mut [Value]| {
            if let [Value::I32(a), Value::I32(b)] = params {
                results[0] = Value::I32(a.wrapping_add(*b));
            }
            Ok(())
        };
        let clock = |_: &mut Caller, _: &[Value], results: &mut [Value]| {
            results[0] = Value::I32(clock_ms());
            Ok(())
        };
        [
            Import::func("env", "nop", nop),
            Import::func("env", "add", add),
            Import::func("env", "clock_ms", clock),
        ]
    }
}

impl Runtime for Engine {
    type Module = Vec<u8>;
    type Instance = Instance;

    fn new(_: Mode) -> Engine {
        Engine(Nano::new(Config::new().tier(Tier::Interp)).unwrap())
    }

    fn load(&self, wasm: &[u8]) -> Vec<u8> {
        Module::new("module", wasm).unwrap();
        wasm.to_vec()
    }

    fn instantiate(&self, wasm: &Vec<u8>) -> Instance {
        Instance::new(&self.0, wasm, &Engine::imports()).unwrap()
    }

    fn call(&self, instance: &mut Instance, func: &str, arg: i32) -> i32 {
        match instance.invoke(func, &[Value::I32(arg)]).unwrap()[..] {
            [Value::I32(result)] => result,
            _ => panic!("`{func}` has one result"),
        }
    }

    fn call_nullary(&self, instance: &mut Instance, func: &str, times: u32) {
        let func = instance.get_func(func).unwrap();
        for _ in 0..times {
            instance.call(&func, &[], &mut []).unwrap();
        }
    }
}
