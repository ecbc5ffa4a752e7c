//! Guests that start threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kinglet::{Config, Engine, Linker, Module, Result, Store, Trap};
use kinglet_wasi::threads::{self, WasiThreadsCtx};
use kinglet_wasi::{I32Exit, MemoryOutputPipe, WasiCtx, WasiCtxBuilder};

#[derive(Clone)]
struct Host {
    wasi: WasiCtx,
    threads: Option<Arc<WasiThreadsCtx<Host>>>,
}

/// How a command ended, and what it wrote. `body` has the functions; memory, imports and `$print` are there.
fn run(builder: &mut WasiCtxBuilder, body: &str) -> (Result<()>, Vec<u8>) {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let module = format!(
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (export "memory" (memory 0))
            ;; Writes a byte, from a buffer of the thread `tid`.
            (func $print (param $tid i32) (param $byte i32) (local $at i32)
                (local.set $at (i32.add (i32.const 4096) (i32.mul (local.get $tid) (i32.const 16))))
                (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 8)))
                (i32.store offset=4 (local.get $at) (i32.const 1))
                (i32.store8 offset=8 (local.get $at) (local.get $byte))
                (if (call $write (i32.const 1) (local.get $at) (i32.const 1) (i32.const 2000)) (then unreachable)))
            ;; Sleeps for milliseconds.
            (func $sleep (param $tid i32) (param $ms i32) (local $at i32)
                (local.set $at (i32.add (i32.const 8192) (i32.mul (local.get $tid) (i32.const 128))))
                (i32.store offset=16 (local.get $at) (i32.const 1))
                (i64.store offset=24 (local.get $at) (i64.extend_i32_u (i32.mul (local.get $ms) (i32.const 1_000_000))))
                (if (call $poll (local.get $at) (i32.add (local.get $at) (i32.const 64)) (i32.const 1) (i32.const 2000)) (then unreachable)))
            {body})"#
    );
    let module = Module::new(&engine, module).unwrap();
    let out = MemoryOutputPipe::new(1 << 16);
    let host = Host { wasi: builder.stdout(out.clone()).build(), threads: None };
    let mut store = Store::new(&engine, host);
    let mut linker: Linker<Host> = Linker::new(&engine);
    kinglet_wasi::add_to_linker(&mut linker, |host| &mut host.wasi).unwrap();
    threads::add_to_linker(&mut linker, &store, &module, |host| host.threads.as_ref().unwrap())
        .unwrap();
    let threads = Arc::new(WasiThreadsCtx::new(module.clone(), &linker).unwrap());
    store.data_mut().threads = Some(threads.clone());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
    let outcome = start.call(&mut store, ());
    (threads.end(outcome), out.contents())
}

fn exit_code(outcome: Result<()>) -> i32 {
    outcome.unwrap_err().downcast_ref::<I32Exit>().expect("it exited").0
}

#[test]
fn threads_run_and_return() {
    let (outcome, out) = run(
        &mut WasiCtxBuilder::new(),
        r#"(func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
            (call $print (local.get $tid) (local.get $arg))
            (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))
        (func (export "_start") (local $i i32) (local $done i32)
            (loop
                (if (i32.ne (call $spawn (i32.add (i32.const 65) (local.get $i))) (i32.add (local.get $i) (i32.const 1)))
                    (then unreachable))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
            (block $all
                (loop
                    (br_if $all (i32.eq (local.tee $done (i32.atomic.load (i32.const 0))) (i32.const 8)))
                    (drop (memory.atomic.wait32 (i32.const 0) (local.get $done) (i64.const -1)))
                    (br 0))))"#,
    );
    outcome.unwrap();
    let mut out = String::from_utf8(out).unwrap().into_bytes();
    out.sort_unstable();
    assert_eq!(out, b"ABCDEFGH");
}

/// The first thread that exits or traps ends all, whatever the others do.
#[test]
fn one_thread_ends_all() {
    for (other, main) in [
        ("(loop (br 0))", "(loop (br 0))"),
        (
            "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))",
            "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))",
        ),
        (
            "(call $sleep (local.get 0) (i32.const 4000))",
            "(call $sleep (i32.const 0) (i32.const 4000))",
        ),
        ("nop", "(loop (br 0))"),
    ] {
        for (last, code) in [("(call $exit (i32.const 33))", 33), ("unreachable", 0)] {
            let start = Instant::now();
            let (outcome, _) = run(
                &mut WasiCtxBuilder::new(),
                &format!(
                    r#"(func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
                        (if (local.get $arg)
                            (then (call $sleep (local.get $tid) (i32.const 20)) {last})
                            (else {other})))
                    (func (export "_start")
                        (drop (call $spawn (i32.const 0)))
                        (drop (call $spawn (i32.const 0)))
                        (drop (call $spawn (i32.const 1)))
                        {main})"#
                ),
            );
            match code {
                0 => {
                    let trap = outcome.unwrap_err().trap();
                    assert_eq!(trap, Some(Trap::UnreachableCodeReached), "{other}");
                }
                code => assert_eq!(exit_code(outcome), code, "{other}"),
            }
            assert!(start.elapsed() < Duration::from_secs(3), "{other}");
        }
    }
}

/// What the main thread does counts for all, also what it returns.
#[test]
fn the_main_thread_ends_all() {
    for (last, code) in [("(call $exit (i32.const 5))", Some(5)), ("nop", None)] {
        let (outcome, _) = run(
            &mut WasiCtxBuilder::new(),
            &format!(
                r#"(func (export "wasi_thread_start") (param i32 i32) (loop (br 0)))
                (func (export "_start")
                    (drop (call $spawn (i32.const 0)))
                    (call $sleep (i32.const 0) (i32.const 20))
                    {last})"#
            ),
        );
        match code {
            Some(code) => assert_eq!(exit_code(outcome), code),
            None => outcome.unwrap(),
        }
    }
}

/// A thread that waits for its input does not keep the others from their output.
#[test]
#[cfg(unix)]
fn threads_wait_side_by_side() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(Pipe(reader.into()));
    let start = Instant::now();
    let (outcome, out) = run(
        &mut builder,
        r#"(func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
            ;; Reads from a pipe that nobody writes to.
            (i32.store (i32.const 1000) (i32.const 1100))
            (i32.store (i32.const 1004) (i32.const 1))
            (drop (call $read (i32.const 0) (i32.const 1000) (i32.const 1) (i32.const 1008)))
            unreachable)
        (func (export "_start")
            (drop (call $spawn (i32.const 0)))
            (call $sleep (i32.const 0) (i32.const 20))
            (call $print (i32.const 0) (i32.const 65))
            ;; Random numbers reach a shared memory, from an odd address on.
            (if (call $random (i32.const 3001) (i32.const 30)) (then unreachable))
            (if (i64.eqz (i64.or (i64.load (i32.const 3001)) (i64.load (i32.const 3023)))) (then unreachable))
            (call $print (i32.const 0) (i32.const 66)))"#,
    );
    outcome.unwrap();
    assert_eq!(out, b"AB");
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(writer);
}

#[cfg(unix)]
struct Pipe(std::fs::File);

#[cfg(unix)]
impl kinglet_wasi::InputStream for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        std::io::Read::read(&mut self.0, buf)
    }

    fn poll_handle(&self) -> Option<kinglet_wasi::PollHandle<'_>> {
        Some(std::os::fd::AsFd::as_fd(&self.0).into())
    }
}

#[test]
fn what_cannot_be_spawned_is_negative() {
    // No function for threads to begin with.
    let (outcome, _) = run(
        &mut WasiCtxBuilder::new(),
        r#"(func (export "_start")
            (if (i32.ge_s (call $spawn (i32.const 0)) (i32.const 0)) (then unreachable)))"#,
    );
    outcome.unwrap();
    // More threads than there may be.
    let (outcome, _) = run(
        &mut WasiCtxBuilder::new(),
        r#"(func (export "wasi_thread_start") (param i32 i32)
            (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
        (func (export "_start") (local $n i32)
            (loop
                (br_if 0
                    (i32.and
                        (i32.ge_s (call $spawn (i32.const 0)) (i32.const 0))
                        (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 2000)))))
            (call $exit (local.get $n)))"#,
    );
    let count = exit_code(outcome);
    // The one that was refused counts.
    assert!(count <= 1025, "{count}");
}

#[test]
fn threads_must_be_interruptible() {
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "m" "m" (memory 1 1 shared)))"#).unwrap();
    let host = Host { wasi: WasiCtxBuilder::new().build(), threads: None };
    let store = Store::new(&engine, host);
    let mut linker: Linker<Host> = Linker::new(&engine);
    let added =
        threads::add_to_linker(&mut linker, &store, &module, |host| host.threads.as_ref().unwrap());
    assert!(added.unwrap_err().to_string().contains("epoch_interruption"));
}
