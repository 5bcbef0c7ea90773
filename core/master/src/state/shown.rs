//! A record together with the text it was last shown as.
//!
//! Readers ask for the same agents and tasks again and again, and between two answers few of them change. The text stands
//! beside the record it shows: it is made by the first reader that needs it, shared with every snapshot that shares the
//! record, gone with the first change, and freed with the record. See `docs/adr/0009-text-beside-the-record.md`.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

/// A record that remembers how it is shown. Whoever borrows it to change it makes it forget.
#[derive(Debug)]
pub struct Shown<T> {
    record: T,
    text: OnceLock<Box<str>>,
}

impl<T> Shown<T> {
    /// A record that nobody has looked at.
    pub fn new(record: T) -> Arc<Shown<T>> {
        Arc::new(Shown { record, text: OnceLock::new() })
    }

    /// How it is shown; `write` is asked only if no reader has asked since the last change. There is one text: every
    /// caller must show the record in the same way.
    pub fn text(&self, write: impl FnOnce(&T) -> String) -> &str {
        self.text.get_or_init(|| write(&self.record).into_boxed_str())
    }
}

impl<T> Deref for Shown<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> DerefMut for Shown<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.text.take();
        &mut self.record
    }
}

/// A copy is made to be changed, so it takes no text along.
impl<T: Clone> Clone for Shown<T> {
    fn clone(&self) -> Self {
        Shown { record: self.record.clone(), text: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(record: &Shown<u32>) -> String {
        record.text(|number| format!("<{number}>")).to_owned()
    }

    #[test]
    fn a_text_is_made_once_and_forgotten_with_a_change() {
        let mut record = Shown::new(1);
        assert_eq!(shown(&record), "<1>");
        assert_eq!(record.text(|_| unreachable!("it is known")), "<1>");
        **Arc::make_mut(&mut record) = 2;
        assert_eq!(shown(&record), "<2>", "changed in place");
        let reader = record.clone();
        **Arc::make_mut(&mut record) = 3;
        assert_eq!((shown(&reader), shown(&record)), ("<2>".to_owned(), "<3>".to_owned()), "changed beside a reader");
    }
}
