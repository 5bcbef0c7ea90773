//! The replicated log: what was appended and truncated.

use crate::judge::{Diary, Subject};
use crate::replica::{Inside, Replica, SYNCS};
use crate::skip::Skip;
use crate::store::scrambled;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_log::{Answer, Effect, Input, Request, RequestId};
use tepui_store::disk::Disk;

/// See the module's text.
pub struct Log;

impl Inside for tepui_log::Log {
    fn build(log: tepui_log::Log) -> Self {
        log
    }

    fn input(input: Input) -> Input {
        input
    }

    fn effect(effect: Effect) -> Result<Effect, Effect> {
        match effect {
            // It is said without being asked for.
            Effect::Answer(Answer::Recovered) => Ok(effect),
            Effect::Answer(_) => Err(effect),
            effect => Ok(effect),
        }
    }
}

type Running = Replica<tepui_log::Log>;

fn answer(replica: &mut Running) -> Result<Answer, String> {
    match replica.told()? {
        Effect::Answer(answer) => Ok(answer),
        other => Err(format!("{other:?} is no answer")),
    }
}

/// Becomes the writer; the positions that the log holds.
fn elect(replica: &mut Running) -> Result<(u64, u64), String> {
    replica.input(Input::Request(Request::Elect));
    match answer(replica)? {
        Answer::Elected { begin, end } => Ok((begin, end)),
        other => Err(format!("{other:?} instead of an election")),
    }
}

/// Asks all at once; each is acknowledged by itself.
fn write(
    replica: &mut Running,
    diary: &mut Diary<BTreeMap<u64, Bytes>>,
    content: &mut BTreeMap<u64, Bytes>,
    writes: &[Request],
) {
    let begun = diary.now();
    replica.inputs(writes.iter().cloned().map(Input::Request));
    for request in writes {
        let Answer::Written(_, position) = answer(replica).unwrap() else { panic!("{request:?} is refused") };
        match request {
            Request::Append(_, bytes) => _ = content.insert(position, bytes.clone()),
            Request::Truncate(_, to) => content.retain(|position, _| position >= to),
            other => panic!("{other:?} is no write"),
        }
        diary.acknowledged(begun, content);
    }
}

impl Subject for Log {
    type Content = BTreeMap<u64, Bytes>;
    type Running = Running;

    const SYNCS: &'static [Skip] = SYNCS;

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Self::Content>) {
        let mut replica = Running::start(disk).unwrap();
        elect(&mut replica).unwrap();
        let mut content = BTreeMap::new();
        let append = |number: u32, length| {
            Request::Append(RequestId(u64::from(number)), Bytes::from(scrambled(length, number + 1)))
        };
        for round in 0..5u32 {
            let number = round * 10;
            write(&mut replica, diary, &mut content, &[append(number, 90)]);
            write(&mut replica, diary, &mut content, &[append(number + 1, 700)]);
            // Three under way at once.
            let batch: Vec<Request> = (2..5).map(|more| append(number + more, 60)).collect();
            write(&mut replica, diary, &mut content, &batch);
            if round % 2 == 1 {
                let middle = *content.keys().nth(content.len() / 2).unwrap();
                let truncate = Request::Truncate(RequestId(u64::from(number + 9)), middle);
                write(&mut replica, diary, &mut content, &[truncate]);
            }
            if round == 2 {
                replica.input(Input::Request(Request::Resign));
                elect(&mut replica).unwrap();
            }
        }
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, Running), String> {
        let mut replica = Running::start(disk)?;
        let (begin, end) = elect(&mut replica)?;
        replica.input(Input::Request(Request::Read(RequestId(1), begin, end)));
        match answer(&mut replica)? {
            Answer::Entries(_, entries) => Ok((entries.into_iter().collect(), replica)),
            other => Err(format!("{other:?} instead of the entries from {begin} to {end}")),
        }
    }
}
