//! `wasi_snapshot_preview1`: the table of its functions, and how they get into a [`Linker`].

use kinglet::{Caller, Error, Extern, Linker, Result, Trap};

use crate::abi::GuestMemory;
use crate::ctx::{State, WasiCtx};
use crate::error::{BadPointer, Failure, Timeout};

/// The context of a guest, under the name that wasmtime has for it.
pub type WasiP1Ctx = WasiCtx;

/// The module that guests import the functions from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// Adds all functions of WASI preview 1 to a linker.
///
/// `get` finds the guest's context in the data of the store.
///
/// # Errors
///
/// If the linker has one of them already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    define_functions(linker, get)?;
    // This one has no result: it is the only function that never returns.
    linker.func_wrap(MODULE, "proc_exit", move |_: Caller<'_, T>, code: i32| -> Result<()> {
        Err(Error::i32_exit(code))
    })?;
    Ok(())
}

/// The same as [`add_to_linker`], under the name that wasmtime has for it.
pub use add_to_linker as add_to_linker_sync;

/// One row per function: its parameters, as the guest passes them. All but `proc_exit` return an error
/// code; results go where the last parameters point to. Each row is a method of [`WasiCtx`], in `calls`.
macro_rules! functions {
    ($consumer:ident) => { $consumer! {
        args_get(argv: i32, argv_buf: i32);
        args_sizes_get(argc: i32, argv_buf_size: i32);
        environ_get(environ: i32, environ_buf: i32);
        environ_sizes_get(count: i32, buf_size: i32);
        clock_res_get(id: i32, resolution: i32);
        clock_time_get(id: i32, precision: i64, time: i32);
        fd_advise(fd: i32, offset: i64, len: i64, advice: i32);
        fd_allocate(fd: i32, offset: i64, len: i64);
        fd_close(fd: i32);
        fd_datasync(fd: i32);
        fd_fdstat_get(fd: i32, stat: i32);
        fd_fdstat_set_flags(fd: i32, flags: i32);
        fd_fdstat_set_rights(fd: i32, base: i64, inheriting: i64);
        fd_filestat_get(fd: i32, stat: i32);
        fd_filestat_set_size(fd: i32, size: i64);
        fd_filestat_set_times(fd: i32, atim: i64, mtim: i64, flags: i32);
        fd_pread(fd: i32, iovs: i32, iovs_len: i32, offset: i64, nread: i32);
        fd_prestat_get(fd: i32, prestat: i32);
        fd_prestat_dir_name(fd: i32, path: i32, path_len: i32);
        fd_pwrite(fd: i32, iovs: i32, iovs_len: i32, offset: i64, nwritten: i32);
        fd_read(fd: i32, iovs: i32, iovs_len: i32, nread: i32);
        fd_readdir(fd: i32, buf: i32, buf_len: i32, cookie: i64, used: i32);
        fd_renumber(from: i32, to: i32);
        fd_seek(fd: i32, offset: i64, whence: i32, position: i32);
        fd_sync(fd: i32);
        fd_tell(fd: i32, position: i32);
        fd_write(fd: i32, iovs: i32, iovs_len: i32, nwritten: i32);
        path_create_directory(fd: i32, path: i32, path_len: i32);
        path_filestat_get(fd: i32, flags: i32, path: i32, path_len: i32, stat: i32);
        path_filestat_set_times(fd: i32, flags: i32, path: i32, path_len: i32, atim: i64, mtim: i64, fst_flags: i32);
        path_link(old_fd: i32, old_flags: i32, old_path: i32, old_len: i32, new_fd: i32, new_path: i32, new_len: i32);
        path_open(fd: i32, dirflags: i32, path: i32, path_len: i32, oflags: i32, base: i64, inheriting: i64, fdflags: i32, opened: i32);
        path_readlink(fd: i32, path: i32, path_len: i32, buf: i32, buf_len: i32, used: i32);
        path_remove_directory(fd: i32, path: i32, path_len: i32);
        path_rename(old_fd: i32, old_path: i32, old_len: i32, new_fd: i32, new_path: i32, new_len: i32);
        path_symlink(target: i32, target_len: i32, fd: i32, path: i32, path_len: i32);
        path_unlink_file(fd: i32, path: i32, path_len: i32);
        poll_oneoff(subscriptions: i32, events: i32, count: i32, nevents: i32);
        proc_raise(signal: i32);
        sched_yield();
        random_get(buf: i32, buf_len: i32);
        sock_accept(fd: i32, flags: i32, accepted: i32);
        sock_recv(fd: i32, iovs: i32, iovs_len: i32, flags: i32, nread: i32, roflags: i32);
        sock_send(fd: i32, iovs: i32, iovs_len: i32, flags: i32, nwritten: i32);
        sock_shutdown(fd: i32, how: i32);
    } };
}

macro_rules! function_list {
    ($( $name:ident( $($param:ident: $ty:ident),* ); )*) => {
        /// The functions of WASI preview 1 that are provided, with their types in WebAssembly's text format.
        pub const FUNCTIONS: &[(&str, &str)] = &[
            ("proc_exit", "(param i32)"),
            $( (stringify!($name), concat!("(param", $( " ", stringify!($ty), )* ") (result i32)")), )*
        ];
    };
}
functions!(function_list);

macro_rules! define_functions {
    ($( $name:ident( $($param:ident: $ty:ident),* ); )*) => {
        fn define_functions<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
        ) -> Result<()> {
            $( linker.func_wrap(
                MODULE,
                stringify!($name),
                move |mut caller: Caller<'_, T>, $($param: $ty),*| -> Result<i32> {
                    call(&mut caller, get, |state, memory| {
                        state.$name(memory, $($param.cast_unsigned()),*)
                    })
                },
            )?; )*
            Ok(())
        }
    };
}
functions!(define_functions);

/// Makes a call, again if it has to wait for something that other threads of the guest may bring about.
fn call<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    call: impl Fn(&mut State, &mut GuestMemory<'_>) -> Result<(), Failure>,
) -> Result<i32> {
    let mut waited = None;
    loop {
        let (ctx, (mut memory, found)) = split(caller, &get);
        let wait = match ctx.call(waited, |state| call(state, &mut memory)) {
            Ok(Err(wait)) => wait,
            Ok(Ok(())) => return Ok(0),
            Err(failure) => return finish(failure, found),
        };
        loop {
            if caller.interrupted() {
                return Err(Trap::Interrupt.into());
            }
            match wait.slice() {
                Ok(true) => break,
                Ok(false) => {}
                Err(failure) => return finish(failure, true),
            }
        }
        waited = Some(wait);
    }
}

/// The guest's context and its memory, and whether it has one.
fn split<'a, T: 'static>(
    caller: &'a mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
) -> (&'a mut WasiCtx, (GuestMemory<'a>, bool)) {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => {
            let (bytes, data) = memory.data_and_store_mut(caller);
            (get(data), (GuestMemory::Own(bytes), true))
        }
        Some(Extern::SharedMemory(memory)) => {
            (get(caller.data_mut()), (GuestMemory::Shared(memory), true))
        }
        _ => (get(caller.data_mut()), (GuestMemory::Own(&mut []), false)),
    }
}

/// What the guest gets for a call that does not succeed.
fn finish(failure: Failure, has_memory: bool) -> Result<i32> {
    match failure {
        Failure::Errno(errno) => Ok(errno.code().into()),
        Failure::OutOfBounds if has_memory => Err(Error::new(BadPointer::OutOfBounds)),
        Failure::OutOfBounds => Err(Error::new(BadPointer::NoMemory)),
        Failure::Timeout => Err(Error::new(Timeout)),
        Failure::Exit(code) => Err(Error::i32_exit(code)),
        Failure::Wait(_) => unreachable!("calls that wait are made again"),
    }
}
