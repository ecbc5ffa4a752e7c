//! wasm3, with the settings that it has for microcontrollers. What it wants of a C library beyond newlib's are `malloc` and its
//! like, which are the board's heap here.
#![no_std]
#![no_main]

use core::{
    alloc::Layout,
    ffi::{c_char, c_void},
    ptr,
};

extern crate alloc;
use alloc::alloc::{alloc_zeroed, dealloc};

board::firmware!(run);

/// A C string that says what is wrong, or null.
type M3Result = *const c_char;

unsafe extern "C" {
    fn m3_NewEnvironment() -> *mut c_void;
    fn m3_NewRuntime(environment: *mut c_void, stack: u32, data: *mut c_void) -> *mut c_void;
    fn m3_ParseModule(
        environment: *mut c_void,
        module: *mut *mut c_void,
        wasm: *const u8,
        len: u32,
    ) -> M3Result;
    fn m3_LoadModule(runtime: *mut c_void, module: *mut c_void) -> M3Result;
    fn m3_FindFunction(
        func: *mut *mut c_void,
        runtime: *mut c_void,
        name: *const c_char,
    ) -> M3Result;
    fn m3_Call(func: *mut c_void, count: u32, args: *const *const c_void) -> M3Result;
    fn m3_GetResults(func: *mut c_void, count: u32, results: *const *mut c_void) -> M3Result;
}

fn run() -> bool {
    // SAFETY: the calls are those of `wasm3.h`, with pointers to what lives as long as they need it.
    sizes::measure(|n| unsafe { fib(n) }.unwrap_or(0))
}

/// # Safety
/// There is no other call.
unsafe fn fib(n: i32) -> Option<i32> {
    let right = |result: M3Result| result.is_null().then_some(());
    let (mut module, mut func, mut result) = (ptr::null_mut(), ptr::null_mut(), 0i32);
    // SAFETY: as above.
    unsafe {
        let environment = m3_NewEnvironment();
        let runtime = m3_NewRuntime(environment, 1024, ptr::null_mut());
        let wasm = sizes::FIB;
        right(m3_ParseModule(environment, &mut module, wasm.as_ptr(), wasm.len() as u32))?;
        right(m3_LoadModule(runtime, module))?;
        right(m3_FindFunction(&mut func, runtime, c"fib".as_ptr()))?;
        right(m3_Call(func, 1, [(&raw const n).cast()].as_ptr()))?;
        right(m3_GetResults(func, 1, [(&raw mut result).cast()].as_ptr()))?;
    }
    Some(result)
}

/// In front of what is allocated stands its size.
const HEADER: usize = 8;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size + HEADER, HEADER).unwrap_or(Layout::new::<u64>())
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: the layout is not empty, and has room for the header.
    unsafe {
        let start = alloc_zeroed(layout(size));
        if start.is_null() {
            return ptr::null_mut();
        }
        start.cast::<usize>().write(size);
        start.add(HEADER).cast()
    }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    count.checked_mul(size).map_or(ptr::null_mut(), |size| malloc(size))
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(allocated: *mut c_void) {
    if !allocated.is_null() {
        // SAFETY: `malloc` has made it.
        unsafe {
            let start = allocated.cast::<u8>().sub(HEADER);
            dealloc(start, layout(start.cast::<usize>().read()));
        }
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(allocated: *mut c_void, size: usize) -> *mut c_void {
    let new = malloc(size);
    if !allocated.is_null() && !new.is_null() {
        // SAFETY: `malloc` has made both.
        unsafe {
            let old = allocated.cast::<u8>().sub(HEADER).cast::<usize>().read();
            ptr::copy_nonoverlapping(allocated.cast::<u8>(), new.cast(), old.min(size));
            free(allocated);
        }
    }
    new
}

/// What wasm3 ends with if it finds itself wrong.
#[unsafe(no_mangle)]
extern "C" fn abort() -> ! {
    panic!("wasm3 gave up")
}
