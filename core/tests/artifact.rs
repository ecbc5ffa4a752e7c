//! Artifacts: what is written is read again, and what is not sound is refused.

use kinglet_core::{
    artifact::{self, Header, Image, Loaded, Needs},
    bytes::Bytes,
    error::{Error, ErrorKind},
    index::*,
    module::{
        const_expr::{ConstEnv, ConstExpr, ConstOp},
        features::{Features, Limits},
        *,
    },
    op::OpSet,
    types::*,
};
use std::{borrow::Cow, fs, path::Path};

/// A module with everything that an artifact can hold.
const EVERYTHING: &str = r#"
(module $everything
  (type $binary (func (param i32 i64) (result f64)))
  (rec (type $parent (sub (func (param v128)))) (type $child (sub $parent (func (param v128)))))
  (type $nothing (func))
  (type $references (func (param externref funcref) (result f32)))
  (rec
    (type $list (sub (struct (field (ref null $list)) (field (mut i8)))))
    (type $node (sub $list (struct (field (ref null $node)) (field (mut i8)) (field externref)))))
  (type $words (array (mut i16)))
  (type $with (func (param (ref null $list)) (result (ref $words))))
  (import "env" "f" (func $f (type $binary)))
  (import "env" "g" (global $g i32))
  (import "env" "e" (tag $e (param i32)))
  (import "other" "m" (memory $m 1 2))
  (import "other" "t" (table $t 1 10 funcref))
  (import "" "" (func (type $child)))
  (memory $n i64 3)
  (memory $o 1 70000 (pagesize 1))
  (memory $p 1 2 shared)
  (table $u 7 externref)
  (table $v i64 1 5 funcref)
  (table $w 2 funcref (ref.func $h))
  (table $x 1 (ref null $with))
  (table $y 1 (ref func) (ref.func $h))
  (tag $own (param f64 i32))
  (global $a (mut i64) (i64.const -5))
  (global $b f32 (f32.const -0))
  (global $c i32 (i32.sub (i32.mul (global.get $g) (i32.const 4)) (i32.const 1)))
  (global $d funcref (ref.func $h))
  (global v128 (v128.const i64x2 1 -2))
  (global f64 (f64.const nan:0x8000000000001))
  (global i64 (i64.add (i64.const 0x7fffffffffffffff) (i64.const 1)))
  (global i32 (global.get $c))
  (global externref (ref.null extern))
  (global $o (ref $node)
    (struct.new $node (ref.null $node) (i32.const 1) (extern.convert_any (ref.i31 (i32.const 5)))))
  (global (ref null $list) (global.get $o))
  (global anyref (array.new $words (i32.const 1) (i32.const 2)))
  (global (mut eqref) (array.new_fixed $words 2 (i32.const 1) (i32.const 2)))
  (global structref (struct.new_default $list))
  (global (ref array) (array.new_default $words (i32.const 3)))
  (global exnref (ref.null exn))
  (export "h" (func $h))
  (export "a" (global $a))
  (export "memory" (memory $n))
  (export "tag" (tag $own))
  (export "f" (func $f))
  (export "" (table $u))
  (start $s)
  (elem (table $t) (offset (global.get $g)) func $f $h)
  (elem (table $v) (offset (i64.const 1)) func $h)
  (elem (table $u) (offset (i32.const 0)) externref (ref.null extern))
  (elem $passive funcref (ref.null func) (ref.func $h))
  (elem declare func $s)
  (elem (table $y) (offset (i32.const 0)) func $h)
  (elem (ref null $list) (global.get $o) (ref.null none))
  (data $hello (memory $m) (i32.const 16) "hello")
  (data (memory $n) (i64.const 1) "")
  (data $bye "good" "bye")
  (func $h (param $x i32) (param $y i64) (result f64)
    (memory.init $m $bye (i32.const 0) (i32.const 0) (i32.const 3))
    (f64.convert_i32_u (i32.add (local.get $x) (i32.const 1))))
  (func $s))
"#;

fn features() -> Features {
    Features { custom_page_sizes: true, ..Features::default() }
}

fn decode(text: &str) -> Module {
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    Module::decode(wasm, &features()).unwrap_or_else(|error| panic!("{error}"))
}

/// What an interpreter might add.
fn image(module: &Module) -> Image<'static> {
    let funcs = module.exports.iter().filter(|export| matches!(export.item, ExportItem::Func(_)));
    let stack = (0..funcs.count() as u32).map(|i| i.checked_sub(1).map(|i| i * 1000)).collect();
    Image {
        op_set: OpSet::Fused as u8,
        metered: true,
        code: Cow::Borrowed(b"some code"),
        tables: Cow::Borrowed(b"some tables"),
        needs: Needs { stack },
    }
}

fn write(module: &Module) -> Vec<u8> {
    artifact::write(module, &image(module), &features())
}

fn read(bytes: &[u8]) -> Result<Loaded, Error> {
    artifact::read(Bytes::aligned(bytes), &features())
}

/// Fails unless `read` is the same module as `module`, but for its bodies.
fn assert_same(read: &Module, module: &Module) {
    macro_rules! fields {
        ($($field:ident)*) => { $(
            let [a, b] = [read, module].map(|module| format!("{:?}", module.$field));
            assert_eq!(a, b, stringify!($field));
        )* };
    }
    fields! {
        types rec_groups imports exports exports_by_name funcs imported_funcs tables imported_tables table_inits memories
        imported_memories globals imported_globals global_inits tags imported_tags elems start
    }
    assert!(read.bodies.is_empty() && read.branch_hints.is_empty());
    assert_eq!(read.datas.len(), module.datas.len());
    for (a, b) in read.datas.iter().zip(&module.datas) {
        assert_eq!(format!("{:?}", a.mode), format!("{:?}", b.mode));
        assert_eq!(read.wasm[a.bytes.clone()], module.wasm[b.bytes.clone()]);
    }
    assert_eq!(read.name(), module.name());
    for func in (0..=module.funcs.len() as u32).map(FuncIdx) {
        assert_eq!(read.func_name(func), module.func_name(func));
    }
    for tag in (0..module.tags.len() as u32).map(TagIdx) {
        assert_eq!(read.tag_name(tag), module.tag_name(tag));
    }
}

#[test]
fn what_is_written_is_read() {
    let module = decode(EVERYTHING);
    let (image, bytes) = (image(&module), write(&module));
    let loaded = read(&bytes).unwrap();
    assert_same(&loaded.module, &module);
    assert_eq!((loaded.op_set, loaded.metered), (2, true));
    assert_eq!(loaded.needs, image.needs);
    assert_eq!(loaded.needs.stack[..], [None, Some(0)]);
    assert_eq!(loaded.module.wasm[loaded.code.clone()], *image.code);
    assert_eq!(loaded.module.wasm[loaded.tables.clone()], *image.tables);
    let base = loaded.module.wasm.as_ptr().addr();
    assert_eq!(((base + loaded.code.start) % 16, (base + loaded.tables.start) % 8), (0, 0));
    assert_eq!(loaded.module.func_name(FuncIdx(2)), Some("h"));
    assert_eq!(loaded.module.tag_name(TagIdx(0)), Some("e"));
    assert_eq!(loaded.module.export("tag").unwrap().item, ExportItem::Tag(TagIdx(1)));
    assert_eq!(write(&module), bytes, "it is the same bytes again");
}

#[test]
fn modules_that_compilers_made_are_the_same_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let mut written = 0;
    for entry in fs::read_dir(folder).expect("the guests are in the repository") {
        let path = entry.expect("they can be listed").path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let Ok(module) = Module::decode(fs::read(&path).unwrap(), &features()) else { continue };
        assert_same(&read(&write(&module)).unwrap().module, &module);
        written += 1;
    }
    assert!(written > 5, "only {written} modules");
}

#[test]
fn modules_without_anything() {
    let module = decode("(module)");
    let bytes = artifact::write(&module, &Image::default(), &features());
    let loaded = read(&bytes).unwrap();
    assert_same(&loaded.module, &module);
    assert_eq!(loaded.module.names, Names::None);
    assert_eq!((loaded.needs, loaded.metered), (Needs::default(), false));
}

/// The bytes of the format: who changes them changes its version.
#[test]
fn the_format_is_what_it_was() {
    let module = decode(
        r#"(module (func $f (export "run") (param i32) (result i64) (unreachable)) (memory 1 2)
            (global f32 (f32.const 1)) (data (i32.const 300) "abc"))"#,
    );
    let image = Image {
        op_set: 1,
        code: Cow::Borrowed(&[0xcc; 3]),
        needs: Needs { stack: [Some(200)].into() },
        ..Image::default()
    };
    let bytes = artifact::write(&module, &image, &features());
    let sections = elf_sections(&bytes);
    let of = |name: &str| &sections.iter().find(|(found, ..)| found == name).unwrap().1[..];
    // Their order is that of bits in headers: what is new comes behind them.
    let proposals = "mutable-global sign-extension saturating-float-to-int multi-value bulk-memory reference-types tail-call \
        extended-const multi-memory memory64 function-references gc simd relaxed-simd threads custom-page-sizes exceptions \
        legacy-exceptions wide-arithmetic compact-imports branch-hinting";
    assert!(Features::NAMES.iter().copied().take(21).eq(proposals.split(' ')));
    assert_eq!(of(".kgl.header")[..24], *b"kinglet\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0");
    #[rustfmt::skip]
    assert_eq!(
        *of(".kgl.module"),
        [
            // A type: final, ends its group; a parameter, a result.
            1, 5, 1, 0x7f, 1, 0x7e,
            // No imports, a function, no tables; a memory with a maximum.
            0, 1, 0, 0, 1, 1, 1, 2,
            // An immutable global, whose value is one operator; no tags.
            1, 0x7d, 0, 1, 0, 0x80, 0x80, 0x80, 0xfc, 0x03, 0,
            // An export, and which is the first by name; no start function, no elements.
            1, 3, b'r', b'u', b'n', 0, 0, 0, 0, 0,
            // Active data: memory, offset, place.
            1, 0, 0, 1, 0, 0xac, 0x02, 0, 3,
        ]
    );
    assert_eq!((of(".kgl.code"), of(".kgl.tables")), (&[0xcc; 3][..], &[][..]));
    assert_eq!((of(".kgl.data"), of(".kgl.needs")), (&b"abc"[..], &[0xc9, 1][..]));
    assert_eq!(
        *of(".kgl.names"),
        *b"\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\x18\0\0\0\x01\0\0\0f"
    );
}

/// The sections of an ELF file: name, contents and alignment.
fn elf_sections(bytes: &[u8]) -> Vec<(String, Vec<u8>, u64)> {
    use object::{Object, ObjectSection};
    let file = object::read::elf::ElfFile64::<object::LittleEndian>::parse(bytes).unwrap();
    let section = |section: object::read::elf::ElfSection64<'_, '_, _>| {
        (section.name().unwrap().into(), section.data().unwrap().into(), section.align())
    };
    file.sections().map(section).collect()
}

#[test]
fn other_readers_of_elf_see_the_sections() {
    let sections = elf_sections(&write(&decode(EVERYTHING)));
    let names: Vec<&str> = sections.iter().map(|(name, ..)| &name[..]).collect();
    assert_eq!(
        names,
        [
            ".kgl.header",
            ".kgl.module",
            ".kgl.code",
            ".kgl.tables",
            ".kgl.data",
            ".kgl.needs",
            ".kgl.names",
            ".shstrtab"
        ]
    );
    assert_eq!(sections[2].2, 16);
    assert_eq!(sections[2].1, b"some code");
    assert_eq!(sections[4].1, b"hellogoodbye");
}

#[test]
fn headers_say_what_is_needed() {
    let needed = |text: &str| {
        let module = decode(text);
        let header = Header::read(&write(&module)).unwrap();
        let switched = |i: &usize| header.features >> i & 1 == 1;
        (0..Features::NAMES.len()).filter(switched).map(|i| Features::NAMES[i]).collect::<Vec<_>>()
    };
    assert!(needed("(module)").is_empty());
    assert_eq!(needed("(module (memory i64 1) (memory i64 1))"), ["multi-memory", "memory64"]);
    assert_eq!(needed("(module (func (drop (v128.const i64x2 0 0))))"), ["simd"]);

    let bytes = write(&decode("(module (memory i64 1))"));
    let header = Header::read(&bytes).unwrap();
    assert_eq!((header.version, header.op_set, header.metered), (artifact::VERSION, 2, true));
    // sha256sum of the binary.
    let hex: String = header.wasm_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "b82640469af936e6398593315e22180f82e789bef30f5d8a18a76b38ae464504");
    let without = Features { memory64: false, ..features() };
    let error = artifact::read(Bytes::aligned(&bytes), &without).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("the memory64 proposal is not enabled"), "{error}");
}

/// Every check of the reader: a module is made wrong in one way, and written.
#[test]
fn what_is_wrong_with_a_module_is_said() {
    fn one(op: ConstOp) -> ConstExpr {
        ConstExpr::One(op)
    }
    fn many(ops: &[ConstOp]) -> ConstExpr {
        ConstExpr::Many(ops.into())
    }
    fn set_types(module: &mut Module, change: impl Fn(usize, &mut SubType)) {
        module.types.iter_mut().enumerate().for_each(|(i, ty)| change(i, ty));
    }
    fn active<I>(mode: &mut SegmentMode<I>) -> (&mut I, &mut ConstExpr) {
        let SegmentMode::Active { into, offset } = mode else { panic!() };
        (into, offset)
    }
    fn field(ty: u32, nullable: bool) -> FieldType {
        let kind = if ty == 7 { TypeKind::Array } else { TypeKind::Struct };
        let heap = HeapType::Concrete(ConcreteType { kind, index: ty });
        let storage = StorageType::Val(ValType::Ref(RefType { nullable, heap }));
        FieldType { storage, mutability: Mutability::Const }
    }
    fn byte() -> FieldType {
        FieldType { storage: StorageType::I8, mutability: Mutability::Var }
    }
    fn structure(fields: impl Into<Box<[FieldType]>>) -> CompositeType {
        CompositeType::Struct(StructType { fields: fields.into() })
    }
    let vector = ConstOp::Vector([0; 2]);
    type Change<'c> = &'c dyn Fn(&mut Module);
    let wrong: &[(Change<'_>, &str)] = &[
        (&|m| m.rec_groups = [1, 3, 4].into(), "a recursion group that does not end"),
        (&|m| m.types[1].supertype = Some(1), "an unknown supertype"),
        (&|m| m.types[1].is_final = true, "a final supertype"),
        (&|m| m.types[1].composite = m.types[0].composite.clone(), "does not match its supertype"),
        (
            &|m| {
                set_types(m, |i, ty| {
                    let parent = i.checked_sub(1).map(|i| i as u32);
                    *ty = SubType {
                        is_final: false,
                        supertype: parent,
                        ..FuncType::new([], []).into()
                    };
                });
                let ty = m.types[1].clone();
                let more = (m.types.len() as u32 - 1..80)
                    .map(|parent| SubType { supertype: Some(parent), ..ty.clone() });
                let more: Vec<SubType> = m.types.iter().cloned().chain(more).collect();
                m.rec_groups = [more.len() as u32].into();
                m.types = more.into();
            },
            "too many supertypes",
        ),
        (
            &|m| m.types[3] = FuncType::new(vec![ValType::I32; 1001], []).into(),
            "too many parameters",
        ),
        (&|m| m.types[3] = FuncType::new([], vec![ValType::I32; 1001]).into(), "too many results"),
        (&|m| m.imports[0].ty = ImportType::Func(TypeIdx(99)), "an unknown type"),
        (&|m| m.imports[2].ty = ImportType::Tag(TypeIdx(0)), "a tag with results"),
        (&|m| *m.funcs.last_mut().unwrap() = TypeIdx(99), "an unknown type"),
        (&|m| m.tables[1].minimum = 1 << 32, "too large a minimum"),
        (&|m| m.tables[1].maximum = Some(1 << 32), "too large a maximum"),
        (&|m| m.tables[1].maximum = Some(6), "a minimum that is more than the maximum"),
        (&|m| m.table_inits[0] = Some(one(ConstOp::RefFunc(FuncIdx(0)))), "of the wrong type"),
        (&|m| m.table_inits[1] = Some(one(ConstOp::RefFunc(FuncIdx(99)))), "an unknown function"),
        (&|m| m.memories[1].minimum = (1 << 48) + 1, "too large a minimum"),
        (&|m| m.memories[2].maximum = Some(1 << 32), "too large a maximum"),
        (&|m| m.memories[3].maximum = None, "a shared memory without a maximum"),
        (&|m| m.global_inits[0] = one(vector), "of the wrong type"),
        (&|m| m.global_inits[0] = many(&[]), "not one value"),
        (&|m| m.global_inits[0] = many(&[ConstOp::Const(0); 2]), "not one value"),
        (&|m| m.global_inits[0] = one(ConstOp::I64Add), "without its operands"),
        (
            &|m| m.global_inits[0] = many(&[ConstOp::Const(0), ConstOp::Const(0), ConstOp::I32Add]),
            "of the wrong type",
        ),
        (
            &|m| m.global_inits[2] = many(&[ConstOp::Const(0), ConstOp::Const(0), ConstOp::I64Mul]),
            "of the wrong type",
        ),
        (&|m| m.global_inits[1] = one(ConstOp::Const(1 << 32)), "of the wrong type"),
        (&|m| m.global_inits[1] = one(ConstOp::RefNull), "of the wrong type"),
        (&|m| m.global_inits[3] = one(ConstOp::Const(0)), "of the wrong type"),
        (&|m| m.global_inits[2] = one(ConstOp::GlobalGet(GlobalIdx(3))), "an unknown global"),
        (
            &|m| m.global_inits[6] = one(ConstOp::GlobalGet(GlobalIdx(1))),
            "a global that may change",
        ),
        (&|m| m.global_inits[2] = one(ConstOp::GlobalGet(GlobalIdx(2))), "of the wrong type"),
        (&|m| m.tags[1] = TypeIdx(0), "a tag with results"),
        (
            &|m| m.exports[0].item = ExportItem::Func(FuncIdx(99)),
            "an export of what does not exist",
        ),
        (&|m| m.exports[0].item = ExportItem::Tag(TagIdx(2)), "an export of what does not exist"),
        (&|m| m.exports[0].name = "a".into(), "the same name or are out of order"),
        (&|m| m.exports_by_name.swap(0, 1), "the same name or are out of order"),
        (&|m| m.exports_by_name[0] = 6, "an unknown export"),
        (&|m| m.start = Some(FuncIdx(0)), "a start function with values"),
        (&|m| m.start = Some(FuncIdx(99)), "an unknown function"),
        (&|m| *active(&mut m.elems[0].mode).0 = TableIdx(99), "an unknown table"),
        (&|m| *active(&mut m.elems[0].mode).0 = TableIdx(1), "another type than the table's"),
        (&|m| *active(&mut m.elems[0].mode).1 = one(ConstOp::RefNull), "of the wrong type"),
        (&|m| *active(&mut m.elems[2].mode).0 = TableIdx(0), "another type than the table's"),
        (&|m| m.elems[4].items = ElemItems::Funcs([FuncIdx(4)].into()), "an unknown function"),
        (
            &|m| m.elems[3].items = ElemItems::Exprs([one(ConstOp::Const(0))].into()),
            "of the wrong type",
        ),
        (&|m| *active(&mut m.datas[0].mode).0 = MemoryIdx(99), "an unknown memory"),
        (&|m| m.types[0] = m.types[7].clone(), "a type that is not one of functions"),
        (&|m| m.types[6].supertype = Some(0), "a final supertype"),
        (&|m| m.types[5].composite = m.types[7].composite.clone(), "not match its supertype"),
        (
            &|m| m.types[5].composite = structure([field(5, false), byte()]),
            "a type that does not match its supertype",
        ),
        (&|m| m.types[6].composite = structure([field(5, false)]), "not match its supertype"),
        // Of the next group.
        (&|m| m.types[5].composite = structure([field(7, true), byte()]), "an unknown type"),
        (&|m| m.types[7].composite = structure(vec![byte(); 10_001]), "too many fields"),
        (&|m| m.table_inits[4] = None, "a table of elements that cannot be null"),
        (&|m| m.table_inits[4] = Some(one(ConstOp::RefNull)), "of the wrong type"),
        (&|m| m.global_inits[9] = one(ConstOp::RefNull), "of the wrong type"),
        (&|m| m.global_inits[9] = one(ConstOp::StructNew(TypeIdx(5), 2)), "without its operands"),
        (&|m| m.global_inits[9] = one(ConstOp::StructNewDefault(TypeIdx(7))), "a type of others"),
        (&|m| m.global_inits[9] = one(ConstOp::StructNewDefault(TypeIdx(5))), "of the wrong type"),
        (
            &|m| m.global_inits[11] = one(ConstOp::ArrayNewDefault(TypeIdx(7))),
            "without its operands",
        ),
        (
            &|m| m.global_inits[11] = many(&[ConstOp::Const(0), ConstOp::ArrayNew(TypeIdx(7))]),
            "without its operands",
        ),
        (
            &|m| m.global_inits[11] = one(ConstOp::ArrayNewFixed(TypeIdx(7), 1)),
            "without its operands",
        ),
        (
            &|m| {
                m.global_inits[11] = many(&[ConstOp::RefNull, ConstOp::ArrayNewDefault(TypeIdx(7))])
            },
            "of the wrong type",
        ),
        (&|m| m.global_inits[11] = many(&[ConstOp::RefNull, ConstOp::RefI31]), "of the wrong type"),
        (
            &|m| {
                m.types[5].composite = structure([field(5, false), byte()]);
                m.types[6].composite = structure([field(6, false), byte(), field(5, false)]);
                m.global_inits[9] = one(ConstOp::StructNewDefault(TypeIdx(5)));
            },
            "a field without a default",
        ),
        (&|m| m.elems[6].ty = RefType { nullable: false, ..m.elems[6].ty }, "of the wrong type"),
        (&|m| *active(&mut m.datas[0].mode).1 = one(ConstOp::Const(1 << 32)), "of the wrong type"),
    ];
    for (i, (change, part)) in wrong.iter().enumerate() {
        let mut module = decode(EVERYTHING);
        change(&mut module);
        let error = read(&write(&module)).expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{i}: {error}");
        assert!(error.offset().is_some_and(|offset| offset > 120), "{i}: {error}");
        assert!(error.to_string().contains(part), "{i}: {error}, not {part}");
    }
}

/// Types are the same if their recursion groups are, whatever their indices.
#[test]
fn supertypes_match_by_types_and_not_by_indices() {
    for composite in [
        "(struct (field (mut (ref null $T))))",
        "(struct (field (ref $T)))",
        "(array (mut (ref $T)))",
        "(func (param (ref $T)) (result (ref $T)))",
    ] {
        let [one, other] = ["$a", "$b"].map(|ty| composite.replace("$T", ty));
        let module = decode(&format!(
            "(module (type $a (struct)) (type $b (struct)) (type $p (sub {one})) (type (sub $p {other})))"
        ));
        assert_same(&read(&write(&module)).unwrap().module, &module);
    }
    // What can be assigned has no narrower type.
    let mut module = decode(
        "(module (type $c (sub (struct))) (type $d (sub $c (struct)))
            (type $p (sub (struct (field (ref $c))))) (type (sub $p (struct (field (ref $d))))))",
    );
    read(&write(&module)).unwrap();
    for ty in &mut module.types[2..] {
        let CompositeType::Struct(ty) = &mut ty.composite else { panic!() };
        ty.fields[0].mutability = Mutability::Var;
    }
    let error = read(&write(&module)).unwrap_err().to_string();
    assert!(error.contains("does not match its supertype"), "{error}");
}

#[test]
fn limits_hold() {
    type Limit = fn(&mut Limits) -> &mut u32;
    let bytes = write(&decode(EVERYTHING));
    let limits: &[(Limit, u32, &str)] = &[
        (|limits| &mut limits.max_types, 11, "types"),
        (|limits| &mut limits.max_functions, 4, "functions"),
        (|limits| &mut limits.max_imports, 6, "imports"),
        (|limits| &mut limits.max_exports, 6, "exports"),
        (|limits| &mut limits.max_tables, 6, "tables"),
        (|limits| &mut limits.max_memories, 4, "memories"),
        (|limits| &mut limits.max_globals, 17, "globals"),
        (|limits| &mut limits.max_tags, 2, "tags"),
        (|limits| &mut limits.max_element_segments, 7, "element segments"),
        (|limits| &mut limits.max_data_segments, 3, "data segments"),
        (|limits| &mut limits.max_params, 2, "parameters"),
        (|limits| &mut limits.max_results, 1, "results"),
    ];
    for (limit, count, what) in limits {
        let mut features = features();
        *limit(&mut features.limits) = *count;
        artifact::read(Bytes::aligned(&bytes), &features).unwrap();
        *limit(&mut features.limits) = count - 1;
        let error = artifact::read(Bytes::aligned(&bytes), &features).unwrap_err();
        assert!(error.to_string().contains(&format!("too many {what}")), "{error}");
    }
    // Also those of imports alone.
    let imports = write(&decode("(module (import \"\" \"\" (func)) (import \"\" \"\" (func)))"));
    let mut features = features();
    features.limits.max_functions = 1;
    let error = artifact::read(Bytes::aligned(&imports), &features).unwrap_err();
    assert!(error.to_string().contains("too many functions"), "{error}");
}

#[test]
fn what_is_no_artifact_is_refused() {
    let bytes = write(&decode(EVERYTHING));
    assert!(artifact::detect(&bytes));
    for other in [&b"\0asm\x01\0\0\0"[..], b"", b"\x7fELF", &[0; 1000]] {
        assert!(!artifact::detect(other));
        assert!(read(other).unwrap_err().to_string().contains("it is none"));
    }
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        read(&bytes).unwrap_err()
    };
    for (at, byte, part) in [
        (64, b'K', "it is none"),
        (64 + 8, 0, "a version that this program does not read"),
        (64 + 8, 2, "a version that this program does not read"),
        (64 + 13, 2, "unknown flags"),
        (64 + 15, 1, "unknown flags"),
        (64 + 23, 1, "a proposal that this version does not know"),
        (40 + 7, 1, "its table of sections is out of bounds"),
        (58, 1, "its table of sections is out of bounds"),
        (62, 99, "its table of sections is out of bounds"),
    ] {
        let error = changed(at, byte);
        assert!(error.to_string().contains(part), "{at}: {error}, not {part}");
    }
    // A name of a section that is no longer there.
    let at = bytes.windows(10).position(|window| window == b".kgl.needs").unwrap();
    assert!(changed(at, b'!').to_string().contains("there is no section .kgl.needs"));
    // It would not be aligned there.
    struct Shifted(Bytes);
    impl AsRef<[u8]> for Shifted {
        fn as_ref(&self) -> &[u8] {
            &self.0[1..]
        }
    }
    let shifted = Bytes::new(Shifted(Bytes::aligned(&[&[0], &bytes[..]].concat())));
    let error = artifact::read(shifted, &features()).unwrap_err();
    assert!(error.to_string().contains("a multiple of 16"), "{error}");
}

#[test]
fn whatever_is_cut_off_is_missed() {
    let bytes = write(&decode(EVERYTHING));
    for len in 0..bytes.len() {
        read(&bytes[..len]).expect_err("it is not complete");
    }
    // The same for the sections: their ends are found.
    for entry in (0..bytes.len()).step_by(8).rev().take(9 * 8) {
        let mut bytes = bytes.clone();
        bytes[entry] ^= 1;
        if let Ok(loaded) = read(&bytes) {
            walk(&loaded);
        }
    }
}

/// Looks at everything that a module says.
fn walk(loaded: &Loaded) {
    struct Env<'m>(&'m Module);
    impl ConstEnv for Env<'_> {
        fn global(&mut self, global: GlobalIdx) -> [u64; 2] {
            assert!(self.0.globals[global.at()].mutability == Mutability::Const);
            [1, 2]
        }
        fn func(&mut self, func: FuncIdx) -> u64 {
            self.0.func_type(func).params().len() as u64
        }
        fn structure(&mut self, ty: TypeIdx, fields: Option<&[[u64; 2]]>) -> Result<u64, Error> {
            let ty = self.0.types[ty.at()].as_struct().expect("it is of a structure type");
            assert!(fields.is_none_or(|fields| fields.len() == ty.fields.len()));
            Ok(2)
        }
        fn array(&mut self, ty: TypeIdx, _: [u64; 2], _: u32) -> Result<u64, Error> {
            assert!(self.0.types[ty.at()].as_array().is_some());
            Ok(2)
        }
        fn array_of(&mut self, ty: TypeIdx, _: &[[u64; 2]]) -> Result<u64, Error> {
            assert!(self.0.types[ty.at()].as_array().is_some());
            Ok(2)
        }
    }
    let m = &loaded.module;
    let eval = |expr: &ConstExpr| expr.eval(&mut Env(m)).map(drop).unwrap();
    m.wasm.get(loaded.code.clone()).expect("the code is there");
    m.wasm.get(loaded.tables.clone()).expect("the tables are there");
    m.name();
    for i in 0..m.funcs.len() as u32 {
        m.func_type(FuncIdx(i));
        m.func_name(FuncIdx(i));
    }
    for i in 0..m.tags.len() as u32 {
        assert!(m.tag_type(TagIdx(i)).results().is_empty());
        m.tag_name(TagIdx(i));
    }
    assert_eq!(m.rec_groups.last().copied().unwrap_or(0) as usize, m.types.len());
    for export in &m.exports {
        assert_eq!(m.export(&export.name).unwrap().item, export.item);
        let exists = match export.item {
            ExportItem::Func(i) => m.funcs.get(i.at()).is_some(),
            ExportItem::Table(i) => m.tables.get(i.at()).is_some(),
            ExportItem::Memory(i) => m.memories.get(i.at()).is_some(),
            ExportItem::Global(i) => m.globals.get(i.at()).is_some(),
            ExportItem::Tag(i) => m.tags.get(i.at()).is_some(),
        };
        assert!(exists, "{export:?}");
    }
    let imported = |wanted: fn(&ImportType) -> bool| {
        m.imports.iter().filter(|import| wanted(&import.ty)).count() as u32
    };
    assert_eq!(imported(|ty| matches!(ty, ImportType::Func(_))), m.imported_funcs);
    assert_eq!(imported(|ty| matches!(ty, ImportType::Global(_))), m.imported_globals);
    assert_eq!(m.table_inits.len() + m.imported_tables as usize, m.tables.len());
    assert_eq!(m.global_inits.len() + m.imported_globals as usize, m.globals.len());
    m.global_inits.iter().for_each(eval);
    m.table_inits.iter().flatten().for_each(eval);
    for elem in &m.elems {
        if let SegmentMode::Active { into, offset } = &elem.mode {
            assert_eq!(m.tables[into.at()].element.heap.top(), elem.ty.heap.top());
            eval(offset);
        }
        match &elem.items {
            ElemItems::Funcs(funcs) => assert!(funcs.iter().all(|func| func.at() < m.funcs.len())),
            ElemItems::Exprs(exprs) => exprs.iter().for_each(eval),
        }
    }
    for data in &m.datas {
        m.wasm.get(data.bytes.clone()).expect("the data is there");
        if let SegmentMode::Active { into, offset } = &data.mode {
            m.memories[into.at()].limit();
            eval(offset);
        }
    }
}

#[test]
fn altered_artifacts_are_refused_or_sound() {
    let bytes = write(&decode(EVERYTHING));
    let mut state = 1u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut sound, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = bytes.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] = match random(3) {
                0 => bytes[at] ^ 1 << random(8),
                1 => [0, 1, 0x7f, 0x80, 0xff][random(5)],
                _ => random(256) as u8,
            };
        }
        match read(&bytes) {
            Ok(loaded) => {
                walk(&loaded);
                sound += 1;
            }
            Err(error) => {
                assert!(error.offset().is_some(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(sound > 1000 && refused > 1000, "{sound} sound, {refused} refused");
}

/// Many items are declared in few bytes.
#[test]
fn no_room_is_made_for_what_is_not_there() {
    let mut bytes = write(&decode("(module)"));
    // A million types, in the one byte that says how many there are.
    let module = elf_range(&bytes, ".kgl.module");
    bytes[module.start..module.start + 3].copy_from_slice(&[0xbf, 0x84, 0x3d]);
    let error = read(&bytes).unwrap_err();
    assert!(error.to_string().contains("unexpected end"), "{error}");
    assert_eq!(error.offset(), Some(module.start));
}

fn elf_range(bytes: &[u8], name: &str) -> std::ops::Range<usize> {
    use object::{Object, ObjectSection};
    let file = object::read::elf::ElfFile64::<object::LittleEndian>::parse(bytes).unwrap();
    let (start, len) = file.section_by_name(name).unwrap().file_range().unwrap();
    start as usize..(start + len) as usize
}
