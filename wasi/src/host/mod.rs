//! The host: everything that calls the operating system.

mod clock;
mod dir;
mod file;
mod poll;
mod sock;
mod stdio;

pub(crate) use clock::{SystemClocks, after, realtime, until};
pub(crate) use dir::HostDir;
pub use poll::PollHandle;
pub(crate) use poll::{Interest, OwnedHandle, Readiness, poll, readable_bytes, sleep};
pub(crate) use sock::{Listener, Socket};
pub(crate) use stdio::{Stdin, Stdout, environment, os_bytes};

use std::io;

use crate::Errno;

/// The code of an error that came from the operating system, if it did.
#[cfg(unix)]
pub(crate) fn errno(error: &io::Error) -> Option<Errno> {
    use rustix::io::Errno as Os;
    Some(match Os::from_io_error(error)? {
        Os::TOOBIG => Errno::TOOBIG,
        Os::ACCESS => Errno::ACCES,
        Os::AGAIN => Errno::AGAIN,
        Os::ALREADY => Errno::ALREADY,
        Os::BADF => Errno::BADF,
        Os::BUSY => Errno::BUSY,
        Os::CONNABORTED => Errno::CONNABORTED,
        Os::CONNREFUSED => Errno::CONNREFUSED,
        Os::CONNRESET => Errno::CONNRESET,
        Os::DEADLK => Errno::DEADLK,
        Os::DQUOT => Errno::DQUOT,
        Os::EXIST => Errno::EXIST,
        Os::FAULT => Errno::FAULT,
        Os::FBIG => Errno::FBIG,
        Os::HOSTUNREACH => Errno::HOSTUNREACH,
        Os::ILSEQ => Errno::ILSEQ,
        Os::INPROGRESS => Errno::INPROGRESS,
        Os::INTR => Errno::INTR,
        Os::INVAL => Errno::INVAL,
        Os::IO => Errno::IO,
        Os::ISCONN => Errno::ISCONN,
        Os::ISDIR => Errno::ISDIR,
        Os::LOOP => Errno::LOOP,
        Os::MFILE => Errno::MFILE,
        Os::MLINK => Errno::MLINK,
        Os::MSGSIZE => Errno::MSGSIZE,
        Os::NAMETOOLONG => Errno::NAMETOOLONG,
        Os::NETDOWN => Errno::NETDOWN,
        Os::NETRESET => Errno::NETRESET,
        Os::NETUNREACH => Errno::NETUNREACH,
        Os::NFILE => Errno::NFILE,
        Os::NOBUFS => Errno::NOBUFS,
        Os::NODEV => Errno::NODEV,
        Os::NOENT => Errno::NOENT,
        Os::NOLCK => Errno::NOLCK,
        Os::NOMEM => Errno::NOMEM,
        Os::NOSPC => Errno::NOSPC,
        Os::NOSYS => Errno::NOSYS,
        Os::NOTCONN => Errno::NOTCONN,
        Os::NOTDIR => Errno::NOTDIR,
        Os::NOTEMPTY => Errno::NOTEMPTY,
        Os::NOTSOCK => Errno::NOTSOCK,
        Os::NOTSUP => Errno::NOTSUP,
        Os::NOTTY => Errno::NOTTY,
        Os::NXIO => Errno::NXIO,
        Os::OVERFLOW => Errno::OVERFLOW,
        Os::PERM => Errno::PERM,
        Os::PIPE => Errno::PIPE,
        Os::RANGE => Errno::RANGE,
        Os::ROFS => Errno::ROFS,
        Os::SPIPE => Errno::SPIPE,
        Os::STALE => Errno::STALE,
        Os::TIMEDOUT => Errno::TIMEDOUT,
        Os::TXTBSY => Errno::TXTBSY,
        Os::XDEV => Errno::XDEV,
        _ => return None,
    })
}

/// The code of an error that came from the operating system: found by its kind alone.
#[cfg(not(unix))]
pub(crate) fn errno(_: &io::Error) -> Option<Errno> {
    None
}
