//! Reading directories.
//!
//! A cookie is the number of entries before the one it leads to. The directory is read as far as the guest's
//! buffer reaches and no further, so that its size does not matter; a guest goes on where the last call
//! stopped, or some entries before (because the buffer was too small for them), or starts again.

use std::collections::VecDeque;

use crate::Errno;
use crate::abi::{self, GuestMemory, Rights};
use crate::ctx::State;
use crate::descriptor::{Kind, Listing, OpenDir};
use crate::error::Result;
use crate::fs::{DirEntry, FileType, FsResult};

/// How many entries are kept for a guest that comes back. One that goes back further has the directory read
/// from the start.
const WINDOW: usize = 1024;

impl State {
    pub(crate) fn fd_readdir(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        buf: u32,
        buf_len: u32,
        cookie: u64,
        out: u32,
    ) -> Result<()> {
        self.fds.dir(fd, Rights::FD_READDIR)?;
        let Kind::Dir(open) = &mut self.fds.get_mut(fd)?.kind else {
            return Err(Errno::NOTDIR.into());
        };
        memory.check(out, 4)?;
        let used = memory.fill(buf, buf_len, |buf| open.list(buf, cookie))?;
        memory.write_u32(out, used as u32)
    }
}

impl OpenDir {
    /// Fills `buf` with entries from `cookie` on. What does not fit is cut off, which tells the guest that
    /// there is more.
    fn list(&mut self, buf: &mut [u8], cookie: u64) -> Result<usize> {
        let listing = self.listing_at(cookie)?;
        let mut used = 0;
        let mut at = cookie;
        while used < buf.len() {
            let Some(entry) = listing.entry(at) else { break };
            let entry = entry.as_ref().map_err(|error| *error)?;
            at += 1;
            let record = abi::dirent(at, entry.ino, entry.name.len() as u32, entry.file_type);
            for part in [record.as_slice(), entry.name.as_bytes()] {
                let len = part.len().min(buf.len() - used);
                buf[used..used + len].copy_from_slice(&part[..len]);
                used += len;
            }
        }
        Ok(used)
    }

    /// The listing, with the window starting at `cookie` or ending before it because there are fewer entries.
    fn listing_at(&mut self, cookie: u64) -> Result<&mut Listing> {
        let fresh = match self.listing.take() {
            Some(listing) if cookie != 0 && cookie >= listing.start => listing,
            _ => {
                let ino = self.dir.metadata()?.ino;
                let dot = |name: &str| DirEntry {
                    name: name.into(),
                    file_type: FileType::Directory,
                    ino,
                };
                let dots = [dot("."), dot("..")].into_iter().map(Ok);
                let entries = Box::new(dots.chain(self.dir.read_dir()?));
                Listing { entries, window: VecDeque::new(), start: 0 }
            }
        };
        let listing = self.listing.insert(fresh);
        listing.skip_to(cookie)?;
        Ok(listing)
    }
}

impl Listing {
    fn skip_to(&mut self, cookie: u64) -> Result<()> {
        while self.start < cookie {
            match self.window.pop_front().or_else(|| self.entries.next()) {
                // A name that cannot be passed on is an entry all the same.
                Some(Ok(_) | Err(Errno::ILSEQ)) => self.start += 1,
                Some(Err(error)) => return Err(error.into()),
                None => break,
            }
        }
        Ok(())
    }

    /// The entry at `cookie`, which is in the window or the next one behind it.
    fn entry(&mut self, cookie: u64) -> Option<&FsResult<DirEntry>> {
        let index = cookie.checked_sub(self.start)?;
        if index < self.window.len() as u64 {
            return self.window.get(index as usize);
        }
        self.window.push_back(self.entries.next()?);
        if self.window.len() > WINDOW {
            self.window.pop_front();
            self.start += 1;
        }
        self.window.back()
    }
}
