//! Tasks that cost nothing but messages: offers taken, launches, two updates each, acknowledgements.

use super::{Arguments, Stretch, Target};
use crate::durations::Durations;
use crate::emulator::{Agent, Framework, Subscription};
use crate::output::say;
use anyhow::{Context, Result, bail};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tepui_proto::is_terminal;
use tepui_proto::mesos::{Offer, TaskInfo, TaskState, TaskStatus};
use tepui_sdk::{call, messages, resources};

/// How long the master may keep silent before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs all tasks and prints how fast that was, from the first ACCEPT to the last acknowledgement sent.
pub(super) async fn run(arguments: &Arguments, target: &Target, agents: &[Agent]) -> Result<()> {
    let framework = messages::framework("tepui-bench cluster", "root");
    let mut framework = Subscription::new(framework).subscribe(target.address).await?;
    let offers = all_offers(&mut framework, agents.len()).await?;
    let share = arguments.tasks.div_ceil(offers.len());
    let mut left = arguments.tasks;
    let launches: Vec<(Offer, Vec<TaskInfo>)> = offers
        .into_iter()
        .map(|offer| {
            let count = share.min(left);
            let tasks = (left - count..left).map(|number| task(number, &offer)).collect();
            left -= count;
            (offer, tasks)
        })
        .collect();
    let stretch = Stretch::begin(target)?;
    let accepted = Instant::now();
    for (offer, tasks) in launches {
        let operations = if tasks.is_empty() { Vec::new() } else { vec![call::launch(tasks)] };
        // Kept away for the rest of the run: offers of what is left over are not what is measured.
        let filters = crate::emulator::filters(3600.0);
        let ids = offer.id.as_option().cloned().into_iter().collect();
        drop(framework.call(call::accept(ids, operations, Some(filters))));
    }
    let mut progress = Progress::since(accepted);
    while progress.ended < arguments.tasks {
        let status = framework.update(PATIENCE).await?.context("the master has fallen silent")?;
        framework.acknowledge(&status);
        progress.updated(&status)?;
    }
    stretch.report(arguments.tasks, "tasks")?;
    say!("first ACCEPT -> TASK_RUNNING   {}", progress.running);
    say!("first ACCEPT -> TASK_FINISHED  {}", progress.finished);
    if framework.refused() > 0 {
        bail!("{} calls were refused", framework.refused());
    }
    framework.teardown().await?;
    Ok(())
}

/// One offer of each agent.
async fn all_offers(framework: &mut Framework, agents: usize) -> Result<Vec<Offer>> {
    let (mut offers, mut seen): (Vec<Offer>, HashSet<String>) = Default::default();
    while offers.len() < agents {
        for offer in framework.offers(PATIENCE).await?.context("not all agents are offered")? {
            if seen.insert(offer.agent_id.value.clone()) {
                offers.push(offer);
            }
        }
    }
    Ok(offers)
}

fn task(number: usize, offer: &Offer) -> TaskInfo {
    let mut task = messages::task(
        format!("task-{number}"),
        messages::shell("true"),
        resources::scalars(&[("cpus", 0.5), ("mem", 32.0)]).to_proto(),
    );
    task.agent_id = offer.agent_id.clone();
    task
}

struct Progress {
    accepted: Instant,
    ended: usize,
    running: Durations,
    finished: Durations,
    /// To tell an update that the master sends again.
    states: HashMap<String, TaskState>,
}

impl Progress {
    fn since(accepted: Instant) -> Progress {
        Progress {
            accepted,
            ended: 0,
            running: Durations::default(),
            finished: Durations::default(),
            states: HashMap::new(),
        }
    }

    fn updated(&mut self, status: &TaskStatus) -> Result<()> {
        let known = self.states.insert(status.task_id.value.clone(), status.state);
        if known == Some(status.state) {
            return Ok(());
        }
        match status.state {
            TaskState::TASK_RUNNING => self.running.push(self.accepted.elapsed()),
            TaskState::TASK_FINISHED => self.finished.push(self.accepted.elapsed()),
            state if is_terminal(state) => {
                bail!("{:?}: {state:?} {}", status.task_id.value, status.message.as_deref().unwrap_or_default())
            }
            _ => {}
        }
        self.ended += usize::from(is_terminal(status.state));
        Ok(())
    }
}
