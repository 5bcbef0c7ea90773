//! What a run has to say for itself.

use crate::kind::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// An hour with less than this has tested too little to count.
const MIN_FAULTS: u64 = 60;

/// What is counted in one world, or in many.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Events handled.
    pub events: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults by what the cluster was about when they came.
    pub phases: BTreeMap<&'static str, u64>,
    /// What was done, by its name.
    pub done: BTreeMap<&'static str, u64>,
    /// Simulated time, in nanoseconds.
    pub nanos: u64,
    /// Of that with faults, in nanoseconds.
    pub fault_nanos: u64,
    /// Worlds that count, and all.
    pub worlds: (u64, u64),
}

impl Tally {
    /// A fault of this kind came in this phase.
    pub fn fault(&mut self, kind: &'static str, phase: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
        *self.phases.entry(phase).or_default() += 1;
    }

    fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Adds another world's.
    pub fn add<K: Kind>(&mut self, other: &Tally) {
        self.events += other.events;
        self.nanos += other.nanos;
        self.fault_nanos += other.fault_nanos;
        sum(&mut self.faults, &other.faults);
        sum(&mut self.phases, &other.phases);
        sum(&mut self.done, &other.done);
        let (what, least) = K::ENOUGH;
        let counts = other.fault_count() >= MIN_FAULTS && other.done.get(what).is_some_and(|done| *done >= least);
        self.worlds = (self.worlds.0 + u64::from(counts), self.worlds.1 + 1);
    }

    /// The text for people.
    pub fn text<K: Kind>(&self, took: Duration) -> String {
        let seconds = took.as_secs_f64().max(1e-9);
        let (what, least) = K::ENOUGH;
        format!(
            "simulated {:.2} hours in {seconds:.1} s, {:.1} hours with faults a minute; {}\n\
             {} events, {:.0} per second\n\
             {} faults: {}\n\
             when they came: {}\n\
             {}\n\
             {} of {} hours count (at least {MIN_FAULTS} faults and {least} {what} each)",
            self.nanos as f64 / 3.6e12,
            self.fault_nanos as f64 / 3.6e12 * 60.0 / seconds,
            K::CAST,
            self.events,
            self.events as f64 / seconds,
            self.fault_count(),
            listing(&self.faults),
            listing(&self.phases),
            listing(&self.done),
            self.worlds.0,
            self.worlds.1,
        )
    }
}

fn sum(into: &mut BTreeMap<&'static str, u64>, from: &BTreeMap<&'static str, u64>) {
    for (what, count) in from {
        *into.entry(what).or_default() += count;
    }
}

fn listing(counts: &BTreeMap<&'static str, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    parts.join(", ")
}
