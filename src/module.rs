//! Modules.

use crate::{Engine, ExportType, ExternType, ImportType};
#[cfg(feature = "compile")]
use crate::{Result, backend};
#[cfg(feature = "compile")]
use alloc::borrow::Cow;
use core::fmt;
use kinglet_core::{Shared, module, runtime::instance::Program};

/// A module: decoded, validated and ready to be instantiated, any number of times and in any store of its engine.
/// Clones are the same module.
///
/// ```
/// use kinglet::{Engine, Module};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (import "a" "b" (global i32)) (memory (export "mem") 1))"#)?;
/// assert_eq!(module.imports().next().unwrap().name(), "b");
/// assert_eq!(module.get_export("mem").unwrap().unwrap_memory().minimum(), 1);
///
/// let error = Module::new(&engine, "not a module").unwrap_err();
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone)]
pub struct Module(Shared<ModuleInner>);

struct ModuleInner {
    engine: Engine,
    program: Program,
}

#[cfg(feature = "compile")]
impl Module {
    /// Loads a module from a binary, or from text with feature `wat`.
    ///
    /// # Errors
    /// It is not a valid module, or needs what is not enabled, or exceeds a limit of the configuration. The error says
    /// at which [`offset`](crate::Error::offset).
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        let wasm = to_binary(bytes.as_ref())?;
        let module = module::Module::decode(wasm, &engine.config().features)?;
        let program = backend::program(engine, Shared::new(module))?;
        Ok(Module(Shared::new(ModuleInner { engine: engine.clone(), program })))
    }

    /// Loads a module from a file.
    ///
    /// # Errors
    /// As [`Module::new`], or the file cannot be read.
    #[cfg(feature = "std")]
    pub fn from_file(engine: &Engine, path: impl AsRef<std::path::Path>) -> Result<Module> {
        let path = path.as_ref();
        let read = std::fs::read(path).map_err(crate::Error::from);
        read.and_then(|bytes| Module::new(engine, bytes))
            .map_err(|error| error.context(path.display()))
    }

    /// Whether it is a valid module, by the engine's configuration.
    ///
    /// # Errors
    /// It is not; the error says why.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        module::Module::validate(&to_binary(bytes)?, &engine.config().features)
    }
}

impl Module {
    /// What it imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        let program = self.program();
        program.module.imports.iter().map(move |import| ImportType { program, import })
    }

    /// What it exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        let program = self.program();
        program.module.exports.iter().map(move |export| ExportType { program, export })
    }

    /// The type of what it exports under `name`.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        let export = self.core().export(name)?;
        Some(ExportType { program: self.program(), export }.ty())
    }

    /// Its name, from the name section.
    pub fn name(&self) -> Option<&str> {
        self.core().name()
    }

    /// The engine that it was loaded for.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn core(&self) -> &module::Module {
        &self.0.program.module
    }

    pub(crate) fn program(&self) -> &Program {
        &self.0.program
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.name()).finish_non_exhaustive()
    }
}

#[cfg(feature = "wat")]
fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    // No text begins like this, but what is left of a binary does.
    if bytes.first() == Some(&0) {
        return Ok(Cow::Borrowed(bytes));
    }
    wat::parse_bytes(bytes).map_err(|error| crate::Error::msg(alloc::format!("{error}")))
}

#[cfg(all(feature = "compile", not(feature = "wat")))]
fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    Ok(Cow::Borrowed(bytes))
}
