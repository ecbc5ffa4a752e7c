//! Arguments, environment, clocks, random numbers, and the end.

use std::time::{Duration, SystemTime};

use kinglet::{Error, Val};
use kinglet_wasi::{
    Clocks, Errno, I32Exit, MemoryInputPipe, MemoryOutputPipe, Random, Timeout, WasiCtxBuilder, p1,
};

use crate::guest::{DATA, Guest, wasi};

#[test]
fn all_functions_are_there() {
    assert_eq!(p1::FUNCTIONS.len(), 46);
    let mut names: Vec<_> = p1::FUNCTIONS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 46);
    // Whether their types are right shows when the guest's imports are matched with them.
    Guest::new(WasiCtxBuilder::new().build());
}

#[test]
fn contexts_can_go_to_another_thread() {
    let ctx = WasiCtxBuilder::new().arg("prog").build();
    let args = std::thread::spawn(move || {
        let mut guest = Guest::new(ctx);
        wasi!(guest.args_sizes_get(0u32, 4u32)).map(|()| guest.u32(0))
    });
    assert_eq!(args.join().unwrap(), Ok(1));
}

#[test]
fn arguments_and_environment() {
    let mut builder = WasiCtxBuilder::new();
    builder.args(["prog", "", "größer"]).env("A", "1").envs([("B", "x=y"), ("A", "2")]);
    let mut guest = Guest::new(builder.build());

    wasi!(guest.args_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (3, 5 + 1 + 9));
    wasi!(guest.args_get(0u32, DATA)).unwrap();
    assert_eq!([guest.u32(0), guest.u32(4), guest.u32(8)], [DATA, DATA + 5, DATA + 6]);
    assert_eq!(guest.bytes(DATA, 15), "prog\0\0größer\0".as_bytes());

    wasi!(guest.environ_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (2, 10));
    wasi!(guest.environ_get(0u32, DATA)).unwrap();
    assert_eq!(guest.bytes(DATA, 10), b"B=x=y\0A=2\0");
}

#[test]
fn nothing_is_inherited_unless_asked_for() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    wasi!(guest.args_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (0, 0));
    wasi!(guest.environ_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (0, 0));
    assert_eq!(wasi!(guest.fd_prestat_get(3u32, 0u32)), Err(Errno::BADF));
    assert_eq!(guest.read(0, 10), Ok(vec![]));
    assert_eq!(guest.write(1, b"gone"), Ok(4));

    let mut guest = Guest::new(WasiCtxBuilder::new().inherit_args().inherit_env().build());
    wasi!(guest.args_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!(guest.u32(0) as usize, std::env::args_os().count());
    wasi!(guest.environ_sizes_get(0u32, 4u32)).unwrap();
    assert_eq!(guest.u32(0) as usize, std::env::vars_os().count());
}

#[test]
fn real_clocks() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    let mut time = |id: u32| wasi!(guest.clock_time_get(id, 1u64, 0u32)).map(|()| guest.u64(0));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let realtime = time(0).unwrap();
    assert!(realtime.abs_diff(now) < 60_000_000_000, "{realtime} {now}");
    let first = time(1).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    assert!(time(1).unwrap() >= first + 2_000_000);
    if cfg!(unix) {
        time(2).unwrap();
        time(3).unwrap();
    }
    assert_eq!(time(4), Err(Errno::INVAL));
    for id in 0..4u32 {
        wasi!(guest.clock_res_get(id, 0u32)).unwrap();
        assert!((1..=1_000_000_000).contains(&guest.u64(0)));
    }
    assert_eq!(wasi!(guest.clock_res_get(4u32, 0u32)), Err(Errno::INVAL));
}

#[test]
fn deterministic_runs_are_the_same() {
    let run = |seed| {
        let mut guest = Guest::new(WasiCtxBuilder::new().deterministic(seed).build());
        let mut seen = Vec::new();
        for id in [0u32, 1, 1, 0] {
            wasi!(guest.clock_time_get(id, 0u64, 0u32)).unwrap();
            seen.push(guest.u64(0));
        }
        assert!(seen[1] < seen[2] && seen[0] < seen[3], "time passes");
        wasi!(guest.random_get(DATA, 61u32)).unwrap();
        (seen, guest.bytes(DATA, 64).to_vec())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).1, run(8).1);
    assert_eq!(run(7).1[61..], [0; 3], "no more than asked for");
}

#[test]
fn clocks_and_random_numbers_of_the_embedder() {
    struct Stopped;
    impl Clocks for Stopped {
        fn realtime(&mut self) -> u64 {
            17
        }

        fn monotonic(&mut self) -> u64 {
            18
        }
    }
    struct Empty;
    impl Random for Empty {
        fn fill(&mut self, buf: &mut [u8]) -> Result<(), Errno> {
            buf.fill(9);
            if buf.len() > 3 { Err(Errno::IO) } else { Ok(()) }
        }
    }
    let mut guest = Guest::new(WasiCtxBuilder::new().clocks(Stopped).random(Empty).build());
    let mut time = |id: u32| wasi!(guest.clock_time_get(id, 0u64, 0u32)).map(|()| guest.u64(0));
    assert_eq!(
        [0, 1, 2, 3].map(&mut time),
        [Ok(17), Ok(18), Err(Errno::NOTSUP), Err(Errno::NOTSUP)]
    );
    wasi!(guest.random_get(DATA, 3u32)).unwrap();
    assert_eq!(guest.bytes(DATA, 4), [9, 9, 9, 0]);
    assert_eq!(wasi!(guest.random_get(DATA, 4u32)), Err(Errno::IO));
}

#[test]
fn random_numbers() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    wasi!(guest.random_get(DATA, 32u32)).unwrap();
    let first = guest.bytes(DATA, 32).to_vec();
    assert_ne!(first, [0; 32]);
    wasi!(guest.random_get(DATA, 32u32)).unwrap();
    assert_ne!(guest.bytes(DATA, 32), first);
    wasi!(guest.random_get(DATA, 0u32)).unwrap();
    wasi!(guest.sched_yield()).unwrap();
}

fn end(guest: &mut Guest, name: &str, arg: u32) -> Error {
    match guest.try_call(name, &[Val::I32(arg as i32)]) {
        Err(error) => error,
        Ok(result) => panic!("{name} returned {result:?}"),
    }
}

#[test]
fn exit_codes() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    for code in [0, 1, 42, 255, 256, u32::MAX] {
        let error = end(&mut guest, "proc_exit", code);
        assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(code as i32)));
        assert!(error.to_string().contains(&format!("exit status {}", code as i32)), "{error}");
        assert!(error.downcast_ref::<Timeout>().is_none());
    }
    // The store is as good as before.
    wasi!(guest.sched_yield()).unwrap();
}

#[test]
fn signals() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    for ignored in [0u32, 16, 17, 22, 27] {
        assert_eq!(wasi!(guest.proc_raise(ignored)), Ok(()));
    }
    assert_eq!(end(&mut guest, "proc_raise", 6).downcast_ref::<I32Exit>(), Some(&I32Exit(134)));
    assert_eq!(end(&mut guest, "proc_raise", 9).downcast_ref::<I32Exit>(), Some(&I32Exit(137)));
    assert_eq!(wasi!(guest.proc_raise(18u32)), Err(Errno::NOTSUP));
    assert_eq!(wasi!(guest.proc_raise(31u32)), Err(Errno::INVAL));
}

#[test]
fn standard_streams() {
    let (stdout, stderr) = (MemoryOutputPipe::new(8), MemoryOutputPipe::new(100));
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(MemoryInputPipe::new("input")).stdout(stdout.clone()).stderr(stderr.clone());
    let mut guest = Guest::new(builder.build());
    assert_eq!(guest.read(0, 3), Ok(b"inp".to_vec()));
    assert_eq!(guest.read(0, 0), Ok(vec![]));
    assert_eq!(guest.read(0, 9), Ok(b"ut".to_vec()));
    assert_eq!(guest.read(0, 9), Ok(vec![]));
    assert_eq!(guest.write(2, b"trouble"), Ok(7));
    assert_eq!(stderr.contents(), b"trouble");

    // What is full takes what it can, then refuses.
    assert_eq!(guest.write(1, b"123456"), Ok(6));
    assert_eq!(guest.write(1, b"7890"), Ok(2));
    assert_eq!(guest.write(1, b"0"), Err(Errno::NOSPC));
    assert_eq!(stdout.contents(), b"12345678");

    // They go one way, and have no offsets.
    assert_eq!(guest.write(0, b"x"), Err(Errno::BADF));
    assert_eq!(guest.read(1, 1), Err(Errno::BADF));
    assert_eq!(guest.seek(1, 0, 1), Err(Errno::SPIPE));
    assert_eq!(wasi!(guest.fd_tell(0u32, 0u32)), Err(Errno::SPIPE));
    assert_eq!(guest.pread(0, 1, 0), Err(Errno::SPIPE));
    assert_eq!(guest.pwrite(1, b"x", 0), Err(Errno::SPIPE));
    let stat = guest.fdstat(1).unwrap();
    assert_eq!((stat.file_type, stat.flags), (0, 0), "not a terminal");
    assert_eq!(guest.filestat(1).unwrap().size, 0);
}

#[test]
fn several_buffers_are_written_in_one_piece() {
    /// Counts the writes.
    struct Writes(std::sync::mpsc::Sender<Vec<u8>>);
    impl kinglet_wasi::OutputStream for Writes {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.send(buf.to_vec()).unwrap();
            Ok(buf.len())
        }
    }
    let (sender, writes) = std::sync::mpsc::channel();
    let mut guest = Guest::new(WasiCtxBuilder::new().stdout(Writes(sender)).build());
    guest.poke(DATA, b"hello world");
    let iovecs: Vec<u8> = [(DATA, 6), (0, 0), (DATA + 6, 5u32)]
        .iter()
        .flat_map(|(ptr, len)| [ptr.to_le_bytes(), len.to_le_bytes()].concat())
        .collect();
    let (iovs, _) = guest.put(&iovecs);
    wasi!(guest.fd_write(1u32, iovs, 3u32, 0u32)).unwrap();
    assert_eq!(guest.u32(0), 11);
    assert_eq!(writes.try_iter().collect::<Vec<_>>(), [b"hello world"]);
}
