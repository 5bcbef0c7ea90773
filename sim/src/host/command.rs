//! The command executor in a container. Its task is no process but a timer: the command says how long and how it ends.

use super::{Host, Input, Local, Role};
use crate::check::Fact;
use crate::driven::Driven;
use crate::network::Process;
use crate::task::Script;
use crate::world::{Event, World};
use std::collections::BTreeMap;
use tepui_base::{Instant, WaitStatus, duration};
use tepui_executor::{Config, Effect, Executor, Input as In, Recovery, Signal};
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Post};
use tepui_proto::mesos::executor::{Event as Told, call};
use tepui_proto::{ContentType, codec, recordio};
use tepui_wire::Upid;

const FORM: ContentType = ContentType::Protobuf;
const PATH: &str = "/slave(1)/api/v1/executor";

/// See the module's text.
pub struct CommandHost {
    agent: Process,
    address: String,
    executor: Driven<Executor>,
    decoder: recordio::Decoder,
    /// Calls not answered yet.
    calls: BTreeMap<ExchangeId, call::Type>,
    subscription: Option<ExchangeId>,
    next: u64,
    task_runs: bool,
    task: String,
}

impl CommandHost {
    /// An executor with the environment its agent made.
    pub fn boxed(agent: Process, environment: BTreeMap<String, String>) -> Box<dyn Host> {
        let get = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let span = |name: &str| duration::parse(&get(name)).unwrap_or_default();
        let pid = Upid::parse(&get("MESOS_SLAVE_PID"));
        let address = pid.map(|pid| pid.address().to_string()).unwrap_or_default();
        let recovery = (get("MESOS_CHECKPOINT") == "1").then(|| Recovery {
            timeout: span("MESOS_RECOVERY_TIMEOUT"),
            backoff_max: span("MESOS_SUBSCRIPTION_BACKOFF_MAX"),
        });
        let (framework_id, executor_id) = (get("MESOS_FRAMEWORK_ID"), get("MESOS_EXECUTOR_ID"));
        // Different for each executor of a run, the same in each run.
        let seed = crate::packet::digest(format!("{framework_id} {executor_id} {}", agent.life).as_bytes());
        let config = Config {
            framework_id: framework_id.into(),
            executor_id: executor_id.clone().into(),
            recovery,
            shutdown_grace_period: span("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"),
            environment,
            task_environment: Default::default(),
            task_command: None,
        };
        Box::new(CommandHost {
            agent,
            address,
            executor: Driven::new(Executor::new(config, seed)),
            decoder: recordio::Decoder::new(usize::MAX),
            calls: BTreeMap::new(),
            subscription: None,
            next: 0,
            task_runs: false,
            task: executor_id,
        })
    }

    fn feed(&mut self, world: &mut World, me: Process, input: In) {
        let effects = self.executor.handle(world.clock(), input);
        self.perform(world, me, effects);
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Connect => self.connect(world, me),
                Effect::Call(call) => self.call(world, me, &call),
                Effect::Fork(command) => self.fork(world, me, command.info.value.as_deref().unwrap_or_default()),
                Effect::Signal(signal) if self.task_runs => {
                    let number = if signal == Signal::Kill { 9 } else { 15 };
                    // One in ten ignores SIGTERM.
                    if number == 9 || world.rng.below(10) != 0 {
                        let wait = 1_000_000 + world.rng.below(500_000_000);
                        let ended = Local::TaskEnded(self.task.clone(), WaitStatus::signaled(number));
                        world.after(wait, Event::Local(me, ended));
                    }
                }
                Effect::Signal(_) | Effect::Log(_) => {}
                Effect::Exit(code) => {
                    let ended = Local::ExecutorEnded(me.host, WaitStatus::exited(code));
                    world.stop(me.host);
                    world.after(1_000_000, Event::Local(self.agent, ended));
                }
            }
        }
    }

    fn connect(&mut self, world: &mut World, me: Process) {
        self.drop_connections(world, me);
        let address = self.address.parse().ok();
        let reached = address.is_some_and(|address| world.can_reach(me, address));
        let answer = if reached { Ok(()) } else { Err("Connection refused".to_owned()) };
        world.after(100_000, Event::Local(me, Local::Connected(answer)));
    }

    fn drop_connections(&mut self, world: &mut World, me: Process) {
        if let Some(old) = self.subscription.take() {
            world.http(me, HttpEffect::Abort(old));
        }
        self.calls.clear();
    }

    fn call(&mut self, world: &mut World, me: Process, call: &tepui_proto::mesos::executor::Call) {
        self.next += 1;
        let (exchange, kind) = (ExchangeId(self.next), call.r#type.unwrap_or(call::Type::UNKNOWN));
        let form = FORM.as_str().to_owned();
        let headers = vec![("Content-Type", form.clone()), ("Accept", form)];
        let post = Post { to: self.address.clone(), path: PATH, headers, body: FORM.encode(call) };
        self.calls.insert(exchange, kind);
        if kind == call::Type::SUBSCRIBE {
            self.subscription = Some(exchange);
            self.decoder = recordio::Decoder::new(usize::MAX);
            world.http(me, HttpEffect::Subscribe(exchange, post));
        } else {
            world.http(me, HttpEffect::Call(exchange, post));
        }
    }

    fn fork(&mut self, world: &mut World, me: Process, command: &str) {
        world.checks.see(world.now, &Fact::Forked { task: self.task.clone() });
        self.task_runs = true;
        let script = Script::parse(command);
        if let Some(nanos) = script.nanos {
            let ended = Local::TaskEnded(self.task.clone(), WaitStatus::exited(script.code));
            world.after(nanos, Event::Local(me, ended));
        }
        self.feed(world, me, In::Forked);
    }

    fn http(&mut self, world: &mut World, me: Process, input: HttpInput) {
        match input {
            HttpInput::Opened(..) => {}
            HttpInput::Chunk(id, bytes) if self.subscription == Some(id) => {
                self.decoder.push(&bytes);
                while let Ok(Some(record)) = self.decoder.next_record() {
                    if let Ok(event) = codec::decode::<Told>(&record) {
                        self.feed(world, me, In::Event(Box::new(event)));
                    }
                }
            }
            HttpInput::Answered(id, reply) => {
                let Some(call) = self.calls.remove(&id) else { return };
                if reply.status != 202 {
                    let body = String::from_utf8_lossy(&reply.body).into_owned();
                    let reason = tepui_wire::status::line(reply.status).to_string();
                    self.feed(world, me, In::Refused { call, status: reply.status, reason, body });
                }
            }
            HttpInput::Closed(id, why) if self.calls.contains_key(&id) => {
                self.drop_connections(world, me);
                self.feed(world, me, In::Disconnected(why));
            }
            HttpInput::Chunk(..) | HttpInput::Closed(..) => {}
        }
    }
}

impl Host for CommandHost {
    fn role(&self) -> Role {
        Role::Executor
    }

    fn start(&mut self, world: &mut World, me: Process) {
        self.feed(world, me, In::Started);
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Http(input) => self.http(world, me, input),
            Input::Local(Local::Connected(Ok(()))) => self.feed(world, me, In::Connected),
            Input::Local(Local::Connected(Err(why))) => self.feed(world, me, In::Disconnected(why)),
            Input::Local(Local::TaskEnded(_, status)) if self.task_runs => {
                self.task_runs = false;
                self.feed(world, me, In::Exited(status));
            }
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        let effects = self.executor.tick(world.clock());
        self.perform(world, me, effects);
    }

    fn deadline(&self) -> Option<Instant> {
        self.executor.deadline()
    }
}
