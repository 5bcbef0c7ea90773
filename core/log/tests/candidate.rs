//! What a candidate says to those who promised it something when nothing comes of it: here the other two masters are played.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use tepui_base::machine::Entry;
use tepui_base::{Machine, Now, Outbox, Wall};
use tepui_log::records::{self, METADATA_KEY, Metadata, Status};
use tepui_log::{Config, Effect, Input, Log, Request, Restored};
use tepui_proto::codec;
use tepui_proto::mesos::internal::log as mesos;
use tepui_proto::tepui::internal::log as proto;
use tepui_wire::{Message, Upid};

fn pid(number: u8) -> Upid {
    Upid::new("log-replica(1)", Ipv4Addr::new(10, 0, 0, number), 5050)
}

struct Candidate {
    log: Log,
    out: Outbox<Effect>,
    now: Now,
}

impl Candidate {
    /// One that votes, has promised 4, and asks the two others for a promise.
    fn new() -> Candidate {
        let metadata = records::metadata_value(Metadata { status: Status::Voting, promised: 4 });
        let restored = Restored::from_pairs([(METADATA_KEY.to_vec(), metadata)]).expect("our own record");
        let members: BTreeSet<Upid> = (0..3).map(pid).collect();
        let log = Log::new(Config::of_masters(pid(0), members.clone()), 1, restored);
        let mut candidate = Candidate { log, out: Outbox::default(), now: Now { wall: Wall(0), ..Now::default() } };
        candidate.tick();
        candidate.handle(Input::Members(members));
        candidate.handle(Input::Request(Request::Contend(Bytes::from_static(b"me"))));
        candidate
    }

    fn handle(&mut self, input: Input) {
        self.log.handle(self.now, input, &mut self.out);
    }

    fn tick(&mut self) {
        self.now.monotonic = self.log.deadline().expect("it waits for something").max(self.now.monotonic);
        self.log.tick(self.now, &mut self.out);
    }

    fn said(&mut self) -> Vec<Message> {
        let effects = self.out.drain().map(|entry| match entry {
            Entry::Free(effect) | Entry::Lazy(effect) => effect,
            Entry::Write(_, effect) | Entry::After(_, effect) => effect,
        });
        effects.filter_map(|effect| if let Effect::Send(message) = effect { Some(message) } else { None }).collect()
    }

    /// Time passes until it sends this.
    fn until(&mut self, name: &str) -> Vec<Message> {
        for _ in 0..1000 {
            let said: Vec<Message> = self.said().into_iter().filter(|message| message.name == name).collect();
            if !said.is_empty() {
                return said;
            }
            self.tick();
        }
        panic!("no {name}");
    }

    fn hear(&mut self, from: u8, to: &Upid, name: &str, body: Bytes) {
        let message = Message { from: pid(from), to: to.clone(), name: name.to_owned(), body, epoch: None };
        self.handle(Input::Message(message));
    }

    /// Somebody is free, so that it asks for promises: the group, the proposal, and who asks whom.
    fn asks(&mut self) -> (u64, u64, Vec<Message>) {
        let asked = self.until("tepui.internal.log.CandidateRequest");
        let question: proto::CandidateRequest = codec::decode(&asked[0].body).expect("a question");
        let (group, round) = (question.group, question.round);
        let free = proto::CandidateResponse { group, round, free: true, promised: 4, ..Default::default() };
        self.hear(1, &pid(0), "tepui.internal.log.CandidateResponse", codec::encode(&free));
        let asked = self.until("mesos.internal.log.PromiseRequest");
        let request: mesos::PromiseRequest = codec::decode(&asked[0].body).expect("a request");
        (group, request.proposal, asked)
    }

    fn released(&mut self) -> Vec<(u64, Upid)> {
        let releases = |message: &Message| message.name == "tepui.internal.log.LeaseRelease";
        let epoch = |message: &Message| codec::decode::<proto::LeaseRelease>(&message.body).expect("a release").epoch;
        self.said()
            .iter()
            .filter(|message| releases(message))
            .map(|message| (epoch(message), message.to.clone()))
            .collect()
    }
}

/// A vote, with the group in field 1001.
fn vote(accept: bool, proposal: u64, mut group: u64) -> Bytes {
    let position = accept.then_some(0);
    let mut body =
        codec::encode(&mesos::PromiseResponse { okay: accept, proposal, position, ..Default::default() }).to_vec();
    body.extend([0xC8, 0x3E]);
    while group >= 0x80 {
        body.push(group as u8 | 0x80);
        group >>= 7;
    }
    body.push(group as u8);
    body.into()
}

/// Who promised something granted it under the number that was asked with, not under that of who refused.
#[test]
fn a_candidate_that_is_refused_releases_what_it_was_promised() {
    let mut candidate = Candidate::new();
    let (group, proposal, asked) = candidate.asks();
    for message in asked {
        let (from, accepts) = (message.to.ip.octets()[3], message.to == pid(1));
        let body = vote(accepts, if accepts { proposal } else { 99 }, group);
        candidate.hear(from, &message.from, "mesos.internal.log.PromiseResponse", body);
    }
    assert_eq!(candidate.released(), [(proposal, pid(1)), (proposal, pid(2))]);
    // The next try is higher than what refused it.
    assert_eq!(candidate.asks().1, 100);
}

#[test]
fn a_candidate_that_gives_up_releases_what_it_was_promised() {
    let mut candidate = Candidate::new();
    let (_, proposal, _) = candidate.asks();
    candidate.handle(Input::Request(Request::Resign));
    assert_eq!(candidate.released(), [(proposal, pid(1)), (proposal, pid(2))]);
}
