//! Who is subscribed as which framework, by what the master is told and says: one instance at a time, none before its
//! time is over turned away, none after it let in again.
//!
//! The other checkers ask here whether a call comes from a framework's present subscription.

use super::Fact;
use crate::host::{FAILED_OVER, REMOVED};
use crate::network::HostId;
use std::collections::{BTreeMap, BTreeSet};
use tepui_proto::mesos::FrameworkInfo;
use tepui_proto::mesos::framework_info::capability::Type as Capability;

/// How late the master may notice that a framework's time is over.
const SLACK_NANOS: u64 = 1_000_000_000;

/// The way from the master to an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// An open stream, by the number of its request.
    Stream(u64),
    /// A libprocess process.
    Pid(String),
}

/// A framework as the master must know it.
#[derive(Debug)]
pub struct Entry {
    /// Where its present or last instance is.
    pub via: Via,
    /// The host of that instance.
    host: HostId,
    /// Whether the master can reach it.
    pub connected: bool,
    /// When the master noticed that it cannot.
    lost_at: u64,
    patience: u64,
    /// Whether it knows the words for tasks out of sight.
    pub aware: bool,
}

#[derive(Default)]
pub struct Roster {
    /// Frameworks by id.
    pub frameworks: BTreeMap<String, Entry>,
    /// Those this master has removed.
    pub removed: BTreeSet<String>,
    /// Those any master has removed, and that have not subscribed with a later one.
    ever_removed: BTreeSet<String>,
    /// When each framework was removed last, by any master.
    removals: BTreeMap<String, u64>,
    /// The ids of streams.
    streams: BTreeMap<u64, String>,
    /// What each host said of itself last.
    infos: BTreeMap<HostId, FrameworkInfo>,
    /// Who was told something final in this step.
    told: Vec<(HostId, Via, String)>,
}

/// A negative timeout is never over.
fn nanos(info: &FrameworkInfo) -> u64 {
    let nanos = info.failover_timeout.unwrap_or(0.0) * 1e9;
    if nanos <= -1.0 { u64::MAX } else { nanos as u64 }
}

impl Roster {
    /// The framework that is reached this way, if it is connected.
    pub fn at(&self, via: &Via) -> Option<(&String, &Entry)> {
        self.frameworks.iter().find(|(_, entry)| entry.connected && entry.via == *via)
    }

    /// The framework whose instance is or was reached this way last.
    pub fn known_at(&self, via: &Via) -> Option<&String> {
        self.frameworks.iter().find(|(_, entry)| entry.via == *via).map(|(id, _)| id)
    }

    /// Whether the framework's present instance is there.
    pub fn is_present_host(&self, framework: &str, host: HostId) -> bool {
        self.frameworks.get(framework).is_some_and(|entry| entry.connected && entry.host == host)
    }

    /// Whether a call under this stream id is one of the framework's present instance.
    pub fn is_present_stream(&self, framework: &str, stream_id: &str) -> bool {
        self.frameworks.get(framework).is_some_and(|entry| match &entry.via {
            Via::Stream(request) => entry.connected && self.streams.get(request).is_some_and(|id| id == stream_id),
            Via::Pid(_) => false,
        })
    }

    /// Whether a message of this process is one of the framework's present instance.
    pub fn is_present_pid(&self, framework: &str, pid: &str) -> bool {
        let is_it = |entry: &Entry| entry.connected && matches!(&entry.via, Via::Pid(own) if own == pid);
        self.frameworks.get(framework).is_some_and(is_it)
    }

    /// One in which a framework was removed at this moment.
    #[cfg(test)]
    pub fn with_removal(framework: &str, moment: u64) -> Roster {
        Roster { removals: BTreeMap::from([(framework.to_owned(), moment)]), ..Roster::default() }
    }

    /// One whose framework has its present instance there, for a test.
    #[cfg(test)]
    pub fn with_host(framework: &str, host: HostId) -> Roster {
        let via = Via::Stream(0);
        let entry = Entry { via, host, connected: true, lost_at: 0, patience: 0, aware: true };
        Roster { frameworks: BTreeMap::from([(framework.to_owned(), entry)]), ..Roster::default() }
    }

    /// When the framework was removed last, if it ever was.
    pub fn removed_at(&self, framework: &str) -> Option<u64> {
        self.removals.get(framework).copied()
    }

    /// Whether the framework was removed after this moment: nobody is told of the tasks it had then.
    pub fn was_removed_after(&self, framework: &str, moment: u64) -> bool {
        self.removals.get(framework).is_some_and(|removal| *removal >= moment)
    }

    /// Whether the framework was removed by a master before this one, and this one knows it from agents at most. Those
    /// that had not heard of the end run its tasks on, and nobody will ever stop them: so it is in Mesos.
    pub fn is_orphan(&self, framework: &str) -> bool {
        let known = self.removed.contains(framework) || self.frameworks.contains_key(framework);
        !known && self.ever_removed.contains(framework)
    }

    /// Whether the framework is connected.
    pub fn is_connected(&self, framework: &str) -> bool {
        self.frameworks.get(framework).is_some_and(|entry| entry.connected)
    }

    pub fn see(&mut self, now: u64, fact: &Fact, found: &mut Vec<String>) {
        match fact {
            Fact::Subscribing { host, info } => {
                self.infos.insert(*host, (**info).clone());
            }
            Fact::StreamOpened { request, stream_id } => {
                self.streams.insert(*request, stream_id.clone());
            }
            Fact::Subscribed { framework, host, via } => self.subscribed(now, framework, *host, via, found),
            Fact::Refused { host, via, text } => self.told.push((*host, via.clone(), text.clone())),
            Fact::FrameworkLost { framework } => {
                if let Some(entry) = self.frameworks.get_mut(framework) {
                    entry.connected = false;
                    entry.lost_at = now;
                }
            }
            Fact::Call { framework, call, .. } if call.r#type == Some(super::CallType::UPDATE_FRAMEWORK) => {
                if let Some(entry) = self.frameworks.get_mut(framework) {
                    entry.patience = nanos(&call.update_framework.framework_info);
                }
            }
            Fact::Call { framework, call, .. } if call.r#type == Some(super::CallType::TEARDOWN) => {
                self.remove(now, framework);
            }
            Fact::FrameworkShutdown { framework } => self.shut_down(now, framework, found),
            Fact::Says { via, update, .. } if self.at(via).is_none() => {
                found.push(format!("news of task {} goes to {via:?}, where no framework is subscribed", update.task));
            }
            Fact::Offered { via, offer, .. } if self.at(via).is_none() => {
                found.push(format!("offer {offer} goes to {via:?}, where no framework is subscribed"));
            }
            Fact::StepEnd => self.step_end(now, found),
            Fact::MasterEnded => {
                self.frameworks.clear();
                self.removed.clear();
                self.streams.clear();
                self.told.clear();
            }
            _ => {}
        }
    }

    fn subscribed(&mut self, now: u64, framework: &str, host: HostId, via: &Via, found: &mut Vec<String>) {
        if self.removed.contains(framework) {
            found.push(format!("framework {framework} was removed and is let in again"));
        }
        if let Some(old) = self.frameworks.get(framework) {
            let told = |(_, to, text): &(HostId, Via, String)| *to == old.via && text == FAILED_OVER;
            if old.connected && old.via != *via && !self.told.iter().any(told) {
                found.push(format!("framework {framework} was taken over, and {:?} is not told", old.via));
            }
            if !old.connected && now > old.lost_at.saturating_add(old.patience).saturating_add(SLACK_NANOS) {
                found.push(format!("framework {framework} is let in although its time was over"));
            }
        }
        // A new master does not know whom the old one has removed.
        self.ever_removed.remove(framework);
        let info = self.infos.get(&host);
        let has = |info: &FrameworkInfo, kind| info.capabilities.iter().any(|has| has.r#type == Some(kind));
        let entry = Entry {
            via: via.clone(),
            host,
            connected: true,
            lost_at: 0,
            patience: info.map_or(0, nanos),
            aware: info.is_some_and(|info| has(info, Capability::PARTITION_AWARE)),
        };
        self.frameworks.insert(framework.to_owned(), entry);
    }

    fn remove(&mut self, now: u64, framework: &str) {
        self.removals.insert(framework.to_owned(), now);
        self.frameworks.remove(framework);
        self.removed.insert(framework.to_owned());
        self.ever_removed.insert(framework.to_owned());
    }

    fn is_time_over(&self, now: u64, framework: &str) -> bool {
        self.frameworks
            .get(framework)
            .is_some_and(|entry| !entry.connected && now >= entry.lost_at.saturating_add(entry.patience))
    }

    fn shut_down(&mut self, now: u64, framework: &str, found: &mut Vec<String>) {
        if self.removed.contains(framework) {
            return;
        }
        if !self.is_time_over(now, framework) {
            let entry = self.frameworks.get(framework);
            found.push(format!("framework {framework} is removed before its time is over: {entry:?}"));
        }
        self.remove(now, framework);
    }

    /// What an instance was told must be so once everything else of the step was said.
    fn step_end(&mut self, now: u64, found: &mut Vec<String>) {
        for (host, via, text) in std::mem::take(&mut self.told) {
            let subscribed = self.at(&via).map(|(id, _)| id.clone());
            let own = self.infos.get(&host).map(|info| info.id.value.clone()).unwrap_or_default();
            match text.as_str() {
                REMOVED if self.removed.contains(&own) => {}
                // There was no agent to be told of it.
                REMOVED if self.is_time_over(now, &own) => self.remove(now, &own),
                REMOVED => found.push(format!("framework {own} is told that it was removed, and it was not")),
                _ => {
                    if let Some(id) = subscribed {
                        found.push(format!("{via:?} is told '{text}', but is subscribed as framework {id}"));
                    }
                }
            }
        }
    }
}
