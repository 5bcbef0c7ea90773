//! Elections by the log itself, among the masters of a list (`--masters`): the writer of the log leads, as long as its
//! lease lasts. There is no ZooKeeper.
//!
//! The log speaks on its own thread. What it says takes effect there and then: an authority is extended or revoked before
//! the log does anything else, and the term hears of it later. `docs/protocols/lease.md` shows the whole; why it is safe is
//! in ADR 0012.

use super::Change;
use crate::authority::Authority;
use crate::registry::Registry;
use crate::settings::Error;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_base::Instant;
use tepui_driver::Clock;
use tepui_election::list::{Answer, PATH, Question};
use tepui_log::{Answer as Said, Request};
use tepui_net::Node;
use tepui_proto::codec;
use tepui_proto::mesos::MasterInfo;
use tepui_wire::Response;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout_at;

/// What the log has said of who leads, and who wants to.
#[derive(Clone)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    state: Mutex<State>,
    changes: mpsc::UnboundedSender<Change>,
    known: watch::Sender<Known>,
}

struct State {
    /// Under which name this master contends; told again to a log that had to start again.
    contending: Option<Arc<MasterInfo>>,
    /// That of the leadership which goes on, or has just ended.
    authority: Option<Arc<Authority>>,
    /// The other end, until an election takes it.
    changes: Option<mpsc::UnboundedReceiver<Change>>,
}

/// What is answered to those who ask who leads.
#[derive(Clone, Default)]
struct Known {
    /// The highest epoch there was; nothing until the log is read.
    epoch: Option<u64>,
    leader: Option<Arc<MasterInfo>>,
    /// Of the leader, if it is this master.
    authority: Option<Arc<Authority>>,
    /// Nobody waits for news of a master that ends.
    is_closing: bool,
}

impl Lease {
    /// Nothing has been said yet. The log's times are readings of this clock.
    pub fn new(clock: Clock) -> Lease {
        let (changes, receiver) = mpsc::unbounded_channel();
        let state = Mutex::new(State { contending: None, authority: None, changes: Some(receiver) });
        Lease { shared: Arc::new(Shared { clock, state, changes, known: watch::Sender::default() }) }
    }

    /// The log has been read: it has promised this much.
    pub fn begin(&self, promised: u64) {
        self.shared.known.send_if_modified(|known| {
            let is_first = known.epoch.is_none();
            known.epoch = known.epoch.or(Some(promised));
            is_first
        });
    }

    /// What a log that starts, perhaps again, has to be asked.
    pub fn request(&self) -> Option<Request> {
        self.state().contending.as_deref().map(contend)
    }

    /// Takes what the log says.
    pub fn heard(&self, said: Said) {
        match said {
            Said::Leads { epoch, until } => self.leads(epoch, until),
            Said::Follows { epoch, leader } => self.follows(epoch, &leader),
            Said::NoLeader => self.lost(),
            Said::Refused(from, why) => tracing::error!(%from, "refused a replica of the log: {why}"),
            // What is left concerns who writes.
            _ => {}
        }
    }

    /// The log runs no more; it may come back.
    pub fn stopped(&self) {
        let mut state = self.state();
        if state.authority.as_ref().is_some_and(|authority| authority.holds()) {
            // The next leadership needs a new name, which its candidate will say.
            state.contending = None;
        }
        drop(state);
        self.lost();
    }

    fn leads(&self, epoch: u64, until: Instant) {
        let mut state = self.state();
        let last = state.authority.as_ref().filter(|last| last.epoch() >= Some(epoch));
        if let Some(last) = last {
            // Too late for one that is over: its term ends, and this leadership with it.
            return last.extend(until);
        }
        let authority = Authority::of_epoch(self.shared.clock, until, epoch);
        state.authority = Some(authority.clone());
        drop(state);
        self.learn(epoch, None);
        self.change(Change::Elected(authority));
    }

    fn follows(&self, epoch: u64, leader: &Bytes) {
        self.revoke();
        let leader = codec::decode::<MasterInfo>(leader).map(Arc::new);
        let leader = leader.inspect_err(|error| tracing::error!(%error, "cannot read who leads")).ok();
        self.learn(epoch, leader.clone());
        self.change(Change::Leader(leader));
    }

    fn lost(&self) {
        self.revoke();
        self.learn(0, None);
        self.change(Change::Leader(None));
    }

    fn revoke(&self) {
        self.state().authority.as_ref().inspect(|authority| authority.revoke());
    }

    fn learn(&self, epoch: u64, leader: Option<Arc<MasterInfo>>) {
        self.shared.known.send_modify(|known| {
            let epoch = known.epoch.max((epoch > 0).then_some(epoch));
            *known = Known { epoch, leader, authority: None, is_closing: known.is_closing };
        });
    }

    /// The receiver ends with the process.
    fn change(&self, change: Change) {
        let _ = self.shared.changes.send(change);
    }

    fn took_office(&self) {
        let state = self.state();
        let (Some(authority), Some(info)) = (&state.authority, &state.contending) else { return };
        if !authority.holds() {
            return;
        }
        self.shared.known.send_modify(|known| {
            known.leader = Some(info.clone());
            known.authority = Some(authority.clone());
        });
    }

    /// The answer to a question, held back as long as it is asked to be.
    async fn answer(&self, question: Question) -> Response {
        let mut known = self.shared.known.subscribe();
        let until = tokio::time::Instant::now() + question.wait;
        loop {
            let now = known.borrow_and_update().clone();
            let Some(answer) = now.answer() else { return Response::status(503) };
            let waits = answer.is_known(&question) && !now.is_closing;
            if !waits || timeout_at(until, known.changed()).await.is_err() {
                return Response::json(answer.to_json(), None);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A leader names itself only as long as it leads.
    fn answer(&self) -> Option<Answer> {
        let holds = self.authority.as_ref().is_none_or(|authority| authority.holds());
        Some(Answer { epoch: self.epoch?, leader: self.leader.clone().filter(|_| holds) })
    }
}

fn contend(info: &MasterInfo) -> Request {
    Request::Contend(codec::encode(info))
}

/// Tells everybody who asks who leads.
pub(crate) fn serve(node: &Node, lease: &Lease) {
    let lease = lease.clone();
    node.route_exact(PATH, move |request| {
        let lease = lease.clone();
        async move { lease.answer(Question::parse(&request.query)).await }
    });
}

/// See the module's text.
pub(crate) struct List {
    registry: Registry,
    lease: Lease,
    changes: mpsc::UnboundedReceiver<Change>,
}

impl List {
    /// Follows what the registry's log says.
    pub fn open(registry: &Registry) -> Result<List, Error> {
        let lease = registry.lease().cloned();
        let changes = lease.as_ref().and_then(|lease| lease.state().changes.take());
        match lease.zip(changes) {
            Some((lease, changes)) => Ok(List { registry: registry.clone(), lease, changes }),
            None => Err(Error::Start("--masters needs a registry in a replicated log".to_owned())),
        }
    }

    pub fn contend(&self, info: Arc<MasterInfo>) {
        self.lease.state().contending = Some(info.clone());
        self.registry.ask_log(contend(&info));
    }

    pub fn took_office(&self) {
        self.lease.took_office();
    }

    /// The next change; waiting for it can be given up.
    pub async fn next(&mut self) -> Change {
        match self.changes.recv().await {
            Some(change) => change,
            // This holds the other end itself.
            None => std::future::pending().await,
        }
    }

    /// Lets others lead at once: when this returns they have been told.
    pub async fn close(self) {
        self.lease.state().contending = None;
        self.lease.revoke();
        self.registry.ask_log(Request::Resign);
        // What was asked before has been done by then.
        let _ = self.registry.inspect(|_| ()).await;
        self.lease.shared.known.send_modify(|known| known.is_closing = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tepui_wire::Body;

    fn info(id: &str) -> MasterInfo {
        MasterInfo { id: id.to_owned(), ..MasterInfo::default() }
    }

    fn list() -> (Lease, mpsc::UnboundedReceiver<Change>) {
        let lease = Lease::new(Clock::default());
        let changes = lease.state().changes.take().unwrap();
        (lease, changes)
    }

    fn secs(secs: u64) -> Instant {
        Instant(secs * 1_000_000_000)
    }

    fn elected(changes: &mut mpsc::UnboundedReceiver<Change>) -> Arc<Authority> {
        match changes.try_recv() {
            Ok(Change::Elected(authority)) => authority,
            _ => panic!("it is elected"),
        }
    }

    async fn text(lease: &Lease, question: Question) -> String {
        let response = lease.answer(question).await;
        let Body::Full(body) = response.body else { panic!("it is complete") };
        format!("{} {}", response.status, String::from_utf8_lossy(&body))
    }

    #[tokio::test(start_paused = true)]
    async fn authority_lasts_until_the_end_of_the_lease_and_does_not_come_back() {
        let (lease, mut changes) = list();
        lease.heard(Said::Leads { epoch: 7, until: secs(1) });
        let authority = elected(&mut changes);
        assert_eq!(authority.epoch(), Some(7));
        lease.heard(Said::Leads { epoch: 7, until: secs(3) });
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(authority.holds());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!authority.holds());
        lease.heard(Said::Leads { epoch: 7, until: secs(9) });
        assert!(!authority.holds() && changes.try_recv().is_err(), "a lapsed leadership is over for good");
        lease.heard(Said::Leads { epoch: 8, until: secs(9) });
        assert!(elected(&mut changes).holds() && !authority.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_log_says_ends_authority_before_anybody_is_told() {
        for said in [Said::NoLeader, Said::Follows { epoch: 9, leader: codec::encode(&info("other")) }] {
            let (lease, mut changes) = list();
            lease.heard(Said::Leads { epoch: 7, until: secs(10) });
            let authority = elected(&mut changes);
            lease.heard(said);
            assert!(!authority.holds());
            assert!(matches!(changes.try_recv(), Ok(Change::Leader(_))));
        }
        let (lease, mut changes) = list();
        lease.heard(Said::Leads { epoch: 7, until: secs(10) });
        let authority = elected(&mut changes);
        lease.stopped();
        assert!(!authority.holds() && lease.request().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_tells_who_leads_as_soon_as_somebody_does() {
        let (lease, _changes) = list();
        assert!(text(&lease, Question::default()).await.starts_with("503"));
        lease.begin(5);
        assert_eq!(text(&lease, Question::default()).await, "200 {\"epoch\":5,\"leader\":null}");
        let wait = Question { known: Some((5, String::new())), wait: Duration::from_secs(30) };
        let (waiting, asked) = (lease.clone(), wait.clone());
        let news = tokio::spawn(async move { text(&waiting, asked).await });
        tokio::task::yield_now().await;
        lease.heard(Said::Follows { epoch: 6, leader: codec::encode(&info("b")) });
        let told = news.await.unwrap();
        assert!(told.starts_with("200 {\"epoch\":6,\"leader\":{") && told.contains("\"id\":\"b\""), "{told}");
        lease.heard(Said::NoLeader);
        assert_eq!(text(&lease, wait).await, "200 {\"epoch\":6,\"leader\":null}");
        let patient = Question { known: Some((6, String::new())), wait: Duration::from_secs(30) };
        assert_eq!(text(&lease, patient).await, "200 {\"epoch\":6,\"leader\":null}", "in the end it is answered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_names_itself_when_it_has_begun_and_while_its_lease_lasts() {
        let (lease, _changes) = list();
        lease.state().contending = Some(Arc::new(info("me")));
        lease.heard(Said::Leads { epoch: 7, until: secs(1) });
        assert_eq!(text(&lease, Question::default()).await, "200 {\"epoch\":7,\"leader\":null}");
        lease.took_office();
        assert!(text(&lease, Question::default()).await.contains("\"id\":\"me\""));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(text(&lease, Question::default()).await, "200 {\"epoch\":7,\"leader\":null}");
    }
}
