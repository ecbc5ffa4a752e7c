//! Reading modules.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::{fs, io};

use kinglet::{Engine, Module};

use crate::failure::Failure;
use crate::progress::Progress;

/// The binary module in the file `path`, or in standard input if that is `-`. Text is translated.
pub(crate) fn read(path: &OsStr) -> Result<Vec<u8>, Failure> {
    let bytes = if path == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes =
        bytes.map_err(|error| Failure::new(format!("cannot read {}: {error}", name(path))))?;
    if bytes.starts_with(b"\0asm") {
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

/// Makes a module of what [`read`] gave for `path`.
pub(crate) fn compile(engine: &Engine, path: &OsStr, bytes: &[u8]) -> Result<Module, Failure> {
    let _progress = Progress::spinner(format!("loading {}", name(path)));
    Module::new(engine, bytes).map_err(|error| Failure::new(format!("{}: {error:#}", name(path))))
}

/// How messages call a file.
pub(crate) fn name(path: &OsStr) -> String {
    if path == "-" {
        "standard input".to_owned()
    } else {
        format!("`{}`", Path::new(path).display())
    }
}
