//! Agents and frameworks that a master cannot tell from real ones, by the thousand and in one process: for load, and for
//! scenarios whose every step is chosen.
//!
//! Agents speak libprocess through [`tepui_net`]; their tasks are a few states that are reported one after the other.
//! Frameworks speak the V1 scheduler API. Nothing here decides what a master decides, so that the same program
//! can be pointed at Tepui and at Apache Mesos.
//!
//! ```no_run
//! # async fn scenario() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use tepui_bench::emulator::{AgentSpec, Emulator, Subscription, task};
//! use tepui_sdk::{call, messages, mesos::TaskState};
//!
//! let emulator = Emulator::new("127.0.0.1:5050".parse()?);
//! let agent = emulator.agent(AgentSpec::new("a1", "cpus:4;mem:4096")?).await?;
//! agent.register().await?;
//! let mut framework = Subscription::new(messages::framework("f", "root")).subscribe(emulator.master()).await?;
//! let offers = framework.offers(Duration::from_secs(5)).await?.expect("the agent is offered");
//! framework.accept(&offers, vec![call::launch(vec![task("t", &offers[0], "cpus:1;mem:32")?])], None).await?;
//! let running = framework.update(Duration::from_secs(5)).await?.expect("the task runs");
//! framework.acknowledge(&running);
//! agent.report("t", TaskState::TASK_FINISHED);
//! # Ok(()) }
//! ```

mod agent;
mod calls;
mod framework;
mod host;
mod spec;
mod task;

pub use agent::Agent;
pub use calls::{Answer, Refused};
pub use framework::{Framework, Subscription, filters};
pub use host::Emulator;
pub use spec::{AgentSpec, CAPABILITIES};

use anyhow::Context;
use tepui_proto::mesos::{Offer, TaskInfo};
use tepui_resources::Resources;
use tepui_sdk::messages;

/// A command task of these resources (`cpus:1;mem:32`, without reservations) for the agent of an offer.
pub fn task(id: &str, offer: &Offer, resources: &str) -> anyhow::Result<TaskInfo> {
    let wanted = Resources::parse(resources, "*")?;
    let taken = tepui_sdk::resources::take(&mut tepui_sdk::resources::offered(offer), &wanted)
        .with_context(|| format!("the offer does not hold {resources}"))?;
    let mut task = messages::task(id, messages::shell("true"), taken.to_proto());
    task.agent_id = offer.agent_id.clone();
    Ok(task)
}
