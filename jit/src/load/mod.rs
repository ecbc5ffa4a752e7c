//! Memory that code runs from: written first, executable afterwards, never both at a time.

#![allow(unsafe_code, reason = "maps memory for code, and looks for the bounds of stacks")]

#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

use std::{io, slice};

/// The code of a module, where it runs.
#[derive(Debug)]
pub struct CodeMemory {
    /// Where it begins: at the beginning of a page.
    base: *mut u8,
    /// Bytes of code.
    len: usize,
}

// SAFETY: CODE: nothing is written once the constructor is done.
unsafe impl Send for CodeMemory {}
// SAFETY: as above.
unsafe impl Sync for CodeMemory {}

impl CodeMemory {
    /// Puts code in memory that it can run from.
    ///
    /// # Errors
    /// The operating system has no memory for it, or does not allow it.
    pub fn new(code: &[u8]) -> io::Result<CodeMemory> {
        let base = system::map(code)?;
        flush(base, code.len());
        Ok(CodeMemory { base, len: code.len() })
    }

    /// Where the code begins.
    #[inline]
    pub fn base(&self) -> *const u8 {
        self.base
    }

    /// The code.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: CODE: the mapping has so many bytes, which can be read, and are not written as long as it lives.
        unsafe { slice::from_raw_parts(self.base, self.len) }
    }

    /// The offset of an address in the code.
    #[inline]
    pub fn offset(&self, address: usize) -> Option<u32> {
        let offset = address.wrapping_sub(self.base.addr());
        (offset < self.len).then_some(offset as u32)
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: CODE: it is our mapping, and no instance has the code any more.
        unsafe { system::unmap(self.base, self.len) };
    }
}

/// Lets processors see code that has been written as data.
#[cfg(all(target_arch = "aarch64", unix, not(target_vendor = "apple")))]
fn flush(base: *const u8, len: usize) {
    // The smallest lines that any such processor has would do as well; it says how large its are.
    let ctr: u64;
    // SAFETY: reads a register that user code may read.
    unsafe { std::arch::asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack)) };
    let (data, code) = (4 << (ctr >> 16 & 15), 4 << (ctr & 15));
    let (start, end) = (base.addr(), base.addr() + len);
    // SAFETY: the instructions change no memory: they let caches agree on what it has.
    unsafe {
        for line in (start & !(data - 1)..end).step_by(data) {
            std::arch::asm!("dc cvau, {}", in(reg) line, options(nostack));
        }
        std::arch::asm!("dsb ish", options(nostack));
        for line in (start & !(code - 1)..end).step_by(code) {
            std::arch::asm!("ic ivau, {}", in(reg) line, options(nostack));
        }
        std::arch::asm!("dsb ish", "isb", options(nostack));
    }
}

/// Processors see what is written, or the operating system has seen to it.
#[cfg(not(all(target_arch = "aarch64", unix, not(target_vendor = "apple"))))]
fn flush(_: *const u8, _: usize) {}

/// The stack of this thread: its lowest address, and the one behind its highest; if that can be found out.
pub fn stack_bounds() -> Option<(usize, usize)> {
    system::stack_bounds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_there_and_runs() {
        #[cfg(target_arch = "x86_64")]
        let code = [0xb8, 42, 0, 0, 0, 0xc3];
        #[cfg(target_arch = "aarch64")]
        let code = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
        let memory = CodeMemory::new(&code).unwrap();
        assert_eq!(memory.bytes(), code);
        let start = memory.base().addr();
        assert_eq!((memory.offset(start), memory.offset(start + 2)), (Some(0), Some(2)));
        assert_eq!((memory.offset(start - 1), memory.offset(start + code.len())), (None, None));
        // SAFETY: it is a function without arguments that returns 42.
        let function: extern "C" fn() -> u32 = unsafe { std::mem::transmute(memory.base()) };
        assert_eq!(function(), 42);
    }

    #[test]
    fn nothing_is_code_as_well() {
        assert!(CodeMemory::new(&[]).unwrap().bytes().is_empty());
    }

    #[test]
    fn stacks_have_a_bottom() {
        let here = 0u8;
        let here = (&raw const here).addr();
        let (bottom, top) = stack_bounds().unwrap();
        assert!(bottom < here && here < top && top - bottom < 1 << 30);
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(|| {
                let here = 0u8;
                let room = (&raw const here).addr() - stack_bounds().unwrap().0;
                assert!(room > 200 << 10 && room < 300 << 10, "{room}");
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
