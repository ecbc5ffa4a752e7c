//! Makes the guests what the firmware carries: WebAssembly and, compiled here, artifacts.

use kinglet::{Config, Engine, OpSet};
use std::{env, fs, path::Path};

fn main() {
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo::rerun-if-changed=guests");
    // The firmware has the small set of ops.
    let engine = Engine::new(Config::new().artifact_ops(OpSet::Small)).expect("an engine");
    for guest in ["blink.wat", "kernel.wat", "nmea.wasm"] {
        let path = Path::new("guests").join(guest);
        let wasm = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        let artifact = engine.precompile_module(&wasm);
        let artifact = artifact.unwrap_or_else(|error| panic!("{guest}: {error}"));
        let to = Path::new(&out).join(guest);
        fs::write(to.with_extension("wasm"), wasm).expect("OUT_DIR is writable");
        fs::write(to.with_extension("kgl"), artifact).expect("OUT_DIR is writable");
    }
}
