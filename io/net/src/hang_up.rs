//! A process that begins anew while its node goes on: a master that has stepped down.
//!
//! To its peers it must look as if it had died, for it has forgotten all it said to them; and what it has said and has not
//! left yet must not leave any more. Other processes of the node live on, and those they speak with are spared.

use crate::node::{Node, Outlet};
use crate::outbound;
use crate::shared::Shared;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::{Arc, OnceLock, PoisonError};

impl Node {
    /// Peers whose connections stay when a process starts over: the other replicas of a log. Takes the place of those named
    /// before.
    pub fn spare(&self, peers: BTreeSet<SocketAddrV4>) {
        *self.shared.spared.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }
}

impl Outlet {
    /// Breaks with everybody: the connections of open requests close without an answer, streams end, links are forgotten,
    /// messages that wait are dropped, and every connection of the node closes but those of peers that are spared. The
    /// process itself lives on; what waits in its inbox was sent to what it was before.
    pub fn start_over(&self) {
        let shared = &self.shared;
        // First, so that connections close rather than tell of requests that nobody answers.
        shared.hung_up.send_modify(|times| *times += 1);
        shared.exchanges.end_process(&self.mailbox);
        let exits = outbound::hang_up(shared, &self.upid());
        shared.deliver_exits(exits);
    }
}

/// Who speaks on a connection, once a message has said so.
pub(crate) type Speaker = OnceLock<SocketAddrV4>;

/// Returns when a connection is to close because a process started over.
pub(crate) async fn hung_up(shared: &Arc<Shared>, speaker: &Speaker) {
    let mut times = shared.hung_up.subscribe();
    // The sender lives in `shared`, so that the wait cannot fail.
    while times.changed().await.is_ok() {
        if speaker.get().is_none_or(|speaker| !shared.is_spared(speaker)) {
            return;
        }
    }
}
