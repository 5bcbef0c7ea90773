//! Agents register as fast as the master answers.

use super::{Arguments, Stretch, Target, agent};
use crate::durations::Durations;
use crate::emulator::{Agent, Emulator};
use crate::output::say;
use anyhow::Result;
use std::time::Instant;
use tokio::task::JoinSet;

/// Registers all agents, some at a time, and prints how fast that was.
pub(super) async fn all(arguments: &Arguments, target: &Target, emulator: &Emulator) -> Result<Vec<Agent>> {
    let mut waiting = Vec::new();
    // Made before the clock starts: ports and texts are not the master's work.
    for number in 0..arguments.agents {
        waiting.push(agent(arguments, emulator, number).await?);
    }
    let stretch = Stretch::begin(target)?;
    let mut under_way = JoinSet::new();
    let mut registered = Vec::new();
    while registered.len() < arguments.agents {
        while under_way.len() < arguments.window.max(1)
            && let Some(agent) = waiting.pop()
        {
            under_way.spawn(async move { agent.register().await.map(|_| agent) });
        }
        if let Some(agent) = under_way.join_next().await {
            registered.push(agent??);
        }
    }
    stretch.report(arguments.agents, "registrations")?;
    Ok(registered)
}

/// Registers so many more, each when the one before has its answer, and prints how long each took: what an admission costs
/// where many agents are known.
pub(super) async fn one_by_one(arguments: &Arguments, target: &Target, emulator: &Emulator) -> Result<Vec<Agent>> {
    let (stretch, mut latencies, mut registered) = (Stretch::begin(target)?, Durations::default(), Vec::new());
    for number in arguments.agents..arguments.agents + arguments.one_by_one {
        let agent = agent(arguments, emulator, number).await?;
        let asked = Instant::now();
        agent.register().await?;
        latencies.push(asked.elapsed());
        registered.push(agent);
    }
    stretch.report(arguments.one_by_one, "registrations one by one")?;
    say!("registrations one by one: {latencies}");
    Ok(registered)
}
