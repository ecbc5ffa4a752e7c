//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part of it")]

use kinglet::{
    Config, Engine, Instance, Linker, Module, Store, Strategy, Val, ValType, WasmParams,
    WasmResults,
};
use std::{fs, path::Path};

/// An instance of a module without imports, in a store of its own.
pub(crate) fn instance(wat: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// An instance of a module in a store of its own.
pub(crate) fn link<T>(linker: &Linker<T>, data: T, wat: &str) -> (Store<T>, Instance) {
    let module = Module::new(linker.engine(), wat).unwrap();
    let mut store = Store::new(linker.engine(), data);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

/// Calls an exported function.
pub(crate) fn call<T, P: WasmParams, R: WasmResults>(
    store: &mut Store<T>,
    instance: Instance,
    name: &str,
    params: P,
) -> kinglet::Result<R> {
    instance.get_typed_func::<P, R>(&mut *store, name)?.call(store, params)
}

/// A configuration for each tier: the interpreter's first.
pub(crate) fn tiers(config: &Config) -> [Config; 2] {
    [Strategy::Interpreter, Strategy::Jit].map(|strategy| {
        let mut config = config.clone();
        config.strategy(strategy);
        config
    })
}

/// A program, and what to run of it.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) wasm: Vec<u8>,
    /// The function to call, and its arguments.
    pub(crate) export: String,
    pub(crate) params: Vec<Val>,
    /// What it is given through WASI.
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: String,
    /// The name of its directory.
    pub(crate) dir: String,
}

/// The programs of the benchmarks.
pub(crate) fn workloads() -> Vec<Program> {
    let workload = |(name, arg)| Program {
        name: String::from(name),
        wasm: read(&format!("benches/workloads/{name}.wasm")),
        export: "run".into(),
        params: vec![Val::I32(arg)],
        dir: "/".into(),
        ..Program::default()
    };
    let runs = [
        ("fib", 15),
        ("hash", 1),
        ("indirect", 1),
        ("matmul", 1),
        ("nbody", 200),
        ("sha256", 1),
        ("sieve", 1),
        ("strings", 1),
        ("vm", 10),
    ];
    runs.map(workload).into()
}

/// The programs in `tests/guests`, as their manifest runs them.
pub(crate) fn guests() -> Vec<Program> {
    let manifest = String::from_utf8(read("tests/guests/manifest.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["run"].as_array().unwrap().iter().map(guest).collect()
}

fn guest(run: &toml::Value) -> Program {
    let text = |key| run.get(key).map_or("", |value| value.as_str().unwrap()).to_owned();
    let list = |key| {
        let values = run.get(key).and_then(|value| value.as_array()).into_iter().flatten();
        values.map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let name = text("file");
    let wasm = read(&format!("tests/guests/{name}"));
    let invoke = text("invoke");
    let module = Module::new(&Engine::default(), &wasm).unwrap();
    let export = if invoke.is_empty() { "_start".to_owned() } else { invoke };
    let types = module.get_export(&export).unwrap().func().unwrap().params().collect::<Vec<_>>();
    let param = |(text, ty): (&String, &ValType)| match ty {
        ValType::I32 => Val::I32(text.parse().unwrap()),
        ValType::I64 => Val::I64(text.parse().unwrap()),
        ValType::F64 => Val::from(text.parse::<f64>().unwrap()),
        ty => panic!("{ty}"),
    };
    let dir = text("dir");
    Program {
        params: list("args").iter().zip(&types).map(param).collect(),
        args: list("args"),
        env: list("env")
            .iter()
            .map(|variable| variable.split_once('=').unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        stdin: text("stdin"),
        dir: if dir.is_empty() { "/".to_owned() } else { dir },
        name,
        wasm,
        export,
    }
}

/// A file, by its path in the repository.
fn read(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
