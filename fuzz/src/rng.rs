//! Numbers that depend on the seed alone.

/// A generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator that starts from `seed`.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// The bytes that a target is given for `seed`: half a kilobyte to 32 of them.
    pub fn input(seed: u64) -> Vec<u8> {
        let mut rng = Rng::new(seed);
        let len = 512 << rng.below(7);
        (0..len / 8).flat_map(|_| rng.bits().to_le_bytes()).collect()
    }

    /// 64 bits in which the values at the edges of the integer types are likely.
    pub(crate) fn edge(&mut self) -> u64 {
        let bits = self.bits();
        match bits % 8 {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 0x8000_0000_8000_0000,
            4 => 0x7fff_ffff_7fff_ffff,
            5 => self.bits() % 256,
            6 => self.bits() >> (bits >> 58),
            _ => self.bits(),
        }
    }
}
