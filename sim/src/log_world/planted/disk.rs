//! Bugs between a machine and its disk.

use super::super::check::NodeId;
use super::super::observe::{self, METADATA_KEY, Record, Status};
use super::{Bug, Planted};
use bytes::Bytes;
use tepui_log::{Change, Effect};

/// What a replica finds on its disk.
pub fn opened(bug: Bug, mut stored: Vec<(Vec<u8>, Bytes)>) -> Vec<(Vec<u8>, Bytes)> {
    let metadata = stored.iter().position(|(key, _)| key == METADATA_KEY);
    match bug {
        Bug::PromiseForgotten => {
            if let Some((_, value)) = metadata.and_then(|at| stored.get_mut(at))
                && let Ok(Record::Metadata(status, _)) = observe::record(value)
            {
                *value = put_value(observe::metadata(status, 0));
            }
        }
        Bug::AcceptForgotten => {
            let last = stored.last().and_then(|(_, value)| observe::record(value).ok());
            if matches!(last, Some(Record::Action(action)) if !action.learned) {
                stored.pop();
            }
        }
        Bug::VotesEmpty if metadata.is_none() => {
            stored.push((METADATA_KEY.to_vec(), put_value(observe::metadata(Status::VOTING, 0))));
        }
        _ => {}
    }
    stored
}

fn put_value(change: Change) -> Bytes {
    match change {
        Change::Put(_, value) => value,
        Change::Delete(_) => Bytes::new(),
    }
}

/// What is read from the disk.
pub fn fetched(planted: &Planted, mut found: Vec<(Vec<u8>, Bytes)>) -> Vec<(Vec<u8>, Bytes)> {
    match planted.bug {
        Some(Bug::FetchEmpty) => Vec::new(),
        Some(Bug::FetchSwapped) => {
            if let [(_, one), .., (_, other)] = &mut found[..] {
                std::mem::swap(one, other);
            }
            found
        }
        _ => found,
    }
}

/// What is to be written.
pub fn written(planted: &mut Planted, node: NodeId, effect: Effect) -> Effect {
    let Effect::Write(changes) = effect else { return effect };
    let Some(bug) = planted.bug else { return Effect::Write(changes) };
    let record = changes.first().and_then(|change| match change {
        Change::Put(_, value) => observe::record(value).ok(),
        Change::Delete(_) => None,
    });
    Effect::Write(match (bug, record) {
        (Bug::BatchTorn, _) => changes.into_iter().take(1).collect(),
        (Bug::PromiseUnwritten, Some(Record::Metadata(status, promised))) => {
            let kept = planted.promises.entry(node).or_insert_with(|| observe::metadata(status, promised));
            let old = match observe::record(&put_value(kept.clone())) {
                Ok(Record::Metadata(before, _)) if before == status => kept.clone(),
                _ => observe::metadata(status, promised),
            };
            *kept = old.clone();
            vec![old]
        }
        (Bug::AcceptUnwritten, Some(Record::Action(action))) if action.performed.is_some() && planted.every(10) => {
            Vec::new()
        }
        (Bug::VotesEarly, Some(Record::Metadata(Status::RECOVERING, promised))) => {
            vec![observe::metadata(Status::VOTING, promised)]
        }
        (Bug::TruncatedTooFar, _) => one_more(changes),
        _ => changes,
    })
}

/// Deletes the position behind the last one that is deleted, too.
fn one_more(mut changes: Vec<Change>) -> Vec<Change> {
    let deleted = changes.iter().filter_map(|change| match change {
        Change::Delete(key) => std::str::from_utf8(key).ok()?.parse::<u64>().ok(),
        Change::Put(..) => None,
    });
    // The key of a position is its number and one.
    if let Some(last) = deleted.max() {
        changes.push(Change::Delete(observe::key(last)));
    }
    changes
}
