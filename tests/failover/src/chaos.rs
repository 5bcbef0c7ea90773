//! Random faults for a bounded time, then quiet, then judgement.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use interop::process::wait_for;
use tepui_base::Rng;

use crate::framework::{Framework, Plan};
use crate::history::History;
use crate::house::{AGENTS, House, MASTERS, SERVERS};
use crate::operator::Writer;

/// Between two faults.
const PAUSE_MILLIS: (u64, u64) = (300, 2_500);
/// How long a process stays dead, stands still, or is parted.
const FAULT_MILLIS: (u64, u64) = (200, 4_000);
/// From the last fault to a cluster that is whole again.
const WHOLE_WITHIN: Duration = Duration::from_secs(90);
/// From then until the end of every task is known.
const ENDED_WITHIN: Duration = Duration::from_secs(90);
/// A run this long must have seen every kind of fault that fits its cluster: some thirty of each are to be expected.
const LONG: Duration = Duration::from_secs(1_200);
/// So many objections are printed.
const SHOWN: usize = 20;

/// What is done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillLeader,
    KillMaster,
    PauseLeader,
    PauseFollower,
    PartLeader,
    CutOneWay,
    PullLeader,
    KillServer,
    PauseServer,
    PartServer,
    PauseAgent,
    PartAgent,
    KillAgent,
}

const FAULTS: [Fault; 13] = [
    Fault::KillLeader,
    Fault::KillMaster,
    Fault::PauseLeader,
    Fault::PauseFollower,
    Fault::PartLeader,
    Fault::CutOneWay,
    Fault::PullLeader,
    Fault::KillServer,
    Fault::PauseServer,
    Fault::PartServer,
    Fault::PauseAgent,
    Fault::PartAgent,
    Fault::KillAgent,
];

/// How long and with which dice.
pub struct Settings {
    /// Of faults.
    pub seconds: u64,
    /// The seed of the dice; when things happen between processes is chance all the same.
    pub seed: u64,
}

/// Counts of a run.
#[derive(Default)]
struct Report {
    faults: BTreeMap<Fault, u32>,
    /// Kills of a leader between a write and its acknowledgement.
    between: u32,
    killed_agents: Vec<String>,
}

/// Runs it and judges.
pub fn run(house: &mut House, settings: &Settings) -> Result<()> {
    let history = History::new(&house.folder.join("tasks"))?;
    let seconds = ["0", "0.2", "1", "3", "8"].map(str::to_owned).to_vec();
    let plan = Plan { parallel: 8, seconds, total: 100_000 };
    let framework = Framework::start(&house.masters_text(), plan, history.clone())?;
    let writer = Writer::start(house.addresses(), history.clone())?;
    let (mut rng, mut report) = (Rng::new(settings.seed), Report::default());
    let until = Instant::now() + Duration::from_secs(settings.seconds);
    while Instant::now() < until {
        std::thread::sleep(between(&mut rng, PAUSE_MILLIS));
        let fault = FAULTS[rng.below(FAULTS.len() as u64) as usize];
        if strike(house, fault, &mut rng, &history, &mut report)? {
            *report.faults.entry(fault).or_default() += 1;
        }
        house.restore()?;
    }
    house.wait_for_agents(AGENTS.len(), WHOLE_WITHIN)?;
    framework.wind_down();
    let is_killed = |agent: &str| report.killed_agents.iter().any(|killed| killed == agent);
    let ended = wait_for("the end of every task", ENDED_WITHIN, || history.open(is_killed).is_empty().then_some(()));
    writer.stop()?;
    let objections = history.judge(is_killed);
    print(&report, &history);
    if !objections.is_empty() {
        objections.iter().take(SHOWN).for_each(|objection| println!("  OBJECTION {objection}"));
        bail!("{} objections", objections.len());
    }
    ended.with_context(|| format!("{:?}", history.open(is_killed)))?;
    let missing: Vec<&Fault> = fitting(house).filter(|fault| !report.faults.contains_key(fault)).collect();
    ensure!(Duration::from_secs(settings.seconds) < LONG || missing.is_empty(), "faults that never came: {missing:?}");
    framework.teardown()
}

fn fitting(house: &House) -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(|fault| fault_fits(house, **fault))
}

fn between(rng: &mut Rng, (least, most): (u64, u64)) -> Duration {
    Duration::from_millis(least + rng.below(most - least))
}

/// Does it, and waits as long as it lasts; what is broken is mended by the caller. Says whether it could be done.
fn strike(house: &mut House, fault: Fault, rng: &mut Rng, history: &History, report: &mut Report) -> Result<bool> {
    let last = between(rng, FAULT_MILLIS);
    let any = rng.below(MASTERS.len() as u64) as usize;
    let leader = house.leader();
    let (Some(target), true) = (leader.or(Some(any)), fault_fits(house, fault)) else { return Ok(false) };
    match fault {
        Fault::KillLeader => {
            let is_between = history.record().is_between;
            house.masters[target].kill()?;
            report.between += u32::from(is_between && leader.is_some());
        }
        Fault::KillMaster => house.masters[any].kill()?,
        Fault::PauseLeader => house.masters[target].pause()?,
        Fault::PauseFollower => house.masters[(target + 1 + any % 2) % MASTERS.len()].pause()?,
        Fault::PartLeader => house.lab.part(&[MASTERS[target], SERVERS[any]])?,
        Fault::CutOneWay => {
            let (from, to) = (house.lab.host(MASTERS[target]), house.lab.host(MASTERS[(target + 1) % MASTERS.len()]));
            house.lab.cut(&from, &to)?;
        }
        Fault::PullLeader => house.lab.pull(&house.lab.host(MASTERS[target]))?,
        Fault::KillServer => server(house, any)?.kill()?,
        Fault::PauseServer => server(house, any)?.pause()?,
        Fault::PartServer => house.lab.part(&[SERVERS[any]])?,
        Fault::PauseAgent => house.agents[any % AGENTS.len()].pause()?,
        Fault::PartAgent => house.lab.part(&[AGENTS[any % AGENTS.len()]])?,
        Fault::KillAgent if !kill_agent(house, any % AGENTS.len(), report)? => return Ok(false),
        Fault::KillAgent => {}
    }
    std::thread::sleep(last);
    Ok(true)
}

fn fault_fits(house: &House, fault: Fault) -> bool {
    house.ensemble.is_some() || !matches!(fault, Fault::KillServer | Fault::PauseServer | Fault::PartServer)
}

fn server(house: &mut House, number: usize) -> Result<&mut crate::daemon::Daemon> {
    house.ensemble.as_mut().map(|ensemble| &mut ensemble.servers[number]).context("no ZooKeeper")
}

/// An agent loses its tasks with its life, so the judge must know who it was: it is not killed while nobody can say. After a
/// failover it may not have come back to the new master yet.
fn kill_agent(house: &mut House, number: usize, report: &mut Report) -> Result<bool> {
    let Some(state) = house.state() else { return Ok(false) };
    let listed = ["slaves", "recovered_slaves"].iter().filter_map(|list| state[*list].as_array()).flatten();
    let of_host = listed.filter(|agent| agent["hostname"] == AGENTS[number]);
    report.killed_agents.extend(of_host.filter_map(|agent| agent["id"].as_str().map(str::to_owned)));
    house.agents[number].kill()?;
    Ok(true)
}

fn print(report: &Report, history: &History) {
    let record = history.record();
    let lives: (usize, usize) =
        record.tasks.keys().map(|id| history.lives(id)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let repeated: u32 = record.tasks.values().map(|task| task.repeated).sum();
    let (all, kinds) = (report.faults.values().sum::<u32>(), report.faults.len());
    println!("  faults: {all} of {kinds} kinds, {:?}", report.faults);
    println!("  leaders killed between a write and its acknowledgement: {}", report.between);
    println!("  tasks: {} launched, {} began, {} came to their own end", record.tasks.len(), lives.0, lives.1);
    println!("  updates told again after their acknowledgement was taken: {repeated}");
    println!("  the framework was subscribed {} times", record.subscriptions);
    println!("  schedules: {} stored and acknowledged, {} read", record.operations.0, record.operations.1);
}
