//! Runs pandoc as `run.sh` wants it. Its WebAssembly form is a library: the host fills a file system, calls `convert` with options as
//! JSON, and finds the result in a file.
//!
//! `pandoc [--tier jit] FILE OPTIONS`, with the document on standard input and the result on standard output.

use kinglet::{
    CompilationMode, Config, Engine, Error, Instance, Linker, Module, Result, Store, Strategy,
};
use kinglet_wasi::{FsPerms, MemFs, WasiCtx, WasiCtxBuilder, p1};
use std::io::{Read, Write};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let (strategy, file, options) = match arguments[..] {
        [file, options] => (Strategy::Interpreter, file, options),
        ["--tier", "jit", file, options] => (Strategy::Jit, file, options),
        _ => kinglet::bail!("usage: pandoc [--tier jit] FILE OPTIONS"),
    };
    let fs = MemFs::new(64 << 20);
    let mut document = Vec::new();
    std::io::stdin().read_to_end(&mut document)?;
    for (name, contents) in
        [("stdin", &document[..]), ("stdout", b""), ("stderr", b""), ("warnings", b"")]
    {
        fs.write(name, contents).map_err(Error::new)?;
    }

    let mut config = Config::new();
    config.wasm_legacy_exceptions(true).compilation_mode(CompilationMode::Lazy).strategy(strategy);
    let engine = Engine::new(&config)?;
    let module = Module::from_file(&engine, file)?;
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    p1::add_to_linker(&mut linker, |wasi| wasi)?;
    let wasi = WasiCtxBuilder::new()
        .inherit_stdio()
        .preopened_fs(Box::new(fs.clone()), "/", FsPerms::ReadWrite)?
        .build();
    let mut store = Store::new(&engine, wasi);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "__wasm_call_ctors")?;
    start.call(&mut store, ())?;

    let mut guest = Guest { store, instance };
    let mut argv = Vec::new();
    for argument in [&b"pandoc.wasm\0"[..], b"+RTS\0", b"-H64m\0", b"-RTS\0"] {
        argv.extend(guest.put(argument)?.to_le_bytes());
    }
    let argc = guest.put(&(argv.len() as u32 / 4).to_le_bytes())?;
    argv.extend([0; 4]);
    let argv = guest.put(&argv)?;
    let argv = guest.put(&argv.to_le_bytes())?;
    guest.call("hs_init_with_rtsopts", argc, argv)?;

    let at = guest.put(options.as_bytes())?;
    guest.call("convert", at, options.len() as u32)?;
    std::io::stderr().write_all(&fs.read("stderr").map_err(Error::new)?)?;
    std::io::stdout().write_all(&fs.read("stdout").map_err(Error::new)?)?;
    Ok(())
}

struct Guest {
    store: Store<WasiCtx>,
    instance: Instance,
}

impl Guest {
    /// Copies bytes into the guest's memory.
    fn put(&mut self, bytes: &[u8]) -> Result<u32> {
        let malloc = self.instance.get_typed_func::<u32, u32>(&mut self.store, "malloc")?;
        let at = malloc.call(&mut self.store, bytes.len() as u32)?;
        let memory = self.instance.get_memory(&mut self.store, "memory");
        let memory = memory.ok_or_else(|| kinglet::format_err!("pandoc exports no memory"))?;
        memory.write(&mut self.store, at as usize, bytes)?;
        Ok(at)
    }

    fn call(&mut self, name: &str, a: u32, b: u32) -> Result<()> {
        let function = self.instance.get_typed_func::<(u32, u32), ()>(&mut self.store, name)?;
        function.call(&mut self.store, (a, b))
    }
}
