//! A look at what the compiler makes, for tools.

use crate::{
    abi::Shape,
    build::Builder,
    compile::{Machine, Options},
    isa::{
        arm64::Arm64,
        x64::{Features, X64},
    },
};
use kinglet_core::{
    error::Error,
    index::FuncIdx,
    module::Module,
    translate::{self, Translator},
};

/// An x86-64 processor with all that the compiler can use, which calls functions of the host as the System V ABI says.
pub const X64: Machine = Machine::X64(X64 { features: Features::ALL, windows: false });
/// An arm64 processor.
pub const ARM64: Machine = Machine::Arm64(Arm64);

/// The compiler's form of a function, as text.
///
/// # Errors
/// It cannot be compiled: the error says why.
pub fn ir(module: &Module, func: FuncIdx, options: Options) -> Result<String, Error> {
    let builder = build(module, func, options)?;
    match builder.unsupported {
        Some(why) => Err(refused(func, why)),
        None => Ok(builder.function.to_string()),
    }
}

/// Why a function is left to the interpreter.
pub fn refusal(module: &Module, func: FuncIdx, machine: &Machine) -> Error {
    match build(module, func, Options::default()) {
        Ok(Builder { unsupported: Some(why), .. }) => refused(func, why),
        Ok(_) => refused(func, &format!("{} cannot do it", machine.name())),
        Err(error) => error,
    }
}

/// Whether a function is left to the interpreter because it uses vectors.
pub fn has_vectors(module: &Module, func: FuncIdx) -> bool {
    build(module, func, Options::default())
        .is_ok_and(|builder| builder.unsupported == Some("vectors"))
}

fn build(module: &Module, func: FuncIdx, options: Options) -> Result<Builder, Error> {
    let mut builder = Builder::default();
    let options = translate::Options { metered: options.metered, ..Default::default() };
    Translator::default().translate(module, func, &mut builder, options)?;
    if Shape::of(module.func_type(func)).is_none() {
        builder.unsupported.get_or_insert("vectors");
    }
    Ok(builder)
}

fn refused(func: FuncIdx, why: &str) -> Error {
    Error::msg(format!("function {} is left to the interpreter: {why}", func.0))
}
