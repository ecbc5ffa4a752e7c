use super::{Mode, Runtime, clock_ms};
use sf_nano_core::{Caller, Config, Engine as Nano, Import, Instance, Module, Tier, Value};
use wasmparser::{Parser, Payload};

/// Its interpreter or its compiler. A module belongs to one instance, so that instantiation includes loading.
pub(crate) struct Engine {
    engine: Nano,
    compiles: bool,
}

impl Runtime for Engine {
    /// With the instance that its code was made for, so that this code lasts as long.
    type Module = (Vec<u8>, Option<Instance>);
    type Instance = Instance;

    fn new(mode: Mode) -> Engine {
        let compiles = mode.is_compiled();
        let tier = if compiles { Tier::Jit } else { Tier::Interp };
        let config = Config::new().tier(tier).parallel_compilation(false);
        Engine { engine: Nano::new(config).unwrap(), compiles }
    }

    fn load(&self, wasm: &[u8]) -> Self::Module {
        let module = Module::new("module", wasm).unwrap();
        let compile =
            || Instance::from_module(&self.engine, module, &imports(wasm).unwrap()).unwrap();
        let instance = self.compiles.then(compile);
        (wasm.to_vec(), instance)
    }

    fn instantiate(&self, (wasm, _): &Self::Module) -> Instance {
        Instance::new(&self.engine, wasm, &imports(wasm).unwrap()).unwrap()
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

fn imports(wasm: &[u8]) -> wasmparser::Result<Vec<Import>> {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ImportSection(section) = payload? {
            let imports = section.into_imports();
            return imports.map(|it| it.map(|it| import(it.module, it.name))).collect();
        }
    }
    Ok(Vec::new())
}

/// What modules import that are only loaded is never called.
fn import(module: &str, name: &str) -> Import {
    match name {
        "add" => Import::func(module, name, |_: &mut Caller, params, results| {
            if let [Value::I32(a), Value::I32(b)] = params {
                results[0] = Value::I32(a.wrapping_add(*b));
            }
            Ok(())
        }),
        "clock_ms" => Import::func(module, name, |_: &mut Caller, _, results| {
            results[0] = Value::I32(clock_ms());
            Ok(())
        }),
        _ => Import::func(module, name, |_: &mut Caller, _, _| Ok(())),
    }
}
