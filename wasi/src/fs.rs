//! What a file system is to a guest. Implement [`Fs`], [`Dir`] and [`File`] to serve your own.

use std::any::Any;

use crate::{Errno, PollHandle};

/// The results of file system operations.
pub type FsResult<T> = Result<T, Errno>;

/// A file system that can be [granted](crate::WasiCtxBuilder::preopened_fs) to a guest.
///
/// Here is one with a single directory, of files that are part of the program:
///
/// ```
/// use kinglet_wasi::{
///     Dir, DirEntry, Errno, File, FileType, Fs, FsPerms, FsResult, Metadata, Node, OpenOptions, ReadDir,
///     WasiCtxBuilder,
/// };
///
/// #[derive(Clone, Copy)]
/// struct Assets(&'static [(&'static str, &'static [u8])]);
///
/// struct Asset {
///     ino: u64,
///     bytes: &'static [u8],
/// }
///
/// impl Assets {
///     fn find(self, path: &str) -> FsResult<Asset> {
///         if path.starts_with("..") {
///             return Err(Errno::PERM);
///         }
///         let index = self.0.iter().position(|(name, _)| *name == path).ok_or(Errno::NOENT)?;
///         Ok(Asset { ino: index as u64 + 2, bytes: self.0[index].1 })
///     }
/// }
///
/// impl Fs for Assets {
///     fn root(&self) -> FsResult<Box<dyn Dir>> {
///         Ok(Box::new(*self))
///     }
/// }
///
/// impl Dir for Assets {
///     fn open(&self, path: &str, options: &OpenOptions) -> FsResult<Node> {
///         match path {
///             "." => Ok(Node::Dir(Box::new(*self))),
///             _ if options.directory => Err(Errno::NOTDIR),
///             _ => Ok(Node::File(Box::new(self.find(path)?))),
///         }
///     }
///
///     fn metadata(&self) -> FsResult<Metadata> {
///         Ok(Metadata { ino: 1, file_type: FileType::Directory, ..Metadata::default() })
///     }
///
///     fn metadata_at(&self, path: &str, _follow: bool) -> FsResult<Metadata> {
///         if path == "." { Dir::metadata(self) } else { self.find(path)?.metadata() }
///     }
///
///     fn read_dir(&self) -> FsResult<ReadDir> {
///         let entry = |(index, (name, _)): (usize, &(&str, &[u8]))| {
///             let ino = index as u64 + 2;
///             Ok(DirEntry { name: name.to_string(), file_type: FileType::RegularFile, ino })
///         };
///         Ok(Box::new(self.0.iter().enumerate().map(entry)))
///     }
/// }
///
/// impl File for Asset {
///     fn metadata(&self) -> FsResult<Metadata> {
///         let (ino, size) = (self.ino, self.bytes.len() as u64);
///         Ok(Metadata { ino, size, file_type: FileType::RegularFile, ..Metadata::default() })
///     }
///
///     fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
///         let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
///         Ok(std::io::Read::read(&mut rest.unwrap_or_default(), buf)?)
///     }
/// }
///
/// # fn main() -> kinglet::Result<()> {
/// let assets = Assets(&[("logo.svg", b"<svg/>"), ("index.html", b"<p>Hello")]);
/// let ctx = WasiCtxBuilder::new()
///     .preopened_fs(Box::new(assets), "/assets", FsPerms::ReadOnly)?
///     .build();
/// # Ok(())
/// # }
/// ```
pub trait Fs: Send {
    /// Its root. The guest reaches nothing but what the root's methods hand out.
    fn root(&self) -> FsResult<Box<dyn Dir>>;
}

/// An open directory.
///
/// # Paths
///
/// Every `path` is relative to the directory, not empty, has no NUL, is at most [`MAX_PATH`] bytes
/// long, and consists of names and `..` separated by single slashes, without one at the end; or it is
/// `.`, the directory itself. Methods that create, remove or rename get paths that end in a name.
///
/// It is the implementation that keeps a path inside: one that leads above *this directory*, by `..` or
/// through a symbolic link (absolute targets included), is to be refused with [`Errno::PERM`], also where
/// the directory is not the root. Whether the guest may write at all has been checked before.
///
/// `follow` says whether a symbolic link at the *end* of the path is followed.
///
/// Only the methods without a body are needed; the others answer [`Errno::NOTSUP`].
pub trait Dir: Any + Send {
    /// Opens a file or directory.
    ///
    /// A symbolic link at the end that is not to be followed is [`Errno::LOOP`].
    fn open(&self, path: &str, options: &OpenOptions) -> FsResult<Node>;

    /// The attributes of this directory.
    fn metadata(&self) -> FsResult<Metadata>;

    /// The attributes of what `path` leads to.
    fn metadata_at(&self, path: &str, follow: bool) -> FsResult<Metadata>;

    /// The entries, without `.` and `..`, in an order that stays the same while nothing is changed.
    fn read_dir(&self) -> FsResult<ReadDir>;

    /// The target of a symbolic link; [`Errno::INVAL`] for anything else.
    fn read_link(&self, path: &str) -> FsResult<String> {
        self.metadata_at(path, false)?;
        Err(Errno::INVAL)
    }

    /// Sets the times of this directory.
    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        let _ = (atim, mtim);
        Err(Errno::NOTSUP)
    }

    /// Sets the times of what `path` leads to.
    fn set_times_at(&self, path: &str, follow: bool, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        let _ = (path, follow, atim, mtim);
        Err(Errno::NOTSUP)
    }

    /// Creates a directory.
    fn create_dir(&self, path: &str) -> FsResult<()> {
        let _ = path;
        Err(Errno::NOTSUP)
    }

    /// Removes an empty directory.
    fn remove_dir(&self, path: &str) -> FsResult<()> {
        let _ = path;
        Err(Errno::NOTSUP)
    }

    /// Removes anything but a directory.
    fn remove_file(&self, path: &str) -> FsResult<()> {
        let _ = path;
        Err(Errno::NOTSUP)
    }

    /// Renames `from`, below this directory, to `to`, below `to_dir`, which is of the same file system.
    fn rename(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        let _ = (from, to_dir, to);
        Err(Errno::NOTSUP)
    }

    /// Makes `to` another name of the file (or symbolic link) `from`. `to_dir` is of the same file system.
    fn link(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        let _ = (from, to_dir, to);
        Err(Errno::NOTSUP)
    }

    /// Creates a symbolic link. `target` is arbitrary text, but not absolute.
    fn symlink(&self, target: &str, path: &str) -> FsResult<()> {
        let _ = (target, path);
        Err(Errno::NOTSUP)
    }
}

/// An open file. It has no position: that is kept with the guest's descriptor.
pub trait File: Send {
    /// The attributes.
    fn metadata(&self) -> FsResult<Metadata>;

    /// Reads up to `buf.len()` bytes at `offset`; 0 means the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize>;

    /// Writes some of `buf` at `offset`, which may be beyond the end, and returns how many bytes.
    fn write_at(&self, buf: &[u8], offset: u64) -> FsResult<usize> {
        let _ = (buf, offset);
        Err(Errno::BADF)
    }

    /// Writes some of `buf` at the end and returns how many bytes, and where the end is now.
    fn append(&self, buf: &[u8]) -> FsResult<(usize, u64)> {
        let end = self.metadata()?.size;
        let written = self.write_at(buf, end)?;
        Ok((written, end + written as u64))
    }

    /// Cuts the file off, or extends it by zeros.
    fn set_size(&self, size: u64) -> FsResult<()> {
        let _ = size;
        Err(Errno::BADF)
    }

    /// Sees to it that the file has room for `len` bytes at `offset`; it grows if it is too short.
    fn allocate(&self, offset: u64, len: u64) -> FsResult<()> {
        let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
        if self.metadata()?.size < end { self.set_size(end) } else { Ok(()) }
    }

    /// Sets the times.
    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        let _ = (atim, mtim);
        Err(Errno::NOTSUP)
    }

    /// Brings what was written to the storage; with `data_only`, attributes may be left out.
    fn sync(&self, data_only: bool) -> FsResult<()> {
        let _ = data_only;
        Ok(())
    }

    /// Takes note of how a part of the file is going to be used. `len` 0 means up to the end.
    fn advise(&self, offset: u64, len: u64, advice: Advice) -> FsResult<()> {
        let _ = (offset, len, advice);
        Ok(())
    }

    /// Whether offsets mean anything. They do not for pipes and terminals: there, reading and writing
    /// ignore them, and [`Errno::AGAIN`] says that there is nothing to read, or no room, yet.
    fn seekable(&self) -> bool {
        true
    }

    /// What the host waits on until a file that is not seekable can be read or written.
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        None
    }
}

/// What [`Dir::open`] found.
pub enum Node {
    /// A file, or something that is read and written like one.
    File(Box<dyn File>),
    /// A directory.
    Dir(Box<dyn Dir>),
}

/// The entries of a directory.
pub type ReadDir = Box<dyn Iterator<Item = FsResult<DirEntry>> + Send>;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub file_type: FileType,
    /// Its serial number.
    pub ino: u64,
}

/// How to open. Not all combinations occur: `directory` excludes `create`, and `truncate` and
/// `create` imply that the guest may write here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Create a file if there is none.
    pub create: bool,
    /// With `create`: fail if there is something already, a symbolic link included.
    pub exclusive: bool,
    /// Cut the file off to size 0. This can come without `write`.
    pub truncate: bool,
    /// Fail with [`Errno::NOTDIR`] if it is not a directory.
    pub directory: bool,
    /// Follow a symbolic link at the end of the path.
    pub follow: bool,
}

/// Attributes of a file. Times are nanoseconds since 1970; earlier ones are reported as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The device: distinguishes file systems.
    pub dev: u64,
    /// The serial number, unique in the device.
    pub ino: u64,
    /// What it is.
    pub file_type: FileType,
    /// How many names it has.
    pub nlink: u64,
    /// Size in bytes.
    pub size: u64,
    /// When it was read last.
    pub atim: u64,
    /// When it was written last.
    pub mtim: u64,
    /// When its attributes were changed last.
    pub ctim: u64,
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FileType {
    /// Something else, or not known.
    #[default]
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device; this is what makes a descriptor a terminal.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDgram = 5,
    /// A stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// A new value for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it.
    Keep,
    /// The file system's current time.
    Now,
    /// This many nanoseconds after 1970.
    At(u64),
}

/// How a part of a file is going to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing is known.
    Normal,
    /// From lower offsets to higher ones.
    Sequential,
    /// In random order.
    Random,
    /// Soon.
    WillNeed,
    /// Not soon.
    DontNeed,
    /// Once.
    NoReuse,
}

/// What a guest may do with what it was [granted](crate::WasiCtxBuilder::preopened_dir).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsPerms {
    /// Look, but change nothing.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// The longest path, in bytes, that a guest can pass.
pub const MAX_PATH: usize = 4096;
