//! Does what a script says to one cluster and keeps what came of it.
//!
//! A subscription is a stream of V1 events, or a libprocess process ([`super::driver`]) and what it hears.
//!
//! Words for `${...}`: `framework`, `stream`, `offer`, `uuid` of a subscription `S` (`${S.framework}`), the first offer
//! it ever got (`${S.offer.first}`), `agent`, `master`, `bin` (the folder of the cluster's programs), and what the script
//! defines by `let`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::driver::Driver;
use super::exchange::{Request, Response, Stream};
use super::json::{self, Json};
use super::script::{Api, Ask, Body, Entry, Form, Step};
use super::target::{Daemon, Target};
use super::{metrics, protobuf};

/// From an action to the event that it causes: launching an executor on a busy machine takes seconds.
const EVENT_WITHIN: Duration = Duration::from_secs(20);
/// The first record of a stream that ends, or is only looked at.
const FIRST_WITHIN: Duration = Duration::from_secs(5);
/// How long a condition may take to hold.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// Events whose number or place is a matter of time, not of the protocol.
const UNTIMED: [&str; 5] = ["HEARTBEAT", "OFFERS", "RESCIND", "ResourceOffersMessage", "RescindResourceOfferMessage"];

/// Stands in the list of events where one was waited for in vain.
const MISSED: &str = "{\"missed\":\"";

/// What came of one entry.
#[derive(Clone, Debug)]
pub struct Record {
    /// The entry's name.
    pub name: String,
    /// Status, headers, and the body as text (JSON for protobuf).
    pub answer: Response,
}

/// A subscription.
struct Subscription {
    api: Api,
    form: Form,
    source: Source,
    events: Vec<String>,
    /// Which of them have been awaited: one event answers one `await`, so that each of several alike is waited for.
    awaited: BTreeSet<usize>,
}

impl Subscription {
    fn new(api: Api, form: Form, source: Source) -> Subscription {
        Subscription { api, form, source, events: Vec::new(), awaited: BTreeSet::new() }
    }

    /// Whether an event that nobody awaited yet has this text; from now on it has been.
    fn has_come(&mut self, text: &str) -> bool {
        let mut fresh = self.events.iter().enumerate().filter(|(at, _)| !self.awaited.contains(at));
        let found = fresh.find(|(_, event)| event.contains(text)).map(|(at, _)| at);
        found.is_some_and(|at| self.awaited.insert(at))
    }
}

/// Where events come from.
enum Source {
    /// An answer that ended at once.
    Nowhere,
    /// An open answer.
    Stream(Stream),
    /// A process that is spoken to.
    Driver(Driver),
}

impl Source {
    fn driver(&self) -> Option<&Driver> {
        match self {
            Source::Driver(driver) => Some(driver),
            _ => None,
        }
    }
}

/// One cluster and what it said so far.
pub struct Actor<'a> {
    target: &'a Target,
    words: BTreeMap<String, String>,
    subscriptions: BTreeMap<String, Subscription>,
    counters: BTreeMap<String, metrics::Snapshot>,
    records: Vec<Record>,
}

/// Does everything; the words come back too, since they tell ids from other text.
pub fn perform(entries: &[Entry], target: &Target) -> Result<(Vec<Record>, BTreeMap<String, String>)> {
    let mut actor = Actor {
        target,
        words: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        counters: BTreeMap::new(),
        records: Vec::new(),
    };
    actor.look_around()?;
    for entry in entries {
        actor.step(entry).with_context(|| format!("{}: {}", target.name, entry.name))?;
    }
    Ok((actor.records, actor.words))
}

impl Actor<'_> {
    /// Learns the ids that are there from the start.
    fn look_around(&mut self) -> Result<()> {
        let state = self.target.get(Daemon::Master, "/state")?;
        let state = json::parse(&String::from_utf8_lossy(&state.body)).context("/state is not JSON")?;
        let text = |value: Option<&Json>| value.and_then(Json::text).map(str::to_owned).unwrap_or_default();
        self.words.insert("master".to_owned(), text(state.get("id")));
        let agent = state.get("slaves").and_then(|agents| agents.entries().first());
        let bin = self.target.folders.first().map(|(folder, _)| folder.clone());
        self.words.insert("bin".to_owned(), bin.unwrap_or_default());
        self.words.insert("agent".to_owned(), text(agent.and_then(|agent| agent.get("id"))));
        Ok(())
    }

    fn step(&mut self, entry: &Entry) -> Result<()> {
        let name = &entry.name;
        match &entry.step {
            Step::Ask(ask) => self.ask(name, ask),
            Step::Call { form, api, stream, json } => self.call(name, *form, *api, stream.as_deref(), json),
            Step::Open { form, api, json } => self.open(name, *form, *api, json),
            Step::Await { text } => self.wait(name, text),
            Step::Close => self.close(name),
            Step::Driver { id } => self.driver(name, id),
            Step::Tell { message, json } => self.tell(name, message, json),
            Step::Answers(answers) => {
                let driver = self.subscriptions.get(name).and_then(|s| s.source.driver()).context("no such process")?;
                if *answers {
                    driver.unmute()
                } else {
                    driver.mute()
                }
                Ok(())
            }
            Step::Settle { daemon, path, text } => self.settle(*daemon, path, text),
            Step::Metrics { daemon } => self.metrics(name, *daemon),
            Step::Remember { daemon } => {
                let now = metrics::Snapshot::take(self.target, *daemon)?;
                self.counters.insert(format!("{daemon:?}"), now);
                Ok(())
            }
            Step::Let { text } => {
                let text = self.filled(text);
                self.words.insert(name.clone(), text);
                Ok(())
            }
        }
    }

    fn ask(&mut self, name: &str, ask: &Ask) -> Result<()> {
        let headers = ask.headers.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect();
        let body = ask.body.as_ref().map(|body| match body {
            Body::Text(text) => self.filled(text).into_bytes(),
            Body::Hex(bytes) => bytes.clone(),
        });
        let path = self.target.path(ask.daemon, &self.filled(&ask.path));
        let answer = self.first_record(&Request { method: ask.method.clone(), path, headers, body }, ask.daemon)?;
        self.record(name, answer);
        Ok(())
    }

    /// The answer; of a stream, its first record stands for the body.
    fn first_record(&self, request: &Request, daemon: Daemon) -> Result<Response> {
        if request.method == "HEAD" {
            return request.send(self.target.address(daemon));
        }
        let (mut answer, stream) = request.open(self.target.address(daemon))?;
        if let Some(stream) = stream {
            answer.body = stream.next(FIRST_WITHIN).ok().flatten().unwrap_or_default();
        }
        Ok(answer)
    }

    fn call(&mut self, name: &str, form: Form, api: Api, stream: Option<&str>, json: &str) -> Result<()> {
        let mut request = self.request(form, api, json)?;
        if let Some(stream) = stream {
            let id = self.words.get(&format!("{stream}.stream")).cloned().unwrap_or_default();
            request.headers.push(("Mesos-Stream-Id".to_owned(), id));
        }
        let mut answer = self.first_record(&request, daemon(api))?;
        if answer.header("Content-Type") == Some(PROTOBUF) {
            let event = answer.header("Transfer-Encoding").is_some();
            answer.body = protobuf::decode(api, event, &answer.body)?.into_bytes();
        }
        self.record(name, answer);
        Ok(())
    }

    fn request(&self, form: Form, api: Api, json: &str) -> Result<Request> {
        let json = self.filled(json);
        let (kind, body) = match form {
            Form::Json => ("application/json", json.into_bytes()),
            Form::Protobuf => (PROTOBUF, protobuf::encode(api, &json)?),
        };
        let path = match api {
            Api::Scheduler => "/api/v1/scheduler",
            Api::Executor => "/api/v1/executor",
            Api::Operator | Api::Agent => "/api/v1",
        };
        let header = |name: &str| (name.to_owned(), kind.to_owned());
        Ok(Request {
            method: "POST".to_owned(),
            path: self.target.path(daemon(api), path),
            headers: vec![header("Content-Type"), header("Accept")],
            body: Some(body),
        })
    }

    fn open(&mut self, name: &str, form: Form, api: Api, json: &str) -> Result<()> {
        let request = self.request(form, api, json)?;
        let (answer, stream) = request.open(self.target.address(daemon(api)))?;
        if let Some(id) = answer.header("Mesos-Stream-Id") {
            self.words.insert(format!("{name}.stream"), id.to_owned());
        }
        let open = stream.is_some();
        let source = stream.map_or(Source::Nowhere, Source::Stream);
        let subscription = Subscription::new(api, form, source);
        self.subscriptions.insert(name.to_owned(), subscription);
        self.record(name, answer);
        if open { self.wait(name, "\"SUBSCRIBED\"") } else { Ok(()) }
    }

    /// Reads events up to one with the text, which may have come before. If it does not come that is written down: the
    /// other side may see it.
    fn wait(&mut self, name: &str, text: &str) -> Result<()> {
        let text = self.filled(text);
        if self.subscriptions.get_mut(name).is_some_and(|subscription| subscription.has_come(&text)) {
            return Ok(());
        }
        let deadline = Instant::now() + EVENT_WITHIN;
        loop {
            let subscription = self.subscriptions.get_mut(name).context("no such subscription")?;
            let left = deadline.saturating_duration_since(Instant::now());
            let (api, form) = (subscription.api, subscription.form);
            let next = match &subscription.source {
                Source::Nowhere => return Ok(()),
                Source::Stream(stream) => stream.next(left),
                Source::Driver(driver) => driver.next(left),
            };
            let event = match next {
                Ok(Some(bytes)) if form == Form::Protobuf => protobuf::decode(api, true, &bytes)?,
                Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
                Ok(None) => format!("{MISSED}{} did not come\"}}", text.replace('"', "'")),
                Err(_) => format!("{MISSED}the stream ended before {}\"}}", text.replace('"', "'")),
            };
            let found = event.contains(&text) || event.starts_with(MISSED);
            if !UNTIMED.iter().any(|word| event.starts_with(&format!("{{\"type\":\"{word}\""))) {
                if found {
                    subscription.awaited.insert(subscription.events.len());
                }
                subscription.events.push(event.clone());
            }
            self.learn(name, &event)?;
            if found {
                return Ok(());
            }
        }
    }

    /// Takes the ids out of an event, and acknowledges an update as a driver does.
    fn learn(&mut self, name: &str, event: &str) -> Result<()> {
        let Some(event) = json::parse(event) else { return Ok(()) };
        if let Some(message) = event.get("message").filter(|_| self.is_driver(name)) {
            return self.learn_message(name, message);
        }
        let text = |path: &[&str]| event.at(path).and_then(Json::text).map(str::to_owned);
        if let Some(id) = text(&["subscribed", "framework_id", "value"]) {
            self.words.insert(format!("{name}.framework"), id);
        }
        self.learn_offers(name, event.at(&["offers", "offers"]), &event);
        let status = |field: &str, deeper: &[&str]| text(&[&["update", "status", field], deeper].concat());
        if self.subscriptions.get(name).is_none_or(|s| s.api != Api::Scheduler) {
            return Ok(());
        }
        let (Some(uuid), Some(task)) = (status("uuid", &[]), status("task_id", &["value"])) else { return Ok(()) };
        let agent = status("agent_id", &["value"]).unwrap_or_default();
        self.words.insert(format!("{name}.uuid"), uuid.clone());
        let ack = format!(
            r#"{{"type":"ACKNOWLEDGE","framework_id":{{"value":"${{{name}.framework}}"}},"acknowledge":{{"agent_id":{{"value":"{agent}"}},"task_id":{{"value":"{task}"}},"uuid":"{uuid}"}}}}"#
        );
        let mut request = self.request(Form::Json, Api::Scheduler, &ack)?;
        let stream = self.words.get(&format!("{name}.stream")).cloned().unwrap_or_default();
        request.headers.push(("Mesos-Stream-Id".to_owned(), stream));
        request.send(self.target.address(Daemon::Master)).map(|_| ())
    }

    /// Remembers the ids of offers, and keeps the first event with some to be compared.
    fn learn_offers(&mut self, name: &str, offers: Option<&Json>, event: &Json) {
        for offer in offers.map(Json::entries).unwrap_or_default() {
            let id = offer.at(&["id", "value"]).and_then(Json::text).unwrap_or_default();
            self.words.entry(format!("{name}.offer.first")).or_insert_with(|| id.to_owned());
            self.words.insert(format!("{name}.offer"), id.to_owned());
            if !self.records.iter().any(|record| record.name == format!("{name}.offer")) {
                let body = event.to_string().into_bytes();
                self.record(&format!("{name}.offer"), Response { body, ..Response::default() });
            }
        }
    }

    fn is_driver(&self, name: &str) -> bool {
        self.subscriptions.get(name).is_some_and(|s| s.source.driver().is_some())
    }

    fn driver(&mut self, name: &str, id: &str) -> Result<()> {
        let driver = Driver::new(&self.filled(id), self.target.address(Daemon::Master))?;
        let port = driver.pid.rsplit(':').next().unwrap_or_default().to_owned();
        self.words.insert(format!("{name}.port"), port);
        self.words.insert(format!("{name}.pid"), driver.pid.clone());
        let source = Source::Driver(driver);
        let subscription = Subscription::new(Api::Scheduler, Form::Json, source);
        self.subscriptions.insert(name.to_owned(), subscription);
        Ok(())
    }

    fn tell(&mut self, name: &str, message: &str, json: &str) -> Result<()> {
        let json = self.filled(json);
        let driver = self.subscriptions.get(name).and_then(|s| s.source.driver()).context("no such process")?;
        driver.tell(message, &json)
    }

    /// The same as [`Self::learn`] of what a process hears. Updates that ask for it are acknowledged.
    fn learn_message(&mut self, name: &str, message: &Json) -> Result<()> {
        let text = |path: &[&str]| message.at(path).and_then(Json::text).map(str::to_owned);
        // Whoever is told its id is a framework or an agent.
        if message.get("master_info").is_some()
            && let Some(id) = text(&["framework_id", "value"])
        {
            self.words.insert(format!("{name}.framework"), id);
        }
        if message.get("connection").is_some()
            && let Some(id) = text(&["slave_id", "value"])
        {
            self.words.insert(format!("{name}.agent"), id);
        }
        self.learn_offers(name, message.get("offers"), message);
        let Some(uuid) = text(&["update", "uuid"]).filter(|uuid| !uuid.is_empty()) else { return Ok(()) };
        let of = |path: &[&str]| text(path).unwrap_or_default();
        if of(&["pid"]).contains("@0.0.0.0:0") {
            // It comes from the master itself, which waits for nothing.
            return Ok(());
        }
        let ack = format!(
            r#"{{"framework_id":{{"value":"{}"}},"slave_id":{{"value":"{}"}},"task_id":{{"value":"{}"}},"uuid":"{uuid}"}}"#,
            of(&["update", "framework_id", "value"]),
            of(&["update", "slave_id", "value"]),
            of(&["update", "status", "task_id", "value"]),
        );
        self.tell(name, "StatusUpdateAcknowledgementMessage", &ack)
    }

    fn close(&mut self, name: &str) -> Result<()> {
        let subscription = self.subscriptions.remove(name).context("no such subscription")?;
        let body = by_task(&subscription.events).into_bytes();
        self.record(&format!("{name}.events"), Response { body, ..Response::default() });
        Ok(())
    }

    fn settle(&mut self, daemon: Daemon, path: &str, text: &str) -> Result<()> {
        let (path, text) = (self.filled(path), self.filled(text));
        let (absent, text) = text.strip_prefix("not ").map_or((false, text.as_str()), |text| (true, text));
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            let answer = self.target.get(daemon, &path)?;
            if String::from_utf8_lossy(&answer.body).contains(text) != absent {
                return Ok(());
            }
            if Instant::now() > deadline {
                // What was waited for shows as a difference where it is asked for next.
                println!("NOTE {}: {path} never had {text}", self.target.name);
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The first time all names are told, then what moved since the last time.
    fn metrics(&mut self, name: &str, daemon: Daemon) -> Result<()> {
        let now = metrics::Snapshot::take(self.target, daemon)?;
        let key = format!("{daemon:?}");
        let body = match self.counters.get(&key) {
            Some(before) => now.moved_since(before),
            None => now.names(),
        };
        self.counters.insert(key, now);
        self.record(name, Response { body: body.into_bytes(), ..Response::default() });
        Ok(())
    }

    fn record(&mut self, name: &str, answer: Response) {
        self.records.push(Record { name: name.to_owned(), answer });
    }

    /// The text with its words filled in; a word nobody knows stays, and shows in the answer.
    fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((word, after)) = after.split_once('}') else { break };
            out.push_str(self.words.get(word).map_or("unknown", String::as_str));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// The first event that was awaited here in vain.
pub fn missed(record: &Record) -> Option<String> {
    let body = String::from_utf8_lossy(&record.answer.body);
    let (_, rest) = body.split_once(MISSED)?;
    Some(rest.split('"').next().unwrap_or_default().to_owned())
}

/// Where an event names its task.
const TASK_OF_EVENT: [&[&str]; 6] = [
    &["message", "update", "status", "task_id", "value"],
    &["message", "task", "task_id", "value"],
    &["message", "task_id", "value"],
    &["update", "status", "task_id", "value"],
    &["task_added", "task", "task_id", "value"],
    &["task_updated", "status", "task_id", "value"],
];

/// Events as an object: what was told of each task, and the rest, each in its order. Two tasks race each other.
fn by_task(events: &[String]) -> String {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for event in events {
        let json = json::parse(event);
        let task = TASK_OF_EVENT.iter().find_map(|path| json.as_ref()?.at(path));
        groups.entry(task.map_or_else(|| "\"\"".to_owned(), Json::to_string)).or_default().push(event);
    }
    let groups = groups.iter().map(|(task, events)| format!("{task}:[{}]", events.join(",")));
    format!("{{{}}}", groups.collect::<Vec<_>>().join(","))
}

const PROTOBUF: &str = "application/x-protobuf";

fn daemon(api: Api) -> Daemon {
    match api {
        Api::Scheduler | Api::Operator => Daemon::Master,
        Api::Agent | Api::Executor => Daemon::Agent,
    }
}
