//! Where scripts come from.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A script: its name, which failures and the skip list refer to, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    /// A path with `/` between its parts, such as `core/simd/simd_const.wast`.
    pub name: String,
    /// The script itself.
    pub text: Cow<'static, str>,
}

impl Source {
    /// A script from memory.
    pub fn new(name: impl Into<String>, text: impl Into<Cow<'static, str>>) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    /// Reads the files of `paths`, and of every folder among them all `.wast` files below it, in the order of their names.
    ///
    /// # Errors
    /// When a file or folder cannot be read, is no UTF-8, or a folder holds no script at all; the message names it.
    pub fn load(paths: &[PathBuf]) -> io::Result<Vec<Source>> {
        let mut files = Vec::new();
        for path in paths {
            if path.is_dir() {
                let before = files.len();
                collect(path, &mut files)?;
                if files.len() == before {
                    return Err(io::Error::other(format!("no .wast file in `{}`", path.display())));
                }
            } else {
                files.push(path.clone());
            }
        }
        files.iter().map(|path| read(path)).collect()
    }
}

/// Appends the scripts in and below `folder`, sorted.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| named(folder, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder could lead in circles: only the folders themselves are entered.
        if entry.file_type().map_err(|error| named(&path, &error))?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Source> {
    let text = fs::read_to_string(path).map_err(|error| named(path, &error))?;
    let name = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    Ok(Source { name, text: text.into() })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read `{}`: {error}", path.display()))
}
