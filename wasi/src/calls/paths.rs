//! Functions that take paths.
//!
//! Trailing slashes are dealt with here, see [`GuestPath`]: what they ask for is checked, and the
//! file system gets the path without them.

use std::time::Duration;

use super::{Waiting, set_times};
use crate::Errno;
use crate::abi::{self, FdFlags, GuestMemory, LookupFlags, OFlags, Rights};
use crate::ctx::State;
use crate::descriptor::{Descriptor, Kind, OpenDir, OpenFile};
use crate::error::{Failure, Result};
use crate::fs::{FileType, Metadata, Node, OpenOptions};
use crate::path::{GuestPath, text};

impl State {
    pub(crate) fn path_open(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        dirflags: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        base: u64,
        _inheriting: u64,
        fdflags: u32,
        out: u32,
    ) -> Result<()> {
        let follow = LookupFlags::from_guest(dirflags)?.has(LookupFlags::SYMLINK_FOLLOW);
        let oflags = OFlags::from_guest(oflags)?;
        let flags = FdFlags::from_guest(fdflags)?;
        let asked = Rights(base).and(Rights::FD_READ.or(Rights::FD_WRITE));
        memory.check(out, 4)?;
        let path = GuestPath::read(memory, path, path_len)?;

        let parent = self.fds.get(fd)?;
        let dir = self.fds.dir(fd, Rights::PATH_OPEN)?;
        if oflags.has(OFlags::CREAT) {
            parent.require(Rights::PATH_CREATE_FILE)?;
        }
        if oflags.has(OFlags::TRUNC) {
            parent.require(Rights::PATH_FILESTAT_SET_SIZE)?;
        }
        let options = OpenOptions {
            read: asked.has(Rights::FD_READ),
            write: asked.has(Rights::FD_WRITE),
            create: oflags.has(OFlags::CREAT),
            exclusive: oflags.has(OFlags::EXCL),
            truncate: oflags.has(OFlags::TRUNC),
            directory: oflags.has(OFlags::DIRECTORY) || path.must_be_dir,
            follow: follow || path.must_be_dir,
        };
        if options.create && path.must_be_dir {
            return Err(Errno::ISDIR.into());
        }
        if options.create && options.directory {
            return Err(Errno::INVAL.into());
        }
        if options.write && parent.read_only {
            return Err(Errno::PERM.into());
        }
        if !parent.inheriting.has(asked) {
            return Err(Errno::NOTCAPABLE.into());
        }

        let waiting = Waiting { nonblock: flags.has(FdFlags::NONBLOCK), ..self.waiting() };
        let node = open(dir, path.as_str(), &options, waiting)?;
        let descriptor = parent.child(node, dir.grant, asked, flags)?;
        let opened = self.fds.insert(descriptor)?;
        memory.write_u32(out, opened)
    }

    pub(crate) fn path_create_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<()> {
        let dir = self.fds.dir(fd, Rights::PATH_CREATE_DIRECTORY)?;
        let path = GuestPath::read(memory, path, path_len)?;
        Ok(dir.dir.create_dir(path.named().map_err(|_| Errno::EXIST)?)?)
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        out: u32,
    ) -> Result<()> {
        let follow = LookupFlags::from_guest(flags)?.has(LookupFlags::SYMLINK_FOLLOW);
        let dir = self.fds.dir(fd, Rights::PATH_FILESTAT_GET)?;
        let path = GuestPath::read(memory, path, path_len)?;
        let metadata = dir.stat(&path, follow)?;
        memory.write(out, &abi::filestat(&metadata))
    }

    pub(crate) fn path_filestat_set_times(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        atim: u64,
        mtim: u64,
        fst_flags: u32,
    ) -> Result<()> {
        let follow = LookupFlags::from_guest(flags)?.has(LookupFlags::SYMLINK_FOLLOW);
        let (atim, mtim) = set_times(atim, mtim, fst_flags)?;
        let dir = self.fds.dir(fd, Rights::PATH_FILESTAT_SET_TIMES)?;
        let path = GuestPath::read(memory, path, path_len)?;
        dir.stat(&path, follow)?;
        Ok(dir.dir.set_times_at(path.as_str(), follow || path.must_be_dir, atim, mtim)?)
    }

    pub(crate) fn path_link(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_fd: u32,
        old_flags: u32,
        old_path: u32,
        old_len: u32,
        new_fd: u32,
        new_path: u32,
        new_len: u32,
    ) -> Result<()> {
        if LookupFlags::from_guest(old_flags)?.has(LookupFlags::SYMLINK_FOLLOW) {
            return Err(Errno::INVAL.into());
        }
        let old_dir = self.fds.dir(old_fd, Rights::PATH_LINK_SOURCE)?;
        let new_dir = self.fds.dir(new_fd, Rights::PATH_LINK_TARGET)?;
        let old = GuestPath::read(memory, old_path, old_len)?;
        let new = GuestPath::read(memory, new_path, new_len)?;
        same_grant(old_dir, new_dir)?;
        if old.must_be_dir {
            old_dir.stat(&old, true)?;
            return Err(Errno::PERM.into());
        }
        new_dir.refuse_slash(&new)?;
        Ok(old_dir.dir.link(
            old.named().map_err(|_| Errno::PERM)?,
            &*new_dir.dir,
            new.named().map_err(|_| Errno::EXIST)?,
        )?)
    }

    pub(crate) fn path_readlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
        buf: u32,
        buf_len: u32,
        out: u32,
    ) -> Result<()> {
        let dir = self.fds.dir(fd, Rights::PATH_READLINK)?;
        let path = GuestPath::read(memory, path, path_len)?;
        if path.must_be_dir {
            dir.stat(&path, true)?;
            return Err(Errno::INVAL.into());
        }
        let target = dir.dir.read_link(path.as_str())?;
        let len = target.len().min(buf_len as usize);
        memory.write(buf, &target.as_bytes()[..len])?;
        memory.write_u32(out, len as u32)
    }

    pub(crate) fn path_remove_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<()> {
        let dir = self.fds.dir(fd, Rights::PATH_REMOVE_DIRECTORY)?;
        let path = GuestPath::read(memory, path, path_len)?;
        Ok(dir.dir.remove_dir(path.named()?)?)
    }

    pub(crate) fn path_rename(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_fd: u32,
        old_path: u32,
        old_len: u32,
        new_fd: u32,
        new_path: u32,
        new_len: u32,
    ) -> Result<()> {
        let old_dir = self.fds.dir(old_fd, Rights::PATH_RENAME_SOURCE)?;
        let new_dir = self.fds.dir(new_fd, Rights::PATH_RENAME_TARGET)?;
        let old = GuestPath::read(memory, old_path, old_len)?;
        let new = GuestPath::read(memory, new_path, new_len)?;
        same_grant(old_dir, new_dir)?;
        let (from, to) = (old.named()?, new.named()?);
        // With a slash at the end of either, only a directory can be renamed, and not a symbolic link to one.
        let must_be_dir = old.must_be_dir || new.must_be_dir;
        if must_be_dir && old_dir.dir.metadata_at(from, false)?.file_type != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        Ok(old_dir.dir.rename(from, &*new_dir.dir, to)?)
    }

    pub(crate) fn path_symlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<()> {
        let dir = self.fds.dir(fd, Rights::PATH_SYMLINK)?;
        let target = text(memory, target, target_len)?;
        let path = GuestPath::read(memory, path, path_len)?;
        if target.is_empty() {
            return Err(Errno::NOENT.into());
        }
        if target.starts_with('/') {
            return Err(Errno::PERM.into());
        }
        dir.refuse_slash(&path)?;
        Ok(dir.dir.symlink(&target, path.named().map_err(|_| Errno::EXIST)?)?)
    }

    pub(crate) fn path_unlink_file(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<()> {
        let dir = self.fds.dir(fd, Rights::PATH_UNLINK_FILE)?;
        let path = GuestPath::read(memory, path, path_len)?;
        let name = path.named().map_err(|_| Errno::ISDIR)?;
        if path.must_be_dir {
            return Err(match dir.dir.metadata_at(name, false)?.file_type {
                FileType::Directory => Errno::ISDIR.into(),
                _ => Errno::NOTDIR.into(),
            });
        }
        Ok(dir.dir.remove_file(name)?)
    }
}

impl OpenDir {
    fn stat(&self, path: &GuestPath<'_>, follow: bool) -> Result<Metadata> {
        let metadata = self.dir.metadata_at(path.as_str(), follow || path.must_be_dir)?;
        if path.must_be_dir && metadata.file_type != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        Ok(metadata)
    }

    /// Fails if `path`, for something new that is not a directory, ends in a slash.
    fn refuse_slash(&self, path: &GuestPath<'_>) -> Result<()> {
        if !path.must_be_dir {
            return Ok(());
        }
        Err(match self.dir.metadata_at(path.as_str(), false)?.file_type {
            FileType::Directory => Errno::EXIST.into(),
            _ => Errno::NOTDIR.into(),
        })
    }
}

fn same_grant(old: &OpenDir, new: &OpenDir) -> Result<()> {
    if old.grant == new.grant { Ok(()) } else { Err(Errno::XDEV.into()) }
}

/// Opens, and waits for a reader if it is a pipe to write to.
fn open(dir: &OpenDir, path: &str, options: &OpenOptions, waiting: Waiting) -> Result<Node> {
    loop {
        match dir.dir.open(path, options) {
            Err(Errno::NXIO) if options.write && !options.read && !waiting.nonblock => {
                if dir.dir.metadata_at(path, options.follow)?.file_type != FileType::Unknown {
                    return Err(Failure::Errno(Errno::NXIO));
                }
                waiting.pause(Duration::from_millis(5))?;
            }
            node => return Ok(node?),
        }
    }
}

impl Descriptor {
    /// A descriptor for what was opened through this one.
    fn child(&self, node: Node, grant: u32, asked: Rights, flags: FdFlags) -> Result<Descriptor> {
        let (kind, possible, flags) = match node {
            Node::Dir(_) if asked.has(Rights::FD_WRITE) => return Err(Errno::ISDIR.into()),
            Node::Dir(dir) => {
                let dir = OpenDir { dir, grant, preopen: None, listing: None };
                (Kind::Dir(dir), Rights::DIRECTORY, FdFlags::default())
            }
            Node::File(file) => {
                let seekable = file.seekable();
                let all = if seekable { Rights::FILE } else { Rights::STREAM };
                let mut possible = all.without(Rights::FD_READ.or(Rights::FD_WRITE)).or(asked);
                if !asked.has(Rights::FD_WRITE) {
                    possible =
                        possible.without(Rights::FD_ALLOCATE.or(Rights::FD_FILESTAT_SET_SIZE));
                }
                (Kind::File(OpenFile { file, position: 0, seekable }), possible, flags)
            }
        };
        Ok(Descriptor {
            kind,
            flags,
            base: possible.and(self.inheriting),
            inheriting: self.inheriting,
            read_only: self.read_only,
        })
    }
}
