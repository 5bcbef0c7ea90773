//! Whether any agent is big enough, so that a command that can never run is refused at once.

use tepui_sdk::mesos::Resource;
use tepui_sdk::mesos::master::response::GetAgents;
use tepui_sdk::resources;

/// What the agents say about a command's needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    /// There are no agents.
    NoAgents,
    /// Some agent is big enough, once enough of it is free.
    Possible,
    /// No agent is big enough; why, and what the largest has.
    TooBig(String),
}

/// Compares needs with the whole of each agent, as far as it belongs to a role.
pub fn fit(agents: &GetAgents, role: &str, wanted: &[(&'static str, f64)]) -> Fit {
    let totals: Vec<Vec<Resource>> =
        agents.agents.iter().map(|agent| of_role(&agent.total_resources, role)).collect();
    if totals.is_empty() {
        return Fit::NoAgents;
    }
    if totals.iter().any(|total| resources::take(&mut total.clone(), wanted).is_some()) {
        return Fit::Possible;
    }
    let largest = totals.iter().max_by(|a, b| score(a, wanted).total_cmp(&score(b, wanted)));
    let has = largest.map(|total| text(wanted.iter().map(|(name, _)| (*name, resources::amount(total, name)))));
    let count = totals.len();
    let agents = if count == 1 { "the only agent has".to_owned() } else { format!("the largest of {count} agents has") };
    Fit::TooBig(format!("needs {}, but {agents} {}", text(wanted.iter().copied()), has.unwrap_or_default()))
}

/// Resources without reservation, and those whose innermost one is for this role or one above it.
fn of_role(resources: &[Resource], role: &str) -> Vec<Resource> {
    let usable = |resource: &&Resource| match resource.reservations.last() {
        None => true,
        Some(reservation) => {
            let owner = reservation.role.as_deref().unwrap_or_default();
            role == owner || role.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'))
        }
    };
    resources.iter().filter(usable).cloned().collect()
}

/// How much of the need an agent covers: the sum of the covered shares of each resource.
fn score(total: &[Resource], wanted: &[(&'static str, f64)]) -> f64 {
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
    use tepui_sdk::mesos::master::response::get_agents::Agent;
    use tepui_sdk::mesos::resource::ReservationInfo;
    use tepui_sdk::messages::scalar;

    fn agents(totals: &[&[Resource]]) -> GetAgents {
        let agent = |total: &&[Resource]| Agent { total_resources: total.to_vec(), ..Agent::default() };
        GetAgents { agents: totals.iter().map(agent).collect(), ..GetAgents::default() }
    }

    #[test]
    fn a_command_too_big_for_every_agent_is_told_of_the_largest() {
        let small = [scalar("cpus", 2.0), scalar("mem", 512.0)];
        let large = [scalar("cpus", 8.0), scalar("mem", 1024.0)];
        let wanted = [("cpus", 100.0), ("mem", 128.0)];
        assert_eq!(
            fit(&agents(&[&small, &large]), "*", &wanted),
            Fit::TooBig("needs cpus 100, mem 128 MB, but the largest of 2 agents has cpus 8, mem 1024 MB".into())
        );
        assert_eq!(fit(&agents(&[&small, &large]), "*", &[("cpus", 8.0)]), Fit::Possible);
        assert_eq!(fit(&agents(&[]), "*", &wanted), Fit::NoAgents);
    }

    #[test]
    fn what_is_reserved_for_others_does_not_count() {
        let reservation = ReservationInfo { role: Some("eng".into()), ..ReservationInfo::default() };
        let total = [Resource { reservations: vec![reservation], ..scalar("cpus", 8.0) }];
        for (role, possible) in [("*", false), ("eng", true), ("eng/dev", true), ("english", false)] {
            assert_eq!(fit(&agents(&[&total]), role, &[("cpus", 1.0)]) == Fit::Possible, possible, "{role}");
        }
    }
}
