//! Pings: each agent is asked every `--agent_ping_timeout` whether it is there.
//!
//! Each has an observer of its own, a process id at the master's address that the agent answers to
//! (`slave-observer(N)`). Source: Mesos `src/master/master.cpp`, `SlaveObserver`.

use super::removals::Removal;
use crate::Master;
use crate::cx::Cx;
use crate::timers::Timer;
use tepui_proto::mesos::internal::PingAgentMessage;
use tepui_wire::Upid;

/// The number of an observer's process id, if it is one.
pub(crate) fn observer_number(process: &str) -> Option<u64> {
    process.strip_prefix("slave-observer(")?.strip_suffix(')')?.parse().ok()
}

impl Master {
    /// Counts a ping that was not answered, gives the agent up after too many, and asks again in any case.
    pub(crate) fn ping_due(&mut self, cx: &mut Cx, observer: u64) {
        let Some(id) = self.addresses.observers.get(&observer).cloned() else { return };
        let limit = self.config.max_agent_ping_timeouts;
        let agent = self.state.agent_mut(&id).expect("an observed agent is registered");
        if agent.pinged {
            agent.missed_pings += 1;
        }
        let lost = agent.missed_pings >= limit;
        agent.pinged = true;
        let (pid, connected) = (agent.pid.clone(), agent.connected);
        if lost && !self.known.marking_unreachable.contains(&id) {
            self.schedule_removal(cx, Removal::Silent(id));
        }
        let from = Upid::new(&format!("slave-observer({observer})"), self.config.pid.ip, self.config.pid.port);
        cx.send(&from, &pid, &PingAgentMessage { connected, ..Default::default() });
        self.timers.set(cx.now.monotonic + self.config.agent_ping_timeout, Timer::Ping(observer));
    }

    /// The agent is there. If it was to be given up as soon as the limit allows, it stays.
    pub(crate) fn pong(&mut self, observer: u64) {
        let Some(id) = self.addresses.observers.get(&observer).cloned() else { return };
        if let Some(agent) = self.state.agent_mut(&id) {
            agent.pinged = false;
            agent.missed_pings = 0;
        }
        self.cancel_removal(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_are_told_from_other_processes() {
        assert_eq!(observer_number("slave-observer(7)"), Some(7));
        for other in ["slave-observer", "slave-observer()", "slave-observer(-1)", "master", "slave(1)"] {
            assert_eq!(observer_number(other), None, "{other}");
        }
    }
}
