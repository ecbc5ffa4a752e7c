use super::{Mode, Runtime, clock_ms};
use tinywasm::{
    FuncContext, HostFunction, Imports, Module, ModuleInstance, Result, Store,
    parser::{Parser, ParserOptions},
};

pub(crate) struct Engine;

impl Runtime for Engine {
    type Module = Module;
    type Instance = (Store, ModuleInstance);

    fn new(_: Mode) -> Engine {
        Engine
    }

    fn load(&self, wasm: &[u8]) -> Module {
        let options = ParserOptions::default().with_parser_threads(1);
        Parser::with_options(options).parse_module_bytes(wasm).unwrap()
    }

    fn instantiate(&self, module: &Module) -> Self::Instance {
        let mut store = Store::default();
        let mut imports = Imports::new();
        let nop = |_: FuncContext<'_>, (): ()| -> Result<()> { Ok(()) };
        let add = |_: FuncContext<'_>, (a, b): (i32, i32)| -> Result<i32> { Ok(a.wrapping_add(b)) };
        let clock = |_: FuncContext<'_>, (): ()| -> Result<i32> { Ok(clock_ms()) };
        let nop = HostFunction::from(&mut store, nop);
        let add = HostFunction::from(&mut store, add);
        let clock = HostFunction::from(&mut store, clock);
        imports.define("env", "nop", nop);
        imports.define("env", "add", add);
        imports.define("env", "clock_ms", clock);
        let instance = ModuleInstance::instantiate(&mut store, module, Some(imports)).unwrap();
        (store, instance)
    }

    fn call(&self, (store, instance): &mut Self::Instance, func: &str, arg: i32) -> i32 {
        instance.func::<i32, i32>(store, func).unwrap().call(store, arg).unwrap()
    }

    fn call_nullary(&self, (store, instance): &mut Self::Instance, func: &str, times: u32) {
        let func = instance.func::<(), ()>(store, func).unwrap();
        for _ in 0..times {
            func.call(store, ()).unwrap();
        }
    }
}
