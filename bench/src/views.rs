//! What the master's views cost: `/state` over a cluster that is made up, without sockets.
//!
//! Three figures: the first answer, when no text is known; an answer when nothing has changed since the last; and one when
//! some agents have. One thread.

use crate::emulator::CAPABILITIES;
use crate::output::say;
use clap::Args;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tepui_allocator::{AgentKey, FrameworkKey, Key};
use tepui_api::NoHost;
use tepui_base::Wall;
use tepui_hooks::NoHooks;
use tepui_master::state::{Agent, Framework, Shown, Task};
use tepui_master::{Config, Master, Snapshot, view};
use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::Capability;
use tepui_proto::mesos::{
    AgentID, AgentInfo, CommandInfo, FrameworkID, FrameworkInfo, TaskID, TaskInfo, TaskState, TaskStatus,
};
use tepui_resources::{Resources, Role};
use tepui_wire::{Body, Request, Upid};

/// Agents that change between two answers, of each hundred.
const CHANGED_PERCENT: usize = 1;

/// The views of a master.
#[derive(Args)]
pub struct Arguments {
    /// Registered agents.
    #[arg(long, default_value_t = 5000)]
    agents: usize,
    /// Running tasks, of one framework.
    #[arg(long, default_value_t = 0)]
    tasks: usize,
    /// What is asked for.
    #[arg(long, default_value = "/state")]
    path: String,
    /// Answers of each kind.
    #[arg(long, default_value_t = 50)]
    rounds: usize,
}

/// Runs and prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let resources = Resources::parse("cpus:8;mem:16384;disk:100000;ports:[31000-32000]", "*")?;
    let mut first = Vec::new();
    let mut bytes = 0;
    let mut snapshot = cluster(arguments, &resources)?;
    for _ in 0..arguments.rounds {
        let mut fresh = snapshot.clone();
        // Changing a record, if only in name, forgets its text.
        touch(&mut fresh, 1);
        let (size, time) = answer(&fresh, &arguments.path);
        anyhow::ensure!(size > 0, "the master has no such view: {}", arguments.path);
        (bytes, snapshot) = (size, fresh);
        first.push(time);
    }
    let again: Vec<Duration> = (0..arguments.rounds).map(|_| answer(&snapshot, &arguments.path).1).collect();
    let changed: Vec<Duration> = (0..arguments.rounds)
        .map(|_| {
            touch(&mut snapshot, 100 / CHANGED_PERCENT);
            answer(&snapshot, &arguments.path).1
        })
        .collect();
    say!("{} with {} agents and {} tasks: {bytes} bytes", arguments.path, arguments.agents, arguments.tasks);
    for (name, mut times) in [("nothing known", first), ("nothing changed", again), ("1 % of agents changed", changed)]
    {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        say!("{name:>22}: p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
    }
    Ok(())
}

fn answer(snapshot: &Snapshot, path: &str) -> (usize, Duration) {
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Default::default(),
        peer: ([127, 0, 0, 1], 1).into(),
        principal: None,
        nonce: 0,
    };
    let start = Instant::now();
    let response = view::respond(snapshot, &NoHost, &request);
    let time = start.elapsed();
    let size = if let Body::Full(body) = &response.body { body.len() } else { 0 };
    (size, time)
}

/// Changes each `step`-th agent, and every task if that is each.
fn touch(snapshot: &mut Snapshot, step: usize) {
    let ids: Vec<_> = snapshot.agents.keys().step_by(step).cloned().collect();
    for id in ids {
        if let Some(agent) = snapshot.agent_mut(&id) {
            agent.pinged = !agent.pinged;
        }
    }
    if step == 1 {
        let owners: Vec<_> = snapshot.frameworks.keys().cloned().collect();
        for owner in owners {
            let Some(framework) = snapshot.framework_mut(&owner) else { continue };
            let ids: Vec<_> = framework.tasks.keys().cloned().collect();
            for id in ids {
                if let Some(task) = framework.tasks.get_mut(&id) {
                    Arc::make_mut(task).forwarded = None;
                }
            }
        }
    }
}

fn cluster(arguments: &Arguments, resources: &Resources) -> anyhow::Result<Snapshot> {
    let pid = Upid::new("master", Ipv4Addr::LOCALHOST, 5050);
    let mut snapshot = Master::new(Config::new(pid, "localhost"), 1, Arc::new(NoHooks)).snapshot();
    // Another than the leader would send who asks elsewhere.
    snapshot.elected = Some(snapshot.now);
    for number in 0..arguments.agents {
        let agent = agent(&snapshot.info.id, number, resources);
        snapshot.agents.insert(agent.id.clone(), Shown::new(agent));
    }
    if arguments.tasks > 0 {
        anyhow::ensure!(arguments.agents > 0, "tasks need agents");
        add_tasks(&mut snapshot, arguments)?;
    }
    Ok(snapshot)
}

fn agent(master: &str, number: usize, resources: &Resources) -> Agent {
    let id = format!("{master}-S{number}");
    let info = AgentInfo {
        hostname: format!("agent-{number}.example.com"),
        port: Some(5051),
        id: MessageField::some(AgentID { value: id.clone(), ..Default::default() }),
        resources: resources.to_proto(),
        ..Default::default()
    };
    Agent {
        id: id.as_str().into(),
        key: AgentKey::new(u32::try_from(number).unwrap_or(u32::MAX), 0),
        info: Arc::new(info),
        pid: Upid::new("slave(1)", Ipv4Addr::new(10, 0, (number >> 8) as u8, number as u8), 5051),
        version: "1.11.0".to_owned(),
        capabilities: CAPABILITIES.map(|kind| Capability { r#type: Some(kind), ..Default::default() }).to_vec(),
        observer: number as u64,
        connected: true,
        active: true,
        disconnection: 0,
        pinged: false,
        missed_pings: 0,
        registered: Wall(1_795_308_948_862_902_000 + number as u64 * 1_000_003),
        reregistered: None,
        resource_version: None,
        total: resources.clone(),
        checkpointed: Default::default(),
        providers: Default::default(),
        standing: Default::default(),
        used: Default::default(),
        offered: Resources::new(),
        tasks: Default::default(),
        executors: Default::default(),
        offers: Default::default(),
        unavailability: Default::default(),
        inverse_offers: Default::default(),
        inverse_statuses: Default::default(),
        killed: Default::default(),
    }
}

fn add_tasks(snapshot: &mut Snapshot, arguments: &Arguments) -> anyhow::Result<()> {
    let id = FrameworkID { value: format!("{}-0000", snapshot.info.id), ..Default::default() };
    let info = FrameworkInfo {
        user: "root".to_owned(),
        name: "bench".to_owned(),
        id: MessageField::some(id.clone()),
        ..Default::default()
    };
    let mut framework = Framework::new(id.value.as_str().into(), FrameworkKey::new(0, 0), Arc::new(info), snapshot.now);
    let used = Resources::parse("cpus:0.1;mem:32", "*")?.allocated_to(&Role::from("*"));
    let agents: Vec<_> = snapshot.agents.keys().cloned().collect();
    for number in 0..arguments.tasks {
        let name = format!("task-{number}");
        let agent = &agents[number % agents.len()];
        let command = CommandInfo { value: Some("sleep 1000".to_owned()), ..Default::default() };
        let info = TaskInfo {
            name: name.clone(),
            task_id: MessageField::some(TaskID { value: name, ..Default::default() }),
            agent_id: MessageField::some(AgentID { value: agent.as_str().to_owned(), ..Default::default() }),
            command: MessageField::some(command),
            ..Default::default()
        };
        let mut task = Task::staging(&info, &framework.id, used.clone());
        for state in [TaskState::TASK_STARTING, TaskState::TASK_RUNNING] {
            task.state = state;
            let timestamp = Some(1_795_309_057.602_398 + number as f64 / 1000.0);
            task.add_status(&TaskStatus { state, timestamp, ..Default::default() });
        }
        framework.tasks.insert(task.id.clone(), Shown::new(task));
    }
    snapshot.frameworks.insert(framework.id.clone(), Arc::new(framework));
    Ok(())
}
