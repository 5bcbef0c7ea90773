//! Who leads: for everybody who looks for a master, and for masters that contend.
//!
//! * [`Masters`]: the texts that say where masters are.
//! * [`Detector`]: follows the leading one (agents, schedulers, tools).
//! * [`Contest`]: contends among the members of a group in ZooKeeper (masters).
//!
//! What the masters of a list answer, and how they elect a leader among themselves, is not done here.

mod address;
mod contest;
mod list;

pub use address::{AddressError, MASTER_PORT, Masters, endpoint};
pub use contest::{Change, Contest};
pub use tepui_coordination::redacted;

use std::sync::Arc;
use std::time::Duration;
use tepui_coordination::Url;
use tepui_driver::Clock;
use tepui_election::info;
use tepui_proto::mesos::MasterInfo;
use tepui_wire::Upid;
use tokio::sync::watch;

/// How long a session with ZooKeeper lasts unless told otherwise (`MASTER_DETECTOR_ZK_SESSION_TIMEOUT`).
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long until a name that does not resolve is looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(5);

/// What is known of the leader.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detection {
    /// Who leads; none if nobody does, or nobody knows.
    pub leader: Option<Arc<MasterInfo>>,
    /// The epoch it leads in, where leaders have epochs.
    pub epoch: Option<u64>,
    /// How many times all masters have lost what they knew of epochs, and counted them afresh.
    pub beginnings: u64,
    /// Why there is no leader, if that is not just as it is.
    pub trouble: Option<Trouble>,
}

/// What is wrong with an election.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The lowest member of the group does not say who it is. It may go away.
    #[error("{0}")]
    Unreadable(String),
    /// It will never be known who leads.
    #[error("{0}")]
    Failed(String),
}

impl Detection {
    /// The address that messages for the leader go to.
    pub fn pid(&self) -> Option<Upid> {
        self.leader.as_deref().and_then(info::pid)
    }

    fn is_same(&self, other: &Detection) -> bool {
        let leaders = match (&self.leader, &other.leader) {
            (Some(a), Some(b)) => info::is_same(a, b),
            (None, None) => true,
            _ => false,
        };
        leaders && (self.epoch, self.beginnings, &self.trouble) == (other.epoch, other.beginnings, &other.trouble)
    }
}

/// Follows the leading master. Dropping it ends that.
#[derive(Debug)]
pub struct Detector {
    detections: watch::Receiver<Detection>,
}

impl Detector {
    /// Starts to look. Sessions with ZooKeeper, if that is where masters meet, have this timeout.
    pub fn open(masters: &Masters, session_timeout: Duration) -> Detector {
        let (sender, detections) = watch::channel(Detection::default());
        let told = Told(sender);
        match masters.clone() {
            Masters::Fixed(address) => drop(tokio::spawn(look_up(address, told))),
            Masters::List(list) => drop(tokio::spawn(list::follow(list, told))),
            Masters::ZooKeeper(url) => drop(tokio::spawn(follow_group(url, session_timeout, told))),
        }
        Detector { detections }
    }

    /// What is known now. Before anything is known, nobody leads.
    pub fn current(&self) -> Detection {
        self.detections.borrow().clone()
    }

    /// Waits for something new, and says what it is; changes that nobody waited for may be passed over. Waiting can be
    /// given up.
    pub async fn next(&mut self) -> Detection {
        if self.detections.changed().await.is_err() {
            // Whoever tells it all has told that there is no way to go on.
            return std::future::pending().await;
        }
        self.detections.borrow_and_update().clone()
    }

    /// Waits until somebody leads, or it will never be known who.
    pub async fn leader(&mut self) -> Result<Arc<MasterInfo>, Trouble> {
        let known = |detection: &Detection| detection.leader.is_some() || detection.trouble.is_some();
        let found = match self.detections.wait_for(known).await {
            Ok(found) => found.clone(),
            Err(_) => Detection::default(),
        };
        match (found.leader, found.trouble) {
            (Some(leader), _) => Ok(leader),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => std::future::pending().await,
        }
    }
}

/// Where detections are told.
struct Told(watch::Sender<Detection>);

impl Told {
    fn tell(&self, detection: Detection) {
        self.0.send_if_modified(|last| {
            let is_new = !detection.is_same(last);
            *last = detection;
            is_new
        });
    }

    /// Returns when nobody listens any more.
    async fn closed(&self) {
        self.0.closed().await;
    }
}

/// A master that is there once and for all, whether it answers or not.
async fn look_up(address: String, told: Told) {
    loop {
        if let Some(pid) = list::resolve(&address).await {
            let mut info = info::of_pid(&pid, &pid.to_string());
            info.hostname = hostname(&address, &pid);
            told.tell(Detection { leader: Some(Arc::new(info)), ..Detection::default() });
            return told.closed().await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_UP_AGAIN) => {}
            () = told.closed() => return,
        }
    }
}

/// The host as it was given, if it is a name, or `localhost` on loopback: no name service is asked.
fn hostname(address: &str, pid: &Upid) -> Option<String> {
    let (host, _) = address.rsplit_once(':')?;
    match host.parse::<std::net::Ipv4Addr>() {
        Err(_) => Some(host.to_owned()),
        Ok(_) => pid.ip.is_loopback().then(|| "localhost".to_owned()),
    }
}

async fn follow_group(url: Url, session_timeout: Duration, told: Told) {
    let mut contest = Contest::open(&url, session_timeout, Clock::default());
    loop {
        let change = tokio::select! {
            change = contest.next() => change,
            () = told.closed() => return contest.close().await,
        };
        let trouble = |trouble| Detection { trouble: Some(trouble), ..Detection::default() };
        match change {
            Change::Leader(leader) => told.tell(Detection { leader, ..Detection::default() }),
            Change::Unreadable(why) => {
                tracing::error!(group = %url, "Failed to detect the leading master: {why}");
                told.tell(trouble(Trouble::Unreadable(why)));
            }
            Change::Failed(why) => {
                told.tell(trouble(Trouble::Failed(why)));
                return told.closed().await;
            }
            // Who only looks is not elected.
            Change::Elected(_) | Change::Extended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
