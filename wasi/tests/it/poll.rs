//! Waiting: clocks, streams, several things at once, and deadlines.

use std::time::{Duration, Instant};

use kinglet::Val;
use kinglet_wasi::{Errno, MemoryInputPipe, Timeout, WasiCtxBuilder};

use crate::guest::*;

const EVENTS: u32 = DATA + 0x8000;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const ABSOLUTE: u16 = 1;

fn clock(userdata: u64, id: u32, timeout: Duration, flags: u16) -> [u8; 48] {
    let mut record = [0; 48];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[16..20].copy_from_slice(&id.to_le_bytes());
    record[24..32].copy_from_slice(&(timeout.as_nanos() as u64).to_le_bytes());
    record[40..42].copy_from_slice(&flags.to_le_bytes());
    record
}

fn stream(userdata: u64, kind: u8, fd: u32) -> [u8; 48] {
    let mut record = [0; 48];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[8] = kind;
    record[16..20].copy_from_slice(&fd.to_le_bytes());
    record
}

fn reading(userdata: u64, fd: u32) -> [u8; 48] {
    stream(userdata, 1, fd)
}

fn writing(userdata: u64, fd: u32) -> [u8; 48] {
    stream(userdata, 2, fd)
}

/// User data, error, kind, bytes and flags.
type Event = (u64, u16, u8, u64, u16);

fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<Event>> {
    guest.poke(DATA, &subscriptions.concat());
    wasi!(guest.poll_oneoff(DATA, EVENTS, subscriptions.len() as u32, 0u32))?;
    let u16 = |at: u32| u16::from_le_bytes(guest.bytes(at, 2).try_into().unwrap());
    Ok((0..guest.u32(0))
        .map(|i| EVENTS + 32 * i)
        .map(|at| {
            (
                guest.u64(at),
                u16(at + 8),
                guest.bytes(at + 10, 1)[0],
                guest.u64(at + 16),
                u16(at + 24),
            )
        })
        .collect())
}

/// The guest is expected to be ended by its deadline, soon.
fn expect_timeout(guest: &mut Guest, name: &str, args: &[Val]) {
    let start = Instant::now();
    let error = match guest.try_call(name, args) {
        Err(error) => error,
        Ok(result) => panic!("{name} returned {result:?}"),
    };
    assert_eq!(error.downcast_ref(), Some(&Timeout));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

fn with_deadline(builder: &mut WasiCtxBuilder, millis: u64) -> Guest {
    let mut guest = Guest::new(builder.build());
    guest.store.data_mut().set_deadline(Some(Instant::now() + Duration::from_millis(millis)));
    guest
}

#[test]
fn sleeping() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    for id in [REALTIME, MONOTONIC] {
        let start = Instant::now();
        let events = poll(&mut guest, &[clock(7, id, Duration::from_millis(20), 0)]).unwrap();
        assert_eq!(events, [(7, 0, 0, 0, 0)]);
        assert!(start.elapsed() >= Duration::from_millis(19), "{:?}", start.elapsed());

        wasi!(guest.clock_time_get(id, 0u64, 8u32)).unwrap();
        let wake = Duration::from_nanos(guest.u64(8)) + Duration::from_millis(20);
        let start = Instant::now();
        let events = poll(&mut guest, &[clock(8, id, wake, ABSOLUTE)]).unwrap();
        assert_eq!(events, [(8, 0, 0, 0, 0)]);
        assert!((10..1000).contains(&start.elapsed().as_millis()));

        // What is past is past.
        let events = poll(&mut guest, &[clock(9, id, Duration::from_nanos(1), ABSOLUTE)]).unwrap();
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn the_first_of_several() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    let (short, long) = (Duration::from_millis(10), Duration::from_secs(1000));
    let never = Duration::from_nanos(u64::MAX);
    let events = poll(
        &mut guest,
        &[
            clock(1, MONOTONIC, long, 0),
            clock(2, MONOTONIC, short, 0),
            clock(3, MONOTONIC, never, 0),
        ],
    );
    assert_eq!(events, Ok(vec![(2, 0, 0, 0, 0)]));
    // Something ready comes at once.
    let events = poll(&mut guest, &[clock(1, MONOTONIC, long, 0), writing(2, 1)]).unwrap();
    assert_eq!(events, [(2, 0, 2, 4096, 0)]);
}

#[test]
fn on_made_up_time_sleeping_takes_none() {
    let mut guest = Guest::new(WasiCtxBuilder::new().deterministic(1).build());
    let now = |guest: &mut Guest| {
        wasi!(guest.clock_time_get(MONOTONIC, 0u64, 0u32)).unwrap();
        guest.u64(0)
    };
    let start = Instant::now();
    let before = now(&mut guest);
    let day = Duration::from_secs(86400);
    let events =
        poll(&mut guest, &[clock(1, MONOTONIC, 2 * day, 0), clock(2, REALTIME, day, 0)]).unwrap();
    assert_eq!(events, [(2, 0, 0, 0, 0)]);
    assert!((86400..86401).contains(&((now(&mut guest) - before) / 1_000_000_000)));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn files_are_always_ready() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        let fd = guest.open("file", 0, READ_WRITE).unwrap();
        guest.read(fd, 3).unwrap();
        let mut events = poll(
            guest,
            &[reading(1, fd), writing(2, fd), reading(3, ROOT), reading(4, 99), writing(5, 0)],
        )
        .unwrap();
        events.sort();
        let bad = Errno::BADF.code();
        assert_eq!(events[0], (1, 0, 1, 5, 0), "five bytes are left");
        assert_eq!(events[1], (2, 0, 2, 4096, 0));
        assert_eq!(events[2], (3, Errno::NOTCAPABLE.code(), 1, 0, 0), "a directory");
        assert_eq!(events[3..], [(4, bad, 1, 0, 0), (5, bad, 2, 0, 0)]);
    });
}

#[test]
fn bad_subscriptions() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build());
    assert_eq!(wasi!(guest.poll_oneoff(DATA, EVENTS, 0u32, 0u32)), Err(Errno::INVAL));
    for count in [10_000u32, 1 << 28, u32::MAX] {
        assert_eq!(wasi!(guest.poll_oneoff(DATA, EVENTS, count, 0u32)), Err(Errno::INVAL));
    }
    let second = Duration::from_secs(1);
    for bad in [
        clock(1, 2, second, 0),
        clock(1, 9, second, 0),
        clock(1, MONOTONIC, second, 2),
        stream(1, 3, 0),
    ] {
        assert_eq!(poll(&mut guest, &[bad]), Err(Errno::INVAL));
    }
}

#[test]
fn deadlines_end_sleeps() {
    let mut guest = with_deadline(&mut WasiCtxBuilder::new(), 30);
    guest.poke(DATA, &clock(1, MONOTONIC, Duration::from_secs(1000), 0));
    let args = [Val::I32(DATA as i32), Val::I32(EVENTS as i32), Val::I32(1), Val::I32(0)];
    expect_timeout(&mut guest, "poll_oneoff", &args);
    // Also when it has passed already; but what happens before it is not disturbed.
    expect_timeout(&mut guest, "poll_oneoff", &args);
    guest.store.data_mut().set_deadline(Some(Instant::now() + Duration::from_secs(100)));
    assert_eq!(
        poll(&mut guest, &[clock(1, MONOTONIC, Duration::from_millis(5), 0)]).unwrap().len(),
        1
    );
    guest.store.data_mut().set_deadline(None);
    assert_eq!(
        poll(&mut guest, &[clock(1, MONOTONIC, Duration::from_millis(5), 0)]).unwrap().len(),
        1
    );
    // Random numbers take their time, too.
    guest.store.data_mut().set_deadline(Some(Instant::now()));
    expect_timeout(&mut guest, "random_get", &[Val::I32(0), Val::I32(1000)]);
}

#[test]
fn input_from_memory_needs_no_waiting() {
    let mut guest = with_deadline(WasiCtxBuilder::new().stdin(MemoryInputPipe::new("ab")), 10_000);
    assert_eq!(poll(&mut guest, &[reading(1, 0)]).unwrap(), [(1, 0, 1, 4096, 0)]);
    assert_eq!(guest.read(0, 1), Ok(b"a".to_vec()));
    wasi!(guest.fd_fdstat_set_flags(0u32, NONBLOCK)).unwrap();
    assert_eq!(guest.read(0, 9), Ok(b"b".to_vec()));
}

#[cfg(unix)]
mod pipes {
    use std::io::{self, Read, Write};
    use std::os::fd::AsFd;

    use kinglet_wasi::{InputStream, OutputStream, PollHandle};
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    /// A pipe of the operating system as a guest's standard stream.
    struct Pipe(std::fs::File);

    impl InputStream for Pipe {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            Read::read(&mut self.0, buf)
        }

        fn poll_handle(&self) -> Option<PollHandle<'_>> {
            Some(self.0.as_fd().into())
        }
    }

    impl OutputStream for Pipe {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Write::write(&mut self.0, buf)
        }

        fn poll_handle(&self) -> Option<PollHandle<'_>> {
            Some(self.0.as_fd().into())
        }
    }

    fn pipe() -> (Pipe, Pipe) {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        (Pipe(reader.into()), Pipe(writer.into()))
    }

    #[test]
    fn waiting_for_input() {
        let (stdin, mut writer) = pipe();
        let mut guest = Guest::new(WasiCtxBuilder::new().stdin(stdin).build());
        wasi!(guest.fd_fdstat_set_flags(0u32, NONBLOCK)).unwrap();
        assert_eq!(guest.read(0, 9), Err(Errno::AGAIN));
        wasi!(guest.fd_fdstat_set_flags(0u32, 0u32)).unwrap();
        let sleep = clock(1, MONOTONIC, Duration::from_millis(10), 0);
        assert_eq!(poll(&mut guest, &[reading(2, 0), sleep]).unwrap(), [(1, 0, 0, 0, 0)]);

        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            writer.0.write_all(b"hello").unwrap();
            writer
        });
        let sleep = clock(1, MONOTONIC, Duration::from_secs(100), 0);
        assert_eq!(poll(&mut guest, &[reading(2, 0), sleep]).unwrap(), [(2, 0, 1, 5, 0)]);
        assert_eq!(guest.read(0, 3), Ok(b"hel".to_vec()));
        drop(thread.join().unwrap());
        assert_eq!(guest.read(0, 9), Ok(b"lo".to_vec()));
        let events = poll(&mut guest, &[reading(2, 0), sleep]).unwrap();
        assert_eq!(events, [(2, 0, 1, 0, 1)], "the other end has hung up");
        assert_eq!(guest.read(0, 9), Ok(vec![]));
    }

    #[test]
    fn deadlines_end_reading_and_writing() {
        let (stdin, _writer) = pipe();
        let (_reader, stdout) = pipe();
        let mut guest = with_deadline(WasiCtxBuilder::new().stdin(stdin).stdout(stdout), 30);
        let iovec = guest.iovec(DATA, 10);
        let args = [0, iovec as i32, 1, 0].map(Val::I32);
        expect_timeout(&mut guest, "fd_read", &args);
        // A pipe takes some, then no more.
        guest.store.data_mut().set_deadline(Some(Instant::now() + Duration::from_millis(30)));
        let iovec = guest.iovec(0, MEMORY_SIZE as u32);
        let args = [1, iovec as i32, 1, 0].map(Val::I32);
        expect_timeout(&mut guest, "fd_write", &args);
    }

    #[test]
    fn named_pipes() {
        let (mut guest, dir) = Guest::with_dir();
        let path = dir.path().join("fifo");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(guest.stat("fifo", 0).unwrap().file_type, 0);
        // Neither of these waits for the other end.
        guest.set_times("fifo", FOLLOW, 1, 1, 5).unwrap();
        assert_eq!(guest.open_at(ROOT, 0, "fifo", 0, WRITE, NONBLOCK), Err(Errno::NXIO));
        let fd = guest.open_at(ROOT, 0, "fifo", 0, READ, NONBLOCK).unwrap();
        assert_eq!(guest.read(fd, 9), Err(Errno::AGAIN));
        assert_eq!(guest.seek(fd, 0, 0), Err(Errno::SPIPE));

        let mut writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        writer.write_all(b"hello").unwrap();
        assert_eq!(guest.read(fd, 9), Ok(b"hello".to_vec()));
        wasi!(guest.fd_fdstat_set_flags(fd, 0u32)).unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(30));
        guest.store.data_mut().set_deadline(soon());
        let iovec = guest.iovec(DATA, 10);
        expect_timeout(&mut guest, "fd_read", &[fd as i32, iovec as i32, 1, 0].map(Val::I32));
        guest.store.data_mut().set_deadline(None);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            writer.write_all(b"again").unwrap();
        });
        assert_eq!(guest.read(fd, 9), Ok(b"again".to_vec()));
        thread.join().unwrap();
        assert_eq!(guest.read(fd, 9), Ok(vec![]), "the end");
        guest.close(fd).unwrap();

        // Opening for writing waits for a reader, but not forever.
        guest.store.data_mut().set_deadline(soon());
        let (name, len) = guest.put(b"fifo");
        let mut args = [ROOT as i32, 0, name as i32, len as i32, 0, 0, 0, 0, 0].map(Val::I32);
        (args[5], args[6]) = (Val::I64(WRITE as i64), Val::I64(0));
        expect_timeout(&mut guest, "path_open", &args);
        guest.store.data_mut().set_deadline(None);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            std::fs::read(&path).unwrap()
        });
        let fd = guest.open("fifo", 0, WRITE).unwrap();
        assert_eq!(guest.write(fd, b"from the guest"), Ok(14));
        guest.close(fd).unwrap();
        assert_eq!(thread.join().unwrap(), b"from the guest");
    }
}
