//! One replica, asked by writers that know nothing of each other.

use bytes::Bytes;
use std::net::Ipv4Addr;
use tepui_base::{EffectQueue, Machine, Now, Outbox};
use tepui_log::records::{self, METADATA_KEY, Metadata, Status};
use tepui_log::{Accepted, Action, Config, Effect, Input, Log, Restored, Value};
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, MessageName, codec};
use tepui_wire::{Message, Upid};

/// A replica whose disk is quick.
struct Replica {
    log: Log,
    queue: EffectQueue<Effect>,
    out: Outbox<Effect>,
    answers: Vec<Message>,
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
    fn with(promised: u64, held: Option<Action>) -> Replica {
        let metadata = Metadata { status: Status::Voting, promised };
        let metadata = (METADATA_KEY.to_vec(), records::metadata_value(metadata));
        let held = held.map(|action| (records::key(action.position).unwrap(), records::action_value(&action)));
        let restored = Restored::from_pairs([metadata].into_iter().chain(held)).unwrap();
        let config = Config::new(pid("log-replica(1)", 1), 2);
        let log = Log::new(config, 1, restored);
        Replica { log, queue: EffectQueue::default(), out: Outbox::default(), answers: Vec::new() }
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
            if self.queue.begin_sync().is_none() {
                return;
            }
            self.queue.finish_sync();
        }
    }

    fn ask<Q: tepui_proto::Message + MessageName, A: tepui_proto::Message + MessageName>(&mut self, question: &Q) -> A {
        let (from, to) = (pid("__req_res__(7)", 2), pid("log-replica(1)", 1));
        let name = format!("mesos.internal.log.{}", Q::NAME);
        self.answers.clear();
        self.input(Input::Message(Message { from, to, name, body: question.encode_to_bytes(), epoch: None }));
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
