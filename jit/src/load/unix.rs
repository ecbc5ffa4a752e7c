//! Unix.

use std::{io, ptr};

/// All pages are written anyway: they had better be there than be missed one by one.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL_AT_ONCE: libc::c_int = libc::MAP_POPULATE;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
const ALL_AT_ONCE: libc::c_int = 0;

/// Maps memory, writes code to it, and makes it executable.
pub(super) fn map(code: &[u8]) -> io::Result<*mut u8> {
    let (len, anonymous) = (code.len().max(1), libc::MAP_PRIVATE | libc::MAP_ANON);
    #[cfg(target_vendor = "apple")]
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, anonymous | libc::MAP_JIT);
    #[cfg(not(target_vendor = "apple"))]
    let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, anonymous | ALL_AT_ONCE);
    // SAFETY: a new mapping, at an address that is free.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let base = base.cast::<u8>();
    // SAFETY: `base` is our new mapping, of at least `code.len()` bytes.
    let written = unsafe { write(base, code) };
    if let Err(error) = written {
        // SAFETY: nobody else has seen the mapping.
        unsafe { unmap(base, code.len()) };
        return Err(error);
    }
    Ok(base)
}

/// # Safety
/// `base` must be a mapping as [`map`] makes it, that nobody else has seen.
#[cfg(target_vendor = "apple")]
unsafe fn write(base: *mut u8, code: &[u8]) -> io::Result<()> {
    unsafe extern "C" {
        fn sys_icache_invalidate(start: *mut libc::c_void, len: usize);
        #[cfg(target_arch = "aarch64")]
        fn pthread_jit_write_protect_np(enabled: libc::c_int);
    }
    // SAFETY: this thread alone may write to such memory, and only in between; all code there can be executed by it again
    // afterwards.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        pthread_jit_write_protect_np(0);
        base.copy_from_nonoverlapping(code.as_ptr(), code.len());
        #[cfg(target_arch = "aarch64")]
        pthread_jit_write_protect_np(1);
        sys_icache_invalidate(base.cast(), code.len());
    }
    // Other processors than Apple's know no memory that is writable for one thread: there it is as everywhere else.
    #[cfg(not(target_arch = "aarch64"))]
    // SAFETY: as promised.
    unsafe {
        protect(base, code.len())?;
    }
    Ok(())
}

/// # Safety
/// `base` must be a mapping as [`map`] makes it, that nobody else has seen.
#[cfg(not(target_vendor = "apple"))]
unsafe fn write(base: *mut u8, code: &[u8]) -> io::Result<()> {
    // SAFETY: the mapping is long enough, and nobody else has it.
    unsafe {
        base.copy_from_nonoverlapping(code.as_ptr(), code.len());
        protect(base, code.len())
    }
}

/// # Safety
/// `base` must be a mapping of our own, of so many bytes.
#[cfg(not(all(target_vendor = "apple", target_arch = "aarch64")))]
unsafe fn protect(base: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the mapping is ours, and is not written any more.
    let done =
        unsafe { libc::mprotect(base.cast(), len.max(1), libc::PROT_READ | libc::PROT_EXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// # Safety
/// The arguments must be what [`map`] gave and was given, and nobody may use the memory any more.
pub(super) unsafe fn unmap(base: *mut u8, len: usize) {
    // SAFETY: as promised.
    unsafe { libc::munmap(base.cast(), len.max(1)) };
}

/// The stack of this thread: its lowest address, and the one behind its highest.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn stack_bounds() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut bottom, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the attributes are used if the first call has initialised them, and destroyed then.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let got = libc::pthread_attr_getstack(attributes.as_ptr(), &mut bottom, &mut size) == 0
            && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        // Some C libraries count the guard as part of the stack.
        got.then(|| (bottom.addr() + guard, bottom.addr() + size))
    }
}

/// The stack of this thread: its lowest address, and the one behind its highest.
#[cfg(target_vendor = "apple")]
pub(super) fn stack_bounds() -> Option<(usize, usize)> {
    // SAFETY: they answer for the calling thread.
    let (top, size) = unsafe {
        let this = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(this).addr(), libc::pthread_get_stacksize_np(this))
    };
    Some((top.checked_sub(size)?, top))
}

/// Not known here.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn stack_bounds() -> Option<(usize, usize)> {
    None
}
