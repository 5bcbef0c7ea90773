//! What `replica` and `benchmark` run: a replica in a group.

use super::Result;
use super::initialize::Initialize;
use crate::environment;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tepui_coordination::Url;
use tepui_logd::Replica;
use tepui_logd::members::Others;
use tepui_logd::replica::{PROCESS, Settings};
use tepui_net::{NetConfig, Node};
use tepui_wire::Upid;
use tokio::sync::watch;

/// The session timeout of 1.11's tool.
const SESSION: Duration = Duration::from_secs(10);

/// The flags of both.
#[derive(Clone, Debug, Args)]
pub struct GroupArgs {
    /// Quorum size
    #[arg(long)]
    quorum: usize,
    /// Path to the log
    #[arg(long)]
    path: PathBuf,
    /// ZooKeeper servers, host:port with commas between
    #[arg(long, requires = "znode", required_unless_present = "members")]
    servers: Option<String>,
    /// ZooKeeper znode
    #[arg(long, requires = "servers")]
    znode: Option<String>,
    /// Without ZooKeeper: ip:port of every replica of the group, with commas between; this one need not be in it
    #[arg(long, conflicts_with = "servers", num_args = 0..=1, default_missing_value = "")]
    members: Option<String>,
    /// Start although the last start of this replica had another quorum or group
    #[arg(long = "accept_other_quorum", alias = "accept-other-quorum")]
    accept_other_quorum: bool,
}

/// A replica and the node it runs on.
pub struct Running {
    pub node: Node,
    pub replica: Replica,
}

impl GroupArgs {
    /// Initializes the log if that is wanted, and starts the replica. Where it listens is up to the variables of libprocess
    /// (LIBPROCESS_IP, LIBPROCESS_PORT, ...).
    pub async fn start(self, initialize: Initialize) -> Result<Running> {
        for said in environment::check(&environment::variables())? {
            tracing::warn!("{said}");
        }
        initialize.apply(&self.path)?;
        let net = NetConfig::from_env(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
        let node = Node::bind(net).await.map_err(|error| error.to_string())?;
        let settings = self.settings(&node.upid(PROCESS))?;
        let replica = Replica::start(&node, settings).await.map_err(|error| error.to_string())?;
        Ok(Running { node, replica })
    }

    /// Unlike a master's, a log of these begins only where it was initialized, as in 1.11.
    fn settings(self, own: &Upid) -> Result<Settings> {
        let others = match (&self.servers, &self.znode, &self.members) {
            (Some(servers), Some(znode), _) => {
                let url = Url::of_group(&format!("zk://{servers}{znode}")).map_err(|error| error.to_string())?;
                Others::ZooKeeper(url, SESSION)
            }
            (.., members) => Others::Known(watch::channel(fixed(members.as_deref().unwrap_or_default(), own)?).1),
        };
        let settings = Settings::new(self.path, self.quorum, others);
        Ok(Settings { auto_initialize: false, accept_other_quorum: self.accept_other_quorum, ..settings })
    }
}

/// The other replicas of a list.
fn fixed(members: &str, own: &Upid) -> Result<BTreeSet<Upid>> {
    let words = members.split(',').map(str::trim).filter(|word| !word.is_empty());
    let upid = |word: &str| {
        let address = word.parse().map_err(|_| format!("Expecting ip:port in --members, not '{word}'"))?;
        Ok(Upid::at(PROCESS, address))
    };
    let members: BTreeSet<Upid> = words.map(upid).collect::<Result<_>>()?;
    Ok(members.into_iter().filter(|member| member != own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        group: GroupArgs,
    }

    #[test]
    fn a_log_does_not_begin_by_itself() {
        let own = Upid::at(PROCESS, "127.0.0.1:5050".parse().unwrap());
        for group in ["--members=127.0.0.1:5050,127.0.0.1:5051", "--servers=127.0.0.1:2181 --znode=/log"] {
            let words = format!("replica --quorum=2 --path=/l {group}");
            let settings = Words::parse_from(words.split(' ')).group.settings(&own).unwrap();
            assert!(!settings.auto_initialize, "{words}");
        }
    }
}
