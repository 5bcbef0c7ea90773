//! Elections by a group in ZooKeeper, as in Mesos 1.11: the lowest member leads, as long as its session is sure to live.

use super::Change;
use crate::authority::Authority;
use std::sync::Arc;
use std::time::Duration;
use tepui_coordination::Url;
use tepui_detector::{Change as Contested, Contest};
use tepui_driver::Clock;
use tepui_proto::mesos::MasterInfo;

/// A contest, and the authority it has given.
pub(crate) struct ZooKeeper {
    contest: Contest,
    clock: Clock,
    authority: Option<Arc<Authority>>,
}

impl ZooKeeper {
    /// Follows the group at `url`.
    pub fn open(url: &Url, session_timeout: Duration, clock: Clock) -> ZooKeeper {
        ZooKeeper { contest: Contest::open(url, session_timeout, clock), clock, authority: None }
    }

    pub fn contend(&self, info: Arc<MasterInfo>) {
        self.contest.contend(info);
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        loop {
            match self.contest.next().await {
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
