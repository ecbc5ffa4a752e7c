//! Paths as guests write them, brought into the form that file systems get.

use std::borrow::Cow;

use crate::Errno;
use crate::abi::GuestMemory;
use crate::error::Result;
use crate::fs::MAX_PATH;

/// A guest's path without its trailing slashes and dots.
///
/// What they mean is kept beside it. No file system ever sees them: to kernels and libraries, a slash
/// after the name of a symbolic link may mean to follow it where that must not happen.
pub(crate) struct GuestPath<'a> {
    path: Cow<'a, str>,
    /// It ended in `/` or `/.`: only a directory will do, and a symbolic link to one is followed.
    pub(crate) must_be_dir: bool,
}

impl<'a> GuestPath<'a> {
    pub(crate) fn read(memory: &'a GuestMemory<'_>, ptr: u32, len: u32) -> Result<GuestPath<'a>> {
        Ok(GuestPath::parse(text(memory, ptr, len)?)?)
    }

    fn parse(path: Cow<'a, str>) -> Result<GuestPath<'a>, Errno> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        if path.starts_with('/') {
            return Err(Errno::PERM);
        }
        let mut parts = path.split('/');
        let must_be_dir = matches!(parts.next_back(), Some("" | ".")) && path != ".";
        let plain = path == "." || path.split('/').all(is_kept);
        let path = if plain {
            path
        } else {
            let kept: Vec<&str> = path.split('/').filter(|part| is_kept(part)).collect();
            Cow::Owned(if kept.is_empty() { ".".to_owned() } else { kept.join("/") })
        };
        Ok(GuestPath { path, must_be_dir })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }

    /// The path, if it ends in a name: one that something can be created, removed or renamed under.
    pub(crate) fn named(&self) -> Result<&str, Errno> {
        match self.path.rsplit('/').next() {
            Some("." | "..") => Err(Errno::INVAL),
            _ => Ok(&self.path),
        }
    }
}

fn is_kept(part: &str) -> bool {
    !part.is_empty() && part != "."
}

/// Text of a length that is fit for a path.
pub(crate) fn text<'a>(memory: &'a GuestMemory<'_>, ptr: u32, len: u32) -> Result<Cow<'a, str>> {
    memory.check(ptr, len)?;
    if len as usize > MAX_PATH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let text = match memory.bytes(ptr, len)? {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    let text = text.ok_or(Errno::ILSEQ)?;
    if text.contains('\0') { Err(Errno::INVAL.into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_and_dots_are_taken_off() {
        for (path, want, dir) in [
            ("a", "a", false),
            ("a/", "a", true),
            ("a//", "a", true),
            ("a/.", "a", true),
            ("a/./", "a", true),
            ("./a", "a", false),
            ("a//./b", "a/b", false),
            (".", ".", false),
            ("./", ".", true),
            ("./.", ".", true),
            ("..", "..", false),
            ("a/../", "a/..", true),
        ] {
            let parsed = GuestPath::parse(path.into()).expect(path);
            assert_eq!((parsed.as_str(), parsed.must_be_dir), (want, dir), "{path}");
        }
    }

    #[test]
    fn only_names_can_be_created() {
        for path in [".", "..", "a/..", "./", "../."] {
            assert_eq!(
                GuestPath::parse(path.into()).expect(path).named(),
                Err(Errno::INVAL),
                "{path}"
            );
        }
        assert_eq!(GuestPath::parse("a/b/.".into()).expect("a path").named(), Ok("a/b"));
    }
}
