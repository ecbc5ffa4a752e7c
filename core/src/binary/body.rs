//! Function bodies, for the translator.

use crate::{
    error::Error,
    module::{Body, Module},
    types::ValType,
};
use wasmparser::{BinaryReader, BinaryReaderError};

/// The local declarations of a body (how many of which type) and a reader that stands at its first operator.
pub(crate) fn body_reader<'m>(
    module: &'m Module,
    body: &Body,
) -> Result<(impl Iterator<Item = (u32, ValType)> + use<>, BinaryReader<'m>), Error> {
    let bytes = &module.wasm[body.range.clone()];
    let mut reader = BinaryReader::new(bytes, body.range.start as u64);
    let mut declared = alloc::vec::Vec::new();
    let read = |e: BinaryReaderError| Error::invalid(e.message(), e.offset() as usize);
    for _ in 0..reader.read_var_u32().map_err(read)? {
        let count = reader.read_var_u32().map_err(read)?;
        let ty: wasmparser::ValType = reader.read().map_err(read)?;
        declared.push((count, value_type(ty)));
    }
    Ok((declared.into_iter(), reader))
}

/// The type of a value, for types that validation lets pass.
pub(crate) fn value_type(ty: wasmparser::ValType) -> ValType {
    use wasmparser::ValType as V;
    match ty {
        V::I32 => ValType::I32,
        V::I64 => ValType::I64,
        V::F32 => ValType::F32,
        V::F64 => ValType::F64,
        V::V128 => ValType::V128,
        V::Ref(r) if r.is_extern_ref() => ValType::EXTERNREF,
        V::Ref(_) => ValType::FUNCREF,
    }
}
