//! A guest that does what the test says: its module imports all functions of WASI, and exports for each
//! a function that calls it.

use std::fmt::Write;

use kinglet::{Engine, Error, Instance, Linker, Memory, Module, Store, Val};
use kinglet_wasi::{Errno, FsPerms, MemFs, WasiCtx, WasiCtxBuilder, p1};
use tempfile::TempDir;

pub(crate) const READ: u64 = 1 << 1;
pub(crate) const WRITE: u64 = 1 << 6;
pub(crate) const READ_WRITE: u64 = READ | WRITE;

pub(crate) const CREAT: u32 = 1;
pub(crate) const DIRECTORY: u32 = 2;
pub(crate) const EXCL: u32 = 4;
pub(crate) const TRUNC: u32 = 8;

pub(crate) const APPEND: u32 = 1;
pub(crate) const NONBLOCK: u32 = 4;

pub(crate) const FOLLOW: u32 = 1;
pub(crate) const NO_FOLLOW: u32 = 0;

/// The first descriptor that was granted.
pub(crate) const ROOT: u32 = 3;

/// Where results go; arguments go behind them.
const OUT: u32 = 16;
const ARGS: u32 = 1024;
/// Where data goes.
pub(crate) const DATA: u32 = 0x1_0000;
pub(crate) const MEMORY_SIZE: usize = 4 * 0x1_0000;

pub(crate) type Result<T> = core::result::Result<T, Errno>;

pub(crate) struct Guest {
    pub(crate) store: Store<WasiCtx>,
    instance: Instance,
    memory: Memory,
    /// Where the next argument goes.
    top: u32,
}

/// An argument of a call.
pub(crate) trait Arg {
    fn val(self) -> Val;
}

impl Arg for u32 {
    fn val(self) -> Val {
        Val::I32(self as i32)
    }
}

impl Arg for u64 {
    fn val(self) -> Val {
        Val::I64(self as i64)
    }
}

/// Calls a function by name. An error code is an `Err`; that the guest ends is a panic.
macro_rules! wasi {
    ($guest:ident.$name:ident($($arg:expr),* $(,)?)) => {
        $guest.call(stringify!($name), &[$( $crate::guest::Arg::val($arg) ),*])
    };
}
pub(crate) use wasi;

impl Guest {
    pub(crate) fn new(ctx: WasiCtx) -> Guest {
        let engine = Engine::default();
        let module = Module::new(&engine, wat(true)).expect("the module is valid");
        let mut linker = Linker::new(&engine);
        p1::add_to_linker(&mut linker, |ctx| ctx).expect("nothing is in the linker");
        let mut store = Store::new(&engine, ctx);
        let instance = linker.instantiate(&mut store, &module).expect("all is linked");
        let memory = instance.get_memory(&mut store, "memory").expect("it has a memory");
        Guest { store, instance, memory, top: ARGS }
    }

    /// A guest with an empty directory of the host.
    pub(crate) fn with_dir() -> (Guest, TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let guest = Guest::granted(dir.path(), FsPerms::ReadWrite);
        (guest, dir)
    }

    pub(crate) fn granted(path: &std::path::Path, perms: FsPerms) -> Guest {
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_dir(path, "/", perms).expect("it can be opened");
        Guest::new(builder.build())
    }

    pub(crate) fn with_mem_fs(fs: &MemFs, perms: FsPerms) -> Guest {
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_fs(Box::new(fs.clone()), "/", perms).expect("it has a root");
        Guest::new(builder.build())
    }

    /// Runs `test` with an empty directory of the host, and one in memory.
    pub(crate) fn each(test: impl Fn(&mut Guest)) {
        let (mut guest, _dir) = Guest::with_dir();
        test(&mut guest);
        test(&mut Guest::with_mem_fs(&MemFs::new(1 << 20), FsPerms::ReadWrite));
    }

    pub(crate) fn try_call(
        &mut self,
        name: &str,
        args: &[Val],
    ) -> core::result::Result<Result<()>, Error> {
        self.top = ARGS;
        let function = self.instance.get_func(&mut self.store, name).expect(name);
        let mut results = [Val::I32(0)];
        let results = if name == "proc_exit" { &mut results[..0] } else { &mut results[..] };
        function.call(&mut self.store, args, results)?;
        Ok(match results {
            [Val::I32(0)] => Ok(()),
            [Val::I32(code)] => Err(Errno::from_code(*code as u16)),
            results => panic!("{name} returned {results:?}"),
        })
    }

    pub(crate) fn call(&mut self, name: &str, args: &[Val]) -> Result<()> {
        self.try_call(name, args).unwrap_or_else(|error| panic!("{name} ended the guest: {error}"))
    }

    pub(crate) fn bytes(&self, ptr: u32, len: usize) -> &[u8] {
        &self.memory.data(&self.store)[ptr as usize..][..len]
    }

    pub(crate) fn poke(&mut self, ptr: u32, bytes: &[u8]) {
        self.memory.data_mut(&mut self.store)[ptr as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn u32(&self, ptr: u32) -> u32 {
        u32::from_le_bytes(self.bytes(ptr, 4).try_into().expect("four bytes"))
    }

    pub(crate) fn u64(&self, ptr: u32) -> u64 {
        u64::from_le_bytes(self.bytes(ptr, 8).try_into().expect("eight bytes"))
    }

    /// Puts an argument into memory and returns where it is and how long.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> (u32, u32) {
        let at = self.top.next_multiple_of(8);
        self.poke(at, bytes);
        self.top = at + bytes.len() as u32;
        (at, bytes.len() as u32)
    }

    /// Puts an array with one `iovec` into memory.
    pub(crate) fn iovec(&mut self, ptr: u32, len: u32) -> u32 {
        self.put(&[ptr.to_le_bytes(), len.to_le_bytes()].concat()).0
    }

    pub(crate) fn open(&mut self, path: &str, oflags: u32, rights: u64) -> Result<u32> {
        self.open_at(ROOT, NO_FOLLOW, path, oflags, rights, 0)
    }

    pub(crate) fn open_at(
        &mut self,
        dir: u32,
        lookup: u32,
        path: &str,
        oflags: u32,
        rights: u64,
        fdflags: u32,
    ) -> Result<u32> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_open(dir, lookup, path, len, oflags, rights, 0u64, fdflags, OUT))?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<()> {
        wasi!(self.fd_close(fd))
    }

    pub(crate) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32> {
        self.poke(DATA, bytes);
        let iovec = self.iovec(DATA, bytes.len() as u32);
        wasi!(self.fd_write(fd, iovec, 1u32, OUT))?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>> {
        let iovec = self.iovec(DATA, len);
        wasi!(self.fd_read(fd, iovec, 1u32, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT) as usize).to_vec())
    }

    pub(crate) fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32> {
        self.poke(DATA, bytes);
        let iovec = self.iovec(DATA, bytes.len() as u32);
        wasi!(self.fd_pwrite(fd, iovec, 1u32, offset, OUT))?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Result<Vec<u8>> {
        let iovec = self.iovec(DATA, len);
        wasi!(self.fd_pread(fd, iovec, 1u32, offset, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT) as usize).to_vec())
    }

    pub(crate) fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64> {
        wasi!(self.fd_seek(fd, offset as u64, whence, OUT))?;
        Ok(self.u64(OUT))
    }

    /// Creates or replaces a file.
    pub(crate) fn create(&mut self, path: &str, contents: &[u8]) {
        let fd = self.open(path, CREAT | TRUNC, WRITE).expect(path);
        assert_eq!(self.write(fd, contents), Ok(contents.len() as u32));
        self.close(fd).expect(path);
    }

    pub(crate) fn contents(&mut self, path: &str) -> Result<Vec<u8>> {
        let fd = self.open_at(ROOT, FOLLOW, path, 0, READ, 0)?;
        let contents = self.read(fd, 0x1_0000);
        self.close(fd)?;
        contents
    }

    pub(crate) fn fdstat(&mut self, fd: u32) -> Result<FdStat> {
        wasi!(self.fd_fdstat_get(fd, OUT))?;
        Ok(FdStat {
            file_type: self.bytes(OUT, 1)[0],
            flags: u16::from_le_bytes(self.bytes(OUT + 2, 2).try_into().expect("two bytes")).into(),
            base: self.u64(OUT + 8),
            inheriting: self.u64(OUT + 16),
        })
    }

    pub(crate) fn set_rights(&mut self, fd: u32, base: u64, inheriting: u64) -> Result<()> {
        wasi!(self.fd_fdstat_set_rights(fd, base, inheriting))
    }

    pub(crate) fn filestat(&mut self, fd: u32) -> Result<Stat> {
        wasi!(self.fd_filestat_get(fd, OUT))?;
        Ok(self.stat_result())
    }

    pub(crate) fn stat(&mut self, path: &str, lookup: u32) -> Result<Stat> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_filestat_get(ROOT, lookup, path, len, OUT))?;
        Ok(self.stat_result())
    }

    fn stat_result(&self) -> Stat {
        Stat {
            dev: self.u64(OUT),
            ino: self.u64(OUT + 8),
            file_type: self.bytes(OUT + 16, 1)[0],
            nlink: self.u64(OUT + 24),
            size: self.u64(OUT + 32),
            atim: self.u64(OUT + 40),
            mtim: self.u64(OUT + 48),
        }
    }

    pub(crate) fn set_times(
        &mut self,
        path: &str,
        lookup: u32,
        atim: u64,
        mtim: u64,
        flags: u32,
    ) -> Result<()> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_filestat_set_times(ROOT, lookup, path, len, atim, mtim, flags))
    }

    pub(crate) fn mkdir(&mut self, path: &str) -> Result<()> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_create_directory(ROOT, path, len))
    }

    pub(crate) fn rmdir(&mut self, path: &str) -> Result<()> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_remove_directory(ROOT, path, len))
    }

    pub(crate) fn unlink(&mut self, path: &str) -> Result<()> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_unlink_file(ROOT, path, len))
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.rename_at(ROOT, from, ROOT, to)
    }

    pub(crate) fn rename_at(
        &mut self,
        from_dir: u32,
        from: &str,
        to_dir: u32,
        to: &str,
    ) -> Result<()> {
        let (from, from_len) = self.put(from.as_bytes());
        let (to, to_len) = self.put(to.as_bytes());
        wasi!(self.path_rename(from_dir, from, from_len, to_dir, to, to_len))
    }

    pub(crate) fn link(&mut self, from: &str, to: &str) -> Result<()> {
        self.link_at(ROOT, NO_FOLLOW, from, ROOT, to)
    }

    pub(crate) fn link_at(
        &mut self,
        from_dir: u32,
        lookup: u32,
        from: &str,
        to_dir: u32,
        to: &str,
    ) -> Result<()> {
        let (from, from_len) = self.put(from.as_bytes());
        let (to, to_len) = self.put(to.as_bytes());
        wasi!(self.path_link(from_dir, lookup, from, from_len, to_dir, to, to_len))
    }

    pub(crate) fn symlink(&mut self, target: &str, path: &str) -> Result<()> {
        let (target, target_len) = self.put(target.as_bytes());
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_symlink(target, target_len, ROOT, path, len))
    }

    pub(crate) fn readlink(&mut self, path: &str, room: u32) -> Result<Vec<u8>> {
        let (path, len) = self.put(path.as_bytes());
        wasi!(self.path_readlink(ROOT, path, len, DATA, room, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT) as usize).to_vec())
    }

    /// The entries from `cookie` on that fit into a buffer of `room` bytes, and whether that was all.
    pub(crate) fn readdir(
        &mut self,
        fd: u32,
        room: u32,
        cookie: u64,
    ) -> Result<(Vec<Entry>, bool)> {
        wasi!(self.fd_readdir(fd, DATA, room, cookie, OUT))?;
        let used = self.u32(OUT);
        let mut entries = Vec::new();
        let mut at = DATA;
        let end = DATA + used;
        while end - at >= 24 {
            let len = self.u32(at + 16);
            if end - at < 24 + len {
                break;
            }
            let name = String::from_utf8(self.bytes(at + 24, len as usize).to_vec())
                .expect("names are text");
            let file_type = self.bytes(at + 20, 1)[0];
            entries.push(Entry { next: self.u64(at), ino: self.u64(at + 8), file_type, name });
            at += 24 + len;
        }
        Ok((entries, used < room))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FdStat {
    pub(crate) file_type: u8,
    pub(crate) flags: u32,
    pub(crate) base: u64,
    pub(crate) inheriting: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) file_type: u8,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) next: u64,
    pub(crate) ino: u64,
    pub(crate) file_type: u8,
    pub(crate) name: String,
}

/// The text of the module.
pub(crate) fn wat(memory: bool) -> String {
    let mut wat = String::from("(module\n");
    for (name, ty) in p1::FUNCTIONS {
        writeln!(wat, "(import \"{}\" \"{name}\" (func ${name} {ty}))", p1::MODULE)
            .expect("a string");
    }
    if memory {
        writeln!(wat, "(memory (export \"memory\") {})", MEMORY_SIZE / 0x1_0000).expect("a string");
    }
    for (name, ty) in p1::FUNCTIONS {
        let params = ty.split(')').next().expect("there is one").split_whitespace().count() - 1;
        let gets: String = (0..params).map(|i| format!("(local.get {i}) ")).collect();
        writeln!(wat, "(func (export \"{name}\") {ty} (call ${name} {gets}))").expect("a string");
    }
    wat + ")"
}
