//! A master that has no other beside it: it leads as soon as it contends, and its registrar runs. While the disk below that
//! is full nobody leads.

use super::Change;
use crate::authority::Authority;
use crate::registry::Registry;
use std::time::Duration;
use tepui_driver::Clock;

/// What ended a term may last: a registry that cannot be stored in time. The next one is not begun at once.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module's text.
pub(crate) struct Alone {
    clock: Clock,
    registry: Registry,
    contends: bool,
    /// How many times it has led.
    terms: u64,
}

impl Alone {
    pub fn new(clock: Clock, registry: Registry) -> Alone {
        Alone { clock, registry, contends: false, terms: 0 }
    }

    pub fn contend(&mut self) {
        self.contends = true;
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        if !self.contends {
            return std::future::pending().await;
        }
        if self.terms > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        self.registry.runs().await;
        self.contends = false;
        self.terms += 1;
        Change::Elected(Authority::unlimited(self.clock))
    }
}
