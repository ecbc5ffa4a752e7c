//! AES in counter mode, ChaCha20, Keccak and BLAKE3 over the same messages.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use chacha20::cipher::{KeyIvInit, StreamCipher};
use corpus::{Rng, fold};
use sha3::{Digest, Sha3_256};

#[unsafe(no_mangle)]
pub extern "C" fn run(messages: i32) -> i32 {
    let mut rng = Rng::new(31);
    let mut sum = 0;
    for _ in 0..messages {
        let mut message: Vec<u8> = (0..2048).map(|_| rng.next() as u8).collect();
        let key: [u8; 32] = std::array::from_fn(|_| rng.next() as u8);
        let aes = aes::Aes256::new(&key.into());
        for (counter, block) in message.chunks_exact_mut(16).enumerate() {
            let mut pad = Array::from((counter as u128).to_be_bytes());
            aes.encrypt_block(&mut pad);
            block.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
        }
        chacha20::ChaCha20::new(&key.into(), &[7; 12].into()).apply_keystream(&mut message);
        sum = fold(sum, &Sha3_256::digest(&message));
        sum = fold(sum, blake3::hash(&message).as_bytes());
    }
    sum as i32
}
