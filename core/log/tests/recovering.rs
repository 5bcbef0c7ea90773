//! A replica of five that has lost its disk: here the other four are played.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;
use tepui_base::{EffectQueue, Instant, Machine, Now, Outbox};
use tepui_log::{Answer, Config, Effect, Input, Log, Restored};
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, codec};
use tepui_wire::{Message, Upid};

/// What a writer has promised and its replicas with it.
const PROMISED: u64 = 7;

fn pid(number: u8) -> Upid {
    Upid::new("log-replica(1)", Ipv4Addr::new(10, 0, 0, number), 5050)
}

struct Replica {
    log: Log,
    queue: EffectQueue<Effect>,
    out: Outbox<Effect>,
    now: Now,
    sent: Vec<Message>,
    votes: bool,
}

impl Replica {
    /// One that asks the others where they are.
    fn new() -> (Replica, Vec<Message>) {
        let log = Log::new(Config::new(pid(0), 3), 1, Restored::default());
        let (queue, out, sent) = (EffectQueue::default(), Outbox::default(), Vec::new());
        let mut replica = Replica { log, queue, out, now: Now::default(), sent, votes: false };
        replica.input(Input::Members(BTreeSet::from([0, 1, 2, 3, 4].map(pid))));
        replica.tick();
        let questions = replica.said("RecoverRequest");
        assert_eq!(questions.len(), 4);
        (replica, questions)
    }

    fn input(&mut self, input: Input) {
        self.log.handle(self.now, input, &mut self.out);
        self.settle();
    }

    fn tick(&mut self) {
        self.now.monotonic = self.log.deadline().expect("it waits for something").max(self.now.monotonic);
        self.log.tick(self.now, &mut self.out);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.queue.submit(&mut self.out);
            while let Some(effect) = self.queue.pop_ready() {
                match effect {
                    Effect::Send(message) => self.sent.push(message),
                    Effect::Durable(key) => return self.input(Input::Durable(key)),
                    Effect::Answer(Answer::Recovered) => self.votes = true,
                    effect => panic!("{effect:?}"),
                }
            }
            if self.queue.begin_sync().is_none() {
                return;
            }
            self.queue.finish_sync();
        }
    }

    /// Answers the questions for positions until it has asked what was promised.
    fn catch_up(&mut self, end: u64) -> Vec<Message> {
        loop {
            let (probes, fills): (Vec<_>, Vec<_>) = self.said("PromiseRequest").into_iter().partition(is_probe);
            if !probes.is_empty() {
                return probes;
            }
            fills.iter().for_each(|question| self.answer(question, end));
            if self.sent.is_empty() {
                self.tick();
            }
        }
    }

    /// What it has sent of this kind since it was looked at.
    fn said(&mut self, kind: &str) -> Vec<Message> {
        std::mem::take(&mut self.sent).into_iter().filter(|message| message.name.ends_with(kind)).collect()
    }

    fn answer(&mut self, question: &Message, end: u64) {
        let (name, body) = answer(question, end);
        let (from, to) = (question.to.clone(), question.from.clone());
        self.input(Input::Message(Message { from, to, name: format!("mesos.internal.log.{name}"), body, epoch: None }));
    }
}

fn is_probe(question: &Message) -> bool {
    codec::decode::<proto::PromiseRequest>(&question.body).expect("a request for a promise").position.is_none()
}

/// What a replica says that votes, has promised [`PROMISED`], and knows that nothing was written up to its end.
fn answer(question: &Message, end: u64) -> (&'static str, Bytes) {
    if question.name.ends_with("RecoverRequest") {
        let status = proto::metadata::Status::VOTING;
        let reply = proto::RecoverResponse { status, begin: Some(0), end: Some(end), ..Default::default() };
        return ("RecoverResponse", codec::encode(&reply));
    }
    let request: proto::PromiseRequest = codec::decode(&question.body).expect("a request for a promise");
    let reply = match request.position {
        None => proto::PromiseResponse { okay: false, proposal: PROMISED, ..Default::default() },
        Some(position) => {
            let nop = MessageField::some(proto::action::Nop::default());
            let (performed, learned, r#type) = (Some(1), Some(true), Some(proto::action::Type::NOP));
            let action = proto::Action { position, promised: 1, performed, learned, r#type, nop, ..Default::default() };
            let action = MessageField::some(action);
            proto::PromiseResponse { okay: true, proposal: request.proposal, action, ..Default::default() }
        }
    };
    ("PromiseResponse", codec::encode(&reply))
}

/// The writer has position 5 under way, of which only its own replica knows, and this one's lost disk did.
#[test]
fn what_one_alone_has_accepted_is_learned_too() {
    let (mut replica, questions) = Replica::new();
    for question in &questions[1..] {
        replica.answer(question, 4);
    }
    assert!(replica.said("PromiseRequest").is_empty(), "the fourth may be the writer");
    replica.answer(&questions[0], 5);
    let mut asked = BTreeSet::new();
    while !replica.votes {
        for question in replica.said("PromiseRequest") {
            let request: proto::PromiseRequest = codec::decode(&question.body).expect("a request for a promise");
            asked.extend(request.position);
            replica.answer(&question, 5);
        }
        if replica.sent.is_empty() && !replica.votes {
            replica.tick();
        }
    }
    assert_eq!(asked, BTreeSet::from([0, 1, 2, 3, 4, 5]));
    let figures = replica.log.figures();
    assert_eq!((figures.promised, figures.end), (PROMISED, 5));
    assert!(replica.now.monotonic < Instant(0) + Duration::from_secs(1), "nobody was waited for");
}

/// A candidate has promised itself, and this one's lost disk had, more than the others know of.
#[test]
fn what_one_alone_has_promised_is_promised_too() {
    let (mut replica, questions) = Replica::new();
    questions.iter().for_each(|question| replica.answer(question, 4));
    let probes = replica.catch_up(4);
    assert_eq!(probes.len(), 4);
    probes[1..].iter().for_each(|probe| replica.answer(probe, 4));
    assert!(!replica.votes, "the fourth may be the candidate");
    let reply = proto::PromiseResponse { okay: false, proposal: PROMISED + 2, ..Default::default() };
    let (from, to) = (probes[0].to.clone(), probes[0].from.clone());
    let (name, body) = ("mesos.internal.log.PromiseResponse".to_owned(), codec::encode(&reply));
    replica.input(Input::Message(Message { from, to, name, body, epoch: None }));
    assert!(replica.votes);
    assert_eq!(replica.log.figures().promised, PROMISED + 2);
}

#[test]
fn who_cannot_be_heard_is_waited_for_until_it_has_given_up_to_write() {
    let (mut replica, mut questions) = Replica::new();
    while !replica.votes {
        for question in questions.iter().filter(|question| question.to != pid(4)) {
            replica.answer(question, 4);
        }
        replica.tick();
        questions = replica.said("Request");
    }
    let waited = Duration::from_nanos(replica.now.monotonic.0);
    assert!((45..60).contains(&waited.as_secs()), "a write is put again for 35 seconds: {waited:?}");
    assert_eq!(replica.log.figures().promised, PROMISED);
}
