//! Garbage collection of the registry: unreachable and gone agents are forgotten when they are too old or too many.
//!
//! Source: Mesos `src/master/master.cpp`, `doRegistryGc`.

use crate::Master;
use crate::cx::Cx;
use crate::pending::Pending;
use crate::timers::Timer;
use imbl::OrdMap;
use std::time::Duration;
use tepui_base::AgentId;
use tepui_registry::Operation;

impl Master {
    /// Looks every `--registry_gc_interval`.
    pub(crate) fn prune_later(&mut self, cx: &mut Cx) {
        self.timers.set(cx.now.monotonic + self.config.registry_gc_interval, Timer::Prune);
    }

    /// Asks the registrar to forget what is too old or too much.
    pub(crate) fn prune(&mut self, cx: &mut Cx) {
        self.prune_later(cx);
        let (count, age) = (self.config.registry_max_agent_count, self.config.registry_max_agent_age);
        let now = cx.now.wall.as_nanos_i64();
        let unreachable = superfluous(&self.state.unreachable, now, count, age);
        let gone = superfluous(&self.state.gone, now, count, age);
        if !unreachable.is_empty() || !gone.is_empty() {
            let operation = Operation::Prune { unreachable: unreachable.clone(), gone: gone.clone() };
            self.apply(cx, operation, Pending::Prune { unreachable, gone });
        }
    }

    /// The registrar has forgotten them. One that came back meanwhile is in neither list any more.
    pub(crate) fn pruned(&mut self, unreachable: &[AgentId], gone: &[AgentId]) {
        for id in unreachable {
            if self.state.unreachable.remove(id).is_some() {
                self.known.standings.remove(id);
                self.forget_unreachable_tasks(id);
            }
        }
        for id in gone {
            self.state.gone.remove(id);
        }
    }
}

/// The oldest of those beyond `count`, and those older than `age`, oldest first.
fn superfluous(agents: &OrdMap<AgentId, i64>, now: i64, count: usize, age: Duration) -> Vec<AgentId> {
    let mut by_age: Vec<(i64, &AgentId)> = agents.iter().map(|(id, since)| (*since, id)).collect();
    by_age.sort_unstable();
    let surplus = by_age.len().saturating_sub(count);
    let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    let goes = |(at, (since, _)): &(usize, (i64, &AgentId))| *at < surplus || now.saturating_sub(*since) > age;
    by_age.into_iter().enumerate().filter(goes).map(|(_, (_, id))| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let agents: OrdMap<AgentId, i64> =
            [("a", 30), ("b", 10), ("c", 20)].into_iter().map(|(id, at)| (AgentId::from(id), at)).collect();
        let ids = |count, age| {
            let ids = superfluous(&agents, 40, count, Duration::from_nanos(age));
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(ids(3, 30).is_empty());
        assert_eq!(ids(3, 29), ["b"]);
        assert_eq!(ids(1, 30), ["b", "c"]);
        assert_eq!(ids(0, 30), ["b", "c", "a"]);
        assert_eq!(ids(2, 19), ["b", "c"]);
    }
}
