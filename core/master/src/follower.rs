//! A master that does not lead: it answers for itself what every master does, and sends everybody else to the leader.
//!
//! It has no authority and keeps nothing but who leads. Messages are dropped and counted: agents and frameworks of Mesos
//! look for the leader themselves. When this master is elected, a [`crate::Master`] takes its place until its term is
//! over. Source: Mesos `src/master/master.cpp` (`consume`, `detected`), `src/master/http.cpp`.

use crate::metrics::Counter;
use crate::{Config, Effect, Snapshot, master_info, view};
use std::sync::Arc;
use tepui_api::NoHost;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::{DomainInfo, MasterInfo};
use tepui_wire::{NetEffect, NetInput};

/// What a follower can learn.
#[derive(Clone, Debug)]
pub enum Input {
    /// From the network.
    Net(NetInput),
    /// Who leads now; nobody, or nobody knows, if none.
    Leader(Option<Arc<MasterInfo>>),
}

/// A master that does not lead.
#[derive(Debug)]
pub struct Follower {
    state: Snapshot,
}

impl Follower {
    /// A follower that knows of no leader. `seed` is that of the term which begins if it is elected.
    pub fn new(config: Config, seed: u64) -> Follower {
        let info = Arc::new(master_info(&config, seed));
        let mut state = Snapshot::new(Arc::new(config), info);
        state.leader = None;
        Follower { state }
    }

    /// The process has been up since then.
    #[must_use]
    pub fn up_since(mut self, started: tepui_base::Wall) -> Follower {
        self.state.started = Some(started);
        self
    }

    /// All that views can show of it; [`view::respond`] answers every request from this.
    pub fn snapshot(&self) -> Snapshot {
        self.state.clone()
    }

    fn net(&mut self, input: NetInput, out: &mut Outbox<Effect>) {
        match input {
            NetInput::Http(id, request) => {
                let response = view::respond(&self.state, &NoHost, &request);
                out.push(Effect::Net(NetEffect::Respond(id, response)));
            }
            NetInput::Message(_) => self.state.metrics.count(Counter::DroppedMessages),
            NetInput::Exited(_) | NetInput::StreamClosed(_) => {}
        }
    }

    /// Masters of one cluster stand in one region.
    fn follow(&mut self, leader: Option<Arc<MasterInfo>>, out: &mut Outbox<Effect>) {
        let theirs = leader.as_ref().and_then(|leader| leader.domain.as_option());
        if let (Some(theirs), Some(ours)) = (theirs, &self.state.config.domain)
            && region(theirs).zip(region(ours)).is_some_and(|(theirs, ours)| theirs != ours)
        {
            let why = format!(
                "Leading master uses domain {}; this master is configured to use domain {}; all masters in the same \
                 cluster must use the same region",
                json::to_string(theirs, Names::V0),
                json::to_string(ours, Names::V0),
            );
            out.push(Effect::Exit(why));
        }
        self.state.leader = leader;
    }
}

fn region(domain: &DomainInfo) -> Option<&str> {
    Some(&domain.fault_domain.as_option()?.region.name)
}

impl Machine for Follower {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        self.tick(now, out);
        match input {
            Input::Net(input) => self.net(input, out),
            Input::Leader(leader) => self.follow(leader, out),
        }
    }

    fn tick(&mut self, now: Now, _: &mut Outbox<Effect>) {
        self.state.started.get_or_insert(now.wall);
        self.state.now = now.wall;
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
