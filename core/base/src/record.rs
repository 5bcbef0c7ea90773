//! Inputs as bytes, so that a recording of them can be run again.
//!
//! The form is for this program only: numbers as 64-bit little-endian, texts and bytes with their length in front.
//! What one version writes another need not read.

/// What can be written down and read back.
pub trait Record: Sized {
    /// Appends itself.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads itself; `None` if the bytes are not what `write` made.
    fn read(from: &mut Bytes<'_>) -> Option<Self>;
}

/// Bytes being read.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next so many bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

impl Record for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn read(from: &mut Bytes<'_>) -> Option<u64> {
        from.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

impl Record for u128 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn read(from: &mut Bytes<'_>) -> Option<u128> {
        from.take(16)?.try_into().ok().map(u128::from_le_bytes)
    }
}

impl Record for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut Bytes<'_>) -> Option<bool> {
        from.take(1).map(|byte| byte[0] != 0)
    }
}

impl Record for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend(self);
    }

    fn read(from: &mut Bytes<'_>) -> Option<Vec<u8>> {
        let len = usize::try_from(u64::read(from)?).ok()?;
        from.take(len).map(<[u8]>::to_vec)
    }
}

impl Record for String {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend(self.as_bytes());
    }

    fn read(from: &mut Bytes<'_>) -> Option<String> {
        String::from_utf8(Vec::read(from)?).ok()
    }
}

impl<T: Record> Record for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut Bytes<'_>) -> Option<Option<T>> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<A: Record, B: Record> Record for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Bytes<'_>) -> Option<(A, B)> {
        Some((A::read(from)?, B::read(from)?))
    }
}

/// Writes a list, its length in front.
pub fn write_list<T: Record>(items: &[T], out: &mut Vec<u8>) {
    (items.len() as u64).write(out);
    for item in items {
        item.write(out);
    }
}

/// Reads what [`write_list`] made.
pub fn read_list<T: Record>(from: &mut Bytes<'_>) -> Option<Vec<T>> {
    let len = u64::read(from)?;
    (0..len).map(|_| T::read(from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        let value = (Some("héllo".to_owned()), (7u64, (vec![1u8, 2], (u128::MAX, None::<bool>))));
        value.write(&mut out);
        write_list(&[1u64, 2, 3], &mut out);
        let mut bytes = Bytes(&out);
        assert_eq!(Record::read(&mut bytes), Some(value));
        assert_eq!(read_list::<u64>(&mut bytes), Some(vec![1, 2, 3]));
        assert!(bytes.0.is_empty());
        for cut in 0..out.len() - 1 {
            let mut bytes = Bytes(&out[..cut]);
            let first = <(Option<String>, (u64, (Vec<u8>, (u128, Option<bool>))))>::read(&mut bytes);
            assert!(first.is_none() || read_list::<u64>(&mut bytes).is_none());
        }
    }
}
