//! A world for one agent: the test plays master, containerizer and executors, and looks at what the agent does.
#![allow(dead_code, reason = "each test file uses its own part of the harness")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use tepui_agent::config::*;
use tepui_agent::{Agent, Config, ContainerCommand, ContainerEvent, Effect, Input};
use tepui_base::{ContainerId, EffectQueue, Instant, Machine, Now, Outbox, Wall};
use tepui_proto::mesos::containerizer::{ContainerConfig, ContainerTermination};
use tepui_proto::mesos::executor::{Call, Event, call};
use tepui_proto::mesos::framework_info::{Capability, capability};
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::task_status::Source;
use tepui_proto::mesos::value::{Scalar, Type as ValueType};
use tepui_proto::mesos::*;
use tepui_proto::{Message, MessageField, MessageName, codec, json, names, recordio};
use tepui_wire::http::Body;
use tepui_wire::{NetEffect, NetInput, Request, RequestId, Response, Upid};

pub const AGENT_ID: &str = "M-S0";
pub const FRAMEWORK: &str = "M-0000";

pub fn field<M: Message>(message: M) -> MessageField<M> {
    MessageField::some(message)
}

pub fn master() -> Upid {
    Upid::new("master", Ipv4Addr::LOCALHOST, 5050)
}

pub fn executor_pid() -> Upid {
    Upid::new("executor(1)", Ipv4Addr::LOCALHOST, 40000)
}

pub fn config() -> Config {
    Config {
        pid: Upid::new("slave(1)", Ipv4Addr::LOCALHOST, 5051),
        hostname: "localhost".into(),
        resources: vec![scalar("cpus", 4.0, None), scalar("mem", 1024.0, None)],
        attributes: Vec::new(),
        domain: None,
        work_dir: "/work".into(),
        launcher_dir: "/libexec".into(),
        command_executor: Ok("/libexec/mesos-executor".into()),
        http_command_executor: false,
        sandbox_directory: "/mnt/mesos/sandbox".into(),
        switch_user: true,
        isolation: "posix/cpu,posix/mem".into(),
        executor_environment: BTreeMap::new(),
        libprocess_ip: None,
        executor_registration_timeout: EXECUTOR_REGISTRATION_TIMEOUT,
        executor_reregistration_timeout: EXECUTOR_REREGISTRATION_TIMEOUT,
        executor_shutdown_grace_period: EXECUTOR_SHUTDOWN_GRACE_PERIOD,
        registration_backoff_factor: REGISTRATION_BACKOFF_FACTOR,
        recovery_timeout: RECOVERY_TIMEOUT,
        max_completed_executors_per_framework: MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK,
        flags: BTreeMap::from([("port".into(), "5051".into())]),
        version: VersionInfo { version: "1.11.0".into(), ..VersionInfo::default() },
        own_version: "0.1.0".into(),
        master_hostname: None,
        start_time: Wall(1_000_000_000),
        seed: 7,
    }
}

pub fn scalar(name: &str, value: f64, role: Option<&str>) -> Resource {
    let allocation_info = role.map_or_else(MessageField::none, |role| {
        field(resource::AllocationInfo { role: Some(role.into()), ..Default::default() })
    });
    Resource {
        name: name.into(),
        r#type: ValueType::SCALAR,
        scalar: field(Scalar { value, ..Scalar::default() }),
        allocation_info,
        ..Resource::default()
    }
}

pub struct World {
    pub agent: Agent,
    pub now: Now,
    queue: EffectQueue<Effect>,
    pub effects: Vec<Effect>,
    next_request: u64,
}

impl World {
    pub fn new(config: Config) -> World {
        World {
            agent: Agent::new(config),
            now: Now { monotonic: Instant(0), wall: Wall(1_800_000_000_000_000_000) },
            queue: EffectQueue::default(),
            effects: Vec::new(),
            next_request: 0,
        }
    }

    /// An agent that is registered with its master.
    pub fn registered() -> World {
        let mut world = World::new(config());
        world.input(Input::Detected(Some(master())));
        world.pass(REGISTRATION_BACKOFF_FACTOR);
        assert_eq!(world.sent::<RegisterAgentMessage>(&master()).len(), 1);
        world.confirm();
        world.clear();
        world
    }

    /// The master takes the agent in.
    pub fn confirm(&mut self) {
        let connection = MasterAgentConnection { total_ping_timeout_seconds: Some(75.0), ..Default::default() };
        let (agent_id, connection) = (agent_id(), field(connection));
        self.master_sends(&AgentRegisteredMessage { agent_id, connection, ..Default::default() });
    }

    pub fn input(&mut self, input: Input) {
        let mut out = Outbox::default();
        self.agent.handle(self.now, input, &mut out);
        self.take(out);
    }

    fn take(&mut self, mut out: Outbox<Effect>) {
        self.queue.submit(&mut out);
        self.effects.extend(std::iter::from_fn(|| self.queue.pop_ready()));
    }

    /// Lets time pass, firing timers when they are due.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while let Some(due) = self.agent.deadline().filter(|due| *due <= end) {
            self.advance(due.max(self.now.monotonic));
            let mut out = Outbox::default();
            self.agent.tick(self.now, &mut out);
            self.take(out);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        self.now.wall.0 += to.0 - self.now.monotonic.0;
        self.now.monotonic = to;
    }

    pub fn clear(&mut self) {
        self.effects.clear();
    }

    pub fn message<M: Message + MessageName>(&mut self, from: &Upid, message: &M) {
        self.input(Input::Net(NetInput::Message(tepui_wire::Message {
            from: from.clone(),
            to: config().pid,
            name: names::v0::<M>().into_owned(),
            body: codec::encode(message),
        })));
    }

    pub fn master_sends<M: Message + MessageName>(&mut self, message: &M) {
        self.message(&master(), message);
    }

    /// Messages of one kind sent to a process.
    pub fn sent<M: Message + MessageName>(&self, to: &Upid) -> Vec<M> {
        let name = names::v0::<M>();
        let of_kind = |effect: &Effect| match effect {
            Effect::Net(NetEffect::Send(message)) if message.to == *to && message.name == name => {
                Some(codec::decode(&message.body).expect("the agent sends whole messages"))
            }
            _ => None,
        };
        self.effects.iter().filter_map(of_kind).collect()
    }

    /// Status updates sent to the master.
    pub fn updates(&self) -> Vec<StatusUpdate> {
        let messages = self.sent::<StatusUpdateMessage>(&master());
        messages.into_iter().map(|message| message.update.into_option().unwrap()).collect()
    }

    /// State, reason and message of each.
    pub fn statuses(&self) -> Vec<(TaskState, Option<task_status::Reason>, String)> {
        let updates = self.updates().into_iter();
        updates.map(|u| (u.status.state, u.status.reason, u.status.message.clone().unwrap_or_default())).collect()
    }

    /// The scheduler acknowledges an update.
    pub fn acknowledge(&mut self, update: &StatusUpdate) {
        self.master_sends(&StatusUpdateAcknowledgementMessage {
            agent_id: agent_id(),
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.uuid.clone().unwrap(),
            ..Default::default()
        });
    }

    pub fn launches(&self) -> Vec<(ContainerId, ContainerConfig, BTreeMap<String, String>)> {
        let launch = |effect: &Effect| match effect {
            Effect::Container(ContainerCommand::Launch { id, config, environment }) => {
                Some((id.clone(), (**config).clone(), environment.clone()))
            }
            _ => None,
        };
        self.effects.iter().filter_map(launch).collect()
    }

    pub fn destroyed(&self) -> Vec<ContainerId> {
        let destroy = |effect: &Effect| match effect {
            Effect::Container(ContainerCommand::Destroy(id)) => Some(id.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(destroy).collect()
    }

    /// The containerizer has done all it was asked: what is queued may now be sent.
    pub fn containers_updated(&mut self) {
        let updates: Vec<(ContainerId, u64)> = self
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Container(ContainerCommand::Update { id, sequence, .. }) => Some((id.clone(), *sequence)),
                _ => None,
            })
            .collect();
        for (id, sequence) in updates {
            self.input(Input::Container(ContainerEvent::Updated { id, sequence, error: None }));
        }
    }

    pub fn container(&mut self, event: ContainerEvent) {
        self.input(Input::Container(event));
    }

    pub fn terminated(&mut self, id: &ContainerId, status: i32) {
        let termination = ContainerTermination { status: Some(status), ..Default::default() };
        self.container(ContainerEvent::Terminated { id: id.clone(), termination });
    }

    /// Assigns a task and returns the container of its new executor, launched.
    pub fn run(&mut self, message: &RunTaskMessage) -> ContainerId {
        let before = self.launches().len();
        self.master_sends(message);
        let (id, ..) = self.launches()[before].clone();
        self.container(ContainerEvent::Launched { id: id.clone(), pid: 4242 });
        id
    }

    pub fn http(&mut self, request: Request) -> RequestId {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.input(Input::Net(NetInput::Http(id, request)));
        id
    }

    pub fn response(&self, id: RequestId) -> Response {
        let answer = |effect: &Effect| match effect {
            Effect::Net(NetEffect::Respond(to, response)) if *to == id => Some(response.clone()),
            _ => None,
        };
        self.effects.iter().find_map(answer).expect("a response")
    }

    /// Asks and gives status and text of the answer.
    pub fn ask(&mut self, request: Request) -> (u16, String) {
        let id = self.http(request);
        let response = self.response(id);
        let text = match response.body {
            Body::Full(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Body::Stream => "(stream)".to_owned(),
        };
        (response.status, text)
    }

    /// A V1 executor's call; returns the id of the request.
    pub fn call(&mut self, call: &Call) -> RequestId {
        let body = codec::encode(call);
        let mut request = post("/slave(1)/api/v1/executor", "application/x-protobuf", body.to_vec());
        request.headers.push(("accept".into(), "application/x-protobuf".into()));
        self.http(request)
    }

    /// Events written to a stream.
    pub fn events(&self, stream: RequestId) -> Vec<Event> {
        let mut decoder = recordio::Decoder::new(1 << 20);
        for effect in &self.effects {
            if let Effect::Net(NetEffect::StreamWrite(id, chunk)) = effect
                && *id == stream
            {
                decoder.push(chunk);
            }
        }
        std::iter::from_fn(|| decoder.next_record().unwrap()).map(|record| codec::decode(&record).unwrap()).collect()
    }

    pub fn is_closed(&self, stream: RequestId) -> bool {
        self.effects.contains(&Effect::Net(NetEffect::StreamClose(stream)))
    }
}

pub fn post(path: &str, content_type: &str, body: Vec<u8>) -> Request {
    Request {
        method: "POST".into(),
        path: path.into(),
        query: String::new(),
        headers: vec![("content-type".into(), content_type.into())],
        body: body.into(),
        peer: "127.0.0.1:9".parse().unwrap(),
        principal: None,
        nonce: 1,
    }
}

pub fn get(path: &str) -> Request {
    let mut request = post(path, "text/plain", Vec::new());
    request.method = "GET".into();
    request.headers.clear();
    request
}

pub fn post_json(path: &str, body: &str) -> Request {
    post(path, "application/json", body.as_bytes().to_vec())
}

pub fn agent_id() -> MessageField<AgentID> {
    field(AgentID { value: AGENT_ID.into(), ..AgentID::default() })
}

pub fn framework_id() -> MessageField<FrameworkID> {
    field(FrameworkID { value: FRAMEWORK.into(), ..FrameworkID::default() })
}

pub fn task_id(id: &str) -> MessageField<TaskID> {
    field(TaskID { value: id.into(), ..TaskID::default() })
}

pub fn executor_id(id: &str) -> MessageField<ExecutorID> {
    field(ExecutorID { value: id.into(), ..ExecutorID::default() })
}

pub fn framework(capabilities: &[capability::Type]) -> FrameworkInfo {
    let capability = |kind: &capability::Type| Capability { r#type: Some(*kind), ..Capability::default() };
    FrameworkInfo {
        user: "nobody".into(),
        name: "test".into(),
        id: framework_id(),
        capabilities: capabilities.iter().map(capability).collect(),
        ..FrameworkInfo::default()
    }
}

pub fn task(id: &str) -> TaskInfo {
    TaskInfo {
        name: id.into(),
        task_id: task_id(id),
        agent_id: agent_id(),
        resources: vec![scalar("cpus", 1.0, None), scalar("mem", 64.0, None)],
        ..TaskInfo::default()
    }
}

pub fn command_task(id: &str) -> RunTaskMessage {
    let command = CommandInfo { value: Some("sleep 100".into()), ..CommandInfo::default() };
    run(TaskInfo { command: field(command), ..task(id) })
}

pub fn executor_info(id: &str) -> ExecutorInfo {
    let command = CommandInfo { value: Some("./executor".into()), ..CommandInfo::default() };
    ExecutorInfo {
        executor_id: executor_id(id),
        framework_id: framework_id(),
        command: field(command),
        resources: vec![scalar("cpus", 0.5, None)],
        ..ExecutorInfo::default()
    }
}

pub fn executor_task(id: &str, executor: &str, launch_executor: bool) -> RunTaskMessage {
    let message = run(TaskInfo { executor: field(executor_info(executor)), ..task(id) });
    RunTaskMessage { launch_executor: Some(launch_executor), ..message }
}

fn run(task: TaskInfo) -> RunTaskMessage {
    RunTaskMessage {
        framework: field(framework(&[])),
        task: field(task),
        pid: Some("scheduler-1@127.0.0.1:6000".into()),
        launch_executor: Some(true),
        ..RunTaskMessage::default()
    }
}

pub fn status(task: &str, state: TaskState, uuid: u8) -> TaskStatus {
    let mut bytes = vec![uuid; 16];
    bytes[6] = 0x40;
    TaskStatus {
        task_id: task_id(task),
        state,
        source: Some(Source::SOURCE_EXECUTOR),
        uuid: Some(bytes),
        timestamp: Some(5.0),
        ..TaskStatus::default()
    }
}

/// A V0 executor's update.
pub fn update(executor: &str, status: TaskStatus) -> StatusUpdateMessage {
    let update = StatusUpdate {
        framework_id: framework_id(),
        executor_id: executor_id(executor),
        agent_id: agent_id(),
        timestamp: 5.0,
        uuid: status.uuid.clone(),
        status: field(TaskStatus { agent_id: agent_id(), ..status }),
        ..StatusUpdate::default()
    };
    StatusUpdateMessage { update: field(update), pid: Some(executor_pid().to_string()), ..Default::default() }
}

pub fn registration(executor: &str) -> RegisterExecutorMessage {
    RegisterExecutorMessage {
        framework_id: framework_id(),
        executor_id: executor_id(executor),
        ..RegisterExecutorMessage::default()
    }
}

pub fn kill(task: &str) -> KillTaskMessage {
    KillTaskMessage { framework_id: framework_id(), task_id: task_id(task), ..KillTaskMessage::default() }
}

/// A V1 call of an executor.
pub fn call_of(executor: &str, kind: call::Type) -> Call {
    Call { executor_id: executor_id(executor), framework_id: framework_id(), r#type: Some(kind), ..Call::default() }
}

pub fn subscribe(executor: &str) -> Call {
    Call { subscribe: field(call::Subscribe::default()), ..call_of(executor, call::Type::SUBSCRIBE) }
}

pub fn update_call(executor: &str, status: TaskStatus) -> Call {
    let status = field(TaskStatus { executor_id: executor_id(executor), ..status });
    Call { update: field(call::Update { status, ..Default::default() }), ..call_of(executor, call::Type::UPDATE) }
}

pub fn json_of<M: Message + MessageName>(message: &M) -> String {
    json::to_string(message, json::Names::V1)
}
