//! A master as a process: the machines of `core/master`, `core/registry` and `core/allocator`, each under a driver, joined
//! to the sockets of `io/net`.
//!
//! The master machine runs in the caller's runtime; the allocator has a thread of its own, so that a long allocation
//! run delays nothing else. A request that only reads is answered beside the machine, from a snapshot.

mod pages;
mod read;
pub mod recording;
pub mod settings;
mod timed;
mod whitelist;
mod world;

pub use settings::Settings;

use read::{Reader, Reads};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tepui_allocator::Hierarchical;
use tepui_api::metrics::Values;
use tepui_driver::{Clock, Driver, Mailbox};
use tepui_hooks::NoHooks;
use tepui_master::{Input, Master};
use tepui_net::{Inbox, Node};
use tepui_processes::{Files, Limiter, Logging, Processes};
use tepui_proto::codec;
use tepui_registry::Registrar;
use tepui_wire::NetInput;
use timed::Timed;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The master's process id; paths without a process id are its own.
const ID: &str = "master";
/// The processes that ping agents are the master's too.
const OBSERVERS: &str = "slave-observer(";

/// Why a master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag's value cannot be used.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// The address cannot be listened on.
    #[error(transparent)]
    Net(#[from] tepui_net::Error),
    /// The operating system gave no random bits.
    #[error("no random bits from the operating system: {0}")]
    Random(getrandom::Error),
    /// A recording was asked for and cannot be made.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// No thread for the allocator.
    #[error("cannot start the allocator's thread: {0}")]
    Thread(std::io::Error),
}

/// A running master.
pub struct Running {
    node: Node,
    mailbox: Mailbox<Master>,
    intake: JoinHandle<()>,
    exit: watch::Receiver<Option<String>>,
    watching: Option<JoinHandle<()>>,
}

/// Starts a master; it listens when this returns.
pub async fn start(settings: Settings) -> Result<Running, Error> {
    let node = Node::bind(settings.net.clone()).await?;
    let (inbox, outlet) = node.spawn(ID).expect("a new node has no processes");
    outlet.receive_family(OBSERVERS);
    node.delegate(ID);
    let seed = getrandom::u64().map_err(Error::Random)?;
    let config = settings.config(outlet.upid());
    tracing::info!(pid = %config.pid, hostname = config.hostname, "the master starts");

    let files = files(&settings);
    let clock = Clock::default();
    let pid = config.pid.clone();
    let (mut master, mailbox) = Driver::new(Master::new(config, seed, Arc::new(NoHooks)), clock);
    if let Some(dir) = &settings.record {
        master = master.recorded(recording::start(dir, settings.values(), &pid, seed)?);
    }
    let (registrar, registry) = Driver::new(Registrar::default(), clock);
    let whitelist = settings.whitelist().map(str::to_owned);
    let (allocator, allocations) =
        Driver::new(Timed::new(Hierarchical::new(settings.allocator, seed, clock.now())), clock);
    let (exit, exited) = watch::channel(None);
    tokio::spawn(registrar.run(world::FromRegistry { master: mailbox.clone() }));
    let watching = whitelist.map(|path| tokio::spawn(whitelist::watch(path, allocations.clone())));
    run_allocator(allocator, mailbox.clone()).map_err(Error::Thread)?;
    let hits = Arc::new(AtomicU64::new(0));
    let figures = figures(mailbox.clone(), registry.clone(), hits.clone());
    let processes = Processes::new(files, Logging::new(settings.verbosity), figures);
    processes.serve(&node, pages::PAGES);
    let limiter = Arc::new(Limiter::new(settings.metrics_pause));
    let allocator = allocations.clone();
    tokio::spawn(master.run(world::FromMaster { outlet: outlet.clone(), registry, allocations, exit }));
    let reads = Reads::start(Reader { mailbox: mailbox.clone(), allocator, outlet, processes, limiter, hits });
    let intake = tokio::spawn(take_in(inbox, reads, mailbox.clone()));
    Ok(Running { node, mailbox, intake, exit: exited, watching })
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
fn figures(master: Mailbox<Master>, registry: Mailbox<Registrar>, hits: Arc<AtomicU64>) -> tepui_processes::Figures {
    let runtime = tokio::runtime::Handle::current();
    Box::new(move || {
        // Readers run on threads that may wait.
        let state = runtime.block_on(registry.inspect(|registrar| registrar.state().clone()));
        let size = state.map_or(0, |state| codec::encode(&state.to_proto()).len());
        let gauges = [
            ("master/event_queue_dispatches", master.len() as f64),
            ("master/event_queue_http_requests", 0.0),
            ("master/event_queue_messages", 0.0),
            ("master/http_cache_hits", hits.load(Ordering::Relaxed) as f64),
            ("registrar/queued_operations", registry.len() as f64),
            ("registrar/registry_size_bytes", size as f64),
        ];
        gauges.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Values>()
    })
}

fn run_allocator(allocator: Driver<Timed>, master: Mailbox<Master>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let run = move || {
        if let Err(error) = runtime.block_on(allocator.run(world::FromAllocator { master })) {
            tracing::error!(%error, "the allocator has stopped");
        }
    };
    std::thread::Builder::new().name("allocator".to_owned()).spawn(run).map(drop)
}

/// Hands what arrives to the machine, or to a reader.
async fn take_in(mut inbox: Inbox, reads: Reads, mailbox: Mailbox<Master>) {
    loop {
        match inbox.recv().await {
            NetInput::Http(id, request) if Master::is_read(&request) => reads.answer(id, request),
            input => {
                let bytes = input.body_bytes();
                mailbox.intake(Input::Net(input), bytes).await;
            }
        }
    }
}

impl Running {
    /// Where clients and agents reach it.
    pub fn address(&self) -> SocketAddrV4 {
        self.node.address()
    }

    /// How many agents are registered now: for those who wait for a cluster to come up.
    pub async fn agents(&self) -> usize {
        self.mailbox.inspect(|master| master.snapshot().agents.len()).await.unwrap_or(0)
    }

    /// Waits until the master must not go on; why.
    pub async fn exited(&mut self) -> String {
        let reason = self.exit.wait_for(Option::is_some).await.map(|reason| reason.clone());
        // Without the machine there is nothing that could go on either.
        reason.ok().flatten().unwrap_or_else(|| "the master has stopped".to_owned())
    }

    /// Takes nothing more in, lets answers and streams go out, and closes.
    pub async fn stop(self) {
        self.intake.abort();
        self.watching.inspect(JoinHandle::abort);
        self.node.shutdown().await;
    }
}
