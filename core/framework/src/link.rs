//! One subscription: waiting for the next attempt, opening, open, silent for too long. Shared by the scheduler's and the
//! executor's side, which differ only in what they say once it is open.

use crate::backoff::Backoff;
use crate::exchange::ExchangeId;
use bytes::Bytes;
use std::time::Duration;
use tepui_base::{Instant, Rng};
use tepui_proto::recordio;

/// How long a SUBSCRIBE may stay unanswered. A master that has just been elected holds requests while it recovers its
/// registry, which takes a minute at most by default.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest record taken. Offers of a cluster with tens of thousands of agents come as one event.
pub const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;

/// What has come due on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is time to subscribe.
    Subscribe,
    /// The peer has been silent for longer than it promised; the exchange is to be aborted.
    Silent,
}

#[derive(Debug)]
enum State {
    Idle,
    Waiting { until: Instant },
    Opening { id: ExchangeId, until: Instant },
    Open { id: ExchangeId, decoder: recordio::Decoder, silent_at: Option<Instant> },
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    backoff: Backoff,
    /// How long the peer may be silent; unknown until it has named its heartbeat.
    patience: Option<Duration>,
    next_id: u64,
}

impl Link {
    pub fn new(backoff: Backoff) -> Link {
        Link { state: State::Idle, backoff, patience: None, next_id: 0 }
    }

    /// An id for the next request, of this link or of a call beside it.
    pub fn fresh_id(&mut self) -> ExchangeId {
        self.next_id += 1;
        ExchangeId(self.next_id)
    }

    /// Subscribes as soon as `due` is asked.
    pub fn start(&mut self, now: Instant) {
        self.state = State::Waiting { until: now };
    }

    /// A SUBSCRIBE has been put out.
    pub fn opening(&mut self, now: Instant) -> ExchangeId {
        let id = self.fresh_id();
        self.state = State::Opening { id, until: now + OPENING_TIMEOUT };
        id
    }

    /// The peer has accepted the subscription. False if it is not the one under way.
    pub fn opened(&mut self, id: ExchangeId) -> bool {
        let expected = matches!(self.state, State::Opening { id: opening, .. } if opening == id);
        if expected {
            self.patience = None;
            let decoder = recordio::Decoder::new(MAX_RECORD_BYTES);
            self.state = State::Open { id, decoder, silent_at: None };
        }
        expected
    }

    /// The records completed by a chunk. None of an exchange that is not the open one.
    pub fn records(&mut self, now: Instant, id: ExchangeId, chunk: &[u8]) -> Result<Vec<Bytes>, recordio::Error> {
        match &mut self.state {
            State::Open { id: open, decoder, silent_at } if *open == id => {
                *silent_at = self.patience.map(|patience| now + patience);
                decoder.push(chunk);
                let mut records = Vec::new();
                while let Some(record) = decoder.next_record()? {
                    records.push(record);
                }
                Ok(records)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The peer counts this subscription as made: attempts start afresh, and silence longer than `patience` ends it.
    pub fn subscribed(&mut self, now: Instant, patience: Option<Duration>) {
        self.backoff.reset();
        self.patience = patience;
        if let State::Open { silent_at, .. } = &mut self.state {
            *silent_at = patience.map(|patience| now + patience);
        }
    }

    /// Ends the present attempt or subscription, and plans the next one.
    pub fn retry(&mut self, now: Instant, rng: &mut Rng) {
        self.state = State::Waiting { until: now + self.backoff.next(rng) };
    }

    /// Ends it for good; returns the exchange to abort.
    pub fn stop(&mut self) -> Option<ExchangeId> {
        let id = self.exchange();
        self.state = State::Idle;
        id
    }

    /// The exchange under way, opening or open.
    pub fn exchange(&self) -> Option<ExchangeId> {
        match &self.state {
            State::Opening { id, .. } | State::Open { id, .. } => Some(*id),
            State::Idle | State::Waiting { .. } => None,
        }
    }

    /// Whether it waits for nothing.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// What `now` has made due.
    pub fn due(&self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match &self.state {
            State::Idle => None,
            State::Waiting { .. } => Some(Due::Subscribe),
            State::Opening { .. } | State::Open { .. } => Some(Due::Silent),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => None,
            State::Waiting { until } | State::Opening { until, .. } => Some(*until),
            State::Open { silent_at, .. } => *silent_at,
        }
    }
}
