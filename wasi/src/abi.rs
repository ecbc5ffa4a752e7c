//! The binary interface of `wasi_snapshot_preview1`: numbers, layouts, and the guest's memory.
//!
//! Layouts follow the specification's `typenames.witx`; everything is little-endian.

use std::borrow::Cow;
use std::ops::Range;

use kinglet::SharedMemory;

use crate::Errno;
use crate::error::{Failure, Result};
use crate::fs::{FileType, Metadata};

/// The guest's linear memory. Every access is checked.
pub(crate) enum GuestMemory<'a> {
    /// Nobody else uses it during the call.
    Own(&'a mut [u8]),
    /// Other threads do, so that bytes are copied.
    Shared(SharedMemory),
}

/// A range of the guest's memory, from an `iovec` or `ciovec`.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    pub(crate) ptr: u32,
    pub(crate) len: u32,
}

/// Most entries of an `iovec` array that one call looks at, as on Unix (`IOV_MAX`).
const MAX_IOVECS: u32 = 1024;

impl GuestMemory<'_> {
    /// Fails unless the memory has these bytes.
    pub(crate) fn check(&self, ptr: u32, len: u32) -> Result<()> {
        self.range(ptr, len).map(|_| ())
    }

    fn range(&self, ptr: u32, len: u32) -> Result<Range<usize>> {
        let size = match self {
            GuestMemory::Own(bytes) => bytes.len(),
            GuestMemory::Shared(memory) => memory.data_size(),
        };
        let start = ptr as usize;
        let end = start.checked_add(len as usize).filter(|&end| end <= size);
        Ok(start..end.ok_or(Failure::OutOfBounds)?)
    }

    pub(crate) fn bytes(&self, ptr: u32, len: u32) -> Result<Cow<'_, [u8]>> {
        let range = self.range(ptr, len)?;
        Ok(match self {
            GuestMemory::Own(bytes) => Cow::Borrowed(&bytes[range]),
            GuestMemory::Shared(memory) => {
                let mut bytes = vec![0; range.len()];
                memory.read(range.start, &mut bytes).map_err(|_| Failure::OutOfBounds)?;
                Cow::Owned(bytes)
            }
        })
    }

    /// Lets `fill` write to the beginning of a range of bytes. It answers how many it has written.
    pub(crate) fn fill(
        &mut self,
        ptr: u32,
        len: u32,
        fill: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        let range = self.range(ptr, len)?;
        match self {
            GuestMemory::Own(bytes) => fill(&mut bytes[range]),
            GuestMemory::Shared(memory) => {
                let mut bytes = vec![0; range.len()];
                let filled = fill(&mut bytes)?;
                memory.write(range.start, &bytes[..filled]).map_err(|_| Failure::OutOfBounds)?;
                Ok(filled)
            }
        }
    }

    pub(crate) fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N]> {
        let bytes = self.bytes(ptr, N as u32)?;
        Ok((*bytes).try_into().expect("the range has N bytes"))
    }

    pub(crate) fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| Failure::OutOfBounds)?;
        let range = self.range(ptr, len)?;
        match self {
            GuestMemory::Own(memory) => memory[range].copy_from_slice(bytes),
            GuestMemory::Shared(memory) => {
                memory.write(range.start, bytes).map_err(|_| Failure::OutOfBounds)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, ptr: u32, value: u32) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, ptr: u32, value: u64) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Element `index` of the `iovec` (or `ciovec`) array at `ptr`; the range it names is in bounds.
    fn iovec(&self, ptr: u32, index: u32) -> Result<Buffer> {
        let at = index.checked_mul(8).and_then(|offset| ptr.checked_add(offset));
        let raw = self.array::<8>(at.ok_or(Failure::OutOfBounds)?)?;
        let buffer = Buffer { ptr: u32_at(&raw, 0), len: u32_at(&raw, 4) };
        self.check(buffer.ptr, buffer.len)?;
        Ok(buffer)
    }

    /// The buffers of an `iovec` array. Fails at once if the array or any of them is out of bounds
    /// or if their lengths sum up to more than a `size` can hold.
    pub(crate) fn iovecs(&self, ptr: u32, count: u32) -> Result<Vec<Buffer>> {
        if count > MAX_IOVECS {
            return Err(Errno::INVAL.into());
        }
        let buffers = (0..count).map(|i| self.iovec(ptr, i)).collect::<Result<Vec<_>>>()?;
        let total = buffers.iter().try_fold(0u32, |sum, b| sum.checked_add(b.len));
        total.ok_or(Errno::INVAL)?;
        Ok(buffers)
    }
}

/// The `u32` at `offset` of a record.
pub(crate) fn u32_at(record: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(record[offset..offset + 4].try_into().expect("four bytes"))
}

/// The `u64` at `offset` of a record.
pub(crate) fn u64_at(record: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(record[offset..offset + 8].try_into().expect("eight bytes"))
}

macro_rules! flags {
    ($( $(#[$doc:meta])* $Name:ident: $Int:ty { $( $FLAG:ident = $bit:literal ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $Name(pub(crate) $Int);

        #[allow(dead_code, reason = "the table lists all flags of the specification")]
        impl $Name {
            $( pub(crate) const $FLAG: $Name = $Name(1 << $bit); )*
            pub(crate) const ALL: $Name = $Name(0 $( | 1 << $bit )*);

            /// The flags that the guest passed; `INVAL` if there are unknown ones.
            pub(crate) fn from_guest(bits: $Int) -> Result<$Name> {
                if bits & !Self::ALL.0 == 0 { Ok($Name(bits)) } else { Err(Errno::INVAL.into()) }
            }

            pub(crate) const fn has(self, flags: $Name) -> bool {
                self.0 & flags.0 == flags.0
            }

            pub(crate) const fn has_any(self, flags: $Name) -> bool {
                self.0 & flags.0 != 0
            }

            pub(crate) const fn and(self, flags: $Name) -> $Name {
                $Name(self.0 & flags.0)
            }

            pub(crate) const fn or(self, flags: $Name) -> $Name {
                $Name(self.0 | flags.0)
            }

            pub(crate) const fn without(self, flags: $Name) -> $Name {
                $Name(self.0 & !flags.0)
            }
        }
    )* };
}

flags! {
    /// What may be done through a descriptor.
    Rights: u64 {
        FD_DATASYNC = 0, FD_READ = 1, FD_SEEK = 2, FD_FDSTAT_SET_FLAGS = 3, FD_SYNC = 4, FD_TELL = 5,
        FD_WRITE = 6, FD_ADVISE = 7, FD_ALLOCATE = 8, PATH_CREATE_DIRECTORY = 9,
        PATH_CREATE_FILE = 10, PATH_LINK_SOURCE = 11, PATH_LINK_TARGET = 12, PATH_OPEN = 13,
        FD_READDIR = 14, PATH_READLINK = 15, PATH_RENAME_SOURCE = 16, PATH_RENAME_TARGET = 17,
        PATH_FILESTAT_GET = 18, PATH_FILESTAT_SET_SIZE = 19, PATH_FILESTAT_SET_TIMES = 20,
        FD_FILESTAT_GET = 21, FD_FILESTAT_SET_SIZE = 22, FD_FILESTAT_SET_TIMES = 23,
        PATH_SYMLINK = 24, PATH_REMOVE_DIRECTORY = 25, PATH_UNLINK_FILE = 26,
        POLL_FD_READWRITE = 27, SOCK_SHUTDOWN = 28, SOCK_ACCEPT = 29,
    }
    /// State of a descriptor.
    FdFlags: u32 { APPEND = 0, DSYNC = 1, NONBLOCK = 2, RSYNC = 3, SYNC = 4 }
    /// How `path_open` opens.
    OFlags: u32 { CREAT = 0, DIRECTORY = 1, EXCL = 2, TRUNC = 3 }
    /// How paths are resolved.
    LookupFlags: u32 { SYMLINK_FOLLOW = 0 }
    /// Which times to set.
    FstFlags: u32 { ATIM = 0, ATIM_NOW = 1, MTIM = 2, MTIM_NOW = 3 }
    /// Flags of `sock_recv`.
    RiFlags: u32 { PEEK = 0, WAITALL = 1 }
    /// Which halves of a connection to shut down.
    SdFlags: u32 { RD = 0, WR = 1 }
}

impl Rights {
    /// What a directory can do.
    pub(crate) const DIRECTORY: Rights = Rights(
        Rights::PATH_CREATE_DIRECTORY.0
            | Rights::PATH_CREATE_FILE.0
            | Rights::PATH_LINK_SOURCE.0
            | Rights::PATH_LINK_TARGET.0
            | Rights::PATH_OPEN.0
            | Rights::FD_READDIR.0
            | Rights::PATH_READLINK.0
            | Rights::PATH_RENAME_SOURCE.0
            | Rights::PATH_RENAME_TARGET.0
            | Rights::PATH_FILESTAT_GET.0
            | Rights::PATH_FILESTAT_SET_SIZE.0
            | Rights::PATH_FILESTAT_SET_TIMES.0
            | Rights::FD_FILESTAT_GET.0
            | Rights::FD_FILESTAT_SET_TIMES.0
            | Rights::PATH_SYMLINK.0
            | Rights::PATH_REMOVE_DIRECTORY.0
            | Rights::PATH_UNLINK_FILE.0
            | Rights::FD_FDSTAT_SET_FLAGS.0
            | Rights::FD_SYNC.0
            | Rights::FD_DATASYNC.0,
    );
    /// What a file can do.
    pub(crate) const FILE: Rights = Rights(
        Rights::FD_DATASYNC.0
            | Rights::FD_READ.0
            | Rights::FD_SEEK.0
            | Rights::FD_FDSTAT_SET_FLAGS.0
            | Rights::FD_SYNC.0
            | Rights::FD_TELL.0
            | Rights::FD_WRITE.0
            | Rights::FD_ADVISE.0
            | Rights::FD_ALLOCATE.0
            | Rights::FD_FILESTAT_GET.0
            | Rights::FD_FILESTAT_SET_SIZE.0
            | Rights::FD_FILESTAT_SET_TIMES.0
            | Rights::POLL_FD_READWRITE.0,
    );
    /// What a pipe, terminal or other device can do. A terminal is told from a file by the lack
    /// of `FD_SEEK` and `FD_TELL` (wasi-libc's `isatty`).
    pub(crate) const STREAM: Rights = Rights(
        Rights::FD_READ.0
            | Rights::FD_WRITE.0
            | Rights::FD_FDSTAT_SET_FLAGS.0
            | Rights::FD_FILESTAT_GET.0
            | Rights::POLL_FD_READWRITE.0,
    );
    /// What a connected socket can do.
    pub(crate) const SOCKET: Rights = Rights(Rights::STREAM.0 | Rights::SOCK_SHUTDOWN.0);
    /// What a listening socket can do.
    pub(crate) const LISTENER: Rights = Rights(
        Rights::SOCK_ACCEPT.0
            | Rights::FD_FDSTAT_SET_FLAGS.0
            | Rights::FD_FILESTAT_GET.0
            | Rights::POLL_FD_READWRITE.0,
    );
    /// What changes a file system, and so is refused below a read-only grant.
    pub(crate) const MUTATING: Rights = Rights(
        Rights::FD_WRITE.0
            | Rights::FD_ALLOCATE.0
            | Rights::FD_FILESTAT_SET_SIZE.0
            | Rights::FD_FILESTAT_SET_TIMES.0
            | Rights::PATH_CREATE_DIRECTORY.0
            | Rights::PATH_CREATE_FILE.0
            | Rights::PATH_LINK_SOURCE.0
            | Rights::PATH_LINK_TARGET.0
            | Rights::PATH_RENAME_SOURCE.0
            | Rights::PATH_RENAME_TARGET.0
            | Rights::PATH_FILESTAT_SET_SIZE.0
            | Rights::PATH_FILESTAT_SET_TIMES.0
            | Rights::PATH_SYMLINK.0
            | Rights::PATH_REMOVE_DIRECTORY.0
            | Rights::PATH_UNLINK_FILE.0,
    );
}

/// The layout of `fdstat`.
pub(crate) fn fdstat(
    file_type: FileType,
    flags: FdFlags,
    base: Rights,
    inheriting: Rights,
) -> [u8; 24] {
    let mut out = [0; 24];
    out[0] = file_type as u8;
    out[2..4].copy_from_slice(&(flags.0 as u16).to_le_bytes());
    out[8..16].copy_from_slice(&base.0.to_le_bytes());
    out[16..24].copy_from_slice(&inheriting.0.to_le_bytes());
    out
}

/// The layout of `filestat`.
pub(crate) fn filestat(metadata: &Metadata) -> [u8; 64] {
    let mut out = [0; 64];
    out[0..8].copy_from_slice(&metadata.dev.to_le_bytes());
    out[8..16].copy_from_slice(&metadata.ino.to_le_bytes());
    out[16] = metadata.file_type as u8;
    out[24..32].copy_from_slice(&metadata.nlink.to_le_bytes());
    out[32..40].copy_from_slice(&metadata.size.to_le_bytes());
    out[40..48].copy_from_slice(&metadata.atim.to_le_bytes());
    out[48..56].copy_from_slice(&metadata.mtim.to_le_bytes());
    out[56..64].copy_from_slice(&metadata.ctim.to_le_bytes());
    out
}

/// The layout of `dirent`, which the name follows.
pub(crate) fn dirent(next: u64, ino: u64, name_len: u32, file_type: FileType) -> [u8; 24] {
    let mut out = [0; 24];
    out[0..8].copy_from_slice(&next.to_le_bytes());
    out[8..16].copy_from_slice(&ino.to_le_bytes());
    out[16..20].copy_from_slice(&name_len.to_le_bytes());
    out[20] = file_type as u8;
    out
}
