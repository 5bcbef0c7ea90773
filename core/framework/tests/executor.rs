//! Conversations of an executor with a scripted agent.

use bytes::Bytes;
use std::time::Duration;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Reply};
use tepui_framework::executor::{Config, Effect, Event, Executor, Input};
use tepui_proto::mesos::executor::call::Type;
use tepui_proto::mesos::executor::event::{self, Acknowledged, Launch, Subscribed};
use tepui_proto::mesos::executor::{Call, Event as WireEvent};
use tepui_proto::mesos::{
    AgentInfo, ExecutorInfo, FrameworkInfo, TaskID, TaskInfo, TaskState, TaskStatus, task_status,
};
use tepui_proto::{ContentType, recordio};

const FORM: ContentType = ContentType::Protobuf;

struct World {
    machine: Executor,
    now: Now,
    effects: Vec<Effect>,
}

impl World {
    fn new(recovery_timeout: Option<Duration>) -> World {
        let config = Config {
            agent: "a:5051".into(),
            framework_id: "F".into(),
            executor_id: "E".into(),
            content_type: FORM,
            authorization: None,
            recovery_timeout,
            backoff_max: Duration::from_secs(2),
            shutdown_grace_period: Duration::from_secs(5),
        };
        let now = Now { monotonic: Instant(0), wall: Wall(5_000_000_000) };
        let mut world = World { machine: Executor::new(config, 7), now, effects: Vec::new() };
        world.input(Input::Start);
        world
    }

    fn input(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.machine.handle(self.now, input, &mut out);
        self.take(&mut out);
    }

    fn wait(&mut self) {
        self.now.monotonic = self.machine.deadline().expect("the machine waits for something");
        let mut out = Outbox::default();
        self.machine.tick(self.now, &mut out);
        self.take(&mut out);
    }

    fn take(&mut self, out: &mut Outbox<Effect>) {
        self.effects.extend(out.drain().map(|entry| match entry {
            Entry::Free(effect) => effect,
            other => panic!("an executor writes nothing: {other:?}"),
        }));
    }

    fn drain(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The last request put out.
    fn request(&mut self) -> (ExchangeId, Call) {
        match self.drain().pop() {
            Some(Effect::Http(HttpEffect::Subscribe(id, post) | HttpEffect::Call(id, post))) => {
                (id, FORM.decode(&post.body).unwrap())
            }
            other => panic!("expected a request, got {other:?}"),
        }
    }

    fn event(&mut self, id: ExchangeId, event: &WireEvent) {
        self.input(Input::Http(HttpInput::Chunk(id, recordio::encode(&FORM.encode(event)))));
    }

    fn open(&mut self, id: ExchangeId) {
        self.input(Input::Http(HttpInput::Opened(id, Reply { status: 200, ..Reply::default() })));
        let subscribed = Subscribed {
            executor_info: ExecutorInfo { executor_id: id_of("E"), ..ExecutorInfo::default() }.into(),
            framework_info: FrameworkInfo::default().into(),
            agent_info: AgentInfo::default().into(),
            ..Subscribed::default()
        };
        let kind = Some(event::Type::SUBSCRIBED);
        self.event(id, &WireEvent { r#type: kind, subscribed: subscribed.into(), ..WireEvent::default() });
    }

    fn subscribed(recovery_timeout: Option<Duration>) -> (World, ExchangeId) {
        let mut world = World::new(recovery_timeout);
        let (id, call) = world.request();
        assert_eq!(call.r#type, Some(Type::SUBSCRIBE));
        world.open(id);
        assert!(matches!(&world.drain()[..], [Effect::Event(Event::Subscribed(_))]));
        (world, id)
    }
}

fn id_of(value: &str) -> tepui_proto::MessageField<tepui_proto::mesos::ExecutorID> {
    tepui_proto::mesos::ExecutorID { value: value.into(), ..Default::default() }.into()
}

fn task_id(value: &str) -> TaskID {
    TaskID { value: value.into(), ..TaskID::default() }
}

fn launch(task: &str) -> WireEvent {
    let task = TaskInfo { task_id: task_id(task).into(), name: task.into(), agent_id: agent(), ..TaskInfo::default() };
    let launch = Launch { task: task.into(), ..Launch::default() };
    WireEvent { r#type: Some(event::Type::LAUNCH), launch: launch.into(), ..WireEvent::default() }
}

fn agent() -> tepui_proto::MessageField<tepui_proto::mesos::AgentID> {
    tepui_proto::mesos::AgentID { value: "S".into(), ..Default::default() }.into()
}

fn status(task: &str, state: TaskState) -> Box<TaskStatus> {
    Box::new(TaskStatus { task_id: task_id(task).into(), state, ..TaskStatus::default() })
}

#[test]
fn an_update_is_completed_and_repeated_until_it_is_acknowledged() {
    let (mut world, id) = World::subscribed(Some(Duration::from_secs(60)));
    world.event(id, &launch("t"));
    assert!(matches!(&world.drain()[..], [Effect::Event(Event::Launch(tasks))] if tasks.len() == 1));
    world.input(Input::Update(status("t", TaskState::TASK_RUNNING)));
    let (_, call) = world.request();
    let sent = &call.update.status;
    assert_eq!(sent.source, Some(task_status::Source::SOURCE_EXECUTOR));
    assert_eq!((sent.executor_id.value.as_str(), sent.timestamp), ("E", Some(5.0)));
    let uuid = sent.uuid.clone().expect("a uuid");
    assert_eq!(uuid.len(), 16);

    world.input(Input::Http(HttpInput::Closed(id, "eof".into())));
    assert_eq!(world.drain(), [Effect::Event(Event::Disconnected("eof".into()))]);
    world.input(Input::Update(status("t", TaskState::TASK_FINISHED)));
    assert_eq!(world.drain(), [], "kept for the next subscription");
    world.wait();
    let (id, call) = world.request();
    assert_eq!(call.subscribe.unacknowledged_tasks.len(), 1);
    let states: Vec<_> = call.subscribe.unacknowledged_updates.iter().map(|update| update.status.state).collect();
    assert_eq!(states, [TaskState::TASK_RUNNING, TaskState::TASK_FINISHED]);
    world.open(id);
    let acknowledged = Acknowledged { task_id: task_id("t").into(), uuid, ..Acknowledged::default() };
    let kind = Some(event::Type::ACKNOWLEDGED);
    world.event(id, &WireEvent { r#type: kind, acknowledged: acknowledged.into(), ..WireEvent::default() });
    world.input(Input::Http(HttpInput::Closed(id, "eof".into())));
    world.drain();
    world.wait();
    let (_, call) = world.request();
    assert!(call.subscribe.unacknowledged_tasks.is_empty());
    assert_eq!(call.subscribe.unacknowledged_updates.len(), 1);
}

#[test]
fn without_checkpoints_a_lost_agent_means_shutdown() {
    let (mut world, id) = World::subscribed(None);
    world.input(Input::Http(HttpInput::Closed(id, "eof".into())));
    assert_eq!(world.drain(), [Effect::Event(Event::Disconnected("eof".into())), Effect::Event(Event::Shutdown)]);
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn an_agent_that_stays_away_means_shutdown_after_the_recovery_timeout() {
    let (mut world, id) = World::subscribed(Some(Duration::from_secs(10)));
    world.input(Input::Http(HttpInput::Closed(id, "eof".into())));
    world.drain();
    while world.machine.deadline().is_some() {
        world.wait();
        if let Some(Effect::Http(HttpEffect::Subscribe(id, _))) = world.drain().pop() {
            world.input(Input::Http(HttpInput::Closed(id, "refused".into())));
        }
        assert!(world.now.monotonic <= Instant(10_000_000_000));
    }
    assert_eq!(world.now.monotonic, Instant(10_000_000_000));
}

#[test]
fn an_agent_that_recovers_is_asked_again() {
    let mut world = World::new(None);
    let (id, _) = world.request();
    let body = Bytes::from_static(b"Agent has not finished recovery");
    world.input(Input::Http(HttpInput::Answered(id, Reply { status: 503, body, ..Reply::default() })));
    assert_eq!(world.drain(), []);
    world.wait();
    assert_eq!(world.request().1.r#type, Some(Type::SUBSCRIBE));
}

#[test]
fn heartbeats_are_sent_each_half_hour() {
    let (mut world, _) = World::subscribed(None);
    world.wait();
    assert_eq!(world.now.monotonic, Instant(1_800_000_000_000));
    assert_eq!(world.request().1.r#type, Some(Type::HEARTBEAT));
}
