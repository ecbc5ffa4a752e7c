//! Memories, tables, globals and references, as the host and the guest use them.

mod common;

use common::{call, instance, link};
use kinglet::{
    Caller, Engine, Extern, ExternRef, ExternType, Func, Global, GlobalType, HeapType, Instance,
    Linker, Memory, MemoryType, Module, Mutability, Ref, RefType, Rooted, Store, Table, TableType,
    Trap, V128, Val, ValType,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[test]
fn memories_are_read_and_written() {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    assert_eq!(memory.ty(&store), MemoryType::new(1, Some(2)));
    assert_eq!((memory.size(&store), memory.page_size(&store)), (1, 65_536));
    memory.write(&mut store, 65_533, b"abc").unwrap();
    let mut buffer = [0; 3];
    memory.read(&store, 65_533, &mut buffer).unwrap();
    assert_eq!(&buffer, b"abc");
    for offset in [65_534, 65_536, usize::MAX] {
        assert!(memory.read(&store, offset, &mut buffer).is_err());
        let error = memory.write(&mut store, offset, b"xyz").unwrap_err();
        assert_eq!(error.to_string(), "out of bounds memory access");
    }
    assert_eq!(&buffer, b"abc");
    assert_eq!(&memory.data(&store)[65_533..], b"abc");
    memory.read(&store, 65_536, &mut []).unwrap();
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 1);
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert!(memory.data(&store)[65_536..].iter().all(|&byte| byte == 0));
    assert_eq!(memory.ty(&store).minimum(), 1);
}

#[test]
fn memories_of_64_bits() {
    let (mut store, instance) = instance(
        r#"(module
            (memory (export "m") i64 1 0x100000000)
            (data (i64.const 65530) "abcdef")
            (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
            (func (export "store") (param i64 i32) (i32.store8 (local.get 0) (local.get 1)))
            (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
            (func (export "size") (result i64) (memory.size)))"#,
    );
    let memory = instance.get_memory(&store, "m").unwrap();
    assert!(memory.ty(&store).is_64());
    assert_eq!(memory.ty(&store).maximum(), Some(1 << 32));
    assert_eq!(call::<_, i64, i32>(&mut store, instance, "load", 65_535).unwrap(), 102);
    for address in [65_536, 1 << 32, 1 << 48, i64::MAX, -1] {
        let error = call::<_, i64, i32>(&mut store, instance, "load", address).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds), "{address}");
    }
    assert_eq!(call::<_, i64, i64>(&mut store, instance, "grow", 2).unwrap(), 1);
    assert_eq!(call::<_, (), i64>(&mut store, instance, "size", ()).unwrap(), 3);
    call::<_, (i64, i32), ()>(&mut store, instance, "store", (3 * 65_536 - 1, 5)).unwrap();
    assert_eq!(memory.data(&store).last(), Some(&5));
}

#[test]
fn several_memories() {
    let (mut store, instance) = instance(
        r#"(module
            (memory $a (export "a") 1)
            (memory $b (export "b") 2 5)
            (data (memory $b) (i32.const 0) "bytes")
            (func (export "copy") (memory.copy $a $b (i32.const 8) (i32.const 1) (i32.const 3)))
            (func (export "grow") (result i32) (memory.grow $b (i32.const 3)))
            (func (export "load") (param i32) (result i32) (i32.load8_u $b (local.get 0))))"#,
    );
    call::<_, (), ()>(&mut store, instance, "copy", ()).unwrap();
    let [a, b] = ["a", "b"].map(|name| instance.get_memory(&store, name).unwrap());
    assert_eq!(&a.data(&store)[8..12], b"yte\0");
    assert_eq!(call::<_, (), i32>(&mut store, instance, "grow", ()).unwrap(), 2);
    assert_eq!((a.size(&store), b.size(&store)), (1, 5));
    let last = 5 * 65_536 - 1;
    b.data_mut(&mut store)[last] = 77;
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "load", last as i32).unwrap(), 77);
}

#[test]
fn what_a_host_function_changes_is_seen_when_it_returns() {
    let mut linker = Linker::<()>::new(&Engine::default());
    linker
        .func_wrap("host", "change", |mut caller: Caller<'_, ()>| -> kinglet::Result<()> {
            let memory = caller.get_export("m").and_then(Extern::into_memory).unwrap();
            memory.grow(&mut caller, 10)?;
            memory.write(&mut caller, 10 * 65_536, &[42])?;
            let table = caller.get_export("t").and_then(Extern::into_table).unwrap();
            let func = Func::wrap(&mut caller, || 7);
            table.grow(&mut caller, 100, func.into())?;
            let global = caller.get_export("g").and_then(Extern::into_global).unwrap();
            global.set(&mut caller, Val::I32(3))?;
            Ok(())
        })
        .unwrap();
    let wat = r#"(module
        (import "host" "change" (func $change))
        (memory (export "m") 1)
        (table (export "t") 1 funcref)
        (global $g (export "g") (mut i32) (i32.const 0))
        (func (export "run") (result i32 i32 i32)
            (call $change)
            (i32.load8_u (i32.const 655360))
            (call_indirect (result i32) (i32.const 100))
            (global.get $g)))"#;
    let (mut store, instance) = link(&linker, (), wat);
    type Results = (i32, i32, i32);
    assert_eq!(call::<_, (), Results>(&mut store, instance, "run", ()).unwrap(), (42, 7, 3));
}

#[test]
fn tables_are_read_written_grown_filled_and_copied() {
    let (mut store, instance) = instance(
        r#"(module
            (table $t (export "t") 3 10 funcref)
            (elem (i32.const 1) func $one $two)
            (func $one (export "one") (result i32) (i32.const 1))
            (func $two (result i32) (i32.const 2))
            (func (export "call") (param i32) (result i32)
                (call_indirect $t (result i32) (local.get 0)))
            (func (export "size") (result i32) (table.size $t)))"#,
    );
    let table = instance.get_table(&store, "t").unwrap();
    assert_eq!(table.ty(&store), TableType::new(RefType::FUNCREF, 3, Some(10)));
    assert!(table.get(&mut store, 0).unwrap().is_null());
    let two = *table.get(&mut store, 2).unwrap().unwrap_func().unwrap();
    assert_eq!(two.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 2);
    let one = instance.get_func(&store, "one").unwrap();
    assert_eq!(table.get(&mut store, 1).unwrap().unwrap_func(), Some(&one));

    table.set(&mut store, 0, two.into()).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "call", 0).unwrap(), 2);
    assert_eq!(table.grow(&mut store, 2, one.into()).unwrap(), 3);
    assert_eq!(call::<_, (), i32>(&mut store, instance, "size", ()).unwrap(), 5);
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "call", 4).unwrap(), 1);
    table.fill(&mut store, 1, Ref::Func(None), 2).unwrap();
    let error = call::<_, i32, i32>(&mut store, instance, "call", 2).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IndirectCallToNull));
    Table::copy(&mut store, &table, 1, &table, 3, 2).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "call", 2).unwrap(), 1);
    let host = Func::wrap(&mut store, || 9);
    table.set(&mut store, 0, host.into()).unwrap();
    assert_eq!(call::<_, i32, i32>(&mut store, instance, "call", 0).unwrap(), 9);
    let wrong = Func::wrap(&mut store, |_: i32| 9);
    table.set(&mut store, 0, wrong.into()).unwrap();
    let error = call::<_, i32, i32>(&mut store, instance, "call", 0).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::BadSignature));

    assert_eq!(
        table.set(&mut store, 5, one.into()).unwrap_err().trap(),
        Some(Trap::TableOutOfBounds)
    );
    assert!(table.fill(&mut store, 4, one.into(), 2).is_err());
    assert!(Table::copy(&mut store, &table, 4, &table, 0, 2).is_err());
    assert!(table.get(&mut store, u64::MAX).is_none());
    let error = table.set(&mut store, 0, Ref::Extern(None)).unwrap_err();
    assert_eq!(error.to_string(), "value does not match the table's element type funcref");
    let error = table.grow(&mut store, 6, one.into()).unwrap_err();
    assert_eq!(error.to_string(), "failed to grow table by `6`");
    let externs = TableType::new64(RefType::EXTERNREF, 2, None);
    let externs = Table::new(&mut store, externs, Ref::Extern(None)).unwrap();
    assert!(Table::copy(&mut store, &table, 0, &externs, 0, 1).is_err());
}

#[test]
fn globals_are_read_and_written() {
    let (mut store, instance) = instance(
        r#"(module
            (global $i (export "i") (mut i64) (i64.const -1))
            (global (export "c") f32 (f32.const 1.5))
            (global $f (export "f") (mut funcref) (ref.func $seven))
            (global (export "sum") i32 (i32.add (i32.const 40) (i32.const 2)))
            (func $seven (export "seven") (result i32) (i32.const 7))
            (func (export "get") (result i64) (global.get $i)))"#,
    );
    let global = |name| instance.get_global(&store, name).unwrap();
    let (i, c, f) = (global("i"), global("c"), global("f"));
    assert_eq!(global("sum").get(&mut store).i32(), Some(42));
    assert_eq!(i.ty(&store), GlobalType::new(ValType::I64, Mutability::Var));
    i.set(&mut store, Val::I64(i64::MIN)).unwrap();
    assert_eq!(call::<_, (), i64>(&mut store, instance, "get", ()).unwrap(), i64::MIN);
    assert_eq!(c.get(&mut store).f32(), Some(1.5));
    assert_eq!(
        c.set(&mut store, Val::from(2f32)).unwrap_err().to_string(),
        "immutable global cannot be set"
    );
    assert_eq!(
        i.set(&mut store, Val::I32(1)).unwrap_err().to_string(),
        "value does not match the global's type i64"
    );
    let seven = *f.get(&mut store).unwrap_func_ref().unwrap();
    assert_eq!(Some(seven), instance.get_func(&store, "seven"));
    f.set(&mut store, Val::null_func_ref()).unwrap();
    assert!(f.get(&mut store).is_null());

    let v128 = GlobalType::new(ValType::V128, Mutability::Var);
    let bits = V128::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let global = Global::new(&mut store, v128, bits.into()).unwrap();
    assert_eq!(global.get(&mut store).v128(), Some(bits));
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    assert!(Global::new(&mut store, ty, Val::I64(0)).is_err());
}

#[test]
fn guests_keep_references_to_host_values() {
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut store, instance) = instance(
        r#"(module
            (table $t 4 externref)
            (func (export "set") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
            (func (export "get") (param i32) (result externref) (table.get $t (local.get 0)))
            (func (export "null") (param externref) (result i32) (ref.is_null (local.get 0))))"#,
    );
    type Reference = Option<Rooted<ExternRef>>;
    for i in 0..3 {
        let value = (i, Counted(dropped.clone()));
        let reference = ExternRef::new(&mut store, value).unwrap();
        let params = (i, Some(reference));
        call::<_, (i32, Reference), ()>(&mut store, instance, "set", params).unwrap();
    }
    for i in 0..3 {
        let reference = call::<_, i32, Reference>(&mut store, instance, "get", i).unwrap().unwrap();
        let data = reference.data(&store).unwrap().unwrap();
        assert_eq!(data.downcast_ref::<(i32, Counted)>().unwrap().0, i);
        assert!(data.downcast_ref::<String>().is_none());
    }
    assert!(call::<_, i32, Reference>(&mut store, instance, "get", 3).unwrap().is_none());
    assert_eq!(call::<_, Reference, i32>(&mut store, instance, "null", None).unwrap(), 1);
    let get = instance.get_func(&store, "get").unwrap();
    let mut results = [Val::null_extern_ref()];
    get.call(&mut store, &[Val::I32(1)], &mut results).unwrap();
    assert!(results[0].unwrap_extern_ref().is_some());
    assert_eq!(results[0].ty(&store).unwrap(), RefType::new(false, HeapType::Extern).into());
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(store);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn bulk_operations_and_dropped_segments() {
    let (mut store, instance) = instance(
        r#"(module
            (memory (export "m") 1)
            (table $t (export "t") 4 funcref)
            (data $d "0123456789")
            (data $active (i32.const 100) "active")
            (elem $e func $f $f)
            (func $f)
            (func (export "init") (param i32 i32 i32)
                (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
            (func (export "init_active") (param i32)
                (memory.init $active (i32.const 0) (i32.const 0) (local.get 0)))
            (func (export "drop") (data.drop $d) (elem.drop $e))
            (func (export "init_table") (param i32 i32 i32)
                (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
            (func (export "fill") (param i32 i32 i32)
                (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
    );
    type Three = (i32, i32, i32);
    let mut run = |name: &str, params: Three| {
        let result = call::<_, Three, ()>(&mut store, instance, name, params);
        result.err().map(|error| error.trap().unwrap())
    };
    let (memory, table) = (Some(Trap::MemoryOutOfBounds), Some(Trap::TableOutOfBounds));
    assert_eq!(run("init", (10, 2, 5)), None);
    assert_eq!(run("init", (10, 6, 5)), memory);
    assert_eq!(run("init", (65_530, 0, 7)), memory);
    assert_eq!(run("init_table", (2, 0, 2)), None);
    assert_eq!(run("init_table", (3, 0, 2)), table);
    assert_eq!(run("init_table", (0, 1, 2)), table);
    assert_eq!(run("fill", (20, 0x1ff, 3)), None);
    assert_eq!(run("fill", (65_535, 1, 2)), memory);
    assert_eq!(run("fill", (-1, 1, 1)), memory);
    call::<_, (), ()>(&mut store, instance, "drop", ()).unwrap();
    let mut run = |name: &str, params: Three| {
        let result = call::<_, Three, ()>(&mut store, instance, name, params);
        result.err().map(|error| error.trap().unwrap())
    };
    assert_eq!(run("init", (0, 0, 0)), None);
    assert_eq!(run("init", (0, 0, 1)), memory);
    assert_eq!(run("init_table", (0, 0, 0)), None);
    assert_eq!(run("init_table", (0, 0, 1)), table);
    // An active segment is as good as dropped once it has been copied.
    assert!(call::<_, i32, ()>(&mut store, instance, "init_active", 1).is_err());
    call::<_, i32, ()>(&mut store, instance, "init_active", 0).unwrap();
    let memory = instance.get_memory(&store, "m").unwrap().data(&store);
    assert_eq!(&memory[10..15], b"23456");
    assert_eq!(&memory[20..24], &[255, 255, 255, 0]);
    assert_eq!(&memory[100..106], b"active");
}

#[test]
fn types_describe_themselves() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module $name
            (import "a" "f" (func (param i32 f64) (result externref)))
            (import "a" "t" (table i64 1 2 funcref))
            (import "b" "m" (memory i64 1 2))
            (import "b" "g" (global (mut i64)))
            (func (export "x"))
            (global (export "y") f32 (f32.const 0)))"#,
    )
    .unwrap();
    assert_eq!(module.name(), Some("name"));
    let imports: Vec<_> = module
        .imports()
        .map(|import| (import.module(), import.name(), import.ty().to_string()))
        .collect();
    assert_eq!(
        imports,
        [
            ("a", "f", "(func (param i32 f64) (result externref))".into()),
            ("a", "t", "(table i64 1 2 funcref)".into()),
            ("b", "m", "(memory i64 1 2)".into()),
            ("b", "g", "(global (mut i64))".into()),
        ]
    );
    assert_eq!(module.exports().len(), 2);
    let y = module.get_export("y").unwrap();
    assert_eq!(y.unwrap_global().content(), &ValType::F32);
    assert!(y.func().is_none());
    assert!(matches!(module.get_export("x"), Some(ExternType::Func(_))));
    assert!(module.get_export("z").is_none());
    assert_eq!(RefType::EXTERNREF, RefType::new(true, HeapType::Extern));
}

#[test]
fn modules_are_inspected() {
    use kinglet::inspect;

    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "a" "b" (func $imported))
            (memory 1)
            (func $copy (param i32)
                (memory.copy (i32.const 0) (local.get 0) (i32.const 9))
                (call $imported)))"#,
    )
    .unwrap();
    let sections = inspect::sections(&module);
    let names: Vec<_> = sections.iter().map(|section| section.name).collect();
    assert_eq!(names, ["type", "import", "function", "memory", "code", "name"]);
    assert!(sections[5].is_custom() && !sections[4].is_custom());
    let functions: Vec<_> = inspect::functions(&module).collect();
    assert_eq!(functions[0].name.as_deref(), Some("imported"));
    assert!(functions[0].body.is_none());
    let code = &sections[4].range;
    let body = functions[1].body.clone().unwrap();
    assert!(code.start < body.start && body.end == code.end);
    assert_eq!(inspect::features_used(&module), ["bulk-memory"]);
    let listing = inspect::bytecode(&module, 1).unwrap();
    assert!(listing.lines().count() >= 3, "{listing}");
    assert_eq!(inspect::bytecode(&module, 0).unwrap_err().to_string(), "function 0 is imported");
    assert_eq!(inspect::bytecode(&module, 2).unwrap_err().to_string(), "function 2 does not exist");
    assert_eq!(&inspect::binary(&module)[..4], b"\0asm");
}

#[test]
fn bad_modules_are_errors_with_an_offset() {
    let engine = Engine::default();
    let good = inspect_binary(r#"(module (func (export "f") (result i32) (i32.const 1)))"#);
    for len in 1..good.len() {
        // Cut between sections, what is left is a module too.
        if let Err(error) = Module::new(&engine, &good[..len]) {
            assert!(error.offset().is_some_and(|offset| offset <= len), "{len}: {error}");
        }
    }
    assert!(Module::validate(&engine, &good).is_ok());
    let error = Module::new(&engine, b"\0asm\x01\0\0\0\x63").unwrap_err();
    assert!(error.offset().is_some());
    let error = Module::new(&engine, "(module (func (result i32)))").unwrap_err();
    assert!(error.offset().is_some(), "{error}");
    assert!(Module::new(&engine, "(module (func").is_err());
}

fn inspect_binary(wat: &str) -> Vec<u8> {
    kinglet::inspect::binary(&Module::new(&Engine::default(), wat).unwrap()).to_vec()
}

#[test]
fn lazily_translated_modules_run_the_same() {
    let mut config = kinglet::Config::new();
    config.compilation_mode(kinglet::CompilationMode::Lazy);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (func $even (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
                    (else (call $odd (i32.sub (local.get 0) (i32.const 1))))))
            (func $odd (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                    (else (call $even (i32.sub (local.get 0) (i32.const 1))))))
            (export "even" (func $even)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    for _ in 0..2 {
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        assert_eq!(call::<_, i32, i32>(&mut store, instance, "even", 100).unwrap(), 1);
        assert_eq!(call::<_, i32, i32>(&mut store, instance, "even", 7).unwrap(), 0);
    }
}
