//! The group of a log in ZooKeeper: each replica is an ephemeral member whose data is its address as text.
//!
//! Source: Mesos `src/log/network.hpp` (ZooKeeperNetwork), `src/log/log.cpp`. Unlike there, members that were known stay
//! known while ZooKeeper cannot be asked: who takes part is not decided there, and replicas that see each other go on.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_coordination::{Error, Group, GroupEvent, Member, Members, Url};
use tepui_wire::Upid;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What of a master's znode the replicas' group is called.
pub const ZNODE: &str = "log_replicas";

/// Between two tries at a group that cannot be used: at first, and at most. What is wrong (a password, rights of a znode) is
/// mended by hand.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a replica that ends waits for ZooKeeper to know.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// How a replica knows the others of its group.
#[derive(Clone, Debug)]
pub enum Others {
    /// Somebody says who they are, now and later.
    Known(watch::Receiver<BTreeSet<Upid>>),
    /// They are members of this group in ZooKeeper, with sessions of this timeout. The replica joins it once it is sure to
    /// take part: whoever is listed counts as a member for the others.
    ZooKeeper(Url, Duration),
}

impl From<watch::Receiver<BTreeSet<Upid>>> for Others {
    fn from(known: watch::Receiver<BTreeSet<Upid>>) -> Others {
        Others::Known(known)
    }
}

impl Others {
    /// Those that are known before the replica takes part.
    pub(crate) fn at_start(&self) -> BTreeSet<Upid> {
        match self {
            Others::Known(known) => known.borrow().clone(),
            Others::ZooKeeper(..) => BTreeSet::new(),
        }
    }

    /// They from now on, for the replica `own`.
    pub(crate) fn follow(&self, own: Upid) -> Following {
        match self {
            Others::Known(known) => Following { others: known.clone(), leaving: None },
            Others::ZooKeeper(url, session_timeout) => join(url, *session_timeout, own),
        }
    }
}

/// The others of a group, and this replica's place among them.
#[derive(Debug)]
pub struct Following {
    /// Who they are.
    pub others: watch::Receiver<BTreeSet<Upid>>,
    leaving: Option<JoinHandle<()>>,
}

impl Following {
    /// Gives the place up, so that nobody counts this replica when it is gone.
    pub async fn leave(self) {
        let Following { others, leaving } = self;
        drop(others);
        if let Some(leaving) = leaving {
            // ZooKeeper may be away; the session ends without us then.
            let _ = tokio::time::timeout(LEAVE_WITHIN, leaving).await;
        }
    }
}

/// Joins the group at `url` as `own` and follows it, until nobody looks at the answer any more. A group that refuses is tried
/// again and again. Must be called within a tokio runtime.
pub fn join(url: &Url, session_timeout: Duration, own: Upid) -> Following {
    let (sender, others) = watch::channel(BTreeSet::new());
    let leaving = tokio::spawn(follow(url.clone(), session_timeout, own, sender));
    Following { others, leaving: Some(leaving) }
}

async fn follow(url: Url, session_timeout: Duration, own: Upid, sender: watch::Sender<BTreeSet<Upid>>) {
    let (mut pause, longest) = PAUSES;
    loop {
        let (group, events) = Group::open(&url, session_timeout);
        let place = Place { group, own: own.clone(), known: BTreeMap::new(), sender: sender.clone() };
        let Err(error) = place.follow(events).await else { return };
        tracing::error!(%error, again_in = ?pause, "the group of the log in ZooKeeper cannot be used");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = sender.closed() => return,
        }
        pause = (pause * 2).min(longest);
    }
}

struct Place {
    group: Group,
    own: Upid,
    /// The address of each member, by its znode; none for data that is no address.
    known: BTreeMap<String, Option<Upid>>,
    sender: watch::Sender<BTreeSet<Upid>>,
}

impl Place {
    /// Until nobody looks any more, or the group cannot be used.
    async fn follow(mut self, mut events: mpsc::UnboundedReceiver<GroupEvent>) -> Result<(), Error> {
        self.join().await?;
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.sender.closed() => None,
            };
            match event {
                Some(GroupEvent::Members(members)) if !members.is_empty() => self.look_at(members).await,
                Some(GroupEvent::Members(_) | GroupEvent::Confirmed(_) | GroupEvent::Joined(_)) => {}
                Some(GroupEvent::Cancelled(_)) => {
                    tracing::info!("the replica joins its group in ZooKeeper again");
                    self.join().await?;
                }
                Some(GroupEvent::Failed(error)) => return Err(error),
                None => {
                    self.group.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// Joins, as often as it takes.
    async fn join(&self) -> Result<(), Error> {
        let data = Bytes::from(self.own.to_string());
        self.group.join(data, None).await.map(drop)
    }

    async fn look_at(&mut self, members: Members) {
        let mut known = BTreeMap::new();
        for member in members {
            let address = match self.known.get(&member.node) {
                Some(address) => address.clone(),
                None => self.address(&member).await,
            };
            known.insert(member.node, address);
        }
        let others: BTreeSet<Upid> = known.values().flatten().filter(|upid| **upid != self.own).cloned().collect();
        self.known = known;
        self.sender.send_if_modified(|old| {
            let changed = *old != others;
            if changed {
                tracing::info!(?others, "the group of the log changed");
                *old = others;
            }
            changed
        });
    }

    async fn address(&self, member: &Member) -> Option<Upid> {
        let data = self.group.data(member).await.ok().flatten()?;
        let address = std::str::from_utf8(&data).ok().and_then(Upid::parse);
        if address.is_none() {
            tracing::warn!(node = member.node, "a member of the log's group has no address");
        }
        address
    }
}
