//! ZooKeeper's binary form: big-endian integers, and byte strings behind their length.
//!
//! Source: ZooKeeper's `zookeeper-jute` (`BinaryOutputArchive`, `BinaryInputArchive`).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a malformed message from ZooKeeper")]
pub struct Malformed;

/// Builds one message behind its length.
pub struct Writer(BytesMut);

impl Writer {
    /// Room for the length, which [`Writer::finish`] fills in.
    pub fn new() -> Writer {
        let mut bytes = BytesMut::with_capacity(128);
        bytes.put_i32(0);
        Writer(bytes)
    }

    pub fn int(&mut self, value: i32) -> &mut Writer {
        self.0.put_i32(value);
        self
    }

    pub fn long(&mut self, value: i64) -> &mut Writer {
        self.0.put_i64(value);
        self
    }

    pub fn bool(&mut self, value: bool) -> &mut Writer {
        self.0.put_u8(u8::from(value));
        self
    }

    pub fn buffer(&mut self, value: &[u8]) -> &mut Writer {
        self.0.put_i32(length(value.len()));
        self.0.put_slice(value);
        self
    }

    pub fn text(&mut self, value: &str) -> &mut Writer {
        self.buffer(value.as_bytes())
    }

    pub fn finish(mut self) -> Bytes {
        let body = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&body.to_be_bytes());
        self.0.freeze()
    }
}

/// What is longer than this is refused by every server anyway.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// Reads one message.
pub struct Reader(Bytes);

impl Reader {
    pub fn new(message: Bytes) -> Reader {
        Reader(message)
    }

    pub fn int(&mut self) -> Result<i32, Malformed> {
        self.0.try_get_i32().map_err(|_| Malformed)
    }

    pub fn long(&mut self) -> Result<i64, Malformed> {
        self.0.try_get_i64().map_err(|_| Malformed)
    }

    /// A length of -1 stands for no bytes, as ZooKeeper writes them where a znode has none.
    pub fn buffer(&mut self) -> Result<Bytes, Malformed> {
        let length = match self.int()? {
            -1 => 0,
            length => usize::try_from(length).map_err(|_| Malformed)?,
        };
        if length > self.0.len() { Err(Malformed) } else { Ok(self.0.split_to(length)) }
    }

    pub fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.buffer()?.to_vec()).map_err(|_| Malformed)
    }

    /// A list, each element of which takes some bytes, so that a wrong length cannot ask for much memory.
    pub fn list<T>(&mut self, one: impl Fn(&mut Reader) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        let count = self.int()?.max(0);
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(one(self)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new();
        writer.int(-2).long(1 << 40).bool(true).text("/mesos").buffer(&[1, 2]);
        let message = writer.finish();
        assert_eq!(message[..4], (message.len() as i32 - 4).to_be_bytes());
        let mut reader = Reader::new(message.slice(4..));
        assert_eq!((reader.int(), reader.long()), (Ok(-2), Ok(1 << 40)));
        reader.0.advance(1);
        assert_eq!((reader.text().as_deref(), reader.buffer().as_deref()), (Ok("/mesos"), Ok(&[1_u8, 2][..])));
        assert_eq!(reader.int(), Err(Malformed));
    }

    #[test]
    fn a_wrong_length_is_refused_without_memory_for_it() {
        let hostile = |length: i32| Reader::new(Bytes::copy_from_slice(&length.to_be_bytes()));
        assert_eq!(hostile(i32::MAX).buffer(), Err(Malformed));
        assert_eq!(hostile(-5).buffer(), Err(Malformed));
        assert_eq!(hostile(-1).buffer().as_deref(), Ok(&[][..]));
        assert_eq!(hostile(i32::MAX).list(Reader::text), Err(Malformed));
        assert_eq!(hostile(-1).list(Reader::text), Ok(Vec::new()));
    }
}
