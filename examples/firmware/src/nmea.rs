//! A receiver for satellite navigation, whose bytes the guest asks for.

use crate::{guest, load};
use board::println;
use kinglet::{Caller, Engine, Error, Linker, Result, Store};

/// What the receiver sends. Two sentences have been damaged on the way.
const SENT: &[u8] = b"\
$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n\
$GPGSA,A,3,10,07,05,02,29,04,08,13,,,,,1.72,1.03,1.38*0A\r\n\
$GPGGA,092751.000,5321.6802,N,00630.3371,W,1,8,1.03,61.7,M,55.3,M,,*75\r\n\
$GPGGA,092752.000,5321.6802,N,00630.3070,W,1,8,1.03,61.7,M,55.3,M,,*75\r\n\
$GPGGA,092204.999,4250.5589,S,14718.5084,E,1,4,24.4,19.7,M,,,,0000*2F\r\n\
$GPGGA,092205.999,,,,,0,0,,,M,,M,,*4D\r\n\
$GPGGA,0922\r\n";

struct Receiver {
    unread: &'static [u8],
}

pub(crate) fn run() -> Result<()> {
    let engine = Engine::default();
    let module = load(&engine, guest!("nmea"))?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("board", "read", read)?;
    linker.func_wrap("board", "position", |latitude: i32, longitude: i32, satellites: u32| {
        println!("{latitude} {longitude}, {satellites} satellites");
    })?;
    let mut store = Store::new(&engine, Receiver { unread: SENT });
    let instance = linker.instantiate(&mut store, &module)?;
    let damaged = instance.get_typed_func::<(), u32>(&mut store, "run")?.call(&mut store, ())?;
    println!("{damaged} damaged");
    Ok(())
}

/// Gives the guest as much as it has room for.
fn read(mut caller: Caller<'_, Receiver>, buffer: u32, len: u32) -> Result<u32> {
    let memory = caller.get_export("memory").and_then(|export| export.into_memory());
    let memory = memory.ok_or_else(|| Error::msg("the guest has no memory"))?;
    let unread = caller.data().unread;
    let (bytes, rest) = unread.split_at(unread.len().min(len as usize));
    memory.write(&mut caller, buffer as usize, bytes)?;
    caller.data_mut().unread = rest;
    Ok(bytes.len() as u32)
}
