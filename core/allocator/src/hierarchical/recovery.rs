//! After a failover: no offers until most agents are back.
//!
//! Without this, quota would be filled from the few agents that come back first, and others go short for as long as the
//! tasks run. So it holds only when there is quota.

use super::Hierarchical;
use crate::input::RoleQuota;
use tepui_base::{Instant, Now};

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    /// So many agents are enough.
    agents: usize,
    /// Whoever is missing then is not waited for any more.
    until: Instant,
}

impl Recovery {
    /// When the wait ends at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.until
    }
}

impl Hierarchical {
    /// The master knows how many agents there were, and the quota; see `HierarchicalAllocatorProcess::recover`.
    pub(super) fn await_agents(&mut self, expected: usize, quotas: Vec<RoleQuota>, now: Now) {
        if quotas.is_empty() {
            return;
        }
        for quota in quotas {
            self.update_quota(&quota.role, quota.guarantees, quota.limits);
        }
        let agents = (expected as f64 * self.options.agent_recovery_factor) as usize;
        if agents > 0 {
            self.paused = true;
            self.recovery = Some(Recovery { agents, until: now.monotonic + self.options.recovery_timeout });
        }
    }

    /// An agent was added: perhaps that is enough.
    pub(super) fn note_arrival(&mut self) {
        if self.recovery.is_some_and(|recovery| self.agents.len() >= recovery.agents) {
            self.resume();
        }
    }

    /// The wait ends when its time is over.
    pub(super) fn end_recovery(&mut self, time: Instant) {
        if self.recovery.is_some_and(|recovery| recovery.until <= time) {
            self.resume();
        }
    }

    /// Offers are made again, from the next interval on.
    pub(super) fn resume(&mut self) {
        self.paused = false;
        self.recovery = None;
    }
}
