//! Windows.

use std::{io, ptr};
use windows_sys::Win32::System::{
    Diagnostics::Debug::FlushInstructionCache,
    Memory::{
        MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_READWRITE, VirtualAlloc,
        VirtualFree, VirtualProtect,
    },
    Threading::{GetCurrentProcess, GetCurrentThreadStackLimits},
};

/// Maps memory, writes code to it, and makes it executable.
pub(super) fn map(code: &[u8]) -> io::Result<*mut u8> {
    let len = code.len().max(1);
    // SAFETY: new memory, at an address that is free.
    let base = unsafe { VirtualAlloc(ptr::null(), len, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
    if base.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut before = 0;
    // SAFETY: the memory is ours alone, and has so many bytes; it is not written any more afterwards.
    let done = unsafe {
        base.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len());
        VirtualProtect(base, len, PAGE_EXECUTE_READ, &mut before) != 0
            && FlushInstructionCache(GetCurrentProcess(), base, len) != 0
    };
    if !done {
        let error = io::Error::last_os_error();
        // SAFETY: nobody else has seen the memory.
        unsafe { unmap(base.cast(), len) };
        return Err(error);
    }
    Ok(base.cast())
}

/// # Safety
/// The arguments must be what [`map`] gave and was given, and nobody may use the memory any more.
pub(super) unsafe fn unmap(base: *mut u8, _: usize) {
    // SAFETY: as promised.
    unsafe { VirtualFree(base.cast(), 0, MEM_RELEASE) };
}

/// The stack of this thread: its lowest address, and the one behind its highest.
pub(super) fn stack_bounds() -> Option<(usize, usize)> {
    let (mut bottom, mut top) = (0, 0);
    // SAFETY: it writes to both.
    unsafe { GetCurrentThreadStackLimits(&mut bottom, &mut top) };
    // The last pages are the guard and what the system needs to handle its being reached.
    Some((bottom + (16 << 10), top))
}
