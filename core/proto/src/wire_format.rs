//! Reading and writing the protobuf wire format without knowing the type: tags, varints and slices.

/// Why bytes are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Walks over the fields of one message.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    /// The next field number and value; `None` at the end. Groups are skipped whole: the protocol has none.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        loop {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let tag = self.varint()?;
            let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
            let value = match tag & 7 {
                0 => Value::Varint(self.varint()?),
                1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
                2 => {
                    let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    Value::Bytes(self.take(len)?)
                }
                3 => {
                    self.skip_group(number)?;
                    continue;
                }
                5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
                _ => return Err(Malformed),
            };
            return Ok(Some((number, value)));
        }
    }

    /// Skips to the end of the group, counting nested ones instead of recursing.
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = vec![u64::from(number)];
        while let Some(innermost) = open.last().copied() {
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    self.take(len)?;
                }
                3 => open.push(tag >> 3),
                4 if tag >> 3 == innermost => drop(open.pop()),
                5 => drop(self.take(4)?),
                _ => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// The next bare varint, as packed repeated fields hold them.
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.bytes.split_first().ok_or(Malformed)?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }
}

pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put(number: u32, value: Value<'_>, out: &mut Vec<u8>) {
    let tag = |wire_type: u64| u64::from(number) << 3 | wire_type;
    match value {
        Value::Varint(v) => {
            put_varint(tag(0), out);
            put_varint(v, out);
        }
        Value::Fixed64(v) => {
            put_varint(tag(1), out);
            out.extend(v.to_le_bytes());
        }
        Value::Bytes(v) => {
            put_varint(tag(2), out);
            put_varint(v.len() as u64, out);
            out.extend(v);
        }
        Value::Fixed32(v) => {
            put_varint(tag(5), out);
            out.extend(v.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read() {
        let mut bytes = Vec::new();
        let values = [Value::Varint(u64::MAX), Value::Fixed64(7), Value::Bytes(b"abc"), Value::Fixed32(9)];
        for (at, value) in values.iter().enumerate() {
            put(at as u32 + 1, *value, &mut bytes);
        }
        let mut reader = Reader::new(&bytes);
        for (at, value) in values.iter().enumerate() {
            assert_eq!(reader.next(), Ok(Some((at as u32 + 1, *value))));
        }
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn truncated_bytes_are_malformed() {
        for bytes in [&b"\x08"[..], b"\x0a\x05ab", b"\x09\x01", b"\x0b\x08\x01", b"\x0f", &[0xFF; 11]] {
            let mut reader = Reader::new(bytes);
            let outcome = std::iter::from_fn(|| reader.next().transpose()).find(Result::is_err);
            assert_eq!(outcome, Some(Err(Malformed)), "{bytes:?}");
        }
    }

    #[test]
    fn a_group_is_skipped_whole() {
        // Field 1 is a group holding field 2 = 5; then field 3 = 1.
        let mut reader = Reader::new(&[0x0B, 0x10, 0x05, 0x0C, 0x18, 0x01]);
        assert_eq!(reader.next(), Ok(Some((3, Value::Varint(1)))));
    }
}
