//! The life of each container, one task per container.

use crate::child::Child;
use crate::{fetcher, launch_info, process, runtime, sandbox, usage};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_base::{ContainerId, Map, WaitStatus};
use tepui_proto::mesos::ResourceStatistics;
use tepui_proto::mesos::containerizer::{ContainerConfig, ContainerLaunchInfo, ContainerTermination};
use tokio::sync::{Notify, mpsc, watch};

/// What all containers of an agent have in common.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--runtime_dir`: facts about running containers; must not survive a reboot.
    pub runtime_dir: PathBuf,
    /// `--launcher_dir`: where the program `mesos-fetcher` is.
    pub launcher_dir: PathBuf,
    /// `--frameworks_home`: what relative URIs are relative to.
    pub frameworks_home: Option<String>,
}

/// One container to start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Unused so far; the agent makes it.
    pub id: ContainerId,
    /// `command_info` is what runs (and whose `uris` are fetched), `directory` the absolute path of the sandbox, which
    /// is created here; `user`, if set, owns the sandbox and runs the program. Leave it unset for `--no-switch_user`.
    pub config: ContainerConfig,
    /// The executor environment made by the agent. `MESOS_SANDBOX` and the variables of the command come after it.
    pub environment: Vec<(String, String)>,
}

/// What became of a launch.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The program runs.
    Launched {
        /// The container.
        id: ContainerId,
        /// Its first process, leader of its own session.
        pid: i32,
    },
    /// The container has the resources it was to get; never said before [`Event::Launched`].
    Updated {
        /// The container.
        id: ContainerId,
        /// The number given to [`Containerizer::update`].
        sequence: u64,
    },
    /// The program never ran; nothing of it is left but the sandbox.
    LaunchFailed {
        /// The container.
        id: ContainerId,
        /// Why, in Mesos' words where Mesos has them. The agent puts `Failed to launch container: ` before it.
        message: String,
    },
    /// The program has ended, by itself or destroyed.
    Terminated {
        /// The container.
        id: ContainerId,
        /// `status` is the wait status of the first process.
        termination: ContainerTermination,
    },
}

/// A running or starting container, as seen from outside its task.
struct Entry {
    pid: Option<i32>,
    destroy: Arc<Notify>,
    /// The updates asked for before the launch was told; `None` from then on.
    updates: Option<Vec<u64>>,
}

type Entries = Map<ContainerId, Entry>;

/// Starts, watches and destroys containers. Cheap to clone; all clones are one. Must be used inside a tokio runtime.
#[derive(Clone)]
pub struct Containerizer {
    config: Arc<Config>,
    entries: Arc<Mutex<Entries>>,
    events: mpsc::UnboundedSender<Event>,
    /// How many containers there are; changes wake [`Containerizer::destroy_all`].
    count: Arc<watch::Sender<usize>>,
    fetches: Arc<Fetches>,
}

/// How the fetching for containers went so far.
#[derive(Default)]
struct Fetches {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Containerizer {
    /// Events go to `events`, in order for each container.
    pub fn new(config: Config, events: mpsc::UnboundedSender<Event>) -> Containerizer {
        Containerizer {
            config: Arc::new(config),
            entries: Arc::default(),
            events,
            count: Arc::new(watch::Sender::new(0)),
            fetches: Arc::default(),
        }
    }

    /// Starts a container; its fate arrives as events.
    ///
    /// # Panics
    /// If a container of that id exists: ids are the agent's own.
    pub fn launch(&self, launch: Launch) {
        let destroy = Arc::new(Notify::new());
        let entry = Entry { pid: None, destroy: destroy.clone(), updates: Some(Vec::new()) };
        let previous = self.entries().insert(launch.id.clone(), entry);
        assert!(previous.is_none(), "container {} exists already", launch.id);
        self.count.send_modify(|count| *count += 1);
        let this = self.clone();
        tokio::spawn(async move { this.live(launch, &destroy).await });
    }

    /// Gives a container other resources; answered by [`Event::Updated`] with this number, unless there is no such
    /// container (any more). The posix launcher enforces no limits, so that there is nothing to change and nothing to
    /// fail; but an executor that is quicker than the word of its own launch has to wait for it here, so that what the
    /// agent says of its tasks names the container's process.
    pub fn update(&self, id: &ContainerId, sequence: u64) {
        match self.entries().get_mut(id) {
            Some(Entry { updates: Some(waiting), .. }) => waiting.push(sequence),
            Some(_) => self.emit(Event::Updated { id: id.clone(), sequence }),
            None => tracing::debug!(container = %id, "nothing to update"),
        }
    }

    /// Kills a container and all its processes, or stops its launch. Its end arrives as an event. `false` if there is
    /// no such container (any more).
    pub fn destroy(&self, id: &ContainerId) -> bool {
        let entries = self.entries();
        let Some(entry) = entries.get(id) else { return false };
        entry.destroy.notify_one();
        true
    }

    /// Destroys all containers and waits until they are gone.
    pub async fn destroy_all(&self) {
        for entry in self.entries().values() {
            entry.destroy.notify_one();
        }
        let mut count = self.count.subscribe();
        // The sender lives in `self`: waiting cannot fail.
        let _ = count.wait_for(|count| *count == 0).await;
    }

    /// The first process of a running container.
    pub fn pid(&self, id: &ContainerId) -> Option<i32> {
        self.entries().get(id).and_then(|entry| entry.pid)
    }

    /// What the processes of a running container use now; `timestamp` is left to the caller. Reads `/proc`, so it
    /// blocks for some milliseconds on a machine with very many processes.
    pub fn usage(&self, id: &ContainerId) -> Option<ResourceStatistics> {
        usage::of_tree(self.pid(id)?).ok()
    }

    /// For how many containers everything was fetched, and for how many it was not.
    pub fn fetches(&self) -> (u64, u64) {
        (self.fetches.succeeded.load(Ordering::Relaxed), self.fetches.failed.load(Ordering::Relaxed))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A map insertion that panicked half-way leaves the map usable.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn live(&self, launch: Launch, destroy: &Notify) {
        let id = launch.id.clone();
        let end = match self.start(launch, destroy).await {
            Err(message) => {
                tracing::warn!(container = %id, message, "container did not start");
                Event::LaunchFailed { id: id.clone(), message }
            }
            Ok(child) => {
                let pid = child.pid();
                self.launched(&id, pid);
                let status = child.end(destroy).await.status;
                tracing::info!(container = %id, pid, "container {status}");
                runtime::write_status(&self.config.runtime_dir, &id, status);
                Event::Terminated { id: id.clone(), termination: termination(status) }
            }
        };
        runtime::remove(&self.config.runtime_dir, &id);
        self.entries().remove(&id);
        self.emit(end);
        self.count.send_modify(|count| *count -= 1);
    }

    /// Tells of a launch, and after it of the updates that waited for it.
    fn launched(&self, id: &ContainerId, pid: i32) {
        let mut entries = self.entries();
        self.emit(Event::Launched { id: id.clone(), pid });
        let waiting = entries.get_mut(id).and_then(|entry| entry.updates.take());
        for sequence in waiting.into_iter().flatten() {
            self.emit(Event::Updated { id: id.clone(), sequence });
        }
    }

    async fn start(&self, launch: Launch, destroy: &Notify) -> Result<Child, String> {
        let Launch { id, config, environment } = launch;
        let info = launch_info::of(&config, &environment);
        if let Some(what) = launch_info::unsupported(&config, &info) {
            return Err(what);
        }
        prepare(self.config.clone(), id.clone(), config.clone()).await?;
        let fetched = fetcher::fetch(&self.config, &id, &config, destroy).await;
        let counter = if fetched.is_ok() { &self.fetches.succeeded } else { &self.fetches.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        fetched?;
        let child = spawn(&info, Path::new(&config.directory)).map_err(|e| format!("Failed to fork: {e}"))?;
        let pid = child.pid();
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.pid = Some(pid);
        }
        if let Err(e) = runtime::write_pid(&self.config.runtime_dir, &id, pid) {
            tracing::error!(container = %id, pid, "failed to write the container's pid: {e}");
        }
        tracing::info!(container = %id, pid, "container started");
        Ok(child)
    }

    fn emit(&self, event: Event) {
        // No receiver: the agent is gone, and with it the interest.
        let _ = self.events.send(event);
    }
}

/// Makes the sandbox and the runtime files, off the asynchronous threads.
async fn prepare(config: Arc<Config>, id: ContainerId, container: ContainerConfig) -> Result<(), String> {
    let work = move || {
        sandbox::create(Path::new(&container.directory), container.user.as_deref()).map_err(|e| e.to_string())?;
        runtime::create(&config.runtime_dir, &id, &container)
            .map_err(|e| format!("Failed to make the containerizer runtime directory: {e}"))
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| format!("Failed to prepare: {e}"))?
}

fn spawn(info: &ContainerLaunchInfo, sandbox: &Path) -> Result<Child, process::Error> {
    let mut spec = process::Spec::of(info)?;
    spec.output = Some(sandbox::open_output(sandbox, spec.user.as_ref()).map_err(process::Error::Output)?);
    Child::spawn(spec)
}

fn termination(status: WaitStatus) -> ContainerTermination {
    ContainerTermination { status: Some(status.0), ..Default::default() }
}
