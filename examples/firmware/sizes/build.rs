//! Makes the guest what the firmware carries; and builds wasm3, which is in C.

use kinglet::{Config, Engine, OpSet};
use std::{env, fs, path::Path};

fn main() {
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo::rerun-if-changed=fib.wat");
    let wasm = wat::parse_file("fib.wat").unwrap_or_else(|error| panic!("{error}"));
    let engine = Engine::new(Config::new().artifact_ops(OpSet::Small)).expect("an engine");
    let artifact = engine.precompile_module(&wasm).unwrap_or_else(|error| panic!("{error}"));
    let to = Path::new(&out).join("fib.wasm");
    fs::write(&to, wasm).expect("OUT_DIR is writable");
    fs::write(to.with_extension("kgl"), artifact).expect("OUT_DIR is writable");
    #[cfg(feature = "wasm3")]
    wasm3();
}

/// wasm3, and where the C library is that it calls.
#[cfg(feature = "wasm3")]
fn wasm3() {
    println!("cargo::rerun-if-env-changed=WASM3");
    let root = env::var("WASM3").expect("WASM3 is where the source of wasm3 is");
    let source = Path::new(&root).join("source");
    let files = fs::read_dir(&source).unwrap_or_else(|error| panic!("{root}: {error}"));
    let files = files.map(|file| file.expect("directories can be listed").path());
    let mut build = cc::Build::new();
    build
        .files(files.filter(|file| file.extension().is_some_and(|end| end == "c")))
        .opt_level_str("z")
        // Its name for a small machine.
        .define("PLATFORMIO", None)
        .warnings(false)
        .compile("wasm3");
    for library in ["libc.a", "libm.a", "libgcc.a"] {
        let mut compiler = build.get_compiler().to_command();
        let found = compiler.arg(format!("-print-file-name={library}")).output();
        let found = found.expect("the compiler runs").stdout;
        let path = Path::new(str::from_utf8(&found).expect("paths are UTF-8").trim());
        println!("cargo::rustc-link-search={}", path.parent().expect("a directory").display());
    }
    println!("cargo::rustc-link-arg-bin=wasm3=--start-group");
    println!("cargo::rustc-link-arg-bin=wasm3=-lm");
    println!("cargo::rustc-link-arg-bin=wasm3=-lc");
    println!("cargo::rustc-link-arg-bin=wasm3=-lgcc");
    println!("cargo::rustc-link-arg-bin=wasm3=--end-group");
}
