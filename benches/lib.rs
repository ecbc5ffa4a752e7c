//! What the benchmarks share: the files that they run on.
//!
//! `cargo bench -p kinglet-benches` runs them all, `cargo bench -p kinglet-benches --bench execute -- sieve` one. How
//! Kinglet compares with other runtimes is measured in `compare/`.

use std::{fs, path::PathBuf};

/// A program that exports `run: i32 -> i32`.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the file in `workloads/` or `cases/`.
    pub file: &'static str,
    /// The argument, for a run of some milliseconds.
    pub arg: i32,
}

/// Programs compiled from C, the sources beside them.
pub const WORKLOADS: &[Program] = &[
    Program { file: "workloads/fib.wasm", arg: 20 },
    Program { file: "workloads/hash.wasm", arg: 1 },
    Program { file: "workloads/indirect.wasm", arg: 1 },
    Program { file: "workloads/matmul.wasm", arg: 1 },
    Program { file: "workloads/nbody.wasm", arg: 2000 },
    Program { file: "workloads/sha256.wasm", arg: 1 },
    Program { file: "workloads/sieve.wasm", arg: 1 },
    Program { file: "workloads/strings.wasm", arg: 1 },
    Program { file: "workloads/vm.wasm", arg: 50 },
];

/// Small loops that lean on one thing each.
pub const CASES: &[Program] = &[
    Program { file: "cases/br_table.wat", arg: 100_000 },
    Program { file: "cases/bulk.wat", arg: 1000 },
    Program { file: "cases/float.wat", arg: 100_000 },
    Program { file: "cases/globals.wat", arg: 100_000 },
    Program { file: "cases/int64.wat", arg: 100_000 },
    Program { file: "cases/memory.wat", arg: 100_000 },
    Program { file: "cases/tables.wat", arg: 100_000 },
    Program { file: "cases/tail_call.wat", arg: 100_000 },
];

/// The contents of a file, by its path from `benches/`.
///
/// # Panics
/// If it cannot be read.
pub fn read(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Modules as compilers make them, with their names.
///
/// # Panics
/// If they cannot be read.
pub fn guests() -> Vec<(String, Vec<u8>)> {
    let names = ["files", "libc", "lisp", "rust-command", "rust-library"];
    let guest = |name: &str| (name.into(), read(&format!("../tests/guests/{name}.wasm")));
    names.into_iter().map(guest).collect()
}

/// How many bytes of a module are its code section.
///
/// # Panics
/// If it is not a module.
pub fn code_size(wasm: &[u8]) -> usize {
    let mut rest = &wasm[8..];
    let mut size = 0;
    while let Some((&id, after)) = rest.split_first() {
        let mut len = 0;
        let mut bytes = 0;
        while {
            let byte = after[bytes];
            len |= usize::from(byte & 0x7f) << (7 * bytes);
            bytes += 1;
            byte >= 0x80
        } {}
        if id == 10 {
            size = len;
        }
        rest = &after[bytes + len..];
    }
    size
}
