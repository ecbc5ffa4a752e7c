//! Code that has been tampered with is refused, for the reason that it should be.

use super::{Code, Image, Tables, check, make};
use crate::{
    exec::regs::FUNC_HEADER,
    forms::{COUNT, code, layout},
};
use alloc::{format, string::String, vec, vec::Vec};
use kinglet_core::{
    error::ErrorKind,
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
        let count = |letter| match letter {
            'j' | 'i' | 'o' | 'u' | 'f' | 'p' | 'y' | 'e' | 'g' | 'r' | 'c' => 4,
            'q' => 8,
            't' => panic!("no tables here"),
            '+' => 0,
            _ => 2,
        };
        at += 2 + layout(number(at)).chars().map(count).sum::<usize>();
    }
    ops
}

/// Where the first operand with this letter stands.
fn operand(module: &Module, image: &Image, letter: char) -> usize {
    for (at, opcode) in ops(module, image) {
        let mut at = at + 2;
        for found in layout(opcode).chars() {
            if found == letter {
                return at;
            }
            at += match found {
                'j' | 'i' | 'o' | 'u' | 'f' | 'p' | 'y' | 'e' | 'g' | 'r' | 'c' => 4,
                'q' => 8,
                '+' => 0,
                _ => 2,
            };
        }
    }
    panic!("no operand {letter}")
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
fn ops_on_references_are_refused() {
    let modules = [
        "(module (table 1 funcref) (func (param i32) (drop (table.get (local.get 0)))))",
        "(module (func $f) (elem declare func $f) (func (drop (ref.func $f))))",
        "(module (type $t (func)) (func (param (ref null $t)) (call_ref $t (local.get 0))))",
        "(module (type $s (struct)) (func (drop (struct.new $s))))",
    ];
    for text in modules {
        for set in SETS {
            let error = make(&module(text), set, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
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
        assert!(error.contains("of another type than the table's"), "{error}");
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
