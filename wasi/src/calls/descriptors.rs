//! Descriptors: their state, position and attributes.

use std::net::Shutdown;

use super::set_times;
use crate::Errno;
use crate::abi::{self, FdFlags, GuestMemory, Rights};
use crate::ctx::State;
use crate::descriptor::Kind;
use crate::error::Result;
use crate::fs::{Advice, Metadata};

/// The largest offset in a file.
const MAX_OFFSET: u64 = i64::MAX as u64;

impl State {
    pub(crate) fn fd_advise(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        len: u64,
        advice: u32,
    ) -> Result<()> {
        let advice = match advice {
            0 => Advice::Normal,
            1 => Advice::Sequential,
            2 => Advice::Random,
            3 => Advice::WillNeed,
            4 => Advice::DontNeed,
            5 => Advice::NoReuse,
            _ => return Err(Errno::INVAL.into()),
        };
        if offset.checked_add(len).is_none_or(|end| end > MAX_OFFSET) {
            return Err(Errno::INVAL.into());
        }
        Ok(self.fds.seekable(fd, Rights::FD_ADVISE)?.file.advise(offset, len, advice)?)
    }

    pub(crate) fn fd_allocate(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        len: u64,
    ) -> Result<()> {
        let open = self.fds.seekable(fd, Rights::FD_ALLOCATE)?;
        match offset.checked_add(len) {
            _ if len == 0 => Err(Errno::INVAL.into()),
            Some(end) if end <= MAX_OFFSET => Ok(open.file.allocate(offset, len)?),
            _ => Err(Errno::FBIG.into()),
        }
    }

    pub(crate) fn fd_close(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<()> {
        Ok(self.fds.close(fd)?)
    }

    pub(crate) fn fd_datasync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<()> {
        self.sync(fd, Rights::FD_DATASYNC, true)
    }

    pub(crate) fn fd_sync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<()> {
        self.sync(fd, Rights::FD_SYNC, false)
    }

    fn sync(&mut self, fd: u32, right: Rights, data_only: bool) -> Result<()> {
        let descriptor = self.fds.get(fd)?;
        match &descriptor.kind {
            Kind::File(open) => {
                descriptor.require(right)?;
                Ok(open.file.sync(data_only)?)
            }
            // The host keeps its directories in order by itself.
            Kind::Dir(_) => Ok(descriptor.require(right)?),
            _ => Err(Errno::INVAL.into()),
        }
    }

    pub(crate) fn fd_fdstat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        out: u32,
    ) -> Result<()> {
        let descriptor = self.fds.get(fd)?;
        let file_type = descriptor.file_type()?;
        memory.write(
            out,
            &abi::fdstat(file_type, descriptor.flags, descriptor.rights(), descriptor.inheriting),
        )
    }

    pub(crate) fn fd_fdstat_set_flags(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
    ) -> Result<()> {
        let descriptor = self.fds.get_mut(fd)?;
        descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
        descriptor.flags = FdFlags::from_guest(flags)?;
        Ok(())
    }

    pub(crate) fn fd_fdstat_set_rights(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        base: u64,
        inheriting: u64,
    ) -> Result<()> {
        let descriptor = self.fds.get_mut(fd)?;
        let (base, inheriting) = (Rights(base), Rights(inheriting));
        if !descriptor.rights().has(base) || !descriptor.inheriting.has(inheriting) {
            return Err(Errno::NOTCAPABLE.into());
        }
        descriptor.base = base;
        descriptor.inheriting = inheriting;
        Ok(())
    }

    pub(crate) fn fd_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        out: u32,
    ) -> Result<()> {
        let descriptor = self.fds.get(fd)?;
        descriptor.require(Rights::FD_FILESTAT_GET)?;
        let metadata = match &descriptor.kind {
            Kind::File(open) => open.file.metadata()?,
            Kind::Dir(open) => open.dir.metadata()?,
            _ => Metadata { file_type: descriptor.file_type()?, ..Metadata::default() },
        };
        memory.write(out, &abi::filestat(&metadata))
    }

    pub(crate) fn fd_filestat_set_size(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        size: u64,
    ) -> Result<()> {
        let open = self.fds.file(fd, Rights::FD_FILESTAT_SET_SIZE)?;
        if size > MAX_OFFSET { Err(Errno::FBIG.into()) } else { Ok(open.file.set_size(size)?) }
    }

    pub(crate) fn fd_filestat_set_times(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        atim: u64,
        mtim: u64,
        flags: u32,
    ) -> Result<()> {
        let (atim, mtim) = set_times(atim, mtim, flags)?;
        let descriptor = self.fds.get(fd)?;
        if let Kind::File(_) | Kind::Dir(_) = descriptor.kind {
            descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
        }
        match &descriptor.kind {
            Kind::File(open) => Ok(open.file.set_times(atim, mtim)?),
            Kind::Dir(open) => Ok(open.dir.set_times(atim, mtim)?),
            _ => Err(Errno::BADF.into()),
        }
    }

    pub(crate) fn fd_prestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        out: u32,
    ) -> Result<()> {
        const DIR: u32 = 0;
        let len = self.preopen(fd)?.ok_or(Errno::BADF)?.len();
        memory.write_u32(out, DIR)?;
        memory.write_u32(out.wrapping_add(4), u32::try_from(len).map_err(|_| Errno::OVERFLOW)?)
    }

    pub(crate) fn fd_prestat_dir_name(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Result<()> {
        let name = self.preopen(fd)?.ok_or(Errno::NOTDIR)?;
        if name.len() > len as usize {
            Err(Errno::NAMETOOLONG.into())
        } else {
            memory.write(path, name.as_bytes())
        }
    }

    /// The guest's name for a directory that was granted at the start.
    fn preopen(&self, fd: u32) -> Result<Option<&str>> {
        match &self.fds.get(fd)?.kind {
            Kind::Dir(dir) => Ok(dir.preopen.as_deref()),
            _ => Ok(None),
        }
    }

    pub(crate) fn fd_renumber(
        &mut self,
        _: &mut GuestMemory<'_>,
        from: u32,
        to: u32,
    ) -> Result<()> {
        Ok(self.fds.renumber(from, to)?)
    }

    pub(crate) fn fd_seek(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        whence: u32,
        out: u32,
    ) -> Result<()> {
        let offset = offset.cast_signed();
        // Asking for the position is less than moving it.
        let right = if (offset, whence) == (0, 1) { Rights::FD_TELL } else { Rights::FD_SEEK };
        let open = self.fds.seekable(fd, right)?;
        let from = match whence {
            0 => 0,
            1 => open.position,
            2 => open.file.metadata()?.size,
            _ => return Err(Errno::INVAL.into()),
        };
        let position =
            from.checked_add_signed(offset).filter(|at| *at <= MAX_OFFSET).ok_or(Errno::INVAL)?;
        memory.write_u64(out, position)?;
        open.position = position;
        Ok(())
    }

    pub(crate) fn fd_tell(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        out: u32,
    ) -> Result<()> {
        memory.write_u64(out, self.fds.seekable(fd, Rights::FD_TELL)?.position)
    }

    pub(crate) fn sock_shutdown(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        how: u32,
    ) -> Result<()> {
        let descriptor = self.fds.get(fd)?;
        let Kind::Socket(socket) = &descriptor.kind else {
            return Err(Errno::NOTSOCK.into());
        };
        descriptor.require(Rights::SOCK_SHUTDOWN)?;
        let how = match how {
            1 => Shutdown::Read,
            2 => Shutdown::Write,
            3 => Shutdown::Both,
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(socket.shutdown(how)?)
    }
}
