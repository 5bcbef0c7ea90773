//! Who may act as the leading master, by true time: never two at once, and nobody after its time.
//!
//! What gives authority is what the election says: a session, or a lease of the replicas of the log.

use crate::network::Process;
use std::collections::BTreeMap;
use tepui_agent::{Input, Leader};
use tepui_wire::NetInput;

/// How long before now the end of an authority counts as its own: what it let out at its last moment may be seen then.
const ROUNDING_NANOS: u64 = 10;

/// See the module's text.
#[derive(Default)]
pub struct Authority {
    /// Masters whose process lives, with their epochs, where leaders have epochs, and until when they may act.
    leading: BTreeMap<Process, (Option<u64>, u64)>,
    /// The highest epoch there was.
    highest: Option<u64>,
    /// What the detectors of agents have named.
    named: BTreeMap<Process, u64>,
}

impl Authority {
    /// The election says that this one leads until then.
    pub fn leads(&mut self, now: u64, term: Process, epoch: Option<u64>, until: u64, found: &mut Vec<String>) {
        for (other, (theirs, end)) in self.leading.iter().filter(|(other, _)| **other != term) {
            if now + ROUNDING_NANOS < *end && now < until {
                let left = (end - now) / 1000;
                found.push(format!(
                    "{term:?} leads with {epoch:?}, and so does {other:?} with {theirs:?} for {left} us"
                ));
            }
        }
        if !self.leading.contains_key(&term) && epoch.is_some() && epoch <= self.highest {
            found.push(format!("{term:?} leads with {epoch:?} after one with {:?}", self.highest));
        }
        self.highest = self.highest.max(epoch);
        self.leading.insert(term, (epoch, until));
    }

    /// A master does something that others can see.
    pub fn acts(&self, now: u64, master: Process, what: &str, found: &mut Vec<String>) {
        match self.leading.get(&master) {
            Some((_, until)) if now <= *until => {}
            Some((_, until)) => {
                found.push(format!("{master:?} {what} {} us after the end of its authority", (now - until) / 1000));
            }
            None => found.push(format!("{master:?} {what} and was not elected")),
        }
    }

    /// Its process is no more.
    pub fn ended(&mut self, master: Process) {
        self.leading.remove(&master);
    }

    /// An agent hears something; says whether that is of an older epoch than its detector has named.
    pub fn heard(&mut self, agent: Process, input: &Input) -> bool {
        let named = self.named.entry(agent).or_default();
        match input {
            Input::Leader(Leader { epoch: Some(epoch), .. }) => *named = (*named).max(*epoch),
            Input::Net(NetInput::Message(message)) => return message.epoch.is_some_and(|epoch| epoch < *named),
            _ => {}
        }
        false
    }

    /// Whether somebody leads.
    pub fn has_leader(&self, now: u64) -> bool {
        self.leading.values().any(|(_, until)| now < *until)
    }

    /// A message of the leader carries its epoch.
    pub fn speaks(&self, master: Process, epoch: Option<u64>, found: &mut Vec<String>) {
        if let Some((own, _)) = self.leading.get(&master)
            && *own != epoch
        {
            found.push(format!("{master:?} leads with {own:?} and speaks with {epoch:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Process = Process { host: 1, life: 1 };
    const OTHER: Process = Process { host: 3, life: 1 };

    #[test]
    fn two_at_once_and_an_epoch_that_does_not_rise_are_objected_to() {
        for (now, epoch, objections) in [(50, 8, 1), (150, 8, 0), (150, 7, 1), (50, 6, 2)] {
            let (mut authority, mut found) = (Authority::default(), Vec::new());
            authority.leads(0, ONE, Some(7), 100, &mut found);
            authority.leads(20, ONE, Some(7), 120, &mut found);
            assert!(found.is_empty());
            authority.leads(now, OTHER, Some(epoch), now + 100, &mut found);
            assert_eq!(found.len(), objections, "{now} {epoch}: {found:?}");
        }
    }

    #[test]
    fn nobody_acts_after_its_time_or_without_a_word_or_with_another_epoch() {
        let (mut authority, mut found) = (Authority::default(), Vec::new());
        authority.leads(0, ONE, Some(7), 100, &mut found);
        authority.acts(100, ONE, "acts", &mut found);
        authority.speaks(ONE, Some(7), &mut found);
        assert!(found.is_empty() && authority.has_leader(99) && !authority.has_leader(100));
        authority.acts(101, ONE, "acts", &mut found);
        authority.acts(10, OTHER, "acts", &mut found);
        authority.speaks(ONE, None, &mut found);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
