//! The differences that Mesos stores when it is told to (`DIFF`): svndiff, version 0.
//!
//! A document is `SVN\0` and windows; a window names a view of the source, the length of what it makes, its instructions
//! and new data. An instruction copies from the view, from what was made already, or from the new data. Source: the
//! format's description in Subversion, `notes/svndiff`.

/// No value of a State is larger: a log entry is one message.
const TARGET_MAX: usize = 64 << 20;

/// Bytes that are no svndiff of version 0, or not one to this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Does not begin as one.
    #[error("not an svndiff of version 0")]
    Foreign,
    /// Ends within a window.
    #[error("a window of the svndiff is cut short")]
    Short,
    /// Copies what is not there.
    #[error("an instruction of the svndiff copies what is not there")]
    Outside,
    /// Makes too much.
    #[error("the svndiff makes more than {TARGET_MAX} bytes")]
    TooLong,
    /// A window does not make what it says.
    #[error("a window of the svndiff makes another length than it says")]
    Length,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Seven bits a byte, the highest first; the top bit says that more follow.
    fn number(&mut self) -> Result<usize, Error> {
        let mut number: usize = 0;
        loop {
            let (first, rest) = self.0.split_first().ok_or(Error::Short)?;
            self.0 = rest;
            number = number.checked_mul(128).ok_or(Error::TooLong)? | usize::from(first & 0x7F);
            if first & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Error::Short)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// What the difference makes of `source`.
pub fn apply(source: &[u8], diff: &[u8]) -> Result<Vec<u8>, Error> {
    let mut rest = Reader(diff.strip_prefix(b"SVN\0").ok_or(Error::Foreign)?);
    let mut target = Vec::new();
    while !rest.0.is_empty() {
        let (offset, view) = (rest.number()?, rest.number()?);
        let (makes, instructions, data) = (rest.number()?, rest.number()?, rest.number()?);
        let view = offset.checked_add(view).and_then(|end| source.get(offset..end)).ok_or(Error::Outside)?;
        if makes > TARGET_MAX - target.len().min(TARGET_MAX) {
            return Err(Error::TooLong);
        }
        let (instructions, data) = (rest.take(instructions)?, rest.take(data)?);
        target.extend(window(view, makes, instructions, data)?);
    }
    Ok(target)
}

fn window(view: &[u8], makes: usize, instructions: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut rest, mut data) = (Reader(instructions), Reader(data));
    let mut made: Vec<u8> = Vec::new();
    while let Some((first, tail)) = rest.0.split_first() {
        rest.0 = tail;
        let length = match usize::from(first & 0x3F) {
            0 => rest.number()?,
            short => short,
        };
        if length > makes - made.len() {
            return Err(Error::Length);
        }
        match first >> 6 {
            0 => {
                let from = rest.number()?;
                let end = from.checked_add(length).ok_or(Error::Outside)?;
                made.extend_from_slice(view.get(from..end).ok_or(Error::Outside)?);
            }
            1 => {
                let from = rest.number()?;
                // It may overlap what it makes: that is how a run is written.
                for at in from..from.saturating_add(length) {
                    let byte = *made.get(at).ok_or(Error::Outside)?;
                    made.push(byte);
                }
            }
            2 => made.extend_from_slice(data.take(length)?),
            _ => return Err(Error::Foreign),
        }
    }
    if made.len() == makes { Ok(made) } else { Err(Error::Length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One window over `source` of 8 bytes: copy 4 from its offset 2, add 2 new, repeat the last two twice.
    const DIFF: &[u8] = b"SVN\0\x00\x08\x0a\x05\x02\x04\x02\x82\x44\x04XY";

    #[test]
    fn every_kind_of_instruction() {
        assert_eq!(apply(b"abcdefgh", DIFF).as_deref(), Ok(b"cdefXYXYXY".as_slice()));
        assert_eq!(apply(b"", b"SVN\0").as_deref(), Ok(b"".as_slice()));
    }

    #[test]
    fn bad_ones_are_refused() {
        assert_eq!(apply(b"", b"SVN\x01"), Err(Error::Foreign));
        assert_eq!(apply(b"abc", DIFF), Err(Error::Outside), "another source");
        assert_eq!(apply(b"abcdefgh", &DIFF[..DIFF.len() - 1]), Err(Error::Short));
        let mut wrong = DIFF.to_vec();
        wrong[6] = 11;
        assert_eq!(apply(b"abcdefgh", &wrong), Err(Error::Length));
        wrong[6..].fill(0xFF);
        assert!(apply(b"abcdefgh", &wrong).is_err());
    }
}
