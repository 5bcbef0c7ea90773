//! What allocating takes a master by its own figures, with agents and frameworks that decline everything: the load of
//! Mesos' `DeclineOffers` benchmark, at a whole master.

use super::{Arguments, Stretch, Target};
use crate::emulator::{Framework, Subscription};
use crate::failover::http;
use crate::output::say;
use anyhow::{Context, Result};
use serde_json::Value;
use std::time::{Duration, Instant};
use tepui_sdk::messages;
use tokio::task::JoinSet;

/// What the master says about allocation, as Mesos names it.
const METRICS: [&str; 2] = ["allocator/mesos/allocation_run_ms", "allocator/mesos/allocation_run_latency_ms"];
/// What it says about each of them.
const STATISTICS: [&str; 5] = ["count", "min", "p50", "p99", "max"];

/// Subscribes the frameworks one after the other, lets all decline for a while with the default filter of five seconds, and
/// prints how many offers they saw and what each run of the allocator took.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<()> {
    let stretch = Stretch::begin(target)?;
    let mut declining = JoinSet::new();
    for number in 0..arguments.frameworks {
        let info = messages::framework(format!("tepui-bench decline {number}"), "root");
        let framework = Subscription::new(info).subscribe(target.address).await?;
        declining.spawn(decline(framework, Duration::from_secs(arguments.decline_secs)));
    }
    let mut offers = 0;
    while let Some(declined) = declining.join_next().await {
        offers += declined??;
    }
    stretch.report(offers, &format!("offers declined by {} frameworks", arguments.frameworks))?;
    let snapshot = http::get(target.address, "/metrics/snapshot").await.context("the master shows no metrics")?;
    print(&serde_json::from_str(&snapshot)?);
    Ok(())
}

/// Declines what comes for so long; gives how many offers that were.
async fn decline(mut framework: Framework, span: Duration) -> Result<usize> {
    let (mut declined, until) = (0, Instant::now() + span);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let Some(offers) = framework.offers(left).await? else { break };
        framework.decline(&offers, None).await?;
        declined += offers.len();
    }
    framework.teardown().await?;
    Ok(declined)
}

fn print(snapshot: &Value) {
    for metric in METRICS {
        let figures = STATISTICS
            .map(|name| format!("{name} {:.2}", snapshot[format!("{metric}/{name}")].as_f64().unwrap_or(f64::NAN)));
        say!("{metric}: {}", figures.join("  "));
    }
}
