//! The network between the nodes: every message takes its own time, may be lost, come twice or be overtaken.

use super::check::NodeId;
use std::collections::BTreeMap;
use tepui_base::Rng;

const MICRO: u64 = 1_000;
/// What a message takes on a quiet path, at least and at most.
const BASE_NANOS: (u64, u64) = (50 * MICRO, 1_000 * MICRO);

/// What one direction between two nodes is like, until some time.
#[derive(Clone, Copy, Debug)]
pub enum Weather {
    /// Nothing comes through.
    Parted,
    /// Everything takes up to so many nanoseconds.
    Slow(u64),
    /// One in so many is lost.
    Lossy(u64),
    /// One in so many comes twice, the second time much later.
    Echo(u64),
}

/// All paths.
#[derive(Debug, Default)]
pub struct Network {
    weather: BTreeMap<(NodeId, NodeId), Vec<(u64, Weather)>>,
    /// Whether messages of one path keep their order, as on one connection.
    pub fifo: bool,
    last: BTreeMap<(NodeId, NodeId), u64>,
}

/// When the copies of a message arrive: none if it is lost.
pub type Arrivals = [Option<u64>; 2];

impl Network {
    /// From now on, until some time, a path is like this.
    pub fn set(&mut self, from: NodeId, to: NodeId, until: u64, weather: Weather) {
        self.weather.entry((from, to)).or_default().push((until, weather));
    }

    /// Everything is well again.
    pub fn clear(&mut self) {
        self.weather.clear();
    }

    /// Forgets weather that is over.
    pub fn sweep(&mut self, now: u64) {
        self.weather.values_mut().for_each(|all| all.retain(|(until, _)| *until > now));
        self.weather.retain(|_, all| !all.is_empty());
    }

    /// How many paths have bad weather.
    pub fn troubled(&self) -> usize {
        self.weather.len()
    }

    /// Sends a message. Nothing happens to what a node sends to itself, except that it takes a moment.
    pub fn send(&mut self, now: u64, from: NodeId, to: NodeId, rng: &mut Rng) -> Arrivals {
        let base = BASE_NANOS.0 + rng.below(BASE_NANOS.1 - BASE_NANOS.0);
        if from == to {
            return [Some(now + base / 100), None];
        }
        let mut arrivals = [Some(now + base), None];
        for (_, weather) in self.weather.get(&(from, to)).into_iter().flatten().filter(|(until, _)| *until > now) {
            match weather {
                Weather::Parted => return [None, None],
                Weather::Slow(most) => arrivals[0] = arrivals[0].map(|at| at + rng.below(*most)),
                Weather::Lossy(many) if rng.below(*many) == 0 => arrivals[0] = None,
                Weather::Echo(many) if rng.below(*many) == 0 => arrivals[1] = Some(now + rng.below(ECHO_NANOS)),
                Weather::Lossy(_) | Weather::Echo(_) => {}
            }
        }
        if self.fifo
            && let Some(at) = &mut arrivals[0]
        {
            let last = self.last.entry((from, to)).or_default();
            *at = (*at).max(*last + 1);
            *last = *at;
        }
        arrivals
    }
}

/// How late the second copy of a message may be.
const ECHO_NANOS: u64 = 5_000_000_000;
