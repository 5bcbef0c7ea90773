//! Histories made by hand: what is right is let pass, and each thing that is wrong is objected to.

use super::super::observe::{self, METADATA_KEY, Status, Value};
use super::{Checks, address_of};
use crate::disk::Disk;
use bytes::Bytes;
use tepui_base::Rng;
use tepui_log::{Answer, Change, Request, RequestId};
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, MessageName, codec};
use tepui_wire::{Message, Upid};

/// Three replicas, judged.
struct Scene {
    checks: Checks,
    disks: Vec<Disk>,
}

fn action(position: u64, promised: u64, performed: Option<u64>, value: Option<&Value>, learned: bool) -> proto::Action {
    let mut action =
        proto::Action { position, promised, performed, learned: learned.then_some(true), ..Default::default() };
    match value {
        Some(Value::Append(bytes)) => {
            action.r#type = Some(proto::action::Type::APPEND);
            action.append = MessageField::some(proto::action::Append { bytes: bytes.to_vec(), ..Default::default() });
        }
        Some(Value::Truncate(to)) => {
            action.r#type = Some(proto::action::Type::TRUNCATE);
            action.truncate = MessageField::some(proto::action::Truncate { to: *to, ..Default::default() });
        }
        Some(_) => {
            action.r#type = Some(proto::action::Type::NOP);
            action.nop = MessageField::some(proto::action::Nop::default());
        }
        None => {}
    }
    action
}

fn put(action: proto::Action) -> Change {
    let key = observe::key(action.position);
    let record =
        proto::Record { r#type: proto::record::Type::ACTION, action: MessageField::some(action), ..Default::default() };
    Change::Put(key, codec::encode(&record))
}

fn append(text: &str) -> Value {
    Value::Append(Bytes::copy_from_slice(text.as_bytes()))
}

impl Scene {
    /// All vote, and node 0's client has asked for `a` and `b`.
    fn new() -> Scene {
        let mut scene = Scene { checks: Checks::new(3, 2), disks: (0..3).map(|_| Disk::default()).collect() };
        for node in 0..3 {
            scene.store(node, observe::metadata(Status::VOTING, 0));
        }
        scene
    }

    fn ask(&mut self, node: usize, request: Request) {
        self.checks.asked(node, &request);
    }

    fn store(&mut self, node: usize, change: Change) {
        self.disks[node].write(vec![vec![change]]);
        let batches = self.disks[node].sync().unwrap();
        self.checks.durable(0, node, &self.disks[node], &batches);
    }

    fn accept(&mut self, node: usize, position: u64, proposal: u64, value: &Value) {
        self.store(node, put(action(position, proposal, Some(proposal), Some(value), false)));
    }

    /// A message from a replica, or from the process with which node `from` asks.
    fn say<M: tepui_proto::Message + MessageName>(&mut self, from: usize, id: &str, to: usize, to_id: &str, body: M) {
        let message = Message {
            epoch: None,
            from: Upid::at(id, address_of(from)),
            to: Upid::at(to_id, address_of(to)),
            name: format!("mesos.internal.log.{}", M::NAME),
            body: body.encode_to_bytes(),
        };
        self.checks.sent(0, from, &self.disks[from], &message);
    }

    /// Node 0 asks node `of` for a promise and hears of it.
    fn promise(&mut self, of: usize, proposal: u64, position: Option<u64>, end: u64, action: Option<proto::Action>) {
        self.say(0, "ask", of, "log", proto::PromiseRequest { proposal, position, ..Default::default() });
        let answer = proto::PromiseResponse {
            okay: true,
            r#type: Some(proto::promise_response::Type::ACCEPT),
            proposal,
            position: position.or(Some(end)),
            action: action.into(),
            ..Default::default()
        };
        self.say(of, "log", 0, "ask", answer);
    }

    fn answer_write(&mut self, of: usize, proposal: u64, position: u64) {
        let answer = proto::WriteResponse {
            okay: true,
            r#type: Some(proto::write_response::Type::ACCEPT),
            proposal,
            position,
            ..Default::default()
        };
        self.say(of, "log", 0, "ask", answer);
    }

    fn answer(&mut self, node: usize, answer: Answer) {
        self.checks.answered(0, node, &answer);
    }

    /// Node `node` is elected under a proposal that its own replica and replica 1 promise.
    fn elect(&mut self, node: usize, proposal: u64, begin: u64, end: u64) {
        self.ask(node, Request::Elect);
        for of in [0, 1] {
            self.store(of, observe::metadata(Status::VOTING, proposal));
        }
        self.checks.clients.promised(node, proposal, 0);
        self.checks.clients.promised(node, proposal, 1);
        self.answer(node, Answer::Elected { begin, end });
    }

    /// Position 0 is decided to be nothing, and position 1 to be `a`, acknowledged to node 0.
    fn with_an_append() -> Scene {
        let mut scene = Scene::new();
        [0, 1].into_iter().for_each(|node| scene.accept(node, 0, 1, &Value::Nop));
        scene.elect(0, 1, 0, 0);
        scene.ask(0, Request::Append(RequestId(1), Bytes::from_static(b"a")));
        [0, 1].into_iter().for_each(|node| scene.accept(node, 1, 1, &append("a")));
        scene.answer(0, Answer::Written(RequestId(1), 1));
        assert_eq!(scene.checks.violations, [""; 0]);
        scene
    }

    #[track_caller]
    fn objects(&self, part: &str) {
        let texts = &self.checks.violations;
        assert!(texts.iter().any(|text| text.contains(part)), "no objection with {part:?} among {texts:?}");
    }
}

#[test]
fn what_is_right_is_let_pass() {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Read(RequestId(2), 0, 1));
    scene.answer(0, Answer::Entries(RequestId(2), vec![(1, Bytes::from_static(b"a"))]));
    scene.ask(0, Request::Truncate(RequestId(3), 2));
    [0, 1].into_iter().for_each(|node| scene.accept(node, 2, 1, &Value::Truncate(2)));
    scene.answer(0, Answer::Written(RequestId(3), 2));
    scene.store(1, Change::Delete(observe::key(1)));
    scene.ask(0, Request::Append(RequestId(4), Bytes::from_static(b"b")));
    scene.answer(0, Answer::Unknown(RequestId(4)));
    scene.answer(0, Answer::Demoted);
    scene.elect(2, 7, 2, 2);
    scene.checks.at_rest(0, 0);
    assert_eq!(scene.checks.violations, [""; 0]);
}

#[test]
fn two_values_under_one_proposal() {
    let mut scene = Scene::with_an_append();
    scene.accept(2, 1, 1, &Value::Nop);
    scene.objects("is for two values at position 1");
}

#[test]
fn two_decisions_at_one_position() {
    let mut scene = Scene::with_an_append();
    [1, 2].into_iter().for_each(|node| scene.accept(node, 1, 5, &Value::Nop));
    scene.objects("position 1 was decided twice");
}

#[test]
fn one_append_at_two_positions() {
    let mut scene = Scene::with_an_append();
    [0, 1].into_iter().for_each(|node| scene.accept(node, 2, 1, &append("a")));
    scene.objects("was decided at positions 1 and 2");
}

#[test]
fn an_older_writer_after_a_newer_one() {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Append(RequestId(2), Bytes::from_static(b"old")));
    scene.ask(1, Request::Append(RequestId(2), Bytes::from_static(b"new")));
    scene.accept(2, 3, 1, &append("old"));
    [0, 1].into_iter().for_each(|node| scene.accept(node, 2, 5, &append("new")));
    [0, 1].into_iter().for_each(|node| scene.accept(node, 3, 9, &append("old")));
    scene.objects("position 3 is of writer 1, and position 2 of writer 5");
}

#[test]
fn what_nobody_appended() {
    let mut scene = Scene::with_an_append();
    scene.accept(0, 2, 1, &append("x"));
    scene.objects("was asked for by nobody");
}

#[test]
fn learned_and_not_decided() {
    let mut scene = Scene::with_an_append();
    scene.accept(0, 2, 1, &Value::Nop);
    let told = proto::LearnedMessage {
        action: MessageField::some(action(2, 1, Some(1), Some(&Value::Nop), true)),
        ..Default::default()
    };
    scene.say(0, "log", 1, "log", told);
    scene.objects("and is not decided");
    let mut scene = Scene::with_an_append();
    scene.store(2, put(action(1, 1, Some(1), Some(&Value::Nop), true)));
    scene.objects("was learned as Nop, not append");
}

#[test]
fn acknowledged_before_it_is_decided_twice_or_elsewhere() {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Append(RequestId(2), Bytes::from_static(b"b")));
    scene.accept(0, 2, 1, &append("b"));
    scene.answer(0, Answer::Written(RequestId(2), 2));
    scene.objects("where None is decided");
    scene.answer(0, Answer::Written(RequestId(2), 2));
    scene.objects("was not under way");
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Append(RequestId(2), Bytes::from_static(b"b")));
    scene.answer(0, Answer::Written(RequestId(2), 1));
    scene.objects("position 1 is acknowledged twice");
    scene.objects("position 1 is acknowledged after 1");
}

#[test]
fn acknowledged_out_of_order() {
    let mut scene = Scene::with_an_append();
    for (id, text) in [(2, "b"), (3, "c")] {
        scene.ask(0, Request::Append(RequestId(id), Bytes::copy_from_slice(text.as_bytes())));
        [0, 1].into_iter().for_each(|node| scene.accept(node, id, 1, &append(text)));
    }
    scene.answer(0, Answer::Written(RequestId(3), 3));
    scene.objects("is acknowledged before appends asked earlier");
}

#[test]
fn elections_that_must_not_be() {
    let mut scene = Scene::with_an_append();
    scene.answer(1, Answer::Elected { begin: 0, end: 1 });
    scene.objects("elected, and had not asked");
    let mut scene = Scene::with_an_append();
    scene.ask(2, Request::Elect);
    scene.answer(2, Answer::Elected { begin: 0, end: 1 });
    scene.objects("elected by 0 of the 2 it takes");
    let mut scene = Scene::with_an_append();
    scene.elect(1, 3, 0, 0);
    scene.objects("position 1 was acknowledged before");
    let mut scene = Scene::with_an_append();
    scene.elect(1, 3, 0, 2);
    scene.objects("position 2 is not decided");
    let mut scene = Scene::with_an_append();
    scene.elect(1, 3, 1, 1);
    scene.objects("and only 0 is truncated");
}

#[test]
fn reads_that_lie() {
    for (entries, part) in [
        (vec![], "at position 1 was not read"),
        (vec![(1, "x")], "was read at position 1, where Some"),
        (vec![(1, "a"), (1, "a")], "entries out of order"),
        (vec![(1, "a"), (7, "a")], "was read and not asked for"),
    ] {
        let mut scene = Scene::with_an_append();
        scene.ask(0, Request::Read(RequestId(2), 0, 1));
        let entries = entries.into_iter().map(|(at, text)| (at, Bytes::from_static(text.as_bytes()))).collect();
        scene.answer(0, Answer::Entries(RequestId(2), entries));
        scene.objects(part);
    }
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Read(RequestId(2), 0, 1));
    scene.answer(0, Answer::ReadFailed(RequestId(2), "no".to_owned()));
    scene.objects("a read from position 0 failed");
}

#[test]
fn what_was_truncated_comes_back() {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Truncate(RequestId(2), 2));
    [0, 1].into_iter().for_each(|node| scene.accept(node, 2, 1, &Value::Truncate(2)));
    scene.answer(0, Answer::Written(RequestId(2), 2));
    scene.ask(0, Request::Read(RequestId(3), 0, 2));
    scene.answer(0, Answer::Entries(RequestId(3), vec![(1, Bytes::from_static(b"a"))]));
    scene.objects("had been truncated up to 2");
    scene.elect(1, 3, 0, 2);
    scene.objects("and 2 was truncated before");
}

#[test]
fn truncated_too_far() {
    let mut scene = Scene::with_an_append();
    scene.store(1, Change::Delete(observe::key(1)));
    scene.objects("deletes position 1, and only 0 is truncated");
    scene.store(1, Change::Delete(METADATA_KEY.to_vec()));
    scene.objects("deletes its metadata");
}

#[test]
fn promises_that_are_broken() {
    let mut scene = Scene::with_an_append();
    scene.store(2, observe::metadata(Status::VOTING, 5));
    scene.promise(2, 5, None, 1, None);
    assert_eq!(scene.checks.violations, [""; 0]);
    scene.promise(2, 4, None, 1, None);
    scene.objects("promised 4 after 5");
    scene.accept(2, 2, 3, &Value::Nop);
    scene.objects("its disk accepts Some(3) at position 2 after the promise 5");
    scene.answer_write(2, 3, 2);
    scene.objects("accepted 3 at position 2 after it had promised 5");
    scene.store(2, observe::metadata(Status::VOTING, 4));
    scene.objects("its disk forgets the promise 5 for 4");
}

#[test]
fn promises_about_one_position() {
    let mut scene = Scene::with_an_append();
    scene.answer_write(1, 1, 1);
    scene.store(1, put(action(1, 4, Some(1), Some(&append("a")), false)));
    scene.promise(1, 4, Some(1), 0, Some(action(1, 1, Some(1), Some(&append("a")), false)));
    assert_eq!(scene.checks.violations, [""; 0]);
    scene.promise(1, 4, Some(1), 0, Some(action(1, 1, Some(1), Some(&append("a")), false)));
    scene.objects("promised 4 at position 1 after 4");
    scene.promise(1, 6, Some(1), 0, None);
    scene.objects("does not tell what it accepted at position 1");
    scene.objects("promised 6 at position 1 before that was durable");
    scene.promise(1, 7, Some(1), 0, Some(action(1, 4, Some(2), Some(&Value::Nop), false)));
    scene.objects("what nobody proposed under 2");
}

#[test]
fn said_before_it_is_durable() {
    let mut scene = Scene::with_an_append();
    scene.promise(2, 5, None, 1, None);
    scene.objects("promised 5 before that was durable");
    scene.answer_write(2, 5, 2);
    scene.objects("accepted 5 at position 2 before that was durable");
}

#[test]
fn a_replica_that_hides_where_it_ends() {
    let mut scene = Scene::with_an_append();
    scene.answer_write(1, 1, 1);
    scene.store(1, observe::metadata(Status::VOTING, 5));
    scene.promise(1, 5, None, 0, None);
    scene.objects("promised 5 up to 0, having accepted position 1");
    let answer = proto::RecoverResponse { status: Status::VOTING, begin: Some(0), end: Some(0), ..Default::default() };
    scene.say(1, "log", 0, "ask", answer);
    scene.objects("says that it holds Some((0, 0)), having accepted position 1");
}

#[test]
fn a_replica_that_lost_all_and_votes_too_early() {
    let mut scene = Scene::with_an_append();
    scene.disks[1].wipe();
    scene.checks.wiped(1);
    scene.store(1, observe::metadata(Status::RECOVERING, 0));
    let answer = proto::RecoverResponse { status: Status::VOTING, begin: Some(0), end: Some(0), ..Default::default() };
    scene.say(1, "log", 0, "ask", answer);
    scene.objects("calls itself a voting member and is none on its disk");
    scene.store(1, observe::metadata(Status::VOTING, 0));
    scene.objects("votes again, but holds None at position 0 instead of Nop");
}

/// Node 0 writes `b` at position 2, which replica 1 has accepted when it loses its disk. The first that found it is seed
/// 234509136835296: a flipped bit between the answer of one replica and the end of another's slow sync.
fn accepted_and_lost() -> Scene {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Append(RequestId(2), Bytes::from_static(b"b")));
    scene.accept(1, 2, 1, &append("b"));
    scene.disks[1].wipe();
    scene.checks.wiped(1);
    scene
}

#[test]
fn what_a_lost_disk_had_accepted_counts_until_its_replica_votes_again() {
    let mut scene = accepted_and_lost();
    scene.accept(0, 2, 1, &append("b"));
    scene.answer(0, Answer::Written(RequestId(2), 2));
    [(0, Value::Nop), (1, append("a")), (2, append("b"))].iter().for_each(|(at, value)| scene.accept(1, *at, 3, value));
    scene.store(1, observe::metadata(Status::VOTING, 3));
    assert_eq!(scene.checks.violations, [""; 0]);

    let mut scene = accepted_and_lost();
    [(0, Value::Nop), (1, append("a"))].iter().for_each(|(at, value)| scene.accept(1, *at, 3, value));
    scene.store(1, observe::metadata(Status::VOTING, 3));
    scene.accept(0, 2, 1, &append("b"));
    assert_eq!(scene.checks.violations, [""; 0], "nothing is decided at position 2");
    scene.answer(0, Answer::Written(RequestId(2), 2));
    scene.objects("where None is decided");
}

#[test]
fn a_replica_that_lost_all_owes_what_was_decided_with_its_help() {
    let mut scene = accepted_and_lost();
    scene.accept(0, 2, 1, &append("b"));
    [(0, Value::Nop), (1, append("a"))].iter().for_each(|(at, value)| scene.accept(1, *at, 3, value));
    scene.store(1, observe::metadata(Status::VOTING, 3));
    scene.objects("votes again, but holds None at position 2 instead of append");
}

#[test]
fn forgotten_in_a_crash() {
    let mut scene = Scene::with_an_append();
    scene.store(1, put(action(1, 1, Some(1), Some(&append("a")), true)));
    scene.accept(1, 1, 3, &append("a"));
    scene.objects("its disk forgets the decision at position 1");
    let mut scene = Scene::with_an_append();
    scene.disks[0].crash(&mut Rng::new(1));
    scene.store(0, put(action(1, 0, None, None, false)));
    scene.objects("its disk forgets a promise or a value at position 1");
}

#[test]
fn clients_that_wait_for_ever_and_demotions_that_forget_them() {
    let mut scene = Scene::with_an_append();
    scene.ask(0, Request::Append(RequestId(2), Bytes::from_static(b"b")));
    scene.checks.at_rest(0, 0);
    scene.objects("still waits for 1 writes");
    scene.answer(0, Answer::Demoted);
    scene.objects("demoted with writes under way");
}

#[test]
fn a_disk_that_never_caught_up() {
    let mut scene = Scene::with_an_append();
    let Scene { checks, disks } = &mut scene;
    checks.caught_up(0, 2, &disks[2]);
    scene.objects("holds None at position 1 instead of append");
}
