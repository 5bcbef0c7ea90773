//! Whether any agent is big enough, so that a command that can never run is refused at once.

use tepui_sdk::MessageField;
use tepui_sdk::mesos::master::response::GetAgents;
use tepui_sdk::mesos::{Resource, master::response::get_agents::Agent};
use tepui_sdk::resources::{self, Resources};

/// What the agents say about a command's needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    /// There are no agents that could be offered: none registered, or none connected at present.
    NoAgents,
    /// Some agent is big enough, once enough of it is free.
    Possible,
    /// No agent is big enough; why, and what the largest has.
    TooBig(String),
}

/// Compares needs with the whole of each agent, as far as it belongs to a role.
pub fn fit(agents: &GetAgents, role: &str, wanted: &[(&'static str, f64)]) -> Fit {
    let active = agents.agents.iter().filter(|agent| agent.active);
    let totals: Vec<Resources> = active.map(|agent| total(agent, role)).collect();
    if totals.is_empty() {
        return Fit::NoAgents;
    }
    if totals.iter().any(|total| resources::take(&mut total.clone(), &resources::scalars(wanted)).is_some()) {
        return Fit::Possible;
    }
    let largest = totals.iter().max_by(|a, b| score(a, wanted).total_cmp(&score(b, wanted)));
    let has = largest.map(|total| text(wanted.iter().map(|(name, _)| (*name, resources::amount(total, name)))));
    let count = totals.len();
    let agents =
        if count == 1 { "the only agent has".to_owned() } else { format!("the largest of {count} agents has") };
    Fit::TooBig(format!("needs {}, but {agents} {}", text(wanted.iter().copied()), has.unwrap_or_default()))
}

/// What an agent has for a role.
fn total(agent: &Agent, role: &str) -> Resources {
    // The API shows each reservation in the old and in the new form; the new one says everything.
    let newest = |resource: &Resource| Resource { role: None, reservation: MessageField::none(), ..resource.clone() };
    let resources: Vec<Resource> = agent.total_resources.iter().map(newest).collect();
    Resources::from_proto(&resources).allocatable_to(role)
}

/// How much of the need an agent covers: the sum of the covered shares of each resource.
fn score(total: &Resources, wanted: &[(&'static str, f64)]) -> f64 {
    let share = |(name, amount): &(&str, f64)| {
        if *amount > 0.0 { (resources::amount(total, name) / amount).min(1.0) } else { 1.0 }
    };
    wanted.iter().map(share).sum()
}

/// `cpus 2, mem 128 MB`.
pub fn text(amounts: impl Iterator<Item = (&'static str, f64)>) -> String {
    let one = |(name, amount): (&str, f64)| {
        let unit = if matches!(name, "mem" | "disk") { " MB" } else { "" };
        format!("{name} {amount}{unit}")
    };
    amounts.map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Agents with these totals, as the API shows them.
    fn agents(totals: &[&str]) -> GetAgents {
        let agent = |total: &&str| Agent {
            active: true,
            total_resources: tepui_resources::Resources::parse(total, "*").unwrap().to_endpoint(),
            ..Agent::default()
        };
        GetAgents { agents: totals.iter().map(agent).collect(), ..GetAgents::default() }
    }

    #[test]
    fn a_command_too_big_for_every_agent_is_told_of_the_largest() {
        let (small, large) = ("cpus:2;mem:512", "cpus:8;mem:1024");
        let wanted = [("cpus", 100.0), ("mem", 128.0)];
        assert_eq!(
            fit(&agents(&[small, large]), "*", &wanted),
            Fit::TooBig("needs cpus 100, mem 128 MB, but the largest of 2 agents has cpus 8, mem 1024 MB".into())
        );
        assert_eq!(fit(&agents(&[small, large]), "*", &[("cpus", 8.0)]), Fit::Possible);
        assert_eq!(fit(&agents(&[]), "*", &wanted), Fit::NoAgents);
        let mut lost = agents(&[small]);
        lost.agents[0].active = false;
        assert_eq!(fit(&lost, "*", &wanted), Fit::NoAgents, "an agent that is not connected is offered to nobody");
    }

    #[test]
    fn what_is_reserved_for_others_does_not_count() {
        for (role, possible) in [("*", false), ("eng", true), ("eng/dev", true), ("english", false)] {
            assert_eq!(fit(&agents(&["cpus(eng):8"]), role, &[("cpus", 1.0)]) == Fit::Possible, possible, "{role}");
        }
    }
}
