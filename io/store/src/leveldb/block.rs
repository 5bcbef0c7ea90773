//! Blocks of a table: sorted pairs whose keys share what they begin with.

use super::coding::{Reader, put_varint};

/// One in so many keys is written whole, so that a block can be searched.
const RESTART: usize = 16;

/// Makes a block.
#[derive(Debug)]
pub(crate) struct Builder {
    out: Vec<u8>,
    restarts: Vec<u32>,
    since: usize,
    interval: usize,
    last: Vec<u8>,
}

impl Builder {
    /// A block of entries.
    pub fn entries() -> Builder {
        Builder { out: Vec::new(), restarts: vec![0], since: 0, interval: RESTART, last: Vec::new() }
    }

    /// A block whose keys all stand whole, as in an index.
    pub fn index() -> Builder {
        Builder { interval: 1, ..Builder::entries() }
    }

    /// Adds a pair whose key comes after all before it.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = 0;
        if self.since == self.interval {
            // A block is far smaller than 4 GiB.
            self.restarts.push(self.out.len() as u32);
            self.since = 0;
        } else {
            shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        }
        for length in [shared, key.len() - shared, value.len()] {
            put_varint(&mut self.out, length as u64);
        }
        self.out.extend_from_slice(&key[shared..]);
        self.out.extend_from_slice(value);
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.since += 1;
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len() + 4 * (self.restarts.len() + 1)
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The last key that was added.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// The block, without its trailer; the builder is empty again.
    pub fn take(&mut self) -> Vec<u8> {
        let interval = self.interval;
        let Builder { mut out, restarts, .. } = std::mem::replace(self, Builder { interval, ..Builder::entries() });
        for restart in &restarts {
            out.extend_from_slice(&restart.to_le_bytes());
        }
        out.extend_from_slice(&(restarts.len() as u32).to_le_bytes());
        out
    }
}

/// The pairs of a block: each key, and where in the block its value is. `None` if it is no block.
pub(crate) fn pairs(block: &[u8]) -> Option<Vec<(Vec<u8>, std::ops::Range<usize>)>> {
    let (rest, count) = block.split_last_chunk::<4>()?;
    let restarts = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(4)?;
    let mut reader = Reader(rest.get(..rest.len().checked_sub(restarts)?)?);
    let length = reader.0.len();
    let (mut pairs, mut last): (Vec<(Vec<u8>, _)>, Vec<u8>) = (Vec::new(), Vec::new());
    while !reader.0.is_empty() {
        let mut number = || reader.varint().and_then(|number| usize::try_from(number).ok());
        let (shared, unshared, value) = (number()?, number()?, number()?);
        let mut key = last.get(..shared)?.to_vec();
        key.extend_from_slice(reader.take(unshared)?);
        let at = length - reader.0.len();
        reader.take(value)?;
        last.clone_from(&key);
        pairs.push((key, at..at + value));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_and_a_cut_block_never_panics() {
        let mut builder = Builder::entries();
        let keys: Vec<String> = (0..50).map(|n| format!("{n:05}")).collect();
        for key in &keys {
            builder.add(key.as_bytes(), key.as_bytes());
        }
        let block = builder.take();
        let pairs = pairs(&block).unwrap();
        assert_eq!(pairs.len(), 50);
        assert!(pairs.iter().zip(&keys).all(|((key, at), want)| key == want.as_bytes() && &block[at.clone()] == key));
        for cut in 0..block.len() {
            let _ = super::pairs(&block[..cut]);
        }
        assert!(builder.is_empty());
    }
}
