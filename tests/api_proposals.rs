//! Proposals: each can be switched, and a module that needs one that is off gets an error that names it.

use kinglet::{Config, Engine, ErrorKind, Module};
use std::collections::BTreeSet;

/// For each switch a module that needs the proposal, and nothing else that can be switched off.
const SWITCHES: &[(&str, &str)] = &[
    ("mutable-global", r#"(global (export "g") (mut i32) (i32.const 0))"#),
    ("sign-extension", "(func (drop (i32.extend8_s (i32.const 1))))"),
    ("saturating-float-to-int", "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))"),
    ("multi-value", "(func (result i32 i32) unreachable)"),
    ("multi-value", "(func (i32.const 1) (block (param i32) (drop)))"),
    ("bulk-memory", "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))"),
    ("bulk-memory", r#"(data "passive")"#),
    (
        "bulk-memory",
        r#"(memory 1) (data $d "") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)))"#,
    ),
    ("reference-types", "(table 1 externref)"),
    ("reference-types", "(table 1 funcref) (table 1 funcref)"),
    ("reference-types", "(func (drop (ref.null func)))"),
    ("tail-call", "(func $f return_call $f)"),
    ("extended-const", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
    ("multi-memory", "(memory 1) (memory 1)"),
    ("memory64", "(memory i64 1)"),
    ("memory64", "(table i64 1 funcref)"),
    ("function-references", "(func (param (ref func)))"),
    ("function-references", "(func (local (ref func)))"),
    ("function-references", "(func (drop (ref.as_non_null (ref.null func))))"),
    ("gc", "(type (struct))"),
    ("gc", "(type (array (mut i8)))"),
    ("gc", "(type (sub (func)))"),
    ("gc", "(type $f (func (param (ref null $f))))"),
    ("gc", "(rec (type (func)) (type (func)))"),
    ("gc", "(func (param anyref))"),
    ("gc", "(global i31ref (ref.null i31))"),
    ("gc", "(func (drop (ref.test funcref (ref.null func))))"),
    ("simd", "(func (param v128))"),
    ("simd", "(func (drop (v128.const i64x2 0 0)))"),
    ("relaxed-simd", "(func (drop (i8x16.relaxed_swizzle (unreachable) (unreachable))))"),
    ("simd", "(global v128 (v128.const i64x2 0 0))"),
    ("threads", "(memory 1 1 shared)"),
    ("threads", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
    ("custom-page-sizes", "(memory 1 (pagesize 1))"),
    ("exceptions", "(tag)"),
    ("exceptions", "(func (throw_ref (unreachable)))"),
    ("exceptions", "(func (param exnref))"),
    ("legacy-exceptions", "(func try catch_all end)"),
    ("wide-arithmetic", "(func (i64.mul_wide_u (i64.const 1) (i64.const 2)) (drop) (drop))"),
    ("compact-imports", r#"(import "m" (item "a" (func)) (item "b" (func)))"#),
    // A hint for an operator that is no branch.
    ("branch-hinting", r#"(func (@metadata.code.branch_hint "\00") nop)"#),
];

/// What this version does not support at all.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("stack switching", "(type $f (func)) (type (cont $f))"),
    (
        "custom descriptors",
        "(rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct)))",
    ),
    ("shared-everything threads", "(global (shared i32) (i32.const 0))"),
    ("memory control", "(memory 1) (func (memory.discard (i32.const 0) (i32.const 0)))"),
];

fn load(config: &Config, fields: &str) -> Result<Module, kinglet::Error> {
    Module::new(&Engine::new(config)?, format!("(module {fields})"))
}

fn all() -> Config {
    let mut config = Config::new();
    for name in Config::wasm_feature_names() {
        config.wasm_feature(name, true).unwrap();
    }
    config
}

#[test]
fn disabled_proposals_are_named() {
    for &(name, fields) in SWITCHES {
        // Not in the validator's hands: its test is below.
        if name == "branch-hinting" {
            continue;
        }
        load(&all(), fields).unwrap_or_else(|error| panic!("{fields}: {error}"));
        let error = load(all().wasm_feature(name, false).unwrap(), fields).expect_err(fields);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{fields}: {error}");
        let expected = format!("the {name} proposal is not enabled: ");
        assert!(error.to_string().starts_with(&expected), "{fields}: {error}");
    }
}

#[test]
fn every_switch_is_tested() {
    let tested: BTreeSet<_> = SWITCHES.iter().map(|(name, _)| *name).collect();
    assert_eq!(tested, Config::wasm_feature_names().iter().copied().collect());
}

#[test]
fn branch_hints_are_checked_where_they_count() {
    let (_, fields) = SWITCHES.iter().find(|(name, _)| *name == "branch-hinting").unwrap();
    load(Config::new().wasm_branch_hinting(false), fields).unwrap();
    let error = load(Config::new().wasm_branch_hinting(true), fields).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("branch_hint annotation: invalid target"), "{error}");
}

#[test]
fn unsupported_proposals_are_named() {
    for &(name, fields) in UNSUPPORTED {
        let error = load(&all(), fields).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{fields}: {error}");
        let expected = format!("the {name} proposal is not supported by this version: ");
        assert!(error.to_string().starts_with(&expected), "{fields}: {error}");
    }
    let component = Module::new(&Engine::default(), "(component)").unwrap_err();
    assert!(component.to_string().starts_with("the component model proposal is not supported"));
}

#[test]
fn what_is_off_by_default() {
    let mut off = BTreeSet::new();
    for &(name, fields) in SWITCHES {
        if load(&Config::new(), fields).is_err() {
            off.insert(name);
        }
    }
    assert_eq!(off, BTreeSet::from(["compact-imports", "legacy-exceptions"]));
}

#[test]
fn names_are_checked() {
    let error = Config::new().wasm_feature("gravity", true).unwrap_err().to_string();
    assert!(error.contains("`gravity`") && error.contains("multi-memory"), "{error}");
}
