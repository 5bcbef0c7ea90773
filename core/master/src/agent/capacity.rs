//! What all agents together may have: amounts are counted in whole thousandths, and sums over the cluster must not come near
//! the end of those, or what was added could not be taken away again.

use crate::state::task::holds_resources;
use std::collections::BTreeMap;
use tepui_base::{AgentId, Map};
use tepui_proto::mesos::internal::{ReregisterAgentMessage, UpdateAgentMessage};
use tepui_proto::mesos::{AgentInfo, Resource};
use tepui_resources::Scalar;

/// More than this of one name is no agent's: hundred terabytes, in bytes.
pub(crate) const AGENT_MAX: Scalar = Scalar::from_units(100_000_000_000_000);
/// Agents that have no more than this of a name are not counted, in each of the three ways in which they can have it: a
/// million of them come to a third of what can be counted. In megabytes it is a petabyte.
const COUNTED_FROM: Scalar = Scalar::from_units(1_000_000_000);
/// What all that are counted may have of one name: with the others it stays below the end, 9.2 * 10^15.
const CLUSTER_MAX: Scalar = Scalar::from_units(5_000_000_000_000_000);

/// Sums by name of what a message lists.
pub(crate) type Sums = BTreeMap<String, Scalar>;

/// The scalars of some lists, summed by name.
pub(crate) fn sums<'a>(lists: impl IntoIterator<Item = &'a [Resource]>) -> Sums {
    let mut sums = Sums::new();
    for one in lists.into_iter().flatten() {
        let amount = Scalar::from_f64(one.scalar.value).max(Scalar::ZERO);
        match sums.get_mut(&one.name) {
            Some(sum) => *sum += amount,
            None => _ = sums.insert(one.name.clone(), amount),
        }
    }
    sums
}

/// What an agent says at once: what it does not speak of stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claim {
    /// What it registers with.
    own: Option<Sums>,
    /// What its tasks and executors use, when it comes back, beyond what it has. All that is launched comes out of that.
    excess: Option<Sums>,
    /// What oversubscription and resource providers add.
    added: Option<Sums>,
}

impl Claim {
    /// Of an agent that registers.
    pub fn of_new(info: &AgentInfo) -> Claim {
        Claim { own: Some(sums([&*info.resources])), ..Claim::default() }
    }

    /// Of one that comes back.
    pub fn of_returning(message: &ReregisterAgentMessage) -> Claim {
        let own = sums([&*message.agent.resources]);
        let mut excess = used(message);
        for (name, amount) in &own {
            if let Some(used) = excess.get_mut(name) {
                *used = (*used - *amount).max(Scalar::ZERO);
            }
        }
        Claim { own: Some(own), excess: Some(excess), added: None }
    }

    /// Of one that is registered.
    pub fn of_update(message: &UpdateAgentMessage) -> Claim {
        Claim { added: Some(added(message)), ..Claim::default() }
    }

    /// The names of all of it.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let all = [&self.own, &self.excess, &self.added];
        all.into_iter().flatten().flat_map(|sums| sums.keys().map(String::as_str))
    }

    /// What is large enough to be counted.
    fn counted(&self) -> impl Iterator<Item = (Way, &String, Scalar)> {
        let ways = [(Way::Own, &self.own), (Way::Excess, &self.excess), (Way::Added, &self.added)];
        ways.into_iter().filter_map(|(way, sums)| Some((way, sums.as_ref()?))).flat_map(|(way, sums)| {
            let large = sums.iter().filter(|(_, amount)| **amount > COUNTED_FROM);
            large.map(move |(name, amount)| (way, name, *amount))
        })
    }
}

/// What the tasks and executors of an agent use.
pub(crate) fn used(message: &ReregisterAgentMessage) -> Sums {
    let tasks = message.tasks.iter().filter(|task| holds_resources(task.state)).map(|task| &*task.resources);
    sums(tasks.chain(message.executor_infos.iter().map(|info| &*info.resources)))
}

/// What is added to what an agent registered with.
pub(crate) fn added(message: &UpdateAgentMessage) -> Sums {
    let providers = message.resource_providers.providers.iter().map(|provider| &*provider.total_resources);
    sums(providers.chain([&*message.oversubscribed_resources]))
}

/// In which way an agent has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Own,
    Excess,
    Added,
}

/// What large agents have, and together. For each agent it is the most it has ever said: an id that is on its way in
/// twice, or an agent that has grown and shrunk, is not counted for less than what is held of it.
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    agents: Map<AgentId, BTreeMap<(Way, String), Scalar>>,
    sums: Sums,
}

impl Capacity {
    /// Counts what an agent claims, if there is room for all of it; says whether there was.
    pub fn admit(&mut self, id: &AgentId, claim: &Claim) -> bool {
        let known = self.agents.get(id);
        let more: Vec<((Way, String), Scalar)> = claim
            .counted()
            .map(|(way, name, amount)| ((way, name.clone()), amount))
            .filter(|(key, amount)| known.and_then(|known| known.get(key)).is_none_or(|before| before < amount))
            .collect();
        if more.is_empty() {
            return true;
        }
        let before = |key: &(Way, String)| known.and_then(|known| known.get(key)).copied().unwrap_or_default();
        let mut sums = self.sums.clone();
        for (key, amount) in &more {
            *sums.entry(key.1.clone()).or_default() += *amount - before(key);
        }
        let fits = more.iter().all(|((_, name), _)| sums[name] <= CLUSTER_MAX);
        if fits {
            self.sums = sums;
            self.agents.entry(id.clone()).or_default().extend(more);
        }
        fits
    }

    /// An agent is gone.
    pub fn forget(&mut self, id: &AgentId) {
        for ((_, name), amount) in self.agents.remove(id).unwrap_or_default() {
            if let Some(sum) = self.sums.get_mut(&name) {
                *sum -= amount;
            }
        }
        self.sums.retain(|_, sum| *sum > Scalar::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::MessageField;
    use tepui_proto::mesos::{Task, TaskState};

    fn claim(own: f64, excess: f64, added: f64) -> Claim {
        let sums = |units: f64| Some(Sums::from([("x".to_owned(), Scalar::from_f64(units))]));
        Claim { own: sums(own), excess: sums(excess), added: sums(added) }
    }

    #[test]
    fn what_is_used_comes_out_of_what_there_is() {
        let resources = |units: f64| {
            let mut one = Resource { name: "x".to_owned(), ..Default::default() };
            one.scalar.get_or_insert_default().value = units;
            vec![one]
        };
        let claim = |used: f64, state| {
            let task = Task { state, resources: resources(used), ..Default::default() };
            let agent = AgentInfo { resources: resources(9e13), ..Default::default() };
            let agent = MessageField::some(agent);
            Claim::of_returning(&ReregisterAgentMessage { agent, tasks: vec![task], ..Default::default() })
        };
        let excess = |claim: &Claim| claim.excess.as_ref().and_then(|sums| sums.get("x")).map(|sum| sum.to_f64());
        assert_eq!(excess(&claim(9e13, TaskState::TASK_RUNNING)), Some(0.0));
        assert_eq!(excess(&claim(9.5e13, TaskState::TASK_RUNNING)), Some(5e12));
        assert_eq!(excess(&claim(9.5e13, TaskState::TASK_FINISHED)), None, "it holds nothing any more");
    }

    #[test]
    fn room_is_counted_for_large_agents_and_free_again_when_they_go() {
        let (a, b) = (AgentId::from("a"), AgentId::from("b"));
        let mut capacity = Capacity::default();
        for number in 0..49 {
            assert!(capacity.admit(&AgentId::from(format!("S{number}")), &claim(1e14, 0.0, 1e9)));
        }
        assert!(capacity.admit(&a, &claim(0.5e14, 0.25e14, 0.25e14)));
        assert!(!capacity.admit(&b, &claim(2e9, 0.0, 0.0)), "the cluster is full");
        assert!(capacity.admit(&b, &claim(1e9, 1e9, 1e9)), "what is small is not counted");
        assert!(capacity.admit(&a, &claim(0.5e14, 0.0, 0.0)), "it has no more than before");
        assert!(!capacity.admit(&a, &claim(0.6e14, 0.0, 0.0)));
        capacity.forget(&a);
        assert!(capacity.admit(&b, &claim(1e14, 0.0, 0.0)));
        (0..49).for_each(|number| capacity.forget(&AgentId::from(format!("S{number}"))));
        capacity.forget(&b);
        assert!(capacity.agents.is_empty() && capacity.sums.is_empty());
    }
}
