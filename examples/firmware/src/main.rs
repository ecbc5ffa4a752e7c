//! Firmware that runs WebAssembly: three guests, one after the other, each with the board that it wants to see.
#![no_std]
#![no_main]

mod blink;
mod kernel;
mod nmea;

use board::println;
use kinglet::{Engine, Module, Result};

board::firmware!(run);

fn run() -> bool {
    let guests: [(&str, fn() -> Result<()>); _] =
        [("blink", blink::run), ("kernel", kernel::run), ("nmea", nmea::run)];
    let mut right = true;
    for (name, guest) in guests {
        println!("-- {name}");
        let (result, used) = board::measure(guest);
        if let Err(error) = result {
            println!("{error}");
            right = false;
        }
        println!("-- {name} took {} bytes of heap, {} of stack", used.heap, used.stack);
    }
    right
}

/// The guest of this name, out of flash.
#[cfg(not(feature = "translate"))]
macro_rules! guest {
    ($name:literal) => {
        kinglet::include_artifact!(concat!(env!("OUT_DIR"), "/", $name, ".kgl"))
    };
}
/// The guest of this name, out of flash.
#[cfg(feature = "translate")]
macro_rules! guest {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm"))
    };
}
use guest;

#[cfg(not(feature = "translate"))]
fn load(engine: &Engine, guest: &'static [u8]) -> Result<Module> {
    Module::deserialize_static(engine, guest)
}

#[cfg(feature = "translate")]
fn load(engine: &Engine, guest: &'static [u8]) -> Result<Module> {
    Module::new(engine, guest)
}
