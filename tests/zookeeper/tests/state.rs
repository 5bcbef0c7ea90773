//! State in a real ZooKeeper: the suite that every storage passes.

#[path = "../../../node/stated/tests/suite/mod.rs"]
mod suite;

use anyhow::Result;
use bytes::Bytes;
use std::time::Duration;
use suite::Fixture;
use tepui_coordination::Variables;
use tepui_stated::{Error, State};
use zookeeper::Ensemble;

const SESSION: Duration = Duration::from_secs(10);

/// Each way to it is a session of its own.
struct ZooKeeper {
    url: tepui_coordination::Url,
}

impl Fixture for ZooKeeper {
    // A znode that is created anew counts its versions anew.
    const TELLS_RECREATED: bool = false;

    async fn open(&mut self) -> State {
        State::zookeeper(Variables::open(&self.url, SESSION)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_zookeeper() -> Result<()> {
    let ensemble = Ensemble::start(1)?;
    suite::run(&mut ZooKeeper { url: ensemble.url("/marathon/state").parse()? }).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_in_zookeeper_outlive_process_and_server() -> Result<()> {
    let mut ensemble = Ensemble::start(1)?;
    let mut fixture = ZooKeeper { url: ensemble.url("/state").parse()? };
    let left = suite::leave(&fixture.open().await).await;
    ensemble.server(0).kill()?;
    ensemble.server(0).restart()?;
    ensemble.wait_until_serving()?;
    let state = fixture.open().await;
    suite::found_again(&state, &left).await;
    let large = state.fetch("large").await?.mutate(Bytes::from(vec![b'x'; 1024 * 1024]));
    assert!(matches!(state.store(&large).await, Err(Error::TooLarge)));
    Ok(())
}
