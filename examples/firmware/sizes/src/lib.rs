//! The guest, and how a runtime is measured with it.
#![no_std]

use board::println;

/// A module with one function, which computes Fibonacci's numbers by calling itself.
pub static FIB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fib.wasm"));

/// Runs `fib(15)`, from the module to the result, and prints what it took.
pub fn measure(fib: impl FnOnce(i32) -> i32) -> bool {
    let (result, used) = board::measure(|| fib(15));
    println!("{} {}", used.heap, used.stack);
    result == 610
}
