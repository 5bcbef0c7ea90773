//! A variable as a user holds it, and the rules of its versions.

use crate::entry::{Entry, Uuid};
use bytes::Bytes;
use tepui_base::Rng;

/// A variable as a user holds it. What was never stored has a version too, and an empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    entry: Entry,
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

    #[test]
    fn only_the_stored_version_may_be_replaced() {
        let mut rng = Rng::new(1);
        let stored = Entry { name: "app:/foo".to_owned(), uuid: [7; 16], value: Bytes::from_static(b"1") };
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
