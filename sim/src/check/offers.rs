//! No resource is given away twice, an offer is used once and not after it was taken back, and none is forgotten.
//!
//! A task or an executor counts only while the messages prove that it must, so an objection is never the model's
//! mistake; what it lets pass shows as a leak later.

use super::{Amount, CallType, Fact, Model};
use crate::host::agent::RESOURCES;
use crate::host::master::OFFER_TIMEOUT;
use crate::network::HostId;
use std::collections::{BTreeMap, BTreeSet};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::{OfferID, TaskInfo};

/// How long the word that an offer is void may take.
const SLACK_NANOS: u64 = 20_000_000_000;

struct Offer {
    to: HostId,
    framework: String,
    agent: String,
    amount: Amount,
    made: u64,
}

/// What happens in one step of the master.
#[derive(Default)]
struct Step {
    /// Agents whose offers are void because of it.
    void: BTreeSet<String>,
    /// Agents and frameworks of which offers may be taken back because of it.
    concerned: BTreeSet<String>,
    /// Whether the schedule of maintenance has changed.
    schedule: bool,
    /// Offers taken back that had not run out, with their agents and frameworks.
    taken_back: Vec<(String, String, String)>,
}

#[derive(Default)]
pub struct Offers {
    outstanding: BTreeMap<String, Offer>,
    ever: BTreeSet<String>,
    /// Offers that may stand or not ([`Fact::ToldAgain`]): they are not counted, and may be used.
    doubtful: BTreeSet<String>,
    /// Offers by task to be launched: none if one of them was void.
    launching: BTreeMap<String, bool>,
    /// Offers that frameworks have and believe valid, and since when.
    believed: BTreeMap<String, (HostId, u64)>,
    step: Step,
}

/// For how long an offer stands.
fn timeout() -> u64 {
    OFFER_TIMEOUT.as_nanos() as u64
}

/// The tasks an ACCEPT is to launch, alone and in groups.
pub fn launched(call: &Call) -> impl Iterator<Item = &TaskInfo> {
    let operations = call.accept.operations.iter();
    operations.flat_map(|operation| operation.launch.task_infos.iter().chain(&operation.launch_group.task_group.tasks))
}

/// What an agent of this world has in all.
pub fn total() -> Amount {
    let number = |name: &str| {
        let part = RESOURCES.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
        part.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0)
    };
    (number("cpus") * 1000, number("mem"))
}

impl Offers {
    pub fn see(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Offered { to, via, offer, agent, amount, .. } => {
                let framework = model.roster.at(via).map(|(id, _)| id.clone()).unwrap_or_default();
                let made = Offer { to: *to, framework, agent: agent.clone(), amount: *amount, made: now };
                self.offered(offer, made, model, found);
            }
            Fact::Rescinded { offer } => {
                if let Some(old) = self.outstanding.remove(offer).filter(|old| now < old.made + timeout()) {
                    self.step.taken_back.push((offer.clone(), old.agent, old.framework));
                }
                self.doubtful.remove(offer);
            }
            Fact::Call { call, .. } if call.r#type == Some(CallType::DECLINE) => {
                self.use_up(&call.decline.offer_ids);
            }
            Fact::Call { call, .. } if call.r#type == Some(CallType::ACCEPT) => {
                let valid = self.use_up(&call.accept.offer_ids);
                self.launching.extend(launched(call).map(|task| (task.task_id.value.clone(), valid)));
            }
            Fact::Run { task, .. } if self.launching.remove(task) != Some(true) => {
                found.push(format!("task {task} is launched without a valid offer"));
            }
            Fact::Subscription { of } => {
                self.outstanding.retain(|_, offer| offer.to != *of);
                self.belief(now, fact);
            }
            Fact::ToldAgain { of } => {
                let (theirs, others) =
                    std::mem::take(&mut self.outstanding).into_iter().partition(|(_, o)| o.to == *of);
                self.outstanding = others;
                let theirs: BTreeMap<String, Offer> = theirs;
                self.doubtful.extend(theirs.into_keys());
                self.belief(now, fact);
            }
            Fact::MasterEnded => {
                self.outstanding.clear();
                self.doubtful.clear();
                self.launching.clear();
                self.believed.clear();
                self.step = Step::default();
            }
            Fact::StepEnd => self.step_end(found),
            _ => {
                self.cause(fact);
                self.belief(now, fact);
            }
        }
    }

    /// Why offers may have to be taken back.
    fn cause(&mut self, fact: &Fact) {
        let step = &mut self.step;
        match fact {
            Fact::AgentLost { id } | Fact::MarkedUnreachable { id } | Fact::AgentRemoved { id } => {
                step.void.insert(id.clone());
            }
            Fact::Scheduled { .. } | Fact::MachinesUp { .. } => step.schedule = true,
            Fact::Reregistering { id, .. } => drop(step.concerned.insert(id.clone())),
            Fact::FrameworkLost { framework } | Fact::Subscribed { framework, .. } => {
                step.concerned.insert(framework.clone());
            }
            _ => {}
        }
    }

    /// What is void was taken back, and nothing else was.
    fn step_end(&mut self, found: &mut Vec<String>) {
        let step = std::mem::take(&mut self.step);
        for (id, offer) in self.outstanding.iter().filter(|(_, offer)| step.void.contains(&offer.agent)) {
            let (agent, framework) = (&offer.agent, &offer.framework);
            found.push(format!("offer {id} of agent {agent} is void, and framework {framework} is not told"));
        }
        for (id, agent, framework) in step.taken_back {
            let is_concerned =
                [&agent, &framework].iter().any(|id| step.void.contains(*id) || step.concerned.contains(*id));
            if !is_concerned && !step.schedule {
                found.push(format!("offer {id} of agent {agent} to framework {framework} is taken back for no reason"));
            }
        }
    }

    /// Each of them is used up, whatever the others are; says whether all were good.
    fn use_up(&mut self, ids: &[OfferID]) -> bool {
        let mut stood = |id: &str| self.outstanding.remove(id).is_some() || self.doubtful.remove(id);
        let used = ids.iter().filter(|id| stood(&id.value)).count();
        used == ids.len()
    }

    fn offered(&mut self, id: &str, offer: Offer, model: &Model, found: &mut Vec<String>) {
        if !self.ever.insert(id.to_owned()) {
            found.push(format!("offer {id} is made a second time"));
        }
        let (agent, new) = (offer.agent.clone(), offer.amount);
        self.outstanding.insert(id.to_owned(), offer);
        let offers = self.outstanding.values().filter(|offer| offer.agent == agent).map(|offer| offer.amount);
        let held = model.known.held(&agent, |_| true);
        let sum = offers.fold(held, |sum, amount| (sum.0 + amount.0, sum.1 + amount.1));
        let total = total();
        // An agent may come back to a new master with more than it has: when its link broke, the old master forgot the
        // tasks of frameworks that do not checkpoint, as in Mesos, and gave away what they hold.
        if (new.0 > 0 && sum.0 > total.0) || (new.1 > 0 && sum.1 > total.1) {
            let others = self.outstanding.iter().filter(|(_, offer)| offer.agent == agent);
            let others: Vec<_> = others.map(|(id, offer)| (id, offer.to, offer.amount)).collect();
            found
                .push(format!("agent {agent} has {total:?}, but {sum:?} are given: {others:?} offered, {held:?} used"));
        }
    }

    /// What frameworks believe.
    fn belief(&mut self, now: u64, fact: &Fact) {
        match fact {
            Fact::OfferArrived { to, offer } => {
                self.believed.insert(offer.clone(), (*to, now));
            }
            Fact::RescindArrived { offer } => {
                self.believed.remove(offer);
            }
            Fact::OfferAnswered { offers } => self.believed.retain(|id, _| !offers.contains(id)),
            // The master has no way left to tell it.
            Fact::Connected { framework }
            | Fact::Subscription { of: framework }
            | Fact::ToldAgain { of: framework } => self.believed.retain(|_, (to, _)| to != framework),
            Fact::Ended(process) => self.believed.retain(|_, (to, _)| *to != process.host),
            _ => {}
        }
    }

    /// A framework must hear in time that an offer has become void.
    pub fn overdue(&mut self, now: u64, found: &mut Vec<String>) {
        let limit = timeout() + SLACK_NANOS;
        for (id, (to, since)) in self.believed.iter().filter(|(_, (_, since))| now > since + limit) {
            let age = (now - since) / 1_000_000_000;
            found.push(format!("framework {to} was not told in {age} s that offer {id} is void"));
        }
    }

    pub fn is_outstanding(&self, offer: &str) -> bool {
        self.outstanding.contains_key(offer)
    }

    /// The offers of a framework.
    pub fn of(&self, framework: &str) -> impl Iterator<Item = &String> {
        self.outstanding.iter().filter(move |(_, offer)| offer.framework == framework).map(|(id, _)| id)
    }

    /// What a framework holds, by agent.
    pub fn held_by(&self, framework: HostId) -> BTreeMap<String, Amount> {
        let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
        for offer in self.outstanding.values().filter(|offer| offer.to == framework) {
            let sum = sums.entry(offer.agent.clone()).or_default();
            *sum = (sum.0 + offer.amount.0, sum.1 + offer.amount.1);
        }
        sums
    }
}
