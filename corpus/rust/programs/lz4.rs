//! Compresses and decompresses text, numbers and noise with LZ4 blocks.

use corpus::{Rng, fold, text};
use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(9);
    let mut sum = 0;
    for round in 0..rounds as u32 {
        let mut plain = text(32 * 1024, round + 1).into_bytes();
        plain.extend((0..8 * 1024u32).flat_map(|i| (i * i >> 4).to_le_bytes()));
        plain.extend((0..8 * 1024).map(|_| rng.next() as u8));
        let packed = compress_prepend_size(&plain);
        assert_eq!(decompress_size_prepended(&packed).expect("decompresses"), plain);
        sum = fold(sum, &packed[..packed.len().min(2048)]) ^ packed.len() as u32;
    }
    sum as i32
}
