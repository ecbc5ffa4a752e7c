//! Bytes that stay where they are, with several users: binaries and artifacts, of which modules keep ranges instead of copies.

use crate::{Shared, index::out_of_range};
use alloc::{boxed::Box, vec};
use core::{
    fmt,
    ops::{Deref, Index},
    slice::SliceIndex,
};

/// Bytes in the heap, in the program itself (flash, on a small device), or wherever else their owner keeps them, such as in a mapped
/// file. Clones are the same bytes.
#[derive(Clone)]
pub struct Bytes(Owner);

#[derive(Clone)]
enum Owner {
    Static(&'static [u8]),
    Shared(Shared<dyn AsRef<[u8]> + Send + Sync>),
}

impl Bytes {
    /// Bytes that are part of the program.
    pub const fn from_static(bytes: &'static [u8]) -> Bytes {
        Bytes(Owner::Static(bytes))
    }

    /// The bytes of an owner. It is expected to give the same ones whenever it is asked.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Bytes {
        Bytes(Owner::Shared(Shared::new(owner)))
    }

    /// A copy of these bytes that begins at a multiple of [`Bytes::ALIGN`].
    pub fn aligned(bytes: &[u8]) -> Bytes {
        let mut buffer = vec![0; bytes.len() + Bytes::ALIGN - 1].into_boxed_slice();
        let start = buffer.as_ptr().addr().wrapping_neg() % Bytes::ALIGN;
        let end = start + bytes.len();
        buffer[start..end].copy_from_slice(bytes);
        Bytes::new(Aligned { buffer, start, end })
    }

    /// What all sections of an artifact are aligned to, at most.
    pub const ALIGN: usize = 16;
}

/// A part of a buffer, which is larger so that the part can begin where it should.
struct Aligned {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Owner::Static(bytes) => bytes,
            Owner::Shared(owner) => (**owner).as_ref(),
        }
    }
}

impl<I: SliceIndex<[u8]>> Index<I> for Bytes {
    type Output = I::Output;

    #[cfg_attr(feature = "std", track_caller)]
    fn index(&self, index: I) -> &I::Output {
        match self.get(index) {
            Some(bytes) => bytes,
            None => out_of_range(),
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::from_static(&[])
    }
}

impl From<Box<[u8]>> for Bytes {
    fn from(bytes: Box<[u8]>) -> Bytes {
        Bytes::new(bytes)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
