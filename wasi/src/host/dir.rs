//! Directories of the host. cap-std resolves the paths and keeps them inside.

use std::any::Any;
use std::io;
use std::path::Path;

use cap_fs_ext::{
    DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, SystemTimeSpec,
};
use cap_std::ambient_authority;
use cap_std::fs::{Dir as CapDir, OpenOptions as CapOpenOptions};

use super::file::{self, HostFile};
use crate::Errno;
use crate::fs::{Dir, DirEntry, Fs, FsResult, Metadata, Node, OpenOptions, ReadDir, SetTime};

/// An open directory, and all below it.
pub(crate) struct HostDir(CapDir);

impl HostDir {
    /// Opens any directory of the host.
    pub(crate) fn open_ambient(path: &Path) -> io::Result<HostDir> {
        Ok(HostDir(CapDir::open_ambient_dir(path, ambient_authority())?))
    }

    fn open_file(&self, path: &str, options: &OpenOptions) -> FsResult<std::fs::File> {
        let mut cap = CapOpenOptions::new();
        // Cutting off and creating need a writable handle. The guest's descriptor has its own rights.
        let write = options.write || options.create || options.truncate;
        cap.read(options.read || !write)
            .write(write)
            .create(options.create)
            .create_new(options.create && options.exclusive)
            .truncate(options.truncate)
            .follow(if options.follow { FollowSymlinks::Yes } else { FollowSymlinks::No })
            .maybe_dir(true);
        // Opening a pipe or a terminal must not hang. Waiting is done by polling.
        #[cfg(unix)]
        cap_fs_ext::OpenOptionsSyncExt::nonblock(&mut cap, true);
        Ok(self.0.open_with(path, &cap)?.into_std())
    }

    /// Another directory of the same file system as this one, which makes it one of these.
    fn sibling(dir: &dyn Dir) -> FsResult<&CapDir> {
        (dir as &dyn Any).downcast_ref().map(|HostDir(dir)| dir).ok_or(Errno::XDEV)
    }
}

impl Fs for HostDir {
    fn root(&self) -> FsResult<Box<dyn Dir>> {
        Ok(Box::new(HostDir(self.0.try_clone()?)))
    }
}

impl Dir for HostDir {
    fn open(&self, path: &str, options: &OpenOptions) -> FsResult<Node> {
        let file = self.open_file(path, options)?;
        let file_type = file::file_type(
            cap_std::fs::Metadata::from_just_metadata(file.metadata()?).file_type(),
        );
        match file_type {
            crate::fs::FileType::Directory => {
                Ok(Node::Dir(Box::new(HostDir(CapDir::from_std_file(file)))))
            }
            _ if options.directory => Err(Errno::NOTDIR),
            _ => Ok(Node::File(Box::new(HostFile::new(file, file_type)))),
        }
    }

    fn metadata(&self) -> FsResult<Metadata> {
        Ok(file::metadata(&self.0.dir_metadata()?))
    }

    fn metadata_at(&self, path: &str, follow: bool) -> FsResult<Metadata> {
        let host = if follow { self.0.metadata(path) } else { self.0.symlink_metadata(path) };
        Ok(file::metadata(&host?))
    }

    fn read_dir(&self) -> FsResult<ReadDir> {
        Ok(Box::new(self.0.entries()?.map(|entry| {
            let entry = entry?;
            Ok(DirEntry {
                name: entry.file_name().into_string().map_err(|_| Errno::ILSEQ)?,
                file_type: file::file_type(entry.file_type()?),
                ino: ino(&entry)?,
            })
        })))
    }

    fn read_link(&self, path: &str) -> FsResult<String> {
        let target = self.0.read_link_contents(path)?;
        target.into_os_string().into_string().map_err(|_| Errno::ILSEQ)
    }

    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        self.set_times_at(".", true, atim, mtim)
    }

    fn set_times_at(&self, path: &str, follow: bool, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        if follow {
            // cap-std would open the file in a way that can wait for the other end of a pipe.
            let read = OpenOptions { read: true, follow, ..OpenOptions::default() };
            let file = self.open_file(path, &read).or_else(|error| match error {
                Errno::ACCES => {
                    self.open_file(path, &OpenOptions { read: false, write: true, ..read })
                }
                error => Err(error),
            })?;
            return file::set_times(&file, atim, mtim);
        }
        Ok(self.0.set_symlink_times(path, time_spec(atim)?, time_spec(mtim)?)?)
    }

    fn create_dir(&self, path: &str) -> FsResult<()> {
        Ok(self.0.create_dir(path)?)
    }

    fn remove_dir(&self, path: &str) -> FsResult<()> {
        Ok(self.0.remove_dir(path)?)
    }

    fn remove_file(&self, path: &str) -> FsResult<()> {
        Ok(self.0.remove_file_or_symlink(path)?)
    }

    fn rename(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        Ok(self.0.rename(from, HostDir::sibling(to_dir)?, to)?)
    }

    fn link(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        Ok(self.0.hard_link(from, HostDir::sibling(to_dir)?, to)?)
    }

    fn symlink(&self, target: &str, path: &str) -> FsResult<()> {
        Ok(DirExt::symlink(&self.0, target, path)?)
    }
}

fn time_spec(time: SetTime) -> FsResult<Option<SystemTimeSpec>> {
    use cap_std::time::SystemTime;
    Ok(match time {
        SetTime::Keep => None,
        SetTime::Now => Some(SystemTimeSpec::SymbolicNow),
        SetTime::At(nanos) => {
            Some(SystemTimeSpec::Absolute(SystemTime::from_std(file::system_time(nanos)?)))
        }
    })
}

#[cfg(unix)]
fn ino(entry: &cap_std::fs::DirEntry) -> io::Result<u64> {
    Ok(std::os::unix::fs::DirEntryExt::ino(entry))
}

#[cfg(not(unix))]
fn ino(entry: &cap_std::fs::DirEntry) -> io::Result<u64> {
    Ok(cap_fs_ext::MetadataExt::ino(&entry.metadata()?))
}
