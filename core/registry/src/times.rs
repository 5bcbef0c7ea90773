//! How long the registrar waits for what keeps the registry (`registrar/state_fetch_ms`, `registrar/state_store_ms`).

use tepui_base::Instant;
use tepui_base::series::{Series, Statistics};

/// What is measured of a registrar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Operations that wait for a store.
    pub queued: usize,
    /// How long the last fetch took, in milliseconds. Mesos tells no more of fetches.
    pub fetch: Option<f64>,
    /// How long stores took, in milliseconds.
    pub store: Option<Statistics>,
    /// Of the log, if there is one: whether its replica votes.
    pub log_recovered: Option<bool>,
    /// How many members the log's group has, if there is a log.
    pub ensemble_size: Option<usize>,
}

/// The times of fetches and stores.
#[derive(Debug, Default)]
pub(crate) struct Times {
    fetch: Option<f64>,
    store: Series,
}

impl Times {
    pub fn fetched(&mut self, began: Instant, ended: Instant) {
        self.fetch = Some(millis(began, ended));
    }

    pub fn stored(&mut self, began: Instant, ended: Instant) {
        self.store.push(ended, millis(began, ended));
    }

    pub fn figures(&self) -> Figures {
        Figures { fetch: self.fetch, store: self.store.statistics(), ..Figures::default() }
    }
}

fn millis(began: Instant, ended: Instant) -> f64 {
    ended.since(began).as_secs_f64() * 1e3
}
