//! The master waits for an agent as long as it should, and no longer.

use super::{Fact, Model};
use crate::host::master::{MAX_PINGS_MISSED, PING_TIMEOUT, REREGISTER_TIMEOUT};
use std::collections::BTreeMap;

/// How much later than it may the master must have given an agent up: it looks at each ping, and its machine may sleep for
/// nearly a session without the loss of its place.
const SLACK_NANOS: u64 = 15_000_000_000;
/// How long the registrar may take: longer than a machine is paused, and then as long as a master waits for a store.
const REGISTRAR_NANOS: u64 = 120_000_000_000;
/// How much the order of events at the same moment may hide.
const EARLY_NANOS: u64 = 1_000_000;

#[derive(Default)]
pub struct Patience {
    /// When each registered agent was heard last: it registered, or answered a ping.
    heard: BTreeMap<String, u64>,
    /// Agents that cannot be reached, and since when.
    lost: BTreeMap<String, u64>,
    /// Agents in the registry that have not come back to this master, and since when it waits.
    awaited: BTreeMap<String, u64>,
    /// Agents that the registrar was asked to mark, and since when.
    giving_up: BTreeMap<String, u64>,
}

impl Patience {
    pub fn see(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            // A registered agent that says so again, because the answer was slow, has answered no ping.
            Fact::Reregistered { id } if self.heard.contains_key(id) && !self.lost.contains_key(id) => {}
            Fact::Admitted { id } | Fact::Reregistered { id } => {
                self.forget(id);
                self.heard.insert(id.clone(), now);
            }
            Fact::Pong { id } => {
                self.heard.insert(id.clone(), now);
            }
            Fact::AgentLost { id } if model.known.registered.contains(id) => {
                self.lost.entry(id.clone()).or_insert(now);
            }
            Fact::Recovered { admitted, .. } => self.awaited = admitted.iter().map(|id| (id.clone(), now)).collect(),
            // An answer that comes while the registrar works changes nothing, in Mesos neither.
            Fact::GivenUp { id } => {
                if !self.may_give_up(now, id) {
                    let heard = self.heard.get(id).map(|at| (now - at) / 1_000_000);
                    found.push(format!("agent {id} is given up too early; last heard {heard:?} ms ago"));
                }
                self.forget(id);
                self.giving_up.insert(id.clone(), now);
            }
            Fact::MarkedUnreachable { id } | Fact::AgentRemoved { id } => self.forget(id),
            Fact::MasterEnded => *self = Patience::default(),
            _ => {}
        }
    }

    fn forget(&mut self, id: &str) {
        self.heard.remove(id);
        self.lost.remove(id);
        self.awaited.remove(id);
        self.giving_up.remove(id);
    }

    fn may_give_up(&self, now: u64, id: &str) -> bool {
        let over = |since: Option<&u64>, patience: u64| since.is_some_and(|at| now + EARLY_NANOS >= at + patience);
        over(self.heard.get(id), silence())
            || over(self.lost.get(id), absence())
            || over(self.awaited.get(id), absence())
    }

    /// Agents that should have been given up.
    pub fn overdue(&mut self, now: u64, found: &mut Vec<String>) {
        for (id, since) in self.lost.iter().chain(&self.awaited).filter(|(_, at)| now > **at + absence() + SLACK_NANOS)
        {
            found.push(format!("agent {id} has been gone for {} s and is not given up", (now - since) / 1_000_000_000));
        }
        for (id, since) in self.giving_up.iter().filter(|(_, at)| now > **at + REGISTRAR_NANOS) {
            found.push(format!(
                "agent {id} has been given up for {} s and is not marked",
                (now - since) / 1_000_000_000
            ));
        }
        let latest = silence() + PING_TIMEOUT.as_nanos() as u64 + SLACK_NANOS;
        for (id, since) in self.heard.iter().filter(|(_, at)| now > **at + latest) {
            found.push(format!(
                "agent {id} has been silent for {} s and is not given up",
                (now - since) / 1_000_000_000
            ));
        }
    }
}

/// The shortest time without an answer after which an agent is given up.
fn silence() -> u64 {
    PING_TIMEOUT.as_nanos() as u64 * u64::from(MAX_PINGS_MISSED)
}

fn absence() -> u64 {
    REREGISTER_TIMEOUT.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// What is said when agent `a` is given up at that second, after it registered at 0 and what `before` adds.
    fn given_up(at: u64, before: &[(u64, Fact)]) -> usize {
        let (mut patience, mut model, mut found) = (Patience::default(), Model::default(), Vec::new());
        model.known.registered.insert("a".to_owned());
        let mut see = |seconds: u64, fact: &Fact| patience.see(seconds * SECOND, fact, &model, &mut found);
        see(0, &Fact::Admitted { id: "a".to_owned() });
        for (seconds, fact) in before {
            see(*seconds, fact);
        }
        see(at, &Fact::GivenUp { id: "a".to_owned() });
        found.len()
    }

    /// Seed 219538786367752: the agent registered again because the answer to its first message was slow.
    #[test]
    fn only_an_answer_to_a_ping_or_a_return_gives_an_agent_more_time() {
        let back = || Fact::Reregistered { id: "a".to_owned() };
        let lost = || Fact::AgentLost { id: "a".to_owned() };
        assert_eq!(given_up(24, &[]), 0);
        assert_eq!(given_up(23, &[]), 1);
        assert_eq!(given_up(24, &[(2, back())]), 0, "it was there already");
        assert_eq!(given_up(24, &[(2, Fact::Pong { id: "a".to_owned() })]), 1);
        assert_eq!(given_up(24, &[(1, lost()), (2, back())]), 1, "it came back");
    }
}
