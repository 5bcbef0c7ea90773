//! The group of a log in a real ZooKeeper.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_coordination::{Acl, Client, Config, Credentials, Group, Mode, Url};
use tepui_logd::members;
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
    let mut first = members::join(&url, SESSION, replica(1));
    let (stranger, _others) = Group::open(&url, SESSION);
    let refused = timeout(LIMIT, stranger.join(Bytes::new(), None)).await.context("no answer")?;
    ensure!(refused.is_err(), "anybody may join");
    ensure!(first.has_changed().is_ok(), "it has given the group up");
    owner.delete("/log", -1).await?;
    let mut second = members::join(&url, SESSION, replica(2));
    sees(&mut second, &replica(1)).await?;
    sees(&mut first, &replica(2)).await
}
