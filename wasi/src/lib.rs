//! WASI preview 1 for [Kinglet](kinglet): files, clocks, random numbers, standard streams and sockets for
//! WebAssembly programs.
//!
//! All 46 functions of `wasi_snapshot_preview1`, synchronous. A program reaches what it was granted
//! and nothing else: there is no working directory, and paths do not lead out of the directories that were
//! [preopened](WasiCtxBuilder::preopened_dir), by `..`, absolute paths or symbolic links.
//!
//! ```
//! use kinglet::{Engine, Linker, Module, Store};
//! use kinglet_wasi::{FsPerms, I32Exit, MemoryOutputPipe, WasiCtx, WasiCtxBuilder};
//!
//! # fn main() -> kinglet::Result<()> {
//! # let wat = r#"(module
//! #     (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
//! #     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//! #     (memory (export "memory") 1)
//! #     (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
//! #     (func (export "_start")
//! #         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
//! #         (call $exit (i32.const 3))))"#;
//! # let host_directory = std::env::temp_dir();
//! let engine = Engine::default();
//! let module = Module::new(&engine, wat)?;
//! let mut linker: Linker<WasiCtx> = Linker::new(&engine);
//! kinglet_wasi::p1::add_to_linker(&mut linker, |ctx| ctx)?;
//!
//! let stdout = MemoryOutputPipe::new(4096);
//! let ctx = WasiCtxBuilder::new()
//!     .arg("prog")
//!     .stdout(stdout.clone())
//!     .preopened_dir(host_directory, "/data", FsPerms::ReadOnly)?
//!     .build();
//! let mut store = Store::new(&engine, ctx);
//! let instance = linker.instantiate(&mut store, &module)?;
//! let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
//!
//! let code = match start.call(&mut store, ()) {
//!     Ok(()) => 0,
//!     Err(error) => match error.downcast_ref::<I32Exit>() {
//!         Some(exit) => exit.0,
//!         None => return Err(error),
//!     },
//! };
//! assert_eq!(code, 3);
//! assert_eq!(stdout.contents(), b"hello\n");
//! # Ok(())
//! # }
//! ```
//!
//! # What differs from other runtimes
//!
//! - A pointer out of the guest's memory ends the guest with [`BadPointer`], as the specification has it.
//!   Pointers need not be aligned.
//! - The older module `wasi_unstable` is not provided: some of its types are laid out in another way.
//! - Rights are kept and can be narrowed by `fd_fdstat_set_rights`, never widened. A descriptor without `FD_READ`
//!   or `FD_WRITE` answers `BADF`, one without another right `NOTCAPABLE`, and a read-only grant `PERM`.
//! - Each grant is a file system of its own: renaming and linking from one to another is `XDEV`, even where they
//!   lie on one disk.
//! - Calls that wait (sleeping, reading a pipe, accepting a connection) end the guest with [`Timeout`] when the
//!   [deadline](WasiCtxBuilder::deadline) passes. On Windows this does not hold for standard input and output.

#![forbid(unsafe_code)]

mod abi;
mod builder;
mod calls;
mod clock;
mod ctx;
mod descriptor;
mod errno;
mod error;
mod fs;
mod host;
mod memfs;
pub mod p1;
mod path;
mod random;
mod stream;
pub mod threads;

pub use builder::WasiCtxBuilder;
pub use clock::{Clocks, DeterministicClocks};
pub use ctx::WasiCtx;
pub use errno::Errno;
pub use error::{BadPointer, Timeout};
pub use fs::{
    Advice, Dir, DirEntry, File, FileType, Fs, FsPerms, FsResult, MAX_PATH, Metadata, Node,
    OpenOptions, ReadDir, SetTime,
};
pub use host::PollHandle;
pub use kinglet::I32Exit;
pub use memfs::MemFs;
pub use p1::add_to_linker;
pub use random::{Random, SeededRandom, SystemRandom};
pub use stream::{InputStream, MemoryInputPipe, MemoryOutputPipe, OutputStream};
pub use threads::WasiThreadsCtx;
