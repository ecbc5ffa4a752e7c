//! WASI preview 1, called function by function.

mod escapes;
mod files;
mod guest;
mod memory;
mod poll;
mod process;
mod readdir;
mod rights;
mod sock;
mod threads;
