//! What the firmware of these examples needs of its boards: a beginning, a heap and a stack that are measured, and an end
//! with an exit code, by semihosting.
#![no_std]

mod heap;
mod stack;

pub use semihosting::println;

#[cfg(target_arch = "arm")]
use cortex_m as _;
#[cfg(target_arch = "riscv32")]
use riscv as _;

/// Makes a function, from nothing to whether all is well, the one that the board runs.
#[macro_export]
macro_rules! firmware {
    ($run:path) => {
        #[unsafe(no_mangle)]
        fn firmware() -> bool {
            $run()
        }
    };
}

unsafe extern "Rust" {
    safe fn firmware() -> bool;
}

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    heap::init();
    semihosting::process::exit(i32::from(!firmware()))
}

/// What a computation took of RAM.
pub struct Used {
    /// Bytes of heap that it had at once, as they were asked for.
    pub heap: usize,
    /// Bytes of stack, of those around it as well.
    pub stack: usize,
}

/// Runs `f` and measures it.
#[inline(never)]
pub fn measure<R>(f: impl FnOnce() -> R) -> (R, Used) {
    let before = heap::reset_peak();
    stack::paint();
    let result = f();
    (result, Used { heap: heap::peak() - before, stack: stack::used() })
}
