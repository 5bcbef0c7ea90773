//! Making a difference.
//!
//! What is stored changes in few places and never changes its order: a list grows at its end, an element goes or is replaced,
//! a length somewhere before it changes. So both texts are read once, side by side; where they differ, the next place where
//! they agree again is looked for nearby. If there is none the rest is taken for new, which costs room and nothing else.

use super::{MAGIC, WINDOW_MAX};

/// So many equal bytes are no accident.
const ANCHOR: usize = 24;

/// How far is looked for the next place where both agree: some agents of a registry.
const NEARBY: usize = 4096;

/// Entries of the table of places; twice as many as there are.
const TABLE: usize = 2 * NEARBY;

/// What is looked up first: so many bytes.
const KEY: usize = 8;

/// A part of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// This much of the source, from here.
    Copy { from: usize, length: usize },
    /// This much of the target itself, from here.
    New { from: usize, length: usize },
}

/// A difference that [`super::apply`] makes `target` of `source` with.
pub fn make(source: &[u8], target: &[u8]) -> Vec<u8> {
    let mut out = Windows { target, out: MAGIC.to_vec(), window: Window::default() };
    parts(source, target).into_iter().for_each(|part| out.put(part));
    out.flush();
    out.out
}

/// Both texts side by side.
fn parts(source: &[u8], target: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let tail = common_end(source, target);
    let (source_end, target_end) = (source.len() - tail, target.len() - tail);
    let (mut from, mut at) = (0, 0);
    loop {
        let (rest, wanted) = (&source[from..source_end], &target[at..target_end]);
        let same = common_start(rest, wanted);
        push(&mut parts, Part::Copy { from, length: same });
        let (rest, wanted) = (&rest[same..], &wanted[same..]);
        (from, at) = (from + same, at + same);
        let (skipped, new) = agree_again(rest, wanted).unwrap_or((rest.len(), wanted.len()));
        push(&mut parts, Part::New { from: at, length: new });
        (from, at) = (from + skipped, at + new);
        if at == target_end {
            push(&mut parts, Part::Copy { from: source_end, length: tail });
            return parts;
        }
    }
}

fn push(parts: &mut Vec<Part>, part: Part) {
    let (Part::Copy { length, .. } | Part::New { length, .. }) = part;
    if length > 0 {
        parts.push(part);
    }
}

/// So many bytes are compared at once: most of a registry is the same.
const BLOCK: usize = 256;

/// How many bytes both begin with.
fn common_start(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count() * BLOCK;
    blocks + common(a[blocks..].iter(), b[blocks..].iter())
}

/// How many bytes both end with.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK)).take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (&a[..a.len() - blocks], &b[..b.len() - blocks]);
    blocks + common(a.iter().rev(), b.iter().rev())
}

fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// How much of each is to be left out until both agree again; the least of the target.
fn agree_again(source: &[u8], target: &[u8]) -> Option<(usize, usize)> {
    let mut table = vec![u16::MAX; TABLE];
    // The first of several places stays.
    for place in (0..places(source)).rev() {
        table[slot(&source[place..])] = place as u16;
    }
    (0..places(target)).find_map(|new| {
        let wanted = &target[new..new + ANCHOR];
        let place = usize::from(table[slot(wanted)]);
        (source.get(place..place + ANCHOR) == Some(wanted)).then_some((place, new))
    })
}

/// Where an anchor may begin.
fn places(text: &[u8]) -> usize {
    (text.len() + 1).saturating_sub(ANCHOR).min(NEARBY)
}

fn slot(text: &[u8]) -> usize {
    let mut key = [0; KEY];
    key.copy_from_slice(&text[..KEY]);
    // Fibonacci hashing: the upper bits are the mixed ones.
    let mixed = u64::from_le_bytes(key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - TABLE.trailing_zeros())) as usize
}

/// A window that is not full yet.
#[derive(Default)]
struct Window {
    /// Which part of the source it reads.
    view: Option<(usize, usize)>,
    length: usize,
    instructions: Vec<u8>,
    new: Vec<u8>,
}

struct Windows<'a> {
    target: &'a [u8],
    out: Vec<u8>,
    window: Window,
}

impl Windows<'_> {
    /// Adds a part, in as many windows as it takes.
    fn put(&mut self, mut part: Part) {
        loop {
            let room = self.room(part);
            let (now, rest) = cut(part, room);
            if let Some(now) = now {
                self.window.put(now, self.target);
            }
            let Some(rest) = rest else { return };
            self.flush();
            part = rest;
        }
    }

    /// How many bytes of a part fit: neither what a window makes nor what it reads may be longer than allowed.
    fn room(&self, part: Part) -> usize {
        let room = WINDOW_MAX - self.window.length;
        match (part, self.window.view) {
            (Part::Copy { from, .. }, Some((begin, _))) => room.min((begin + WINDOW_MAX).saturating_sub(from)),
            _ => room,
        }
    }

    fn flush(&mut self) {
        let window = std::mem::take(&mut self.window);
        if window.length == 0 {
            return;
        }
        let (begin, end) = window.view.unwrap_or_default();
        for value in [begin, end - begin, window.length, window.instructions.len(), window.new.len()] {
            number(value, &mut self.out);
        }
        self.out.extend_from_slice(&window.instructions);
        self.out.extend_from_slice(&window.new);
    }
}

/// The first bytes of a part, and the rest of it.
fn cut(part: Part, at: usize) -> (Option<Part>, Option<Part>) {
    let (Part::Copy { length, .. } | Part::New { length, .. }) = part;
    let piece = |begin: usize, length: usize| {
        (length > 0).then_some(match part {
            Part::Copy { from, .. } => Part::Copy { from: from + begin, length },
            Part::New { from, .. } => Part::New { from: from + begin, length },
        })
    };
    let at = at.min(length);
    (piece(0, at), piece(at, length - at))
}

impl Window {
    fn put(&mut self, part: Part, target: &[u8]) {
        match part {
            Part::Copy { from, length } => {
                let (begin, _) = *self.view.get_or_insert((from, from));
                self.view = Some((begin, from + length));
                self.instruct(0, length);
                number(from - begin, &mut self.instructions);
                self.length += length;
            }
            Part::New { from, length } => {
                self.instruct(2, length);
                self.new.extend_from_slice(&target[from..from + length]);
                self.length += length;
            }
        }
    }

    /// What is to be done, in two bits, and with how many bytes, in the other six if they can say it.
    fn instruct(&mut self, action: u8, length: usize) {
        match u8::try_from(length) {
            Ok(short @ 1..=0x3F) => self.instructions.push(action << 6 | short),
            _ => {
                self.instructions.push(action << 6);
                number(length, &mut self.instructions);
            }
        }
    }
}

/// Seven bits a byte, the most significant first; the eighth says that more follow.
fn number(number: usize, out: &mut Vec<u8>) {
    let bytes = (usize::BITS - number.leading_zeros()).div_ceil(7).max(1);
    for byte in (0..bytes).rev() {
        let more = if byte > 0 { 0x80 } else { 0 };
        out.push((number >> (7 * byte)) as u8 & 0x7F | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svndiff::apply;

    /// A list with lengths, as a registry is one.
    fn list(elements: &[u32]) -> Vec<u8> {
        let element = |n: &u32| format!("agent {n:>9} {}", "with resources and attributes; ".repeat(9)).into_bytes();
        let elements: Vec<u8> = elements.iter().flat_map(element).collect();
        let mut text = format!("master of this term, {} bytes of list: ", elements.len()).into_bytes();
        text.extend_from_slice(&elements);
        text.extend_from_slice(b"and what follows");
        text
    }

    fn difference(source: &[u8], target: &[u8]) -> usize {
        let difference = make(source, target);
        assert_eq!(apply(source, &difference).as_deref(), Ok(target));
        difference.len()
    }

    #[test]
    fn what_changes_little_differs_little() {
        let all: Vec<u32> = (0..2000).collect();
        let source = list(&all);
        // 600,000 bytes are six windows.
        assert!(source.len() > 5 * WINDOW_MAX);
        let without = |gone: &[u32]| list(&all.iter().copied().filter(|n| !gone.contains(n)).collect::<Vec<_>>());
        let more: Vec<u32> = (0..2003).collect();
        for (target, most) in [
            (source.clone(), 120),
            (list(&more), 1200),
            (without(&[0]), 200),
            (without(&[7, 8, 1500, 1999]), 300),
            (list(&[&[77_777], &all[1..]].concat()), 500),
        ] {
            let length = difference(&source, &target);
            assert!(length < most, "{length} bytes, wanted {most} at most");
        }
    }

    #[test]
    fn anything_becomes_anything() {
        let long: Vec<u8> = (0..3 * WINDOW_MAX).map(|n| ((n * n) >> 3) as u8).collect();
        for source in [&b""[..], b"a", b"abcabcabcabcabcabcabcabcabcabcabcabcabc", &long] {
            for target in [&b""[..], b"b", b"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabc", &long, &long[7000..]] {
                difference(source, target);
            }
        }
        assert_eq!(make(b"", b""), MAGIC);
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, usize::MAX >> 1] {
            let mut bytes = Vec::new();
            number(value, &mut bytes);
            assert_eq!(crate::svndiff::number(&mut &bytes[..]), Ok(value));
        }
    }
}
