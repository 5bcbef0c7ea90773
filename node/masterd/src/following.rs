//! The time between terms: a follower that sends everybody to the leader.

use crate::authority::Authority;
use crate::daemon::Daemon;
use crate::read::{Reads, Source};
use crate::world;
use std::sync::Arc;
use tepui_driver::{Driver, Mailbox, Place};
use tepui_master::{Follower, follower::Input};
use tepui_proto::mesos::MasterInfo;
use tepui_wire::NetInput;

/// A follower under its driver.
pub(crate) struct Following {
    mailbox: Mailbox<Follower>,
    reads: Reads,
}

impl Following {
    /// Begins to follow; nobody is known to lead.
    pub fn begin(daemon: &Daemon, seed: u64) -> Following {
        let follower = Follower::new(daemon.config.clone(), seed).up_since(daemon.started);
        let (driver, mailbox) = Driver::new(follower, daemon.clock);
        // It claims no authority, so that there is none to end.
        let authority = Authority::unlimited(daemon.clock);
        let world = world::FromFollower { gate: daemon.gate(&authority), exit: daemon.exit.clone() };
        tokio::spawn(async move {
            // It writes nothing to a disk, so that nothing can fail.
            let _ = driver.run(world).await;
        });
        let reads = Reads::start(daemon.reader(Source::Follower(mailbox.clone()), &authority));
        Following { mailbox, reads }
    }

    /// Names the leader.
    pub fn follow(&self, leader: Option<Arc<MasterInfo>>) {
        self.mailbox.post(Input::Leader(leader));
    }

    /// Where its inputs are put.
    pub fn mailbox(&self) -> &Mailbox<Follower> {
        &self.mailbox
    }

    /// Answers a request; a message is dropped and counted.
    pub fn take(&self, input: NetInput, place: Place) {
        match input {
            NetInput::Http(id, request) => self.reads.answer(id, request),
            input => self.mailbox.take(Input::Net(input), place),
        }
    }
}
