//! Arguments, environment, clocks, random numbers, and the end.

use crate::Errno;
use crate::abi::GuestMemory;
use crate::ctx::State;
use crate::error::{Failure, Result};

impl State {
    pub(crate) fn args_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        argv: u32,
        buf: u32,
    ) -> Result<()> {
        write_strings(memory, &self.args, argv, buf)
    }

    pub(crate) fn args_sizes_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        argc: u32,
        size: u32,
    ) -> Result<()> {
        write_sizes(memory, &self.args, argc, size)
    }

    pub(crate) fn environ_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        environ: u32,
        buf: u32,
    ) -> Result<()> {
        write_strings(memory, &self.env, environ, buf)
    }

    pub(crate) fn environ_sizes_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        count: u32,
        size: u32,
    ) -> Result<()> {
        write_sizes(memory, &self.env, count, size)
    }

    pub(crate) fn clock_res_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        id: u32,
        out: u32,
    ) -> Result<()> {
        if id > 3 {
            return Err(Errno::INVAL.into());
        }
        memory.write_u64(out, self.clocks.resolution())
    }

    pub(crate) fn clock_time_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        id: u32,
        _precision: u64,
        out: u32,
    ) -> Result<()> {
        let time = match id {
            0 => self.clocks.realtime(),
            1 => self.clocks.monotonic(),
            2 => self.clocks.cpu_time(false)?,
            3 => self.clocks.cpu_time(true)?,
            _ => return Err(Errno::INVAL.into()),
        };
        memory.write_u64(out, time)
    }

    pub(crate) fn random_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        buf: u32,
        len: u32,
    ) -> Result<()> {
        // Gigabytes take seconds.
        const PIECE: u32 = 1 << 20;
        memory.check(buf, len)?;
        for at in (0..len).step_by(PIECE as usize) {
            memory.fill(buf + at, PIECE.min(len - at), |piece| {
                self.random.fill(piece)?;
                Ok(piece.len())
            })?;
            self.waiting().check()?;
        }
        Ok(())
    }

    pub(crate) fn sched_yield(&mut self, _: &mut GuestMemory<'_>) -> Result<()> {
        std::thread::yield_now();
        Ok(())
    }

    /// There are no handlers, so a signal does what it does by default: it is ignored, or ends the
    /// guest with the exit code that a shell reports. Nothing could wake the guest from a stop.
    pub(crate) fn proc_raise(&mut self, _: &mut GuestMemory<'_>, signal: u32) -> Result<()> {
        const CHLD: u32 = 16;
        const CONT: u32 = 17;
        const STOPS: std::ops::RangeInclusive<u32> = 18..=21;
        const URG: u32 = 22;
        const WINCH: u32 = 27;
        match signal {
            0 | CHLD | CONT | URG | WINCH => Ok(()),
            signal if STOPS.contains(&signal) => Err(Errno::NOTSUP.into()),
            1..=30 => Err(Failure::Exit(128 + signal as i32)),
            _ => Err(Errno::INVAL.into()),
        }
    }
}

/// Writes the strings with a NUL after each to `buf`, and pointers to them to `pointers`.
fn write_strings(
    memory: &mut GuestMemory<'_>,
    strings: &[Vec<u8>],
    mut pointers: u32,
    mut buf: u32,
) -> Result<()> {
    for string in strings {
        memory.write_u32(pointers, buf)?;
        pointers = pointers.checked_add(4).ok_or(Failure::OutOfBounds)?;
        memory.write(buf, string)?;
        buf = buf.checked_add(string.len() as u32).ok_or(Failure::OutOfBounds)?;
        memory.write(buf, &[0])?;
        buf = buf.checked_add(1).ok_or(Failure::OutOfBounds)?;
    }
    Ok(())
}

fn write_sizes(
    memory: &mut GuestMemory<'_>,
    strings: &[Vec<u8>],
    count: u32,
    size: u32,
) -> Result<()> {
    let total: usize = strings.iter().map(|string| string.len() + 1).sum();
    memory.write_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::OVERFLOW)?)?;
    memory.write_u32(size, u32::try_from(total).map_err(|_| Errno::OVERFLOW)?)
}
