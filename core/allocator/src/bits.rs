//! A growing set of small numbers.

/// One bit per number; numbers beyond the last stored word are not in.
#[derive(Clone, Debug, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Whether a number is in.
    pub fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Puts a number in.
    pub fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut(number as usize / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Puts a number in, or takes it out.
    pub fn set(&mut self, number: u32, is_in: bool) {
        if is_in { self.insert(number) } else { self.remove(number) }
    }

    /// Those that are not in the other set; empty if there are none.
    pub fn without(&self, other: &Bits) -> Bits {
        let rest = |(at, word): (usize, &u64)| word & !other.0.get(at).copied().unwrap_or(0);
        let rest: Vec<u64> = self.0.iter().enumerate().map(rest).collect();
        Bits(if rest.iter().all(|word| *word == 0) { Vec::new() } else { rest })
    }

    /// Whether none was put in since all were taken out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all out, keeping the room.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_in() {
        let mut bits = Bits::default();
        bits.insert(70);
        assert!(bits.has(70) && !bits.has(6) && !bits.has(700));
        bits.remove(70);
        assert!(!bits.has(70));
        bits.insert(3);
        assert!(!bits.is_empty());
        bits.insert(70);
        let mut others = Bits::default();
        others.set(3, true);
        let rest = bits.without(&others);
        assert!(rest.has(70) && !rest.has(3) && rest.without(&bits).is_empty());
        bits.clear();
        assert!(!bits.has(3) && bits.is_empty());
    }
}
