//! A variable as it is stored, and the rules of its versions.

use bytes::Bytes;
use tepui_base::Rng;
use tepui_proto::codec;
use tepui_proto::mesos::internal::state as proto;

/// A version of a variable: 16 random bytes.
pub type Uuid = [u8; 16];

/// A variable as every storage keeps it: `mesos.internal.state.Entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The variable's name.
    pub name: String,
    /// Its version.
    pub uuid: Uuid,
    /// Its value.
    pub value: Bytes,
}

/// A variable as a user holds it. What was never stored has a version too, and an empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    entry: Entry,
}

/// Bytes that are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to deserialize Entry")]
pub struct Malformed;

impl Entry {
    /// The bytes of the message.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.value.len() + self.name.len() + 40);
        self.head(&mut bytes);
        bytes.extend_from_slice(&self.value);
        bytes.into()
    }

    /// Reads the bytes of the message. A version that does not have 16 bytes cannot be compared with any.
    pub fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
        codec::decode(bytes).ok().and_then(Entry::from_proto).ok_or(Malformed)
    }

    pub(crate) fn from_proto(entry: proto::Entry) -> Option<Entry> {
        Some(Entry { name: entry.name, uuid: entry.uuid.try_into().ok()?, value: entry.value.into() })
    }

    /// All of the message but its value, which comes last and may be large.
    pub(crate) fn head(&self, out: &mut Vec<u8>) {
        out.push(0x0A);
        varint(self.name.len(), out);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&[0x12, 16]);
        out.extend_from_slice(&self.uuid);
        out.push(0x1A);
        varint(self.value.len(), out);
    }
}

/// A number as protobuf writes it.
pub(crate) fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl Variable {
    /// What a fetch answers: what is stored, or a new variable with an empty value.
    pub fn fetched(name: &str, stored: Option<Entry>, rng: &mut Rng) -> Variable {
        let new = || Entry { name: name.to_owned(), uuid: rng.uuid(), value: Bytes::new() };
        Variable { entry: stored.unwrap_or_else(new) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Its version.
    pub fn uuid(&self) -> Uuid {
        self.entry.uuid
    }

    /// Its value.
    pub fn value(&self) -> &Bytes {
        &self.entry.value
    }

    /// The same version of it with another value, to be stored.
    #[must_use]
    pub fn mutate(&self, value: Bytes) -> Variable {
        Variable { entry: Entry { value, ..self.entry.clone() } }
    }

    /// What is to be stored in place of this version: the same value under a new version.
    pub fn next(&self, rng: &mut Rng) -> Entry {
        Entry { uuid: rng.uuid(), ..self.entry.clone() }
    }

    /// As it is stored.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl From<Entry> for Variable {
    fn from(entry: Entry) -> Variable {
        Variable { entry }
    }
}

/// Whether a variable may be set by who knows this version of it. Where none is stored, anybody may.
pub fn check_set(stored: Option<&Entry>, known: &Uuid) -> bool {
    stored.is_none_or(|stored| stored.uuid == *known)
}

/// Whether a variable may be expunged by who knows this version of it. Where none is stored, nobody can.
pub fn check_expunge(stored: Option<&Entry>, known: &Uuid) -> bool {
    stored.is_some_and(|stored| stored.uuid == *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: &'static [u8]) -> Entry {
        Entry { name: "app:/foo".to_owned(), uuid: [7; 16], value: Bytes::from_static(value) }
    }

    #[test]
    fn an_entry_is_the_message_of_mesos() {
        for value in [&b""[..], b"v", &[9; 300]] {
            let value = Bytes::copy_from_slice(value);
            let message = proto::Entry {
                name: "app:/foo".to_owned(),
                uuid: vec![7; 16],
                value: value.to_vec(),
                ..Default::default()
            };
            let entry = Entry { value, ..entry(b"") };
            assert_eq!(entry.encode(), codec::encode(&message));
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let short = proto::Entry { name: "a".to_owned(), uuid: vec![7; 15], ..Default::default() };
        for bytes in [&b""[..], b"\x0a", &codec::encode(&short)] {
            assert_eq!(Entry::decode(bytes), Err(Malformed));
        }
    }

    #[test]
    fn only_the_stored_version_may_be_replaced() {
        let mut rng = Rng::new(1);
        let stored = entry(b"1");
        let variable = Variable::fetched("app:/foo", Some(stored.clone()), &mut rng);
        assert!(check_set(Some(&stored), &variable.uuid()) && check_expunge(Some(&stored), &variable.uuid()));
        let next = variable.mutate(Bytes::from_static(b"2")).next(&mut rng);
        assert_eq!((next.name.as_str(), &next.value[..]), ("app:/foo", &b"2"[..]));
        assert!(!check_set(Some(&next), &variable.uuid()) && !check_expunge(Some(&next), &variable.uuid()));
        assert!(check_set(None, &variable.uuid()) && !check_expunge(None, &variable.uuid()));
        let new = Variable::fetched("b", None, &mut rng);
        assert_eq!((new.name(), new.value().len()), ("b", 0));
    }
}
