//! Nothing but the board.
#![no_std]
#![no_main]

board::firmware!(run);

fn run() -> bool {
    sizes::measure(|_| core::hint::black_box(610))
}
