//! Code that has been tampered with is refused, for the reason that it should be.

#[cfg(feature = "gc")]
use super::flow::Body;
use super::{Code, Image, Tables, check, make};
use crate::{
    exec::regs::{ENTRIES, FRAME_HEADER, FUNC_HEADER},
    forms::{COUNT, code, layout, name as form_name},
};
use alloc::{format, string::String, vec, vec::Vec};
use kinglet_core::{
    index::FuncIdx,
    module::{Module, features::Features},
    op::OpSet,
};

const SETS: [OpSet; 3] = [OpSet::Small, OpSet::Standard, OpSet::Fused];

fn module(text: &str) -> Module {
    Module::decode(wat::parse_str(text).unwrap(), &Features::default()).unwrap()
}

fn verdict(module: &Module, image: &Image, metered: bool) -> Result<(), String> {
    let tables = Tables::new(&image.tables, 0);
    let checked =
        tables.and_then(|t| check(module, Code { bytes: &image.code, origin: 0 }, &t, metered));
    checked.map(|_| ()).map_err(|error| format!("{error}"))
}

/// Where the ops of the first function stand, and their opcodes.
fn ops(module: &Module, image: &Image) -> Vec<(usize, u16)> {
    let entry = 8 + 4 * module.imported_funcs as usize;
    let start = u32::from_le_bytes(image.code[entry..entry + 4].try_into().unwrap()) as usize;
    let end = start + Tables::new(&image.tables, 0).unwrap().function(0).len as usize;
    let number = |at: usize| u16::from_le_bytes([image.code[at], image.code[at + 1]]);
    let (mut at, mut ops) = (start + FUNC_HEADER, Vec::new());
    while at < end {
        ops.push((at, number(at)));
        at += 2 + layout(number(at)).chars().map(size).sum::<usize>();
    }
    ops
}

/// How many bytes an operand with this letter has.
fn size(letter: char) -> usize {
    match letter {
        'j' | 'i' | 'o' | 'u' | 'f' | 'p' | 'y' | 'e' | 'g' | 'r' | 'c' => 4,
        'q' => 8,
        't' => panic!("no tables here"),
        '+' => 0,
        _ => 2,
    }
}

/// Where the first operand with this letter stands.
fn operand(module: &Module, image: &Image, letter: char) -> usize {
    operand_of(module, image, "", letter)
}

/// The same among the ops whose names begin so.
fn operand_of(module: &Module, image: &Image, name: &str, letter: char) -> usize {
    for (at, opcode) in ops(module, image) {
        let mut at = at + 2;
        for found in layout(opcode).chars() {
            if found == letter && form_name(opcode).is_some_and(|form| form.starts_with(name)) {
                return at;
            }
            at += size(found);
        }
    }
    panic!("no operand {letter} of {name:?}")
}

#[test]
fn an_operand_out_of_bounds_is_refused() {
    let text = r#"(module
        (import "m" "f" (func $f (param i32)))
        (table 2 funcref)
        (memory 1)
        (global $g (mut i32) (i32.const 0))
        (func $a (param i32 i32) (result i32)
            (call $f (i32.load (local.get 0)))
            (global.set $g (local.get 1))
            (drop (memory.grow (i32.const 1)))
            (drop (call_indirect (param i32 i32) (result i32) (local.get 1) (local.get 0) (i32.const 0)))
            (if (local.get 0) (then (return (i32.add (local.get 0) (i32.const 1)))))
            (call $a (local.get 0) (i32.const 2))))"#;
    let module = module(text);
    for set in SETS {
        let image = make(&module, set, false).unwrap();
        verdict(&module, &image, false).unwrap();
        let patches: [(char, u16, &str); 11] = [
            ('s', 60_000, "a slot is not one of the frame's"),
            // The header of the frame.
            ('d', 2, "a slot is not one of the frame's"),
            ('p', 1, "a function is imported, or is not"),
            ('f', 0, "a function is imported, or is not"),
            ('f', 9, "an index is out of range"),
            ('b', 3, "a callee's frame lies over the header of its caller's"),
            ('h', 4, "a call does not fit the type of the callee"),
            ('n', 0, "a frame's header is not where it should be"),
            ('x', 1, "an index is out of range"),
            ('g', 1, "an index is out of range"),
            ('j', 3, "a jump leads out of its function"),
        ];
        for (letter, value, expected) in patches {
            let mut image = image.clone();
            let at = operand(&module, &image, letter);
            image.code[at..at + 2].copy_from_slice(&value.to_le_bytes());
            let error = verdict(&module, &image, false).expect_err(letter.encode_utf8(&mut [0; 4]));
            assert!(error.contains(expected), "{set:?} {letter}: {error}");
        }
    }
}

#[test]
fn control_stays_between_ops_of_the_function() {
    let module = module("(module (func (param i32) (loop (br_if 0 (i32.eqz (local.get 0))))))");
    for set in SETS {
        let image = make(&module, set, false).unwrap();
        let mut cut = image.clone();
        // Without its return, which is an opcode and a slot.
        let len = u32::from_le_bytes(cut.tables[8..12].try_into().unwrap()) - 4;
        cut.tables[8..12].copy_from_slice(&len.to_le_bytes());
        assert!(verdict(&module, &cut, false).unwrap_err().contains("runs off the end"));

        let mut jump = image.clone();
        let at = operand(&module, &image, 'j');
        let distance = i32::from_le_bytes(jump.code[at..at + 4].try_into().unwrap());
        jump.code[at..at + 4].copy_from_slice(&(distance + 2).to_le_bytes());
        assert!(verdict(&module, &jump, false).unwrap_err().contains("the middle of an op"));

        // It says that it counts, but was not made to.
        assert!(verdict(&module, &image, true).unwrap_err().contains("takes no fuel"));
        verdict(&module, &make(&module, set, true).unwrap(), true).unwrap();
    }
}

#[test]
fn what_functions_return_to_are_ops_of_this_build() {
    let module = module("(module)");
    for opcode in [code::STOP, code::CROSS_RETURN, COUNT as u16] {
        let mut image = make(&module, OpSet::Small, false).unwrap();
        image.code[..2].copy_from_slice(&opcode.to_le_bytes());
        // With the small set alone, there are no handlers for those outside of it.
        let sound = opcode == code::STOP && usize::from(opcode) < COUNT;
        assert_eq!(verdict(&module, &image, false).is_ok(), sound, "{opcode}");
    }
}

/// Offsets have 32 bits. None of these bytes is looked at, so they take no memory.
#[cfg(all(target_pointer_width = "64", not(miri)))]
#[test]
fn code_of_more_than_4_gib_is_refused() {
    let module = module("(module)");
    let mut image = make(&module, OpSet::Standard, false).unwrap();
    image.code = vec![0; (1 << 32) + 8];
    assert!(verdict(&module, &image, false).unwrap_err().contains("exceeds 4 GiB"));
}

#[test]
fn only_what_can_be_assigned_is() {
    let module = module(
        "(module (global i32 (i32.const 1)) (global (mut i32) (i32.const 1))
            (func (global.set 1 (i32.const 2)))
            (func (result i32) (global.get 0)))",
    );
    for set in SETS {
        let mut image = make(&module, set, false).unwrap();
        let at = operand(&module, &image, 'g');
        assert_eq!(image.code[at], 1);
        image.code[at] = 0;
        let error = verdict(&module, &image, false).unwrap_err();
        assert!(error.contains("it assigns a global that cannot be"), "{error}");
    }
}

#[cfg(feature = "gc")]
#[test]
fn elements_are_of_the_type_of_the_table() {
    let module = module(
        "(module (table 1 funcref) (elem funcref (ref.null func)) (elem externref (ref.null extern))
            (func (table.init 0 (i32.const 0) (i32.const 0) (i32.const 0))))",
    );
    for set in SETS {
        let mut image = make(&module, set, false).unwrap();
        // The segment is the second number.
        let at = operand(&module, &image, 'u') + 4;
        assert_eq!(image.code[at], 0);
        image.code[at] = 1;
        let error = verdict(&module, &image, false).unwrap_err();
        assert!(error.contains("of another type than the one that is wanted"), "{error}");
    }
}

#[cfg(feature = "gc")]
#[test]
fn functions_do_not_share_handlers() {
    let function = "(func (block (try_table (catch_all 0) (throw 0))))";
    let module = module(&format!("(module (tag) {function} {function})"));
    for set in SETS {
        let mut image = make(&module, set, false).unwrap();
        // Where the handlers stand is the second number of a function.
        let [first, second] = [8 + 4, 8 + 12 + 4];
        assert_ne!(image.tables[first..first + 4], image.tables[second..second + 4]);
        image.tables.copy_within(first..first + 4, second);
        let error = verdict(&module, &image, false).unwrap_err();
        assert!(error.contains("handlers are those of another function"), "{error}");
    }
}

/// Code can look at a register before it has written there, and finds no address of the host.
#[cfg(not(feature = "ops-small"))]
#[test]
fn registers_hold_no_address() {
    use kinglet_core::{
        Shared,
        bytes::Bytes,
        runtime::{
            StoreInner, StoreOptions,
            instance::{ExternVal, Program},
            registry::TypeRegistry,
        },
    };
    let mut module = module(
        "(module (func $look (result i64) (i64.const 1)) (func (export \"f\") (result i64) (call $look)))",
    );
    let mut image = make(&module, OpSet::Standard, false).unwrap();
    let (returns, _) = ops(&module, &image)[0];
    // Of the accumulator, instead of a constant, whose four bytes become another op.
    let ret = [code::RET_I64 + 1, 0, code::RET, 0].map(u16::to_le_bytes).concat();
    image.code[returns..returns + ret.len()].copy_from_slice(&ret);
    let end = image.code.len();
    let (code, tables) = (0..end, end..end + image.tables.len());
    module.wasm = Bytes::aligned(&[&image.code[..], &image.tables].concat());
    let code = crate::Code::placed(&module, code, tables, false).unwrap();
    let options = StoreOptions {
        consume_fuel: false,
        interruptible: false,
        max_stack: 1 << 10,
        max_table_elements: 0,
        max_memory_bytes: 0,
        max_heap_bytes: 0,
        collect_every: None,
        epoch: Shared::default(),
    };
    let types = TypeRegistry::default().register(&module.types, &module.rec_groups);
    let program = Program::new(Shared::new(module), Shared::new(code), types);
    let mut store = StoreInner::new(&options, alloc::boxed::Box::new(()));
    let instance = store.instantiate(&mut (), &program, &[]).unwrap();
    let Some(ExternVal::Func(func)) = store.export(instance, "f") else { panic!("no function") };
    let mut result = [0];
    crate::call(&mut store, &mut (), func, &mut result).unwrap();
    assert!(result[0] < end as u64, "{:x}", result[0]);
}

#[test]
fn the_stack_that_calls_need_is_known_unless_they_recurse() {
    let module = module(
        r#"(module
            (table 1 funcref) (elem (i32.const 0) $leaf)
            (func $leaf (param i32) (result i32) (local.get 0))
            (func $middle (param i32) (result i32) (call $leaf (i32.add (local.get 0) (i32.const 1))))
            (func $through (param i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (local.get 0)))
            (func $endless (call $endless))
            (func $to_it (call $endless)))"#,
    );
    for set in SETS {
        let stack = make(&module, set, false).unwrap().stack;
        let [Some(leaf), Some(middle), Some(through), None, None] = stack[..] else {
            panic!("{stack:?}")
        };
        assert!(leaf < middle && leaf < through);
    }
}

#[test]
fn functions_of_others_may_be_copied_from_a_table_that_they_see() {
    let module = |imported: &str| {
        module(&format!(
            "(module {imported} (table $own 1 funcref) (func (call_indirect (i32.const 0))))"
        ))
    };
    let stack = |module| make(&module, OpSet::Standard, false).unwrap().stack;
    assert!(stack(module(""))[0].is_some());
    assert_eq!(stack(module("(import \"\" \"\" (table 1 funcref))")), [None]);
    assert_eq!(stack(module("(table (export \"t\") 1 funcref)")), [None]);
}

/// What the tests of references are about.
#[cfg(feature = "gc")]
const TYPES: &str = r#"
    (rec
        (type $a (sub (struct (field (mut i32)) (field i64) (field (mut (ref null $a))))))
        (type $b (sub final $a (struct (field (mut i32)) (field i64) (field (mut (ref null $a))) (field f32)))))
    (type $strict (struct (field (ref $a))))
    (type $m (struct (field (mut i32)) (field (mut i64))))
    (type $list (array (mut (ref null $a))))
    (type $bytes (array (mut i8)))
    (type $f (func (param (ref $a)) (result (ref $a))))
    (tag $e (param (ref $a)))
    (global $g (mut (ref null $a)) (ref.null $a))
    (global $n (mut i32) (i32.const 0))
    (table $t 1 (ref null $a))
    (table $funcs 1 funcref)
    (elem declare func $callee)
    (elem $objects (ref null $a) (ref.null $a))
    (elem $functions funcref (ref.func $callee))
    (data "abc")
"#;

#[cfg(feature = "gc")]
fn with_types(function: &str) -> Module {
    let callee = "(func $callee (param (ref $a)) (result (ref $a)) (local.get 0))";
    module(&format!("(module {TYPES} {function} {callee})"))
}

/// For each rule about references, a function that keeps to it until an operand is changed: of the first op whose name begins so,
/// the first that has this letter becomes this number.
#[cfg(feature = "gc")]
#[test]
fn references_are_what_they_are_taken_for() {
    const NONE: &str = "what is taken for a reference is none";
    const OTHER: &str = "a reference is of another type than the one that is wanted";
    let cases: &[(&str, &str, char, u16, &str)] = &[
        // Fields: of what, where, and whether they can be assigned.
        (
            "(param (ref $a) i32) (result i32) (struct.get $a 0 (local.get 0))",
            "struct_get",
            's',
            1,
            NONE,
        ),
        (
            "(param (ref $a) (ref $bytes)) (result i32) (struct.get $a 0 (local.get 0))",
            "struct_get",
            's',
            1,
            "an object is of no type",
        ),
        (
            "(param (ref $a) structref) (result i32) (struct.get $a 0 (local.get 0))",
            "struct_get",
            's',
            1,
            "an object is of no type",
        ),
        (
            "(param (ref $a)) (result i32) (struct.get $a 0 (local.get 0))",
            "struct_get",
            'o',
            12,
            "there is no field there",
        ),
        (
            "(param (ref $a)) (result i32) (struct.get $a 0 (local.get 0))",
            "struct_get",
            'o',
            16,
            "a field is kept in another way",
        ),
        (
            "(param (ref $b)) (result f32) (struct.get $b 3 (local.get 0))",
            "struct_get",
            'o',
            24,
            "a field is kept in another way",
        ),
        (
            "(param (ref $a) i32) (struct.set $a 0 (local.get 0) (local.get 1))",
            "struct_set",
            'o',
            24,
            NONE,
        ),
        (
            "(param (ref $m) (ref $a)) (struct.set $m 1 (local.get 0) (i64.const 0))",
            "struct_set",
            's',
            1,
            "it assigns a field",
        ),
        // Elements.
        (
            "(param (ref $bytes) i32) (result i32) (array.get_u $bytes (local.get 0) (local.get 1))",
            "array_get",
            's',
            1,
            NONE,
        ),
        (
            "(param (ref $bytes) (ref $list)) (result i32) (array.get_u $bytes (local.get 0) (i32.const 0))",
            "array_get",
            's',
            1,
            "a field is kept in another way",
        ),
        (
            "(param (ref $bytes) (ref $a)) (result i32) (array.get_u $bytes (local.get 0) (i32.const 0))",
            "array_get",
            's',
            1,
            "an object is of no type",
        ),
        (
            "(param (ref $bytes) (ref $a)) (result i32) (array.len (local.get 0))",
            "array_len",
            's',
            1,
            OTHER,
        ),
        // What is assigned, given and returned.
        ("(param (ref $a) i32) (global.set $g (local.get 0))", "global_set", 's', 1, NONE),
        (
            "(param (ref $a) (ref $strict)) (global.set $g (local.get 0))",
            "global_set",
            's',
            1,
            OTHER,
        ),
        ("(param (ref $a) i32) (global.set $n (local.get 1))", "global_set", 'g', 0, NONE),
        ("(param (ref $a) i32) (result (ref $a)) (local.get 0)", "ret_i64", 's', 1, NONE),
        (
            "(param (ref $a) (ref null $a)) (result (ref $a)) (local.get 0)",
            "ret_i64",
            's',
            1,
            OTHER,
        ),
        ("(param (ref $b) (ref $a)) (result (ref $b)) (local.get 0)", "ret_i64", 's', 1, OTHER),
        (
            "(param (ref $a) i32) (result (ref $a) i32) (local.get 0) (local.get 1)",
            "copy",
            's',
            1,
            NONE,
        ),
        ("(param (ref $a) i32) (drop (call $callee (local.get 0)))", "copy", 's', 1, NONE),
        (
            "(param (ref $a) i32) (result (ref $a)) (return_call $callee (local.get 0))",
            "copy",
            's',
            1,
            NONE,
        ),
        ("(param (ref $a) i32) (throw $e (local.get 0))", "copy", 's', 1, NONE),
        ("(param exnref i32) (throw_ref (local.get 0))", "throw_ref", 's', 1, NONE),
        ("(param exnref (ref $a)) (throw_ref (local.get 0))", "throw_ref", 's', 1, OTHER),
        // Calls of what a reference is to.
        (
            "(param (ref $a) (ref $f) i32) (drop (call_ref $f (local.get 0) (local.get 1)))",
            "call_ref",
            's',
            2,
            NONE,
        ),
        (
            "(param (ref $a) (ref $f) funcref) (drop (call_ref $f (local.get 0) (local.get 1)))",
            "call_ref",
            's',
            2,
            "it calls what is of no type of functions",
        ),
        (
            "(param (ref $a) (ref $f)) (drop (call_ref $f (local.get 0) (local.get 1)))",
            "call_ref",
            'h',
            6,
            "a call does not fit",
        ),
        // Casts.
        ("(param anyref i32) (drop (ref.cast (ref $a) (local.get 0)))", "ref_cast", 's', 1, NONE),
        (
            "(param anyref funcref) (drop (ref.cast (ref $a) (local.get 0)))",
            "ref_cast",
            's',
            1,
            OTHER,
        ),
        (
            "(param anyref) (drop (ref.cast (ref $a) (local.get 0)))",
            "ref_cast",
            'u',
            99,
            "a cast to what is no type",
        ),
        (
            "(param anyref) (drop (ref.cast (ref $a) (local.get 0)))",
            "ref_cast",
            'w',
            2,
            "a cast to what is no type",
        ),
        (
            "(param anyref) (drop (ref.cast (ref $a) (local.get 0)))",
            "ref_cast",
            'w',
            8,
            "a cast to what is no type",
        ),
        (
            "(param anyref) (drop (ref.test arrayref (local.get 0)))",
            "ref_test",
            'u',
            12,
            "a cast to what is no type",
        ),
        (
            "(param anyref) (drop (ref.test (ref $a) (local.get 0)))",
            "ref_test",
            'u',
            6,
            "a cast to what is no type",
        ),
        (
            "(param anyref i32) (drop (ref.as_non_null (local.get 0)))",
            "ref_as_non_null",
            's',
            1,
            NONE,
        ),
        // Tables and segments.
        ("(param (ref $a)) (table.set $t (i32.const 0) (local.get 0))", "table_set", 'u', 1, OTHER),
        (
            "(param funcref) (result (ref null $a)) (table.get $t (i32.const 0))",
            "table_get",
            'u',
            1,
            OTHER,
        ),
        (
            "(param (ref $a)) (drop (table.grow $t (local.get 0) (i32.const 1)))",
            "table_grow",
            'u',
            1,
            OTHER,
        ),
        (
            "(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0))",
            "table_copy",
            'u',
            1,
            OTHER,
        ),
        (
            "(drop (call_indirect $funcs (result i32) (i32.const 0)))",
            "call_indirect",
            'x',
            0,
            "it calls elements that are no functions",
        ),
        (
            "(drop (array.new_elem $list $objects (i32.const 0) (i32.const 0)))",
            "array_new_elem",
            'u',
            5,
            "elements that are no references",
        ),
        (
            "(drop (array.new_data $bytes 0 (i32.const 0) (i32.const 0)))",
            "array_new_data",
            'u',
            4,
            "references made of data",
        ),
        // New objects.
        ("(param (ref $a) i32) (drop (struct.new $strict (local.get 0)))", "copy", 's', 1, NONE),
        (
            "(drop (struct.new_default $a))",
            "struct_new_default",
            'u',
            2,
            "a field without a default",
        ),
        (
            "(drop (struct.new_default $a))",
            "struct_new_default",
            'u',
            4,
            "it is no type of structures",
        ),
        (
            "(drop (array.new_default $bytes (i32.const 1)))",
            "array_new_default",
            'u',
            0,
            "it is no type of arrays",
        ),
        (
            "(drop (array.new_default $bytes (i32.const 1)))",
            "array_new_default",
            'u',
            99,
            "it is no type of arrays",
        ),
    ];
    for &(function, name, letter, value, expected) in cases {
        let module = with_types(&format!("(func {function})"));
        for set in SETS {
            verdict(&module, &make(&module, set, false).unwrap(), false).unwrap();
        }
        let mut image = make(&module, OpSet::Small, false).unwrap();
        let at = operand_of(&module, &image, name, letter);
        assert_ne!(image.code[at..at + 2], value.to_le_bytes(), "{function}");
        image.code[at..at + 2].copy_from_slice(&value.to_le_bytes());
        let error = verdict(&module, &image, false).expect_err(function);
        assert!(error.contains(expected) && !expected.is_empty(), "{function}: {error}");
    }
}

/// The words of the tables in which more about the first function stands: counts of segments, tries and clauses, bytes of states; where the
/// clauses begin, and the states.
#[cfg(feature = "gc")]
fn more(image: &Image) -> (usize, usize, usize) {
    let word =
        |at: usize| u32::from_le_bytes(image.tables[at..at + 4].try_into().unwrap()) as usize;
    let at = word(8 + 4);
    assert_ne!(at, 0);
    let clauses = at + 16 + 8 * word(at) + 12 * word(at + 4);
    (at, clauses, clauses + 12 * word(at + 8))
}

#[cfg(feature = "gc")]
#[test]
fn what_slots_hold_where_jumps_lead_to_is_said_and_true() {
    // A loop at which one slot holds a reference that is not null, and one that may be.
    let text = "(func (param (ref $a) (ref null $a) i32) (result (ref $a))
        (loop
            (global.set $g (local.get 1))
            (local.set 1 (local.get 0))
            (br_if 0 (local.get 2)))
        (local.get 0))";
    let module = with_types(text);
    for set in SETS {
        let image = make(&module, set, false).unwrap();
        verdict(&module, &image, false).unwrap();
        let (at, _, states) = more(&image);
        let len = u32::from_le_bytes(image.tables[at + 12..at + 16].try_into().unwrap());
        // Where it stands, and two slots with what they hold.
        assert_eq!(len, 6, "{set:?}");
        assert_eq!(image.tables[states + 1..states + 3], [2, 0]);
        assert_eq!(image.tables[states + 4], 1);
        let [a, nullable_a] = [image.tables[states + 3], image.tables[states + 5]];
        assert_eq!(a + 1, nullable_a);
        let untrue = "a slot does not hold what it is said to";
        let patches: [(usize, u8, &str); 12] = [
            (at + 12, 0, "it is not said what slots hold"),
            (at + 12, 5, "is not said as it should be"),
            (states, 0, "is not said as it should be"),
            (states, image.tables[states] + 1, "a state of what is no op"),
            (states, 0x7f, "it is not said what slots hold"),
            (states + 1, 3, "is not said as it should be"),
            // The slot of a number, and one beyond the frame.
            (states + 2, 1, untrue),
            (states + 2, 0x7f, "is not said as it should be"),
            // What is null, what is no type, a reference that is not null, an object of another type.
            (states + 5, 1, untrue),
            (states + 5, 0, "is not said as it should be"),
            (states + 5, a, untrue),
            (states + 3, a + 2, untrue),
        ];
        for (at, byte, expected) in patches {
            let mut image = image.clone();
            assert_ne!(image.tables[at], byte);
            image.tables[at] = byte;
            let error = verdict(&module, &image, false).expect_err(expected);
            assert!(error.contains(expected), "{set:?}, {byte}: {error}");
        }
        // Less may be said than is true, as long as nobody counts on it.
        let mut less = image.clone();
        less.tables[states + 3] = nullable_a;
        let error = verdict(&module, &less, false).unwrap_err();
        assert!(error.contains("of another type than the one that is wanted"), "{error}");
    }
}

#[cfg(feature = "gc")]
#[test]
fn handlers_find_what_they_count_on() {
    let text = "(func (param (ref $a) i32) (result (ref $a)) (local (ref null $a) exnref)
        (block $caught (result (ref $a) exnref)
            (try_table (catch_ref $e $caught)
                (local.set 2 (local.get 0))
                (drop (call $callee (local.get 0))))
            (unreachable))
        (local.set 3)
        (if (local.get 1) (then (throw_ref (local.get 3))))
        (global.set $g (local.get 2)))";
    let module = with_types(text);
    for set in SETS {
        let image = make(&module, set, false).unwrap();
        verdict(&module, &image, false).unwrap();
        let (_, clauses, states) = more(&image);
        // What it carries goes to another slot, or the exception does.
        for at in [clauses + 8, clauses + 10] {
            let mut image = image.clone();
            image.tables[at] -= 1;
            verdict(&module, &image, false).unwrap_err();
        }
        // Nobody gives the handler the exception.
        let mut none = image.clone();
        none.tables[clauses + 10..clauses + 12].copy_from_slice(&u16::MAX.to_le_bytes());
        verdict(&module, &none, false).unwrap_err();
        // The local is a reference to something else there.
        let slot = image.tables[states + 2];
        assert_eq!(slot, 4, "the local behind the header");
        let mut other = image.clone();
        other.tables[states + 3] += 2;
        let error = verdict(&module, &other, false).unwrap_err();
        assert!(error.contains("a slot does not hold what it is said to"), "{error}");
    }
}

/// A register holds a reference only from the op that makes it to the next that may stop.
#[cfg(all(feature = "gc", not(feature = "ops-small")))]
#[test]
fn registers_hold_references_for_a_while() {
    let text = "(func (param (ref $a)) (result (ref null $a)) (global.get $g))";
    let module = with_types(text);
    let image = make(&module, OpSet::Standard, false).unwrap();
    let [(get, _), (ret, opcode)] = ops(&module, &image)[..] else { panic!("two ops") };
    assert_eq!((form_name(opcode), ret - get), (Some("ret_i64.a"), 8));
    let refused = |image: &Image| {
        let error = verdict(&module, image, false).unwrap_err();
        assert!(error.contains("what is taken for a reference is none"), "{error}");
    };
    // The global is a number.
    let mut number = image.clone();
    number.code[get + 4] = 1;
    refused(&number);
    // It goes to the register of floats.
    let mut float = image.clone();
    float.code[get..get + 2].copy_from_slice(&code::GLOBAL_GET_F64.to_le_bytes());
    refused(&float);
    // Fuel is taken in between.
    let metered = make(&module, OpSet::Standard, true).unwrap();
    let [(fuel, _), (get, opcode), _] = ops(&module, &metered)[..] else { panic!("three ops") };
    let mut stops = metered.clone();
    stops.code.copy_within(get..get + 8, fuel);
    stops.code[fuel + 8..fuel + 10].copy_from_slice(&code::FUEL.to_le_bytes());
    stops.code[fuel + 10..fuel + 14].copy_from_slice(&1u32.to_le_bytes());
    assert_eq!(form_name(opcode), Some("global_get_int>a"));
    let error = verdict(&module, &stops, false).unwrap_err();
    assert!(error.contains("what is taken for a reference is none"), "{error}");
}

/// What looks into an object that there cannot be traps, and nothing is asked of what comes behind.
#[cfg(feature = "gc")]
#[test]
fn behind_an_access_to_null_nothing_is_reached() {
    let bodies = [
        "(struct.get $a 2 (ref.null $a))",
        "(call_ref $f (ref.as_non_null (global.get $g)) (ref.null $f))",
        "(array.get $list (ref.null $list) (i32.const 0))",
        "(ref.as_non_null (ref.null $a))",
    ];
    for body in bodies {
        let module = with_types(&format!("(func (result (ref null $a)) {body})"));
        for set in SETS {
            verdict(&module, &make(&module, set, false).unwrap(), false).unwrap();
        }
    }
}

#[cfg(feature = "threads")]
#[test]
fn shared_memories_are_accessed_as_such() {
    let module = |first: &str, second: &str| {
        module(&format!(
            "(module (memory 1 1 {first}) (memory 1 1 {second})
                (func (param i32) (result i32)
                    (drop (i32.atomic.rmw.add (local.get 0) (i32.const 1)))
                    (drop (i32.load 1 (local.get 0)))
                    (i32.load (local.get 0))))"
        ))
    };
    let [both, first, second, none] =
        [("shared", "shared"), ("shared", ""), ("", "shared"), ("", "")].map(|(a, b)| module(a, b));
    for set in SETS {
        let all = [&both, &first, &second, &none];
        let images = all.map(|module| make(module, set, false).unwrap());
        for (i, module) in all.into_iter().enumerate() {
            for (j, image) in images.iter().enumerate() {
                assert_eq!(verdict(module, image, false).is_ok(), i == j, "{set:?}: {i} {j}");
            }
        }
    }
}

/// A number that is zero looks like null, which is no reason to follow it; nor is one that is put next to a reference.
#[cfg(feature = "gc")]
#[test]
fn numbers_are_no_references_to_follow() {
    const COUNT: usize = 4000;
    let list = |item: &dyn Fn(usize) -> String| (0..COUNT).map(item).collect::<String>();
    let locals = "i64 ".repeat(COUNT);
    let branches = list(&|i| {
        format!("(if (i64.eqz (local.get {})) (then (local.set 1 (i32.const {i}))))", 2 + i)
    });
    let uses =
        list(&|i| format!("(call $use (struct.new $s (local.get {}) (local.get 0)))", 2 + i));
    let module = module(&format!(
        "(module (type $s (struct (field i64) (field externref))) (func $use (param (ref $s)))
            (func (param externref i32) (result externref) (local {locals})
                {branches} {uses} (local.get 0)))"
    ));
    for set in SETS {
        let image = make(&module, set, false).unwrap();
        verdict(&module, &image, false).unwrap();
        // A state says of one slot what it holds, and that takes a few bytes.
        assert!(image.tables.len() < 8 * COUNT, "{}", image.tables.len());
    }
}

/// What is only compared is kept as well: otherwise its handle could become that of another object.
#[cfg(feature = "gc")]
#[test]
fn what_is_compared_is_a_reference_to_follow() {
    let states = |condition: &str| {
        let module = module(&format!(
            "(module (func $f) (func (param eqref eqref i32) (result i32)
                (if (local.get 2) (then (call $f))) {condition}))"
        ));
        SETS.map(|set| {
            let image = make(&module, set, false).unwrap();
            let tables = Tables::new(&image.tables, 0).unwrap();
            let more = tables.more(&tables.function(1), &mut 0).unwrap();
            more.map(|(_, states)| states.len()).unwrap()
        })
    };
    // In the state behind the first branch, each slot takes two numbers.
    let none = states("(i32.const 1)");
    assert_eq!(states("(ref.eq (local.get 0) (local.get 1))"), none.map(|len| len + 4));
    let branch = "(if (result i32) (ref.eq (local.get 0) (local.get 1))
        (then (i32.const 1)) (else (i32.const 2)))";
    let other =
        branch.replace("(ref.eq (local.get 0) (local.get 1))", "(ref.is_null (local.get 0))");
    for (compared, tested) in states(branch).into_iter().zip(states(&other)) {
        assert_eq!(compared, tested + 4);
    }
}

/// What is found out by walking until nothing changes is given up if that takes too long.
#[cfg(feature = "gc")]
#[test]
fn references_are_not_followed_for_ever() {
    use kinglet_core::error::ErrorKind;
    // Each time around, one more local turns out to be a reference that somebody takes.
    let turn = |count: usize| {
        let locals = "externref ".repeat(count);
        let copies = (1..count).map(|i| format!("(local.set {} (local.get {i}))", i - 1));
        module(&format!(
            "(module (func $use (param externref)) (func (local {locals})
                (loop (call $use (local.get 0)) {} (br 0))))",
            copies.collect::<String>()
        ))
    };
    for set in SETS {
        let (few, many) = (turn(100), turn(2000));
        verdict(&few, &make(&few, set, false).unwrap(), false).unwrap();
        let error = make(&many, set, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(format!("{error}").contains("too many references"), "{error}");
    }
}

/// What is the same type has one number, and what two references may be is the nearest type above both.
#[cfg(feature = "gc")]
#[test]
fn types_meet_in_the_nearest_above_both() {
    use super::types::{Held, Types};
    use kinglet_core::types::{HeapType, RefType};
    let module = module(
        "(module
            (type $a (sub (struct))) (type $same (sub (struct)))
            (type $b (sub $a (struct (field i32)))) (type $c (sub $same (struct (field i64))))
            (type $other (struct (field f32))) (type $list (array i8)) (type $f (func)))",
    );
    let types = Types::new(&module);
    let [a, same, b, c, other, list, f] =
        [0, 1, 2, 3, 4, 5, 6].map(|index| types.of_defined(index, false));
    let of = |heap| types.of(RefType { nullable: false, heap });
    assert_eq!(a, same);
    assert_ne!(b, c);
    assert_eq!(of(HeapType::Extern), of(HeapType::Any));
    let joins = [
        (b, c, Some(a)),
        (a, b, Some(a)),
        (b, other, Some(of(HeapType::Struct))),
        (b, list, Some(of(HeapType::Eq))),
        (list, of(HeapType::I31), Some(of(HeapType::Eq))),
        (b, of(HeapType::Extern), Some(of(HeapType::Any))),
        (b, of(HeapType::None), Some(b)),
        (b, Held::NULL, Some(types.of_defined(2, true))),
        (b, types.of_defined(3, true), Some(types.of_defined(0, true))),
        (Held::NULL, Held::NULL, Some(Held::NULL)),
        (f, of(HeapType::Func), Some(of(HeapType::Func))),
        (b, f, None),
        (b, of(HeapType::Exn), None),
    ];
    for (one, two, joined) in joins {
        for (one, two) in [(one, two), (two, one)] {
            let found = types.join(one, two);
            assert_eq!(found, joined);
            if let Some(joined) = found {
                assert!(types.matches(one, joined) && types.matches(two, joined));
            }
        }
    }
    assert!(!types.matches(a, b) && !types.matches(types.of_defined(0, true), a));
    assert!(types.matches(Held::NULL, types.of_defined(0, true)) && !types.matches(Held::NULL, a));
}

/// So that checking takes time that is linear in the size of the artifact.
#[cfg(feature = "gc")]
#[test]
fn not_everything_is_alive_everywhere() {
    let locals = |count: usize| {
        let locals = "(local (ref null $a))".repeat(count);
        let branches = "(block (br_if 0 (local.get 0)))".repeat(count);
        let uses: String =
            (1..=count).map(|local| format!("(global.set $g (local.get {local}))")).collect();
        with_types(&format!("(func (param i32) {locals} {branches} {uses})"))
    };
    make(&locals(50), OpSet::Small, false).unwrap();
    let error = make(&locals(1000), OpSet::Small, false).unwrap_err();
    assert_eq!(error.kind(), kinglet_core::error::ErrorKind::Unsupported, "{error}");
    assert!(format!("{error:#}").contains("too many references at its jumps"), "{error:#}");
}

#[cfg(feature = "gc")]
fn small(opcode: u16) -> u16 {
    crate::code::of_set(opcode, OpSet::Small)
}

/// An image of one function without parameters: so many calls of itself, in a frame of 1,100 slots, and then `last`; and as many tries,
/// each in the one before, which catch nothing.
#[cfg(feature = "gc")]
fn calls_itself(calls: u32, last: &[u16], tries: u32) -> Image {
    let mut image = make(&module("(module (func))"), OpSet::Small, false).unwrap();
    let begin = ENTRIES + 8;
    image.code.truncate(begin);
    image.code.extend([0; 2]);
    for _ in 0..calls {
        let words = [small(code::CALL), 0, 0, FRAME_HEADER as u16, FRAME_HEADER as u16];
        image.code.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    image.code.extend(last.iter().flat_map(|word| word.to_le_bytes()));
    let len = (image.code.len() - begin) as u32;
    let more = if tries > 0 { 20 } else { 0 };
    let mut tables = vec![1100, 1, len, more, 0xffff];
    if tries > 0 {
        tables.extend([1, tries, 0, 0, 0, tries - 1]);
        tables.extend((0..tries).flat_map(|number| [number.wrapping_sub(1), 0, 0]));
    }
    image.tables = tables.iter().flat_map(|word| word.to_le_bytes()).collect();
    image
}

#[cfg(feature = "gc")]
#[test]
fn tries_that_catch_nothing_are_passed_by() {
    let module = module("(module (func))");
    let image = calls_itself(1, &[small(code::RET), 0], 1000);
    verdict(&module, &image, false).unwrap();
    let code = Code { bytes: &image.code, origin: 0 };
    let tables = Tables::new(&image.tables, 0).unwrap();
    let body = Body::of(&module, code, &tables, FuncIdx(0)).unwrap();
    assert_eq!(body.handlers.tries.len(), 1000);
    assert!(body.handlers.tries.iter().all(|table| table.outer.is_none_or(|outer| outer == 0)));
}

/// Stack maps say of each result that its slot holds a reference.
#[cfg(feature = "gc")]
#[test]
fn calls_do_not_give_more_references_than_their_code_is_worth() {
    let module =
        module(&format!("(module (func (result {}) unreachable))", "externref ".repeat(1000)));
    let image = calls_itself(20, &[small(code::UNREACHABLE)], 0);
    verdict(&module, &image, false).unwrap();
    let error =
        verdict(&module, &calls_itself(2000, &[small(code::UNREACHABLE)], 0), false).unwrap_err();
    assert!(error.contains("too many references at its jumps and calls"), "{error}");
}
