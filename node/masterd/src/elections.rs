//! Who leads: by the kind of start, alone or among others.

use crate::authority::Authority;
use std::sync::Arc;
use std::time::Duration;
use tepui_driver::Clock;
use tepui_proto::mesos::MasterInfo;

/// What an election says.
pub(crate) enum Change {
    /// This master leads, under the name it contended with, as long as this lasts.
    Elected(Arc<Authority>),
    /// Another master leads, or nobody does, or nobody knows.
    Leader(Option<Arc<MasterInfo>>),
    /// There is no way to go on; why.
    #[allow(dead_code, reason = "a single master cannot fail")]
    Failed(String),
}

/// An election that goes on.
pub(crate) enum Elections {
    /// There is no other master.
    Alone(Alone),
    /// What a test says.
    #[cfg(test)]
    Scripted(Script),
}

/// The changes of a test, and the names it was contended under.
#[cfg(test)]
pub(crate) struct Script {
    pub changes: tokio::sync::mpsc::UnboundedReceiver<Change>,
    pub names: tokio::sync::mpsc::UnboundedSender<Arc<MasterInfo>>,
}

impl Elections {
    /// Contends under this name from now on, and no longer under the one before.
    pub fn contend(&mut self, #[allow(unused_variables)] info: Arc<MasterInfo>) {
        match self {
            Elections::Alone(alone) => alone.contends = true,
            #[cfg(test)]
            Elections::Scripted(script) => drop(script.names.send(info)),
        }
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        match self {
            Elections::Alone(alone) => alone.next().await,
            #[cfg(test)]
            Elections::Scripted(script) => script.changes.recv().await.expect("a test goes on"),
        }
    }
}

/// A master that leads as soon as it contends.
pub(crate) struct Alone {
    clock: Clock,
    contends: bool,
    /// How many times it has led.
    terms: u64,
}

/// What ended a term may last: a full disk. The next one is not begun at once.
const PAUSE: Duration = Duration::from_secs(1);

impl Alone {
    pub fn new(clock: Clock) -> Alone {
        Alone { clock, contends: false, terms: 0 }
    }

    async fn next(&mut self) -> Change {
        if !self.contends {
            return std::future::pending().await;
        }
        if self.terms > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        self.contends = false;
        self.terms += 1;
        Change::Elected(Authority::unlimited(self.clock))
    }
}
