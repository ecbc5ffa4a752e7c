//! A large module, for every machine: everything compiles, and compiles to the same code again.

use kinglet_core::{
    index::FuncIdx,
    module::{Module, features::Features},
};
use kinglet_jit::{
    compile::{CompiledModule, Machine, NONE, Options},
    isa::{arm64::Arm64, x64::X64},
    notes::FunctionNotes,
};

#[test]
fn code_is_the_same_every_time() {
    let wasm =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/guests/rust-command.wasm"));
    let module = Module::decode(wasm.unwrap(), &Features::default()).unwrap();
    for machine in [Machine::X64(X64::host()), Machine::Arm64(Arm64)] {
        for metered in [false, true] {
            same_every_time(&module, &machine, Options { metered });
        }
    }
}

fn same_every_time(module: &Module, machine: &Machine, options: Options) {
    let compiled = CompiledModule::new(module, machine, options).unwrap();
    let code = |start, end| &compiled.code[start as usize..end as usize];
    let mut sites = 0;
    for function in &compiled.functions {
        assert_eq!(compiled.function_at(function.start + 1), Some(*function));
        assert_eq!(compiled.function_at(function.end), Some(*function));
        let (notes, unlinked) =
            FunctionNotes::new(module, machine, options, function.func).unwrap();
        assert!(unlinked.is(code(function.start, function.end)), "function {}", function.func.0);
        sites += notes.sites().len();
    }
    assert!(sites > compiled.functions.len(), "{sites}");
    for (at, &entry) in compiled.entries.iter().enumerate() {
        let func = FuncIdx(module.imported_funcs + at as u32);
        let found = compiled.functions.iter().find(|function| function.func == func);
        assert_eq!(found.map_or(NONE, |function| function.start), entry);
    }
    println!(
        "{machine:?}: {} of {} functions, {} bytes of {}, {} bytes of code",
        compiled.functions.len(),
        module.bodies.len(),
        compiled.compiled_wasm_bytes,
        compiled.wasm_bytes,
        compiled.code.len()
    );
}
