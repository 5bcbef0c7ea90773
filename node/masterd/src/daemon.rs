//! What all terms of a process share: its address, its flags, its registrar, and what lies around the machines.

use crate::authority::{Authority, Gate};
use crate::read::{Reader, Source};
use crate::registry::{self, Registry};
use crate::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tepui_api::metrics::Values;
use tepui_base::Wall;
use tepui_driver::{Clock, Mailbox};
use tepui_master::{Config, Master};
use tepui_net::{Node, Outlet};
use tepui_processes::{Files, Limiter, Logging, Processes};
use tepui_registry::{Figures, Registrar, State};
use tokio::sync::watch;

/// The leading machine of the present term, if there is one.
pub(crate) type Leading = watch::Receiver<Option<Mailbox<Master>>>;

/// See the module's text.
pub(crate) struct Daemon {
    pub settings: Settings,
    pub config: Config,
    pub clock: Clock,
    /// When the process started.
    pub started: Wall,
    pub outlet: Outlet,
    pub registry: Registry,
    /// Told why the process leaves.
    pub exit: watch::Sender<Option<String>>,
    processes: Arc<Processes>,
    limiter: Arc<Limiter>,
    /// Answers that were made for another request (`master/http_cache_hits`).
    hits: Arc<AtomicU64>,
}

impl Daemon {
    pub fn new(
        settings: Settings,
        clock: Clock,
        (node, outlet): (&Node, Outlet),
        registry: Registry,
        leading: Leading,
        exit: watch::Sender<Option<String>>,
    ) -> Daemon {
        registry::serve(node, &registry, &leading);
        let hits = Arc::new(AtomicU64::new(0));
        let figures = figures(leading, registry.clone(), hits.clone());
        let processes = Processes::new(files(&settings), Logging::new(settings.verbosity), figures);
        processes.serve(node, crate::pages::PAGES, settings.memory_profiling());
        let limiter = Arc::new(Limiter::new(settings.metrics_pause));
        let (config, started) = (settings.config(outlet.upid()), clock.now().wall);
        Daemon { settings, config, clock, started, outlet, registry, exit, processes, limiter, hits }
    }

    /// The way out for those who have this authority.
    pub fn gate(&self, authority: &Arc<Authority>) -> Gate {
        Gate::new(self.outlet.clone(), authority.clone())
    }

    /// Answers what only reads.
    pub fn reader(&self, source: Source, authority: &Arc<Authority>) -> Reader {
        Reader {
            source,
            gate: self.gate(authority),
            processes: self.processes.clone(),
            limiter: self.limiter.clone(),
            hits: self.hits.clone(),
        }
    }
}

/// The log, if it is in a file.
fn files(settings: &Settings) -> Files {
    let files = Files::default();
    if let Some(path) = settings.log_file() {
        files.attach("/master/log", &path);
    }
    files
}

/// What is measured around the machines. All that waits for the master is in one queue, and counted as dispatches.
fn figures(leading: Leading, registry: Registry, hits: Arc<AtomicU64>) -> tepui_processes::Figures {
    let runtime = tokio::runtime::Handle::current();
    Box::new(move || {
        let waiting = leading.borrow().as_ref().map_or(0, Mailbox::len);
        // Readers run on threads that may wait.
        let look = |registrar: &Registrar| (registrar.figures(), registrar.state().clone());
        let registrar = runtime.block_on(registry.inspect(look));
        let gauges = [
            ("master/event_queue_dispatches", waiting as f64),
            ("master/event_queue_http_requests", 0.0),
            ("master/event_queue_messages", 0.0),
            ("master/http_cache_hits", hits.load(Ordering::Relaxed) as f64),
        ];
        let mut values: Values = gauges.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some((figures, state)) = registrar {
            put_registrar(&figures, &state, registry.len(), &mut values);
        }
        values
    })
}

/// The registrar's part: `waiting` operations have not reached it. The registry has no size before it is recovered, and a
/// registrar in memory no log.
fn put_registrar(figures: &Figures, state: &State, waiting: usize, values: &mut Values) {
    let mut put = |name: &str, value: f64| _ = values.insert(format!("registrar/{name}"), value);
    put("queued_operations", (waiting + figures.queued) as f64);
    if state.master.is_some() {
        put("registry_size_bytes", state.to_bytes().len() as f64);
    }
    if let Some(millis) = figures.fetch {
        put("state_fetch_ms", millis);
    }
    if let Some(store) = &figures.store {
        put("state_store_ms", store.last);
        store.spread.iter().for_each(|(of, value)| put(&format!("state_store_ms/{of}"), *value));
    }
    if let (Some(recovered), Some(size)) = (figures.log_recovered, figures.ensemble_size) {
        put("log/recovered", f64::from(u8::from(recovered)));
        put("log/ensemble_size", size as f64);
    }
}
