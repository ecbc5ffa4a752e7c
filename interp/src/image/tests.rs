//! Code that has been tampered with is refused, for the reason that it should be.

use super::{Code, Image, Tables, check, make};
use crate::{exec::regs::FUNC_HEADER, forms::layout};
use alloc::{format, string::String, vec::Vec};
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
    checked.map_err(|error| format!("{error}"))
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
