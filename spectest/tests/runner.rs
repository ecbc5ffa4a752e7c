//! The runner itself: each kind of directive must be able to fail, and say why.

use kinglet_spectest::{Skips, Source, Suite, Summary};

/// Runs one script; gives the summary and the failures as `line: message`.
fn run(script: &str) -> (Summary, Vec<String>) {
    let mut failures = Vec::new();
    let sources = [Source::new("script.wast", script.to_owned())];
    let summary = Suite::new(Skips::none()).run(&sources, |report| {
        failures.extend(
            report.failures.iter().map(|failure| format!("{}: {}", failure.line, failure.message)),
        );
    });
    assert_eq!(failures.len(), summary.failed);
    (summary, failures)
}

/// Asserts that every directive passes.
#[track_caller]
fn passes(script: &str, directives: usize) {
    let (summary, failures) = run(script);
    assert_eq!(failures, [""; 0]);
    assert_eq!(summary.passed, directives);
}

/// Asserts that exactly these directives fail, each message beginning as given.
#[track_caller]
fn fails(script: &str, expected: &[&str]) {
    let (_, failures) = run(script);
    let fit =
        failures.iter().zip(expected).all(|(failure, expected)| failure.starts_with(expected));
    assert!(failures.len() == expected.len() && fit, "{failures:#?}\nare not\n{expected:#?}");
}

/// Functions that return their argument, and some that go wrong.
const MODULE: &str = r#"(module $M
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func $f (export "func") (param funcref) (result funcref) (local.get 0))
    (func (export "self") (result funcref) (ref.func $f))
    (func (export "extern") (param externref) (result externref) (local.get 0))
    (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
    (func (export "none"))
    (func (export "trap") unreachable)
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func $recurse (export "recurse") (call $recurse))
    (global (export "global") i32 (i32.const 42)))
"#;

#[test]
fn results_are_compared_bit_for_bit() {
    let script = MODULE.to_owned()
        + r#"
        (assert_return (invoke "i32" (i32.const -1)) (i32.const 0xffffffff))
        (assert_return (invoke "i64" (i64.const -1)) (i64.const -1))
        (assert_return (invoke "f32" (f32.const -0)) (f32.const -0))
        (assert_return (invoke "f64" (f64.const nan:0x4)) (f64.const nan:0x4))
        (assert_return (invoke "f32" (f32.const -nan)) (f32.const nan:canonical))
        (assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:arithmetic))
        (assert_return (invoke "f64" (f64.const nan)) (f64.const nan:canonical))
        (assert_return (invoke "f64" (f64.const -nan:0x8000000000001)) (f64.const nan:arithmetic))
        (assert_return (invoke "func" (ref.null func)) (ref.null func))
        (assert_return (invoke "func" (ref.null func)) (ref.null))
        (assert_return (invoke "self") (ref.func))
        (assert_return (invoke "extern" (ref.null extern)) (ref.null extern))
        (assert_return (invoke "extern" (ref.extern 7)) (ref.extern 7))
        (assert_return (invoke "extern" (ref.extern 7)) (ref.extern))
        (assert_return (invoke "i32" (i32.const 2)) (either (i32.const 1) (i32.const 2)))
        (assert_return (invoke "two") (i32.const 1) (i64.const 2))
        (assert_return (invoke "none"))
        (assert_return (get "global") (i32.const 42))
        (assert_return (get $M "global") (i32.const 42))
        (invoke "none")"#;
    passes(&script, 21);
}

#[test]
fn wrong_results_fail() {
    let script = MODULE.to_owned()
        + r#"(assert_return (invoke "i32" (i32.const 1)) (i32.const 2))
(assert_return (invoke "i32" (i32.const 1)) (i64.const 1))
(assert_return (invoke "f32" (f32.const -0)) (f32.const 0))
(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:canonical))
(assert_return (invoke "f64" (f64.const nan:0x1)) (f64.const nan:arithmetic))
(assert_return (invoke "f64" (f64.const 1.5)) (f64.const nan:canonical))
(assert_return (invoke "func" (ref.null func)) (ref.null extern))
(assert_return (invoke "self") (ref.null))
(assert_return (invoke "extern" (ref.null extern)) (ref.extern))
(assert_return (invoke "extern" (ref.extern 7)) (ref.extern 8))
(assert_return (invoke "i32" (i32.const 3)) (either (i32.const 1) (i32.const 2)))
(assert_return (invoke "two") (i32.const 1))
(assert_return (invoke "none") (i32.const 1))
(assert_return (get "global") (i32.const 41))
(assert_return (invoke "trap"))
(assert_return (invoke "absent"))
(assert_return (get "absent"))
(assert_return (invoke $absent "none"))
(invoke "trap")"#;
    fails(
        &script,
        &[
            "15: assert_return \"i32\": expected (i32.const 2), got (i32.const 1)",
            "16: assert_return \"i32\": expected (i64.const 1), got (i32.const 1)",
            "17: assert_return \"f32\": expected (f32.const 0.0), got (f32.const -0.0)",
            "18: assert_return \"f32\": expected (f32.const nan:canonical), got (f32.const nan:0x400001)",
            "19: assert_return \"f64\": expected (f64.const nan:arithmetic), got (f64.const nan:0x1)",
            "20: assert_return \"f64\": expected (f64.const nan:canonical), got (f64.const 1.5)",
            "21: assert_return \"func\": expected (ref.null), got (ref.null func)",
            "22: assert_return \"self\": expected (ref.null), got (ref.func)",
            "23: assert_return \"extern\": expected (ref.extern), got (ref.null extern)",
            "24: assert_return \"extern\": expected (ref.extern 8), got (ref.extern 7)",
            "25: assert_return \"i32\": expected (either (i32.const 1) (i32.const 2)), got (i32.const 3)",
            "26: assert_return \"two\": expected (i32.const 1), got (i32.const 1) (i64.const 2)",
            "27: assert_return \"none\": expected (i32.const 1), got no results",
            "28: assert_return \"global\": expected (i32.const 41), got (i32.const 42)",
            "29: assert_return \"trap\": expected no results, got: ",
            "30: no exported function \"absent\"",
            "31: no exported global \"absent\"",
            "32: no instance `$absent`",
            "33: invoke \"trap\": ",
        ],
    );
}

#[test]
fn traps_are_told_apart() {
    let script = MODULE.to_owned()
        + r#"(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "divide" (i32.const 0)) "integer divide by zero")
(assert_exhaustion (invoke "recurse") "call stack exhausted")
(assert_trap (module (func $f unreachable) (start $f)) "unreachable")
(assert_trap (invoke "divide" (i32.const 0)) "integer overflow")
(assert_trap (invoke "none") "unreachable")
(assert_exhaustion (invoke "trap") "call stack exhausted")
(assert_trap (module) "unreachable")
(assert_exception (invoke "trap"))
(assert_exception (invoke "none"))"#;
    fails(
        &script,
        &[
            "19: assert_trap \"divide\": expected the trap \"integer overflow\", got \"",
            "20: assert_trap \"none\": expected the trap \"unreachable\", got 0 results",
            "21: assert_exhaustion \"trap\": expected the trap \"call stack exhausted\", got \"",
            "22: assert_trap module: expected the trap \"unreachable\", got 0 results",
            "23: assert_exception \"trap\": expected an exception, got: ",
            "24: assert_exception \"none\": expected an exception, got 0 results",
        ],
    );
}

#[test]
fn modules_must_be_refused_for_a_reason() {
    fails(
        r#"(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed (module binary "") "unexpected end")
(assert_malformed (module quote "(func (i32.const))") "unexpected token")
(assert_malformed (module quote "(memory 1) (data (i32.const 0) \"\\ff" "))") "unclosed string")
(assert_unlinkable (module (import "absent" "f" (func))) "unknown import")
(assert_unlinkable (module (import "spectest" "print_i32" (func))) "incompatible import type")
(assert_invalid (module (func)) "type mismatch")
(assert_malformed (module binary "\00asm\01\00\00\00") "unexpected end")
(assert_malformed (module quote "(func)") "unexpected token")
(assert_unlinkable (module (import "spectest" "print" (func))) "unknown import")
(assert_unlinkable (module (import "absent" "f" (func))) "incompatible import type")
(assert_unlinkable (module (func $f unreachable) (start $f)) "unknown import")"#,
        &[
            "7: assert_invalid: expected \"type mismatch\", but the module is accepted",
            "8: assert_malformed: expected \"unexpected end\", but the module is accepted",
            "9: assert_malformed: expected \"unexpected token\", but the module is accepted",
            "10: assert_unlinkable: expected \"unknown import\", but the module is instantiated",
            "11: assert_unlinkable: expected \"incompatible import type\", got: ",
            "12: assert_unlinkable: expected \"unknown import\", got: ",
        ],
    );
}

#[test]
fn modules_are_defined_instantiated_and_registered() {
    passes(
        r#"(module definition $D
            (global (export "g") (mut i32) (i32.const 0))
            (func (export "next") (result i32)
                (global.set 0 (i32.add (global.get 0) (i32.const 1))) (global.get 0)))
        (module instance $A $D)
        (module instance $B $D)
        (assert_return (invoke $A "next") (i32.const 1))
        (assert_return (invoke $A "next") (i32.const 2))
        (assert_return (invoke $B "next") (i32.const 1))
        (register "a" $A)
        (module (import "a" "next" (func $next (result i32))) (func (export "f") (result i32) (call $next)))
        (assert_return (invoke "f") (i32.const 3))
        (register "b")
        (module definition (import "b" "f" (func (result i32))) (export "f" (func 0)))
        (module instance)
        (assert_return (invoke "f") (i32.const 4))
        (module quote "(func (export \"quoted\") (result i32) i32.const 5)")
        (assert_return (invoke "quoted") (i32.const 5))
        (module binary "\00asm\01\00\00\00")"#,
        16,
    );
    fails(
        r#"(module instance $A $absent)
(register "a")
(module (import "absent" "f" (func)))
(invoke "f")
(module (func (result i32)))
(module quote "(func")"#,
        &[
            "1: no definition `$absent`",
            "2: no instance to act on",
            "3: module: ",
            "4: no instance to act on",
            "5: module: ",
            "6: module: ",
        ],
    );
}

#[test]
fn the_spectest_module_is_there() {
    passes(
        r#"(module
            (import "spectest" "memory" (memory 1 2))
            (import "spectest" "table" (table 10 20 funcref))
            (import "spectest" "table64" (table i64 10 20 funcref))
            (import "spectest" "global_i32" (global $i32 i32))
            (import "spectest" "global_i64" (global $i64 i64))
            (import "spectest" "global_f32" (global $f32 f32))
            (import "spectest" "global_f64" (global $f64 f64))
            (import "spectest" "print" (func))
            (import "spectest" "print_i32" (func $print_i32 (param i32)))
            (import "spectest" "print_i64" (func (param i64)))
            (import "spectest" "print_f32" (func (param f32)))
            (import "spectest" "print_f64" (func (param f64)))
            (import "spectest" "print_i32_f32" (func (param i32 f32)))
            (import "spectest" "print_f64_f64" (func (param f64 f64)))
            (func (export "globals") (result i32 i64 f32 f64)
                (call $print_i32 (i32.const 1))
                (global.get $i32) (global.get $i64) (global.get $f32) (global.get $f64)))
        (assert_return (invoke "globals") (i32.const 666) (i64.const 666) (f32.const 666.6) (f64.const 666.6))"#,
        2,
    );
}

#[test]
fn what_is_not_supported_fails_and_says_so() {
    fails(
        r#"(module)
(component)
(assert_suspension (invoke "f") "unhandled")"#,
        &[
            "2: module: components are not supported",
            "3: assert_suspension: needs the stack-switching proposal",
        ],
    );
}

#[test]
fn reports_come_in_order_and_add_up() {
    let sources: Vec<_> = (0..50)
        .map(|index| {
            Source::new(
                format!("{index}.wast"),
                if index % 2 == 0 { "(module)" } else { "(module" },
            )
        })
        .collect();
    let mut names = Vec::new();
    let summary = Suite::new(Skips::parse("*1.wast broken\n*9.wast:1 not a directive").unwrap())
        .run(&sources, |report| names.push(report.name.clone()));
    assert_eq!(names, sources.iter().map(|source| source.name.clone()).collect::<Vec<_>>());
    assert_eq!(summary.to_string(), "50 files, 25 passed, 20 failed, 5 skipped");
    assert_eq!(summary.needless, ["*9.wast:1"]);
    assert!(!summary.success());
}
