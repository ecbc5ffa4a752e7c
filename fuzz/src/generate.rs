//! Modules that are valid and do something.

use crate::{
    observe::{FUEL, ITERATIONS, hash},
    pressure,
};
use arbitrary::{Result, Unstructured};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

/// Whether a generated module comes to an end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It may loop forever, but not when it is instantiated.
    Open,
    /// It traps after a number of calls and iterations, whoever runs it; the number is the global [`FUEL`].
    Bounded,
}

/// A module with what this version supports, whose results do not depend on who runs it. `None` if `data` is too short.
pub(crate) fn module(data: &[u8], ending: Ending) -> Option<Vec<u8>> {
    match data.split_first()? {
        (first, rest) if ending == Ending::Bounded && first.is_multiple_of(2) => {
            Some(pressure::module(hash(rest)))
        }
        _ => generate(&mut Unstructured::new(data), ending).ok(),
    }
}

/// A module that mostly handles objects and other references. It comes to an end by itself. `None` if `data` is too short.
pub(crate) fn object_module(data: &[u8]) -> Option<Vec<u8>> {
    use InstructionKind::{Aggregate, Control, NumericInt, Parametric, Reference, Table, Variable};
    let u = &mut Unstructured::new(data);
    let kinds = [Aggregate, Reference, Variable, Parametric, Control, NumericInt, Table];
    let config = Config {
        allowed_instructions: InstructionKinds::new(&kinds),
        exceptions_enabled: true,
        gc_enabled: true,
        reference_types_enabled: true,
        tail_call_enabled: true,
        ..config(u, Ending::Bounded).ok()?
    };
    bounded(config, u).ok()
}

/// A module in which function bodies may be anything. `None` if `data` is too short.
pub(crate) fn invalid_module(data: &[u8]) -> Option<Vec<u8>> {
    let u = &mut Unstructured::new(data);
    let config = Config { allow_invalid_funcs: true, ..config(u, Ending::Open).ok()? };
    Module::new(config, u).ok().map(|module| module.to_bytes())
}

fn generate(u: &mut Unstructured<'_>, ending: Ending) -> Result<Vec<u8>> {
    let config = config(u, ending)?;
    match ending {
        Ending::Open => Ok(Module::new(config, u)?.to_bytes()),
        Ending::Bounded => bounded(config, u),
    }
}

fn bounded(config: Config, u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut module = Module::new(config, u)?;
    let fuel = module.ensure_termination(ITERATIONS).expect("all bodies are generated");
    Ok(export_global(module.to_bytes(), fuel))
}

/// Exports a global of a module as [`FUEL`], if it exports anything.
fn export_global(wasm: Vec<u8>, global: u32) -> Vec<u8> {
    const EXPORTS: u8 = 7;
    let mut at = HEADER;
    while at < wasm.len() {
        let (size, start) = leb(&wasm, at + 1);
        let end = start + size as usize;
        if wasm[at] == EXPORTS {
            let (count, first) = leb(&wasm, start);
            let mut exports = to_leb(count + 1);
            exports.extend(&wasm[first..end]);
            exports.push(FUEL.len() as u8);
            exports.extend(FUEL.as_bytes());
            exports.push(3);
            exports.extend(to_leb(global));
            let size = to_leb(exports.len() as u32);
            return [&wasm[..=at], &size, &exports, &wasm[end..]].concat();
        }
        at = end;
    }
    wasm
}

/// Bytes in front of the first section.
const HEADER: usize = 8;

/// The number that begins at `at`, and where it ends.
fn leb(bytes: &[u8], mut at: usize) -> (u32, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        number |= u32::from(bytes[at] & 0x7f) << shift;
        shift += 7;
        at += 1;
        if bytes[at - 1] < 0x80 {
            return (number, at);
        }
    }
}

fn to_leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn config(u: &mut Unstructured<'_>, ending: Ending) -> Result<Config> {
    use InstructionKind::{
        Aggregate, Control, Memory, Numeric, NumericInt, Parametric, Reference, Table, Variable,
        Vector,
    };
    let kinds: &[InstructionKind] = match u.int_in_range(0..=7)? {
        0 => &[NumericInt, Variable, Parametric, Control],
        1 => &[Numeric, Variable, Parametric, Control],
        2 => &[NumericInt, Variable, Control, Memory],
        3 => &[Control, Variable, Reference, Table, Parametric],
        4 => &[Vector, Variable, Parametric, Memory, NumericInt],
        5 => &[Aggregate, Reference, Variable, Parametric, Control, NumericInt],
        _ => &[Numeric, Vector, Variable, Parametric, Control, Memory, Reference, Table, Aggregate],
    };
    let page = 1 << 16;
    let simd = u.arbitrary()?;
    Ok(Config {
        allow_start_export: ending != Ending::Open,
        allowed_instructions: InstructionKinds::new(kinds),
        // The code that makes NaNs canonical hides most of what is around it.
        allow_floats: u.ratio(2, 3)?,
        canonicalize_nans: true,
        custom_page_sizes_enabled: u.arbitrary()?,
        disallow_traps: u.ratio(1, 3)?,
        exceptions_enabled: u.arbitrary()?,
        export_everything: true,
        gc_enabled: u.arbitrary()?,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 20,
        max_exports: 100,
        max_funcs: u.int_in_range(3..=10)?,
        max_globals: u.int_in_range(0..=8)?,
        max_imports: 8,
        max_instructions: u.int_in_range(10..=400)?,
        max_memories: u.int_in_range(0..=3)?,
        max_memory32_bytes: 4 * page,
        max_memory64_bytes: 4 * u128::from(page),
        max_nesting_depth: 8,
        max_table_elements: 200,
        max_tables: u.int_in_range(0..=3)?,
        max_tags: 4,
        max_types: 12,
        memory64_enabled: u.arbitrary()?,
        memory_offset_choices: MemoryOffsetChoices(70, 20, 10),
        min_funcs: 3,
        min_types: 3,
        relaxed_simd_enabled: simd && u.arbitrary()?,
        simd_enabled: simd,
        tail_call_enabled: u.arbitrary()?,
        threads_enabled: u.ratio(1, 4)?,
        wide_arithmetic_enabled: u.arbitrary()?,
        // Off by default, and wasmtime has none.
        compact_imports_enabled: false,
        ..Config::default()
    })
}
