//! Requests that only read, answered from a snapshot on another thread: the machine never waits for a reader.

use crate::Settings;
use std::sync::Arc;
use std::time::Duration;
use tepui_agent::{Agent, view};
use tepui_api::metrics::Values;
use tepui_api::{FilesError, Host};
use tepui_container::Containerizer;
use tepui_driver::{Clock, Mailbox};
use tepui_net::Outlet;
use tepui_processes::{Limiter, Processes, limiter};
use tepui_proto::mesos::{FileInfo, ResourceStatistics};
use tepui_wire::{NetEffect, Request, RequestId, Response};

/// The process around the agent: what every daemon has, and containers.
pub struct AgentHost {
    pub processes: Arc<Processes>,
    pub containers: Containerizer,
}

impl Host for AgentHost {
    fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, FilesError> {
        self.processes.list_files(path)
    }

    fn read_file(&self, path: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), FilesError> {
        self.processes.read_file(path, offset, length)
    }

    fn logging_level(&self) -> u32 {
        self.processes.logging_level()
    }

    fn set_logging_level(&self, level: u32, time: Duration) {
        self.processes.set_logging_level(level, time);
    }

    fn metrics(&self) -> Values {
        self.processes.metrics()
    }

    fn usage(&self, container: &str) -> Option<ResourceStatistics> {
        self.containers.usage(&container.into())
    }
}

/// What is measured around the machine.
pub fn figures(containers: &Containerizer) -> tepui_processes::Figures {
    let containers = containers.clone();
    Box::new(move || {
        let (succeeded, failed) = containers.fetches();
        let counts = [
            ("containerizer/fetcher/task_fetches_succeeded", succeeded),
            ("containerizer/fetcher/task_fetches_failed", failed),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count as f64)).collect()
    })
}

/// What a reader needs.
#[derive(Clone)]
pub struct Reader {
    clock: Clock,
    mailbox: Mailbox<Agent>,
    outlet: Outlet,
    host: Arc<AgentHost>,
    /// Of `/metrics/snapshot`, and of `/monitor/statistics`.
    limiters: Arc<[Limiter; 2]>,
}

impl Reader {
    /// A reader of the agent behind `mailbox`.
    pub fn new(
        settings: &Settings,
        clock: Clock,
        mailbox: Mailbox<Agent>,
        outlet: Outlet,
        host: Arc<AgentHost>,
    ) -> Reader {
        let limiters = Arc::new([Limiter::new(settings.metrics_pause), Limiter::new(limiter::USUAL)]);
        Reader { clock, mailbox, outlet, host, limiters }
    }

    /// Answers a request as soon as it can be.
    pub async fn answer(self, id: RequestId, request: Request) {
        if view::is_metrics(&request) {
            self.limiters[0].acquire().await;
        } else if view::is_monitor(&request) {
            self.limiters[1].acquire().await;
        }
        let response = match self.mailbox.inspect(Agent::snapshot).await {
            Some(mut snapshot) => {
                snapshot.now = self.clock.now();
                let host = self.host;
                let answer = tokio::task::spawn_blocking(move || view::respond(&snapshot, &*host, &request)).await;
                answer.unwrap_or_else(|_| Response::status(500))
            }
            None => Response::text(503, "The agent has stopped"),
        };
        self.outlet.apply(NetEffect::Respond(id, response));
    }
}
