//! Variables in a real ZooKeeper.

use anyhow::{Context, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tepui_coordination::{Value, Variables};
use tokio::time::timeout;
use zookeeper::Ensemble;

const SESSION: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_replaced_only_by_who_knows_its_version() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    let variables = Variables::open(&ensemble.url("/marathon/state").parse()?, SESSION);
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert!(variables.names().await?.is_empty());
    assert_eq!(variables.get("app:/foo").await?, None);
    assert!(!variables.set("app:foo", bytes("1"), 0).await?, "there is none");
    assert!(variables.create("app:foo", bytes("1")).await?);
    assert!(!variables.create("app:foo", bytes("2")).await?);
    assert_eq!(variables.get("app:foo").await?, Some(Value { data: bytes("1"), version: 0 }));
    assert!(variables.set("app:foo", bytes("2"), 0).await?);
    assert!(!variables.set("app:foo", bytes("3"), 0).await?);
    assert!(!variables.delete("app:foo", 0).await?);
    assert_eq!(variables.names().await?, ["app:foo"]);
    assert!(variables.delete("app:foo", 1).await?);
    assert!(!variables.delete("app:foo", 1).await?);
    Ok(())
}

/// Writers count together while the server is killed again and again: each count that was acknowledged is there.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_or_made_twice() -> Result<()> {
    const WRITERS: usize = 3;
    const COUNTS: usize = 40;
    let mut ensemble = Ensemble::start(1)?;
    let url = ensemble.url("/counter").parse()?;
    let variables = Arc::new(Variables::open(&url, SESSION));
    assert!(variables.create("n", Bytes::from_static(b"0")).await?);
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(count(Variables::open(&url, SESSION), writer, COUNTS))).collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        ensemble.server(0).kill()?;
        ensemble.server(0).restart()?;
        ensemble.wait_until_serving()?;
        let now = number(&variables).await?;
        // Some progress between two kills, or the end.
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) && number(&variables).await? < now + 10 {}
    }
    let mut unknown = 0;
    for writer in writers {
        unknown += timeout(LIMIT, writer).await???;
    }
    let (counted, acknowledged) = (number(&variables).await?, WRITERS * COUNTS);
    assert!((acknowledged..=acknowledged + unknown).contains(&counted), "{counted}, of which {unknown} are unknown");
    Ok(())
}

async fn number(variables: &Variables) -> Result<usize> {
    let value = timeout(LIMIT, variables.get("n")).await??.context("it was created")?;
    Ok(std::str::from_utf8(&value.data)?.split(' ').next().context("a number")?.parse()?)
}

/// Counts until so many counts are acknowledged; of how many others it is not known whether they were made.
async fn count(variables: Variables, writer: usize, counts: usize) -> Result<usize> {
    let (mut acknowledged, mut unknown) = (0, 0);
    for attempt in 0.. {
        let value = timeout(LIMIT, variables.get("n")).await??.context("it was created")?;
        let number: usize = std::str::from_utf8(&value.data)?.split(' ').next().context("a number")?.parse()?;
        // Who wrote it stands beside it: no two writes are the same.
        let next = Bytes::from(format!("{} {writer} {attempt}", number + 1));
        match timeout(LIMIT, variables.set("n", next, value.version)).await? {
            Ok(done) => acknowledged += usize::from(done),
            Err(error) if error.to_string().contains("it may have been done") => unknown += 1,
            Err(error) => return Err(error.into()),
        }
        if acknowledged == counts {
            break;
        }
    }
    Ok(unknown)
}
