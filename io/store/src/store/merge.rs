//! Several sorted sources as one: of each key the newest entry.

use crate::Error;
use crate::leveldb::key::Entry;
use std::iter::Peekable;

/// A sorted source.
pub(super) type Sorted<'a> = Box<dyn Iterator<Item = Result<Entry, Error>> + 'a>;

/// See the module's text. There are few sources, so the next is found by looking at all of them.
pub(super) struct Merge<'a> {
    sources: Vec<Peekable<Sorted<'a>>>,
}

impl<'a> Merge<'a> {
    pub fn new(sources: impl IntoIterator<Item = Sorted<'a>>) -> Merge<'a> {
        Merge { sources: sources.into_iter().map(Iterator::peekable).collect() }
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut best: Option<Entry> = None;
        for source in &mut self.sources {
            match source.peek() {
                None => {}
                Some(Err(error)) => return Some(Err(error.clone())),
                Some(Ok(entry)) => {
                    let newer = best.as_ref().is_none_or(|best: &Entry| entry.order(best).is_lt());
                    best = if newer { Some(entry.clone()) } else { best };
                }
            }
        }
        let entry = best?;
        for source in &mut self.sources {
            while source.next_if(|other| other.as_ref().is_ok_and(|other| other.key == entry.key)).is_some() {}
        }
        Some(Ok(entry))
    }
}
