//! A replica that others write through: its promises, what it accepts, and where it is in its life.

use crate::group::{FOLLOWER, Group, Pairs, start};
use crate::judge::{Diary, Subject};
use crate::replica::SYNCS;
use crate::skip::Skip;
use crate::store::{content, scrambled};
use bytes::Bytes;
use std::sync::Arc;
use tepui_log::records::{self, METADATA_KEY, Metadata, Record, Status};
use tepui_log::{Action, Answer, Request, RequestId};
use tepui_proto::codec;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::mesos::internal::log::metadata::Status as Told;
use tepui_store::Store;
use tepui_store::disk::Disk;
use tepui_wire::Message;

/// One of three replicas that begin a log together.
pub struct Follower;

/// One that comes to two that have written for a while: it catches up before it votes.
pub struct CatchingUp;

fn metadata(pairs: &Pairs) -> Metadata {
    match pairs.get(METADATA_KEY).map(|value| records::record(value)) {
        Some(Ok(Record::Metadata(metadata))) => metadata,
        _ => Metadata { status: Status::Empty, promised: 0 },
    }
}

fn action(pairs: &Pairs, position: u64) -> Option<Action> {
    match records::record(pairs.get(&records::key(position)?)?) {
        Ok(Record::Action(action)) => Some(action),
        _ => None,
    }
}

/// Whether the disk holds what this answer to this question acknowledges.
fn holds(asked: &Message, answer: &Message, pairs: &Pairs) -> bool {
    match answer.name.rsplit('.').next() {
        Some("PromiseResponse") => {
            let request: proto::PromiseRequest = codec::decode(&asked.body).unwrap();
            let response: proto::PromiseResponse = codec::decode(&answer.body).unwrap();
            let promised = match request.position {
                None => metadata(pairs).promised,
                Some(position) => action(pairs, position).map_or(0, |action| action.promised),
            };
            // Of what is truncated nothing is kept.
            let is_truncated = response.action.nop.tombstone == Some(true);
            !response.okay || is_truncated || promised >= request.proposal
        }
        Some("WriteResponse") => {
            let request: proto::WriteRequest = codec::decode(&asked.body).unwrap();
            let response: proto::WriteResponse = codec::decode(&answer.body).unwrap();
            let accepted = action(pairs, request.position).and_then(|action| action.accepted);
            !response.okay || accepted.is_some_and(|accepted| accepted.performed >= request.proposal)
        }
        Some("RecoverResponse") => {
            let response: proto::RecoverResponse = codec::decode(&answer.body).unwrap();
            let status = match metadata(pairs).status {
                Status::Voting => Told::VOTING,
                Status::Recovering => Told::RECOVERING,
                Status::Starting => Told::STARTING,
                Status::Empty => Told::EMPTY,
            };
            response.status == status
        }
        _ => true,
    }
}

/// A writer of the log, and the number of its last request.
struct Writer<'a, 'b> {
    group: &'a mut Group<'b>,
    member: usize,
    last: u64,
}

impl Writer<'_, '_> {
    fn lead(&mut self, member: usize) {
        self.member = member;
        let answer = self.group.ask(member, Request::Elect);
        assert!(matches!(answer, Answer::Elected { .. }), "{answer:?}");
    }

    fn write(&mut self, request: impl FnOnce(RequestId) -> Request) -> u64 {
        self.last += 1;
        match self.group.ask(self.member, request(RequestId(self.last))) {
            Answer::Written(_, position) => position,
            other => panic!("{other:?} instead of a write"),
        }
    }

    fn append(&mut self, length: u32) -> u64 {
        let bytes = Bytes::from(scrambled(length, self.last as u32 + 1));
        self.write(|id| Request::Append(id, bytes))
    }

    fn truncate(&mut self, to: u64) {
        self.write(|id| Request::Truncate(id, to));
    }
}

/// Writers take each other's place, and write values of many sectors among others.
fn write(group: &mut Group<'_>, rounds: u32) {
    let mut writer = Writer { group, member: 1, last: 0 };
    for round in 0..rounds {
        writer.lead(1 + round as usize % 2);
        let first = writer.append(90);
        writer.append(700);
        writer.append(60 + 500 * round);
        if round % 2 == 1 {
            writer.truncate(first);
        }
        writer.group.tell("RecoverRequest", Bytes::new());
    }
}

fn recover(disk: Arc<dyn Disk>) -> Result<(Pairs, Store), String> {
    let (store, log) = start(disk)?;
    let (found, figures) = (content(&store)?, log.figures());
    let kept = Metadata { status: figures.status, promised: figures.promised };
    if kept != metadata(&found) {
        return Err(format!("it starts with {kept:?}, and has {:?}", metadata(&found)));
    }
    Ok((found, store))
}

impl Subject for Follower {
    type Content = Pairs;
    type Running = Store;

    const SYNCS: &'static [Skip] = SYNCS;

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Pairs>) {
        let mut group = Group::new(diary, holds);
        group.start_follower(disk);
        (1..3).for_each(|member| group.start_other(member, Status::Empty));
        group.run_until_votes(&[FOLLOWER, 1, 2]);
        write(&mut group, 3);
        std::mem::forget(group);
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Pairs, Store), String> {
        recover(disk)
    }
}

impl Subject for CatchingUp {
    type Content = Pairs;
    type Running = Store;

    const SYNCS: &'static [Skip] = SYNCS;

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Pairs>) {
        let mut group = Group::new(diary, holds);
        (1..3).for_each(|member| group.start_other(member, Status::Voting));
        write(&mut group, 2);
        group.start_follower(disk);
        group.run_until_votes(&[FOLLOWER]);
        write(&mut group, 1);
        std::mem::forget(group);
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Pairs, Store), String> {
        recover(disk)
    }
}
