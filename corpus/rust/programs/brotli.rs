//! Compresses and decompresses text with Brotli.

use corpus::{fold, text};
use std::io::{Read, Write};

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut sum = 0;
    for round in 0..rounds as u32 {
        let plain = text(24 * 1024, round + 1);
        let mut packed = Vec::new();
        let mut writer = brotli::CompressorWriter::new(&mut packed, 4096, 3 + round % 3, 18);
        writer.write_all(plain.as_bytes()).expect("compresses");
        drop(writer);
        let mut back = String::new();
        brotli::Decompressor::new(&packed[..], 4096)
            .read_to_string(&mut back)
            .expect("decompresses");
        assert_eq!(plain, back);
        sum = fold(sum, &packed);
    }
    sum as i32
}
