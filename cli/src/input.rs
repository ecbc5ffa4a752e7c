//! Reading modules.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kinglet::{CompilationMode, Config, Engine, Module, inspect};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::proposals::ProposalArgs;

/// Longer modules are refused, so that an endless file does not fill the memory: 1 GiB, what the web's engines allow.
const MAX_SIZE: u64 = 1 << 30;

/// The binary module or the artifact in the file `path`, or in standard input if that is `-`. Text is translated.
pub(crate) fn read(path: &OsStr) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut read = |file: &mut dyn Read| file.take(MAX_SIZE + 1).read_to_end(&mut bytes);
    let size = if path == "-" {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| read(&mut file))
    };
    let size =
        size.map_err(|error| Failure::new(format!("cannot read {}: {error}", name(path))))?;
    if size as u64 > MAX_SIZE {
        return Err(Failure::new(format!("{} is longer than {MAX_SIZE} bytes", name(path))));
    }
    if bytes.starts_with(b"\0asm") || Engine::detect_precompiled(&bytes) {
        return Ok(bytes);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::new(format!("{} is no WebAssembly module, neither binary nor text", name(path)))
    })?;
    wat::parse_str(text).map_err(|mut error| {
        error.set_path(if path == "-" { OsStr::new("<stdin>") } else { path });
        Failure::new(error.to_string())
    })
}

/// An engine for which loading the module `bytes` is validating it.
pub(crate) fn lazy_engine(proposals: &ProposalArgs, bytes: &[u8]) -> Result<Engine, Failure> {
    let mut config = Config::new();
    proposals.apply(&mut config);
    config.epoch_interruption(is_metered(bytes));
    Engine::new(config.compilation_mode(CompilationMode::Lazy))
        .map_err(|error| Failure::new(format!("{error:#}")))
}

/// Whether these are an artifact whose code can be stopped, for which an engine has to be prepared.
pub(crate) fn is_metered(bytes: &[u8]) -> bool {
    inspect::artifact(bytes).is_some_and(|artifact| artifact.metered)
}

/// Makes a module of what [`read`] gave for `path`.
pub(crate) fn compile(engine: &Engine, path: &OsStr, bytes: &[u8]) -> Result<Module, Failure> {
    let _progress = Progress::spinner(format!("loading {}", name(path)));
    let module = match Engine::detect_precompiled(bytes) {
        true => Module::deserialize(engine, bytes),
        false => Module::new(engine, bytes),
    };
    module.map_err(|error| Failure::new(format!("{}: {error:#}", name(path))))
}

/// How messages call a file.
pub(crate) fn name(path: &OsStr) -> String {
    if path == "-" {
        "standard input".to_owned()
    } else {
        format!("`{}`", Path::new(path).display())
    }
}
