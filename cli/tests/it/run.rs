//! `kinglet run` without WASI.

use std::time::{Duration, Instant};

use crate::{file, folder, kinglet, kinglet_with};

const MATH: &str = r#"
    (module $math
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "mixed") (param i64 f32 f64) (result i64 f32 f64)
            (local.get 0) (local.get 1) (local.get 2))
        (func (export "nothing"))
        (func (export "null") (result funcref externref) (ref.null func) (ref.null extern))
        (func (export "takes_reference") (param externref))
        (func $inner unreachable)
        (func $outer (export "fail") (call $inner))
        (func (export "forever") (loop (br 0)))
        (func (export "recurse") (call $recurse)) (func $recurse (call $recurse))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
        (memory (export "memory") 1)
        (table 1 funcref))"#;

fn invoke(name: &str, args: &[&str]) -> crate::Outcome {
    kinglet_with(&[&["run", "--invoke", name, "-"], args].concat(), MATH)
}

#[test]
fn invoke_prints_each_result_on_a_line() {
    invoke("add", &["1", "2"]).gives(0, "3\n");
    invoke("add", &["-1", "0x7fffffff"]).gives(0, "2147483646\n");
    invoke("add", &["4294967295", "0"]).gives(0, "-1\n");
    invoke("mixed", &["-9223372036854775808", "0.1", "-inf"])
        .gives(0, "-9223372036854775808\n0.1\n-inf\n");
    invoke("mixed", &["0", "nan", "1e300"]).gives(0, &format!("0\nNaN\n1{}\n", "0".repeat(300)));
    invoke("nothing", &[]).gives(0, "");
    invoke("null", &[]).gives(0, "<null funcref>\n<null externref>\n");
}

#[test]
fn invoke_refuses_wrong_arguments() {
    invoke("add", &["1"]).fails(2, "error: `add` takes 2 arguments, not 1");
    invoke("add", &["1", "2", "3"]).fails(2, "error: `add` takes 2 arguments, not 3");
    invoke("add", &["1", "two"]).fails(2, "error: argument 2 of `add`: `two` is not of type i32");
    invoke("add", &["1", "4294967296"])
        .fails(2, "error: argument 2 of `add`: `4294967296` is not of type i32");
    invoke("takes_reference", &["0"])
        .complains(2, "argument 1 of `takes_reference`: an argument of type");
    invoke("memory", &[])
        .complains(1, "standard input exports no function `memory` (it has `add`, ");
    invoke("absent", &[])
        .complains(1, "standard input exports no function `absent` (it has `add`, ");
}

#[test]
fn an_uncaught_exception_exits_with_134_and_shows_what_it_carries() {
    let module = r#"
        (module $m
            (tag $full (param i32 f64)) (tag (export "empty"))
            (func $inner (throw $full (i32.const -5) (f64.const 0.5)))
            (func (export "full") (call $inner))
            (func (export "empty-one") (throw 1)))"#;
    let run = |name| kinglet_with(&["run", "--invoke", name, "-"], module);
    let outcome = run("full");
    outcome.complains(134, "error: uncaught exception `full`: -5, 0.5\n");
    assert!(outcome.stderr.contains("m!inner"), "{outcome:?}");
    run("empty-one").complains(134, "error: uncaught exception `empty`\n");
}

#[test]
fn a_trap_exits_with_134_and_shows_the_calls() {
    let outcome = invoke("fail", &[]);
    outcome.complains(134, "error: wasm trap: ");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert!(lines[0].contains("unreachable"), "{outcome:?}");
    assert_eq!(lines[1], "wasm backtrace:", "{outcome:?}");
    assert!(
        lines[2].trim_start().starts_with("0: ") && lines[2].ends_with(" - math!inner"),
        "{outcome:?}"
    );
    assert!(
        lines[3].trim_start().starts_with("1: ") && lines[3].ends_with(" - math!outer"),
        "{outcome:?}"
    );
    assert_eq!(lines.len(), 4, "{outcome:?}");

    invoke("recurse", &[]).complains(134, "call stack exhausted");
}

#[test]
fn fuel_ends() {
    kinglet_with(&["run", "--fuel", "1000", "--invoke", "forever", "-"], MATH)
        .complains(134, "standard input used up its fuel of 1000");
    kinglet_with(&["run", "--fuel", "1000", "--invoke", "add", "-", "1", "2"], MATH)
        .gives(0, "3\n");
}

#[test]
fn time_ends() {
    let start = Instant::now();
    kinglet_with(&["run", "--timeout", "200ms", "--invoke", "forever", "-"], MATH)
        .complains(134, "standard input ran longer than --timeout 200ms");
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(200), "ended after {elapsed:?}");
    assert!(elapsed < Duration::from_secs(20), "ended after {elapsed:?}");
    kinglet_with(&["run", "--timeout", "1m", "--invoke", "add", "-", "1", "2"], MATH)
        .gives(0, "3\n");
}

#[test]
fn a_start_function_is_subject_to_the_limits() {
    let endless = "(module (func $f (loop (br 0))) (start $f))";
    kinglet_with(&["run", "--fuel", "1000", "-"], endless).complains(134, "used up its fuel");
    kinglet_with(&["run", "--timeout", "100ms", "-"], endless)
        .complains(134, "ran longer than --timeout 100ms");
    kinglet_with(&["run", "-"], "(module (func $f unreachable) (start $f))")
        .complains(134, "unreachable");
    kinglet_with(&["run", "-"], "(module (func $f) (start $f))").gives(0, "");
}

#[test]
fn memory_ends() {
    let grow = |limit: &str, pages: &str| {
        kinglet_with(&["run", "--max-memory", limit, "--invoke", "grow", "-", pages], MATH)
    };
    grow("128k", "1").gives(0, "1\n");
    grow("128k", "2").gives(0, "-1\n");
    grow("2MiB", "31").gives(0, "1\n");
    grow("2MiB", "32").gives(0, "-1\n");
    grow("1k", "0").complains(1, "cannot instantiate standard input: ");

    let grow = |options: &[&str], elements: &str| {
        kinglet_with(
            &[&["run"], options, &["--invoke", "grow_table", "-", elements]].concat(),
            MATH,
        )
    };
    grow(&["--max-memory", "64k"], "8191").gives(0, "1\n");
    grow(&["--max-memory", "64k"], "8192").gives(0, "-1\n");
    grow(&[], "1000000").gives(0, "1\n");
    grow(&[], "-2").gives(0, "-1\n");
}

#[test]
fn commands_and_reactors() {
    let trap = r#"(func (export "_start") unreachable)"#;
    kinglet_with(&["run", "-"], format!("(module {trap})")).complains(134, "unreachable");
    kinglet_with(&["run", "-"], r#"(module (func (export "_start")))"#).gives(0, "");
    kinglet_with(&["run", "-"], r#"(module (func (export "_start") (param i32)))"#)
        .complains(1, "_start");

    // A reactor is initialised before anything else is called, and once.
    let reactor = r#"
        (module
            (global $calls (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
            (func (export "calls") (result i32) (global.get $calls)))"#;
    kinglet_with(&["run", "--invoke", "calls", "-"], reactor).gives(0, "1\n");
    kinglet_with(&["run", "-"], reactor).gives(0, "");
    kinglet_with(&["run", "--invoke", "_initialize", "-"], reactor).gives(0, "");

    kinglet_with(&["run", "-"], r#"(module (func (export "a")) (func (export "b")))"#).fails(
        1,
        "error: standard input exports neither `_start` nor `_initialize`: \
         choose a function with --invoke (it has `a`, `b`)",
    );
    kinglet_with(&["run", "-"], "(module)").fails(
        1,
        "error: standard input exports neither `_start` nor `_initialize`: \
         choose a function with --invoke (it exports no function)",
    );
}

#[test]
fn files_and_standard_input_binary_and_text() {
    let folder = folder("files_and_standard_input");
    let text = file(&folder, "math.wat", MATH);
    let binary = file(&folder, "math.wasm", wat::parse_str(MATH).unwrap());
    kinglet(&["run", "--invoke", "add", &text, "1", "2"]).gives(0, "3\n");
    kinglet(&["run", "--invoke", "add", &binary, "1", "2"]).gives(0, "3\n");
    kinglet_with(&["run", "--invoke", "add", "-", "1", "2"], wat::parse_str(MATH).unwrap())
        .gives(0, "3\n");

    let absent = folder.join("absent.wasm");
    let absent = absent.to_str().unwrap();
    kinglet(&["run", absent]).fails(
        1,
        &format!("error: cannot read `{absent}`: No such file or directory (os error 2)"),
    );
    kinglet(&["run", folder.to_str().unwrap()]).complains(1, "cannot read `");
    kinglet(&["run", &file(&folder, "rubbish", [0xff, 0xfe])])
        .complains(1, "rubbish` is no WebAssembly module, neither binary nor text");
    kinglet(&["run", &file(&folder, "empty", "")]).complains(1, "empty");
    kinglet(&["run", &file(&folder, "text.wat", "(module (func (i32.bogus)))")])
        .complains(1, "text.wat:1:16");
    let invalid = wat::parse_str("(module (func (result i32)))").unwrap();
    kinglet(&["run", &file(&folder, "invalid.wasm", invalid)]).complains(1, "invalid.wasm`: ");
    kinglet(&["run", &file(&folder, "cut.wasm", &wat::parse_str(MATH).unwrap()[..20])])
        .complains(1, "cut.wasm`: ");
}

#[test]
fn unknown_imports_are_named() {
    let start = r#"(func (export "_start"))"#;
    let outcome =
        kinglet_with(&["run", "-"], format!(r#"(module (import "env" "mystery" (func)) {start})"#));
    outcome.complains(1, "env::mystery");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    kinglet_with(
        &["run", "-"],
        format!(r#"(module (import "wasi_snapshot_preview1" "fd_fly" (func)) {start})"#),
    )
    .complains(1, "wasi_snapshot_preview1::fd_fly");
}

#[test]
fn proposals_that_are_not_supported_are_named() {
    for (feature, body) in [
        ("stack switching", "(type $f (func)) (type (cont $f))"),
        ("legacy-exceptions", "(func try end)"),
    ] {
        let outcome = kinglet_with(
            &["validate", "-W", "legacy-exceptions=n", "-"],
            format!("(module {body})"),
        );
        outcome.complains(1, "standard input: ");
        assert!(outcome.stderr.to_lowercase().contains(feature), "{feature}: {outcome:?}");
    }
}

#[test]
fn wrong_options_exit_with_2_and_are_named() {
    for (args, part) in [
        (&["run"][..], "<FILE [ARGS]>..."),
        (&["run", "--bogus", "x.wasm"], "--bogus"),
        (&["run", "--timeout", "5x", "x.wasm"], "`x` is no unit of time"),
        (&["run", "--fuel", "lots", "x.wasm"], "--fuel"),
        (&["run", "--max-memory", "1T", "x.wasm"], "`T` is no unit of size"),
        (&["run", "--dir", "::x", "x.wasm"], "--dir"),
        (&["run", "--check-tiers", "--timeout", "5s", "x.wasm"], "--timeout"),
        (&["run", "--check-tiers", "--tier", "jit", "x.wasm"], "--tier"),
        (&["bogus"], "bogus"),
    ] {
        kinglet(args).complains(2, part);
    }
}

#[test]
fn tiers_can_be_chosen() {
    for tier in ["interp", "jit"] {
        let run = |args: &[&str]| kinglet_with(&[&["run", "--tier", tier], args].concat(), MATH);
        run(&["--invoke", "add", "-", "1", "2"]).gives(0, "3\n");
        run(&["--invoke", "mixed", "-", "0", "nan", "-0"]).gives(0, "0\nNaN\n-0\n");
        run(&["--invoke", "fail", "-"]).complains(134, "math!outer");
        run(&["--invoke", "recurse", "-"]).complains(134, "call stack exhausted");
        run(&["--fuel", "5000", "--invoke", "forever", "-"]).complains(134, "fuel of 5000");
        run(&["--timeout", "50ms", "--invoke", "forever", "-"]).complains(134, "timeout");
    }
    kinglet(&["run", "--tier", "fast", "x.wasm"]).complains(2, "fast");
}

#[test]
fn a_run_in_both_tiers_is_as_one() {
    let check = |name: &str, args: &[&str]| {
        kinglet_with(&[&["run", "--check-tiers", "--invoke", name, "-"], args].concat(), MATH)
    };
    check("add", &["1", "2"]).gives(0, "3\n");
    check("mixed", &["0", "nan", "-0"]).gives(0, "0\nNaN\n-0\n");
    check("null", &[]).gives(0, "<null funcref>\n<null externref>\n");
    check("fail", &[]).complains(134, "unreachable");
    check("recurse", &[]).complains(134, "call stack exhausted");
    let outcome =
        kinglet_with(&["run", "--check-tiers", "--fuel", "5000", "--invoke", "forever", "-"], MATH);
    outcome.complains(134, "standard input used up its fuel of 5000\n");
    kinglet_with(
        &["run", "--check-tiers", "-"],
        r#"(module (memory 1 1 shared) (start 0) (func))"#,
    )
    .fails(1, "error: the tiers cannot be compared on this program: it has a shared memory");
    kinglet_with(&["run", "--check-tiers", "-S", "threads", "-"], "(module (start 0) (func))")
        .fails(2, "error: programs with threads cannot be compared");
}
