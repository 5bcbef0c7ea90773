//! The writer that may run beside a replica: its election, and what it writes.
//!
//! Several positions may be under way at once, where Mesos has one. Two things keep that correct beside replicas and writers
//! of Mesos: entries are acknowledged in the order of their positions, and a new writer decides as many positions beyond the
//! end as its predecessor can have had under way (`coordinator/seal.rs`). Source: Mesos `src/log/coordinator.cpp`.

mod elect;
mod seal;
mod write;

use crate::Value;
use crate::client::RequestId;
use crate::rounds::RoundId;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tepui_base::Instant;

pub use seal::WINDOW;

/// The writer of this node, or its wish to be it.
#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    /// The highest proposal used, or seen in a refusal.
    proposal: u64,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// To be elected once the replica votes.
    Wanted,
    Electing(Electing),
    Writing(Writer),
}

/// An election under way.
#[derive(Debug)]
struct Electing {
    step: Step,
    /// How often others were ahead, or too few took part.
    failures: u32,
    wait: Duration,
    /// When the promises were asked for.
    asked: Instant,
}

#[derive(Debug)]
enum Step {
    Promising(RoundId),
    Waiting(Instant),
    /// Learning every position up to this one.
    Filling(u64),
}

/// An elected writer.
#[derive(Debug)]
struct Writer {
    proposal: u64,
    /// The position of the next entry.
    next: u64,
    /// Positions up to this one are being decided before the client hears that it is the writer.
    sealing: Option<u64>,
    in_flight: BTreeMap<u64, Pending>,
    in_flight_bytes: usize,
    backlog: VecDeque<(RequestId, Bytes)>,
    truncation: Option<Truncation>,
    /// The position of a truncation under way.
    truncating: Option<u64>,
}

/// A position under way.
#[derive(Debug)]
struct Pending {
    requests: Vec<RequestId>,
    value: Value,
    round: RoundId,
    /// A quorum has accepted it; only earlier positions are waited for.
    written: bool,
}

/// Truncations that wait to be written as one.
#[derive(Debug)]
struct Truncation {
    to: u64,
    requests: Vec<RequestId>,
}

impl Coordinator {
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Electing(Electing { step: Step::Waiting(until), .. }) => Some(*until),
            _ => None,
        }
    }

    /// The proposal of the elected writer.
    pub fn leading_with(&self) -> Option<u64> {
        match &self.state {
            State::Writing(writer) if writer.sealing.is_none() => Some(writer.proposal),
            _ => None,
        }
    }

    /// Positions under way.
    pub fn in_flight(&self) -> usize {
        match &self.state {
            State::Writing(writer) => writer.in_flight.len(),
            _ => 0,
        }
    }
}
