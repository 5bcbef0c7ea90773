//! `/state` to one client, then to many, and `/health` beside it.

use super::clients::Client;
use super::{Arguments, Stretch, Target};
use crate::durations::Durations;
use crate::output::say;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const STATE: &str = "/master/state";
const HEALTH: &str = "/master/health";

/// Requests of the part with one client.
const ALONE: usize = 30;
/// Pause between two looks at `/health`.
const HEALTH_PAUSE: Duration = Duration::from_millis(10);

/// Measures and prints.
pub(super) async fn poll(arguments: &Arguments, target: &Target) -> Result<()> {
    let (mut client, mut latencies, mut bytes) =
        (Client::connect(target.address, STATE).await?, Durations::default(), 0);
    for _ in 0..ALONE {
        let asked = Instant::now();
        bytes = client.ask().await?;
        latencies.push(asked.elapsed());
    }
    say!("/state of {bytes} bytes, one client: {latencies}");
    let until = Instant::now() + Duration::from_secs(1);
    say!("/health, nobody else: {}", health(target, until).await?);

    let until = Instant::now() + Duration::from_secs(arguments.poll_secs);
    let stretch = Stretch::begin(target)?;
    let mut pollers = JoinSet::new();
    for _ in 0..arguments.pollers {
        pollers.spawn(ask_until(Client::connect(target.address, STATE).await?, until));
    }
    let beside = health(target, until).await?;
    let (mut latencies, mut count) = (Durations::default(), 0);
    while let Some(asked) = pollers.join_next().await {
        for latency in asked?? {
            latencies.push(latency);
            count += 1;
        }
    }
    stretch.report(count, &format!("/state to {} clients", arguments.pollers))?;
    say!("/state to {} clients: {latencies}", arguments.pollers);
    say!("/health meanwhile: {beside}");
    Ok(())
}

async fn ask_until(mut client: Client, until: Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        client.ask().await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}

async fn health(target: &Target, until: Instant) -> Result<Durations> {
    let (mut client, mut latencies) = (Client::connect(target.address, HEALTH).await?, Durations::default());
    while Instant::now() < until {
        let asked = Instant::now();
        client.ask().await?;
        latencies.push(asked.elapsed());
        tokio::time::sleep(HEALTH_PAUSE).await;
    }
    Ok(latencies)
}
