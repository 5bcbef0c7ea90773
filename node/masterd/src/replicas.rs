//! The other replicas of the log, where they find each other in ZooKeeper: the group `log_replicas` below that of the masters.
//!
//! Each replica's member holds its address as text, without a label. Source: Mesos `src/log/network.hpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_coordination::{Group, GroupEvent, Member, Url};
use tepui_wire::Upid;
use tokio::sync::{mpsc, watch};

/// The group's name below that of the masters.
const GROUP: &str = "log_replicas";

/// Joins the group as `own`, and tells who else is in it until nobody listens. Joins again whenever the membership ends.
pub(crate) fn follow(masters: &Url, session_timeout: Duration, own: Upid) -> watch::Receiver<BTreeSet<Upid>> {
    let (told, others) = watch::channel(BTreeSet::new());
    let (group, events) = Group::open(&masters.below(GROUP), session_timeout);
    let (answers, answered) = mpsc::unbounded_channel();
    let follower = Follower { group, own, told, known: BTreeMap::new(), present: BTreeSet::new(), answers };
    tokio::spawn(follower.run(events, answered));
    others
}

/// The address a member holds, as it was found; none if there is none.
type Found = (Member, Option<Upid>);

struct Follower {
    group: Group,
    own: Upid,
    told: watch::Sender<BTreeSet<Upid>>,
    /// By the znode's name.
    known: BTreeMap<String, Option<Upid>>,
    /// Names of the znodes there are now.
    present: BTreeSet<String>,
    answers: mpsc::UnboundedSender<Found>,
}

impl Follower {
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<GroupEvent>,
        mut answered: mpsc::UnboundedReceiver<Found>,
    ) {
        self.join();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Some((member, found)) = answered.recv() => {
                    self.known.insert(member.node, found);
                    self.tell();
                }
                () = self.told.closed() => return self.group.close().await,
            }
        }
    }

    fn join(&self) {
        let joined = self.group.join(self.own.to_string().into(), None);
        tokio::spawn(async move {
            // The group tries as long as there is hope; that there is none it tells itself.
            let _ = joined.await;
        });
    }

    fn take(&mut self, event: GroupEvent) {
        match event {
            // Nobody at all means that our session is over: the replicas may well be where they were.
            GroupEvent::Members(members) if members.is_empty() => {}
            GroupEvent::Members(members) => {
                self.present = members.iter().map(|member| member.node.clone()).collect();
                self.known.retain(|node, _| self.present.contains(node));
                let new: Vec<Member> =
                    members.into_iter().filter(|member| !self.known.contains_key(&member.node)).collect();
                new.into_iter().for_each(|member| self.ask(member));
                self.tell();
            }
            GroupEvent::Cancelled(_) => self.join(),
            GroupEvent::Failed(error) => {
                tracing::error!(%error, "the replicas of the log cannot be found in ZooKeeper any more");
            }
            GroupEvent::Joined(_) | GroupEvent::Confirmed(_) => {}
        }
    }

    fn ask(&self, member: Member) {
        let (data, answers) = (self.group.data(&member), self.answers.clone());
        tokio::spawn(async move {
            let text = data.await.ok().flatten().map(|data| String::from_utf8_lossy(&data).into_owned());
            let found = text.as_deref().and_then(Upid::parse).filter(Upid::is_valid);
            // Nobody listens any more when the process ends.
            let _ = answers.send((member, found));
        });
    }

    /// Tells once the address of everybody who is there is known, so that no replica is left out for a moment.
    fn tell(&self) {
        if self.present.iter().any(|node| !self.known.contains_key(node)) {
            return;
        }
        let mut others: BTreeSet<Upid> = self.known.values().flatten().cloned().collect();
        others.remove(&self.own);
        self.told.send_if_modified(|told| {
            let is_new = *told != others;
            if is_new {
                *told = others;
            }
            is_new
        });
    }
}
