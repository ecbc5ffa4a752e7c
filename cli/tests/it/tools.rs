//! `kinglet wast`, `validate`, `inspect` and `completions`.

use std::fs;
use std::io::Read;

use crate::{command, file, folder, kinglet, kinglet_with};

const GOOD: &str = r#"
(module (func (export "one") (result i32) (i32.const 1)))
(assert_return (invoke "one") (i32.const 1))
"#;

const BAD: &str = r#"
(module (func (export "one") (result i32) (i32.const 1)))
(assert_return (invoke "one") (i32.const 2))
  (assert_return (invoke "two"))
"#;

#[test]
fn wast_runs_files_and_folders_in_order() {
    let folder = folder("wast_runs_files_and_folders");
    fs::create_dir_all(folder.join("b")).unwrap();
    let bad = file(&folder, "b/bad.wast", BAD);
    let good = file(&folder, "a.wast", GOOD);
    file(&folder, "b/good.wast", GOOD);
    file(&folder, "b/not-a-script.wat", "(module");
    let all = folder.to_str().unwrap();

    kinglet(&["wast", "--no-skips", &good]).gives(0, "1 files, 2 passed, 0 failed, 0 skipped\n");
    kinglet(&["wast", "--no-skips", all]).gives(
        1,
        &format!(
            "{bad}:3:2: assert_return \"one\": expected (i32.const 2), got (i32.const 1)\n\
             {bad}:4:4: no exported function \"two\"\n\
             3 files, 5 passed, 2 failed, 0 skipped\n"
        ),
    );
}

#[test]
fn wast_tells_how_much_was_compiled() {
    let folder = folder("wast_tells_how_much");
    let script = r#"
        (module
            (func (export "one") (result i32) (i32.const 1))
            (func (export "two") (result i32) (i32x4.extract_lane 0 (i32x4.splat (i32.const 2)))))
        (assert_return (invoke "one") (i32.const 1))
        (assert_return (invoke "two") (i32.const 2))"#;
    kinglet(&["wast", "--tier", "jit", &file(&folder, "a.wast", script)]).gives(
        0,
        "compiled 1 of 1 functions without vectors (100.00 %), and none of 1 with vectors\n\
         1 files, 3 passed, 0 failed, 0 skipped\n",
    );
}

#[test]
fn wast_excuses_what_the_skip_list_names() {
    let folder = folder("wast_excuses");
    fs::create_dir_all(folder.join("b")).unwrap();
    file(&folder, "b/bad.wast", BAD);
    file(&folder, "b/good.wast", GOOD);
    let all = folder.to_str().unwrap();
    let with = |skips: &str| kinglet(&["wast", "--skips", &file(&folder, "skips.txt", skips), all]);

    with("# comment\nb/*.wast none of it works")
        .gives(0, "2 files, 0 passed, 0 failed, 5 skipped\n");
    with("bad.wast:3 wrong\nbad.wast:4 absent")
        .gives(0, "2 files, 3 passed, 0 failed, 2 skipped\n");
    let stale = with("bad.wast wrong\ngood.wast right\nbad.wast:2 right\nother.wast absent");
    stale.gives(
        0,
        "note: the skip list's `good.wast` is not needed: it passes\n\
         note: the skip list's `bad.wast:2` is not needed: it passes\n\
         note: the skip list's `other.wast` fits nothing here\n\
         2 files, 0 passed, 0 failed, 5 skipped\n",
    );
    with("bad.wast").complains(1, "skips.txt`, line 1: `bad.wast` gives no reason");
    kinglet(&["wast", "--skips", "/absent", all]).complains(1, "cannot read `/absent`");
}

#[test]
fn wast_reports_what_it_cannot_read() {
    let folder = folder("wast_reports");
    kinglet(&["wast", folder.to_str().unwrap()]).complains(1, "no .wast file in `");
    kinglet(&["wast", "/absent.wast"]).complains(1, "cannot read `/absent.wast`: No such file");
    let broken = file(&folder, "broken.wast", "(module)\n(assert_return (invoke");
    let outcome = kinglet(&["wast", "--no-skips", &broken]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.starts_with(&format!("{broken}:2:")), "{outcome:?}");
    assert!(outcome.stdout.contains("the script does not parse: "), "{outcome:?}");
    assert!(outcome.stdout.ends_with("\n1 files, 0 passed, 1 failed, 0 skipped\n"), "{outcome:?}");
}

#[test]
fn validate_names_each_bad_file() {
    let folder = folder("validate");
    let good = file(&folder, "good.wasm", wat::parse_str("(module (func))").unwrap());
    let bad = file(&folder, "bad.wat", "(module (func (result i32)))");
    let worse = file(&folder, "worse.wasm", b"\0asm\x01\0\0");
    kinglet(&["validate", &good]).gives(0, "");
    let outcome = kinglet(&["validate", &bad, &good, &worse, "/absent.wasm"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:?}");
    assert!(lines[0].starts_with(&format!("error: `{bad}`: ")), "{outcome:?}");
    assert!(lines[1].starts_with(&format!("error: `{worse}`: ")), "{outcome:?}");
    assert!(lines[2].starts_with("error: cannot read `/absent.wasm`: "), "{outcome:?}");
    assert!(lines[0].contains("0x"), "the offset is missing: {outcome:?}");
}

#[test]
fn proposals_are_switched_by_wasmtimes_option() {
    let folder = folder("proposals");
    let tail =
        file(&folder, "tail.wat", "(module (func $f (export \"f\") return_call $g) (func $g))");
    let compact = r#"(module (import "m" (item "a" (func)) (item "b" (func))))"#;
    let compact = file(&folder, "compact.wat", compact);
    kinglet(&["validate", &tail]).gives(0, "");
    kinglet(&["validate", "-W", "tail-call=n", &tail])
        .complains(1, "tail-call proposal is not enabled");
    kinglet(&["run", "-Wtail-call=n", "--invoke", "f", &tail])
        .complains(1, "tail-call proposal is not enabled");
    kinglet(&["validate", &compact]).complains(1, "compact-imports proposal is not enabled");
    kinglet(&["validate", "--wasm", "memory64,compact-imports", &compact]).gives(0, "");
    kinglet(&["validate", "-Wall-proposals", &compact]).gives(0, "");
    let inspected = kinglet(&["inspect", "-Wcompact-imports", &compact]);
    assert_eq!(inspected.code, Some(0), "{inspected:?}");
    kinglet(&["validate", "-Wgravity", &tail])
        .complains(2, "unknown WebAssembly proposal `gravity`");
}

const TOUR: &str = r#"
    (module $tour
        (import "env" "log" (func $log (param i32 i64)))
        (import "env" "table" (table 1 2 funcref))
        (global (export "counter") (mut i32) (i32.const 0))
        (memory (export "memory") 1 2)
        (func $twice (export "double") (param $x i32) (result i32)
            (call $log (local.get $x) (i64.const 7))
            (i32.mul (local.get $x) (i32.const 2)))
        (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (data (i32.const 0) "hello"))"#;

#[test]
fn inspect_lists_sections_imports_and_exports() {
    let outcome = kinglet_with(&["inspect", "-"], TOUR);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let text = &outcome.stdout;
    for line in [
        "module tour",
        "imports (2)",
        "  env.log: func (i32, i64) -> ()",
        "  env.table: table 1..2 funcref",
        "exports (4)",
        "  counter: global mut i32",
        "  memory: memory 1..2 pages of 65536 bytes",
        "  double: func (i32) -> (i32)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is missing in\n{text}");
    }
    let has = |start: &str, end: &str| {
        let found = text.lines().any(|line| line.starts_with(start) && line.ends_with(end));
        assert!(found, "no line {start:?} … {end:?} in\n{text}");
    };
    for name in
        ["type", "import", "function", "memory", "global", "export", "code", "custom \"name\""]
    {
        has(&format!("  {name} "), " bytes");
    }
    has("  data ", " 11 bytes");
    has("functions (2, ", " bytes)");
    has("  mutable-global", "");
}

#[test]
fn inspect_names_the_proposals_that_a_module_needs() {
    for (module, features) in [
        ("(module)", "none"),
        ("(module (memory 1) (memory 1))", "multi-memory"),
        ("(module (memory i64 1))", "memory64"),
        (
            "(module (func (param i32) (result i32 i32) (i32.extend8_s (local.get 0)) (i32.const 1)))",
            "sign-extension, multi-value",
        ),
        ("(module (func $f (return_call $f)))", "tail-call"),
    ] {
        let outcome = kinglet_with(&["inspect", "-"], module);
        let last = outcome.stdout.lines().last().unwrap_or_default();
        assert_eq!((outcome.code, last.trim()), (Some(0), features), "{outcome:?}");
    }
}

#[test]
fn inspect_shows_the_bytecode() {
    let show =
        |args: &[&str]| kinglet_with(&[&["inspect", "-", "--bytecode"], args].concat(), TOUR);
    let all = show(&[]);
    assert_eq!(all.code, Some(0), "{all:?}");
    for part in [
        "1 twice: func (i32) -> (i32)\n",
        "2 : func (i32, i32) -> (i32)\n",
        "i32_mul",
        "i32_add",
        "call",
    ] {
        assert!(all.stdout.contains(part), "{part:?} is missing in\n{}", all.stdout);
    }
    // The code stands beside what it was made from.
    let line = all.stdout.lines().find(|line| line.contains("i32.mul"));
    assert!(line.is_some_and(|line| line.contains("i32_mul")), "{all:?}");
    for one in [show(&["twice"]), show(&["1"])] {
        assert_eq!(one.code, Some(0), "{one:?}");
        assert!(one.stdout.contains("i32_mul") && !one.stdout.contains("i32_add"), "{one:?}");
    }
    assert_eq!(kinglet_with(&["inspect", "--bytecode", "-"], TOUR).stdout, all.stdout);
    // What catches exceptions is no op, but part of it.
    let catching = "(module (tag (param i32)) (func (result i32)
        (try_table (catch 0 0) (throw 0 (i32.const 1))) (i32.const 2)))";
    let outcome = kinglet_with(&["inspect", "--bytecode", "-"], catching);
    let line = outcome.stdout.lines().find(|line| line.contains("until"));
    assert!(line.is_some_and(|line| line.contains(" catch #0 ->")), "{outcome:?}");
    kinglet(&["inspect", "--bytecode"]).fails(2, "error: which FILE?");
    show(&["absent"]).fails(1, "error: standard input has no function `absent`");
    show(&["3"]).fails(1, "error: standard input has no function `3`");
    show(&["log"]).fails(1, "error: standard input: function 0 is imported");
}

#[test]
fn inspect_shows_what_the_compiler_makes() {
    let show = |args: &[&str]| kinglet_with(&[&["inspect", "-"], args].concat(), TOUR);
    let ir = show(&["--ir", "twice"]);
    assert_eq!(ir.code, Some(0), "{ir:?}");
    assert!(ir.stdout.starts_with("function 1(v0:i32)\n") && ir.stdout.contains("i32_"), "{ir:?}");
    for (target, ret) in [("x86_64", "ret"), ("aarch64", "ret")] {
        let asm = show(&["--asm", "1", "--target", target]);
        assert_eq!(asm.code, Some(0), "{asm:?}");
        assert!(asm.stdout.lines().any(|line| line.ends_with(ret)), "{asm:?}");
    }
    // Who calls whom can be seen.
    for target in ["x86_64", "aarch64"] {
        let calls = "(module (func) (func (call 0) (call 0)))";
        let asm = kinglet_with(&["inspect", "-", "--asm", "1", "--target", target], calls);
        assert!(asm.stdout.contains("; function 0\n"), "{asm:?}");
    }
    show(&["--asm", "absent"]).fails(1, "error: standard input has no function `absent`");
    show(&["--asm", "log"]).fails(1, "error: standard input: function 0 is imported");
    show(&["--asm", "1", "--target", "z80"]).complains(2, "z80");
    show(&["--asm", "1", "--ir", "1"]).complains(2, "--ir");
    let vectors = "(module (func (drop (i32x4.splat (i32.const 1)))))";
    kinglet_with(&["inspect", "-", "--ir", "0"], vectors)
        .fails(1, "error: standard input: function 0 is left to the interpreter: vectors");
}

#[test]
fn inspect_refuses_what_is_no_module() {
    kinglet_with(&["inspect", "-"], "(module (func (result i32)))")
        .complains(1, "standard input: ");
    kinglet(&["inspect", "/absent.wasm"]).complains(1, "cannot read `/absent.wasm`");
    kinglet(&["inspect"]).complains(2, "<FILE>");
}

#[test]
fn compile_makes_artifacts_that_the_other_commands_take() {
    let folder = folder("compile");
    let math = r#"(module $math (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func $loop (export "loop") (loop (br 0))) (memory 1 2) (data (i32.const 0) "hello"))"#;
    let math = file(&folder, "math.wat", math);
    let artifact = folder.join("math.kgl").into_os_string().into_string().unwrap();
    kinglet(&["compile", &math]).gives(0, "");
    kinglet(&["run", "--invoke", "add", &artifact, "1", "2"]).gives(0, "3\n");
    kinglet(&["validate", &artifact]).gives(0, "");

    let metered = folder.join("metered").into_os_string().into_string().unwrap();
    kinglet(&["compile", "--metered", "--ops", "fused", "-o", &metered, &math]).gives(0, "");
    let stopped = kinglet(&["run", "--fuel", "1000", "--invoke", "loop", &metered]);
    stopped.complains(134, "used up its fuel of 1000");
    kinglet(&["run", "--invoke", "add", &metered, "1", "2"]).gives(0, "3\n");
    kinglet(&["validate", &metered]).gives(0, "");

    let outcome = kinglet(&["inspect", &metered]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    for line in [
        "module math",
        "artifact (version 1, fused ops, metered)",
        "functions (2)",
        "imports (0)",
        "  add: func (i32, i32) -> (i32)",
        "stack that calls take at most",
        "proposals needed",
        "  none",
    ] {
        let found = outcome.stdout.lines().any(|found| found == line);
        assert!(found, "{line:?} is missing in\n{}", outcome.stdout);
    }
    for name in ["  .kgl.code ", "  .kgl.names ", "  of the binary with the SHA-256 "] {
        assert!(outcome.stdout.contains(name), "{name:?} is missing in\n{}", outcome.stdout);
    }
    for option in ["--bytecode", "--ir", "--asm"] {
        kinglet(&["inspect", &metered, option, "add"])
            .fails(1, &format!("error: `{metered}` is an artifact: its code cannot be shown"));
    }
}

#[test]
fn compile_refuses_what_it_cannot_do() {
    let folder = folder("compile_refuses");
    kinglet(&["compile", "-"]).complains(2, "where to?");
    let simple = file(&folder, "simple.wat", "(module (func (export \"f\")))");
    kinglet(&["compile", &simple, "-o", "/absent/x.kgl"]).complains(1, "cannot write `/absent/x");
    kinglet(&["compile", &simple, "--ops", "many"]).complains(2, "many");
    kinglet(&["compile", &simple]).gives(0, "");
    let artifact = folder.join("simple.kgl");
    let bytes = fs::read(&artifact).unwrap();
    let artifact = artifact.to_str().unwrap();
    kinglet(&["compile", artifact, "-o", "-"]).complains(1, "this is an artifact");
    kinglet(&["run", "--fuel", "1", "--invoke", "f", artifact]).complains(1, "error: `");
    let cut = file(&folder, "cut.kgl", &bytes[..bytes.len() - 1]);
    kinglet(&["validate", &cut]).complains(1, "invalid artifact: ");
    kinglet_with(&["run", "--invoke", "f", "-"], bytes).gives(0, "");
}

#[test]
fn completions_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = kinglet(&["completions", shell]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains("max-memory"), "{shell}");
    }
    kinglet(&["completions", "tea"]).complains(2, "tea");
}

#[test]
fn help_shows_options_and_examples() {
    let outcome = kinglet(&["--help"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for part in ["run", "wast", "validate", "inspect", "compile", "completions", "Examples:", "134"]
    {
        assert!(outcome.stdout.contains(part), "{part} is missing in\n{}", outcome.stdout);
    }
    for command in ["run", "wast", "validate", "inspect", "compile", "completions"] {
        let outcome = kinglet(&[command, "--help"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains(&format!("Usage: kinglet {command}")), "{outcome:?}");
        assert!(outcome.stdout.contains("Examples:"), "{outcome:?}");
        assert!(!outcome.stdout.contains('\x1b'), "colour without a terminal: {outcome:?}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    // More than a pipe holds, so that writing goes on after the reader has gone.
    let functions: String =
        (0..20_000).map(|index| format!("(func (export \"function {index}\"))")).collect();
    let path = file(&folder("a_reader"), "many.wat", format!("(module {functions})"));
    let mut child = command(&["inspect", &path]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 16]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
