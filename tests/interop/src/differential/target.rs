//! A cluster that is asked: where its master and its agent are, and what their addresses and folders look like.

use anyhow::Result;

use super::exchange::{Request, Response};

/// Which daemon a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// The master.
    Master,
    /// Its agent.
    Agent,
}

/// Paths that belong to a libprocess process of their own. A master inside another program has no delegate for all
/// other paths, so they need its name in front.
const OWN_PROCESS: [&str; 11] = [
    "/metrics",
    "/files",
    "/version",
    "/system",
    "/help",
    "/logging",
    "/__processes__",
    "/profiler",
    "/registrar(1)",
    "/slave(1)",
    "/master",
];

/// One cluster.
#[derive(Clone, Debug)]
pub struct Target {
    /// As differences call it.
    pub name: &'static str,
    /// `host:port` of the master, and what stands before paths of its own.
    pub master: (String, &'static str),
    /// The same of the agent.
    pub agent: (String, &'static str),
    /// Folders whose names show in answers, and what they are called instead; the first has the cluster's programs.
    pub folders: Vec<(String, &'static str)>,
}

impl Target {
    /// `host:port` of a daemon.
    pub fn address(&self, daemon: Daemon) -> &str {
        match daemon {
            Daemon::Master => &self.master.0,
            Daemon::Agent => &self.agent.0,
        }
    }

    /// A daemon's path as it must be asked for here.
    pub fn path(&self, daemon: Daemon, path: &str) -> String {
        let prefix = match daemon {
            Daemon::Master => self.master.1,
            Daemon::Agent => self.agent.1,
        };
        let first = path.split(['?', '#']).next().unwrap_or_default();
        let own = |name: &&str| first.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if OWN_PROCESS.iter().any(own) { path.to_owned() } else { format!("{prefix}{path}") }
    }

    /// GET.
    pub fn get(&self, daemon: Daemon, path: &str) -> Result<Response> {
        let path = self.path(daemon, path);
        Request { method: "GET".to_owned(), path, headers: Vec::new(), body: None }.send(self.address(daemon))
    }

    /// Whether an agent has registered.
    pub fn has_agent(&self) -> bool {
        let answer = self.get(Daemon::Master, "/slaves");
        answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.body).contains("\"active\":true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_master_itself_get_its_name() {
        let target = Target {
            name: "mesos",
            master: ("127.0.0.1:1".to_owned(), "/master"),
            agent: ("127.0.0.1:1".to_owned(), "/slave(1)"),
            folders: Vec::new(),
        };
        assert_eq!(target.path(Daemon::Master, "/state?jsonp=x"), "/master/state?jsonp=x");
        assert_eq!(target.path(Daemon::Agent, "/state"), "/slave(1)/state");
        assert_eq!(target.path(Daemon::Master, "/metrics/snapshot"), "/metrics/snapshot");
        assert_eq!(target.path(Daemon::Master, "/files/read?path=/x"), "/files/read?path=/x");
        assert_eq!(target.path(Daemon::Master, "/versions"), "/master/versions");
    }
}
