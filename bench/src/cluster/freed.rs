//! From the end of a task to the offer of what it held, over sockets, on a master with nothing else to do.
//!
//! One agent runs one task after the other, each of all it has. The time counts from the moment the agent sends the terminal
//! update to the moment the scheduler has the OFFERS event with that agent in it.

use super::Target;
use crate::durations::Durations;
use crate::emulator::{AgentSpec, Emulator, Framework, Subscription};
use crate::output::say;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use tepui_proto::mesos::{AgentID, Offer, TaskState};
use tepui_sdk::{call, messages};

/// How long the master may keep silent before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs so many tasks, one after the other, and prints the times.
pub(super) async fn run(rounds: usize, target: &Target, emulator: &Emulator) -> Result<()> {
    let spec = AgentSpec::new("freed", "cpus:4;mem:4096;disk:4096;ports:[31000-32000]")?;
    let agent = emulator.agent(spec.task_states(&[TaskState::TASK_RUNNING])).await?;
    let id = agent.register().await?;
    let info = messages::framework("tepui-bench freed", "root");
    let mut framework = Subscription::new(info).subscribe(target.address).await?;
    let (mut times, mut ended) = (Durations::default(), None);
    for round in 0..=rounds {
        let offer = offered(&mut framework, &id).await?;
        // The first offer is of an agent that was free all the time.
        if let Some(ended) = ended.take() {
            times.push(Instant::elapsed(&ended));
        }
        let name = format!("freed-{round}");
        let mut task = messages::task(&name, messages::shell("true"), offer.resources.clone());
        task.agent_id = offer.agent_id.clone();
        let ids = offer.id.as_option().cloned().into_iter().collect();
        drop(framework.call(call::accept(ids, vec![call::launch(vec![task])], None)));
        running(&mut framework, &name).await?;
        ended = Some(Instant::now());
        agent.report(&name, TaskState::TASK_FINISHED);
    }
    say!("terminal update -> OFFERS: {times}");
    framework.teardown().await?;
    Ok(())
}

/// The next offer of this agent. Updates that come before it are acknowledged; offers of others are kept and not used.
async fn offered(framework: &mut Framework, agent: &AgentID) -> Result<Offer> {
    loop {
        let event = framework.event_within(PATIENCE).await?.context("the agent is not offered")?;
        if let Some(status) = event.update.as_option().and_then(|update| update.status.as_option()) {
            framework.acknowledge(status);
        }
        let offers = event.offers.into_option().map(|event| event.offers).unwrap_or_default();
        if let Some(own) = offers.into_iter().find(|offer| offer.agent_id.value == agent.value) {
            return Ok(own);
        }
    }
}

/// Waits until the task runs. The terminal update of the task before it may come first.
async fn running(framework: &mut Framework, task: &str) -> Result<()> {
    loop {
        let status = framework.update(PATIENCE).await?.context("the task does not run")?;
        framework.acknowledge(&status);
        match status.state {
            _ if status.task_id.value != task => {}
            TaskState::TASK_RUNNING => return Ok(()),
            state => bail!("{task}: {state:?} {}", status.message.as_deref().unwrap_or_default()),
        }
    }
}
