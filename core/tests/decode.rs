//! Decoding and validation, through the public face of `Module`.

use kinglet_core::{
    error::{Error, ErrorKind},
    index::*,
    module::{
        ElemItems, ExportItem, ImportType, Module, SegmentMode,
        const_expr::{ConstExpr, ConstOp},
        features::{Features, Limits},
    },
    types::*,
};

/// A module with every section, and most shapes that their items have.
const EVERYTHING: &str = r#"
(module $everything
  (type $binary (func (param i32 i64) (result f64)))
  (import "env" "f" (func $f (type $binary)))
  (import "env" "g" (global $g i32))
  (import "other" "m" (memory $m 1 2))
  (import "other" "t" (table $t 1 10 funcref))
  (memory $n i64 3)
  (table $u 7 externref)
  (table $v i64 1 5 funcref)
  (global $a (mut i64) (i64.const -5))
  (global $b f32 (f32.const -0))
  (global $c i32 (i32.sub (i32.mul (global.get $g) (i32.const 4)) (i32.const 1)))
  (global $d funcref (ref.func $h))
  (export "h" (func $h))
  (export "a" (global $a))
  (export "memory" (memory $n))
  (export "" (table $u))
  (start $s)
  (elem (table $t) (offset (global.get $g)) func $f $h)
  (elem $passive funcref (ref.null func) (ref.func $h))
  (elem declare func $s)
  (data $hello (memory $m) (i32.const 16) "hello")
  (data $bye "good" "bye")
  (func $h (param $x i32) (param $y i64) (result f64)
    (local $i i32) (local $sum f64)
    (loop $again
      (local.set $sum (f64.add (local.get $sum) (f64.convert_i32_u (local.get $i))))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $x))))
    (local.get $sum))
  (func $s
    (memory.init $m $bye (i32.const 0) (i32.const 0) (i32.const 3))
    (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 1))
    (drop (call_indirect $t (type $binary) (i32.const 1) (i64.const 2) (i32.const 0)))
    (block (result i32 i32) (i32.const 1) (i32.const 2)) (drop) (drop))
)"#;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"))
}

fn decode(wasm: &[u8]) -> Result<Module, Error> {
    Module::decode(wasm, &Features::default())
}

/// What is wrong with `wasm`, and where.
fn refusal(wasm: &[u8], features: &Features) -> (String, usize) {
    let error = Module::validate(wasm, features).expect_err("a refusal").to_string();
    let (message, offset) = error.rsplit_once(" (at offset 0x").expect("an offset");
    (
        message.into(),
        usize::from_str_radix(offset.trim_end_matches(')'), 16).expect("a hexadecimal offset"),
    )
}

/// A module of these sections: id and contents.
fn sections(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    for (id, contents) in sections {
        wasm.push(*id);
        wasm.push(contents.len() as u8);
        wasm.extend_from_slice(contents);
    }
    wasm
}

/// The largest `u32`, as the binary format has it.
const MANY: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

/// Whatever modules there may be, floats are there if the build has them.
#[test]
fn floats_take_the_feature() {
    let found = decode(&wasm("(func (result f64) (f64.const 1))"));
    assert_eq!(found.is_ok(), cfg!(feature = "float"));
    if let Err(error) = found {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("floats are not part of this build"), "{error}");
    }
}

#[test]
fn everything_is_where_it_belongs() {
    let module = decode(&wasm(EVERYTHING)).expect("valid");

    assert_eq!(
        module.signature(kinglet_core::index::TypeIdx(0)).to_string(),
        "(func (param i32 i64) (result f64))"
    );
    let names: Vec<_> = module.imports.iter().map(|i| (&*i.module, &*i.name)).collect();
    assert_eq!(names, [("env", "f"), ("env", "g"), ("other", "m"), ("other", "t")]);
    assert!(matches!(module.imports[0].ty, ImportType::Func(TypeIdx(0))));
    let memory = |minimum, maximum, is_64| MemoryType {
        is_64,
        minimum,
        maximum,
        page_size_log2: 16,
        shared: false,
    };
    assert_eq!(*module.memories, [memory(1, Some(2), false), memory(3, None, true)]);
    let table = |element, is_64, minimum, maximum| TableType { element, is_64, minimum, maximum };
    assert_eq!(
        *module.tables,
        [
            table(RefType::FUNCREF, false, 1, Some(10)),
            table(RefType::EXTERNREF, false, 7, None),
            table(RefType::FUNCREF, true, 1, Some(5))
        ]
    );
    assert_eq!(
        (
            module.imported_funcs,
            module.imported_tables,
            module.imported_memories,
            module.imported_globals
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(*module.table_inits, [None, None]);
    assert_eq!(
        module.globals[1],
        GlobalType { content: ValType::I64, mutability: Mutability::Var }
    );
    assert_eq!(
        *module.global_inits,
        [
            ConstExpr::One(ConstOp::Const(-5i64 as u64)),
            ConstExpr::One(ConstOp::Const(0x8000_0000)),
            ConstExpr::Many(Box::new([
                ConstOp::GlobalGet(GlobalIdx(0)),
                ConstOp::Const(4),
                ConstOp::I32Mul,
                ConstOp::Const(1),
                ConstOp::I32Sub
            ])),
            ConstExpr::One(ConstOp::RefFunc(FuncIdx(1))),
        ]
    );

    for (name, item) in [
        ("h", ExportItem::Func(FuncIdx(1))),
        ("a", ExportItem::Global(GlobalIdx(1))),
        ("memory", ExportItem::Memory(MemoryIdx(1))),
        ("", ExportItem::Table(TableIdx(1))),
    ] {
        assert_eq!(module.export(name).map(|e| e.item), Some(item), "{name}");
    }
    assert!(module.export("b").is_none());
    assert_eq!(module.start, Some(FuncIdx(2)));

    let [active, passive, declared] = &*module.elems else { panic!("{:?}", module.elems) };
    assert!(matches!(
        &active.mode,
        SegmentMode::Active {
            into: TableIdx(0),
            offset: ConstExpr::One(ConstOp::GlobalGet(GlobalIdx(0)))
        }
    ));
    assert!(matches!(&active.items, ElemItems::Funcs(f) if **f == [FuncIdx(0), FuncIdx(1)]));
    assert!(matches!(passive.mode, SegmentMode::Passive));
    assert!(matches!(&passive.items, ElemItems::Exprs(e)
        if **e == [ConstExpr::One(ConstOp::RefNull), ConstExpr::One(ConstOp::RefFunc(FuncIdx(1)))]));
    assert!(matches!(declared.mode, SegmentMode::Declared));

    let bytes: Vec<_> = module.datas.iter().map(|d| &module.wasm[d.bytes.clone()]).collect();
    assert_eq!(bytes, [&b"hello"[..], b"goodbye"]);
    assert!(matches!(
        &module.datas[0].mode,
        SegmentMode::Active { into: MemoryIdx(0), offset: ConstExpr::One(ConstOp::Const(16)) }
    ));
    assert!(matches!(module.datas[1].mode, SegmentMode::Passive));

    let body = module.body(FuncIdx(1)).expect("a body");
    assert_eq!((body.pinned_int, body.pinned_f64), (Some(2), Some(3)));
    assert!(module.body(FuncIdx(0)).is_none());
    let bodies: Vec<_> = module.bodies.iter().map(|b| module.wasm[b.range.end - 1]).collect();
    assert_eq!(bodies, [0x0b; 2], "bodies end with `end`");

    assert_eq!(module.name(), Some("everything"));
    assert_eq!(module.func_name(FuncIdx(0)), Some("f"));
    assert_eq!(module.func_name(FuncIdx(2)), Some("s"));
    assert_eq!(module.func_name(FuncIdx(3)), None);
}

#[test]
fn pins_are_the_hottest_locals() {
    let pins = |body: &str| {
        let text =
            format!("(module (func (param i32 i64 f32 f64 funcref) (local i32 f64) {body}))");
        let module = decode(&wasm(&text)).expect("valid");
        (module.bodies[0].pinned_int, module.bodies[0].pinned_f64)
    };
    let uses = |local: u32, n: usize| format!("(drop (local.get {local}))").repeat(n);

    assert_eq!(pins(""), (None, None));
    assert_eq!(pins(&uses(0, 1)), (None, None), "one use does not pay");
    assert_eq!(pins(&uses(5, 2)), (Some(5), None));
    assert_eq!(pins(&(uses(5, 2) + &uses(1, 2))), (Some(1), None), "the lower index wins a tie");
    assert_eq!(pins(&(uses(2, 9) + &uses(4, 9))), (None, None), "neither floats nor references");
    assert_eq!(
        pins(&(uses(0, 7) + "(loop" + &uses(1, 1) + ")")),
        (Some(1), None),
        "a loop counts eight times"
    );
    assert_eq!(pins(&(uses(0, 9) + "(loop" + &uses(1, 1) + ")")), (Some(0), None));
    assert_eq!(
        pins(&("(loop)(block".to_owned() + &uses(1, 1) + ")")),
        (None, None),
        "after a loop"
    );
    assert_eq!(pins(&uses(3, 7)), (None, None), "an f64 outside of loops needs eight uses");
    assert_eq!(pins(&("(loop (block ".to_owned() + &uses(6, 1) + "))")), (None, Some(6)));
    // Seven deep counts as six deep, so the lower of two equals wins.
    let deep = |n, body: &str| "(loop ".repeat(n) + body + &")".repeat(n);
    assert_eq!(pins(&(deep(7, &uses(5, 1)) + &deep(6, &uses(0, 1)))), (Some(0), None));
    assert_eq!(
        pins("(local.set 0 (i32.const 1)) (drop (local.tee 0 (i32.const 1)))"),
        (Some(0), None)
    );
}

#[test]
fn profiles_do_not_leak_from_one_function_to_the_next() {
    let module = decode(&wasm(
        "(module (func (param i32) (loop (drop (local.get 0)))) (func (param i32) (drop (local.get 0))))",
    ));
    let pins: Vec<_> = module.expect("valid").bodies.iter().map(|b| b.pinned_int).collect();
    assert_eq!(pins, [Some(0), None]);
}

#[test]
fn refusals_say_what_and_where() {
    let all = Features::default();
    let (message, offset) = refusal(b"\0asm\x02\0\0\0", &all);
    assert!(message.starts_with("unknown binary version") && offset == 4, "{message} at {offset}");
    assert!(refusal(b"(module)", &all).0.contains("magic"));

    let valid = wasm("(module (func (drop (i32.const 1))))");
    let at = valid.windows(2).position(|w| w == [0x41, 1]).expect("the constant");
    let mut invalid = valid;
    invalid[at] = 0x20; // local.get 1
    assert_eq!(refusal(&invalid, &all), ("unknown local 1: local index out of bounds".into(), at));
}

#[test]
fn limits_are_obeyed() {
    let limit = |set: fn(&mut Limits)| {
        let mut features = Features::default();
        set(&mut features.limits);
        features
    };
    for (expected, features, fits, exceeds) in [
        (
            "too many types: the limit is 1",
            limit(|l| l.max_types = 1),
            "(type (func))",
            "(type (func)) (type (func))",
        ),
        (
            "too many imports: the limit is 1",
            limit(|l| l.max_imports = 1),
            r#"(import "" "" (memory 1))"#,
            r#"(import "" "" (memory 1)) (import "" "" (memory 1))"#,
        ),
        (
            "too many exports: the limit is 1",
            limit(|l| l.max_exports = 1),
            r#"(func (export "a"))"#,
            r#"(func (export "a") (export "b"))"#,
        ),
        (
            "too many functions: the limit is 1",
            limit(|l| l.max_functions = 1),
            r#"(import "" "" (func))"#,
            r#"(import "" "" (func)) (func)"#,
        ),
        (
            "too many functions: the limit is 1",
            limit(|l| l.max_functions = 1),
            r#"(import "" "" (func))"#,
            r#"(import "" "" (func)) (import "" "" (func))"#,
        ),
        (
            "too many tables: the limit is 1",
            limit(|l| l.max_tables = 1),
            "(table 1 funcref)",
            r#"(import "" "" (table 1 funcref)) (table 1 funcref)"#,
        ),
        (
            "too many memories: the limit is 1",
            limit(|l| l.max_memories = 1),
            "(memory 1)",
            r#"(import "" "" (memory 1)) (memory 1)"#,
        ),
        (
            "too many globals: the limit is 1",
            limit(|l| l.max_globals = 1),
            "(global i32 (i32.const 1))",
            r#"(import "" "" (global i32)) (global i32 (i32.const 1))"#,
        ),
        (
            "too many element segments: the limit is 0",
            limit(|l| l.max_element_segments = 0),
            "",
            "(elem func)",
        ),
        (
            "too many data segments: the limit is 0",
            limit(|l| l.max_data_segments = 0),
            "",
            r#"(data "")"#,
        ),
        (
            "too many parameters: the limit is 1",
            limit(|l| l.max_params = 1),
            "(func (param i32))",
            "(func (param i32 i32))",
        ),
        (
            "too many results: the limit is 0",
            limit(|l| l.max_results = 0),
            "(func)",
            "(func (result i32) i32.const 1)",
        ),
        (
            "too many locals: the limit is 2",
            limit(|l| l.max_locals = 2),
            "(func (param f32) (local i32 i64))",
            "(func (local i32 i32) (local i64))",
        ),
        (
            "too many bytes in a function body: the limit is 2",
            limit(|l| l.max_function_size = 2),
            "(func)",
            "(func nop)",
        ),
        (
            "too many nested blocks: the limit is 2",
            limit(|l| l.max_nesting = 2),
            "(func (block (loop)) (loop (block)))",
            "(func (block (loop (if (i32.const 1) (then)))))",
        ),
    ] {
        Module::validate(&wasm(&format!("(module {fits})")), &features)
            .unwrap_or_else(|e| panic!("{fits}: {e}"));
        assert_eq!(
            refusal(&wasm(&format!("(module {exceeds})")), &features).0,
            expected,
            "{exceeds}"
        );
    }
}

#[test]
fn what_is_declared_but_not_there_costs_nothing() {
    let all = Features::default();
    let mut limits = Limits::default();
    (limits.max_types, limits.max_functions, limits.max_locals) = (u32::MAX, u32::MAX, u32::MAX);
    let unlimited = Features { limits, ..Features::default() };
    for id in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11] {
        let wasm = sections(&[(id, &MANY)]);
        assert!(Module::validate(&wasm, &all).is_err(), "section {id}");
        assert!(Module::validate(&wasm, &unlimited).is_err(), "section {id}");
    }
    let (message, offset) = refusal(&sections(&[(1, &MANY)]), &unlimited);
    assert_eq!(message, "unexpected end: a section of 5 bytes declares 4294967295 types");
    assert_eq!(offset, 10);

    // One function with 2^32 - 1 locals, as one declaration and as several.
    let func = |body: &[u8]| {
        let mut code = vec![1, body.len() as u8];
        code.extend_from_slice(body);
        sections(&[(1, &[1, 0x60, 0, 0]), (3, &[1, 0]), (10, &code)])
    };
    let local = |ty: u8| [&MANY[..], &[ty]].concat();
    let one = func(&[&[1], &local(0x7f)[..], &[0x0b]].concat());
    assert_eq!(refusal(&one, &all).0, "too many locals: the limit is 50000");
    assert!(refusal(&one, &unlimited).0.contains("too many locals"));
    let two = func(&[&[2], &local(0x7f)[..], &local(0x7e)[..], &[0x0b]].concat());
    assert_eq!(refusal(&two, &all).0, "too many locals: the limit is 50000");
    assert!(refusal(&two, &unlimited).0.contains("too many locals"));
    // 2^32 - 1 declarations of none each, but for the end of the body.
    let none = func(&[&MANY[..], &[0, 0x7f, 0, 0x7f]].concat());
    assert!(Module::validate(&none, &all).is_err());
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(1_000_000)); // block
    body.extend([0x0b].repeat(1_000_001));
    let leb = |mut n: usize| {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    let mut code = vec![1];
    code.extend(leb(body.len()));
    let head = code.len();
    code.extend(body);
    let mut wasm = sections(&[(1, &[1, 0x60, 0, 0]), (3, &[1, 0])]);
    wasm.push(10);
    wasm.extend(leb(code.len()));
    let at = wasm.len() + head + 1 + 2 * 10_000;
    wasm.extend(code);
    assert_eq!(
        refusal(&wasm, &Features::default()),
        ("too many nested blocks: the limit is 10000".into(), at)
    );
}

#[test]
fn truncated_modules_are_refused() {
    let whole = wasm(EVERYTHING);
    for len in 0..whole.len() {
        let part = &whole[..len];
        if let Ok(module) = decode(part) {
            // What ends between sections, before any that the others need, may be a module.
            assert!(
                module.bodies.len() == module.funcs.len() - module.imported_funcs as usize,
                "{len}"
            );
        }
    }
}

#[test]
fn changed_bits_do_no_harm() {
    let whole = wasm(EVERYTHING);
    let mut refused = 0;
    for bit in 0..whole.len() * 8 {
        let mut wasm = whole.clone();
        wasm[bit / 8] ^= 1 << (bit % 8);
        match Module::decode(&*wasm, &Features::default()) {
            Ok(module) => {
                module.name();
                for func in 0..module.funcs.len() {
                    module.func_name(FuncIdx(func as u32));
                }
                for data in &module.datas {
                    assert!(module.wasm.get(data.bytes.clone()).is_some());
                }
            }
            Err(error) => {
                error.to_string();
                refused += 1;
            }
        }
    }
    assert!(refused > whole.len(), "most changes make a module invalid");
}

#[test]
fn branch_hints_are_found_by_the_offsets_of_branches() {
    let wasm = wasm(
        r#"(module
            (import "" "" (func))
            (func)
            (func (param i32)
                (block
                    (@metadata.code.branch_hint "\00") (br_if 0 (local.get 0))
                    (br_if 0 (local.get 0))
                    (@metadata.code.branch_hint "\01") (if (local.get 0) (then)))))"#,
    );
    let hinted = Features { branch_hinting: true, ..Features::default() };
    let module = Module::decode(wasm.clone(), &hinted).expect("it is valid");
    let branches: Vec<_> = (0..wasm.len())
        .filter_map(|at| module.branch_hint(at).map(|taken| (wasm[at], taken)))
        .collect();
    assert_eq!(branches, [(0x0d, false), (0x04, true)]);
    assert!(decode(&wasm).expect("it is valid").branch_hints.is_empty());
}

#[test]
fn bad_branch_hints_are_refused_where_they_count() {
    // (func (block (br_if 0 (i32.const 1)))), whose `br_if` is at 5.
    let code: (u8, &[u8]) = (10, b"\x01\x09\0\x02\x40\x41\x01\x0d\0\x0b\x0b");
    let module = |hints: &[&[u8]], behind: &[&[u8]]| {
        let custom = |hints: &[u8]| [b"\x19metadata.code.branch_hint", hints].concat();
        let hints: Vec<_> = hints.iter().map(|hints| custom(hints)).collect();
        let behind: Vec<_> = behind.iter().map(|hints| custom(hints)).collect();
        let mut all: Vec<(u8, &[u8])> = vec![(1, b"\x01\x60\0\0"), (3, b"\x01\0")];
        all.extend(hints.iter().map(|hints| (0, &hints[..])));
        all.push(code);
        all.extend(behind.iter().map(|hints| (0, &hints[..])));
        sections(&all)
    };
    let hinted = Features { branch_hinting: true, ..Features::default() };
    let good: &[u8] = b"\x01\0\x01\x05\x01\x01";
    Module::validate(&module(&[good], &[]), &hinted).expect("a good hint");
    for (expected, wasm) in [
        ("a second section", module(&[good, good], &[])),
        ("behind the code section", module(&[], &[good])),
        ("no such function", module(&[b"\x01\x01\x01\x05\x01\x01"], &[])),
        ("functions out of order", module(&[b"\x02\0\x01\x05\x01\x01\0\x01\x05\x01\x01"], &[])),
        ("hints out of order", module(&[b"\x01\0\x02\x05\x01\x01\x05\x01\x01"], &[])),
        ("invalid target", module(&[b"\x01\0\x01\x03\x01\x01"], &[])),
        ("invalid target", module(&[b"\x01\0\x01\x06\x01\x01"], &[])),
        ("invalid target", module(&[b"\x01\0\x01\x7f\x01\x01"], &[])),
    ] {
        let (message, _) = refusal(&wasm, &hinted);
        assert_eq!(message, format!("@metadata.code.branch_hint annotation: {expected}"));
        decode(&wasm).expect("custom sections cannot make a module invalid");
    }
    for cut in 0..good.len() {
        let wasm = module(&[&good[..cut]], &[]);
        Module::validate(&wasm, &hinted).expect_err("a section that ends early");
        decode(&wasm).expect("custom sections cannot make a module invalid");
    }
}

#[test]
fn damaged_name_sections_are_ignored() {
    let name = |contents: &[u8]| {
        let section = [b"\x04name", contents].concat();
        decode(&sections(&[(0, &section)])).expect("custom sections cannot make a module invalid")
    };
    assert_eq!(name(b"\x00\x03\x02ab").name(), Some("ab"));
    assert_eq!(name(b"\x00\x03\x05ab").name(), None, "longer than its subsection");
    assert_eq!(name(b"\x00\x7fab").name(), None, "a subsection longer than the section");
    assert_eq!(name(b"\x00\x03\x02\xff\xff").name(), None, "not UTF-8");
    assert_eq!(name(b"\xff\xff\xff").name(), None);
    let funcs = name(b"\x01\x09\x03\x00\x01a\x01\x01b\x02\x7f");
    assert_eq!(funcs.func_name(FuncIdx(1)), Some("b"));
    assert_eq!(funcs.func_name(FuncIdx(2)), None);
    let empty = decode(&sections(&[])).expect("valid");
    assert_eq!((empty.name(), empty.func_name(FuncIdx(0))), (None, None));
}
