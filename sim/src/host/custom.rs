//! A custom V1 executor: runs any number of tasks, each a timer, on the SDK's machine.

use super::{Host, Input, Local, Role};
use crate::check::Fact;
use crate::driven::Driven;
use crate::network::Process;
use crate::task::Script;
use crate::world::{Event, World};
use std::collections::{BTreeMap, BTreeSet};
use tepui_base::{Instant, WaitStatus};
use tepui_framework::executor::{Config, Effect, Event as Told, Executor, Input as In};
use tepui_proto::mesos::{TaskID, TaskInfo, TaskState, TaskStatus};

/// See the module's text.
pub struct CustomHost {
    agent: Process,
    executor: Driven<Executor>,
    running: BTreeSet<String>,
}

impl CustomHost {
    /// An executor with the environment its agent made.
    pub fn boxed(agent: Process, environment: &BTreeMap<String, String>) -> Box<dyn Host> {
        let config = Config::from_env(|name| environment.get(name).cloned()).expect("agents set what executors need");
        let text = format!("{} {} {}", config.framework_id, config.executor_id, environment["MESOS_DIRECTORY"]);
        let executor = Driven::new(Executor::new(config, crate::packet::digest(text.as_bytes())));
        Box::new(CustomHost { agent, executor, running: BTreeSet::new() })
    }

    fn feed(&mut self, world: &mut World, me: Process, input: In) {
        let effects = self.executor.handle(world.clock(), input);
        self.perform(world, me, effects);
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Http(effect) => world.http(me, effect),
                Effect::Event(event) => self.told(world, me, event),
            }
        }
    }

    fn told(&mut self, world: &mut World, me: Process, event: Told) {
        match event {
            Told::Launch(tasks) | Told::LaunchGroup(tasks) => {
                for task in &tasks {
                    self.launch(world, me, task);
                }
            }
            Told::Kill { task_id, .. } => {
                if self.running.contains(&task_id.value) {
                    let wait = 1_000_000 + world.rng.below(800_000_000);
                    let ended = Local::TaskEnded(task_id.value, WaitStatus::signaled(15));
                    world.after(wait, Event::Local(me, ended));
                }
            }
            Told::Message(data) => self.feed(world, me, In::Message(data)),
            Told::Shutdown | Told::Error(_) => {
                world.stop(me.host);
                let ended = Local::ExecutorEnded(me.host, WaitStatus::exited(0));
                world.after(1_000_000, Event::Local(self.agent, ended));
            }
            Told::Subscribed(_) | Told::Disconnected(_) | Told::Acknowledged { .. } | Told::CallRefused(_) => {}
        }
    }

    fn launch(&mut self, world: &mut World, me: Process, task: &TaskInfo) {
        let id = task.task_id.value.clone();
        world.checks.see(world.now, &Fact::Forked { task: id.clone() });
        self.running.insert(id.clone());
        self.update(world, me, &id, TaskState::TASK_RUNNING);
        let script = Script::parse(&String::from_utf8_lossy(task.data.as_deref().unwrap_or_default()));
        if let Some(nanos) = script.nanos {
            world.after(nanos, Event::Local(me, Local::TaskEnded(id, WaitStatus::exited(script.code))));
        }
    }

    fn update(&mut self, world: &mut World, me: Process, task: &str, state: TaskState) {
        let task_id = TaskID { value: task.to_owned(), ..TaskID::default() };
        let status = TaskStatus { task_id: task_id.into(), state, ..TaskStatus::default() };
        self.feed(world, me, In::Update(Box::new(status)));
    }
}

impl Host for CustomHost {
    fn role(&self) -> Role {
        Role::Executor
    }

    fn start(&mut self, world: &mut World, me: Process) {
        self.feed(world, me, In::Start);
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Http(input) => self.feed(world, me, In::Http(input)),
            Input::Local(Local::TaskEnded(task, status)) if self.running.remove(&task) => {
                let state = match () {
                    () if status.is_success() => TaskState::TASK_FINISHED,
                    () if status.signal() == Some(15) => TaskState::TASK_KILLED,
                    () => TaskState::TASK_FAILED,
                };
                self.update(world, me, &task, state);
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
