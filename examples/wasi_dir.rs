//! WASI: a guest gets one directory, arguments and a stream to write to, and nothing else.

use kinglet::{Engine, Linker, Module, Result, Store};
use kinglet_wasi::{FsPerms, MemoryOutputPipe, WasiCtx, WasiCtxBuilder, p1};

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("kinglet-example-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let result = run(&directory);
    std::fs::remove_dir_all(&directory)?;
    result
}

fn run(directory: &std::path::Path) -> Result<()> {
    std::fs::write(directory.join("greeting.txt"), "hello from a file\n")?;

    let engine = Engine::default();
    // Copies the file `greeting.txt` from the first directory it was granted to standard output.
    let module = Module::new(
        &engine,
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func $path_open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read"
                (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "greeting.txt")
            ;; A buffer: 1024 bytes at 64. The length at 20 becomes that of what was read.
            (data (i32.const 16) "\40\00\00\00\00\04\00\00")
            (func (export "_start")
                (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 12)
                        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32))
                    (then (call $exit (i32.const 1))))
                (if (call $fd_read (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 20))
                    (then (call $exit (i32.const 2))))
                (if (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 36))
                    (then (call $exit (i32.const 3))))
                (call $exit (i32.const 0))))"#,
    )?;
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    p1::add_to_linker(&mut linker, |ctx| ctx)?;

    let stdout = MemoryOutputPipe::new(4096);
    let ctx = WasiCtxBuilder::new()
        .arg("wasi_dir")
        .stdout(stdout.clone())
        .preopened_dir(directory, "/data", FsPerms::ReadOnly)?
        .build();
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;

    // A guest that ends by `proc_exit` leaves with an error that holds the exit status.
    let error = start.call(&mut store, ()).unwrap_err();
    assert_eq!(error.i32_exit_status(), Some(0), "{error}");
    print!("{}", String::from_utf8_lossy(&stdout.contents()));
    assert_eq!(stdout.contents(), b"hello from a file\n");
    Ok(())
}
