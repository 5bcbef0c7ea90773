//! What an executor says reaches its framework, in order, and is repeated until the framework has acknowledged it.

use super::roster::Roster;
use super::{Fact, Update};
use crate::network::Process;
use std::collections::{BTreeMap, BTreeSet};
use tepui_proto::mesos::TaskState;

#[derive(Default)]
pub struct Updates {
    /// What executors have said, by task, in order, with the agent that took it.
    said: BTreeMap<String, Vec<(Vec<u8>, Process, TaskState)>>,
    told: BTreeSet<Vec<u8>>,
    acknowledged: BTreeSet<Vec<u8>>,
    /// When each update was last sent to the master.
    sent: BTreeMap<Vec<u8>, (u64, Process, String)>,
    ended: BTreeSet<Process>,
    /// Whose each task is, and when it was sent to its agent.
    owners: BTreeMap<String, (String, u64)>,
}

impl Updates {
    pub fn see(&mut self, now: u64, fact: &Fact, found: &mut Vec<String>) {
        match fact {
            Fact::ExecutorUpdate { agent, update } => {
                let said = self.said.entry(update.task.clone()).or_default();
                if said.iter().all(|(uuid, _, _)| *uuid != update.uuid) {
                    said.push((update.uuid.clone(), *agent, update.state));
                }
            }
            Fact::Run { framework, task, .. } => {
                self.owners.insert(task.clone(), (framework.clone(), now));
            }
            Fact::UpdateSent { agent, update } => {
                self.sent.insert(update.uuid.clone(), (now, *agent, update.task.clone()));
            }
            Fact::Told { update, .. } if !update.uuid.is_empty() => self.told(update, found),
            Fact::Acknowledged { uuid } => {
                self.acknowledged.insert(uuid.clone());
            }
            Fact::AcknowledgementTaken { task, uuid } if !self.acknowledged.contains(uuid) => {
                found.push(format!("an update of task {task} is acknowledged, but not by its framework"));
            }
            Fact::Ended(process) => {
                self.ended.insert(*process);
            }
            _ => {}
        }
    }

    fn told(&mut self, update: &Update, found: &mut Vec<String>) {
        if !self.told.insert(update.uuid.clone()) {
            return;
        }
        let Some(said) = self.said.get(&update.task) else { return };
        let Some(at) = said.iter().position(|(uuid, _, _)| *uuid == update.uuid) else { return };
        for (uuid, _, state) in &said[..at] {
            if !self.told.contains(uuid) {
                let (task, now) = (&update.task, update.state);
                found.push(format!("task {task}: {now:?} has overtaken {state:?}, which came before it"));
            }
        }
    }

    /// Every update has arrived and was acknowledged, and nothing is repeated any more.
    pub fn at_rest(&self, now: u64, quiet_since: u64, roster: &Roster, found: &mut Vec<String>) {
        let is_orphan =
            |task: &String| self.owners.get(task).is_some_and(|(owner, sent)| roster.was_removed_after(owner, *sent));
        for (task, said) in self.said.iter().filter(|(task, _)| !is_orphan(task)) {
            for (uuid, agent, state) in said {
                if !self.told.contains(uuid) && !self.ended.contains(agent) {
                    found.push(format!("{state:?} of task {task} never reached its framework"));
                }
            }
        }
        // The longest pause between two attempts is ten minutes, so the last twelve must show any that goes on.
        let recent = quiet_since.max(now.saturating_sub(12 * 60 * 1_000_000_000));
        // Nobody acknowledges for a framework that was removed; an agent that has not heard of its end goes on.
        for (uuid, (at, agent, task)) in self.sent.iter().filter(|(_, (_, _, task))| !is_orphan(task)) {
            if *at > recent && !self.ended.contains(agent) && now - at < 11 * 60 * 1_000_000_000 {
                let acknowledged = self.acknowledged.contains(uuid);
                found.push(format!("an update of task {task} is still sent (acknowledged: {acknowledged})"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: Process = Process { host: 1, life: 1 };
    const MINUTE: u64 = 60_000_000_000;

    fn sent(roster: &Roster) -> Vec<String> {
        let (mut updates, mut found) = (Updates::default(), Vec::new());
        let run = Fact::Run {
            framework: "F".to_owned(),
            checkpoint: false,
            agent: "S".to_owned(),
            task: "t".to_owned(),
            amount: (0, 0),
            executor: None,
        };
        updates.see(MINUTE, &run, &mut found);
        let update = Update {
            task: "t".to_owned(),
            agent: "S".to_owned(),
            uuid: vec![1],
            state: TaskState::TASK_RUNNING,
            reason: None,
            source: None,
        };
        updates.see(30 * MINUTE, &Fact::UpdateSent { agent: AGENT, update }, &mut found);
        updates.at_rest(31 * MINUTE, 2 * MINUTE, roster, &mut found);
        found
    }

    #[test]
    fn an_update_is_sent_until_it_is_acknowledged_and_for_a_removed_framework_nobody_does() {
        assert_eq!(sent(&Roster::default()).len(), 1);
        assert!(sent(&Roster::with_removal("F", 2 * MINUTE)).is_empty());
        assert_eq!(sent(&Roster::with_removal("F", MINUTE / 2)).len(), 1, "it has subscribed again since");
    }
}
