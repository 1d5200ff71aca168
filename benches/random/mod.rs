//! Numbers that look like chance, and are the same in every run: SplitMix64.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in a list of so many.
    pub fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number below `end`, small ones far more often: what is used most is used most by far.
    pub fn low(&mut self, end: u64) -> u64 {
        let share = self.next() as f64 / u64::MAX as f64;
        ((end as f64).powf(share) - 1.0) as u64
    }
}
