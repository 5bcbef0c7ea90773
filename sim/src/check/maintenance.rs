//! Maintenance: offers say when their agent will be away; who has a task there is asked, once at a time and not again
//! before a refusal is over; a change of the schedule voids what was said before; agents of machines that go down leave,
//! and none is let in there.

use super::{CallType, Fact, Model};
use crate::network::HostId;
use std::collections::{BTreeMap, BTreeSet};
use tepui_proto::mesos::OfferID;
use tepui_proto::mesos::scheduler::Call;

/// What the allocator decided before it heard of a change may still come.
const IN_FLIGHT_NANOS: u64 = 1_000_000;
/// An agent that was being let in when its machine went down is not turned away any more.
const ADMISSION_NANOS: u64 = 5_000_000_000;
/// A framework that has been missing from the asked for so many looks, five seconds apart, was forgotten. The allocator
/// asks each second.
const MISSED_LOOKS: u32 = 4;

#[derive(Clone, Copy)]
struct Planned {
    start: i64,
    /// Since when, if it is down.
    down: Option<u64>,
}

struct Asked {
    to: HostId,
    framework: String,
    agent: String,
}

#[derive(Default)]
pub struct Maintenance {
    /// Machines in the schedule, by host name.
    machines: BTreeMap<String, Planned>,
    outstanding: BTreeMap<String, Asked>,
    /// Questions that may stand or not ([`Fact::ToldAgain`]): whoever has one may be asked again, and need not be.
    doubtful: BTreeMap<String, Asked>,
    ever: BTreeSet<String>,
    /// Who does not want to be asked about an agent, until when.
    refused: BTreeMap<(String, String), u64>,
    /// The same, kept when something may have ended the refusal early or may not.
    perhaps_refused: BTreeMap<(String, String), u64>,
    /// What must be taken back in this step.
    due: BTreeSet<String>,
    /// Where agents must be told to leave in this step.
    leaving: BTreeSet<String>,
    /// How often a framework was seen that should have been asked.
    missed: BTreeMap<(String, String), u32>,
}

impl Maintenance {
    pub fn see(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Offered { offer, agent, away, .. } => {
                let planned = model.known.host_of(agent).and_then(|host| self.machines.get(host));
                if planned.map(|planned| planned.start) != *away {
                    let start = planned.map(|planned| planned.start);
                    found.push(format!("offer {offer} says {away:?} of the window of {agent}, which is {start:?}"));
                }
            }
            Fact::AgentAt { id, pid } => {
                let down =
                    super::host_of(pid).and_then(|host| self.machines.get(host)).and_then(|planned| planned.down);
                if down.is_some_and(|since| now > since + ADMISSION_NANOS) {
                    found.push(format!("agent {id} is let in on a machine that is down"));
                }
            }
            Fact::AgentShutdown { pid } => drop(self.leaving.remove(pid)),
            Fact::InverseOffered { to, framework, offer, agent, start } => {
                let asked = Asked { to: *to, framework: framework.clone(), agent: agent.clone() };
                self.asked(now, offer, (asked, *start), model, found);
            }
            Fact::InverseRescinded { offer } => {
                self.outstanding.remove(offer);
                self.doubtful.remove(offer);
                self.due.remove(offer);
            }
            Fact::Call { framework, call, .. } => self.call(now, framework, call),
            _ => self.change(now, fact, model, found),
        }
    }

    fn asked(&mut self, now: u64, id: &str, (asked, start): (Asked, i64), model: &Model, found: &mut Vec<String>) {
        let Asked { framework, agent, .. } = &asked;
        if !self.ever.insert(id.to_owned()) {
            found.push(format!("inverse offer {id} is made a second time"));
        }
        if !model.roster.is_connected(framework) {
            found.push(format!("inverse offer {id} is for framework {framework}, which is not subscribed"));
        }
        let planned = model.known.host_of(agent).and_then(|host| self.machines.get(host));
        if planned.is_none_or(|planned| planned.start != start) {
            found.push(format!("inverse offer {id} is about agent {agent}, for which no such window is planned"));
        }
        if self.outstanding.values().any(|other| other.framework == *framework && other.agent == *agent) {
            found.push(format!("framework {framework} is asked a second time about agent {agent}"));
        }
        let key = (framework.clone(), agent.clone());
        if let Some(until) = self.refused.get(&key).filter(|until| **until > now + IN_FLIGHT_NANOS) {
            let left = (until - now) / 1_000_000;
            found.push(format!("framework {framework} is asked about agent {agent} again, {left} ms early"));
        }
        // The master asks one at a time, so what it asked before stands no more.
        self.doubtful.retain(|_, before| before.framework != *framework || before.agent != *agent);
        self.missed.remove(&key);
        self.outstanding.insert(id.to_owned(), asked);
    }

    fn call(&mut self, now: u64, framework: &str, call: &Call) {
        match call.r#type {
            Some(CallType::ACCEPT_INVERSE_OFFERS) => {
                let answer = &call.accept_inverse_offers;
                self.answered(now, framework, &answer.inverse_offer_ids, answer.filters.refuse_seconds);
            }
            Some(CallType::DECLINE_INVERSE_OFFERS) => {
                let answer = &call.decline_inverse_offers;
                self.answered(now, framework, &answer.inverse_offer_ids, answer.filters.refuse_seconds);
            }
            Some(CallType::REVIVE | CallType::UPDATE_FRAMEWORK) => self.refused.retain(|(of, _), _| of != framework),
            _ => {}
        }
    }

    fn answered(&mut self, now: u64, framework: &str, ids: &[OfferID], secs: Option<f64>) {
        let until = now + (secs.unwrap_or(5.0) * 1e9) as u64;
        for id in ids {
            // If it stood, it was answered, and if not, a refusal of it counts for nothing.
            if let Some(asked) = self.doubtful.remove(&id.value).filter(|asked| asked.framework == framework) {
                let refused = self.perhaps_refused.entry((asked.framework, asked.agent)).or_default();
                *refused = until.max(*refused);
            }
            let is_own = self.outstanding.get(&id.value).is_some_and(|asked| asked.framework == framework);
            let own = is_own.then(|| self.outstanding.remove(&id.value)).flatten();
            if let Some(asked) = own {
                for refused in [&mut self.refused, &mut self.perhaps_refused] {
                    let refused = refused.entry((asked.framework.clone(), asked.agent.clone())).or_default();
                    *refused = until.max(*refused);
                }
            }
        }
    }

    /// What changes in the cluster.
    fn change(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Scheduled { machines } => {
                let before = std::mem::take(&mut self.machines);
                for (host, start) in machines {
                    let down = before.get(host).and_then(|planned| planned.down);
                    self.machines.insert(host.clone(), Planned { start: *start, down });
                }
                let touched: BTreeSet<&String> = before.keys().chain(machines.keys()).collect();
                touched.into_iter().for_each(|host| self.void(host, model));
            }
            Fact::MachinesUp { hosts } => {
                for host in hosts {
                    self.machines.remove(host);
                    self.void(host, model);
                }
            }
            Fact::MachinesDown { hosts } => {
                for host in hosts {
                    if let Some(planned) = self.machines.get_mut(host) {
                        planned.down.get_or_insert(now);
                    }
                    self.leaving.extend(model.known.agents_at(host).map(|(pid, _)| pid.clone()));
                }
            }
            Fact::Recovered { planned, .. } => {
                let machine = |(host, (start, down)): (&String, &(i64, bool))| {
                    (host.clone(), Planned { start: *start, down: down.then_some(now) })
                };
                self.machines = planned.iter().map(machine).collect();
            }
            Fact::AgentLost { id } | Fact::MarkedUnreachable { id } | Fact::AgentRemoved { id } => {
                self.refused.retain(|(_, agent), _| agent != id);
                self.must_be_taken_back(id);
            }
            Fact::Reregistering { id, .. } => self.refused.retain(|(_, agent), _| agent != id),
            Fact::Subscribed { framework, .. } => {
                self.refused.retain(|(of, _), _| of != framework);
                self.outstanding.retain(|_, asked| asked.framework != *framework);
            }
            Fact::FrameworkLost { framework } => {
                self.refused.retain(|(of, _), _| of != framework);
                self.outstanding.retain(|_, asked| asked.framework != *framework);
                self.doubtful.retain(|_, asked| asked.framework != *framework);
            }
            Fact::Subscription { of } => {
                self.outstanding.retain(|_, asked| asked.to != *of);
                self.doubtful.retain(|_, asked| asked.to != *of);
            }
            Fact::ToldAgain { of } => {
                let theirs = self.outstanding.extract_if(.., |_, asked| asked.to == *of);
                self.doubtful.extend(theirs);
            }
            Fact::StepEnd => self.step_end(found),
            Fact::MasterEnded => {
                let ever = std::mem::take(&mut self.ever);
                *self = Maintenance { ever, ..Maintenance::default() };
            }
            _ => {}
        }
    }

    /// All that was said of agents on this machine is void.
    fn void(&mut self, host: &str, model: &Model) {
        for (_, agent) in model.known.agents_at(host) {
            self.refused.retain(|(_, of), _| of != agent);
            self.must_be_taken_back(agent);
        }
    }

    fn must_be_taken_back(&mut self, agent: &str) {
        self.doubtful.retain(|_, asked| asked.agent != *agent);
        let about = self.outstanding.iter().filter(|(_, asked)| asked.agent == *agent);
        self.due.extend(about.map(|(id, _)| id.clone()));
    }

    fn step_end(&mut self, found: &mut Vec<String>) {
        for id in std::mem::take(&mut self.due) {
            if let Some(Asked { framework, agent, .. }) = self.outstanding.get(&id) {
                found.push(format!("inverse offer {id} about agent {agent} is void, and {framework} is not told"));
            }
        }
        for pid in std::mem::take(&mut self.leaving) {
            found.push(format!("the machine of {pid} goes down, and its agent is not told to leave"));
        }
    }

    /// Who has a task on an agent that will be away must be asked.
    pub fn overdue(&mut self, now: u64, model: &Model, found: &mut Vec<String>) {
        let mut missed = BTreeMap::new();
        for task in model.known.tasks.values().filter(|task| task.is_alive()) {
            let key = (task.framework.clone(), task.agent.clone());
            let planned = model.known.host_of(&task.agent).is_some_and(|host| self.machines.contains_key(host));
            let there = model.known.connected.contains(&task.agent) && model.roster.is_connected(&task.framework);
            let mut questions = self.outstanding.values().chain(self.doubtful.values());
            let asked = questions.any(|asked| asked.framework == key.0 && asked.agent == key.1);
            let refused = self.perhaps_refused.get(&key).is_some_and(|until| *until + 2_000_000_000 > now);
            if planned && there && !asked && !refused {
                let looks = self.missed.get(&key).copied().unwrap_or(0) + 1;
                missed.insert(key, looks);
            }
        }
        for ((framework, agent), _) in missed.iter().filter(|(_, looks)| **looks >= MISSED_LOOKS) {
            found.push(format!("framework {framework} has tasks on agent {agent}, will lose it, and is not asked"));
        }
        self.missed = missed;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Via;
    use super::*;

    const HOST: HostId = 9;

    /// A framework that has a task on an agent which will be away, and was asked.
    fn asked() -> (Maintenance, Model) {
        let (mut judge, mut model) = (Maintenance::default(), Model::default());
        let via = Via::Pid("scheduler(1)@10.0.0.30:9000".to_owned());
        let (framework, agent) = ("F".to_owned(), "A".to_owned());
        let facts = [
            Fact::Admitted { id: agent.clone() },
            Fact::AgentAt { id: agent.clone(), pid: "slave(1)@10.0.0.11:5051".to_owned() },
            Fact::Subscribed { framework: framework.clone(), host: HOST, via },
            Fact::Run {
                framework: framework.clone(),
                checkpoint: true,
                agent: agent.clone(),
                task: "t".to_owned(),
                amount: (100, 128),
                executor: None,
            },
            Fact::Scheduled { machines: [("10.0.0.11".to_owned(), 5)].into() },
            Fact::InverseOffered { to: HOST, framework, offer: "O1".to_owned(), agent, start: 5 },
        ];
        for fact in &facts {
            model.roster.see(0, fact, &mut Vec::new());
            model.known.see(fact, &BTreeSet::new());
            let mut found = Vec::new();
            judge.see(0, fact, &model, &mut found);
            assert_eq!(found, [""; 0]);
        }
        (judge, model)
    }

    fn look(judge: &mut Maintenance, model: &Model) -> usize {
        let mut found = Vec::new();
        (0..MISSED_LOOKS).for_each(|_| judge.overdue(0, model, &mut found));
        found.len()
    }

    #[test]
    fn a_driver_that_is_told_again_that_it_is_registered_may_still_be_asked() {
        let (mut judge, model) = asked();
        let via = Via::Pid("scheduler(1)@10.0.0.30:9000".to_owned());
        judge.see(0, &Fact::ToldAgain { of: HOST }, &model, &mut Vec::new());
        judge.see(0, &Fact::Subscribed { framework: "F".to_owned(), host: HOST, via }, &model, &mut Vec::new());
        assert_eq!(look(&mut judge, &model), 0);
        judge.see(0, &Fact::InverseRescinded { offer: "O1".to_owned() }, &model, &mut Vec::new());
        assert_eq!(look(&mut judge, &model), 1, "now it must be asked");
    }

    #[test]
    fn a_subscription_ends_what_was_asked_before() {
        let (mut judge, model) = asked();
        assert_eq!(look(&mut judge, &model), 0);
        judge.see(0, &Fact::Subscription { of: HOST }, &model, &mut Vec::new());
        assert_eq!(look(&mut judge, &model), 1);
    }
}
