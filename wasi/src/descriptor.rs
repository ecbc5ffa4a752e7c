//! The guest's descriptors.

use std::collections::VecDeque;

use crate::Errno;
use crate::abi::{FdFlags, Rights};
use crate::error::Result;
use crate::fs::{Dir, DirEntry, File, FileType, FsResult, ReadDir};
use crate::host::{Listener, Socket};
use crate::stream::{InputStream, OutputStream};

/// All open descriptors, by number.
pub(crate) struct Descriptors {
    open: Vec<Option<Descriptor>>,
    limit: usize,
}

/// An open descriptor: what it stands for, and what may be done with it.
pub(crate) struct Descriptor {
    pub(crate) kind: Kind,
    pub(crate) flags: FdFlags,
    /// What may be done through it.
    pub(crate) base: Rights,
    /// What may be done through what is opened through it.
    pub(crate) inheriting: Rights,
    /// It is below a read-only grant: whatever the rights say, nothing can be changed.
    pub(crate) read_only: bool,
}

pub(crate) enum Kind {
    Input(Box<dyn InputStream>),
    Output(Box<dyn OutputStream>),
    File(OpenFile),
    Dir(OpenDir),
    Listener(Listener),
    Socket(Socket),
}

pub(crate) struct OpenFile {
    pub(crate) file: Box<dyn File>,
    pub(crate) position: u64,
    pub(crate) seekable: bool,
}

pub(crate) struct OpenDir {
    pub(crate) dir: Box<dyn Dir>,
    /// Number of the grant that it belongs to. Nothing can be renamed or linked from one to another.
    pub(crate) grant: u32,
    /// The guest's name for it, if it was granted at the start.
    pub(crate) preopen: Option<String>,
    pub(crate) listing: Option<Listing>,
}

/// A directory that is being read.
pub(crate) struct Listing {
    pub(crate) entries: ReadDir,
    /// The last entries read: a guest whose buffer was too small for them comes back.
    pub(crate) window: VecDeque<FsResult<DirEntry>>,
    /// Cookie of the first entry in the window.
    pub(crate) start: u64,
}

impl Descriptors {
    pub(crate) fn new(limit: usize) -> Descriptors {
        Descriptors { open: Vec::new(), limit }
    }

    /// Opens under the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        if let Some(free) = self.open.iter().position(Option::is_none) {
            self.open[free] = Some(descriptor);
            return Ok(free as u32);
        }
        if self.open.len() >= self.limit {
            return Err(Errno::MFILE);
        }
        self.open.push(Some(descriptor));
        Ok(self.open.len() as u32 - 1)
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.open.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::BADF)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.open.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BADF)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.get(fd)?;
        self.open[fd as usize] = None;
        Ok(())
    }

    /// Moves `from` to the number `to`, which must be open and is closed.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            self.open[to as usize] = self.open[from as usize].take();
        }
        Ok(())
    }

    /// A file to do `right` with.
    pub(crate) fn file(&mut self, fd: u32, right: Rights) -> Result<&mut OpenFile, Errno> {
        let descriptor = self.get_mut(fd)?;
        if matches!(descriptor.kind, Kind::File(_)) {
            descriptor.require(right)?;
        }
        match &mut descriptor.kind {
            Kind::File(file) => Ok(file),
            _ => Err(Errno::BADF),
        }
    }

    /// A file that offsets mean something for.
    pub(crate) fn seekable(&mut self, fd: u32, right: Rights) -> Result<&mut OpenFile, Errno> {
        let descriptor = self.get_mut(fd)?;
        if matches!(&descriptor.kind, Kind::File(file) if file.seekable) {
            descriptor.require(right)?;
        }
        match &mut descriptor.kind {
            Kind::File(file) if file.seekable => Ok(file),
            Kind::Dir(_) => Err(Errno::BADF),
            _ => Err(Errno::SPIPE),
        }
    }

    /// A directory to do `right` with.
    pub(crate) fn dir(&self, fd: u32, right: Rights) -> Result<&OpenDir, Errno> {
        let descriptor = self.get(fd)?;
        match &descriptor.kind {
            Kind::Dir(dir) => {
                descriptor.require(right)?;
                Ok(dir)
            }
            Kind::File(_) => Err(Errno::NOTDIR),
            _ => Err(Errno::BADF),
        }
    }
}

impl Descriptor {
    pub(crate) fn input(stream: Box<dyn InputStream>) -> Descriptor {
        Descriptor::new(Kind::Input(stream), Rights::STREAM.without(Rights::FD_WRITE))
    }

    pub(crate) fn output(stream: Box<dyn OutputStream>) -> Descriptor {
        Descriptor::new(Kind::Output(stream), Rights::STREAM.without(Rights::FD_READ))
    }

    pub(crate) fn listener(listener: Listener) -> Descriptor {
        let descriptor = Descriptor::new(Kind::Listener(listener), Rights::LISTENER);
        Descriptor { inheriting: Rights::SOCKET, ..descriptor }
    }

    pub(crate) fn socket(socket: Socket, rights: Rights, flags: FdFlags) -> Descriptor {
        Descriptor { flags, ..Descriptor::new(Kind::Socket(socket), rights) }
    }

    /// The root of a grant.
    ///
    /// Of a read-only grant, too, the inheriting rights speak of writing: wasi-libc asks for no
    /// more rights than these when it opens a file, and without them it would open for writing what it
    /// then cannot write to. As it is, opening fails.
    pub(crate) fn preopen(
        dir: Box<dyn Dir>,
        grant: u32,
        name: String,
        read_only: bool,
    ) -> Descriptor {
        let dir = OpenDir { dir, grant, preopen: Some(name), listing: None };
        let inheriting = Rights::DIRECTORY.or(Rights::FILE);
        Descriptor { inheriting, read_only, ..Descriptor::new(Kind::Dir(dir), Rights::DIRECTORY) }
    }

    fn new(kind: Kind, base: Rights) -> Descriptor {
        let (flags, inheriting) = (FdFlags::default(), Rights::default());
        Descriptor { kind, flags, base, inheriting, read_only: false }
    }

    /// The rights that hold.
    pub(crate) fn rights(&self) -> Rights {
        if self.read_only { self.base.without(Rights::MUTATING) } else { self.base }
    }

    /// Checks that `right` may be done.
    pub(crate) fn require(&self, right: Rights) -> Result<(), Errno> {
        const DATA: Rights = Rights(
            Rights::FD_READ.0
                | Rights::FD_WRITE.0
                | Rights::FD_ALLOCATE.0
                | Rights::FD_FILESTAT_SET_SIZE.0,
        );
        if self.rights().has(right) {
            Ok(())
        } else if DATA.has(right) {
            Err(Errno::BADF)
        } else if self.read_only && Rights::MUTATING.has_any(right) {
            Err(Errno::PERM)
        } else {
            Err(Errno::NOTCAPABLE)
        }
    }

    pub(crate) fn file_type(&self) -> Result<FileType, Errno> {
        let terminal = |is| if is { FileType::CharacterDevice } else { FileType::Unknown };
        Ok(match &self.kind {
            Kind::Input(stream) => terminal(stream.is_terminal()),
            Kind::Output(stream) => terminal(stream.is_terminal()),
            Kind::File(file) => file.file.metadata()?.file_type,
            Kind::Dir(_) => FileType::Directory,
            Kind::Listener(_) | Kind::Socket(_) => FileType::SocketStream,
        })
    }
}
