//! Whoever asks about a task gets an answer. The registry of this world is in memory, so no agent is ever awaited.

use super::Fact;
use crate::network::HostId;
use std::collections::{BTreeMap, BTreeSet};

/// How long an answer may take.
const LIMIT_NANOS: u64 = 30_000_000_000;

#[derive(Default)]
pub struct Reconcile {
    /// Questions: by framework and task, since when.
    asked: BTreeMap<(HostId, String), u64>,
}

impl Reconcile {
    pub fn see(&mut self, now: u64, fact: &Fact, masters: &BTreeSet<HostId>, _: &mut Vec<String>) {
        match fact {
            Fact::Asked { framework, tasks } => {
                for task in tasks {
                    self.asked.entry((*framework, task.clone())).or_insert(now);
                }
            }
            // Any word about the task will do.
            Fact::Told { framework, update } => {
                self.asked.remove(&(*framework, update.task.clone()));
            }
            Fact::Connected { framework } | Fact::Subscription { of: framework } => {
                self.asked.retain(|(of, _), _| of != framework);
            }
            Fact::Ended(process) if masters.contains(&process.host) => self.asked.clear(),
            Fact::Ended(process) => self.asked.retain(|(of, _), _| *of != process.host),
            _ => {}
        }
    }

    /// A question that was taken must be answered.
    pub fn overdue(&mut self, now: u64, found: &mut Vec<String>) {
        for ((framework, task), _) in self.asked.iter().filter(|(_, since)| now > *since + LIMIT_NANOS) {
            found.push(format!("framework {framework} asked about task {task} and got no answer"));
        }
    }
}
