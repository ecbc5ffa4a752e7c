//! A look into modules, at what they are made of and the code that runs, and into stores.

use crate::{AsContext, Caller, Error, Extern, Func, FuncType, Module, Result, Val, backend};
use alloc::{string::String, vec::Vec};
use core::ops::Range;
#[cfg(feature = "compile")]
use kinglet_core::module::{self, features::Features};
use kinglet_core::{
    artifact::{self, Header},
    index::FuncIdx,
    op::OpSet,
};

/// The interpreter's code for a function, beside the WebAssembly that it was made from, as text.
///
/// # Errors
/// The module has no function of this index, or it is imported.
#[cfg(feature = "compile")]
pub fn bytecode(module: &Module, func_index: u32) -> Result<String> {
    let func = defined(module, func_index)?;
    let code = module.program().code.as_any().downcast_ref();
    kinglet_interp::disassemble(code.expect("the code is the interpreter's"), module.core(), func)
}

/// How many functions of a module run as machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tiers {
    /// The functions that it defines.
    pub functions: usize,
    /// Those of them that have been compiled.
    pub compiled: usize,
    /// Those that have not, because they use vectors.
    pub vectors: usize,
}

/// How many functions of a module run as machine code: none, unless its engine's [strategy](crate::Strategy) is to compile.
///
/// ```
/// use kinglet::{Engine, Module, inspect};
///
/// let module = Module::new(&Engine::default(), "(module (func) (func))")?;
/// let tiers = inspect::tiers(&module);
/// assert_eq!((tiers.functions, tiers.compiled), (2, 0));
/// # Ok::<(), kinglet::Error>(())
/// ```
pub fn tiers(module: &Module) -> Tiers {
    backend::tiers(module.program())
}

/// The compiler's form of a function, as text.
///
/// # Errors
/// There is no compiler in this program, or it cannot compile the function; or the module does not define it.
pub fn ir(module: &Module, func_index: u32) -> Result<String> {
    let func = defined(module, func_index)?;
    backend::ir(module.core(), func, module.engine().config().metered())
}

/// What machine code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// x86-64, with all that the compiler can use of it.
    X64,
    /// arm64
    Arm64,
}

impl Target {
    /// What this program runs on, if it is one of these.
    pub const HOST: Option<Target> = if cfg!(target_arch = "x86_64") {
        Some(Target::X64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Target::Arm64)
    } else {
        None
    };
}

/// The machine code of a function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MachineCode {
    /// What it is for.
    pub target: Target,
    /// The code.
    pub bytes: Vec<u8>,
    /// Where it begins in the code of its module.
    pub start: usize,
    /// Where the module's functions begin there, by their indices, in order.
    pub functions: Vec<(usize, u32)>,
}

/// The machine code that the compiler makes of a function, for any host.
///
/// # Errors
/// There is no compiler in this program, or it cannot compile the function; or the module does not define it.
pub fn machine_code(module: &Module, func_index: u32, target: Target) -> Result<MachineCode> {
    let func = defined(module, func_index)?;
    backend::machine_code(module.core(), func, target, module.engine().config().metered())
}

/// A function that a module defines.
fn defined(module: &Module, func_index: u32) -> Result<FuncIdx> {
    let core = module.core();
    let func = FuncIdx(func_index);
    if core.body(func).is_none() {
        let why = match func.at() {
            at if at >= core.funcs.len() => "does not exist",
            _ if func_index < core.imported_funcs => "is imported",
            _ => "has no WebAssembly any more: the module is an artifact",
        };
        return Err(Error::msg(alloc::format!("function {func_index} {why}")));
    }
    Ok(func)
}

/// The binary of a module, as it was loaded or as it was made from text; or the artifact.
pub fn binary(module: &Module) -> &[u8] {
    &module.core().wasm
}

/// What an artifact says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// The version of its format.
    pub version: u32,
    /// Which ops its code is made of; `None` if this version has no name for them.
    pub ops: Option<OpSet>,
    /// Whether its code can run out of fuel or be interrupted.
    pub metered: bool,
    /// The SHA-256 of the binary that it was compiled from.
    pub wasm_sha256: [u8; 32],
}

/// What an artifact says about itself, which need not be sound otherwise. `None` if these bytes do not begin as one of a version that
/// can be read.
///
/// ```
/// use kinglet::{Engine, Module, OpSet, inspect};
///
/// let module = Module::new(&Engine::default(), "(module (func (export \"f\")))")?;
/// let artifact = inspect::artifact(&module.serialize()?).unwrap();
/// assert_eq!((artifact.ops, artifact.metered), (Some(OpSet::Standard), false));
/// assert!(inspect::artifact(inspect::binary(&module)).is_none());
/// # Ok::<(), kinglet::Error>(())
/// ```
pub fn artifact(bytes: &[u8]) -> Option<Artifact> {
    let Header { version, op_set, metered, wasm_sha256, .. } = Header::read(bytes).ok()?;
    Some(Artifact { version, ops: OpSet::from_number(op_set), metered, wasm_sha256 })
}

/// Whether a module runs a function of its own when it is instantiated.
pub fn starts(module: &Module) -> bool {
    module.core().start.is_some()
}

/// A section of a binary, or of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section<'m> {
    /// Its number (spec, 5.5.2). Those of an artifact have 0.
    pub id: u8,
    /// What the specification calls it, or for a custom section the name that it has.
    pub name: &'m str,
    /// Its contents, in bytes from the start of the binary. That of a custom section begins behind its name.
    pub range: Range<usize>,
}

impl Section<'_> {
    /// Whether it is a custom section, or one of an artifact.
    pub fn is_custom(&self) -> bool {
        self.id == 0
    }
}

/// The sections of a module, in order.
///
/// ```
/// use kinglet::{Engine, Module, inspect};
///
/// let module = Module::new(&Engine::default(), "(module $m (memory 1))")?;
/// let names: Vec<&str> = inspect::sections(&module).iter().map(|section| section.name).collect();
/// assert_eq!(names, ["memory", "name"]);
/// # Ok::<(), kinglet::Error>(())
/// ```
pub fn sections(module: &Module) -> Vec<Section<'_>> {
    let wasm = binary(module);
    if artifact::detect(wasm) {
        let section = |(name, range)| Section { id: 0, name, range };
        return artifact::sections(wasm).map(section).collect();
    }
    let mut sections = Vec::new();
    let mut at = HEADER;
    // The binary is valid, so that nothing here can fail.
    while let Some((section, end)) = section(wasm, at) {
        sections.push(section);
        at = end;
    }
    sections
}

/// Bytes of magic number and version.
const HEADER: usize = 8;

const SECTION_NAMES: [&str; 14] = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];

/// The section at `at`, and where it ends.
fn section(wasm: &[u8], at: usize) -> Option<(Section<'_>, usize)> {
    let id = *wasm.get(at)?;
    let (len, start) = leb_u32(wasm, at + 1)?;
    let end = start + len as usize;
    let mut name = SECTION_NAMES.get(id as usize).copied().unwrap_or("unknown");
    let mut range = start..end;
    if id == 0 {
        let (len, start) = leb_u32(wasm, start)?;
        range.start = start + len as usize;
        name = core::str::from_utf8(wasm.get(start..range.start)?).ok()?;
    }
    Some((Section { id, name, range }, end))
}

/// The LEB128 number at `at`, and where it ends.
fn leb_u32(bytes: &[u8], mut at: usize) -> Option<(u32, usize)> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// A function of a module.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Function {
    /// Its index in the module.
    pub index: u32,
    /// Its name, from the name section.
    pub name: Option<String>,
    /// Its type.
    pub ty: FuncType,
    /// Where its body is, in bytes from the start of the binary. `None` if it is imported.
    pub body: Option<Range<usize>>,
}

/// The functions of a module, imported ones first.
pub fn functions(module: &Module) -> impl ExactSizeIterator<Item = Function> + '_ {
    let (core, types) = (module.core(), &module.program().types);
    (0..core.funcs.len()).map(move |i| {
        let func = FuncIdx(i as u32);
        Function {
            index: func.0,
            name: core.func_name(func).map(Into::into),
            ty: FuncType::of(types.registry(), types[core.funcs[i].at()]),
            body: core.body(func).map(|body| body.range.clone()),
        }
    })
}

/// The proposals without which a module would not be valid, by name. See
/// [`Config::wasm_feature_names`](crate::Config::wasm_feature_names).
#[cfg(feature = "compile")]
pub fn features_used(module: &Module) -> Vec<&'static str> {
    let features = &module.engine().config().features;
    let used = match Header::read(binary(module)) {
        Ok(header) => header.features,
        Err(_) => module::Module::features_used(binary(module), features),
    };
    (0..Features::NAMES.len()).filter(|i| used >> i & 1 == 1).map(|i| Features::NAMES[i]).collect()
}

/// All memories, tables and globals of a store, also those that nobody exports: each kind in the order in which they were made.
///
/// ```
/// use kinglet::{Engine, Extern, Instance, Module, Store, inspect};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// Instance::new(&mut store, &Module::new(&engine, "(module (memory 1) (global i32 (i32.const 5)))")?, &[])?;
/// let [Extern::Memory(memory), Extern::Global(global)] = inspect::objects(&store)[..] else { panic!() };
/// assert_eq!(memory.size(&store), 1);
/// assert_eq!(global.get(&mut store).i32(), Some(5));
/// # Ok::<(), kinglet::Error>(())
/// ```
pub fn objects(store: impl AsContext) -> Vec<Extern> {
    let inner = store.as_context().inner;
    inner.objects().map(|object| Extern::from_core(object, inner)).collect()
}

/// Calls a host function as if the instance that called `caller` had called it itself: for a function that stands in its place and
/// watches.
///
/// # Errors
/// `func` is not a synchronous function of the host, the values are not of its type, or it fails.
pub fn forward<T: 'static>(
    caller: &mut Caller<'_, T>,
    func: &Func,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    func.call_for(caller, params, results)
}
