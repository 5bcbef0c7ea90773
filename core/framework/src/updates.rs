//! Which status updates have been seen: an agent repeats an update until it is acknowledged, and a framework must act
//! on each only once.

use std::collections::VecDeque;
use tepui_base::Map;

/// How many updates are remembered. An agent has one unacknowledged update per task in flight, and repeats come within
/// ten minutes, so this covers far more tasks than one framework runs at once; forgetting one only delivers it twice.
const MAX_REMEMBERED: usize = 65_536;

/// What to do with an update that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before: the framework gets it.
    New,
    /// The framework has it and has not acknowledged it yet: nothing to do.
    Waiting,
    /// It was acknowledged, but the acknowledgement got lost: acknowledge it again.
    AcknowledgeAgain,
}

/// The updates seen, by uuid.
#[derive(Clone, Debug, Default)]
pub struct Updates {
    acknowledged: Map<Vec<u8>, bool>,
    order: VecDeque<Vec<u8>>,
}

impl Updates {
    /// Notes the arrival of an update with this uuid.
    pub fn arrived(&mut self, uuid: &[u8]) -> Verdict {
        match self.acknowledged.get(uuid) {
            Some(true) => Verdict::AcknowledgeAgain,
            Some(false) => Verdict::Waiting,
            None => {
                self.remember(uuid.to_vec());
                Verdict::New
            }
        }
    }

    /// Notes that the framework has acknowledged an update.
    pub fn acknowledged(&mut self, uuid: &[u8]) {
        if let Some(done) = self.acknowledged.get_mut(uuid) {
            *done = true;
        }
    }

    /// The subscription ended: an acknowledgement of what waits for one could not be sent now, so the agent's next
    /// repeat is handed over again. Else a framework that tried just then would never hear of the update again.
    pub fn forget_waiting(&mut self) {
        let Updates { acknowledged, order } = self;
        order.retain(|uuid| acknowledged.get(uuid) == Some(&true));
        acknowledged.retain(|_, done| *done);
    }

    fn remember(&mut self, uuid: Vec<u8>) {
        if self.order.len() == MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.acknowledged.remove(&oldest);
        }
        self.order.push_back(uuid.clone());
        self.acknowledged.insert(uuid, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_acknowledged_before_a_disconnection_comes_again() {
        let mut updates = Updates::default();
        updates.arrived(b"open");
        updates.arrived(b"done");
        updates.acknowledged(b"done");
        updates.forget_waiting();
        assert_eq!(updates.arrived(b"open"), Verdict::New);
        assert_eq!(updates.arrived(b"done"), Verdict::AcknowledgeAgain);
    }

    #[test]
    fn a_repeat_is_told_from_a_lost_acknowledgement() {
        let mut updates = Updates::default();
        assert_eq!(updates.arrived(b"u"), Verdict::New);
        assert_eq!(updates.arrived(b"u"), Verdict::Waiting);
        updates.acknowledged(b"u");
        assert_eq!(updates.arrived(b"u"), Verdict::AcknowledgeAgain);
    }

    #[test]
    fn memory_is_bounded() {
        let mut updates = Updates::default();
        for n in 0..=MAX_REMEMBERED as u64 {
            updates.arrived(&n.to_be_bytes());
        }
        assert_eq!(updates.acknowledged.len(), MAX_REMEMBERED);
        assert_eq!(updates.arrived(&0u64.to_be_bytes()), Verdict::New);
    }
}
