//! The binary format (spec, 5): decoding and validation.
//!
//! `wasmparser` reads and validates. Its types stay below this module and the translator.

mod decode;
mod names;
mod profile;
mod types;

pub(crate) use decode::decode;
pub(crate) use names::{func_name, module_name};

use crate::{
    error::Error,
    module::{
        Body, Module,
        features::{Features, for_each_proposal},
    },
    types::ValType,
};
use alloc::{format, string::ToString};
use wasmparser::{BinaryReader, FunctionBody, LocalsIterator, WasmFeatures};

/// Reads `body`: the declarations of its locals, and its operators with offsets in the module's binary.
///
/// Validation has seen `body`, so neither fails to be read.
#[cfg_attr(not(test), expect(dead_code, reason = "the translator begins here"))]
pub(crate) fn operators<'m>(
    module: &'m Module,
    body: &Body,
) -> Result<(Locals<'m>, BinaryReader<'m>), Error> {
    let offset = body.range.start as u64;
    let body = FunctionBody::new(BinaryReader::new(&module.wasm[body.range.clone()], offset));
    let locals =
        Locals { declarations: body.get_locals_reader().map_err(error)?.into_iter(), offset };
    Ok((locals, body.get_binary_reader_for_operators().map_err(error)?))
}

/// Declarations of locals, without parameters: how many, of which type.
pub(crate) struct Locals<'m> {
    declarations: LocalsIterator<'m>,
    /// Where the body begins.
    offset: u64,
}

impl Iterator for Locals<'_> {
    type Item = Result<(u32, ValType), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let declaration = self.declarations.next()?.map_err(error);
        Some(declaration.and_then(|(count, ty)| Ok((count, types::val_type(ty, self.offset)?))))
    }
}

/// The validator's flags for `features`.
fn flags(features: &Features) -> WasmFeatures {
    // Floats, and `externref` where reference types are enabled, are not up for choice.
    let mut flags = WasmFeatures::FLOATS | WasmFeatures::GC_TYPES;
    macro_rules! set {
        (
            supported { $( $(#[$doc:meta])* $field:ident $flag:ident $name:literal; )* }
            unsupported $unsupported:tt
        ) => {
            $( flags.set(WasmFeatures::$flag, features.$field); )*
        };
    }
    for_each_proposal!(set);
    flags
}

/// The validator's error as ours: unsupported, by the name of the proposal, if the validator missed a flag.
#[cold]
fn error(error: wasmparser::Error) -> Error {
    let offset = error.offset() as usize;
    macro_rules! missing {
        (
            supported { $( $(#[$doc:meta])* $field:ident $enabled:ident $name:literal; )* }
            unsupported { $( $flag:ident $unsupported:literal; )* }
        ) => {
            match error.missing_wasm_feature() {
                $( Some(WasmFeatures::$enabled) => Some(($name, "enabled")), )*
                $( Some(WasmFeatures::$flag) => Some(($unsupported, "supported by this version")), )*
                _ => None,
            }
        };
    }
    match for_each_proposal!(missing) {
        Some((name, what)) => Error::unsupported(
            format!("the {name} proposal is not {what}: {}", error.message()),
            offset,
        ),
        None => Error::invalid(error.message().to_string(), offset),
    }
}
