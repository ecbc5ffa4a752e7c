//! Modules that are valid and do something.

use arbitrary::{Result, Unstructured};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

/// Whether a generated module comes to an end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It may loop forever, but not when it is instantiated.
    Open,
    /// It traps after so many calls and iterations, whoever runs it.
    Bounded(u32),
}

/// A module with what this version supports, whose results do not depend on who runs it. `None` if `data` is too short.
pub(crate) fn module(data: &[u8], ending: Ending) -> Option<Vec<u8>> {
    generate(&mut Unstructured::new(data), ending).ok()
}

/// A module in which function bodies may be anything. `None` if `data` is too short.
pub(crate) fn invalid_module(data: &[u8]) -> Option<Vec<u8>> {
    let u = &mut Unstructured::new(data);
    let config = Config { allow_invalid_funcs: true, ..config(u, Ending::Open).ok()? };
    Module::new(config, u).ok().map(|module| module.to_bytes())
}

fn generate(u: &mut Unstructured<'_>, ending: Ending) -> Result<Vec<u8>> {
    let mut module = Module::new(config(u, ending)?, u)?;
    if let Ending::Bounded(fuel) = ending {
        module.ensure_termination(fuel).expect("all bodies are generated");
    }
    Ok(module.to_bytes())
}

fn config(u: &mut Unstructured<'_>, ending: Ending) -> Result<Config> {
    use InstructionKind::{
        Aggregate, Control, Memory, Numeric, NumericInt, Parametric, Reference, Table, Variable,
    };
    let kinds: &[InstructionKind] = match u.int_in_range(0..=5)? {
        0 => &[NumericInt, Variable, Parametric, Control],
        1 => &[Numeric, Variable, Parametric, Control],
        2 => &[NumericInt, Variable, Control, Memory],
        3 => &[Control, Variable, Reference, Table, Parametric],
        _ => &[Numeric, Variable, Parametric, Control, Memory, Reference, Table, Aggregate],
    };
    let page = 1 << 16;
    // wasmi 2.0 crashes at tail calls of imported functions.
    let tail_calls = u.arbitrary()?;
    let imports = if tail_calls && ending != Ending::Open { 0 } else { 8 };
    Ok(Config {
        allow_start_export: ending != Ending::Open,
        allowed_instructions: InstructionKinds::new(kinds),
        // The code that makes NaNs canonical hides most of what is around it.
        allow_floats: u.ratio(2, 3)?,
        canonicalize_nans: true,
        // wasmi 2.0 gets `select` on `i32.eqz` wrong, which is how traps are avoided.
        disallow_traps: ending == Ending::Open && u.arbitrary()?,
        export_everything: true,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 20,
        max_exports: 100,
        max_funcs: u.int_in_range(1..=12)?,
        max_globals: u.int_in_range(0..=8)?,
        max_imports: imports,
        max_instructions: u.int_in_range(10..=1000)?,
        max_memories: u.int_in_range(0..=3)?,
        max_memory32_bytes: 8 * page,
        max_memory64_bytes: 8 * u128::from(page),
        max_nesting_depth: 8,
        max_table_elements: 200,
        max_tables: u.int_in_range(0..=3)?,
        max_type_size: 20,
        max_types: 12,
        memory64_enabled: u.arbitrary()?,
        memory_offset_choices: MemoryOffsetChoices(70, 20, 10),
        min_funcs: 1,
        min_imports: u.int_in_range(0..=imports / 2)?,
        tail_call_enabled: tail_calls,
        // Not in this version.
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    })
}
