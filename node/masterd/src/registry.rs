//! The registrar of the process, which outlives terms, and the fence between terms.
//!
//! A term that is over may still have asked something that is on its way; it must neither be done nor answered to the next
//! term, whose requests have the same numbers. Requests and answers therefore carry the number of their term.

use crate::daemon::Leading;
use crate::world::no_disk;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_driver::{Clock, Driver, Mailbox, Syncing, World};
use tepui_master::Master;
use tepui_net::Node;
use tepui_proto::json::{self, Names};
use tepui_registry::{Input, Output, Registrar, State};
use tepui_wire::Response;

/// A registrar that listens to the newest term only.
pub(crate) struct Fenced {
    registrar: Registrar,
    term: u64,
}

impl Machine for Fenced {
    type Input = (u64, Input);
    type Effect = (u64, Output);

    fn handle(&mut self, now: Now, (term, input): (u64, Input), out: &mut Outbox<(u64, Output)>) {
        if term < self.term {
            return;
        }
        self.term = term;
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

/// Who is answered.
type Asking = Arc<Mutex<Option<(u64, Mailbox<Master>)>>>;

/// The registrar, as a term reaches it.
#[derive(Clone)]
pub(crate) struct Registry {
    mailbox: Mailbox<Fenced>,
    asking: Asking,
}

impl Registry {
    /// Starts the registrar of this process.
    pub fn start(clock: Clock) -> Registry {
        let asking = Asking::default();
        let (driver, mailbox) = Driver::new(Fenced { registrar: Registrar::default(), term: 0 }, clock);
        tokio::spawn(driver.run(FromRegistry { asking: asking.clone() }));
        Registry { mailbox, asking }
    }

    /// From now on the answers of this term go there, and those of older ones nowhere.
    pub fn begin(&self, term: u64, master: Mailbox<Master>) {
        *lock(&self.asking) = Some((term, master));
    }

    /// Nobody is answered any more.
    pub fn end(&self) {
        *lock(&self.asking) = None;
    }

    /// Asks in a term.
    pub fn ask(&self, term: u64, input: Input) {
        self.mailbox.post((term, input));
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// The registry as it stands.
    pub async fn state(&self) -> Option<State> {
        self.mailbox.inspect(|fenced| fenced.registrar.state().clone()).await
    }
}

/// Where the registry is shown.
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

fn lock(asking: &Asking) -> MutexGuard<'_, Option<(u64, Mailbox<Master>)>> {
    asking.lock().unwrap_or_else(PoisonError::into_inner)
}

struct FromRegistry {
    asking: Asking,
}

impl World<(u64, Output)> for FromRegistry {
    fn apply(&mut self, (term, output): (u64, Output)) {
        if let Some((asking, master)) = &*lock(&self.asking)
            && *asking == term
        {
            master.post(tepui_master::Input::Registry(output));
        }
    }

    fn sync(&mut self, _: Vec<(u64, Output)>) -> Syncing {
        no_disk()
    }
}
