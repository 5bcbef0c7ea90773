//! Conversations of a scheduler with a scripted master.

use bytes::Bytes;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Post, Reply};
use tepui_framework::scheduler::{CallId, Config, Effect, Event, Input, Refusal, Scheduler, call};
use tepui_proto::mesos::scheduler::call::Type;
use tepui_proto::mesos::scheduler::event::{self, Subscribed, Update};
use tepui_proto::mesos::scheduler::{Call, Event as WireEvent};
use tepui_proto::mesos::{AgentID, FrameworkID, FrameworkInfo, TaskID, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{ContentType, recordio, v1};

const FORM: ContentType = ContentType::Protobuf;

/// The machine, its clock, and what it has put out and nobody has looked at yet.
struct World {
    machine: Scheduler,
    now: Now,
    effects: Vec<Effect>,
}

impl World {
    fn new(change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::new("m1:5050", FrameworkInfo { name: "test".into(), ..FrameworkInfo::default() });
        config.masters.push("m2:5050".into());
        change(&mut config);
        let now = Now { monotonic: Instant(0), wall: Wall(0) };
        let mut world = World { machine: Scheduler::new(config, 7), now, effects: Vec::new() };
        world.input(Input::Start);
        world
    }

    fn input(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.machine.handle(self.now, input, &mut out);
        self.take(&mut out);
    }

    fn http(&mut self, input: HttpInput) {
        self.input(Input::Http(input));
    }

    /// Lets time pass until the machine's next deadline.
    fn wait(&mut self) {
        self.now.monotonic = self.machine.deadline().expect("the machine waits for something");
        let mut out = Outbox::default();
        self.machine.tick(self.now, &mut out);
        self.take(&mut out);
    }

    fn take(&mut self, out: &mut Outbox<Effect>) {
        for entry in out.drain() {
            match entry {
                tepui_base::machine::Entry::Free(effect) => self.effects.push(effect),
                other => panic!("a scheduler writes nothing: {other:?}"),
            }
        }
    }

    fn drain(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The only effect, a SUBSCRIBE.
    fn subscribe(&mut self) -> (ExchangeId, Post, Call) {
        match &self.drain()[..] {
            [Effect::Http(HttpEffect::Subscribe(id, post))] => {
                (*id, post.clone(), v1::decode_scheduler_call(FORM, &post.body).unwrap())
            }
            other => panic!("expected a SUBSCRIBE, got {other:?}"),
        }
    }

    fn open(&mut self, id: ExchangeId) {
        let headers = vec![("mesos-stream-id".to_owned(), "stream".to_owned())];
        self.http(HttpInput::Opened(id, Reply { status: 200, headers, body: Bytes::new() }));
        self.event(id, &subscribed());
    }

    fn event(&mut self, id: ExchangeId, event: &WireEvent) {
        self.http(HttpInput::Chunk(id, recordio::encode(&FORM.encode(event))));
    }

    /// A world whose scheduler is subscribed, and the subscription's exchange.
    fn subscribed(change: impl FnOnce(&mut Config)) -> (World, ExchangeId) {
        let mut world = World::new(change);
        let (id, _, _) = world.subscribe();
        world.open(id);
        world.drain();
        (world, id)
    }

    /// The calls put out, with their headers.
    fn calls(&mut self) -> Vec<(ExchangeId, Post, Call)> {
        let call = |effect| match effect {
            Effect::Http(HttpEffect::Call(id, post)) => {
                let call = v1::decode_scheduler_call(FORM, &post.body).unwrap();
                Some((id, post, call))
            }
            _ => None,
        };
        self.drain().into_iter().filter_map(call).collect()
    }
}

fn subscribed() -> WireEvent {
    let subscribed = Subscribed {
        framework_id: FrameworkID { value: "F".into(), ..FrameworkID::default() }.into(),
        heartbeat_interval_seconds: Some(15.0),
        ..Subscribed::default()
    };
    WireEvent { r#type: Some(event::Type::SUBSCRIBED), subscribed: subscribed.into(), ..WireEvent::default() }
}

fn update(task: &str, state: TaskState, uuid: &[u8]) -> WireEvent {
    let status = TaskStatus {
        task_id: task_id(task).into(),
        agent_id: AgentID { value: "S".into(), ..AgentID::default() }.into(),
        state,
        uuid: Some(uuid.to_vec()),
        ..TaskStatus::default()
    };
    let update = Update { status: status.into(), ..Update::default() };
    WireEvent { r#type: Some(event::Type::UPDATE), update: update.into(), ..WireEvent::default() }
}

fn task_id(value: &str) -> TaskID {
    TaskID { value: value.into(), ..TaskID::default() }
}

fn answer(status: u16, body: &'static str) -> Reply {
    Reply { status, headers: Vec::new(), body: Bytes::from_static(body.as_bytes()) }
}

#[test]
fn a_redirect_is_followed_at_once_and_the_stream_id_stamps_calls() {
    let mut world = World::new(|_| {});
    let (id, post, call) = world.subscribe();
    assert_eq!((post.to.as_str(), post.path), ("m1:5050", "/api/v1/scheduler"));
    assert_eq!(call.r#type, Some(Type::SUBSCRIBE));
    assert!(!call.framework_id.is_set());
    let headers = vec![("location".to_owned(), "//m9:5050/master/api/v1/scheduler".to_owned())];
    world.http(HttpInput::Answered(id, Reply { status: 307, headers, body: Bytes::new() }));
    let (id, post, _) = world.subscribe();
    assert_eq!(post.to, "m9:5050");
    world.open(id);
    assert!(
        matches!(&world.drain()[..], [Effect::Event(Event::Subscribed { framework_id, .. })] if framework_id.as_str() == "F")
    );
    world.input(Input::Call(CallId(1), Box::new(call::revive(vec![]))));
    let (exchange, post, call) = world.calls().pop().unwrap();
    assert!(post.headers.contains(&("Mesos-Stream-Id", "stream".to_owned())));
    assert_eq!(call.framework_id.value, "F");
    world.http(HttpInput::Answered(exchange, answer(202, "")));
    assert_eq!(world.drain(), [Effect::Answered(CallId(1), Ok(()))]);
}

#[test]
fn without_a_leader_the_other_masters_are_asked_after_a_pause() {
    let mut world = World::new(|_| {});
    let (id, _, _) = world.subscribe();
    world.http(HttpInput::Answered(id, answer(503, "No leader elected")));
    assert_eq!(world.drain(), [Effect::Event(Event::Disconnected("m1:5050: No leader elected".into()))]);
    world.wait();
    let (id, post, _) = world.subscribe();
    assert_eq!(post.to, "m2:5050");
    world.http(HttpInput::Closed(id, "Connection refused".into()));
    world.drain();
    world.wait();
    assert_eq!(world.subscribe().1.to, "m1:5050");
}

#[test]
fn a_refused_subscription_is_final() {
    let mut world = World::new(|_| {});
    let (id, _, _) = world.subscribe();
    world.http(HttpInput::Answered(id, answer(401, "")));
    assert!(
        world.drain().iter().any(|effect| matches!(effect, Effect::Event(Event::Error(text)) if text.contains("401")))
    );
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn silence_ends_a_subscription_and_the_next_one_bears_the_id() {
    let (mut world, first) = World::subscribed(|_| {});
    // Heartbeats keep it alive.
    world.now.monotonic = Instant(70_000_000_000);
    world.event(first, &WireEvent { r#type: Some(event::Type::HEARTBEAT), ..WireEvent::default() });
    world.wait();
    assert_eq!(world.now.monotonic, Instant(145_000_000_000));
    assert!(
        matches!(&world.drain()[..], [Effect::Http(HttpEffect::Abort(id)), Effect::Event(Event::Disconnected(_))] if *id == first)
    );
    world.wait();
    let (_, post, call) = world.subscribe();
    assert_eq!((post.to.as_str(), call.framework_id.value.as_str()), ("m1:5050", "F"));
    assert_eq!(call.subscribe.framework_info.id.value, "F");
    assert!(!post.headers.iter().any(|(name, _)| *name == "Mesos-Stream-Id"));
}

#[test]
fn records_cut_anywhere_are_put_together() {
    let mut world = World::new(|_| {});
    let (id, _, _) = world.subscribe();
    world.http(HttpInput::Opened(id, answer(200, "")));
    for byte in recordio::encode(&FORM.encode(&subscribed())) {
        world.http(HttpInput::Chunk(id, Bytes::from(vec![byte])));
    }
    assert!(matches!(&world.drain()[..], [Effect::Event(Event::Subscribed { .. })]));
}

#[test]
fn an_update_is_handed_over_once_and_acknowledged_again_if_that_got_lost() {
    let (mut world, id) = World::subscribed(|_| {});
    world.event(id, &update("t", TaskState::TASK_RUNNING, b"u1"));
    let Some(Effect::Event(Event::Update(status))) = world.drain().pop() else { panic!("no update") };
    world.event(id, &update("t", TaskState::TASK_RUNNING, b"u1"));
    assert_eq!(world.drain(), []);
    world.input(Input::Call(CallId(1), Box::new(call::acknowledge(&status).unwrap())));
    assert_eq!(world.calls().len(), 1);
    world.event(id, &update("t", TaskState::TASK_RUNNING, b"u1"));
    let calls = world.calls();
    assert_eq!((calls.len(), calls[0].2.acknowledge.uuid.as_slice()), (1, &b"u1"[..]));
}

#[test]
fn implicit_acknowledgements_follow_the_update() {
    let (mut world, id) = World::subscribed(|config| config.implicit_acknowledgements = true);
    world.event(id, &update("t", TaskState::TASK_RUNNING, b"u1"));
    let effects = world.drain();
    assert!(matches!(&effects[..], [Effect::Event(Event::Update(_)), Effect::Http(HttpEffect::Call(..))]));
    // Its answer concerns nobody.
    let Effect::Http(HttpEffect::Call(exchange, _)) = &effects[1] else { unreachable!() };
    world.http(HttpInput::Answered(*exchange, answer(202, "")));
    assert_eq!(world.drain(), []);
}

#[test]
fn tasks_are_asked_about_after_a_new_subscription() {
    let (mut world, id) = World::subscribed(|_| {});
    let task = TaskInfo { task_id: task_id("t").into(), name: "t".into(), ..TaskInfo::default() };
    let task = TaskInfo { agent_id: AgentID { value: "S".into(), ..AgentID::default() }.into(), ..task };
    world.input(Input::Call(CallId(1), Box::new(call::accept(vec![], vec![call::launch(vec![task])], None))));
    world.drain();
    world.http(HttpInput::Closed(id, "eof".into()));
    world.drain();
    world.wait();
    let (id, _, _) = world.subscribe();
    world.open(id);
    let calls = world.calls();
    assert_eq!(calls[0].2.r#type, Some(Type::RECONCILE));
    assert_eq!(calls[0].2.reconcile.tasks[0].task_id.value, "t");
}

#[test]
fn an_instance_that_takes_over_asks_about_all_tasks_once() {
    let id = FrameworkID { value: "F".into(), ..FrameworkID::default() };
    let mut world = World::new(|config| config.framework.id = id.into());
    let (id, _, call) = world.subscribe();
    assert_eq!(call.framework_id.value, "F");
    world.open(id);
    let calls = world.calls();
    assert_eq!((calls.len(), calls[0].2.reconcile.tasks.len()), (1, 0));
    assert!(calls[0].2.reconcile.is_set());
}

#[test]
fn a_call_is_answered_whatever_happens() {
    let mut world = World::new(|_| {});
    let (id, _, _) = world.subscribe();
    let revive = || Box::new(call::revive(vec![]));
    world.input(Input::Call(CallId(1), revive()));
    assert_eq!(world.drain(), [Effect::Answered(CallId(1), Err(Refusal::NotSubscribed))]);
    world.open(id);
    world.drain();
    world.input(Input::Call(CallId(2), revive()));
    world.input(Input::Call(CallId(3), revive()));
    let calls = world.calls();
    world.http(HttpInput::Answered(calls[0].0, answer(400, "Framework cannot be found")));
    world.http(HttpInput::Closed(calls[1].0, "reset".into()));
    let rejected = Refusal::Rejected { status: 400, reason: "Framework cannot be found".into() };
    assert_eq!(
        world.drain(),
        [Effect::Answered(CallId(2), Err(rejected)), Effect::Answered(CallId(3), Err(Refusal::Lost("reset".into())))]
    );
}

#[test]
fn a_master_that_no_longer_leads_is_left() {
    let (mut world, id) = World::subscribed(|_| {});
    world.input(Input::Call(CallId(1), Box::new(call::revive(vec![]))));
    let exchange = world.calls()[0].0;
    world.http(HttpInput::Answered(exchange, answer(503, "No leader elected")));
    let effects = world.drain();
    assert!(effects.contains(&Effect::Http(HttpEffect::Abort(id))), "{effects:?}");
    assert!(!world.machine.is_subscribed());
    // What the old stream still says is not heard.
    world.event(id, &update("t", TaskState::TASK_RUNNING, b"u1"));
    assert_eq!(world.drain(), []);
}

#[test]
fn calls_end_with_the_subscription_they_were_made_over() {
    let (mut world, _) = World::subscribed(|_| {});
    world.input(Input::Call(CallId(1), Box::new(call::revive(vec![]))));
    let old = world.calls()[0].0;
    world.input(Input::Leader(vec!["m3:5050".into()]));
    let effects = world.drain();
    assert!(effects.contains(&Effect::Http(HttpEffect::Abort(old))), "{effects:?}");
    let lost = Refusal::Lost("the leading master has changed".into());
    assert!(effects.contains(&Effect::Answered(CallId(1), Err(lost))), "{effects:?}");
    let Some(Effect::Http(HttpEffect::Subscribe(id, post))) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(post.to, "m3:5050");
    world.open(*id);
    world.drain();
    // What the old leader said when it was no leader any more says nothing of the new one.
    world.http(HttpInput::Answered(old, answer(503, "No leader elected")));
    world.http(HttpInput::Closed(old, "eof".into()));
    assert_eq!(world.drain(), []);
    assert!(world.machine.is_subscribed());
}

#[test]
fn a_teardown_ends_everything_once_it_is_taken() {
    let (mut world, id) = World::subscribed(|_| {});
    world.input(Input::Call(CallId(1), Box::new(call::teardown())));
    let exchange = world.calls()[0].0;
    world.http(HttpInput::Answered(exchange, answer(202, "")));
    assert_eq!(world.drain(), [Effect::Answered(CallId(1), Ok(())), Effect::Http(HttpEffect::Abort(id))]);
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn a_stream_that_ends_before_the_teardown_is_answered_is_no_disconnection() {
    let (mut world, id) = World::subscribed(|_| {});
    world.input(Input::Call(CallId(1), Box::new(call::teardown())));
    let exchange = world.calls()[0].0;
    world.http(HttpInput::Closed(id, "eof".into()));
    assert_eq!(world.drain(), []);
    assert!(!world.machine.is_stopped(), "the call is still to be answered");
    world.http(HttpInput::Answered(exchange, answer(202, "")));
    assert_eq!(world.drain(), [Effect::Answered(CallId(1), Ok(()))]);
    assert!(world.machine.is_stopped());
}

#[test]
fn a_teardown_that_got_lost_with_its_stream_is_followed_by_a_new_subscription() {
    let (mut world, id) = World::subscribed(|_| {});
    world.input(Input::Call(CallId(1), Box::new(call::teardown())));
    let exchange = world.calls()[0].0;
    world.http(HttpInput::Closed(id, "eof".into()));
    world.http(HttpInput::Closed(exchange, "eof".into()));
    let effects = world.drain();
    assert_eq!(effects[0], Effect::Answered(CallId(1), Err(Refusal::Lost("eof".into()))));
    assert!(matches!(effects[1], Effect::Http(HttpEffect::Subscribe(..))), "{effects:?}");
}

#[test]
fn garbage_on_the_stream_is_an_error_and_no_panic() {
    for garbage in [&b"x\n"[..], b"3\n\xff\xff\xff", b"99999999999\n"] {
        let (mut world, id) = World::subscribed(|_| {});
        world.http(HttpInput::Chunk(id, Bytes::copy_from_slice(garbage)));
        assert!(world.drain().iter().any(|effect| matches!(effect, Effect::Event(Event::Error(_)))), "{garbage:?}");
    }
}

#[test]
fn a_detected_leader_is_followed() {
    let mut world = World::new(|config| config.masters.clear());
    assert_eq!(world.drain(), [], "nobody leads yet");
    world.input(Input::Leader(vec!["10.0.0.1:5050".into(), "m1:5050".into()]));
    let (id, post, _) = world.subscribe();
    assert_eq!(post.to, "10.0.0.1:5050");
    world.open(id);
    world.drain();
    world.input(Input::Leader(vec!["10.0.0.1:5050".into()]));
    assert_eq!(world.drain(), [], "the same");
    world.input(Input::Leader(Vec::new()));
    let effects = world.drain();
    let [Effect::Http(HttpEffect::Abort(aborted)), Effect::Event(Event::Disconnected(_))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*aborted, id);
    assert!(!world.machine.is_subscribed() && !world.machine.is_stopped());
    world.input(Input::Leader(vec!["10.0.0.2:5050".into()]));
    let (_, post, call) = world.subscribe();
    assert_eq!((post.to.as_str(), call.framework_id.value.as_str()), ("10.0.0.2:5050", "F"));
}

#[test]
fn a_leader_that_can_never_be_known_ends_it() {
    let mut world = World::new(|config| config.masters.clear());
    world.input(Input::Undetectable("not authenticated".into()));
    let text = "Failed to detect a master: not authenticated".to_owned();
    assert_eq!(world.drain(), [Effect::Event(Event::Error(text))]);
    assert!(world.machine.is_stopped());
}
