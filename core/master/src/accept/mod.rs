//! ACCEPT: offers become tasks. One file per operation.
//!
//! Offers are checked together (same framework, agent and role), taken away, and their resources spent operation by
//! operation; what is left goes back to the allocator with the framework's filters. What cannot be launched is answered
//! task by task, with the state, reason and words of Mesos.

mod launch;
mod launch_group;

use crate::Master;
use crate::cx::Cx;
use crate::event::{Event, NO_PID};
use crate::metrics::Counter;
use crate::offers::refuse;
use crate::state::status::Made;
use crate::state::{Agent, Executor, Framework};
use crate::tasks::Freed;
use crate::validate;
use std::sync::Arc;
use tepui_base::{AgentId, ExecutorId, FrameworkId, OfferId, TaskId};
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::internal::ResourceVersionUUID;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::Type;
use tepui_proto::mesos::scheduler::call::Accept;
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{
    ExecutorInfo, OperationState, OperationStatus, Resource, ResourceProviderID, TaskInfo, TaskState, UUID,
};
use tepui_proto::{MessageField, ProtoId};
use tepui_resources::{Resources, Role, format};

/// Why tasks are not launched, as the framework is told.
pub(crate) struct Refusal {
    /// What they are now.
    pub state: TaskState,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub text: String,
}

impl Refusal {
    /// Tasks that are wrong in themselves, or not allowed.
    pub fn error(reason: Reason, text: String) -> Refusal {
        Refusal { state: TaskState::TASK_ERROR, reason, text }
    }
}

/// What the operations of one ACCEPT spend.
pub(crate) struct Purse {
    /// Whose offers were accepted.
    pub framework: FrameworkId,
    /// The agent they are of.
    pub agent: AgentId,
    /// The role they are allocated to.
    pub role: Role,
    /// What is left of them.
    pub remaining: Resources,
    /// What was offered of shared resources: each task may use all of it.
    pub shared: Resources,
    /// Copies of shared resources in use beyond those offered.
    pub copies: Resources,
}

impl Master {
    pub(crate) fn accept(&mut self, cx: &mut Cx, from: &FrameworkId, call: Accept) {
        for operation in &call.operations {
            if operation.r#type == Some(Type::LAUNCH) {
                let empty = operation.launch.task_infos.is_empty();
                self.state.metrics.count(if empty { Counter::DeclineOffers } else { Counter::LaunchTasks });
            }
        }
        let ids: Vec<OfferId> = call.offer_ids.iter().map(ProtoId::id).collect();
        if let Err(text) = validate::offer::ids(&ids, from, &self.state) {
            return self.accept_nothing(cx, from, &ids, &call.operations, &text);
        }
        let first = self.state.offers[&ids[0]].clone();
        let offered = self.take_offers(from, &ids);
        let shared = offered.shared();
        let mut purse = Purse {
            framework: from.clone(),
            agent: first.agent.clone(),
            role: first.role.clone(),
            remaining: offered.clone(),
            shared,
            copies: Resources::new(),
        };
        for operation in call.operations {
            self.operate(cx, &mut purse, operation);
        }
        if !purse.copies.is_empty() {
            self.add_copies(cx, &purse, offered);
        }
        let freed = Freed::Offered { refuse: refuse(call.filters.as_option()) };
        self.recover(cx, from, &purse.agent, purse.remaining, freed);
    }

    fn take_offers(&mut self, from: &FrameworkId, ids: &[OfferId]) -> Resources {
        let mut offered = Resources::new();
        for id in ids {
            offered += &self.take_offer(id).expect("the offers were just found valid").resources;
        }
        let framework = self.state.framework_mut(from).expect("a caller is registered");
        framework.metrics.offers_accepted += ids.len() as u64;
        offered
    }

    /// Several tasks use one shared resource that was offered once: the allocator learns of each further copy.
    fn add_copies(&mut self, cx: &mut Cx, purse: &Purse, offered: Resources) {
        let conversions = vec![(Resources::new(), purse.copies.clone())];
        let framework = self.state.frameworks[&purse.framework].key;
        let agent = self.state.agents[&purse.agent].key;
        cx.allocator(tepui_allocator::Input::UpdateAllocation { framework, agent, offered, conversions });
    }

    fn operate(&mut self, cx: &mut Cx, purse: &mut Purse, operation: Operation) {
        match operation.r#type.unwrap_or(Type::UNKNOWN) {
            Type::LAUNCH => self.launch(cx, purse, operation),
            Type::LAUNCH_GROUP => self.launch_group(cx, purse, operation),
            Type::UNKNOWN => {}
            other => {
                let text = format!("{other:?} operations are not supported by this master");
                let framework = purse.framework.clone();
                self.drop_operation(cx, &framework, &operation, text);
                if operation.id.is_set() && self.state.frameworks[&framework].http.is_none() {
                    self.refuse_id(cx, &framework);
                }
            }
        }
    }

    /// An operation that is not carried out is counted, and answered if a V1 framework gave it an id.
    fn drop_operation(&mut self, cx: &mut Cx, from: &FrameworkId, operation: &Operation, text: String) {
        self.state.metrics.count_refused_operation(operation.r#type.unwrap_or(Type::UNKNOWN));
        if operation.id.is_set() && self.state.frameworks[from].http.is_some() {
            let status = OperationStatus {
                operation_id: operation.id.clone(),
                state: OperationState::OPERATION_ERROR,
                message: Some(text),
                ..Default::default()
            };
            self.tell(cx, from, Event::OperationStatus(Box::new(status)));
        }
    }

    /// A V0 framework gave an operation an id, about which it could not be told anything.
    fn refuse_id(&mut self, cx: &mut Cx, from: &FrameworkId) {
        let text = "The 'id' field was set in an offer operation, but operation feedback is not supported for the \
                    SchedulerDriver API; please use the HTTP scheduler API for this feature";
        self.tell(cx, from, Event::Error(text.to_owned()));
    }

    /// Offers that are not valid together: those that still stand go back, every task is answered.
    fn accept_nothing(
        &mut self,
        cx: &mut Cx,
        from: &FrameworkId,
        ids: &[OfferId],
        operations: &[Operation],
        error: &str,
    ) {
        for id in ids {
            if self.state.offers.get(id).is_some_and(|offer| offer.framework == *from) {
                self.discard_offer(cx, id, None);
            }
        }
        let state = self.state.frameworks[from].lost_as(TaskState::TASK_DROPPED);
        for operation in operations {
            match tasks(operation) {
                Some(tasks) => {
                    let text = format!("Task launched with invalid offers: {error}");
                    let reason = Reason::REASON_INVALID_OFFERS;
                    self.answer(cx, from, tasks, &Refusal { state, reason, text });
                }
                None => {
                    let text = format!("Operation attempted with invalid offers: {error}");
                    self.drop_operation(cx, from, operation, text);
                }
            }
        }
    }

    /// Tells a framework that these tasks were not launched.
    pub(crate) fn answer(&mut self, cx: &mut Cx, to: &FrameworkId, tasks: &[TaskInfo], refusal: &Refusal) {
        let Refusal { state, reason, text } = refusal;
        for info in tasks {
            let (task, agent) = (TaskId::from(&*info.task_id), AgentId::from(&*info.agent_id));
            let (state, reason, message) = (*state, *reason, text.clone());
            let made = Made { framework: to, agent: Some(&agent), task: &task, state, reason, message };
            let update = made.update(cx.now.wall);
            self.state.metrics.count_terminal(state);
            self.state.metrics.count_transition(state, Source::SOURCE_MASTER, reason);
            self.forward(cx, to, update, NO_PID);
        }
    }

    /// Makes an executor if the framework has none of that id on the agent; says whether it did, and what it costs.
    fn ensure_executor(&mut self, purse: &Purse, info: &ExecutorInfo) -> (bool, Resources) {
        let id = ExecutorId::from(&*info.executor_id);
        if self.state.agents[&purse.agent].executors.contains(&(purse.framework.clone(), id.clone())) {
            return (false, Resources::new());
        }
        let resources = Resources::from_proto(&info.resources);
        let executor = Executor { info: Arc::new(info.clone()), resources: resources.clone() };
        self.add_executor(&purse.framework, &purse.agent, id, executor);
        (true, resources)
    }
}

impl Purse {
    /// What a task may use: what is left, and all that was offered of shared resources.
    fn available(&self) -> Resources {
        let mut available = self.remaining.non_shared();
        available += &self.shared;
        available
    }

    /// Spends resources that were found to be available.
    fn spend(&mut self, consumed: &Resources) {
        assert!(self.available().contains(consumed), "only what was offered is used");
        let mut copies = consumed.shared();
        copies -= &self.remaining.shared();
        self.copies += &copies;
        self.remaining -= consumed;
    }
}

/// The tasks of an operation that launches some.
fn tasks(operation: &Operation) -> Option<&[TaskInfo]> {
    match operation.r#type {
        Some(Type::LAUNCH) => Some(&operation.launch.task_infos),
        Some(Type::LAUNCH_GROUP) => Some(&operation.launch_group.task_group.tasks),
        _ => None,
    }
}

/// Which versions of its resources, and of those of its providers, the agent must have for the launch to be good.
fn resource_versions(agent: &Agent) -> Vec<ResourceVersionUUID> {
    let version = |provider: MessageField<ResourceProviderID>, value: &Vec<u8>| ResourceVersionUUID {
        resource_provider_id: provider,
        uuid: MessageField::some(UUID { value: value.clone(), ..Default::default() }),
        ..Default::default()
    };
    let own = agent.resource_version.iter().map(|value| version(MessageField::none(), value));
    let provided = agent.providers.values().map(|one| version(one.info.id.clone(), &one.version));
    own.chain(provided).collect()
}

/// So many resources are for one task or executor, and for a group twenty times as many: they are put together one by one,
/// each looked for among those before. A task has a handful.
const RESOURCES_MAX: usize = 256;

/// Checks resources as they come from a framework and brings them to the newest form, allocated to the offers' role.
fn prepare_resources(resources: &mut [Resource], role: &Role) -> Result<(), String> {
    if resources.len() > RESOURCES_MAX {
        return Err(format!("{} resources are more than {RESOURCES_MAX}", resources.len()));
    }
    tepui_resources::validate::list(resources).map_err(|error| error.to_string())?;
    format::upgrade_all(resources);
    format::inject_allocation(resources, role);
    Ok(())
}

/// The same for a task and its executor.
fn prepare_task(task: &mut TaskInfo, role: &Role) -> Result<(), String> {
    prepare_resources(&mut task.resources, role)?;
    match task.executor.as_option_mut() {
        Some(executor) => prepare_resources(&mut executor.resources, role),
        None => Ok(()),
    }
}

/// Old agents know resources only in the form without a stack of reservations.
fn downgrade_for(agent: &Agent, task: &mut TaskInfo) {
    if agent.has(AgentCapability::RESERVATION_REFINEMENT) {
        return;
    }
    // Such an agent has no refined reservations, so none can have been offered and nothing is lost.
    let _ = format::downgrade_all(&mut task.resources);
    if let Some(executor) = task.executor.as_option_mut() {
        let _ = format::downgrade_all(&mut executor.resources);
    }
}

/// Labels that a module puts in place of the task's.
fn decorate(master: &Master, task: &mut TaskInfo, framework: &Framework, agent: &Agent) {
    if let Some(labels) = master.hooks.master_launch_task_labels(task, &framework.info, &agent.info) {
        task.labels = MessageField::some(labels);
    }
}
