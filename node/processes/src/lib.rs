//! The libprocess processes that every daemon has beside its own: `/files`, `/help`, `/logging`, `/memory-profiler`,
//! `/metrics`, `/profiler`, `/system`, `/__processes__`.
//!
//! They answer beside the machine. What the machine's own views show of them reaches it as a [`tepui_api::Host`].
//! Source: Mesos `3rdparty/libprocess/src/{help,logging,profiler}.cpp`, `include/process/system.hpp`,
//! `src/files/files.cpp`.

pub mod files;
pub mod help;
pub mod limiter;
pub mod logging;
mod memory_profiler;
mod processes;
pub mod system;

pub use files::Files;
pub use limiter::Limiter;
pub use logging::{Logging, Verbosity};

use help::Process;
use std::sync::Arc;
use std::time::Duration;
use tepui_api::metrics::Values;
use tepui_api::{FilesError, Host};
use tepui_net::{Answer, Node};
use tepui_proto::mesos::FileInfo;
use tepui_wire::{Request, Response};

/// Figures that the daemon around a machine keeps: queues, caches, its other machines.
pub type Figures = Box<dyn Fn() -> Values + Send + Sync>;

/// What the processes of one daemon share.
pub struct Processes {
    /// Files that clients may read.
    pub files: Files,
    /// The verbosity of the log.
    pub logging: Logging,
    figures: Figures,
}

impl Processes {
    /// Processes that serve these files, and show these figures beside those of the system.
    pub fn new(files: Files, logging: Logging, figures: Figures) -> Arc<Processes> {
        Arc::new(Processes { files, logging, figures })
    }

    /// Serves them at a node; `own` are the pages of help on the daemon's own processes. There is a memory profiler only
    /// where one was asked for (`--memory_profiling`).
    pub fn serve(self: &Arc<Processes>, node: &Node, own: &[Process], memory_profiling: bool) {
        node.route_exact("/files/browse", self.blocking(|this, request| files::browse(&this.files, request).into()));
        node.route_exact("/files/read", self.blocking(|this, request| files::read(&this.files, request).into()));
        node.route_exact("/files/download", self.blocking(|this, request| files::download(&this.files, request)));
        node.route_exact("/files/debug", self.blocking(|this, request| json(this.files.debug(), request)));
        node.route_exact("/system/stats.json", self.blocking(|_, request| json(system::Stats::read().json(), request)));
        node.route_exact("/logging/toggle", self.blocking(|this, request| this.logging.toggle(request).into()));
        for path in ["/profiler/start", "/profiler/stop"] {
            node.route_exact(path, self.blocking(|_, _| Response::text(400, NO_PROFILER).into()));
        }
        if memory_profiling {
            for path in memory_profiler::PATHS {
                node.route_exact(path, self.blocking(|_, request| memory_profiler::respond(request).into()));
            }
        }
        let pages: Arc<[Process]> = help::pages(own, memory_profiling).into();
        let processes = processes::json(&pages);
        node.route_exact("/__processes__", self.blocking(move |_, request| json(processes.clone(), request)));
        node.route("/help", self.blocking(move |_, request| help::respond(&pages, request).into()));
    }

    /// A handler that may wait for the disk where waiting harms nobody.
    fn blocking(
        self: &Arc<Processes>,
        handler: impl Fn(&Processes, &Request) -> Answer + Clone + Send + Sync + 'static,
    ) -> impl Fn(Request) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync + 'static {
        let this = self.clone();
        move |request| {
            let (this, handler) = (this.clone(), handler.clone());
            Box::pin(async move {
                let answer = tokio::task::spawn_blocking(move || handler(&this, &request)).await;
                answer.unwrap_or_else(|_| Response::status(500).into())
            })
        }
    }
}

/// The text of a libprocess that was built without the profiler, as the released packages are.
const NO_PROFILER: &str = "Perftools is disabled. To enable perftools, configure libprocess with --enable-perftools.\n";

fn json(json: String, request: &Request) -> Answer {
    Response::json(json, request.query_pairs().get("jsonp").map(String::as_str)).into()
}

impl Host for Processes {
    fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, FilesError> {
        files::list(&self.files, path)
    }

    fn read_file(&self, path: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), FilesError> {
        files::piece(&self.files, path, Some(offset), length)
    }

    fn logging_level(&self) -> u32 {
        self.logging.level()
    }

    fn set_logging_level(&self, level: u32, time: Duration) {
        self.logging.set(level, time);
    }

    fn metrics(&self) -> Values {
        let mut values = (self.figures)();
        values.extend(system::Stats::read().metrics());
        values
    }
}
