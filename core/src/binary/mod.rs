//! The binary format (spec, 5): decoding and validation.
//!
//! `wasmparser` reads and validates. Its types stay below this module and the translator.

mod decode;
mod hints;
mod names;
mod profile;
mod types;

pub(crate) use decode::decode;
pub(crate) use names::{func_name, func_names, module_name, tag_name, tag_names};
pub(crate) use types::{heap_type, val_type};

use crate::{
    error::Error,
    for_each_feature,
    module::{
        Body, Module,
        features::{Features, for_each_unsupported},
    },
    types::ValType,
};
use alloc::{format, string::ToString};
use wasmparser::{BinaryReader, FunctionBody, WasmFeatures};

/// Reads `body`, which validation has seen: the declarations of its locals (how many, of which type; without parameters)
/// and a reader that stands at its first operator and counts offsets in the module's binary.
pub(crate) fn body_reader<'m>(
    module: &'m Module,
    body: &Body,
) -> Result<(impl Iterator<Item = (u32, ValType)> + use<'m>, BinaryReader<'m>), Error> {
    let offset = body.range.start as u64;
    let body = FunctionBody::new(BinaryReader::new(&module.wasm[body.range.clone()], offset));
    let operators = body.get_binary_reader_for_operators().map_err(error)?;
    let declarations = body.get_locals_reader().map_err(error)?.into_iter();
    // The operators come after them, so they have been read before.
    let locals = declarations.map_while(move |declaration| {
        let (count, ty) = declaration.ok()?;
        Some((count, val_type(ty, &module.types, offset).ok()?))
    });
    Ok((locals, operators))
}

/// Flags for proposals that the validator has none for.
trait OwnFlags {
    /// The validator does not look into custom sections.
    const BRANCH_HINTING: WasmFeatures = WasmFeatures::empty();
}

impl OwnFlags for WasmFeatures {}

/// The validator's flags for `features`.
fn flags(features: &Features) -> WasmFeatures {
    // `externref`, where reference types are enabled, is not up for choice, nor are floats if this build has them.
    let mut flags = WasmFeatures::GC_TYPES;
    flags.set(WasmFeatures::FLOATS, cfg!(feature = "float"));
    macro_rules! set {
        ($( $(#[$doc:meta])* $field:ident, $method:ident, $flag:ident, $name:literal, $default:literal; )*) => {
            $( flags.set(WasmFeatures::$flag, features.$field); )*
        };
    }
    for_each_feature!(set);
    flags.remove(left_out());
    flags
}

/// The flags of proposals that this build leaves out, whatever is asked for.
fn left_out() -> WasmFeatures {
    let (mut flags, features) = (WasmFeatures::empty(), Features::in_build());
    macro_rules! set {
        ($( $(#[$doc:meta])* $field:ident, $method:ident, $flag:ident, $name:literal, $default:literal; )*) => {
            $( flags.set(WasmFeatures::$flag, !features.$field); )*
        };
    }
    for_each_feature!(set);
    flags
}

/// The validator's error as ours: unsupported, by the name of the proposal, if the validator missed a flag.
#[cold]
fn error(error: wasmparser::Error) -> Error {
    let offset = error.offset() as usize;
    // Of these it does not say the flag. Tags with results are wrong, whatever may be made of them one day.
    let is_tag = error.message().starts_with("invalid exception type");
    let missing = error.missing_wasm_feature().filter(|_| !is_tag).or(match error.message() {
        "multiple memories" => Some(WasmFeatures::MULTI_MEMORY),
        "multiple tables" => Some(WasmFeatures::REFERENCE_TYPES),
        "data count section requires the bulk-memory proposal" => Some(WasmFeatures::BULK_MEMORY),
        "gc proposal must be enabled to use subtypes" => Some(WasmFeatures::GC),
        message if message.ends_with("because the GC proposal is disabled") => {
            Some(WasmFeatures::GC)
        }
        _ => None,
    });
    if cfg!(not(feature = "float")) && missing == Some(WasmFeatures::FLOATS) {
        return Error::unsupported("floats are not part of this build", offset);
    }
    macro_rules! disabled {
        ($( $(#[$doc:meta])* $field:ident, $method:ident, $flag:ident, $name:literal, $default:literal; )*) => {
            // Some proposals have parts with flags of their own.
            match missing { $( Some(flag) if WasmFeatures::$flag.contains(flag) => Some($name), )* _ => None }
        };
    }
    macro_rules! unsupported {
        ($( $flag:ident $name:literal; )*) => {
            match missing { $( Some(WasmFeatures::$flag) => Some($name), )* _ => None }
        };
    }
    let why = if missing.is_some_and(|flag| left_out().contains(flag)) {
        "part of this build"
    } else {
        "enabled"
    };
    let proposal = for_each_feature!(disabled).map(|name| (name, why)).or_else(|| {
        for_each_unsupported!(unsupported).map(|name| (name, "supported by this version"))
    });
    match proposal {
        Some((name, what)) => Error::unsupported(
            format!("the {name} proposal is not {what}: {}", error.message()),
            offset,
        ),
        None => Error::invalid(error.message().to_string(), offset),
    }
}
