//! Makes the guests what the firmware carries.

use std::{env, fs, path::Path};

fn main() {
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo::rerun-if-changed=guests");
    for guest in ["blink.wat", "kernel.wat", "nmea.wasm"] {
        let path = Path::new("guests").join(guest);
        let wasm = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = Path::new(guest).with_extension("wasm");
        fs::write(Path::new(&out).join(name), wasm).expect("OUT_DIR is writable");
    }
}
