//! Connections that a guest accepts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use kinglet::Val;
use kinglet_wasi::{Errno, FsPerms, MemFs, Timeout, WasiCtxBuilder};

use crate::guest::*;

/// Behind the one directory.
const LISTENER: u32 = ROOT + 1;
const PEEK: u32 = 1;
const WAITALL: u32 = 2;

/// A guest that listens, and what connects to it.
fn listening() -> (Guest, impl Fn() -> TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_listener(listener).unwrap();
    builder.preopened_fs(Box::new(MemFs::new(1000)), "/", FsPerms::ReadWrite).unwrap();
    (Guest::new(builder.build()), move || TcpStream::connect(address).unwrap())
}

fn accept(guest: &mut Guest) -> Result<u32> {
    wasi!(guest.sock_accept(LISTENER, 0u32, 0u32))?;
    Ok(guest.u32(0))
}

fn recv(guest: &mut Guest, fd: u32, len: u32, flags: u32) -> Result<Vec<u8>> {
    let iovec = guest.iovec(DATA, len);
    wasi!(guest.sock_recv(fd, iovec, 1u32, flags, 0u32, 4u32))?;
    Ok(guest.bytes(DATA, guest.u32(0) as usize).to_vec())
}

fn send(guest: &mut Guest, fd: u32, bytes: &[u8]) -> Result<u32> {
    guest.poke(DATA, bytes);
    let iovec = guest.iovec(DATA, bytes.len() as u32);
    wasi!(guest.sock_send(fd, iovec, 1u32, 0u32, 0u32))?;
    Ok(guest.u32(0))
}

#[test]
fn a_conversation() {
    let (mut guest, connect) = listening();
    let mut client = connect();
    let fd = accept(&mut guest).unwrap();
    assert_eq!(fd, LISTENER + 1);
    assert_eq!(guest.fdstat(fd).unwrap().file_type, 6);

    client.write_all(b"hello").unwrap();
    assert_eq!(recv(&mut guest, fd, 3, PEEK), Ok(b"hel".to_vec()));
    assert_eq!(recv(&mut guest, fd, 2, 0), Ok(b"he".to_vec()));
    assert_eq!(guest.read(fd, 9), Ok(b"llo".to_vec()));
    assert_eq!(send(&mut guest, fd, b"good"), Ok(4));
    assert_eq!(guest.write(fd, b"bye"), Ok(3));
    wasi!(guest.sock_shutdown(fd, 2u32)).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "goodbye");
    assert_eq!(send(&mut guest, fd, b"more"), Err(Errno::PIPE));

    let thread = std::thread::spawn(move || {
        for part in ["ab", "cd", "ef"] {
            client.write_all(part.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        client.shutdown(Shutdown::Write).unwrap();
        client
    });
    assert_eq!(recv(&mut guest, fd, 5, WAITALL), Ok(b"abcde".to_vec()));
    assert_eq!(recv(&mut guest, fd, 5, WAITALL), Ok(b"f".to_vec()), "there is no more");
    assert_eq!(recv(&mut guest, fd, 5, 0), Ok(vec![]));
    drop(thread.join().unwrap());
    guest.close(fd).unwrap();
    assert_eq!(recv(&mut guest, fd, 5, 0), Err(Errno::BADF));
}

#[test]
fn much_data() {
    let (mut guest, connect) = listening();
    let mut client = connect();
    let fd = accept(&mut guest).unwrap();
    let thread = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    let iovec = guest.iovec(0, MEMORY_SIZE as u32);
    for _ in 0..40 {
        wasi!(guest.fd_write(fd, iovec, 1u32, 0u32)).unwrap();
        assert_eq!(guest.u32(0), MEMORY_SIZE as u32);
        let (at, _) = guest.put(&[]);
        assert!(at > 0);
        guest.iovec(0, MEMORY_SIZE as u32);
    }
    guest.close(fd).unwrap();
    assert_eq!(thread.join().unwrap(), 40 * MEMORY_SIZE);
}

#[test]
fn without_waiting() {
    let (mut guest, connect) = listening();
    wasi!(guest.fd_fdstat_set_flags(LISTENER, NONBLOCK)).unwrap();
    assert_eq!(accept(&mut guest), Err(Errno::AGAIN));
    let _client = connect();
    wasi!(guest.sock_accept(LISTENER, NONBLOCK, 0u32)).unwrap();
    let fd = guest.u32(0);
    assert_eq!(guest.fdstat(fd).unwrap().flags, NONBLOCK);
    assert_eq!(recv(&mut guest, fd, 5, 0), Err(Errno::AGAIN));
    assert_eq!(guest.read(fd, 5), Err(Errno::AGAIN));
}

#[test]
fn deadlines_end_waiting() {
    let (mut guest, connect) = listening();
    let soon = || Some(Instant::now() + Duration::from_millis(30));
    let expect_timeout = |guest: &mut Guest, name: &str, args: &[i32]| {
        guest.store.data_mut().set_deadline(soon());
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
        let error = guest
            .try_call(name, &args)
            .map(|result| panic!("{name} returned {result:?}"))
            .unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Timeout), "{name}");
        guest.store.data_mut().set_deadline(None);
    };
    expect_timeout(&mut guest, "sock_accept", &[LISTENER as i32, 0, 0]);
    let _client = connect();
    let fd = accept(&mut guest).unwrap() as i32;
    let iovec = guest.iovec(DATA, 8) as i32;
    expect_timeout(&mut guest, "fd_read", &[fd, iovec, 1, 0]);
    expect_timeout(&mut guest, "sock_recv", &[fd, iovec, 1, 0, 0, 4]);
    expect_timeout(&mut guest, "sock_recv", &[fd, iovec, 1, WAITALL as i32, 0, 4]);
    // Nobody reads what is sent.
    let all = guest.iovec(0, MEMORY_SIZE as u32) as i32;
    guest.store.data_mut().set_deadline(soon());
    let ended =
        (0..1000).find_map(|_| guest.try_call("fd_write", &[fd, all, 1, 0].map(Val::I32)).err());
    assert_eq!(ended.and_then(|error| error.downcast_ref().copied()), Some(Timeout));
}

#[test]
fn only_sockets() {
    let (mut guest, connect) = listening();
    let _client = connect();
    let fd = accept(&mut guest).unwrap();
    for not_one in [0, 1, ROOT, LISTENER] {
        assert_eq!(recv(&mut guest, not_one, 1, 0), Err(Errno::NOTSOCK));
        assert_eq!(send(&mut guest, not_one, b"x"), Err(Errno::NOTSOCK));
        assert_eq!(wasi!(guest.sock_shutdown(not_one, 1u32)), Err(Errno::NOTSOCK));
    }
    for not_one in [0, 1, ROOT, fd] {
        assert_eq!(wasi!(guest.sock_accept(not_one, 0u32, 0u32)), Err(Errno::NOTSOCK));
    }
    assert_eq!(wasi!(guest.sock_accept(99u32, 0u32, 0u32)), Err(Errno::BADF));
    assert_eq!(guest.read(LISTENER, 1), Err(Errno::BADF));
    assert_eq!(guest.seek(fd, 0, 0), Err(Errno::SPIPE));
    assert_eq!(wasi!(guest.sock_accept(LISTENER, 1u32, 0u32)), Err(Errno::INVAL));
    assert_eq!(recv(&mut guest, fd, 1, 4), Err(Errno::INVAL));
    for how in [0u32, 4] {
        assert_eq!(wasi!(guest.sock_shutdown(fd, how)), Err(Errno::INVAL));
    }
    let iovec = guest.iovec(DATA, 1);
    assert_eq!(wasi!(guest.sock_send(fd, iovec, 1u32, 1u32, 0u32)), Err(Errno::INVAL));
    // The listener does not count as a directory that was granted.
    assert_eq!(wasi!(guest.fd_prestat_get(LISTENER, 0u32)), Err(Errno::BADF));
}
