//! What frameworks do all day, the same for V0 and V1: a table of tasks (the framework's disk) and the dice.
//!
//! A framework here does what a careful framework of Mesos does: it acknowledges what it has written down, asks again
//! about tasks it has not heard of, and repeats a kill until the task has ended.

use crate::task::Script;
use std::collections::BTreeMap;
use tepui_base::Rng;
use tepui_framework::scheduler::{call, is_terminal};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::value::{Scalar, Type as ValueType};
use tepui_proto::mesos::{
    AgentID, CommandInfo, ExecutorID, ExecutorInfo, Filters, FrameworkID, Offer, OfferID, Resource, TaskID, TaskInfo,
    TaskState, TaskStatus, executor_info,
};
use tepui_proto::{MessageField, ToProto};

/// The most tasks a framework has at once.
const MAX_LIVE: usize = 14;
/// What a custom executor holds for itself, in thousandths of a CPU and in MB.
pub const EXECUTOR: (i64, i64) = (100, 32);
const SECOND: u64 = 1_000_000_000;

/// What a framework knows of a task.
#[derive(Clone, Debug)]
pub struct Known {
    /// Where it was launched.
    pub agent: AgentID,
    /// Its executor, if it is a custom one.
    pub executor: Option<String>,
    /// The last state heard.
    pub state: Option<TaskState>,
    /// Whether it is over: it has ended, or nobody knows it.
    pub over: bool,
    /// Whether it is to be killed.
    pub killed: bool,
}

/// The table and the framework's habits.
pub struct Workload {
    name: String,
    /// Tasks by id.
    pub tasks: BTreeMap<String, Known>,
    /// Offers it has not decided about.
    pub held: BTreeMap<String, Offer>,
    /// Whether it wants no more tasks.
    pub quiet: bool,
    custom: bool,
    next_task: u64,
}

impl Workload {
    /// A framework's; with `custom` half of its tasks run in an executor of its own.
    pub fn new(name: &str, custom: bool) -> Workload {
        let (tasks, held) = (BTreeMap::new(), BTreeMap::new());
        Workload { name: name.to_owned(), tasks, held, quiet: false, custom, next_task: 0 }
    }

    /// Tasks that may still run.
    pub fn live(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.tasks.iter().filter(|(_, task)| !task.over)
    }

    /// Decides about an offer at once, or (none) holds it for so many nanoseconds.
    pub fn offered(&mut self, rng: &mut Rng, offer: &Offer, framework: &FrameworkID) -> Result<Call, u64> {
        self.held.insert(offer.id.value.clone(), offer.clone());
        if !self.quiet && rng.below(12) == 0 {
            return Err(SECOND + rng.below(100 * SECOND));
        }
        Ok(self.decide(rng, &offer.id.value, framework).expect("it is held"))
    }

    /// Decides about a held offer; none if it is void.
    pub fn decide(&mut self, rng: &mut Rng, id: &str, framework: &FrameworkID) -> Option<Call> {
        let offer = self.held.remove(id)?;
        let offer_id = OfferID { value: id.to_owned(), ..OfferID::default() };
        let (cpus, mem) = (amount(&offer, "cpus"), amount(&offer, "mem"));
        let room = MAX_LIVE.saturating_sub(self.live().count());
        let refuse = Filters { refuse_seconds: Some(rng.below(20) as f64), ..Filters::default() };
        if self.quiet || room == 0 || cpus < 1.0 || mem < 512.0 || rng.below(5) == 0 {
            return Some(call::decline(vec![offer_id], Some(refuse)));
        }
        let count = (1 + rng.below(3) as usize).min(room);
        let (mut cpus, mut tasks) = (cpus, Vec::new());
        while tasks.len() < count && cpus >= 1.0 {
            let task = self.task(rng, &offer, framework);
            cpus -= 1.0;
            tasks.push(task);
        }
        Some(call::accept(vec![offer_id], vec![call::launch(tasks)], Some(refuse)))
    }

    fn task(&mut self, rng: &mut Rng, offer: &Offer, framework: &FrameworkID) -> TaskInfo {
        let id = format!("{}-t{}", self.name, self.next_task);
        self.next_task += 1;
        let nanos = match rng.below(20) {
            0 => None,
            1 => Some(0),
            _ => Some(rng.below(60 * SECOND)),
        };
        let script = Script { nanos, code: if rng.below(4) == 0 { 1 + rng.below(100) as u8 } else { 0 } };
        let custom = self.custom && rng.below(2) == 0;
        let executor = custom.then(|| format!("{}-e{}", self.name, rng.below(2)));
        let role = offer.allocation_info.role.clone();
        let mut task = TaskInfo {
            name: id.clone(),
            task_id: MessageField::some(TaskID { value: id.clone(), ..TaskID::default() }),
            agent_id: offer.agent_id.clone(),
            resources: vec![scalar("cpus", 0.1 * (1 + rng.below(8)) as f64, &role), scalar("mem", 128.0, &role)],
            ..TaskInfo::default()
        };
        match &executor {
            Some(executor) => {
                task.executor = MessageField::some(custom_executor(executor, framework, &role));
                task.data = Some(script.command().into_bytes());
            }
            None => {
                let value = Some(script.command());
                task.command = MessageField::some(CommandInfo { value, ..CommandInfo::default() });
            }
        }
        let agent = (*offer.agent_id).clone();
        self.tasks.insert(id, Known { agent, executor, state: None, over: false, killed: false });
        task
    }

    /// Writes an update down.
    pub fn updated(&mut self, status: &TaskStatus) {
        let Some(task) = self.tasks.get_mut(&status.task_id.value) else { return };
        task.state = Some(status.state);
        // What nobody knows is over unless it comes back; lost and unreachable tasks may.
        let unknown = matches!(status.state, TaskState::TASK_UNKNOWN);
        task.over = is_terminal(status.state) || unknown;
    }

    /// An offer is void.
    pub fn rescinded(&mut self, offer: &str) {
        self.held.remove(offer);
    }

    /// What a framework does from time to time.
    pub fn act(&mut self, rng: &mut Rng) -> Vec<Call> {
        let mut calls = Vec::new();
        let kills: Vec<_> = self.live().filter(|(_, task)| task.killed).map(kill).collect();
        calls.extend(kills);
        let asked: Vec<_> = self.live().map(|(id, task)| (task_id(id), Some(task.agent.clone()))).collect();
        if self.quiet {
            self.tasks.values_mut().for_each(|task| task.killed = true);
            if !asked.is_empty() {
                calls.push(call::reconcile(asked));
            }
            return calls;
        }
        match rng.below(8) {
            0 => calls.push(call::revive(vec![])),
            1 => calls.push(call::suppress(vec![])),
            2 | 3 => {
                let live = self.tasks.values_mut().filter(|task| !task.over && task.state.is_some());
                let mut live: Vec<_> = live.collect();
                if !live.is_empty() {
                    let chosen = rng.below(live.len() as u64) as usize;
                    live[chosen].killed = true;
                }
            }
            4 => calls.push(call::reconcile(asked)),
            5 => calls.extend(self.live().find_map(|(_, task)| message(task))),
            6 if !asked.is_empty() => calls.push(call::reconcile(vec![])),
            _ => calls.push(call::revive(vec![])),
        }
        calls
    }
}

fn kill((id, task): (&String, &Known)) -> Call {
    call::kill(task_id(id), Some(task.agent.clone()), None)
}

fn message(task: &Known) -> Option<Call> {
    let executor_id = ExecutorID { value: task.executor.clone()?, ..ExecutorID::default() };
    Some(call::message(task.agent.clone(), executor_id, b"hello".to_vec()))
}

fn task_id(id: &str) -> TaskID {
    tepui_base::TaskId::from(id).to_proto()
}

fn custom_executor(id: &str, framework: &FrameworkID, role: &Option<String>) -> ExecutorInfo {
    let value = Some("custom-executor".to_owned());
    ExecutorInfo {
        r#type: Some(executor_info::Type::CUSTOM),
        executor_id: MessageField::some(ExecutorID { value: id.to_owned(), ..ExecutorID::default() }),
        framework_id: MessageField::some(framework.clone()),
        command: MessageField::some(CommandInfo { value, ..CommandInfo::default() }),
        resources: vec![scalar("cpus", 0.1, role), scalar("mem", 32.0, role)],
        ..ExecutorInfo::default()
    }
}

/// How much of something an offer holds.
pub fn amount(offer: &Offer, name: &str) -> f64 {
    offer.resources.iter().filter(|resource| resource.name == name).map(|resource| resource.scalar.value).sum()
}

fn scalar(name: &str, value: f64, role: &Option<String>) -> Resource {
    let allocation = tepui_proto::mesos::resource::AllocationInfo { role: role.clone(), ..Default::default() };
    Resource {
        name: name.to_owned(),
        r#type: ValueType::SCALAR,
        scalar: MessageField::some(Scalar { value, ..Scalar::default() }),
        allocation_info: MessageField::some(allocation),
        ..Resource::default()
    }
}
