//! What the programs share: a random number generator, a checksum and text to work on.

/// Xorshift; every program makes its input from it, so that results never change.
pub struct Rng(u32);

impl Rng {
    pub fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    pub fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.next() >> 4) / f64::from(1u32 << 28)
    }
}

/// Order-dependent checksum of a result.
pub fn fold(sum: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(sum, |sum, &byte| sum.rotate_left(5) ^ u32::from(byte).wrapping_mul(0x9e37_79b1))
}

const WORDS: [&str; 24] = [
    "river", "stone", "a", "under", "light", "the", "carry", "window", "of", "seven", "paper",
    "to", "quiet", "morning", "and", "harbour", "wheel", "is", "copper", "garden", "in", "letter",
    "north", "é",
];

/// About `len` bytes of sentences and paragraphs.
pub fn text(len: usize, seed: u32) -> String {
    let mut rng = Rng::new(seed);
    let mut out = String::with_capacity(len + 16);
    while out.len() < len {
        out.push_str(WORDS[rng.below(24) as usize]);
        out.push_str(match rng.below(40) {
            0 => ".\n\n",
            1..4 => ". ",
            4..7 => ", ",
            _ => " ",
        });
    }
    out
}
