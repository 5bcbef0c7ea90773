//! Metrics: which names there are, and which move when the same things happen.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::actor::Record;
use super::exchange::Response;
use super::json::{self, Json};
use super::target::{Daemon, Target};

/// What moves by itself, by the machine's load, or by how often something is looked at.
const RESTLESS: [&str; 15] = [
    "system/",
    "_secs",
    "_ms",
    "event_queue",
    "allocation_run",
    "registrar/",
    "gc/",
    "containerizer/",
    "offer_filters",
    "resource_offers",
    "http_cache_hits",
    "/offers/",
    "/events/offers",
    "/events/rescind",
    // Sent by an agent some time after it registered: before or after the first snapshot.
    "messages_update_slave",
];

/// Names that exist once something has happened.
const OF_EVENTS: [&str; 2] = ["master/task_", "frameworks/"];

/// The numbers of one moment, by name; a framework's own name loses its id.
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// Asks a daemon. Two daemons in one process show one set, so each sees its own part of the names.
    pub fn take(target: &Target, daemon: Daemon) -> Result<Snapshot> {
        let answer = target.get(daemon, "/metrics/snapshot")?;
        let json = json::parse(&String::from_utf8_lossy(&answer.body)).context("/metrics/snapshot is not JSON")?;
        let Json::Object(entries) = json else { anyhow::bail!("/metrics/snapshot is not an object") };
        let own = |name: &str| match daemon {
            Daemon::Agent => of_agent(name),
            Daemon::Master => !of_agent(name),
        };
        let entries = entries.into_iter().filter(|(name, _)| own(name));
        Ok(Snapshot(entries.map(|(name, value)| (name, value.to_string())).collect()))
    }

    /// The names, as JSON; without those of frameworks, of the driver that hosts a cluster, and of what only stands
    /// there once there are two samples.
    pub fn names(&self) -> String {
        let passing =
            |name: &str| name.contains("/frameworks/") || name.starts_with("scheduler/") || name.contains("_ms/");
        listed(self.0.keys().filter(|name| !passing(name)).map(|name| (name.as_str(), "there")))
    }

    /// The names of what changed, and by how much, as JSON.
    pub fn moved_since(&self, before: &Snapshot) -> String {
        // The sum of a framework's events has offers among them.
        let steady = |name: &str| !name.ends_with("/events") && !RESTLESS.iter().any(|word| name.contains(word));
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let moved = self.0.iter().filter(|(name, _)| steady(name)).filter_map(|(name, value)| {
            let by = number(Some(value)) - number(before.0.get(name));
            (by != 0.0).then(|| (name.as_str(), format!("{by:.3}")))
        });
        listed(moved)
    }
}

/// The recorded names, and those of them that a target has: to be compared as two answers.
pub fn golden(list: &Path, target: &Target) -> Result<[Record; 2]> {
    let text = std::fs::read_to_string(list).with_context(|| list.display().to_string())?;
    let master = Snapshot::take(target, Daemon::Master)?;
    let agent = Snapshot::take(target, Daemon::Agent)?;
    // What a name counts may not have happened here.
    let always = text.lines().filter(|name| !OF_EVENTS.iter().any(|start| name.starts_with(start)));
    let there = |name: &&str| master.0.contains_key(*name) || agent.0.contains_key(*name);
    let of = |names: Vec<&str>| Record {
        name: "metrics-golden".to_owned(),
        answer: Response {
            body: listed(names.iter().map(|name| (*name, "there"))).into_bytes(),
            ..Response::default()
        },
    };
    Ok([of(always.clone().collect()), of(always.filter(there).collect())])
}

fn of_agent(name: &str) -> bool {
    ["slave/", "containerizer/", "gc/", "resource_provider_manager/"].iter().any(|start| name.starts_with(start))
}

fn listed<'a>(entries: impl Iterator<Item = (&'a str, impl AsRef<str>)>) -> String {
    let entries = entries.map(|(name, value)| (name.to_owned(), Json::Text(value.as_ref().to_owned())));
    Json::Object(entries.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_told_with_the_distance() {
        let of = |pairs: &[(&str, &str)]| {
            Snapshot(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let before = of(&[("master/tasks_lost", "1.0"), ("master/elected", "1.0"), ("system/load_1min", "1.0")]);
        let after = of(&[("master/tasks_lost", "3.0"), ("master/elected", "1.0"), ("system/load_1min", "2.0")]);
        assert_eq!(after.moved_since(&before), r#"{"master/tasks_lost":"2.000"}"#);
    }
}
