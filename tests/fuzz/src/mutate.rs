//! Inputs that are almost right: the interesting ones, because a parser gets past its first check with them.

use tepui_base::Rng;

/// The longest input tried. Limits beyond this are tested by name, where they are.
const MAX_BYTES: usize = 4096;

/// Bytes at which parsers turn: separators, signs, ends of ranges.
const TURNING_POINTS: &[u8] = b"\0\n\r \"%&'()+-./0129:;=?@AZ[\\]az{|}~\x7f\x80\xbf\xc2\xe2\xf0\xff";

/// A new input from one of the corpus, or from nothing, changed in a few places.
pub fn mutated(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(rng, corpus).cloned().unwrap_or_default();
    for _ in 0..=rng.below(6) {
        change(rng, &mut input, corpus);
    }
    input.truncate(MAX_BYTES);
    input
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = index(rng, input.len() + 1);
    match rng.below(7) {
        0 => input.insert(at, *pick(rng, TURNING_POINTS).unwrap_or(&0)),
        1 if at < input.len() => input[at] ^= 1 << rng.below(8),
        2 if at < input.len() => drop(input.remove(at)),
        3 => input.truncate(at),
        4 => {
            // A piece of its own, again: nesting and repetition.
            let piece = input[at..].to_vec();
            input.splice(at..at, piece.into_iter().take(64));
        }
        5 => {
            // The rest of another: two grammars in one input.
            let other = pick(rng, corpus).cloned().unwrap_or_default();
            input.truncate(at);
            input.extend_from_slice(&other[index(rng, other.len() + 1)..]);
        }
        _ => {
            let random = rng.next_u64().to_le_bytes();
            input.splice(at..at, random);
        }
    }
}

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    if of.is_empty() { None } else { of.get(index(rng, of.len())) }
}

fn index(rng: &mut Rng, below: usize) -> usize {
    usize::try_from(rng.below(below as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let corpus = [b"upid(1)@127.0.0.1:5050".to_vec()];
        let inputs = |seed| {
            let mut rng = Rng::new(seed);
            (0..1000).map(|_| mutated(&mut rng, &corpus)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        assert!(inputs(7).iter().all(|input| input.len() <= MAX_BYTES));
    }
}
