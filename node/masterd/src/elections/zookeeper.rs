//! Elections by a group in ZooKeeper, as in Mesos 1.11: the lowest member leads, as long as its session is sure to live.
//!
//! A master whose registrar does not run, because the disk below it is full, does not contend: it could only give the place back.

use super::Change;
use crate::authority::Authority;
use crate::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tepui_coordination::Url;
use tepui_detector::{Change as Contested, Contest};
use tepui_driver::Clock;
use tepui_proto::mesos::MasterInfo;

/// A contest, and the authority it has given.
pub(crate) struct ZooKeeper {
    contest: Contest,
    registry: Registry,
    /// Under which name it contends, or will once its registrar runs.
    info: Option<Arc<MasterInfo>>,
    is_waiting: bool,
    clock: Clock,
    authority: Option<Arc<Authority>>,
}

impl ZooKeeper {
    /// Follows the group at `url`.
    pub fn open(url: &Url, session_timeout: Duration, clock: Clock, registry: Registry) -> ZooKeeper {
        let contest = Contest::open(url, session_timeout, clock);
        ZooKeeper { contest, registry, info: None, is_waiting: false, clock, authority: None }
    }

    pub fn contend(&mut self, info: Arc<MasterInfo>) {
        self.info = Some(info);
        self.wait();
    }

    /// Leaves the group, so that others lead, until the registrar runs.
    fn wait(&mut self) {
        self.contest.withdraw();
        self.is_waiting = true;
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        loop {
            let change = tokio::select! {
                biased;
                () = self.registry.runs(), if self.is_waiting => {
                    self.is_waiting = false;
                    self.info.iter().for_each(|info| self.contest.contend(info.clone()));
                    continue;
                }
                () = self.registry.stands(), if self.info.is_some() && !self.is_waiting => {
                    self.wait();
                    continue;
                }
                change = self.contest.next() => change,
            };
            match change {
                Contested::Elected(until) => {
                    let authority = Authority::lasting(self.clock, until);
                    self.authority = Some(authority.clone());
                    return Change::Elected(authority);
                }
                Contested::Extended(until) => {
                    if let Some(authority) = &self.authority {
                        authority.extend(until);
                    }
                }
                Contested::Leader(leader) => return self.other(leader),
                Contested::Unreadable(why) => {
                    tracing::error!("Failed to detect the leading master: {why}");
                    return self.other(None);
                }
                Contested::Failed(why) => return Change::Failed(why),
            }
        }
    }

    /// Lets others lead at once.
    pub async fn close(self) {
        self.contest.close().await;
    }

    fn other(&mut self, leader: Option<Arc<MasterInfo>>) -> Change {
        // At once, not when the term hears of it.
        self.authority.take().inspect(|authority| authority.revoke());
        Change::Leader(leader)
    }
}
