//! Random numbers from a seed that came in as an input.

/// A small deterministic generator (xorshift64* over a splitmix64 seed). Good for back-offs, shuffles and ids inside
/// one cluster; never for secrets: those come from the operating system through the shell.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Rng {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Rng((z ^ (z >> 31)) | 1)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is below 2^-32 for bounds that fit 32 bits.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64 }
    }

    /// A fraction in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A duration in `[0, max]`.
    pub fn up_to(&mut self, max: std::time::Duration) -> std::time::Duration {
        max.mul_f64(self.unit())
    }

    /// Sixteen bytes of a version 4 UUID.
    pub fn uuid(&mut self) -> [u8; 16] {
        uuid_v4((u128::from(self.next_u64()) << 64) | u128::from(self.next_u64()))
    }
}

/// Marks 128 random bits as a version 4 UUID (RFC 9562).
pub fn uuid_v4(random: u128) -> [u8; 16] {
    let mut bytes = random.to_be_bytes();
    bytes[6] = (bytes[6] & 0x0F) | 0x40;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    bytes
}

/// The usual text of a UUID, `8-4-4-4-12` lower-case hexadecimal digits.
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::new(1).next_u64(), Rng::new(2).next_u64());
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(3);
        assert!((0..1000).all(|_| rng.below(10) < 10 && rng.unit() < 1.0));
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn a_uuid_names_its_version() {
        let text = uuid_text(&uuid_v4(0));
        assert_eq!(text, "00000000-0000-4000-8000-000000000000");
    }
}
