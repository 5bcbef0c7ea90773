//! The simulated network: connections, latency, partitions.
//!
//! A connection is FIFO in each direction and nothing else is: two connections between the same hosts overtake each
//! other. One that breaks loses what is in flight, and each end notices by itself. A partition swallows what is sent,
//! which stalls the connection; after a while both ends give it up, as TCP does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_base::Rng;
use tepui_framework::exchange::ExchangeId;
use tepui_wire::RequestId;

/// Names a host of the world.
pub type HostId = usize;

/// One life of a host: a host that restarts is another process at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// The host.
    pub host: HostId,
    /// How often it had been started before.
    pub life: u32,
}

/// Names a connection.
pub type ConnId = u64;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One-way messages to a process that is not watched.
    Temporary,
    /// One-way messages to a process that is watched.
    Link,
    /// HTTP requests one after another.
    Calls,
    /// One HTTP request that is answered by a stream.
    Stream(ExchangeId),
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    /// Who opened it.
    pub client: Process,
    /// Who took it.
    pub server: Process,
    /// What for.
    pub kind: Kind,
    /// Whether it is still of use.
    pub open: bool,
    /// Something was swallowed by a partition; nothing passes any more.
    pub stalled: bool,
    /// When the last packet to the server and to the client arrives, in nanoseconds.
    last: [u64; 2],
    /// Requests that wait for their answers.
    pub waiting: BTreeSet<ExchangeId>,
    /// The server's name for the stream.
    pub stream: Option<RequestId>,
    /// It was broken at the last sweep already.
    swept: bool,
}

/// A spell of bad weather between two machines.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Where packets come from, and where they go.
    pub path: (HostId, HostId),
    /// When it ends.
    pub until: u64,
    /// The longest time added to a packet; none: packets are swallowed.
    pub delay: Option<Duration>,
}

/// All connections and the weather.
#[derive(Debug, Default)]
pub struct Network {
    /// The connections that are open or have packets in flight.
    pub conns: BTreeMap<ConnId, Conn>,
    /// Whose request a server answers.
    pub requests: BTreeMap<(Process, RequestId), (ConnId, ExchangeId)>,
    weather: Vec<Weather>,
    next_conn: ConnId,
}

impl Network {
    /// A new connection.
    pub fn open(&mut self, client: Process, server: Process, kind: Kind) -> ConnId {
        self.next_conn += 1;
        let conn = Conn {
            client,
            server,
            kind,
            open: true,
            stalled: false,
            last: [0; 2],
            waiting: BTreeSet::new(),
            stream: None,
            swept: false,
        };
        self.conns.insert(self.next_conn, conn);
        self.next_conn
    }

    /// Whether a connection can be used.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|conn| conn.open)
    }

    /// Starts a spell of bad weather.
    pub fn add_weather(&mut self, weather: Weather) {
        self.weather.push(weather);
    }

    /// Fine weather from now on.
    pub fn clear(&mut self) {
        self.weather.clear();
    }

    /// Whether packets on this path are swallowed now.
    pub fn is_parted(&mut self, now: u64, path: (HostId, HostId)) -> bool {
        self.weather.retain(|weather| weather.until > now);
        self.weather.iter().any(|weather| weather.path == path && weather.delay.is_none())
    }

    /// When a packet put on a connection now arrives.
    pub fn arrival(&mut self, now: u64, conn: ConnId, to_server: bool, path: (HostId, HostId), rng: &mut Rng) -> u64 {
        let mut at = now + self.latency(now, path, rng);
        if let Some(conn) = self.conns.get_mut(&conn) {
            let last = &mut conn.last[usize::from(!to_server)];
            at = at.max(*last + 1);
            *last = at;
        }
        at
    }

    /// How long one packet takes by itself.
    pub fn latency(&mut self, now: u64, path: (HostId, HostId), rng: &mut Rng) -> u64 {
        if path.0 == path.1 {
            return 20_000 + rng.below(60_000);
        }
        let mut nanos = 100_000 + rng.below(900_000);
        for weather in self.weather.iter().filter(|weather| weather.path == path && weather.until > now) {
            nanos += weather.delay.map_or(0, |delay| rng.up_to(delay).as_nanos() as u64);
        }
        nanos
    }

    /// Forgets connections that broke before the last sweep: both ends have noticed.
    pub fn sweep(&mut self) {
        self.conns.retain(|_, conn| conn.open || !std::mem::replace(&mut conn.swept, true));
    }

    /// The open connections that a process is an end of.
    pub fn of(&self, process: Process) -> Vec<ConnId> {
        let is_end = |conn: &Conn| conn.open && (conn.client == process || conn.server == process);
        self.conns.iter().filter(|(_, conn)| is_end(conn)).map(|(id, _)| *id).collect()
    }
}
