//! One replica, asked by writers that know nothing of each other.

use bytes::Bytes;
use std::net::Ipv4Addr;
use tepui_base::{EffectQueue, Machine, Now, Outbox};
use tepui_log::records::{self, METADATA_KEY, Metadata, Status};
use tepui_log::{Accepted, Action, Change, Config, Effect, Input, Log, Restored, Value};
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, MessageName, codec};
use tepui_wire::{Message, Upid};

/// A replica whose disk is quick.
struct Replica {
    log: Log,
    queue: EffectQueue<Effect>,
    out: Outbox<Effect>,
    answers: Vec<Message>,
    /// What it wrote since the last question.
    written: Vec<Change>,
}

fn pid(id: &str, last: u8) -> Upid {
    Upid::new(id, Ipv4Addr::new(10, 0, 0, last), 5050)
}

impl Replica {
    /// A voting one of three.
    fn new() -> Replica {
        Replica::with(0, None)
    }

    /// One that has promised this and holds this.
    fn with(promised: u64, held: impl IntoIterator<Item = Action>) -> Replica {
        let metadata = Metadata { status: Status::Voting, promised };
        let metadata = (METADATA_KEY.to_vec(), records::metadata_value(metadata));
        let held =
            held.into_iter().map(|action| (records::key(action.position).unwrap(), records::action_value(&action)));
        let restored = Restored::from_pairs([metadata].into_iter().chain(held)).unwrap();
        let config = Config::new(pid("log-replica(1)", 1), 2);
        let log = Log::new(config, 1, restored);
        let (queue, out) = (EffectQueue::default(), Outbox::default());
        Replica { log, queue, out, answers: Vec::new(), written: Vec::new() }
    }

    fn input(&mut self, input: Input) {
        self.log.handle(Now::default(), input, &mut self.out);
        self.queue.submit(&mut self.out);
        loop {
            while let Some(effect) = self.queue.pop_ready() {
                match effect {
                    Effect::Send(message) => self.answers.push(message),
                    Effect::Durable(key) => return self.input(Input::Durable(key)),
                    _ => {}
                }
            }
            let Some(batch) = self.queue.begin_sync() else { return };
            for effect in batch {
                let Effect::Write(changes) = effect else { unreachable!("only writes are written") };
                self.written.extend(changes);
            }
            self.queue.finish_sync();
        }
    }

    fn tell<Q: tepui_proto::Message + MessageName>(&mut self, message: &Q) {
        let (from, to) = (pid("__req_res__(7)", 2), pid("log-replica(1)", 1));
        let name = format!("mesos.internal.log.{}", Q::NAME);
        self.answers.clear();
        self.written.clear();
        self.input(Input::Message(Message { from, to, name, body: message.encode_to_bytes(), epoch: None }));
    }

    fn ask<Q: tepui_proto::Message + MessageName, A: tepui_proto::Message + MessageName>(&mut self, question: &Q) -> A {
        self.tell(question);
        let [answer] = &self.answers[..] else { panic!("one answer, not {:?}", self.answers) };
        assert_eq!(answer.name, format!("mesos.internal.log.{}", A::NAME));
        codec::decode(&answer.body).unwrap()
    }

    fn write(&mut self, proposal: u64, position: u64, bytes: &'static [u8]) -> proto::WriteResponse {
        let append = proto::action::Append { bytes: Bytes::from_static(bytes).to_vec(), ..Default::default() };
        self.ask(&proto::WriteRequest {
            proposal,
            position,
            r#type: proto::action::Type::APPEND,
            append: MessageField::some(append),
            ..Default::default()
        })
    }

    fn promise(&mut self, proposal: u64, position: Option<u64>) -> proto::PromiseResponse {
        self.ask(&proto::PromiseRequest { proposal, position, ..Default::default() })
    }

    /// Tells it that this is decided.
    fn learn(&mut self, action: proto::Action) {
        self.tell(&proto::LearnedMessage { action: MessageField::some(action), ..Default::default() });
    }

    /// The changes that it has in mind, whether they were worth a sync or not.
    fn sync(&mut self) -> Vec<Change> {
        let written = std::mem::take(&mut self.written);
        // A promise is always worth one.
        let promised = self.log.figures().promised;
        assert!(self.promise(promised + 1, None).okay);
        let since = std::mem::take(&mut self.written);
        let mut changes: Vec<Change> = written.into_iter().chain(since).collect();
        changes.pop();
        changes
    }
}

fn learned(position: u64, r#type: Option<proto::action::Type>) -> proto::Action {
    proto::Action { position, promised: 6, performed: Some(6), learned: Some(true), r#type, ..Default::default() }
}

fn truncation(position: u64, to: u64) -> proto::Action {
    let truncate = MessageField::some(proto::action::Truncate { to, ..Default::default() });
    proto::Action { truncate, ..learned(position, Some(proto::action::Type::TRUNCATE)) }
}

fn key(position: u64) -> Vec<u8> {
    records::key(position).unwrap()
}

/// The second writer was elected by the two other replicas, so that this one has promised less than it accepts. If it let
/// the first writer write over that, the second one's value would be decided and yet be at one replica only.
#[test]
fn what_was_accepted_is_not_written_over_by_an_older_writer() {
    let mut replica = Replica::new();
    assert!(replica.promise(6, None).okay);
    assert!(replica.write(7, 1, b"new").okay);
    let refused = replica.write(6, 1, b"old");
    assert_eq!((refused.okay, refused.proposal), (false, 7));
    let refused = replica.promise(7, Some(1));
    assert_eq!((refused.okay, refused.proposal), (false, 7), "the writer itself holds that promise");
    let told = replica.promise(8, Some(1));
    assert_eq!(told.action.append.bytes, b"new");
    assert!(replica.write(8, 1, b"new").okay, "a newer one fills the position");
}

/// The same, when 1.11 has accepted it and has written down the promise it had given before.
#[test]
fn what_a_directory_of_mesos_has_accepted_is_not_written_over_by_an_older_writer() {
    let value = Value::Append(Bytes::from_static(b"new"));
    let accepted = Some(Accepted { performed: 7, value });
    let held = Action { position: 1, promised: 6, accepted, learned: false };
    let mut replica = Replica::with(6, Some(held));
    let refused = replica.write(6, 1, b"old");
    assert_eq!((refused.okay, refused.proposal), (false, 7));
    let told = replica.promise(8, Some(1));
    assert_eq!((told.action.promised, told.action.performed), (7, Some(7)));
    assert_eq!(told.action.append.bytes, b"new");
}

/// A promise for everything is one for each position that holds nothing, and is not made twice.
#[test]
fn what_is_promised_is_refused_to_the_same_and_to_lower_proposals() {
    let mut replica = Replica::new();
    assert!(replica.promise(6, None).okay);
    for (proposal, position) in [(6, None), (5, None), (6, Some(3)), (5, Some(3))] {
        let refused = replica.promise(proposal, position);
        assert_eq!((refused.okay, refused.proposal), (false, 6), "{proposal} {position:?}");
        assert_eq!(replica.written, []);
    }
    let refused = replica.write(5, 1, b"old");
    assert_eq!((refused.okay, refused.proposal), (false, 6));
    assert!(replica.write(6, 1, b"its own").okay, "a writer writes with what it was promised");
    let told = replica.promise(7, Some(3));
    assert_eq!((told.okay, told.position), (true, Some(3)));
    let refused = replica.write(6, 3, b"late");
    assert_eq!((refused.okay, refused.proposal), (false, 7), "one position is promised to another one");
    assert!(replica.write(6, 4, b"next").okay, "the others are not");
    assert!(replica.write(7, 3, b"filled").okay);
}

/// A replica that says less than it knows of its end lets the next writer write over what it has accepted.
#[test]
fn a_promise_for_everything_tells_the_last_position() {
    let mut replica = Replica::new();
    assert_eq!(replica.promise(6, None).position, Some(0));
    assert!(replica.write(6, 4, b"x").okay && replica.write(6, 2, b"y").okay);
    assert_eq!(replica.promise(7, None).position, Some(4));
}

#[test]
fn what_is_truncated_is_gone() {
    let mut replica = Replica::new();
    for position in 1..=4 {
        assert!(replica.write(6, position, b"entry").okay);
    }
    replica.learn(truncation(5, 3));
    assert_eq!(replica.log.figures().begin, 3);
    let deleted: Vec<_> = replica.sync().into_iter().filter(|change| matches!(change, Change::Delete(_))).collect();
    assert_eq!(deleted, [Change::Delete(key(1)), Change::Delete(key(2))]);
    let told = replica.promise(9, Some(2));
    assert!(told.okay && told.action.learned == Some(true) && told.action.nop.tombstone == Some(true), "{told:?}");
    assert_eq!(replica.promise(9, Some(3)).action.append.bytes, b"entry", "the first that remains");
    let body = proto::WriteRequest { proposal: 9, position: 2, r#type: proto::action::Type::NOP, ..Default::default() };
    replica.tell(&body);
    assert_eq!((&replica.answers[..], &replica.written[..]), (&[][..], &[][..]), "nobody is answered for it");
}

/// The record that says where the log begins has to outlive its own truncation, until another one says it.
#[test]
fn the_record_that_says_where_the_log_begins_goes_last() {
    let mut replica = Replica::new();
    replica.learn(truncation(1, 1));
    replica.learn(truncation(2, 2));
    replica.learn(truncation(3, 3));
    let deleted: Vec<_> = replica.sync().into_iter().filter(|change| matches!(change, Change::Delete(_))).collect();
    assert_eq!(deleted, [Change::Delete(key(1)), Change::Delete(key(2))]);
}

#[test]
fn a_decision_without_a_value_decides_nothing() {
    let mut replica = Replica::new();
    replica.learn(learned(1, None));
    assert_eq!(replica.sync(), []);
    assert!(replica.write(9, 1, b"x").okay, "the position is open");
}

#[test]
fn a_decision_is_written_once() {
    let mut replica = Replica::new();
    replica.learn(learned(1, Some(proto::action::Type::NOP)));
    replica.learn(truncation(3, 2));
    assert_eq!(replica.log.figures().missing, 1, "the one between them");
    assert!(!replica.sync().is_empty());
    replica.learn(learned(1, Some(proto::action::Type::NOP)));
    replica.learn(truncation(3, 2));
    assert_eq!(replica.sync(), [], "neither what is truncated nor what is known");
}

/// Writers of Mesos may truncate what is to come. Such a truncation may itself be truncated when it arrives late.
#[test]
fn the_furthest_truncation_counts_wherever_it_stands() {
    let mut replica = Replica::new();
    replica.learn(truncation(2, 9));
    replica.learn(truncation(5, 20));
    replica.learn(truncation(3, 12));
    assert_eq!(replica.log.figures().begin, 20);
    let changes = replica.sync();
    assert!(changes.iter().any(|change| matches!(change, Change::Put(at, _) if *at == key(5))), "{changes:?}");
    assert!(!changes.contains(&Change::Delete(key(5))) && changes.contains(&Change::Delete(key(2))), "{changes:?}");
}
