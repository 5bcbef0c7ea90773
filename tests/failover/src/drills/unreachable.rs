//! An agent is parted from everybody for longer than its pings, and comes back.

use anyhow::{Context, Result, ensure};
use interop::http;
use interop::process::wait_for;
use serde_json::Value;
use tepui_sdk::mesos::TaskState;

use super::{BACK_WITHIN, RUNS_WITHIN, Services, job};
use crate::house::{AGENTS, House};

/// The agent with the first task goes, as one whose switch fails does: it lives on, and so do its tasks.
pub fn run(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    let (task, agent) = {
        let record = services.history.record();
        let (id, task) = record.tasks.first_key_value().context("no task")?;
        (id.clone(), task.agent.clone())
    };
    let state = house.state().context("nobody leads")?;
    let hostname = hostname(&state, &agent).context("an agent that the master does not know")?;
    let name = AGENTS.into_iter().find(|name| hostname == *name).context("an agent of another host")?;
    house.lab.part(&[name])?;
    let told = |wanted| {
        let record = services.history.record();
        record.tasks.get(&task).is_some_and(|task| task.states.last() == Some(&wanted)).then_some(())
    };
    wait_for("the agent to be unreachable", BACK_WITHIN, || is_unreachable(house, &agent).filter(|is| *is))?;
    wait_for("the framework to hear of it", BACK_WITHIN, || told(TaskState::TASK_UNREACHABLE))?;
    let state = house.state().context("nobody leads")?;
    ensure!(self::hostname(&state, &agent).is_none(), "an unreachable agent is among the others: {state}");
    house.lab.heal()?;
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)?;
    wait_for("the agent to be reachable", BACK_WITHIN, || is_unreachable(house, &agent).filter(|is| !*is))?;
    wait_for("the framework to hear of that", BACK_WITHIN, || told(TaskState::TASK_RUNNING))?;
    let state = house.state().context("nobody leads")?;
    ensure!(self::hostname(&state, &agent).is_some(), "it came back as another one: {state}");
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    services.end()
}

/// The host name of an agent that is registered.
fn hostname(state: &Value, id: &str) -> Option<String> {
    let agents = state["slaves"].as_array()?;
    let agent = agents.iter().find(|agent| agent["id"] == id && agent["active"] == true)?;
    agent["hostname"].as_str().map(str::to_owned)
}

/// Whether the registry of the leader has it so.
fn is_unreachable(house: &House, id: &str) -> Option<bool> {
    let leader = house.leader()?;
    let registry = http::get_json(&house.addresses()[leader], "/registrar(1)/registry").ok()?;
    let unreachable = registry["unreachable"]["slaves"].as_array().cloned().unwrap_or_default();
    Some(unreachable.iter().any(|agent| agent["id"]["value"] == id))
}
