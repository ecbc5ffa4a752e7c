//! Work, and the check sums that come of it.

use crate::{guest, load};
use board::println;
use kinglet::{Engine, Error, Linker, Result, Store};

const ITERATIONS: u32 = 10;

pub(crate) fn run() -> Result<()> {
    let engine = Engine::default();
    let module = load(&engine, guest!("kernel"))?;
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("board", "report", |part: u32, crc: u32| println!("part {part}: {crc:#06x}"))?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<u32, u32>(&mut store, "run")?;
    match run.call(&mut store, ITERATIONS)? {
        0 => Ok(()),
        _ => Err(Error::msg("a check sum is wrong")),
    }
}
