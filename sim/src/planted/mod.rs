//! Bugs on purpose, to prove that the checkers bite. Each changes what passes the boundary of a machine, chosen at run
//! time in one build; the machines themselves stay as they are.

mod agent;
mod master;
pub mod masters;

pub use agent::{agent_effect, agent_input};
pub use master::{allocator_effect, master_effect, master_input, registry_output};

use crate::network::Process;
use crate::packet::digest;
use std::collections::{BTreeMap, BTreeSet};
use tepui_agent::Input as AgentInput;
use tepui_master::Effect;
use tepui_proto::codec;
use tepui_proto::mesos::{AgentID, TaskID};
use tepui_wire::{Message, Upid};

crate::kind::bugs! {
    AckLost "ack-lost" "The master loses one of eight acknowledgements for good.",
    AckToLost "ack-to-lost" "The master passes acknowledgements on to agents it cannot reach.",
    AckTwice "ack-twice" "The master passes one of twenty acknowledgements on twice.",
    AckBeforeForward "ack-before-forward" "The agent counts one of ten updates as acknowledged and does not send it.",
    AgentIdReused "agent-id-reused" "The master gives each agent's id to the next one too.",
    DeathUnseen "death-unseen" "The agent does not hear of one of five containers that end.",
    DownIgnored "down-ignored" "The master does not tell agents that their machine goes down.",
    DoubleLaunch "double-launch" "The master sends one of ten tasks to its agent twice.",
    DroppedAsLost "dropped-as-lost" "The agent calls every task it does not know lost, whoever asks.",
    ExecutorUncounted "executor-uncounted" "Offers hold what executors use.",
    ExitSilent "exit-silent" "The agent does not say that an executor is over.",
    ExitUnseen "exit-unseen" "The master does not hear of one of three executors that are over.",
    FailoverImpatient "failover-impatient" "The master waits one second for any framework.",
    FailoverPatient "failover-patient" "The master waits a day for any framework.",
    FailoverSilent "failover-silent" "The master does not tell an instance that another one has taken over.",
    FailoverTimerKept "failover-timer-kept" "A V0 framework that came back in time is removed all the same.",
    FailureSilent "failure-silent" "The master does not tell frameworks that an executor is over.",
    FailureStatus "failure-status" "The master tells another exit status than the executor's.",
    FilterIgnored "filter-ignored" "The allocator does not hear for how long something was declined.",
    GroupSplit "group-split" "The agent starts all tasks of a group but the last.",
    InverseDropped "inverse-dropped" "Frameworks are not asked to give back what is on agents that will be away.",
    InverseFilterIgnored "inverse-filter-ignored" "The allocator does not hear who wants not to be asked about an agent.",
    InverseKept "inverse-kept" "The master does not say that what it asked about an agent is void.",
    InverseTwice "inverse-twice" "The master asks about an agent twice.",
    KillForgotten "kill-forgotten" "The master forgets to pass on the kills of one of three tasks.",
    KillNotRepeated "kill-not-repeated" "The master does not repeat its kills to an agent that comes back.",
    KillStray "kill-stray" "With one of five kills the master also kills the task launched last.",
    LaunchTwice "launch-twice" "The agent hands one of five tasks to a custom executor twice.",
    LeakOnDecline "leak-on-decline" "One of two hundred declined offers does not go back to the allocator.",
    LeakOnEnd "leak-on-end" "What one of a hundred ended tasks held does not go back to the allocator.",
    LostOffersKept "lost-offers-kept" "Offers of an agent are not taken back when it cannot be reached.",
    NotRetried "not-retried" "The agent sends each update once only.",
    OfferAgain "offer-again" "The master sends one of twenty events with offers twice.",
    OfferNotRescinded "offer-not-rescinded" "The master forgets to say that offers are void.",
    OfferRescinded "offer-rescinded" "The master takes an offer back when it makes another.",
    OldInstanceTold "old-instance-told" "The master tells the first instance of a V0 framework what it tells the second.",
    OvercommitOffer "overcommit-offer" "The allocator gives one of twenty shares away twice.",
    PatienceKept "patience-kept" "The master does not hear of another failover timeout.",
    PongUnheard "pong-unheard" "The master does not hear one agent's answers to pings.",
    ReconcileGone "reconcile-gone" "Asked about a task on an unreachable agent the master says that it is gone.",
    ReconcilePartly "reconcile-partly" "Asked about everything the master leaves one task out.",
    ReconcileSilent "reconcile-silent" "The master answers no questions about tasks.",
    ReconcileStale "reconcile-stale" "Asked about a task that runs the master says that it is being staged.",
    RegistryUnread "registry-unread" "A new master does not read which agents there were.",
    Resurrected "resurrected" "Tasks that have ended run again for the master when their agent comes back.",
    ReturnUntold "return-untold" "The master does not say that tasks are back with their agent.",
    ReviveForgotten "revive-forgotten" "The allocator does not hear that a framework wants offers again.",
    ScheduleUnheeded "schedule-unheeded" "The allocator does not hear of the maintenance schedule.",
    ShutdownForgotten "shutdown-forgotten" "The master does not tell agents that a framework has ended.",
    ShutdownIgnored "shutdown-ignored" "The agent lets an executor run that it was told to shut down.",
    ShutdownLost "shutdown-lost" "The master forgets to pass on that an executor is to leave.",
    StaleOfferUsed "stale-offer-used" "An offer that is void launches tasks on another one.",
    SuppressIgnored "suppress-ignored" "The allocator does not hear that a framework wants no offers.",
    TasksNotRestored "tasks-not-restored" "The master forgets the tasks of an agent that comes back.",
    TerminalUndone "terminal-undone" "After one of twenty ends the master says that the task runs.",
    UnreachableForgotten "unreachable-forgotten" "The master does not give up agents that are away.",
    UpdateDropped "update-dropped" "The agent never sends one of ten updates.",
    UpdateUntold "update-untold" "The master does not tell agents what a framework says of itself.",
    WindowHidden "window-hidden" "Offers do not say when their agent will be away.",
    WrongWord "wrong-word" "The master takes the other word for lost and unreachable tasks.",
}

/// The planted bug and what it remembers.
#[derive(Default)]
pub struct Planted {
    /// Which, if any.
    pub bug: Option<Bug>,
    /// Which of several masters, if any.
    pub of_masters: Option<masters::Bug>,
    sent: BTreeSet<Vec<u8>>,
    first_id: Option<(Upid, AgentID)>,
    acknowledge: BTreeMap<Process, Vec<AgentInput>>,
    /// Where each V0 framework registered first.
    first_pid: BTreeMap<String, Upid>,
    /// Agents that have run an executor of a framework.
    executors: BTreeSet<String>,
    /// The task sent last to each agent.
    last_task: BTreeMap<Upid, TaskID>,
    /// A timer that should have been cancelled, with the process it is for.
    timer: Option<(u64, Upid)>,
    leave_out: bool,
    /// When an agent was told that it is back, and when one was lost.
    back_at: u64,
    lost_at: u64,
    /// Who has asked each replica for a lease last.
    holders: BTreeMap<Upid, Upid>,
    /// The present moment.
    now: u64,
    /// What the master does beside what it does.
    pub besides: Vec<Effect>,
    /// How long each framework may be away, as it said when it subscribed, by its name.
    patience: BTreeMap<String, Option<f64>>,
    count: u64,
}

impl Planted {
    /// With this bug.
    pub fn new(bug: Option<Bug>) -> Planted {
        Planted { bug, ..Planted::default() }
    }

    /// One in so many.
    fn every(&mut self, many: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(many)
    }
}

fn one_of(many: u64, bytes: &[u8]) -> bool {
    digest(bytes).is_multiple_of(many)
}

fn body<M: tepui_proto::Message + tepui_proto::MessageName>(message: &Message) -> M {
    codec::decode(&message.body).unwrap_or_default()
}
