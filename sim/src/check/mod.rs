//! The judges. They see what passes between hosts, what the registry holds and what containers do, never a machine's own
//! fields.
//!
//! What is seen is turned into [`Fact`]s by [`observe`]; [`roster`] and [`knowledge`] hold what follows from them for the
//! master, and each checker objects to what may not be. One file per concern.

mod agents;
mod authority;
pub mod containers;
mod filters;
mod groups;
mod knowledge;
mod maintenance;
pub mod observe;
mod offers;
mod patience;
mod reconcile;
mod registry;
mod relay;
mod roster;
mod tasks;
mod updates;
mod words;

use crate::network::{HostId, Process};
use containers::Container;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{FrameworkInfo, TaskState};
use tepui_wire::Upid;

pub use offers::{launched, total};
pub use roster::Via;
pub use tepui_proto::mesos::scheduler::call::Type as CallType;

/// Thousandths of a CPU, and MB.
pub type Amount = (i64, i64);

/// Who sent a message: two masters may have had one address, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub pid: Upid,
    pub epoch: Option<u64>,
}

/// An update of a task, wherever it is seen. Task ids are unique in a world.
#[derive(Clone, Debug)]
pub struct Update {
    /// The task.
    pub task: String,
    /// Where it is; may be empty.
    pub agent: String,
    /// Empty if it needs no acknowledgement.
    pub uuid: Vec<u8>,
    /// What it says.
    pub state: TaskState,
    /// Why.
    pub reason: Option<Reason>,
    /// Who says so.
    pub source: Option<Source>,
}

/// A task as an agent reports it when it comes back.
#[derive(Clone, Debug)]
pub struct ReportedTask {
    /// Its framework.
    pub framework: String,
    /// Its id.
    pub task: String,
    /// Its newest state.
    pub state: TaskState,
    /// The update that waits to be acknowledged.
    pub forwarded: Option<(TaskState, Vec<u8>)>,
    /// What it holds while it lives.
    pub amount: Amount,
}

/// All that an agent reports when it comes back.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Its tasks.
    pub tasks: Vec<ReportedTask>,
    /// Executors by framework and id, with what they hold.
    pub executors: Vec<(String, String, Amount)>,
    /// Which frameworks checkpoint.
    pub checkpoints: BTreeMap<String, bool>,
}

/// Something that was seen.
#[derive(Clone, Debug)]
pub enum Fact {
    // What the master learns.
    /// A framework wants to subscribe.
    Subscribing { host: HostId, info: Box<FrameworkInfo> },
    /// A call of a framework's present instance.
    Call { framework: String, from: HostId, call: Box<Call> },
    /// A framework's present instance cannot be reached any more.
    FrameworkLost { framework: String },
    /// An agent cannot be reached any more.
    AgentLost { id: String },
    /// An update of an agent.
    UpdateTaken { update: Update },
    /// An agent comes back.
    Reregistering { id: String, report: Rc<Report> },
    /// An agent says that an executor is over.
    ExitedTaken { agent: String, framework: String, executor: String },
    /// An agent answers a ping.
    Pong { id: String },
    /// What the registry holds when a master begins, with the machines in the schedule: when they will be away, and
    /// whether they are down.
    Recovered { admitted: Vec<String>, unreachable: Vec<String>, planned: BTreeMap<String, (i64, bool)> },
    /// The registry has a new agent.
    Admitted { id: String },
    /// The registry has an agent as unreachable.
    MarkedUnreachable { id: String },
    /// The master asks for that.
    GivenUp { id: String },
    /// The registry has an agent no more.
    AgentRemoved { id: String },
    /// The registry has another schedule: when each machine will be away.
    Scheduled { machines: BTreeMap<String, i64> },
    /// The registry has these machines as down.
    MachinesDown { hosts: Vec<String> },
    /// The registry has these machines as up again.
    MachinesUp { hosts: Vec<String> },

    // What the master does.
    /// It answers a request with a stream.
    StreamOpened { request: u64, stream_id: String },
    /// A framework is subscribed.
    Subscribed { framework: String, host: HostId, via: Via },
    /// An instance is told something final.
    Refused { host: HostId, via: Via, text: String },
    /// It makes an offer, and says when the agent will be away, if it will.
    Offered {
        to: HostId,
        via: Via,
        offer: String,
        agent: String,
        role: String,
        amount: Amount,
        disk: i64,
        away: Option<i64>,
    },
    /// It takes an offer back.
    Rescinded { offer: String },
    /// It asks a framework to give back what it has on an agent that will be away.
    InverseOffered { to: HostId, framework: String, offer: String, agent: String, start: i64 },
    /// It takes such a question back.
    InverseRescinded { offer: String },
    /// It tells a framework of a task.
    Says { via: Via, update: Update },
    /// It tells a framework that an executor, or an agent, is over.
    Failure { via: Via, framework: String, agent: String, executor: Option<String>, status: i32 },
    /// It sends a task to an agent, with the executor that is to run it if the framework has named one.
    Run {
        framework: String,
        checkpoint: bool,
        agent: String,
        task: String,
        amount: Amount,
        executor: Option<(String, Amount)>,
    },
    /// Tasks are sent in one message, or start in one, and whether they do the one or the other.
    Together { tasks: Vec<String>, what: &'static str },
    /// It passes an acknowledgement on, to the agent there.
    AcknowledgementPassed { pid: String, task: String, uuid: Vec<u8> },
    /// It passes a kill on, to the agent there.
    KillPassed { pid: String, task: String },
    /// It tells an agent to end.
    AgentShutdown { pid: String },
    /// It tells an agent what a framework says of itself.
    FrameworkUpdate { pid: String, framework: String },
    /// It passes on that an executor is to leave.
    ShutdownPassed { agent: String, executor: String },
    /// It tells an agent that a framework has ended.
    FrameworkShutdown { framework: String },
    /// It asks the registrar before it lets an agent come back.
    ReturnBegun { id: String },
    /// It confirms that an agent is back.
    Reregistered { id: String },
    /// It speaks to an agent there.
    AgentAt { id: String, pid: String },
    /// It has done all it does about one input.
    StepEnd,
    /// It has crashed.
    MasterEnded,
    /// The master has a new subscription of a framework, or lost the old one: offers to this host are void.
    Subscription { of: HostId },
    /// A driver that asked twice is told once more that it is registered. Whether its offers still stand, messages do
    /// not show: they do after a mere repetition, and do not after a failover by force at the same address.
    ToldAgain { of: HostId },

    // What agents learn and do.
    /// An agent has got its id.
    Registered { agent: Process, id: String },
    /// A master tells an agent that it is registered.
    Attached { agent: Process, by: Sender },
    /// An agent is registered nowhere: it has a new master to register with, or none.
    Detached { agent: Process, master: Option<Upid> },
    /// The agent sends an update to the master.
    UpdateSent { agent: Process, update: Update },
    /// The agent takes an acknowledgement.
    AcknowledgementTaken { task: String, uuid: Vec<u8> },
    /// The agent takes an update of an executor.
    ExecutorUpdate { agent: Process, update: Update },
    /// An agent hears that one executor of a framework, or all, are to leave.
    ShutdownTaken { agent: Process, by: Sender, framework: String, executor: Option<String> },
    /// An agent, with its id, says that an executor is over.
    ExitedSent { agent: Process, id: String, framework: String, executor: String },
    /// A program starts.
    Forked { task: String },
    /// An agent starts a container.
    ContainerUp { host: HostId, container: Container },
    /// A container is gone; without a status if the agent went first.
    ContainerDown { host: HostId, status: Option<i32> },

    // What frameworks learn and do.
    /// An offer has reached its framework.
    OfferArrived { to: HostId, offer: String },
    /// So has the word that it is void.
    RescindArrived { offer: String },
    /// The framework has sent its answer.
    OfferAnswered { offers: Vec<String> },
    /// A framework's subscription has begun or ended: what it held is void.
    Connected { framework: HostId },
    /// A framework hears of a task.
    Told { framework: HostId, update: Update },
    /// A framework acknowledges.
    Acknowledged { uuid: Vec<u8> },

    /// A process has ended.
    Ended(Process),
}

/// What the master must know.
#[derive(Default)]
pub struct Model {
    /// Of frameworks.
    pub roster: roster::Roster,
    /// Of agents and tasks.
    pub known: knowledge::Knowledge,
}

/// The host name of the machine a process is on.
pub fn host_of(pid: &str) -> Option<&str> {
    pid.split_once('@')?.1.split(':').next()
}

/// All checkers.
#[derive(Default)]
pub struct Checks {
    /// What the master must know.
    pub model: Model,
    relay: relay::Relay,
    offers: offers::Offers,
    filters: filters::Filters,
    groups: groups::Groups,
    maintenance: maintenance::Maintenance,
    patience: patience::Patience,
    tasks: tasks::Tasks,
    updates: updates::Updates,
    agents: agents::Agents,
    reconcile: reconcile::Reconcile,
    containers: containers::Containers,
    registry: registry::Registry,
    authority: authority::Authority,
    /// Hosts of masters.
    pub masters: BTreeSet<HostId>,
    /// Masters whose end was seen: it may be seen when another begins, and again when they notice.
    masters_ended: BTreeSet<Process>,
    /// What was objected to.
    pub violations: Vec<String>,
}

impl Checks {
    /// Shows a fact to all checkers.
    pub fn see(&mut self, now: u64, fact: &Fact) {
        let mut found = Vec::new();
        self.relay.see(fact, &self.model, &mut found);
        self.model.roster.see(now, fact, &mut found);
        self.model.known.see(fact, &self.model.roster.removed);
        self.offers.see(now, fact, &self.model, &mut found);
        self.filters.see(now, fact, &self.model, &mut found);
        self.reconcile.see(now, fact, &self.model, &mut found);
        words::see(fact, &self.model, &mut found);
        self.groups.see(fact, &mut found);
        self.maintenance.see(now, fact, &self.model, &mut found);
        self.patience.see(now, fact, &self.model, &mut found);
        self.tasks.see(now, fact, &self.model.roster, &mut found);
        self.updates.see(now, fact, &mut found);
        self.agents.see(fact, &mut found);
        self.containers.see(now, fact, &mut found);
        for text in found {
            self.object(now, text);
        }
        if let Fact::Ended(process) = fact {
            self.authority.ended(*process);
        }
        if let Fact::Ended(process) = fact
            && self.masters.contains(&process.host)
            && self.masters_ended.insert(*process)
        {
            self.see(now, &Fact::MasterEnded);
        }
    }

    /// A master is elected: to everybody the one before has ended, even if it sleeps and does not know.
    pub fn term_begins(&mut self, now: u64, term: Process) {
        if let Some(before) = self.registry.term_begins(term) {
            self.see(now, &Fact::Ended(before));
        }
    }

    /// The election says that this master leads until then.
    pub fn leads(&mut self, now: u64, term: Process, epoch: Option<u64>, until: u64) {
        self.objections(now, |checks, found| checks.authority.leads(now, term, epoch, until, found));
    }

    /// A master does something that others can see, with its epoch if it says one.
    pub fn acts(&mut self, now: u64, term: Process, what: &str) {
        if self.masters.len() > 1 {
            self.objections(now, |checks, found| checks.authority.acts(now, term, what, found));
        }
    }

    /// A master sends a message with this epoch.
    pub fn speaks(&mut self, now: u64, term: Process, epoch: Option<u64>) {
        self.objections(now, |checks, found| checks.authority.speaks(term, epoch, found));
    }

    /// An agent hears of an epoch; says whether what it hears is of an older one than its detector has named.
    pub fn epoch_heard(&mut self, agent: Process, input: &tepui_agent::Input) -> bool {
        self.authority.heard(agent, input)
    }

    /// There must be a leader by now.
    pub fn has_leader(&mut self, now: u64) {
        if !self.somebody_leads(now) {
            self.object(now, "all is well, and nobody leads".to_owned());
        }
    }

    fn somebody_leads(&self, now: u64) -> bool {
        self.masters.len() <= 1 || self.authority.has_leader(now)
    }

    fn objections(&mut self, now: u64, judge: impl FnOnce(&mut Checks, &mut Vec<String>)) {
        let mut found = Vec::new();
        judge(self, &mut found);
        found.into_iter().for_each(|text| self.object(now, text));
    }

    /// A master asks the registrar of its machine.
    pub fn asked(&mut self, term: Process, input: &tepui_registry::Input) {
        self.registry.asked(term, input);
    }

    /// That registrar answers.
    pub fn answered(&mut self, now: u64, term: Process, output: &tepui_registry::Output) {
        let mut found = Vec::new();
        self.registry.answered(term, output, &mut found);
        found.into_iter().for_each(|text| self.object(now, text));
    }

    /// Operations on the registry that were confirmed.
    pub fn committed(&self) -> u64 {
        self.registry.count
    }

    /// Says what is wrong.
    pub fn object(&mut self, now: u64, text: String) {
        self.violations.push(format!("at {:.6} s: {text}", now as f64 / 1e9));
    }

    /// Looks for what should have happened by now.
    pub fn overdue(&mut self, now: u64) {
        let mut found = Vec::new();
        self.containers.overdue(now, &mut found);
        // What a master should have done nobody can expect while none leads.
        if self.somebody_leads(now) {
            self.offers.overdue(now, &mut found);
            self.reconcile.overdue(now, &mut found);
            self.maintenance.overdue(now, &self.model, &mut found);
            self.patience.overdue(now, &mut found);
        }
        for text in found {
            self.object(now, text);
        }
    }

    /// After the quiet phase: everything has ended, is known, and is acknowledged.
    pub fn at_rest(&mut self, now: u64, quiet_since: u64) {
        let mut found = Vec::new();
        let roster = &self.model.roster;
        self.tasks.at_rest(roster, &mut found);
        self.updates.at_rest(now, quiet_since, roster, &mut found);
        self.containers.at_rest(&roster.removed, &mut found);
        self.filters.at_rest(now, &self.model, &mut found);
        for text in found {
            self.object(now, text);
        }
    }

    /// While the frameworks are idle but there: one that takes everything gets all but what executors hold, and those
    /// whose end was told and not heard.
    pub fn nothing_leaked(&mut self, now: u64, probe: HostId, agents: usize, total: Amount, executor: Amount) {
        let add = |sum: Amount, amount: Amount| (sum.0 + amount.0, sum.1 + amount.1);
        let sum = self.offers.held_by(probe).into_values().fold((0, 0), add);
        let orphaned = self.model.known.registered.iter().map(|agent| self.held_by_orphans(agent)).fold((0, 0), add);
        let unheard = self.model.known.held_by_ended(|framework| !self.model.roster.is_orphan(framework));
        let (agents, executors) = (agents as i64, self.containers.up.len() as i64);
        let least = |at: fn(Amount) -> i64| agents * at(total) - executors * at(executor) - at(orphaned) - at(unheard);
        let least = (least(|amount| amount.0), least(|amount| amount.1));
        if sum.0 < least.0 || sum.1 < least.1 {
            self.object(now, format!("all is idle, but only {sum:?} are offered where at least {least:?} are free"));
        }
    }

    fn held_by_orphans(&self, agent: &str) -> Amount {
        self.model.known.held(agent, |framework| self.model.roster.is_orphan(framework))
    }

    /// After all frameworks have left: no container runs, and a framework that takes everything has got everything.
    pub fn all_free(&mut self, now: u64, probe: HostId, agents: usize, total: Amount) {
        let mut found = Vec::new();
        let is_orphan = |framework: &str| self.model.roster.is_orphan(framework);
        for Container { executor, framework, .. } in self.containers.up.values().filter(|c| !is_orphan(&c.framework)) {
            found.push(format!("executor {executor} still runs although its framework {framework} has ended"));
        }
        let offered = self.offers.held_by(probe);
        if offered.len() != agents {
            found.push(format!("{} of {agents} agents are offered", offered.len()));
        }
        for (agent, amount) in &offered {
            let held = self.held_by_orphans(agent);
            if (amount.0 + held.0, amount.1 + held.1) != total {
                found.push(format!("agent {agent} is idle, and of {total:?} only {amount:?} are offered"));
            }
        }
        for text in found {
            self.object(now, text);
        }
    }

    /// Whether an offer stands.
    pub fn is_outstanding(&self, offer: &str) -> bool {
        self.offers.is_outstanding(offer)
    }

    /// An offer of a framework that stands.
    pub fn some_offer(&self, framework: &str) -> Option<String> {
        self.offers.of(framework).next().cloned()
    }

    /// How many updates executors have made.
    pub fn transitions(&self) -> u64 {
        self.tasks.transitions()
    }

    /// Tasks that were launched.
    pub fn launched(&self) -> usize {
        self.tasks.launched()
    }
}
