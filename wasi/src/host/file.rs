//! Files of the host.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use cap_std::fs::{FileType as CapFileType, Metadata as CapMetadata};

use super::PollHandle;
use crate::Errno;
use crate::fs::{Advice, File, FileType, FsResult, Metadata, SetTime};

/// An open file, pipe or device.
pub(super) struct HostFile {
    file: fs::File,
    seekable: bool,
}

impl HostFile {
    pub(super) fn new(file: fs::File, file_type: FileType) -> HostFile {
        let seekable = matches!(file_type, FileType::RegularFile | FileType::BlockDevice);
        HostFile { file, seekable }
    }
}

impl File for HostFile {
    fn metadata(&self) -> FsResult<Metadata> {
        Ok(metadata(&CapMetadata::from_just_metadata(self.file.metadata()?)))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        if !self.seekable {
            return Ok(io::Read::read(&mut &self.file, buf)?);
        }
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&self.file, buf, offset)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset)?;
        Ok(read)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> FsResult<usize> {
        if !self.seekable {
            return Ok(io::Write::write(&mut &self.file, buf)?);
        }
        #[cfg(unix)]
        let written = std::os::unix::fs::FileExt::write_at(&self.file, buf, offset)?;
        #[cfg(windows)]
        let written = std::os::windows::fs::FileExt::seek_write(&self.file, buf, offset)?;
        Ok(written)
    }

    fn append(&self, buf: &[u8]) -> FsResult<(usize, u64)> {
        let written = match self.append_atomically(buf) {
            Some(written) => written?,
            None => self.write_at(buf, self.file.metadata()?.len())?,
        };
        Ok((written, self.file.metadata()?.len()))
    }

    fn set_size(&self, size: u64) -> FsResult<()> {
        Ok(self.file.set_len(size)?)
    }

    fn allocate(&self, offset: u64, len: u64) -> FsResult<()> {
        let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), offset, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            result => return result.map_err(|error| io::Error::from(error).into()),
        }
        if self.file.metadata()?.len() < end { self.set_size(end) } else { Ok(()) }
    }

    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        set_times(&self.file, atim, mtim)
    }

    fn sync(&self, data_only: bool) -> FsResult<()> {
        let result = if data_only { self.file.sync_data() } else { self.file.sync_all() };
        match result {
            // A pipe or a terminal has no storage that it could be brought to.
            Err(_) if !self.seekable => Ok(()),
            result => Ok(result?),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn advise(&self, offset: u64, len: u64, advice: Advice) -> FsResult<()> {
        use rustix::fs::Advice as Os;
        let advice = match advice {
            Advice::Normal => Os::Normal,
            Advice::Sequential => Os::Sequential,
            Advice::Random => Os::Random,
            Advice::WillNeed => Os::WillNeed,
            Advice::DontNeed => Os::DontNeed,
            Advice::NoReuse => Os::NoReuse,
        };
        let len = std::num::NonZeroU64::new(len);
        rustix::fs::fadvise(&self.file, offset, len, advice).map_err(|e| io::Error::from(e).into())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn advise(&self, _offset: u64, _len: u64, _advice: Advice) -> FsResult<()> {
        Ok(())
    }

    fn seekable(&self) -> bool {
        self.seekable
    }

    #[cfg(unix)]
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        use std::os::fd::AsFd;
        (!self.seekable).then(|| self.file.as_fd().into())
    }

    #[cfg(not(unix))]
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        None
    }
}

impl HostFile {
    /// Appends in one step, so that writers of a log do not overwrite each other; `None` where the
    /// system or the file system cannot.
    #[cfg(target_os = "linux")]
    fn append_atomically(&self, buf: &[u8]) -> Option<io::Result<usize>> {
        use rustix::io::{Errno as Os, ReadWriteFlags};
        let buf = [io::IoSlice::new(buf)];
        match rustix::io::pwritev2(&self.file, &buf, 0, ReadWriteFlags::APPEND) {
            Err(Os::OPNOTSUPP | Os::NOSYS) => None,
            result => Some(result.map_err(io::Error::from)),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn append_atomically(&self, _: &[u8]) -> Option<io::Result<usize>> {
        None
    }
}

/// Sets the times of an open file or directory.
pub(super) fn set_times(file: &fs::File, atim: SetTime, mtim: SetTime) -> FsResult<()> {
    let now = SystemTime::now();
    let time = |time| match time {
        SetTime::Keep => Ok(None),
        SetTime::Now => Ok(Some(now)),
        SetTime::At(nanos) => system_time(nanos).map(Some),
    };
    let mut times = fs::FileTimes::new();
    if let Some(atim) = time(atim)? {
        times = times.set_accessed(atim);
    }
    if let Some(mtim) = time(mtim)? {
        times = times.set_modified(mtim);
    }
    Ok(file.set_times(times)?)
}

/// The time `nanos` nanoseconds after 1970, if the host can tell it.
pub(super) fn system_time(nanos: u64) -> FsResult<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos)).ok_or(Errno::OVERFLOW)
}

/// The attributes as guests see them.
pub(super) fn metadata(host: &CapMetadata) -> Metadata {
    use cap_fs_ext::MetadataExt;
    let times = times(host);
    Metadata {
        dev: host.dev(),
        ino: host.ino(),
        file_type: file_type(host.file_type()),
        nlink: host.nlink(),
        size: host.len(),
        atim: times[0],
        mtim: times[1],
        ctim: times[2],
    }
}

/// Access, modification and status change time. Files can be older than 1970 or have dates in the far
/// future: these are clamped.
#[cfg(unix)]
fn times(host: &CapMetadata) -> [u64; 3] {
    use cap_std::fs::MetadataExt;
    let nanos = |seconds: i64, nanos: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        Some(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(nanos).ok()?))
    };
    [
        nanos(host.atime(), host.atime_nsec()).unwrap_or(0),
        nanos(host.mtime(), host.mtime_nsec()).unwrap_or(0),
        nanos(host.ctime(), host.ctime_nsec()).unwrap_or(0),
    ]
}

/// Access and modification time; the latter stands in for that of status change.
#[cfg(not(unix))]
fn times(host: &CapMetadata) -> [u64; 3] {
    let nanos = |time: io::Result<cap_std::time::SystemTime>| {
        let since = time.ok()?.into_std().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    };
    let modified = nanos(host.modified()).unwrap_or(0);
    [nanos(host.accessed()).unwrap_or(0), modified, modified]
}

pub(super) fn file_type(host: CapFileType) -> FileType {
    use cap_fs_ext::FileTypeExt;
    if host.is_file() {
        FileType::RegularFile
    } else if host.is_dir() {
        FileType::Directory
    } else if host.is_symlink() {
        FileType::SymbolicLink
    } else if host.is_char_device() {
        FileType::CharacterDevice
    } else if host.is_block_device() {
        FileType::BlockDevice
    } else if host.is_socket() {
        FileType::SocketStream
    } else {
        FileType::Unknown
    }
}
