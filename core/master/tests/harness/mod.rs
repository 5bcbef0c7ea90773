//! A master with its registrar and allocator in one thread, and hands to play agents and frameworks.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod messages;

pub use messages::*;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Hierarchical, Options};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_hooks::NoHooks;
use tepui_master::{Config, Effect, Input, Master};
use tepui_proto::mesos::internal::{RunTaskMessage, StatusUpdateMessage};
use tepui_proto::mesos::scheduler::{Call, Event, call, event};
use tepui_proto::mesos::{FrameworkInfo, Offer, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{ContentType, Message as Proto, MessageField, MessageName, codec, json, names, recordio, v1};
use tepui_registry::Registrar;
use tepui_resources::{Quantities, Resources};
use tepui_wire::http::Body;
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId, Response, Upid};

/// Where the agents of these tests listen.
pub fn agent_pid(number: u8) -> Upid {
    Upid::new("slave(1)", Ipv4Addr::new(10, 0, 1, number), 5051)
}

/// Where the V0 schedulers of these tests listen.
pub fn scheduler_pid(number: u8) -> Upid {
    Upid::new(&format!("scheduler-{number}"), Ipv4Addr::new(10, 0, 2, number), 40000)
}

/// The master's own address.
pub fn master_pid() -> Upid {
    Upid::new("master", Ipv4Addr::new(10, 0, 0, 1), 5050)
}

/// That of the first master; each one after it has the next.
const SEED: u64 = 7;

fn allocator(now: Now) -> Hierarchical {
    let options = Options {
        min_allocatable: ["cpus:0.01", "mem:32"].map(|text| Quantities::parse(text).unwrap()).to_vec(),
        ..Options::default()
    };
    Hierarchical::new(options, SEED, now)
}

/// What a test can see and do.
pub struct World {
    pub master: Master,
    /// How often a master has failed over.
    terms: u64,
    registrar: Registrar,
    pub allocator: Hierarchical,
    pub now: Now,
    queue: VecDeque<Effect>,
    /// Messages the master sent and no test has looked at yet.
    pub sent: VecDeque<Message>,
    pub links: Vec<Upid>,
    pub responses: BTreeMap<RequestId, Response>,
    pub streams: BTreeMap<RequestId, VecDeque<Event>>,
    /// What was written to the streams of operators.
    pub records: BTreeMap<RequestId, Vec<bytes::Bytes>>,
    /// Which streams those are.
    operators: BTreeSet<RequestId>,
    pub closed: BTreeSet<RequestId>,
    next_request: u64,
    /// Whether the registrar answers; a test may hold its answers back.
    pub hold_registry: bool,
    held: VecDeque<tepui_registry::Output>,
    /// Why the master has ended itself, if it has.
    pub exit: Option<String>,
}

impl World {
    pub fn new() -> World {
        World::with(Config::new(master_pid(), "master.local"), Registrar::default())
    }

    pub fn with(config: Config, registrar: Registrar) -> World {
        let mut world = World::unstarted(config, registrar);
        world.tick();
        world
    }

    /// A master whose registrar has not answered yet.
    pub fn recovering() -> World {
        let mut world = World::unstarted(Config::new(master_pid(), "master.local"), Registrar::default());
        world.hold_registry = true;
        world.tick();
        world
    }

    fn unstarted(config: Config, registrar: Registrar) -> World {
        let now = Now { monotonic: Instant(0), wall: Wall(1_700_000_000_000_000_000) };
        World {
            master: Master::new(config, SEED, Arc::new(NoHooks)),
            terms: 0,
            registrar,
            allocator: allocator(now),
            now,
            queue: VecDeque::new(),
            sent: VecDeque::new(),
            links: Vec::new(),
            responses: BTreeMap::new(),
            streams: BTreeMap::new(),
            records: BTreeMap::new(),
            operators: BTreeSet::new(),
            closed: BTreeSet::new(),
            next_request: 0,
            hold_registry: false,
            held: VecDeque::new(),
            exit: None,
        }
    }

    /// The master dies, with all that only it knew; the next one has the registry.
    pub fn fail_over(&mut self) {
        let config = (*self.master.snapshot().config).clone();
        self.terms += 1;
        self.master = Master::new(config, SEED + self.terms, Arc::new(NoHooks));
        self.allocator = allocator(self.now);
        self.closed.extend(self.streams.keys());
        self.sent.clear();
        self.links.clear();
        self.held.clear();
        self.tick();
    }

    /// What the registrar holds.
    pub fn registry(&self) -> &tepui_registry::State {
        self.registrar.state()
    }

    /// Everything that is due by now.
    pub fn tick(&mut self) {
        let mut out = Outbox::default();
        self.master.tick(self.now, &mut out);
        self.take(&mut out);
        self.settle();
    }

    pub fn input(&mut self, input: NetInput) {
        let mut out = Outbox::default();
        self.master.handle(self.now, Input::Net(input), &mut out);
        self.take(&mut out);
        self.settle();
    }

    fn take(&mut self, out: &mut Outbox<Effect>) {
        self.queue.extend(out.drain().map(|entry| match entry {
            Entry::Free(effect) => effect,
            _ => panic!("the master writes nothing to a disk"),
        }));
    }

    /// Carries out effects until there are none, and lets the allocator offer.
    fn settle(&mut self) {
        loop {
            while let Some(effect) = self.queue.pop_front() {
                self.carry_out(effect);
            }
            let mut out = Outbox::default();
            if self.allocator.deadline().is_some_and(|at| at <= self.now.monotonic) {
                self.allocator.tick(self.now, &mut out);
            }
            self.offer(&mut out);
            if self.queue.is_empty() {
                return;
            }
        }
    }

    fn offer(&mut self, out: &mut Outbox<tepui_allocator::Effect>) {
        for entry in out.drain() {
            let Entry::Free(effect) = entry else { panic!("the allocator writes nothing to a disk") };
            self.decided(effect);
        }
    }

    fn decided(&mut self, effect: tepui_allocator::Effect) {
        let mut out = Outbox::default();
        self.master.handle(self.now, Input::Allocator(effect), &mut out);
        self.take(&mut out);
    }

    /// Something the allocator decided a while ago reaches the master now.
    pub fn allocator_decides(&mut self, effect: tepui_allocator::Effect) {
        self.decided(effect);
        self.settle();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Allocator(input) => {
                let mut out = Outbox::default();
                self.allocator.handle(self.now, input, &mut out);
                self.offer(&mut out);
            }
            Effect::Registry(input) => {
                let mut out = Outbox::default();
                self.registrar.handle(self.now, input, &mut out);
                for entry in out.drain() {
                    let Entry::Free(output) = entry else { panic!("the registrar writes nothing to a disk") };
                    self.held.push_back(output);
                }
                if !self.hold_registry {
                    self.release_registry();
                }
            }
            Effect::Net(effect) => self.net(effect),
            Effect::Exit(reason) => self.exit = Some(reason),
            Effect::Show(stream, first) => {
                self.operators.insert(stream);
                self.net(NetEffect::StreamWrite(stream, first.record()));
            }
        }
    }

    /// Lets the registrar's answers through.
    pub fn release_registry(&mut self) {
        while let Some(output) = self.held.pop_front() {
            let mut out = Outbox::default();
            self.master.handle(self.now, Input::Registry(output), &mut out);
            self.take(&mut out);
        }
    }

    fn net(&mut self, effect: NetEffect) {
        match effect {
            NetEffect::Send(message) => self.sent.push_back(message),
            NetEffect::Link { to, .. } => self.links.push(to),
            NetEffect::Respond(id, response) => {
                if response.body == Body::Stream {
                    self.streams.insert(id, VecDeque::new());
                }
                assert!(self.responses.insert(id, response).is_none(), "a request is answered once");
            }
            NetEffect::StreamWrite(id, chunk) => {
                assert!(!self.closed.contains(&id), "nothing is written to a closed stream");
                let content = self.header(id, "Content-Type");
                let mut decoder = recordio::Decoder::new(1 << 26);
                decoder.push(&chunk);
                let record = decoder.next_record().unwrap().expect("one chunk is one record");
                if self.operators.contains(&id) {
                    return self.records.entry(id).or_default().push(record);
                }
                let event = match ContentType::from_header(&content).unwrap() {
                    ContentType::Json => json::from_slice(&record, json::Names::V1).unwrap(),
                    ContentType::Protobuf => codec::decode(&record).unwrap(),
                };
                self.streams.get_mut(&id).expect("the stream is open").push_back(event);
            }
            NetEffect::StreamClose(id) => assert!(self.closed.insert(id), "a stream is closed once"),
        }
    }

    pub fn header(&self, id: RequestId, name: &str) -> String {
        let headers = &self.responses[&id].headers;
        headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Time passes; whatever is due meanwhile happens at its moment.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now.monotonic + by;
        loop {
            let next = [self.master.deadline(), self.allocator.deadline()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.set(next.max(self.now.monotonic));
            self.tick();
        }
        self.set(end);
        self.tick();
    }

    fn set(&mut self, to: Instant) {
        let passed = u64::try_from(to.since(self.now.monotonic).as_nanos()).unwrap();
        self.now = Now { monotonic: to, wall: Wall(self.now.wall.0 + passed) };
    }

    /// A libprocess message reaches the master.
    pub fn send<M: Proto + MessageName>(&mut self, from: &Upid, message: &M) {
        self.send_to(from, master_pid(), message);
    }

    pub fn send_to<M: Proto + MessageName>(&mut self, from: &Upid, to: Upid, message: &M) {
        let name = names::v0::<M>().into_owned();
        self.input(NetInput::Message(Message {
            from: from.clone(),
            to,
            name,
            epoch: None,
            body: codec::encode(message),
        }));
    }

    /// The messages of one type that were sent to a process, oldest first; others stay.
    pub fn received<M: Proto + MessageName>(&mut self, by: &Upid) -> Vec<M> {
        let name = names::v0::<M>();
        let (mine, others) = std::mem::take(&mut self.sent).into_iter().partition(|m| m.to == *by && m.name == name);
        self.sent = others;
        let mine: VecDeque<Message> = mine;
        mine.iter().map(|message| codec::decode(&message.body).unwrap()).collect()
    }

    /// An HTTP request and its answer.
    pub fn http(&mut self, request: Request) -> (RequestId, Response) {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.input(NetInput::Http(id, request));
        (id, self.responses[&id].clone())
    }

    pub fn get(&mut self, path: &str) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.http(request("GET", path, query, &[], b"")).1
    }

    pub fn post_json(&mut self, path: &str, body: &str) -> Response {
        self.http(request("POST", path, "", &[("content-type", "application/json")], body.as_bytes())).1
    }

    /// The body of a GET as JSON.
    pub fn json(&mut self, path: &str) -> serde_json::Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", text(&response));
        serde_json::from_str(&text(&response)).unwrap()
    }

    /// Registers agent `number`; its id.
    pub fn register_agent(&mut self, number: u8, resources: &str) -> String {
        self.send(&agent_pid(number), &register_message(number, resources));
        let registered: Vec<tepui_proto::mesos::internal::AgentRegisteredMessage> = self.received(&agent_pid(number));
        registered.last().expect("the agent is registered").agent_id.value.clone()
    }

    /// Subscribes over HTTP.
    pub fn subscribe(&mut self, info: FrameworkInfo, content: ContentType) -> Scheduler {
        let call = Call {
            r#type: Some(call::Type::SUBSCRIBE),
            framework_id: info.id.clone(),
            subscribe: MessageField::some(call::Subscribe {
                framework_info: MessageField::some(info),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = v1::encode_scheduler_call(content, &call);
        let headers = [("content-type", content.as_str()), ("accept", content.as_str())];
        let (stream, response) = self.http(request("POST", "/master/api/v1/scheduler", "", &headers, &body));
        assert_eq!(response.status, 200, "{}", text(&response));
        let stream_id = self.header(stream, "Mesos-Stream-Id");
        let first = self.streams[&stream].front().cloned().expect("something is written at once");
        let id = first.subscribed.framework_id.value.clone();
        Scheduler { id, stream, stream_id, content }
    }

    /// A call of a V1 framework, and its answer.
    pub fn call(&mut self, by: &Scheduler, call: Call) -> Response {
        let call = Call { framework_id: field_id(&by.id), ..call };
        let body = v1::encode_scheduler_call(by.content, &call);
        let headers = [("content-type", by.content.as_str()), ("mesos-stream-id", by.stream_id.as_str())];
        self.http(request("POST", "/master/api/v1/scheduler", "", &headers, &body)).1
    }

    /// The events of one type a V1 framework got since it was asked last; all others are forgotten.
    pub fn events(&mut self, by: &Scheduler, kind: event::Type) -> Vec<Event> {
        let events = std::mem::take(self.streams.get_mut(&by.stream).expect("it has a stream"));
        events.into_iter().filter(|event| event.r#type == Some(kind)).collect()
    }

    pub fn offers(&mut self, by: &Scheduler) -> Vec<Offer> {
        self.events(by, event::Type::OFFERS).into_iter().flat_map(|event| event.offers.offers.clone()).collect()
    }

    pub fn updates(&mut self, by: &Scheduler) -> Vec<TaskStatus> {
        self.events(by, event::Type::UPDATE).into_iter().map(|event| (*event.update.status).clone()).collect()
    }

    /// Launches tasks on an offer.
    pub fn launch(&mut self, by: &Scheduler, offers: &[&Offer], tasks: Vec<TaskInfo>) -> Response {
        self.call(by, accept(offers, vec![launch_operation(tasks)]))
    }

    /// An agent reports a task's state with an update to be acknowledged.
    pub fn update(&mut self, agent: u8, framework: &str, task: &str, state: TaskState, uuid: u8) {
        let run_on = self.agent_id_of(agent);
        let message = StatusUpdateMessage {
            update: MessageField::some(status_update(&run_on, framework, task, state, uuid)),
            pid: Some(agent_pid(agent).to_string()),
            ..Default::default()
        };
        self.send(&agent_pid(agent), &message);
    }

    pub fn agent_id_of(&self, number: u8) -> String {
        let snapshot = self.master.snapshot();
        let found = snapshot.agents.values().find(|agent| agent.pid == agent_pid(number));
        found.expect("the agent is registered").id.to_string()
    }

    /// What the agent was told to run since it was asked last.
    pub fn launched(&mut self, agent: u8) -> Vec<RunTaskMessage> {
        self.received(&agent_pid(agent))
    }

    /// Offered and used never exceed what an agent has, and the books agree with one another.
    pub fn audit(&self) {
        let snapshot = self.master.snapshot();
        for agent in snapshot.agents.values() {
            let mut held = agent.used_total();
            held += &agent.offered;
            assert!(agent.total.contains(&held.clone().unallocated()), "{}: {held} of {}", agent.id, agent.total);
            let mut offered = Resources::new();
            agent.offers.iter().for_each(|id| offered += &snapshot.offers[id].resources);
            assert!(offered.contains(&agent.offered) && agent.offered.contains(&offered));
        }
        for framework in snapshot.frameworks.values() {
            let mut used = Resources::new();
            let active = framework.tasks.values().filter(|task| tepui_master::state::task::holds_resources(task.state));
            active.for_each(|task| used += &task.resources);
            framework.executors.values().for_each(|executor| used += &executor.resources);
            assert!(used.contains(&framework.used) && framework.used.contains(&used), "{used} {}", framework.used);
        }
        self.audit_inverse_offers();
        self.allocator.audit();
    }

    /// Who is asked can answer, is asked about an agent that will be away, and once; the indices agree.
    fn audit_inverse_offers(&self) {
        let snapshot = self.master.snapshot();
        let mut asked = BTreeSet::new();
        for (id, offer) in &snapshot.inverse_offers {
            let (framework, agent) = (&snapshot.frameworks[&offer.framework], &snapshot.agents[&offer.agent]);
            assert!(framework.is_connected() && framework.active && agent.active, "{id} cannot be answered");
            assert!(agent.unavailability.is_set(), "{id} is about no window");
            assert!(framework.inverse_offers.contains(id) && agent.inverse_offers.contains(id));
            assert!(asked.insert((&offer.framework, &offer.agent)), "{id} is asked twice");
        }
        let by_framework: usize = snapshot.frameworks.values().map(|framework| framework.inverse_offers.len()).sum();
        let by_agent: usize = snapshot.agents.values().map(|agent| agent.inverse_offers.len()).sum();
        assert_eq!((by_framework, by_agent), (snapshot.inverse_offers.len(), snapshot.inverse_offers.len()));
    }
}

/// A V1 framework.
#[derive(Clone, Debug)]
pub struct Scheduler {
    pub id: String,
    pub stream: RequestId,
    pub stream_id: String,
    pub content: ContentType,
}

pub fn text(response: &Response) -> String {
    match &response.body {
        Body::Full(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Body::Stream => "a stream".to_owned(),
    }
}
