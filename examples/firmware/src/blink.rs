//! A LED, and time that passes while the guest sleeps.

use crate::{guest, load};
use board::println;
use kinglet::{Caller, Engine, Linker, Result, Store};

#[derive(Default)]
struct Board {
    now_ms: u32,
}

pub(crate) fn run() -> Result<()> {
    let engine = Engine::default();
    let module = load(&engine, guest!("blink"))?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("board", "led", |caller: Caller<'_, Board>, on: u32| {
        println!("{:5} ms: {}", caller.data().now_ms, if on == 0 { "off" } else { "on" });
    })?;
    linker.func_wrap("board", "sleep", |mut caller: Caller<'_, Board>, ms: u32| {
        caller.data_mut().now_ms += ms;
    })?;
    let mut store = Store::new(&engine, Board::default());
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())
}
