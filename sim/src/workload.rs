//! What frameworks do all day, the same for V0 and V1: a table of tasks (the framework's disk) and the dice.
//!
//! A framework here does what a careful framework of Mesos does: it acknowledges what it has written down, asks again
//! about tasks it has not heard of, and repeats a kill until the task has ended.

use crate::cast::{Disk, Shared};
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
const MAX_LIVE: usize = 11;
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
    /// Whether it has ended for good, whatever is said of its agent.
    pub ended: bool,
    /// Whether it is to be killed.
    pub killed: bool,
}

/// The table and the framework's habits.
pub struct Workload {
    disk: Shared,
    /// Offers it has not decided about.
    pub held: BTreeMap<String, Offer>,
    /// Whether it wants no more tasks.
    pub quiet: bool,
}

impl Workload {
    /// That of the framework with this disk.
    pub fn new(disk: Shared) -> Workload {
        Workload { disk, held: BTreeMap::new(), quiet: false }
    }

    /// How many tasks may still run.
    fn live_count(&self) -> usize {
        self.disk.borrow().live().count()
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
        let room = MAX_LIVE.saturating_sub(self.live_count());
        let longest = if !self.quiet && rng.below(8) == 0 { 90 } else { 20 };
        let refuse = Filters { refuse_seconds: Some(rng.below(longest) as f64), ..Filters::default() };
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
        let mut disk = self.disk.borrow_mut();
        let name = disk.profile.name;
        let id = format!("{name}-t{}", disk.next_task);
        disk.next_task += 1;
        let nanos = match rng.below(20) {
            0 => None,
            1 => Some(0),
            _ => Some(rng.below(60 * SECOND)),
        };
        let script = Script { nanos, code: if rng.below(4) == 0 { 1 + rng.below(100) as u8 } else { 0 } };
        let custom = disk.profile.custom && rng.below(2) == 0;
        let executor = custom.then(|| format!("{name}-e{}", rng.below(2)));
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
        disk.tasks.insert(id, Known { agent, executor, state: None, over: false, ended: false, killed: false });
        task
    }

    /// Writes an update down.
    pub fn updated(&mut self, status: &TaskStatus) {
        use TaskState::{TASK_ERROR, TASK_FAILED, TASK_FINISHED, TASK_KILLED};
        let mut disk = self.disk.borrow_mut();
        let Some(task) = disk.tasks.get_mut(&status.task_id.value) else { return };
        task.state = Some(status.state);
        task.ended |= matches!(status.state, TASK_FINISHED | TASK_FAILED | TASK_KILLED | TASK_ERROR);
        // What nobody knows is over unless it comes back; lost and unreachable tasks may.
        let unknown = matches!(status.state, TaskState::TASK_UNKNOWN);
        task.over = task.ended || is_terminal(status.state) || unknown;
    }

    /// An offer is void.
    pub fn rescinded(&mut self, offer: &str) {
        self.held.remove(offer);
    }

    /// What a framework does from time to time.
    pub fn act(&mut self, rng: &mut Rng) -> Vec<Call> {
        let disk = &mut *self.disk.borrow_mut();
        let mut calls: Vec<_> = disk.live().filter(|(_, task)| task.killed).map(kill).collect();
        let asked: Vec<_> = disk.live().map(|(id, task)| (task_id(id), Some(task.agent.clone()))).collect();
        if self.quiet {
            disk.tasks.values_mut().for_each(|task| task.killed = true);
            calls.push(call::revive(vec![]));
            // What was said to be lost may have come back unheard; only asking for everything tells.
            let everything = asked.is_empty() || rng.below(3) == 0;
            calls.push(call::reconcile(if everything { vec![] } else { asked }));
            return calls;
        }
        match rng.below(12) {
            0 => calls.push(call::revive(vec![])),
            1 => calls.push(call::suppress(vec![])),
            2 | 3 => disk.choose_one_to_kill(rng),
            4 => calls.push(call::reconcile(asked)),
            5 => calls.extend(disk.live().find_map(|(_, task)| message(task))),
            6 if !asked.is_empty() => calls.push(call::reconcile(vec![])),
            7 => calls.extend(disk.some_executor(rng).map(|(id, agent)| call::shutdown(id, agent))),
            8 => calls.extend(disk.old_question(rng)),
            _ => calls.push(call::revive(vec![])),
        }
        calls
    }
}

impl Disk {
    /// Tasks that may still run.
    fn live(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.tasks.iter().filter(|(_, task)| !task.over)
    }

    fn choose_one_to_kill(&mut self, rng: &mut Rng) {
        let mut live: Vec<_> = self.tasks.values_mut().filter(|task| !task.over && task.state.is_some()).collect();
        if !live.is_empty() {
            let chosen = rng.below(live.len() as u64) as usize;
            live[chosen].killed = true;
        }
    }

    /// An executor of its own that may run, and where.
    fn some_executor(&self, rng: &mut Rng) -> Option<(ExecutorID, AgentID)> {
        let found: Vec<_> = self.live().filter_map(|(_, task)| Some((task.executor.clone()?, &task.agent))).collect();
        let (value, agent) = found.get(rng.below(found.len() as u64) as usize)?;
        Some((ExecutorID { value: value.clone(), ..ExecutorID::default() }, (*agent).clone()))
    }

    /// A question about a task that may be long over, with its agent or without.
    fn old_question(&self, rng: &mut Rng) -> Option<Call> {
        let at = rng.below(self.tasks.len() as u64) as usize;
        let (id, task) = self.tasks.iter().nth(at)?;
        let agent = (rng.below(4) != 0).then(|| task.agent.clone());
        Some(call::reconcile(vec![(task_id(id), agent)]))
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
