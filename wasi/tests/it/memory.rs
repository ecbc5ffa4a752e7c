//! Pointers and lengths that guests make up.

use kinglet::{Engine, Linker, Module, Store, Val};
use kinglet_wasi::{BadPointer, Errno, FsPerms, MemFs, WasiCtxBuilder, p1};

use crate::guest::*;

const END: u32 = MEMORY_SIZE as u32;

/// Calls a function that is expected to end the guest because of a bad pointer.
macro_rules! out_of_bounds {
    ($guest:ident.$name:ident($($arg:expr),* $(,)?)) => {
        match $guest.try_call(stringify!($name), &[$( Arg::val($arg) ),*]) {
            Err(error) => assert_eq!(error.downcast_ref(), Some(&BadPointer::OutOfBounds), "{error}"),
            Ok(result) => panic!("{} returned {result:?}", stringify!($name)),
        }
    };
}

fn guest() -> Guest {
    let mut builder = WasiCtxBuilder::new();
    builder.args(["prog"]).env("A", "B");
    builder.preopened_fs(Box::new(MemFs::new(1 << 20)), "/", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build());
    guest.create("file", b"contents");
    guest.symlink("file", "link").unwrap();
    guest
}

#[test]
fn pointers_out_of_bounds_end_the_guest() {
    let mut guest = guest();
    let fd = guest.open("file", 0, READ_WRITE).unwrap();
    for bad in [END, END - 1, u32::MAX, u32::MAX - 3, 1 << 31] {
        out_of_bounds!(guest.args_get(bad, 0u32));
        out_of_bounds!(guest.args_get(0u32, bad));
        out_of_bounds!(guest.args_sizes_get(0u32, bad));
        out_of_bounds!(guest.environ_get(bad, 0u32));
        out_of_bounds!(guest.environ_sizes_get(bad, 0u32));
        out_of_bounds!(guest.clock_time_get(0u32, 0u64, bad));
        out_of_bounds!(guest.clock_res_get(0u32, bad));
        out_of_bounds!(guest.fd_fdstat_get(fd, bad));
        out_of_bounds!(guest.fd_filestat_get(fd, bad));
        out_of_bounds!(guest.fd_prestat_get(ROOT, bad));
        out_of_bounds!(guest.fd_seek(fd, 0u64, 0u32, bad));
        out_of_bounds!(guest.fd_tell(fd, bad));
        out_of_bounds!(guest.fd_read(fd, bad, 1u32, 0u32));
        out_of_bounds!(guest.fd_write(fd, bad, 1u32, 0u32));
        out_of_bounds!(guest.fd_readdir(ROOT, 0u32, 100u32, 0u64, bad));
        out_of_bounds!(guest.fd_readdir(ROOT, bad, 100u32, 0u64, 0u32));
        out_of_bounds!(guest.path_create_directory(ROOT, bad, 3u32));
        out_of_bounds!(guest.path_create_directory(ROOT, DATA, bad));
        out_of_bounds!(guest.path_open(ROOT, 0u32, 0u32, 1u32, 0u32, 0u64, 0u64, 0u32, bad));
        out_of_bounds!(guest.poll_oneoff(bad, 0u32, 1u32, 0u32));
        out_of_bounds!(guest.poll_oneoff(0u32, bad, 1u32, 0u32));
        out_of_bounds!(guest.poll_oneoff(0u32, 0u32, 1u32, bad));
        out_of_bounds!(guest.random_get(bad, 10u32));
    }
    out_of_bounds!(guest.random_get(0u32, END + 1));
    // An error that is found before the pointer is looked at is one.
    assert_eq!(wasi!(guest.fd_read(99u32, u32::MAX, 1u32, 0u32)), Err(Errno::BADF));
    // The guest can be called again, and nothing has been done.
    assert_eq!(guest.read(fd, 100), Ok(b"contents".to_vec()));
}

#[test]
fn lengths_out_of_bounds_end_the_guest() {
    let mut guest = guest();
    let fd = guest.open("file", 0, READ_WRITE).unwrap();
    let stdin = 0;
    for (ptr, len) in [
        (0, END + 1),
        (DATA, END),
        (END, 1),
        (0, u32::MAX),
        (u32::MAX, 2),
        (1, u32::MAX),
        (1 << 31, 1 << 31),
    ] {
        for fd in [fd, stdin, 1] {
            if fd != 1 {
                let iovec = guest.iovec(ptr, len);
                out_of_bounds!(guest.fd_read(fd, iovec, 1u32, 0u32));
            }
            if fd != stdin {
                let iovec = guest.iovec(ptr, len);
                out_of_bounds!(guest.fd_write(fd, iovec, 1u32, 0u32));
            }
        }
        let iovec = guest.iovec(ptr, len);
        out_of_bounds!(guest.fd_pread(fd, iovec, 1u32, 0u64, 0u32));
        let iovec = guest.iovec(ptr, len);
        out_of_bounds!(guest.fd_pwrite(fd, iovec, 1u32, 0u64, 0u32));
    }
    assert_eq!(guest.read(fd, 100), Ok(b"contents".to_vec()));
}

#[test]
fn arrays_of_buffers() {
    let mut guest = guest();
    let fd = guest.open("file", 0, READ_WRITE).unwrap();
    // Their number is limited, however much there is behind the pointer.
    for count in [1025, 1 << 29, u32::MAX] {
        assert_eq!(wasi!(guest.fd_read(fd, 0u32, count, 0u32)), Err(Errno::INVAL));
        assert_eq!(wasi!(guest.fd_write(fd, 0u32, count, 0u32)), Err(Errno::INVAL));
    }
    guest.poke(2048, &[0; 8 * 1024]);
    assert_eq!(wasi!(guest.fd_read(fd, 2048u32, 1024u32, 0u32)), Ok(()));
    assert_eq!(guest.u32(0), 0);
    assert_eq!(wasi!(guest.fd_read(fd, 0u32, 0u32, 0u32)), Ok(()));
    out_of_bounds!(guest.fd_read(fd, END - 8, 2u32, 0u32));
    // Nor may the sum of their lengths be more than a result can say, though each is in bounds.
    let all: Vec<u8> = [0u32.to_le_bytes(), END.to_le_bytes()].concat();
    let many = all.repeat(1024);
    guest.poke(2048, &many);
    assert_eq!(wasi!(guest.fd_write(1u32, 2048u32, 1024u32, 0u32)), Ok(()), "256 MiB to nowhere");
    assert_eq!(guest.u32(0), END * 1024);
}

#[test]
fn pointers_need_not_be_aligned() {
    let mut guest = guest();
    guest.poke(101, &[DATA.to_le_bytes(), 3u32.to_le_bytes()].concat());
    assert_eq!(wasi!(guest.fd_write(1u32, 101u32, 1u32, 203u32)), Ok(()));
    assert_eq!(guest.u32(203), 3);
}

#[test]
fn a_module_without_memory() {
    let engine = Engine::default();
    let module = Module::new(&engine, wat(false)).unwrap();
    let mut linker = Linker::new(&engine);
    p1::add_to_linker(&mut linker, |ctx| ctx).unwrap();
    let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let mut result = [Val::I32(-1)];
    instance
        .get_func(&mut store, "sched_yield")
        .unwrap()
        .call(&mut store, &[], &mut result)
        .unwrap();
    assert_eq!(result[0].i32(), Some(0));
    let function = instance.get_func(&mut store, "fd_tell").unwrap();
    function.call(&mut store, &[Val::I32(9), Val::I32(0)], &mut result).unwrap();
    assert_eq!(result[0].i32(), Some(Errno::BADF.code().into()));
    let function = instance.get_func(&mut store, "random_get").unwrap();
    let error = function.call(&mut store, &[Val::I32(0), Val::I32(1)], &mut result).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&BadPointer::NoMemory));
}

/// Calls everything with anything. That nothing panics, hangs or gets out is all that can be said about it.
#[test]
fn arbitrary_arguments() {
    const I32: [u32; 16] = [
        0,
        1,
        2,
        3,
        4,
        5,
        8,
        100,
        1024,
        DATA,
        END - 8,
        END,
        1 << 28,
        1 << 31,
        u32::MAX - 1,
        u32::MAX,
    ];
    const I64: [u64; 10] =
        [0, 1, 2, READ_WRITE, 1000, 1 << 20, 1 << 62, 1 << 63, u64::MAX - 1, u64::MAX];
    const PATHS: [&str; 8] = ["a", "b/", "..", "../x", "a/b", ".", "/", "b/../../y"];
    let parent = tempfile::tempdir().unwrap();
    let mut state = 1u64;
    let mut pick = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut errors = 0;
    for round in 0..40 {
        let mut builder = WasiCtxBuilder::new();
        builder.deterministic(round).args(["a", "b"]).env("K", "V").max_descriptors(20);
        let dir = parent.path().join(round.to_string());
        std::fs::create_dir(&dir).unwrap();
        builder.preopened_dir(&dir, "/", FsPerms::ReadWrite).unwrap();
        builder.preopened_fs(Box::new(MemFs::new(1 << 16)), "/mem", FsPerms::ReadWrite).unwrap();
        builder.preopened_fs(Box::new(MemFs::new(1 << 16)), "/ro", FsPerms::ReadOnly).unwrap();
        builder.deadline(std::time::Instant::now() + std::time::Duration::from_secs(20));
        let mut guest = Guest::new(builder.build());
        for _ in 0..400 {
            let path = PATHS[pick(PATHS.len())];
            guest.poke(DATA, path.as_bytes());
            let words: Vec<u8> = (0..64).flat_map(|_| I32[pick(I32.len())].to_le_bytes()).collect();
            guest.poke(0, &words);
            let (name, ty) = p1::FUNCTIONS[pick(p1::FUNCTIONS.len())];
            let params = ty.split(')').next().unwrap().split_whitespace().skip(1);
            let mut args: Vec<Val> = params
                .map(|ty| match ty {
                    "i32" => I32[pick(I32.len())].val(),
                    _ => I64[pick(I64.len())].val(),
                })
                .collect();
            // Now and then a path that is one, for a descriptor that is one.
            if name.starts_with("path_") && pick(4) > 0 {
                let at = usize::from(name == "path_open" || name.starts_with("path_filestat"));
                args[0] = (ROOT + pick(3) as u32).val();
                args[at + 1] = DATA.val();
                args[at + 2] = (path.len() as u32).val();
            }
            if !matches!(guest.try_call(name, &args), Ok(Ok(()))) {
                errors += 1;
            }
        }
    }
    assert!((8_000..16_000).contains(&errors), "some calls work: {errors} errors");
    let escaped = std::fs::read_dir(parent.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .find(|name| name.to_str().and_then(|name| name.parse::<u32>().ok()).is_none());
    assert_eq!(escaped, None);
}
