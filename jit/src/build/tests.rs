use super::Builder;
use kinglet_core::{
    index::FuncIdx,
    module::{Module, features::Features},
    translate::{Options, Translator},
};

fn module(fields: &str) -> Module {
    let mut features = Features::default();
    features.switches().into_iter().for_each(|switch| *switch = true);
    let wasm = wat::parse_str(format!("(module {fields})")).unwrap();
    Module::decode(wasm, &features).unwrap()
}

/// The first function that the module defines.
fn build(module: &Module, metered: bool, take_notes: bool) -> Builder {
    let mut builder = Builder { take_notes, ..Builder::default() };
    let options = Options { metered, refs: take_notes };
    let func = FuncIdx(module.imported_funcs);
    Translator::default().translate(module, func, &mut builder, options).unwrap();
    if builder.unsupported.is_none() {
        assert_eq!(builder.function.validate(), Ok(()), "{}", builder.function);
    }
    builder
}

#[test]
fn scratch() {
    for entry in std::env::var("WATS").unwrap().split(';') {
        let m = module(entry);
        let b = build(&m, false, false);
        println!("{entry}\n{}", b.function);
    }
}
