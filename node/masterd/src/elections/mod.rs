//! Who leads: by the kind of start, alone or among others.

mod alone;
pub(crate) mod list;
mod zookeeper;

use crate::authority::Authority;
use crate::registry::Registry;
use crate::settings::{Error, Settings};
use crate::start::Contest;
use alone::Alone;
use list::List;
use std::sync::Arc;
use tepui_driver::Clock;
use tepui_proto::mesos::MasterInfo;
use zookeeper::ZooKeeper;

/// What an election says.
pub(crate) enum Change {
    /// This master leads, under the name it contended with, as long as this lasts.
    Elected(Arc<Authority>),
    /// Another master leads, or nobody does, or nobody knows.
    Leader(Option<Arc<MasterInfo>>),
    /// There is no way to go on; why.
    Failed(String),
}

/// An election that goes on.
pub(crate) enum Elections {
    /// There is no other master.
    Alone(Alone),
    /// By a group in ZooKeeper.
    ZooKeeper(ZooKeeper),
    /// By the log of the masters themselves.
    List(List),
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
    /// Begins to follow the election that the settings ask for.
    pub fn open(settings: &Settings, clock: Clock, registry: &Registry) -> Result<Elections, Error> {
        Ok(match &settings.contest {
            Contest::Alone => Elections::Alone(Alone::new(clock, registry.clone())),
            Contest::ZooKeeper { url, session_timeout } => {
                Elections::ZooKeeper(ZooKeeper::open(url, *session_timeout, clock, registry.clone()))
            }
            Contest::Masters(_) => Elections::List(List::open(registry)?),
        })
    }

    /// Contends under this name from now on, and no longer under the one before.
    pub fn contend(&mut self, info: Arc<MasterInfo>) {
        match self {
            Elections::Alone(alone) => alone.contend(),
            Elections::ZooKeeper(zookeeper) => zookeeper.contend(info),
            Elections::List(list) => list.contend(info),
            #[cfg(test)]
            Elections::Scripted(script) => drop(script.names.send(info)),
        }
    }

    /// This master has begun to act as the leader: others may be sent to it.
    pub fn took_office(&self) {
        if let Elections::List(list) = self {
            list.took_office();
        }
    }

    /// Contends no longer, so that others can lead at once.
    pub async fn close(self) {
        match self {
            Elections::ZooKeeper(zookeeper) => zookeeper.close().await,
            Elections::List(list) => list.close().await,
            Elections::Alone(_) => {}
            #[cfg(test)]
            Elections::Scripted(_) => {}
        }
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        match self {
            Elections::Alone(alone) => alone.next().await,
            Elections::ZooKeeper(zookeeper) => zookeeper.next().await,
            Elections::List(list) => list.next().await,
            #[cfg(test)]
            Elections::Scripted(script) => script.changes.recv().await.expect("a test goes on"),
        }
    }
}
