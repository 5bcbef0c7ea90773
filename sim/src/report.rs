//! What a run has to say for itself.

use std::collections::BTreeMap;
use std::time::Duration;

/// An hour with less than this has tested too little to count.
pub const MIN_FAULTS: u64 = 60;
/// See [`MIN_FAULTS`].
pub const MIN_TRANSITIONS: u64 = 1000;

/// What is counted in one world.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Events handled.
    pub events: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults by what the cluster was about when they came.
    pub phases: BTreeMap<&'static str, u64>,
    /// Updates made by executors.
    pub transitions: u64,
    /// Tasks sent to agents.
    pub tasks: u64,
    /// Simulated time, in nanoseconds.
    pub nanos: u64,
    /// Hours that count, and all.
    pub hours: (u64, u64),
}

impl Tally {
    /// All faults.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Adds another world's.
    pub fn add(&mut self, other: &Tally) {
        self.events += other.events;
        self.transitions += other.transitions;
        self.tasks += other.tasks;
        self.nanos += other.nanos;
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (phase, count) in &other.phases {
            *self.phases.entry(phase).or_default() += count;
        }
        let counts = other.fault_count() >= MIN_FAULTS && other.transitions >= MIN_TRANSITIONS;
        self.hours = (self.hours.0 + u64::from(counts), self.hours.1 + 1);
    }

    /// The text for people.
    pub fn text(&self, agents: usize, frameworks: usize, took: Duration) -> String {
        let seconds = took.as_secs_f64().max(1e-9);
        format!(
            "simulated {:.2} hours in {seconds:.1} s; {agents} agents, {frameworks} frameworks\n\
             {} events, {:.0} per second\n\
             {} faults: {}\n\
             when they came: {}\n\
             {} tasks, {} task transitions\n\
             {} of {} hours count (at least {MIN_FAULTS} faults and {MIN_TRANSITIONS} transitions each)",
            self.nanos as f64 / 3.6e12,
            self.events,
            self.events as f64 / seconds,
            self.fault_count(),
            listing(&self.faults),
            listing(&self.phases),
            self.tasks,
            self.transitions,
            self.hours.0,
            self.hours.1,
        )
    }
}

fn listing(counts: &BTreeMap<&'static str, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    parts.join(", ")
}
