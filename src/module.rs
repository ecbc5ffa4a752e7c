//! Modules.

use crate::{Engine, ExportType, ExternType, ImportType, Requirements, Result, backend};
#[cfg(feature = "compile")]
use alloc::{borrow::Cow, vec::Vec};
use core::{fmt, mem};
use kinglet_core::{
    Shared,
    artifact::{self, Needs},
    bytes::Bytes,
    module,
    runtime::instance::Program,
};

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
    /// What running it takes, if it is an artifact, which knows.
    needs: Option<Needs>,
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
        Ok(Module(Shared::new(ModuleInner { engine: engine.clone(), program, needs: None })))
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

    /// The module as an artifact: compiled for the interpreter, for whoever loads it with [`Module::deserialize`] on this or any
    /// other host. The same module and configuration give the same bytes everywhere.
    ///
    /// A module that was loaded from an artifact is that artifact.
    ///
    /// # Errors
    /// A function exceeds what the bytecode can express, or has more references alive at its branches than can be checked in time that is
    /// linear in its size.
    ///
    /// ```
    /// use kinglet::{Engine, Instance, Module, Store};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (func (export "six") (result i32) (i32.const 6)))"#)?;
    /// let artifact = module.serialize()?;
    /// assert!(Engine::detect_precompiled(&artifact));
    ///
    /// let module = Module::deserialize(&engine, &artifact)?;
    /// let mut store = Store::new(&engine, ());
    /// let six = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), i32>(&mut store, "six")?;
    /// assert_eq!(six.call(&mut store, ())?, 6);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let core = self.core();
        if artifact::detect(&core.wasm) {
            return Ok(core.wasm.to_vec());
        }
        serialize(self.engine(), core)
    }
}

impl Module {
    /// Loads an artifact, which [`Module::serialize`] or [`Engine::precompile_module`] has made. The bytes are copied.
    ///
    /// Unlike elsewhere this is safe whatever the bytes are: all that running them relies on is checked first.
    ///
    /// # Errors
    /// The bytes are no artifact, or are damaged, or are one of a version or for a configuration that the engine does not have; or the module
    /// needs what is not enabled, or exceeds a limit of the configuration. The error says at which [`offset`](crate::Error::offset).
    pub fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        Module::load(engine, Bytes::aligned(bytes.as_ref()))
    }

    /// Loads an artifact that is part of the program, such as in flash, and uses it where it is. See
    /// [`include_artifact!`](crate::include_artifact).
    ///
    /// # Errors
    /// As [`Module::deserialize`], or it is not at an address that is a multiple of 16.
    pub fn deserialize_static(engine: &Engine, bytes: &'static [u8]) -> Result<Module> {
        Module::load(engine, Bytes::from_static(bytes))
    }

    /// Loads an artifact and uses it where it is, as long as the module exists: in a mapped file, for example.
    ///
    /// # Errors
    /// As [`Module::deserialize`], or it is not at an address that is a multiple of 16.
    pub fn deserialize_from(
        engine: &Engine,
        owner: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Result<Module> {
        Module::load(engine, Bytes::new(owner))
    }

    /// Loads an artifact from a file, which is read.
    ///
    /// # Errors
    /// As [`Module::deserialize`], or the file cannot be read.
    #[cfg(feature = "std")]
    pub fn deserialize_file(engine: &Engine, path: impl AsRef<std::path::Path>) -> Result<Module> {
        let path = path.as_ref();
        let read = std::fs::read(path).map_err(crate::Error::from);
        read.and_then(|bytes| Module::deserialize(engine, bytes))
            .map_err(|error| error.context(path.display()))
    }

    fn load(engine: &Engine, bytes: Bytes) -> Result<Module> {
        let mut loaded = artifact::read(bytes, &engine.config().features)?;
        let needs = Some(mem::take(&mut loaded.needs));
        let program = backend::load(engine, loaded)?;
        Ok(Module(Shared::new(ModuleInner { engine: engine.clone(), program, needs })))
    }

    /// What running it takes.
    ///
    /// ```
    /// use kinglet::{Engine, Module};
    ///
    /// let module = Module::new(&Engine::default(), "(module (memory 1 16) (func (export \"f\")))")?;
    /// let requirements = module.requirements();
    /// assert_eq!(requirements.memories().next().unwrap().maximum(), Some(16));
    /// // Only artifacts know what calls take.
    /// assert_eq!(requirements.stack().next(), Some(("f", None)));
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    pub fn requirements(&self) -> Requirements<'_> {
        Requirements::new(self, self.0.needs.as_ref())
    }

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

/// Compiles a binary, or text with feature `wat`, to an artifact.
#[cfg(feature = "compile")]
pub(crate) fn precompile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>> {
    let module = module::Module::decode(to_binary(bytes)?, &engine.config().features)?;
    serialize(engine, &module)
}

#[cfg(feature = "compile")]
fn serialize(engine: &Engine, module: &module::Module) -> Result<Vec<u8>> {
    let config = engine.config();
    Ok(artifact::write(module, &backend::image(module, config)?, &config.features))
}

#[cfg(feature = "compile")]
fn to_binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if artifact::detect(bytes) {
        crate::bail!("this is an artifact, not WebAssembly: `Module::deserialize` loads it");
    }
    // No text begins like this, but what is left of a binary does.
    #[cfg(feature = "wat")]
    if bytes.first() != Some(&0) {
        let binary = wat::parse_bytes(bytes);
        return binary.map_err(|error| crate::Error::msg(alloc::format!("{error}")));
    }
    Ok(Cow::Borrowed(bytes))
}
