//! Modules that are compiled ahead of time, through the API.

use kinglet::{
    Config, Engine, Error, ErrorKind, Extern, Func, Global, Instance, Limits, Memory, MemoryType,
    Module, Mutability, OpSet, Store, Trap, Val, ValType, inspect,
};
use std::{fs, path::PathBuf};

/// A module with imports of all kinds that can be had by hand, segments, and a start function.
const TEXT: &str = r#"(module $whole
    (import "host" "twice" (func $twice (param i32) (result i32)))
    (import "host" "memory" (memory $memory 1 4))
    (import "host" "base" (global $base i32))
    (table (export "table") 4 8 funcref)
    (memory $own (export "own") 1 2)
    (global $count (export "count") (mut i64) (i64.sub (i64.const 10) (i64.const 3)))
    (elem (table 0) (offset (i32.const 1)) func $five $six)
    (elem $later funcref (ref.func $six) (ref.null func))
    (data (memory $memory) (global.get $base) "hello")
    (data $bye "goodbye")
    (start $start)
    (func $start (global.set $count (i64.add (global.get $count) (i64.const 1))))
    (func $five (result i32) (i32.const 5))
    (func $six (result i32) (i32.const 6))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
    (func (export "init") (param i32)
        (memory.init $own $bye (local.get 0) (i32.const 0) (i32.const 7))
        (data.drop $bye)
        (table.init 0 $later (i32.const 3) (i32.const 0) (i32.const 1)))
    (func (export "twice") (param i32) (result i32) (call $twice (local.get 0)))
    (func $trap (export "trap") (unreachable)))"#;

fn engine(configure: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    configure(&mut config);
    Engine::new(&config).unwrap()
}

fn artifact() -> Vec<u8> {
    Engine::default().precompile_module(TEXT.as_bytes()).unwrap()
}

/// What an instance does: everything that the module exports is used.
fn run(module: &Module) -> Result<(), Error> {
    let mut store = Store::new(module.engine(), ());
    let twice = Func::wrap(&mut store, |n: i32| 2 * n);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(4)))?;
    let ty = kinglet::GlobalType::new(ValType::I32, Mutability::Const);
    let base = Global::new(&mut store, ty, Val::I32(100))?;
    let imports: [Extern; 3] = [twice.into(), memory.into(), base.into()];
    let instance = Instance::new(&mut store, module, &imports)?;
    assert_eq!(&memory.data(&store)[99..106], b"\0hello\0");
    let count = instance.get_global(&store, "count").unwrap();
    assert_eq!(count.get(&mut store).i64(), Some(8));

    let call = instance.get_typed_func::<i32, i32>(&mut store, "call")?;
    assert_eq!((call.call(&mut store, 1)?, call.call(&mut store, 2)?), (5, 6));
    assert_eq!(call.call(&mut store, 3).unwrap_err().trap(), Some(Trap::IndirectCallToNull));
    let init = instance.get_typed_func::<i32, ()>(&mut store, "init")?;
    init.call(&mut store, 9)?;
    let own = instance.get_memory(&store, "own").unwrap();
    assert_eq!(&own.data(&store)[8..17], b"\0goodbye\0");
    assert_eq!(call.call(&mut store, 3)?, 6);
    assert_eq!(init.call(&mut store, 9).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    let twice = instance.get_typed_func::<i32, i32>(&mut store, "twice")?;
    assert_eq!(twice.call(&mut store, 21)?, 42);

    let trap = instance.get_typed_func::<(), ()>(&mut store, "trap")?;
    let error = trap.call(&mut store, ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    let frame = &error.wasm_backtrace().unwrap().frames()[0];
    assert_eq!((frame.func_name(), frame.module_name()), (Some("trap"), Some("whole")));
    Ok(())
}

#[test]
fn artifacts_run_as_their_modules() {
    let engine = Engine::default();
    let module = Module::new(&engine, TEXT).unwrap();
    run(&module).unwrap();
    let bytes = module.serialize().unwrap();
    assert_eq!(bytes, artifact(), "it is the same whoever makes it");
    let loaded = Module::deserialize(&engine, &bytes).unwrap();
    run(&loaded).unwrap();
    assert_eq!(loaded.name(), Some("whole"));
    assert_eq!(loaded.serialize().unwrap(), bytes, "it is an artifact already");
    let types =
        |module: &Module| format!("{:?} {:?}", list(module.imports()), list(module.exports()));
    assert_eq!(types(&loaded), types(&module));
}

fn list<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect()
}

/// Bytes at an address that is so many above a multiple of 16: as a mapping has them, if that is none.
struct Placed {
    buffer: Vec<u8>,
    range: std::ops::Range<usize>,
}

impl Placed {
    fn new(bytes: &[u8], above: usize) -> Placed {
        let mut buffer = vec![0; bytes.len() + 32];
        let start = buffer.as_ptr().addr().wrapping_neg() % 16 + above;
        let range = start..start + bytes.len();
        buffer[range.clone()].copy_from_slice(bytes);
        Placed { buffer, range }
    }
}

impl AsRef<[u8]> for Placed {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

#[test]
fn artifacts_are_used_where_they_are() {
    let engine = Engine::default();
    let bytes = artifact();
    let mapping = Placed::new(&bytes, 0);
    let address = mapping.as_ref().as_ptr();
    let module = Module::deserialize_from(&engine, mapping).unwrap();
    assert_eq!(inspect::binary(&module).as_ptr(), address);
    run(&module).unwrap();

    let flash: &'static Placed = Box::leak(Box::new(Placed::new(&bytes, 0)));
    run(&Module::deserialize_static(&engine, flash.as_ref()).unwrap()).unwrap();
    let error = Module::deserialize_from(&engine, Placed::new(&bytes, 8)).unwrap_err();
    assert!(error.to_string().contains("a multiple of 16"), "{error}");

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("artifacts_are_used.kgl");
    fs::write(&path, &bytes).unwrap();
    run(&Module::deserialize_file(&engine, &path).unwrap()).unwrap();
    let error = Module::deserialize_file(&engine, "absent.kgl").unwrap_err();
    assert!(error.to_string().starts_with("absent.kgl: "), "{error}");
}

#[test]
fn artifacts_say_what_they_are() {
    let fused = engine(|config| {
        config.artifact_ops(OpSet::Fused).epoch_interruption(true);
    });
    let bytes = fused.precompile_module(b"(module (memory i64 1) (func (export \"f\")))").unwrap();
    assert!(Engine::detect_precompiled(&bytes));
    let artifact = inspect::artifact(&bytes).unwrap();
    assert_eq!((artifact.ops, artifact.metered), (Some(OpSet::Fused), true));
    let module = Module::deserialize(&fused, &bytes).unwrap();
    assert_eq!(inspect::features_used(&module), ["memory64"]);
    let sections = inspect::sections(&module);
    let names: Vec<&str> = sections.iter().map(|section| section.name).collect();
    assert_eq!(names[..3], [".kgl.header", ".kgl.module", ".kgl.code"]);
    assert!(sections.iter().all(|section| section.range.end <= bytes.len()));
    assert_eq!(inspect::tiers(&module).functions, 1);
    let function = inspect::functions(&module).next().unwrap();
    assert!(function.body.is_none());
    assert!(!inspect::starts(&module) && inspect::binary(&module) == bytes);
    for error in [inspect::bytecode(&module, 0).unwrap_err(), inspect::ir(&module, 0).unwrap_err()]
    {
        assert!(error.to_string().contains("the module is an artifact"), "{error}");
    }
}

#[test]
fn requirements_are_known_beforehand() {
    let engine = Engine::default();
    let text = r#"(module
        (import "" "" (memory 7)) (import "" "" (table 7 funcref))
        (memory 1 16) (table 3 externref) (table 2 5 funcref)
        (global (export "global") i32 (i32.const 0))
        (func $leaf (export "leaf") (param i64 i64))
        (func $recursive (export "recursive") (call $recursive))
        (func (export "caller") (call $leaf (i64.const 1) (i64.const 2))))"#;
    let module = Module::new(&engine, text).unwrap();
    let loaded = Module::deserialize(&engine, module.serialize().unwrap()).unwrap();
    for module in [&module, &loaded] {
        let requirements = module.requirements();
        let memories: Vec<_> =
            requirements.memories().map(|ty| (ty.minimum(), ty.maximum())).collect();
        assert_eq!(memories, [(1, Some(16))]);
        let tables: Vec<_> = requirements.tables().map(|ty| (ty.minimum(), ty.maximum())).collect();
        assert_eq!(tables, [(3, None), (2, Some(5))]);
    }
    let of = |module: &Module| -> Vec<_> {
        let stack = module.requirements().stack().map(|(name, bytes)| (name.to_owned(), bytes));
        stack.collect()
    };
    let names = ["leaf", "recursive", "caller"];
    assert_eq!(of(&module), names.map(|name| (name.to_owned(), None)));
    let stack = of(&loaded);
    assert!(stack.iter().map(|(name, _)| &name[..]).eq(names), "{stack:?}");
}

#[test]
fn what_cannot_be_loaded_is_an_error() {
    let engine = Engine::default();
    let bytes = artifact();
    for len in 0..bytes.len() {
        let error = Module::deserialize(&engine, &bytes[..len]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{len}: {error}");
        assert!(error.offset().is_some_and(|offset| offset <= bytes.len()), "{len}: {error}");
    }
    let error = Module::deserialize(&engine, b"\0asm\x01\0\0\0").unwrap_err();
    assert!(error.to_string().contains("invalid artifact"), "{error}");
    for error in [
        Module::new(&engine, &bytes).unwrap_err(),
        Module::validate(&engine, &bytes).unwrap_err(),
        engine.precompile_module(&bytes).unwrap_err(),
    ] {
        assert!(error.to_string().contains("`Module::deserialize` loads it"), "{error}");
    }
    let error = engine.precompile_module(b"(module (type (struct)))").unwrap_err();
    assert!(error.to_string().contains("cannot be part of an artifact"), "{error}");
    let old = self::engine(|config| {
        config.wasm_bulk_memory(false);
    });
    let error = Module::deserialize(&old, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let mut limits = Limits::default();
    limits.max_functions = 3;
    let small = self::engine(|config| {
        config.limits(limits);
    });
    let error = Module::deserialize(&small, &bytes).unwrap_err();
    assert!(error.to_string().contains("too many functions"), "{error}");
}
