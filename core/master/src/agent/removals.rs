//! `--agent_removal_rate_limit`: how fast agents may be given up.
//!
//! The limit keeps a broken network from taking the tasks of a whole cluster at once. As in Mesos it holds back every
//! transition to unreachable, not only removals (MESOS-7721). The first agent goes at once, each further one an interval
//! after the one before; what is over while it waits takes no turn. Source: `RateLimiter` of libprocess.

use super::unreachable::SILENT;
use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::timers::Timer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tepui_base::{AgentId, Instant, duration};
use tepui_proto::ProtoId;
use tepui_proto::mesos::AgentInfo;

/// An agent that is to be given up, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Removal {
    /// It does not answer pings.
    Silent(AgentId),
    /// Its link broke and it has not come back; valid for the disconnection with this number.
    Disconnected(AgentId, u64),
    /// It is in the registry, but has not come back since this master was elected.
    Recovered(Arc<AgentInfo>),
}

/// The queue at the limit.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    /// Nobody goes before this.
    next: Instant,
    waiting: VecDeque<Removal>,
}

impl Removals {
    /// Takes its turn at once, if it may.
    fn admit(&mut self, now: Instant, interval: Duration, removal: Removal) -> Option<Removal> {
        if self.waiting.is_empty() && now >= self.next {
            self.next = now + interval;
            return Some(removal);
        }
        self.waiting.push_back(removal);
        None
    }

    /// The one whose turn it is.
    fn due(&mut self, now: Instant, interval: Duration) -> Option<Removal> {
        if now < self.next {
            return None;
        }
        let first = self.waiting.pop_front()?;
        self.next = now + interval;
        Some(first)
    }

    /// When the next turn is, if someone waits.
    fn next(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next)
    }

    /// Takes an agent that has answered after all, or is gone, out of the queue; whether it was there.
    pub(super) fn cancel(&mut self, agent: &AgentId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != Removal::Silent(agent.clone()));
        self.waiting.len() != before
    }

    fn is_waiting(&self, agent: &AgentId) -> bool {
        self.waiting.contains(&Removal::Silent(agent.clone()))
    }
}

impl Master {
    /// Gives an agent up as soon as the limit allows.
    pub(super) fn schedule_removal(&mut self, cx: &mut Cx, removal: Removal) {
        if matches!(&removal, Removal::Silent(agent) if self.removals.is_waiting(agent)) {
            return;
        }
        self.state.metrics.count(Counter::AgentUnreachableScheduled);
        let now = cx.now.monotonic;
        let admitted = match self.config.agent_removal_interval {
            None => Some(removal),
            Some(interval) => self.removals.admit(now, interval, removal),
        };
        match admitted {
            Some(removal) => self.give_up(cx, removal),
            None => self.await_turn(),
        }
    }

    /// It is the next one's turn.
    pub(crate) fn removal_due(&mut self, cx: &mut Cx) {
        let interval = self.config.agent_removal_interval.unwrap_or_default();
        if let Some(removal) = self.removals.due(cx.now.monotonic, interval) {
            self.give_up(cx, removal);
            self.await_turn();
        }
    }

    /// The agent has answered: it need not be given up. (One that is gone another way leaves the queue uncounted, as in Mesos.)
    pub(super) fn cancel_removal(&mut self, agent: &AgentId) {
        if self.removals.cancel(agent) {
            self.state.metrics.count(Counter::AgentUnreachableCanceled);
        }
    }

    fn await_turn(&mut self) {
        if let Some(at) = self.removals.next() {
            self.timers.set(at, Timer::Removal);
        }
    }

    fn give_up(&mut self, cx: &mut Cx, removal: Removal) {
        let patience = duration::format(self.config.agent_reregister_timeout);
        let goes = match removal {
            Removal::Silent(agent) => {
                self.mark_unreachable(cx, &agent, SILENT);
                true
            }
            Removal::Disconnected(agent, number) if self.is_away(&agent, number) => {
                let text = format!("agent did not reregister within {patience} after disconnecting");
                self.mark_unreachable(cx, &agent, &text);
                true
            }
            Removal::Disconnected(..) => false,
            Removal::Recovered(info) => {
                let text = format!("did not reregister within {patience} after master failover");
                self.state.recovered_agents.contains_key(&info.id.id()) && self.mark_info_unreachable(cx, &info, &text)
            }
        };
        let counter = if goes { Counter::AgentUnreachableCompleted } else { Counter::AgentUnreachableCanceled };
        self.state.metrics.count(counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_at_once_and_the_others_at_intervals() {
        let (mut removals, interval) = (Removals::default(), Duration::from_secs(10));
        let of = |id: &str| Removal::Silent(AgentId::from(id));
        let at = |secs: u64| Instant(secs * 1_000_000_000);
        assert_eq!(removals.admit(at(5), interval, of("a")), Some(of("a")));
        assert_eq!(removals.next(), None);
        assert_eq!(removals.admit(at(6), interval, of("b")), None);
        assert_eq!(removals.admit(at(7), interval, of("c")), None);
        assert_eq!(removals.admit(at(8), interval, of("d")), None);
        assert_eq!(removals.next(), Some(at(15)));
        assert_eq!(removals.due(at(14), interval), None);
        assert!(removals.cancel(&AgentId::from("b")));
        assert!(!removals.cancel(&AgentId::from("b")));
        assert_eq!(removals.due(at(15), interval), Some(of("c")));
        assert_eq!(removals.due(at(15), interval), None);
        assert_eq!(removals.due(at(25), interval), Some(of("d")));
        assert_eq!(removals.admit(at(35), interval, of("e")), Some(of("e")), "a turn nobody took is not saved up");
        assert_eq!(removals.admit(at(35), interval, of("f")), None);
    }
}
