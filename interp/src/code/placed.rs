//! Code that stands in an artifact, and is run there.

use super::{Code, Function, Source};
use crate::{
    exec::regs::ENTRIES,
    handlers::Handlers,
    image::{self, Checked, Tables},
};
#[cfg(feature = "gc")]
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{
    ops::Range,
    sync::atomic::{AtomicPtr, AtomicU32},
};
#[cfg(feature = "gc")]
use kinglet_core::Shared;
use kinglet_core::{bytes::Bytes, error::Error, index::FuncIdx, module::Module};

/// The code of a module in an artifact.
pub(super) struct Placed {
    bytes: Bytes,
    /// The address that they were found at.
    address: usize,
    code: Range<usize>,
    tables: Range<usize>,
    /// The functions that the module defines.
    funcs: Range<u32>,
    /// What catches exceptions in the functions that catch any.
    handlers: Vec<(FuncIdx, Handlers)>,
    #[cfg(feature = "gc")]
    references: Box<image::References>,
}

impl Code {
    /// The code of a module that has been read from an artifact: it stands at `code` there, and its side tables at `tables`.
    ///
    /// # Errors
    /// Something is wrong with it, or this build does not have all ops that it uses.
    pub fn placed(
        module: &Module,
        code: Range<usize>,
        tables: Range<usize>,
        metered: bool,
    ) -> Result<Code, Error> {
        let owner = module.wasm.clone();
        // Looked up once: what is checked is what is run, whatever the owner answers when it is asked again.
        let bytes = &*owner;
        let (region, side) = match (bytes.get(code.clone()), bytes.get(tables.clone())) {
            (Some(region), Some(side)) => (region, Tables::new(side, tables.start)?),
            _ => return Err(Error::invalid("invalid artifact: its code is cut off", bytes.len())),
        };
        let base = region.as_ptr();
        if base.addr() % align_of::<u32>() != 0 {
            return Err(Error::msg(
                "an artifact has to stand at an address that is a multiple of 4",
            ));
        }
        let origin = code.start;
        let checked = image::check(module, image::Code { bytes: region, origin }, &side, metered)?;
        let Checked { handlers, .. } = checked;
        let (frame_size, address) = (side.frame_size(), bytes.as_ptr().addr());
        let funcs = module.imported_funcs..module.funcs.len() as u32;
        Ok(Code {
            metered,
            base: AtomicPtr::new(base.cast_mut()),
            frame_size: AtomicU32::new(frame_size),
            source: Source::Placed(Placed {
                bytes: owner,
                address,
                code,
                tables,
                funcs,
                handlers,
                #[cfg(feature = "gc")]
                references: Box::new(checked.references),
            }),
        })
    }
}

impl Placed {
    /// The artifact.
    ///
    /// # Panics
    /// If its owner has others now. Those at the same address are the same, for they cannot change while they are shared.
    fn bytes(&self) -> &[u8] {
        let bytes = &*self.bytes;
        assert!(bytes.as_ptr().addr() == self.address, "the bytes of an artifact are other ones");
        bytes
    }

    /// What `f` makes of the function whose code is at this offset, and of what catches exceptions in it.
    pub(super) fn function<R>(
        &self,
        at: u32,
        f: impl FnOnce(&Function, Option<&Handlers>) -> R,
    ) -> Option<R> {
        let bytes = self.bytes();
        let code = bytes.get(self.code.clone())?;
        let start = |func: u32| {
            let entry = ENTRIES + 4 * func as usize;
            let bytes = code.get(entry..entry + 4)?;
            bytes.try_into().ok().map(u32::from_le_bytes)
        };
        let (mut first, mut end) = (self.funcs.start, self.funcs.end);
        while first < end {
            let middle = first + (end - first) / 2;
            if start(middle)? <= at { first = middle + 1 } else { end = middle }
        }
        let func = FuncIdx(first.checked_sub(1).filter(|func| self.funcs.contains(func))?);
        let tables = Tables::new(bytes.get(self.tables.clone())?, 0).ok()?;
        let found = tables.function((func.0 - self.funcs.start) as usize);
        let header = found.header;
        let function = Function { start: start(func.0)?, func, header, saved_pin: found.saved_pin };
        let handlers = self.handlers.binary_search_by_key(&func, |(func, _)| *func).ok();
        Some(f(&function, handlers.map(|number| &self.handlers[number].1)))
    }

    /// Where a function has managed references, if it handles any.
    #[cfg(feature = "gc")]
    pub(super) fn stack_map(
        &self,
        module: &Module,
        func: FuncIdx,
    ) -> Result<Option<Shared<image::StackMap>>, Error> {
        let bytes = self.bytes();
        let code = image::Code { bytes: &bytes[self.code.clone()], origin: self.code.start };
        let tables = Tables::new(&bytes[self.tables.clone()], self.tables.start)?;
        self.references.stack_map(module, (code, tables), func)
    }
}
