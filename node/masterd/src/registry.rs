//! The registrar of the process, which outlives terms, and the fence between terms.
//!
//! A term that is over may still have asked something that is on its way; it must neither be done nor answered to the next
//! term, whose requests have the same numbers. Requests and answers therefore carry the number of their term.

use crate::authority::Authority;
use crate::daemon::Leading;
use crate::elections::list::Lease;
use crate::world::no_disk;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_driver::{Clock, Driver, Mailbox, Syncing, World};
use tepui_log::{Effect, Log, Request};
use tepui_logd::Replica;
use tepui_logd::replica::Keeper;
use tepui_master::Master;
use tepui_net::Node;
use tepui_proto::json::{self, Names};
use tepui_registry::{Abort, Input, Output, Registrar, State, Timeouts};
use tepui_wire::Response;
use tokio::sync::watch;

/// What the registrar of a process learns.
pub(crate) enum Asked {
    /// Of a term.
    Term(u64, Input),
    /// For its log.
    Log(tepui_log::Input),
}

/// A registrar that listens to the newest term only.
pub(crate) struct Fenced {
    registrar: Registrar,
    term: u64,
}

impl Machine for Fenced {
    type Input = Asked;
    type Effect = (u64, Output);

    fn handle(&mut self, now: Now, asked: Asked, out: &mut Outbox<(u64, Output)>) {
        let input = match asked {
            Asked::Term(term, _) if term < self.term => return,
            Asked::Term(term, input) => {
                self.term = term;
                input
            }
            Asked::Log(input) => Input::Log(input),
        };
        let mut inner = Outbox::default();
        self.registrar.handle(now, input, &mut inner);
        self.pass_on(&mut inner, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<(u64, Output)>) {
        let mut inner = Outbox::default();
        self.registrar.tick(now, &mut inner);
        self.pass_on(&mut inner, out);
    }

    fn deadline(&self) -> Option<Instant> {
        self.registrar.deadline()
    }
}

impl Fenced {
    fn pass_on(&self, inner: &mut Outbox<Output>, out: &mut Outbox<(u64, Output)>) {
        for entry in inner.drain() {
            match entry {
                Entry::Free(output) => out.push((self.term, output)),
                Entry::Write(key, output) => out.write(key, (self.term, output)),
                Entry::Lazy(output) => out.lazy((self.term, output)),
                Entry::After(key, output) => out.after(key, (self.term, output)),
            }
        }
    }
}

/// The term that is answered.
struct Asking {
    term: u64,
    master: Mailbox<Master>,
    authority: Arc<Authority>,
    /// Told why the process leaves.
    exit: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Shared {
    /// Where the registrar takes inputs; nowhere while its disk fails.
    mailbox: Option<Mailbox<Fenced>>,
    asking: Option<Asking>,
}

/// What to do about a registry that nobody can read.
const UNREADABLE: &str = "No master can lead with this registry. `mesos-log export` shows what stands there. If a later version wrote \
    it, start that one; else put the log's directories of before back and start each master once with --accept_other_quorum, or \
    move `replicated_log` away on every master: agents then register with an empty registry";

/// The registrar, as a term reaches it.
#[derive(Clone)]
pub(crate) struct Registry {
    shared: Arc<Mutex<Shared>>,
    /// Whether there is a mailbox in `shared`, for who waits for one.
    runs: watch::Sender<bool>,
    timeouts: Timeouts,
    /// Where masters elect by its log.
    lease: Option<Lease>,
}

impl Registry {
    /// No registrar yet.
    fn new(timeouts: Timeouts, lease: Option<Lease>) -> Registry {
        Registry { shared: Arc::default(), runs: watch::Sender::new(false), timeouts, lease }
    }

    /// Starts a registrar in memory.
    pub fn in_memory(clock: Clock) -> Registry {
        let registry = Registry::new(Timeouts::default(), None);
        let (driver, mailbox) = Driver::new(Fenced { registrar: Registrar::default(), term: 0 }, clock);
        tokio::spawn(driver.run(FromRegistry { registry: registry.clone() }));
        registry.start(mailbox);
        registry
    }

    /// Starts one over a replicated log, which takes part in its group as long as the replica is kept. Where masters elect by
    /// that log, it says so to `lease`.
    pub async fn replicated(
        node: &Node,
        settings: tepui_logd::replica::Settings,
        timeouts: Timeouts,
        lease: Option<Lease>,
    ) -> Result<(Registry, Replica<Registry>), tepui_logd::replica::Error> {
        let registry = Registry::new(timeouts, lease);
        let replica = Replica::start_in(node, settings, registry.clone()).await?;
        Ok((registry, replica))
    }

    /// From now on the answers of this term go there, and those of older ones nowhere.
    pub fn begin(
        &self,
        term: u64,
        master: Mailbox<Master>,
        authority: Arc<Authority>,
        exit: watch::Sender<Option<String>>,
    ) {
        self.lock().asking = Some(Asking { term, master, authority, exit });
    }

    /// The term is over: nobody is answered any more, and another may become the writer.
    pub fn end(&self) {
        let mut shared = self.lock();
        if let (Some(asking), Some(mailbox)) = (shared.asking.take(), &shared.mailbox) {
            mailbox.post(Asked::Term(asking.term, Input::Resign));
        }
        drop(shared);
        // Where the log elects, the place may be held without anything having been asked.
        if self.lease.is_some() {
            self.ask_log(Request::Resign);
        }
    }

    /// Waits until there is a registrar.
    pub async fn runs(&self) {
        // The sender is as old as this registry.
        let _ = self.runs.subscribe().wait_for(|runs| *runs).await;
    }

    /// Waits until there is none.
    pub async fn stands(&self) {
        let _ = self.runs.subscribe().wait_for(|runs| !*runs).await;
    }

    /// What the log says of who leads, if masters elect by it.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Asks the log itself, if it runs.
    pub fn ask_log(&self, request: Request) {
        if let Some(mailbox) = &self.lock().mailbox {
            mailbox.post(Asked::Log(tepui_log::Input::Request(request)));
        }
    }

    /// Asks in a term. Without a registrar the term is over.
    pub fn ask(&self, term: u64, input: Input) {
        let shared = self.lock();
        match (&shared.mailbox, &shared.asking) {
            (Some(mailbox), _) => mailbox.post(Asked::Term(term, input)),
            (None, Some(asking)) if asking.term == term => asking.authority.revoke(),
            (None, _) => {}
        }
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.lock().mailbox.as_ref().map_or(0, Mailbox::len)
    }

    /// Looks at the registrar; `None` while it does not run.
    pub async fn inspect<R: Send + 'static>(&self, look: impl FnOnce(&Registrar) -> R + Send + 'static) -> Option<R> {
        let mailbox = self.lock().mailbox.clone()?;
        mailbox.inspect(|fenced| look(&fenced.registrar)).await
    }

    /// The registry as it stands.
    pub async fn state(&self) -> Option<State> {
        self.inspect(|registrar| registrar.state().clone()).await
    }

    /// Hands an answer to the term it is for.
    fn answer(&self, term: u64, output: Output) {
        let shared = self.lock();
        let Some(asking) = shared.asking.as_ref().filter(|asking| asking.term == term) else { return };
        match output {
            Output::Aborted(Abort::Passing(why)) => {
                tracing::error!(term, "the registrar ends the term: {why}");
                asking.authority.revoke();
            }
            // It would be read again in each term of each master; only an operator can help.
            Output::Aborted(Abort::Unreadable(why)) => {
                asking.authority.revoke();
                asking.exit.send_replace(Some(format!("{why}. {UNREADABLE}")));
            }
            output => asking.master.post(tepui_master::Input::Registry(output)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for Registry {
    type Machine = Fenced;

    fn build(&self, log: Log) -> Fenced {
        // Versions need to differ from those of other masters, and nothing else.
        let seed = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        Fenced { registrar: Registrar::durable(log, seed, self.timeouts), term: 0 }
    }

    fn input(input: tepui_log::Input) -> Asked {
        Asked::Log(input)
    }

    fn effect(&self, (term, output): (u64, Output)) -> Option<tepui_log::Effect> {
        match output {
            Output::Log(Effect::Answer(answer)) => {
                self.lease.as_ref().inspect(|lease| lease.heard(answer));
                None
            }
            Output::Log(effect) => Some(effect),
            output => {
                self.answer(term, output);
                None
            }
        }
    }

    fn start(&self, mailbox: Mailbox<Fenced>) {
        self.lock().mailbox = Some(mailbox);
        self.runs.send_replace(true);
        let Some(lease) = self.lease.clone() else { return };
        if let Some(request) = lease.request() {
            self.ask_log(request);
        }
        let registry = self.clone();
        tokio::spawn(async move {
            let promised = registry.inspect(|registrar| registrar.log().map(|log| log.figures().promised)).await;
            promised.flatten().inspect(|promised| lease.begin(*promised));
        });
    }

    fn stop(&self) {
        self.runs.send_replace(false);
        let mut shared = self.lock();
        shared.mailbox = None;
        if let Some(asking) = &shared.asking {
            asking.authority.revoke();
        }
        drop(shared);
        self.lease.as_ref().inspect(|lease| lease.stopped());
    }
}

/// Where 1.11 shows the registry.
const PATH: &str = "/registrar(1)/registry";

/// Serves the registry as JSON: empty while this master does not lead, or has not recovered it.
pub(crate) fn serve(node: &Node, registry: &Registry, leading: &Leading) {
    let (registry, leading) = (registry.clone(), leading.clone());
    node.route_exact(PATH, move |request| {
        let (registry, leads) = (registry.clone(), leading.borrow().is_some());
        async move {
            let state = if leads { registry.state().await.filter(|state| state.master.is_some()) } else { None };
            let json = state.map_or_else(|| "{}".to_owned(), |state| json::sorted(&state.to_proto(), Names::V0));
            Response::json(json, request.query_pairs().get("jsonp").map(String::as_str))
        }
    });
}

/// The world of a registrar in memory.
struct FromRegistry {
    registry: Registry,
}

impl World<(u64, Output)> for FromRegistry {
    fn apply(&mut self, (term, output): (u64, Output)) {
        self.registry.answer(term, output);
    }

    fn sync(&mut self, _: Vec<(u64, Output)>) -> Syncing {
        no_disk()
    }
}
