//! Counters as data: small arrays indexed by enums, so that counting is one addition and a snapshot a short copy.
//!
//! Every plain counter of 1.11 is here, for monitors drop a whole group when one key of it is missing: one that never
//! moves counts what cannot happen yet. Gauges are computed from the snapshot by [`crate::view`]. Source: Mesos `src/master/metrics.cpp`.

use imbl::OrdMap;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::offer;
use tepui_proto::mesos::scheduler::call;
use tepui_proto::mesos::task_status::{Reason, Source};

macro_rules! counters {
    ($($variant:ident $name:literal,)+) => {
        /// A counter of the master.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is the metric whose name stands in `NAMES`")]
        pub enum Counter { $($variant,)+ }

        /// The published names, in the order of [`Counter`].
        pub const NAMES: [&str; [$($name),+].len()] = [$($name,)+];
    };
}

counters! {
    DroppedMessages "master/dropped_messages",
    Authenticate "master/messages_authenticate",
    RegisterFramework "master/messages_register_framework",
    ReregisterFramework "master/messages_reregister_framework",
    UnregisterFramework "master/messages_unregister_framework",
    DeactivateFramework "master/messages_deactivate_framework",
    KillTask "master/messages_kill_task",
    StatusUpdateAcknowledgement "master/messages_status_update_acknowledgement",
    ResourceRequest "master/messages_resource_request",
    LaunchTasks "master/messages_launch_tasks",
    DeclineOffers "master/messages_decline_offers",
    ReviveOffers "master/messages_revive_offers",
    SuppressOffers "master/messages_suppress_offers",
    ReconcileTasks "master/messages_reconcile_tasks",
    ReconcileOperations "master/messages_reconcile_operations",
    OperationStatusUpdateAcknowledgement "master/messages_operation_status_update_acknowledgement",
    FrameworkToExecutor "master/messages_framework_to_executor",
    ExecutorToFramework "master/messages_executor_to_framework",
    RegisterAgent "master/messages_register_slave",
    ReregisterAgent "master/messages_reregister_slave",
    UnregisterAgent "master/messages_unregister_slave",
    StatusUpdate "master/messages_status_update",
    ExitedExecutor "master/messages_exited_executor",
    UpdateAgent "master/messages_update_slave",
    OperationStatusUpdate "master/messages_operation_status_update",
    ValidOperationStatusUpdates "master/valid_operation_status_updates",
    InvalidOperationStatusUpdates "master/invalid_operation_status_updates",
    ValidOperationStatusUpdateAcknowledgements "master/valid_operation_status_update_acknowledgements",
    InvalidOperationStatusUpdateAcknowledgements "master/invalid_operation_status_update_acknowledgements",
    ValidFrameworkToExecutor "master/valid_framework_to_executor_messages",
    InvalidFrameworkToExecutor "master/invalid_framework_to_executor_messages",
    ValidExecutorToFramework "master/valid_executor_to_framework_messages",
    InvalidExecutorToFramework "master/invalid_executor_to_framework_messages",
    ValidStatusUpdates "master/valid_status_updates",
    InvalidStatusUpdates "master/invalid_status_updates",
    ValidStatusUpdateAcknowledgements "master/valid_status_update_acknowledgements",
    InvalidStatusUpdateAcknowledgements "master/invalid_status_update_acknowledgements",
    RecoveryAgentRemovals "master/recovery_slave_removals",
    AgentRegistrations "master/slave_registrations",
    AgentReregistrations "master/slave_reregistrations",
    AgentRemovals "master/slave_removals",
    AgentRemovalsUnhealthy "master/slave_removals/reason_unhealthy",
    AgentRemovalsUnregistered "master/slave_removals/reason_unregistered",
    AgentRemovalsRegistered "master/slave_removals/reason_registered",
    AgentShutdownsScheduled "master/slave_shutdowns_scheduled",
    AgentShutdownsCompleted "master/slave_shutdowns_completed",
    AgentShutdownsCanceled "master/slave_shutdowns_canceled",
    AgentUnreachableScheduled "master/slave_unreachable_scheduled",
    AgentUnreachableCompleted "master/slave_unreachable_completed",
    AgentUnreachableCanceled "master/slave_unreachable_canceled",
    TasksFinished "master/tasks_finished",
    TasksFailed "master/tasks_failed",
    TasksKilled "master/tasks_killed",
    TasksLost "master/tasks_lost",
    TasksError "master/tasks_error",
    TasksDropped "master/tasks_dropped",
    TasksGone "master/tasks_gone",
    TasksGoneByOperator "master/tasks_gone_by_operator",
}

/// The master's counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    counters: [u64; NAMES.len()],
    /// Terminal transitions by state, source and reason (`master/task_failed/source_slave/reason_...`). Keyed by the
    /// enums' numbers, because the generated enums have no order.
    transitions: OrdMap<(i32, i32, i32), u64>,
    /// Offer operations that were refused, by the numbers of their types.
    refused_operations: OrdMap<i32, u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { counters: [0; NAMES.len()], transitions: OrdMap::new(), refused_operations: OrdMap::new() }
    }
}

impl Metrics {
    /// Counts one.
    pub fn count(&mut self, counter: Counter) {
        self.counters[counter as usize] += 1;
    }

    /// Counts an offer operation that was refused.
    pub fn count_refused_operation(&mut self, kind: offer::operation::Type) {
        *self.refused_operations.entry(kind as i32).or_default() += 1;
    }

    /// How many offer operations of a type were refused; of any type if none is given.
    pub fn refused_operations(&self, kind: Option<offer::operation::Type>) -> u64 {
        match kind {
            Some(kind) => self.refused_operations.get(&(kind as i32)).copied().unwrap_or(0),
            None => self.refused_operations.values().sum(),
        }
    }

    /// Counts a scheduler's call that failed its first check, if there is a counter for its type.
    pub fn count_invalid_call(&mut self, kind: Option<call::Type>) {
        match kind {
            Some(call::Type::ACKNOWLEDGE) => self.count(Counter::InvalidStatusUpdateAcknowledgements),
            Some(call::Type::ACKNOWLEDGE_OPERATION_STATUS) => {
                self.count(Counter::InvalidOperationStatusUpdateAcknowledgements);
            }
            Some(call::Type::MESSAGE) => self.count(Counter::InvalidFrameworkToExecutor),
            _ => {}
        }
    }

    /// The value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// All counters with their published names.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.counters)
    }

    /// Counts a task that came to its end in `state`; other states count nothing.
    pub fn count_terminal(&mut self, state: TaskState) {
        match state {
            TaskState::TASK_FINISHED => self.count(Counter::TasksFinished),
            TaskState::TASK_FAILED => self.count(Counter::TasksFailed),
            TaskState::TASK_KILLED => self.count(Counter::TasksKilled),
            TaskState::TASK_LOST => self.count(Counter::TasksLost),
            TaskState::TASK_ERROR => self.count(Counter::TasksError),
            TaskState::TASK_DROPPED => self.count(Counter::TasksDropped),
            TaskState::TASK_GONE => self.count(Counter::TasksGone),
            TaskState::TASK_GONE_BY_OPERATOR => self.count(Counter::TasksGoneByOperator),
            _ => {}
        }
    }

    /// Counts a transition by its source and reason.
    pub fn count_transition(&mut self, state: TaskState, source: Source, reason: Reason) {
        *self.transitions.entry((state as i32, source as i32, reason as i32)).or_insert(0) += 1;
    }

    /// Transitions with their published names.
    pub fn transitions(&self) -> impl Iterator<Item = (String, u64)> {
        use buffa::Enumeration;
        use tepui_proto::names::v0_value;
        self.transitions.iter().filter_map(|((state, source, reason), count)| {
            let state = TaskState::from_i32(*state)?.proto_name().to_lowercase();
            let source = v0_value(Source::from_i32(*source)?.proto_name()).to_lowercase();
            let reason = v0_value(Reason::from_i32(*reason)?.proto_name()).to_lowercase();
            Some((format!("master/{state}/{source}/{reason}"), *count))
        })
    }
}

/// Highest number of a scheduler call or event type, plus one.
const TYPES: usize = 18;

/// States of a task, plus one.
const STATES: usize = 14;

/// Counters of one framework (`master/frameworks/<name>/<id>/...`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameworkMetrics {
    /// Calls by type number.
    pub calls: [u64; TYPES],
    /// Events by type number.
    pub events: [u64; TYPES],
    /// Terminal tasks by state number; the active ones are counted from the tasks themselves.
    pub terminal: [u64; STATES],
    /// Offers sent.
    pub offers_sent: u64,
    /// Offers accepted.
    pub offers_accepted: u64,
    /// Offers declined.
    pub offers_declined: u64,
    /// Offers rescinded.
    pub offers_rescinded: u64,
    /// LAUNCH operations, one per task.
    pub launch: u64,
    /// LAUNCH_GROUP operations.
    pub launch_group: u64,
}

impl FrameworkMetrics {
    /// Counts a call.
    pub fn count_call(&mut self, kind: call::Type) {
        if let Some(count) = self.calls.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Counts an event by its type number.
    pub fn count_event(&mut self, kind: tepui_proto::mesos::scheduler::event::Type) {
        if let Some(count) = self.events.get_mut(kind as usize) {
            *count += 1;
        }
    }
}
