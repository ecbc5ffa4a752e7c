//! `kinglet run` with what WASI grants.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::{command, file, folder, kinglet, kinglet_with};

/// A command whose `_start` is `body`; `$iov` is a vector of one at address 0, whose buffer is 1000 bytes at 64.
fn program(body: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_sizes_get"
                (func $environ_sizes_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open"
                (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\40\00\00\00\e8\03\00\00")
            ;; Writes $length bytes of the buffer to the descriptor.
            (func $write (param $fd i32) (param $length i32)
                (i32.store (i32.const 4) (local.get $length))
                (call $check (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            ;; Exits with 100 and the error number if there was an error.
            (func $check (param $errno i32)
                (if (local.get $errno)
                    (then (call $proc_exit (i32.add (i32.const 100) (local.get $errno))))))
            (func (export "_start") {body}))"#
    )
}

/// Prints what the pair of functions `sizes` and `get` give: strings, each ended by a zero byte.
fn print_strings(sizes: &str, get: &str) -> String {
    program(&format!(
        "(call $check (call ${sizes} (i32.const 16) (i32.const 20)))
         (call $check (call ${get} (i32.const 2000) (i32.const 64)))
         (call $write (i32.const 1) (i32.load (i32.const 20)))"
    ))
}

#[test]
fn the_exit_code_is_the_guests() {
    for code in [0, 1, 7, 134, 255] {
        kinglet_with(&["run", "-"], program(&format!("(call $proc_exit (i32.const {code}))")))
            .gives(code, "");
    }
}

#[test]
fn standard_streams_are_connected() {
    let copy = program(
        "(call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
         (call $write (i32.const 1) (i32.load (i32.const 8)))
         (call $write (i32.const 2) (i32.const 2))",
    );
    let path = file(&folder("standard_streams"), "copy.wat", copy);
    let outcome = kinglet_with(&["run", &path], "hello");
    assert_eq!(
        (outcome.code, &*outcome.stdout, &*outcome.stderr),
        (Some(0), "hello", "he"),
        "{outcome:?}"
    );
}

#[test]
fn arguments_after_the_file_are_the_guests() {
    let path = file(&folder("arguments"), "args.wat", print_strings("args_sizes_get", "args_get"));
    kinglet(&["run", &path]).gives(0, "args.wat\0");
    kinglet(&["run", "--argv0", "me", &path, "--fuel", "-x", "--", "--help", "é"])
        .gives(0, "me\0--fuel\0-x\0--\0--help\0é\0");
}

#[test]
fn the_environment_is_what_was_given() {
    let path =
        file(&folder("environment"), "env.wat", print_strings("environ_sizes_get", "environ_get"));
    let run = |args: &[&str]| {
        let args = [&["run"], args, &[path.as_str()]].concat();
        let output = command(&args).env("KINGLET_TEST", "inherited").output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(run(&[]), (Some(0), String::new(), String::new()));
    assert_eq!(
        run(&["--env", "A=1=2", "--env", "KINGLET_TEST", "--env", "B="]),
        (Some(0), "A=1=2\0KINGLET_TEST=inherited\0B=\0".to_owned(), String::new())
    );
    let message = "error: the environment variable `KINGLET_ABSENT` is not set\n".to_owned();
    assert_eq!(run(&["--env", "KINGLET_ABSENT"]), (Some(1), String::new(), message));
}

/// Opens `path` below the first granted folder with the given flags and rights, and writes "hello" or reads and prints.
fn open(path: &str, create: bool) -> String {
    let length = path.len();
    let (flags, rights, action) = if create {
        (
            1,
            1 << 6,
            r#"(i64.store (i32.const 64) (i64.const 0x6f6c6c6568)) (call $write (i32.load (i32.const 12)) (i32.const 5))"#,
        )
    } else {
        (
            0,
            1 << 1,
            "(call $check (call $fd_read (i32.load (i32.const 12)) (i32.const 0) (i32.const 1) (i32.const 8)))
             (call $write (i32.const 1) (i32.load (i32.const 8)))",
        )
    };
    program(&format!(
        "(call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 3000) (i32.const {length})
             (i32.const {flags}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 12)))
         {action}"
    ))
    .replace("(memory (export", &format!("(data (i32.const 3000) {path:?}) (memory (export"))
}

#[test]
fn folders_are_reached_when_they_are_granted() {
    let folder = folder("folders");
    let granted = folder.join("granted");
    fs::create_dir(&granted).unwrap();
    file(&granted, "in.txt", "from the host");
    file(&folder, "secret.txt", "secret");
    let host = granted.to_str().unwrap();
    let read = file(&folder, "read.wat", open("in.txt", false));
    let create = file(&folder, "create.wat", open("out.txt", true));
    let escape = file(&folder, "escape.wat", open("../secret.txt", false));

    kinglet(&["run", "--dir", host, &read]).gives(0, "from the host");
    kinglet(&["run", "--dir", &format!("{host}::/data"), &read]).gives(0, "from the host");
    kinglet(&["run", "--dir", &format!("{host}::/data:ro"), &read]).gives(0, "from the host");

    let refused = kinglet(&["run", "--dir", &format!("{host}:ro"), &create]);
    assert!(refused.code.is_some_and(|code| code > 100), "{refused:?}");
    assert!(!granted.join("out.txt").exists());
    kinglet(&["run", "--dir", host, &create]).gives(0, "");
    assert_eq!(fs::read_to_string(granted.join("out.txt")).unwrap(), "hello");

    const BADF: i32 = 8;
    kinglet(&["run", &read]).gives(100 + BADF, "");
    let refused = kinglet(&["run", "--dir", host, &escape]);
    assert!(refused.code.is_some_and(|code| code > 100), "{refused:?}");
    assert_eq!(refused.stdout, "");

    kinglet(&["run", "--dir", "/absent/folder", &read]).complains(1, "/absent/folder");
}

#[test]
fn time_ends_while_the_guest_waits_for_input() {
    let wait = program(
        "(call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))",
    );
    let path = file(&folder("time_ends_while"), "wait.wat", wait);
    let start = Instant::now();
    let mut child = command(&["run", "--timeout", "300ms", &path])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(open);
    assert_eq!(output.status.code(), Some(134), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("ran longer than --timeout 300ms"), "{message}");
    assert!(start.elapsed() < Duration::from_secs(20), "ended after {:?}", start.elapsed());
}

#[test]
fn a_guest_accepts_connections() {
    let greet = program(
        "(call $check (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 12)))
         (i64.store (i32.const 64) (i64.const 0x6f6c6c6568))
         (call $write (i32.load (i32.const 12)) (i32.const 5))",
    );
    let path = file(&folder("a_guest_accepts"), "greet.wat", greet);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let child = command(&["run", "--timeout", "30s", "--listen", &address, &path]).spawn().unwrap();
    let start = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(&address) {
            Ok(stream) => break stream,
            Err(error) if start.elapsed() > Duration::from_secs(20) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).unwrap();
    stream.flush().unwrap();
    assert_eq!(greeting, "hello");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));

    kinglet(&["run", "--listen", "nowhere:x", &path]).complains(1, "cannot listen on `nowhere:x`");
}

#[test]
fn threads_are_granted_by_an_option() {
    let guest = r#"(module
        (import "env" "memory" (memory 1 1 shared))
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (export "memory" (memory 0))
        (func (export "wasi_thread_start") (param i32 i32) (call $exit (local.get 1)))
        (func (export "_start") (drop (call $spawn (i32.const 42))) (loop (br 0))))"#;
    for option in ["-Sthreads", "-Sthreads=y", "--wasi=threads"] {
        kinglet_with(&["run", option, "-"], guest).gives(42, "");
    }
    kinglet_with(&["run", "-"], guest).complains(1, "env::memory");
    kinglet_with(&["run", "-Sthreads", "-Sthreads=n", "-"], guest).complains(1, "env::memory");
    kinglet_with(&["run", "-S", "sockets", "-"], guest).complains(2, "`threads`");

    let trap = guest.replace("(call $exit (local.get 1))", "unreachable");
    kinglet_with(&["run", "-Sthreads", "-"], trap).complains(134, "unreachable");
    let endless = guest.replace("(call $exit (local.get 1))", "(loop (br 0))");
    kinglet_with(&["run", "-Sthreads", "--timeout", "50ms", "-"], endless)
        .complains(134, "longer than --timeout");
}
