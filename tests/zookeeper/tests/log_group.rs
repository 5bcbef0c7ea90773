//! The group of a log in a real ZooKeeper.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_coordination::{Acl, Client, Config, Credentials, Group, GroupEvent, Mode, Url};
use tepui_logd::members::{self, Others};
use tepui_logd::replica::Settings;
use tepui_logd::{Replica, quorum};
use tepui_net::{NetConfig, Node};
use tepui_wire::Upid;
use tokio::sync::watch;
use tokio::time::timeout;
use zookeeper::Ensemble;

/// Sessions are short, so that their end does not take long.
const SESSION: Duration = Duration::from_secs(2);
/// Nothing that is waited for takes so long, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn replica(number: u8) -> Upid {
    Upid::new("log-replica(1)", [10, 0, 0, number].into(), 5050)
}

async fn sees(group: &mut watch::Receiver<BTreeSet<Upid>>, other: &Upid) -> Result<()> {
    let seen = timeout(LIMIT, group.wait_for(|others| others.contains(other))).await.context("not seen")?;
    seen.map(drop).context("it has given the group up")
}

/// Who is refused while an operator sorts the rights out takes part once that is done, and hears of others.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_refuses_is_tried_again() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let credentials = Some(Credentials::new("mesos:secret"));
    let config = Config { servers: ensemble.servers_text(), timeout: SESSION, credentials };
    let (owner, _events) = Client::open(config);
    owner.create("/log", Bytes::new(), Acl::read_all_write_own(), Mode::Persistent).await?;
    let url: Url = ensemble.url("/log").parse()?;
    let mut first = members::join(&url, SESSION, replica(1)).others;
    let (stranger, _others) = Group::open(&url, SESSION);
    let refused = timeout(LIMIT, stranger.join(Bytes::new(), None)).await.context("no answer")?;
    ensure!(refused.is_err(), "anybody may join");
    ensure!(first.has_changed().is_ok(), "it has given the group up");
    owner.delete("/log", -1).await?;
    let mut second = members::join(&url, SESSION, replica(2)).others;
    sees(&mut second, &replica(1)).await?;
    sees(&mut first, &replica(2)).await
}

/// Who is listed counts as a member for the others, so it is there only while it may take part.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_listed_when_it_takes_part_and_no_longer_when_it_has_ended() -> Result<()> {
    // Twice as long as anything is waited for.
    const LONG: Duration = Duration::from_secs(60);
    const WITHIN: Duration = Duration::from_secs(30);
    let ensemble = Ensemble::start(1)?;
    let url: Url = ensemble.url("/log").parse()?;
    let folder = tempfile::tempdir()?;
    let directory = folder.path().join("log");
    let (group, mut events) = Group::open(&url, SESSION);
    group.join(Bytes::new(), None).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut listed = async |wanted: usize| -> Result<()> {
        let seen = async {
            while let Some(event) = events.recv().await {
                if let GroupEvent::Members(members) = event
                    && members.len() == wanted
                {
                    return Ok(());
                }
            }
            bail!("the watcher has lost the group")
        };
        timeout(WITHIN, seen).await.with_context(|| format!("not {wanted} members"))?
    };
    listed(1).await?;
    let node = Node::bind(NetConfig::loopback()).await?;
    let settings = Settings::new(&directory, 2, Others::ZooKeeper(url, LONG));
    let replica = Replica::start(&node, settings.clone()).await?;
    listed(2).await?;
    replica.stop().await;
    listed(1).await?;
    ensure!(quorum::file(&directory).exists(), "what it was started with is not written down");
    let refused = Replica::start(&node, Settings { quorum: 3, ..settings.clone() }).await;
    ensure!(refused.is_err(), "another quorum is accepted");
    let again = Replica::start(&node, settings).await?;
    // Were the refused one listed, this would be the third.
    listed(2).await?;
    again.stop().await;
    node.shutdown().await;
    Ok(())
}
