//! The calls of a framework, built without ceremony. The framework's id is put in when a call is sent.

use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::{self, Launch, LaunchGroup};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::{
    Accept, AcceptInverseOffers, Acknowledge, Decline, DeclineInverseOffers, Kill, Message, Reconcile, Revive,
    Shutdown, Suppress, Type, reconcile,
};
use tepui_proto::mesos::{
    AgentID, ExecutorID, ExecutorInfo, Filters, KillPolicy, OfferID, TaskGroupInfo, TaskID, TaskInfo, TaskStatus,
};

/// Uses offers of one agent; what the operations leave over is declined with the filters (default: 5 seconds).
pub fn accept(offer_ids: Vec<OfferID>, operations: Vec<Operation>, filters: Option<Filters>) -> Call {
    let accept = Accept { offer_ids, operations, filters: filters.into(), ..Accept::default() };
    Call { r#type: Some(Type::ACCEPT), accept: accept.into(), ..Call::default() }
}

/// Gives offers back; the same resources are not offered again for the time of the filters (default: 5 seconds).
pub fn decline(offer_ids: Vec<OfferID>, filters: Option<Filters>) -> Call {
    let decline = Decline { offer_ids, filters: filters.into(), ..Decline::default() };
    Call { r#type: Some(Type::DECLINE), decline: decline.into(), ..Call::default() }
}

/// Agrees to give resources back for maintenance.
pub fn accept_inverse_offers(inverse_offer_ids: Vec<OfferID>, filters: Option<Filters>) -> Call {
    let accept = AcceptInverseOffers { inverse_offer_ids, filters: filters.into(), ..AcceptInverseOffers::default() };
    Call { r#type: Some(Type::ACCEPT_INVERSE_OFFERS), accept_inverse_offers: accept.into(), ..Call::default() }
}

/// Declines to give resources back for maintenance.
pub fn decline_inverse_offers(inverse_offer_ids: Vec<OfferID>, filters: Option<Filters>) -> Call {
    let decline =
        DeclineInverseOffers { inverse_offer_ids, filters: filters.into(), ..DeclineInverseOffers::default() };
    Call { r#type: Some(Type::DECLINE_INVERSE_OFFERS), decline_inverse_offers: decline.into(), ..Call::default() }
}

/// Lifts all filters and suppressions, of these roles or (none named) of all.
pub fn revive(roles: Vec<String>) -> Call {
    let revive = Revive { roles, ..Revive::default() };
    Call { r#type: Some(Type::REVIVE), revive: revive.into(), ..Call::default() }
}

/// Stops offers to these roles or (none named) to all.
pub fn suppress(roles: Vec<String>) -> Call {
    let suppress = Suppress { roles, ..Suppress::default() };
    Call { r#type: Some(Type::SUPPRESS), suppress: suppress.into(), ..Call::default() }
}

/// Ends a task. The agent may be left out; the kill policy overrides the task's.
pub fn kill(task_id: TaskID, agent_id: Option<AgentID>, kill_policy: Option<KillPolicy>) -> Call {
    let kill =
        Kill { task_id: task_id.into(), agent_id: agent_id.into(), kill_policy: kill_policy.into(), ..Kill::default() };
    Call { r#type: Some(Type::KILL), kill: kill.into(), ..Call::default() }
}

/// Ends an executor and its tasks.
pub fn shutdown(executor_id: ExecutorID, agent_id: AgentID) -> Call {
    let shutdown = Shutdown { executor_id: executor_id.into(), agent_id: agent_id.into(), ..Shutdown::default() };
    Call { r#type: Some(Type::SHUTDOWN), shutdown: shutdown.into(), ..Call::default() }
}

/// Confirms that an update has been dealt with. `None` if it needs no confirmation (no uuid, or no agent).
pub fn acknowledge(status: &TaskStatus) -> Option<Call> {
    let acknowledge = Acknowledge {
        agent_id: status.agent_id.as_option()?.clone().into(),
        task_id: status.task_id.clone(),
        uuid: status.uuid.clone()?,
        ..Acknowledge::default()
    };
    Some(Call { r#type: Some(Type::ACKNOWLEDGE), acknowledge: acknowledge.into(), ..Call::default() })
}

/// Asks for the state of these tasks, or (none named) of all that the master knows.
pub fn reconcile(tasks: Vec<(TaskID, Option<AgentID>)>) -> Call {
    let task = |(task_id, agent_id): (TaskID, Option<AgentID>)| reconcile::Task {
        task_id: task_id.into(),
        agent_id: agent_id.into(),
        ..reconcile::Task::default()
    };
    let reconcile = Reconcile { tasks: tasks.into_iter().map(task).collect(), ..Reconcile::default() };
    Call { r#type: Some(Type::RECONCILE), reconcile: reconcile.into(), ..Call::default() }
}

/// Sends bytes to an executor; they may be lost.
pub fn message(agent_id: AgentID, executor_id: ExecutorID, data: Vec<u8>) -> Call {
    let message = Message { agent_id: agent_id.into(), executor_id: executor_id.into(), data, ..Message::default() };
    Call { r#type: Some(Type::MESSAGE), message: message.into(), ..Call::default() }
}

/// Ends the framework: its tasks are killed, its id is never used again.
pub fn teardown() -> Call {
    Call { r#type: Some(Type::TEARDOWN), ..Call::default() }
}

/// The operation that launches tasks, each with its executor or command.
pub fn launch(tasks: Vec<TaskInfo>) -> Operation {
    let launch = Launch { task_infos: tasks, ..Launch::default() };
    Operation { r#type: Some(operation::Type::LAUNCH), launch: launch.into(), ..Operation::default() }
}

/// The operation that launches tasks together, in one executor: all or none.
pub fn launch_group(executor: ExecutorInfo, tasks: Vec<TaskInfo>) -> Operation {
    let group = LaunchGroup {
        executor: executor.into(),
        task_group: TaskGroupInfo { tasks, ..TaskGroupInfo::default() }.into(),
        ..LaunchGroup::default()
    };
    Operation { r#type: Some(operation::Type::LAUNCH_GROUP), launch_group: group.into(), ..Operation::default() }
}
