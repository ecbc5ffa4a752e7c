//! Standard input and output, and pipes in memory to stand in for them.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::PollHandle;

/// Where a guest's standard input comes from.
///
/// Anything that implements [`Read`] will do; its reads are taken not to block. A source that does block
/// implements this trait itself and has a [`poll_handle`](InputStream::poll_handle), so that deadlines hold.
pub trait InputStream: Send {
    /// Reads some bytes; 0 means the end.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Whether this is a terminal.
    fn is_terminal(&self) -> bool {
        false
    }

    /// What the host waits on until there is something to read.
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        None
    }
}

impl<R: Read + Send> InputStream for R {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buf)
    }
}

/// Where a guest's standard output or error goes.
///
/// Anything that implements [`Write`] will do; it is flushed after each write.
pub trait OutputStream: Send {
    /// Writes some bytes.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize>;

    /// Whether this is a terminal.
    fn is_terminal(&self) -> bool {
        false
    }

    /// What the host waits on until there is room to write.
    fn poll_handle(&self) -> Option<PollHandle<'_>> {
        None
    }
}

impl<W: Write + Send> OutputStream for W {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = Write::write(self, buf)?;
        self.flush()?;
        Ok(written)
    }
}

/// Input from memory. Clones share what is left to read.
#[derive(Clone, Debug, Default)]
pub struct MemoryInputPipe(Arc<Mutex<io::Cursor<Vec<u8>>>>);

impl MemoryInputPipe {
    /// A pipe that holds `contents` and then ends.
    pub fn new(contents: impl Into<Vec<u8>>) -> MemoryInputPipe {
        MemoryInputPipe(Arc::new(Mutex::new(io::Cursor::new(contents.into()))))
    }
}

impl Read for MemoryInputPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), buf)
    }
}

/// Output into memory. Clones share what was written.
#[derive(Clone, Debug)]
pub struct MemoryOutputPipe {
    written: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl MemoryOutputPipe {
    /// A pipe that takes up to `capacity` bytes; writing more is an error (`NOSPC`).
    pub fn new(capacity: usize) -> MemoryOutputPipe {
        MemoryOutputPipe { written: Arc::default(), capacity }
    }

    /// What was written.
    pub fn contents(&self) -> Vec<u8> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for MemoryOutputPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.capacity - written.len();
        if room == 0 && !buf.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = buf.len().min(room);
        written.extend_from_slice(&buf[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
