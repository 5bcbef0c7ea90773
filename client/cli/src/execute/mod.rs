//! `mesos-execute`: a framework that runs one task or task group and tells of it on stdout.
//!
//! The flags and the lines it prints are those of Mesos 1.11. It ends with status 0 once the tasks have ended, however
//! they did, and with 1 if the flags are wrong or the master refuses. Not done here: `--package` and its companions,
//! which need HDFS.

mod container;
mod flags;
mod request;
#[cfg(test)]
mod tests;

use crate::output::say;
use anyhow::{Result, anyhow, bail};
use request::{Request, Work};
use std::process::ExitCode;
use tepui_proto::Enumeration;
use tepui_resources::Resources;
use tepui_sdk::mesos::{Offer, TaskStatus};
use tepui_sdk::scheduler::Event;
use tepui_sdk::{Scheduler, call, is_terminal, mesos, resources};
use tokio::sync::mpsc;

/// The name it goes by in its texts.
const PROGRAM: &str = "mesos-execute";

/// Runs with `args`, the words after the program's name.
pub fn main(args: Vec<String>) -> ExitCode {
    let read_file = |path: &str| std::fs::read_to_string(path);
    // Only the command line counts: Mesos reads no variables here.
    let values = match tepui_flags::parse(flags::TABLES, &args, &[], "MESOS_", &read_file) {
        Ok(values) if values.bool("help") => {
            let about = "Runs a task or task group and shows what becomes of it.";
            say!("{}", tepui_flags::help::text(PROGRAM, about, flags::TABLES));
            return ExitCode::SUCCESS;
        }
        Ok(values) => values,
        Err(error) => return failure(&format!("{error}\n\nSee {PROGRAM} --help")),
    };
    if !crate::environment::passes(PROGRAM) {
        return ExitCode::FAILURE;
    }
    for warning in &values.warnings {
        eprintln!("{warning}");
    }
    let user = crate::run::own_user().map_err(|error| format!("{error:#}"));
    let request = match user.and_then(|user| request::request(&values, &user)) {
        Ok(request) => request,
        Err(text) => return failure(&format!("{text}\n\nSee {PROGRAM} --help")),
    };
    let end = crate::runtime().map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(execute(request)));
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&format!("{error:#}")),
    }
}

fn failure(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

async fn execute(request: Request) -> Result<()> {
    let mut builder = Scheduler::builder(&request.master, request.framework.clone()).content_type(request.content_type);
    if let Some((principal, secret)) = &request.credentials {
        builder = builder.credentials(principal, secret);
    }
    let (scheduler, mut events) = builder.connect()?;
    let (kills, mut due) = mpsc::unbounded_channel();
    let (mut launched, mut ended) = (false, 0);
    loop {
        let event = tokio::select! {
            event = events.next() => event.ok_or_else(|| anyhow!("The master has ended the connection"))?,
            Some(status) = due.recv() => {
                kill(&scheduler, &status).await?;
                continue;
            }
        };
        match event {
            Event::Subscribed { framework_id, .. } => say!("Subscribed with ID {framework_id}"),
            Event::Disconnected(reason) => eprintln!("Disconnected: {reason}"),
            Event::Offers(offers) => {
                for offer in &offers {
                    launched |= answer(&scheduler, &request, offer, launched).await?;
                }
            }
            Event::Update(status) => {
                say!("{}", lines(&status).trim_end());
                scheduler.acknowledge(&status).await?;
                if let (mesos::TaskState::TASK_RUNNING, Some(delay)) = (status.state, request.kill_after) {
                    let (kills, status) = (kills.clone(), status.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(delay).await;
                        // When the command has ended meanwhile there is nothing to kill.
                        let _ = kills.send(status);
                    });
                }
                ended += usize::from(is_terminal(status.state));
                if ended == request.work.tasks().len() {
                    scheduler.stop();
                    return Ok(());
                }
            }
            Event::Error(text) => bail!("Received an ERROR event: {text}"),
            _ => {}
        }
    }
}

async fn kill(scheduler: &Scheduler, status: &TaskStatus) -> Result<()> {
    say!("Asked to kill task '{}' on agent '{}'", status.task_id.value, status.agent_id.value);
    let agent_id = status.agent_id.as_option().cloned();
    scheduler.kill(status.task_id.clone().into_option().unwrap_or_default(), agent_id, None).await?;
    Ok(())
}

/// Uses an offer, or declines it and wants no more; whether it was used.
async fn answer(scheduler: &Scheduler, request: &Request, offer: &Offer, launched: bool) -> Result<bool> {
    let work = if launched { None } else { placed(&request.work, offer) };
    let Some(work) = work else {
        scheduler.decline(std::slice::from_ref(offer), None).await?;
        scheduler.suppress(Vec::new()).await?;
        return Ok(false);
    };
    let agent = &offer.agent_id.value;
    let (text, operation) = match work {
        Work::Task(task) => (format!("Submitted task '{}' to agent '{agent}'", task.name), call::launch(vec![*task])),
        Work::Group(mut executor, tasks) => {
            executor.framework_id = offer.framework_id.clone();
            let ids: Vec<_> = tasks.iter().map(|task| task.task_id.value.as_str()).collect();
            let text = format!("Submitted task group with tasks [ {} ] to agent '{agent}'", ids.join(", "));
            (text, call::launch_group(*executor, tasks))
        }
    };
    scheduler.accept(std::slice::from_ref(offer), vec![operation], None).await?;
    say!("{text}");
    Ok(true)
}

/// The work with agent and resources of an offer put in; `None` if the offer does not hold what it needs.
fn placed(work: &Work, offer: &Offer) -> Option<Work> {
    let (mut pool, mut work) = (resources::offered(offer), work.clone());
    let tasks = match &mut work {
        Work::Task(task) => std::slice::from_mut(&mut **task),
        Work::Group(_, tasks) => tasks,
    };
    for task in tasks {
        let taken = resources::take(&mut pool, &Resources::from_proto(&task.resources))?;
        task.resources = taken.unallocated().to_proto();
        task.agent_id = offer.agent_id.clone();
    }
    Some(work)
}

/// What Mesos prints of an update.
fn lines(status: &TaskStatus) -> String {
    let mut out = format!("Received status update {} for task '{}'\n", status.state.proto_name(), status.task_id.value);
    if let Some(message) = &status.message {
        out += &format!("  message: '{message}'\n");
    }
    if let Some(source) = status.source {
        out += &format!("  source: {}\n", source.proto_name());
    }
    if let Some(reason) = status.reason {
        out += &format!("  reason: {}\n", reason.proto_name());
    }
    if let Some(healthy) = status.healthy {
        out += &format!("  healthy?: {}\n", u8::from(healthy));
    }
    if !status.limitation.resources.is_empty() {
        out += &format!("  resource limit violation: {}\n", Resources::from_proto(&status.limitation.resources));
    }
    out
}
