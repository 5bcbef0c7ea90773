//! Differences as Subversion writes them (`svndiff`, version 0), in which Mesos' log storage keeps versions of a variable.
//!
//! After four bytes of magic come windows. Each makes a part of the target out of a part of the source, of what it has made
//! of its own part already, and of new bytes. Source: Subversion's `notes/svndiff`, `subversion/libsvn_delta/svndiff.c`.

mod make;

pub use make::make;

/// The longest part that one window may read or make: Subversion's own bound, of writers and readers.
const WINDOW_MAX: usize = 102_400;

/// The longest target. A few bytes of difference may ask for a window of any length, and a log entry is read whole; the
/// registry of a cluster of 100,000 agents is a fifth of this.
pub const TARGET_MAX: usize = 256 << 20;

/// The magic of version 0.
const MAGIC: &[u8] = b"SVN\0";

/// Why a difference cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another format, or a version that compresses.
    #[error("Svndiff has invalid header")]
    Header,
    /// It ends in the middle of a window.
    #[error("Unexpected end of svndiff input")]
    Truncated,
    /// A window or the whole is longer than allowed.
    #[error("Svndiff contains a too-large window")]
    TooLarge,
    /// A number or an instruction that contradicts the window or the source.
    #[error("Svndiff contains corrupt window header or instructions")]
    Corrupt,
}

/// The target: the source changed by the difference.
pub fn apply(source: &[u8], difference: &[u8]) -> Result<Vec<u8>, Error> {
    let mut rest = difference.strip_prefix(MAGIC).ok_or(Error::Header)?;
    let mut target = Vec::new();
    while !rest.is_empty() {
        let window = Window::read(&mut rest, source)?;
        if target.len() + window.target_length > TARGET_MAX {
            return Err(Error::TooLarge);
        }
        window.apply(&mut target)?;
    }
    Ok(target)
}

struct Window<'a> {
    source: &'a [u8],
    target_length: usize,
    instructions: &'a [u8],
    new: &'a [u8],
}

impl<'a> Window<'a> {
    fn read(rest: &mut &'a [u8], source: &'a [u8]) -> Result<Window<'a>, Error> {
        let mut numbers = [0; 5];
        for place in &mut numbers {
            *place = number(rest)?;
        }
        let [offset, length, target_length, instructions, new] = numbers;
        // An instruction has five bytes at most and makes one byte at least.
        if length > WINDOW_MAX || target_length > WINDOW_MAX || new > WINDOW_MAX || instructions > 5 * WINDOW_MAX {
            return Err(Error::TooLarge);
        }
        let end = offset.checked_add(length).ok_or(Error::Corrupt)?;
        let source = source.get(offset..end).ok_or(Error::Corrupt)?;
        let (instructions, new) = (take(rest, instructions)?, take(rest, new)?);
        Ok(Window { source, target_length, instructions, new })
    }

    fn apply(mut self, target: &mut Vec<u8>) -> Result<(), Error> {
        let begin = target.len();
        while let [first, rest @ ..] = self.instructions {
            self.instructions = rest;
            let length = match usize::from(first & 0x3F) {
                0 => number(&mut self.instructions)?,
                length => length,
            };
            let made = target.len() - begin;
            if length == 0 || length > self.target_length - made {
                return Err(Error::Corrupt);
            }
            match first >> 6 {
                0 => {
                    let offset = number(&mut self.instructions)?;
                    let end = offset.checked_add(length).ok_or(Error::Corrupt)?;
                    target.extend_from_slice(self.source.get(offset..end).ok_or(Error::Corrupt)?);
                }
                1 => repeat(target, begin, number(&mut self.instructions)?, length)?,
                2 => target.extend_from_slice(take(&mut self.new, length).map_err(|_| Error::Corrupt)?),
                _ => return Err(Error::Corrupt),
            }
        }
        let whole = target.len() - begin == self.target_length && self.new.is_empty();
        if whole { Ok(()) } else { Err(Error::Corrupt) }
    }
}

/// Copies what this window has made, which may grow while it is copied: a pattern repeats.
fn repeat(target: &mut Vec<u8>, begin: usize, offset: usize, length: usize) -> Result<(), Error> {
    if offset >= target.len() - begin {
        return Err(Error::Corrupt);
    }
    for at in begin + offset..begin + offset + length {
        target.push(target[at]);
    }
    Ok(())
}

/// Seven bits a byte, the most significant first; the eighth says that more follow.
fn number(rest: &mut &[u8]) -> Result<usize, Error> {
    let mut number: u64 = 0;
    loop {
        let [byte, after @ ..] = *rest else { return Err(Error::Truncated) };
        *rest = after;
        if number >> (64 - 7) != 0 {
            return Err(Error::Corrupt);
        }
        number = number << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return usize::try_from(number).map_err(|_| Error::TooLarge);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Error> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One window: where its source begins and how long it is, its target's length, instructions, new bytes.
    fn window(source: (u8, u8), target: u8, instructions: &[u8], new: &[u8]) -> Vec<u8> {
        let lengths = [source.0, source.1, target, instructions.len() as u8, new.len() as u8];
        [MAGIC, &lengths, instructions, new].concat()
    }

    #[test]
    fn a_window_copies_from_source_and_target_and_adds_new_bytes() {
        // The example of Subversion's notes on the format.
        let instructions = [0x04, 0x00, 0x04, 0x08, 0x81, 0x47, 0x08];
        let difference = window((0, 12), 16, &instructions, b"d");
        assert_eq!(apply(b"aaaabbbbcccc", &difference), Ok(b"aaaaccccdddddddd".to_vec()));
    }

    #[test]
    fn windows_follow_each_other() {
        let mut difference = window((1, 2), 2, &[0x02, 0x00], b"");
        difference.extend_from_slice(&window((0, 0), 1, &[0x81], b"!")[4..]);
        assert_eq!(apply(b"abcd", &difference), Ok(b"bc!".to_vec()));
        assert_eq!(apply(b"abcd", MAGIC), Ok(Vec::new()));
    }

    #[test]
    fn a_length_may_stand_behind_its_instruction() {
        let mut difference = window((0, 0), 0x7F, &[0x80, 0x7F], &[b'x'; 0x7F]);
        assert_eq!(apply(b"", &difference), Ok(vec![b'x'; 0x7F]));
        difference.pop();
        assert_eq!(apply(b"", &difference), Err(Error::Truncated));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (difference, error) in [
            (b"SVN\x01".to_vec(), Error::Header),
            (b"".to_vec(), Error::Header),
            (window((0, 5), 1, &[0x01, 0x00], b""), Error::Corrupt),
            (window((0, 4), 2, &[0x02, 0x03], b""), Error::Corrupt),
            (window((0, 0), 1, &[0x41, 0x00], b""), Error::Corrupt),
            (window((0, 0), 1, &[0x82], b"ab"), Error::Corrupt),
            (window((0, 0), 2, &[0x82], b"a"), Error::Corrupt),
            (window((0, 0), 1, &[0x81], b"ab"), Error::Corrupt),
            (window((0, 0), 2, &[0x81], b"a"), Error::Corrupt),
            (window((0, 0), 1, &[0xC1], b"a"), Error::Corrupt),
            (window((0, 0), 1, &[0x80, 0x00], b""), Error::Corrupt),
            ([MAGIC, &[0, 0, 0x87, 0xFF, 0x7F, 0, 0]].concat(), Error::TooLarge),
            ([MAGIC, &[0xFF; 12]].concat(), Error::Corrupt),
            ([MAGIC, &[0, 0]].concat(), Error::Truncated),
        ] {
            assert_eq!(apply(b"abcd", &difference), Err(error), "{difference:?}");
        }
    }
}
