//! Modules that are compiled ahead of time, through the API.

use kinglet::{
    Config, Engine, Error, ErrorKind, Extern, Func, Global, Instance, Limits, Memory, MemoryType,
    Module, Mutability, OpSet, Store, Strategy, Trap, Val, ValType, inspect,
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

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

/// An owner of bytes who has other ones, once it is told to.
struct Fickle {
    bytes: [Placed; 2],
    other: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Fickle {
    fn as_ref(&self) -> &[u8] {
        self.bytes[usize::from(self.other.load(Ordering::Relaxed))].as_ref()
    }
}

/// It may panic, but not go on with bytes that nobody has checked.
#[test]
#[should_panic(expected = "the bytes of an artifact are other ones")]
fn bytes_that_become_others_are_not_used() {
    let engine = Engine::default();
    let text = r#"(module (tag $t)
        (func (export "f") (block (try_table (catch $t 0) (throw $t)))))"#;
    let bytes = engine.precompile_module(text.as_bytes()).unwrap();
    let other = Arc::new(AtomicBool::new(false));
    let owner = Fickle { bytes: [0; 2].map(|_| Placed::new(&bytes, 0)), other: other.clone() };
    let module = Module::deserialize_from(&engine, owner).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    f.call(&mut store, ()).unwrap();
    other.store(true, Ordering::Relaxed);
    f.call(&mut store, ()).unwrap();
}

/// What an `i32` has above its 32 bits is up to the code that makes it. Whoever catches it gets zeros there: compiled code takes it for an address.
#[test]
fn an_exception_carries_numbers_of_32_bits() {
    let strategies = [Strategy::Interpreter, Strategy::Jit].into_iter();
    for engine in strategies.filter_map(|tier| Engine::new(Config::new().strategy(tier)).ok()) {
        let text = |carried, body| {
            format!(
                r#"(module (type $i32 (func (param i32))) (type $i64 (func (param i64)))
                    (tag $t (export "tag") (type ${carried}))
                    (func (export "throw") (param i64) {body}))"#
            )
        };
        // The code of a module whose tag has another type.
        let [rest, code] = [text("i32", "unreachable"), text("i64", "(throw $t (local.get 0))")]
            .map(|text| engine.precompile_module(text.as_bytes()).unwrap());
        let section = |bytes: &[u8]| {
            let module = Module::deserialize(&engine, bytes).unwrap();
            let sections = inspect::sections(&module);
            sections.iter().find(|section| section.name == ".kgl.module").unwrap().range.clone()
        };
        let mut mixed = code.clone();
        mixed[section(&code)].copy_from_slice(&rest[section(&rest)]);
        let thrower = Module::deserialize(&engine, &mixed).unwrap();
        let catcher = r#"(module (import "" "tag" (tag $t (param i32))) (import "" "throw" (func $throw (param i64)))
            (memory 1)
            (func (export "peek") (param i64) (result i32) (local $n i32) (local $found i32)
                (loop $twice
                    (local.set $found (i32.load (block (result i32)
                        (try_table (catch $t 0) (call $throw (local.get 0)))
                        (unreachable))))
                    (local.tee $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $twice (i32.lt_u (i32.const 2))))
                (local.get $found)))"#;
        let catcher = Module::new(&engine, catcher).unwrap();
        let mut store = Store::new(&engine, ());
        let thrower = Instance::new(&mut store, &thrower, &[]).unwrap();
        let imports =
            ["tag", "throw"].map(|name| thrower.get_export(&mut store, name).expect("it is there"));
        let catcher = Instance::new(&mut store, &catcher, &imports).unwrap();
        let peek = catcher.get_typed_func::<i64, i32>(&mut store, "peek").unwrap();
        assert_eq!(peek.call(&mut store, 1 << 32).unwrap(), 0);
        // Eight bytes below the memory stands how long it is.
        let trap = peek.call(&mut store, -8).unwrap_err().trap();
        assert_eq!(trap, Some(Trap::MemoryOutOfBounds));
    }
}

/// Listing sections that all have the same long name would take far longer than reading the file.
#[test]
fn sections_with_long_names_are_not_listed() {
    let mut bytes = artifact();
    let engine = Engine::default();
    let listed =
        |bytes: &[u8]| inspect::sections(&Module::deserialize(&engine, bytes).unwrap()).len();
    let count = listed(&bytes);
    let number = |bytes: &[u8], at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    // Where the table of sections is, and in it the section with their names.
    let table = number(&bytes, 40, 8);
    let names = table + 64 * number(&bytes, 62, 2);
    let (start, len) = (number(&bytes, names + 24, 8), number(&bytes, names + 32, 8));
    let moved = bytes.len();
    bytes.extend_from_within(start..start + len);
    bytes.extend([b'x'; 300]);
    bytes.push(0);
    let size = bytes.len() - moved;
    bytes[names + 24..names + 32].copy_from_slice(&(moved as u64).to_le_bytes());
    bytes[names + 32..names + 40].copy_from_slice(&(size as u64).to_le_bytes());
    assert_eq!(listed(&bytes), count);
    // The header gets the long name, or the end of it: nobody looks for it by name.
    for (skip, expected) in [(0, count - 1), (45, count)] {
        let name = (len + skip) as u32;
        bytes[table + 64..table + 68].copy_from_slice(&name.to_le_bytes());
        assert_eq!(listed(&bytes), expected);
    }
}
