//! What frameworks do all day, the same for V0 and V1: a table of tasks (the framework's disk) and the dice.
//!
//! A framework here does what a careful framework of Mesos does: it acknowledges what it has written down, asks again
//! about tasks it has not heard of, and repeats a kill until the task has ended.

use crate::cast::{Disk, Shared};
use crate::task::Script;
use tepui_base::Rng;
use tepui_framework::scheduler::{call, is_terminal};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::{Type, UpdateFramework};
use tepui_proto::mesos::value::{Scalar, Type as ValueType};
use tepui_proto::mesos::{
    AgentID, CommandInfo, ExecutorID, ExecutorInfo, Filters, FrameworkID, InverseOffer, Offer, OfferID, Resource,
    TaskID, TaskInfo, TaskState, TaskStatus, executor_info,
};
use tepui_proto::{MessageField, ToProto};

/// The most tasks a framework has at once.
const MAX_LIVE: usize = 4;
/// How long a task runs at most that ends by itself. With the number above this makes the hour's tasks: long ones meet
/// more faults each.
const MAX_TASK_NANOS: u64 = 240 * SECOND;
/// A task that is regretted is killed within so many nanoseconds: about when its executor has it.
const REGRET_NANOS: u64 = 4 * SECOND;
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
    /// Whether it wants no more tasks.
    pub quiet: bool,
}

impl Workload {
    /// That of the framework with this disk.
    pub fn new(disk: Shared) -> Workload {
        Workload { disk, quiet: false }
    }

    /// A subscription begins, and with it all offers made before are void. A careless framework does not know, or its
    /// other instance has left them: which it will try to use, and when.
    pub fn subscribed(&mut self, rng: &mut Rng) -> Vec<(u64, String)> {
        let held = &mut self.disk.borrow_mut().held;
        if self.quiet || rng.below(3) != 0 {
            held.clear();
        }
        held.keys().map(|id| (rng.below(10 * SECOND), id.clone())).collect()
    }

    /// How many tasks may still run.
    fn live_count(&self) -> usize {
        self.disk.borrow().live().count()
    }

    /// Decides about an offer at once, or (none) holds it for so many nanoseconds.
    pub fn offered(&mut self, rng: &mut Rng, offer: &Offer, framework: &FrameworkID) -> Result<Call, u64> {
        self.disk.borrow_mut().held.insert(offer.id.value.clone(), offer.clone());
        if !self.quiet && rng.below(12) == 0 {
            return Err(SECOND + rng.below(100 * SECOND));
        }
        Ok(self.decide(rng, &offer.id.value, framework).expect("it is held"))
    }

    /// Decides about a held offer; none if it is void.
    pub fn decide(&mut self, rng: &mut Rng, id: &str, framework: &FrameworkID) -> Option<Call> {
        let offer = self.disk.borrow_mut().held.remove(id)?;
        let offer_id = OfferID { value: id.to_owned(), ..OfferID::default() };
        let (cpus, mem) = (amount(&offer, "cpus"), amount(&offer, "mem"));
        let room = MAX_LIVE.saturating_sub(self.live_count());
        // Long enough that most events are about something else, short enough to run out in an hour many times.
        let longest = if rng.below(8) == 0 { 300 } else { 60 };
        let refuse = Filters { refuse_seconds: Some(rng.below(longest) as f64), ..Filters::default() };
        if self.quiet || room == 0 || cpus < 1.0 || mem < 512.0 || rng.below(5) == 0 {
            return Some(call::decline(vec![offer_id], Some(refuse)));
        }
        let count = (1 + rng.below(3) as usize).min(room);
        let count = count.min(cpus as usize);
        let name = self.disk.borrow().profile.name;
        let own = self.disk.borrow().profile.custom && rng.below(2) == 0;
        let executor = own.then(|| format!("{name}-e{}", rng.below(2)));
        let tasks: Vec<_> = (0..count).map(|_| self.task(rng, &offer, executor.as_deref(), framework)).collect();
        let operation = match executor.filter(|_| rng.below(3) == 0) {
            Some(executor) => {
                let info = custom_executor(&executor, framework, &offer.allocation_info.role);
                call::launch_group(info, tasks)
            }
            None => call::launch(tasks),
        };
        Some(call::accept(vec![offer_id], vec![operation], Some(refuse)))
    }

    fn task(&mut self, rng: &mut Rng, offer: &Offer, executor: Option<&str>, framework: &FrameworkID) -> TaskInfo {
        let mut disk = self.disk.borrow_mut();
        let name = disk.profile.name;
        let id = format!("{name}-t{}", disk.next_task);
        disk.next_task += 1;
        let nanos = match rng.below(20) {
            0 => None,
            1 => Some(0),
            _ => Some(rng.below(MAX_TASK_NANOS)),
        };
        let script = Script { nanos, code: if rng.below(4) == 0 { 1 + rng.below(100) as u8 } else { 0 } };
        let role = offer.allocation_info.role.clone();
        let mut task = TaskInfo {
            name: id.clone(),
            task_id: MessageField::some(TaskID { value: id.clone(), ..TaskID::default() }),
            agent_id: offer.agent_id.clone(),
            resources: vec![scalar("cpus", 0.1 * (1 + rng.below(8)) as f64, &role), scalar("mem", 128.0, &role)],
            ..TaskInfo::default()
        };
        match executor {
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
        let executor = executor.map(str::to_owned);
        disk.tasks.insert(id, Known { agent, executor, state: None, over: false, ended: false, killed: false });
        task
    }

    /// Some launches are regretted: a task of theirs is to be killed, at once or within so many nanoseconds, while its agent
    /// and its executor are still getting it ready.
    pub fn regrets(&self, rng: &mut Rng, call: &Call) -> Option<u64> {
        let launched = (call.r#type == Some(Type::ACCEPT)).then(|| crate::check::launched(call).next()).flatten()?;
        if self.quiet || rng.below(16) != 0 {
            return None;
        }
        self.disk.borrow_mut().tasks.get_mut(&launched.task_id.value)?.killed = true;
        Some(if rng.below(4) == 0 { 0 } else { rng.below(REGRET_NANOS) })
    }

    /// Kills what is to be killed.
    pub fn kills(&self) -> Vec<Call> {
        self.disk.borrow().live().filter(|(_, task)| task.killed).map(kill).collect()
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
        self.disk.borrow_mut().held.remove(offer);
    }

    /// It is asked to give back what it has on an agent. Nothing follows from the answer; some give none.
    pub fn asked_back(&mut self, rng: &mut Rng, offer: &InverseOffer) -> Option<Call> {
        let filters = Filters { refuse_seconds: Some(rng.below(60) as f64), ..Filters::default() };
        let ids = vec![(*offer.id).clone()];
        match rng.below(5) {
            0 if !self.quiet => None,
            1 | 2 => Some(call::decline_inverse_offers(ids, Some(filters))),
            _ => Some(call::accept_inverse_offers(ids, Some(filters))),
        }
    }

    /// What a framework does from time to time.
    pub fn act(&mut self, rng: &mut Rng) -> Vec<Call> {
        let mut calls = self.kills();
        let disk = &mut *self.disk.borrow_mut();
        let asked: Vec<_> = disk.live().map(|(id, task)| (task_id(id), Some(task.agent.clone()))).collect();
        if self.quiet {
            disk.tasks.values_mut().for_each(|task| task.killed = true);
            // It takes no more tasks, but may have suppressed before.
            calls.extend((rng.below(10) == 0).then(|| call::revive(vec![])));
            // What was said to be lost may have come back unheard; only asking for everything tells.
            let everything = asked.is_empty() || rng.below(3) == 0;
            calls.push(call::reconcile(if everything { vec![] } else { asked }));
            return calls;
        }
        match rng.below(12) {
            0 | 9 => calls.push(call::revive(vec![])),
            1 => calls.push(call::suppress(vec![])),
            2 | 3 => disk.choose_one_to_kill(rng),
            4 => calls.push(call::reconcile(asked)),
            5 => calls.extend(disk.live().find_map(|(_, task)| message(task))),
            6 if !asked.is_empty() => calls.push(call::reconcile(vec![])),
            7 => calls.extend(disk.some_executor(rng).map(|(id, agent)| call::shutdown(id, agent))),
            8 => calls.extend(disk.old_question(rng)),
            10 => calls.extend(disk.update(rng)),
            _ => {}
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

    /// It says something else of itself: how long it may be away, where it is, and perhaps that it wants no offers.
    fn update(&mut self, rng: &mut Rng) -> Option<Call> {
        self.updates += 1;
        let mut info = self.profile.info();
        info.id = MessageField::some(self.id.clone()?);
        info.failover_timeout = Some(self.profile.failover_secs * (1.0 + rng.unit()));
        info.hostname = Some(format!("host{}", self.updates));
        let suppressed_roles = if rng.below(4) == 0 { info.roles.clone() } else { Vec::new() };
        let update = UpdateFramework { framework_info: info.into(), suppressed_roles, ..UpdateFramework::default() };
        Some(Call { r#type: Some(Type::UPDATE_FRAMEWORK), update_framework: update.into(), ..Call::default() })
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
        resources: vec![scalar("cpus", 0.1, role), scalar("mem", 32.0, role), scalar("disk", 32.0, role)],
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
