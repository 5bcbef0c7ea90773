//! The cluster in this process, for those who name no master.

use anyhow::{Result, bail};

/// A master and an agent in this process, on loopback ports of their own and with a temporary work directory.
#[derive(Debug)]
pub struct Embedded {
    /// `host:port` of the master.
    pub master: String,
    /// `host:port` of the agent.
    pub agent: String,
}

impl Embedded {
    /// Starts both; the master listens when this returns, the agent registers soon after. The servers run as tasks of
    /// the current tokio runtime.
    pub async fn start() -> Result<Embedded> {
        bail!("this build has no cluster of its own: name a master with --master or MESOS_MASTER")
    }

    /// Ends both: containers are killed, streams closed, the work directory removed.
    pub async fn stop(self) {}
}
