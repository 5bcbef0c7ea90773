//! The operations drills: what people have done to clusters of Mesos, each with what must come of it.

mod disk_full;
mod unreachable;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use interop::process::wait_for;
use tepui_sdk::mesos::TaskState;

use crate::daemon::Daemon;
use crate::framework::{Framework, Plan};
use crate::history::History;
use crate::house::{AGENTS, Election, House, MASTERS, Twist, leads};

/// A cluster that has lost all its masters or all of ZooKeeper, on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// One task from launch to RUNNING.
const RUNS_WITHIN: Duration = Duration::from_secs(30);
/// The bound of the Jepsen scenario: from the end of the partition to a job that has run.
const SERVES_WITHIN: Duration = Duration::from_secs(10);

/// One drill.
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done, and what must hold.
    pub about: &'static str,
    /// The cluster it is done to.
    pub election: Election,
    /// What is special about that cluster.
    pub twist: Twist,
    /// Does it.
    pub run: fn(&mut House) -> Result<()>,
}

/// All drills.
pub const DRILLS: [Drill; 11] = [
    Drill {
        name: "masters-deleted",
        about: "drill A: masters stopped, their work directories deleted, ZooKeeper kept: services are not affected",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: masters_deleted,
    },
    Drill {
        name: "znodes-deleted",
        about: "drill B: masters stopped, /mesos deleted in ZooKeeper: it recovers, running tasks are not restarted",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: znodes_deleted,
    },
    Drill {
        name: "leader-killed",
        about: "drill C: the leader killed: services are not affected, the lowest sequence leads",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: leader_killed,
    },
    Drill {
        name: "zookeeper-wiped",
        about: "drill D: ZooKeeper wiped and installed anew: masters and agents come back alone",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: zookeeper_wiped,
    },
    Drill {
        name: "jepsen-2015",
        about: "one partition, after which every master was dead and no job ran: it serves again within 10 s of healing",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: jepsen_2015,
    },
    Drill {
        name: "leader-killed-list",
        about: "drill C without ZooKeeper (--masters)",
        election: Election::List,
        twist: Twist::None,
        run: leader_killed,
    },
    Drill {
        name: "jepsen-2015-list",
        about: "the partition without ZooKeeper (--masters)",
        election: Election::List,
        twist: Twist::None,
        run: jepsen_2015,
    },
    Drill {
        name: "disk-full",
        about: "the disk of the only master fills up: it serves nothing and says why; with space it serves again by itself",
        election: Election::Alone,
        twist: Twist::None,
        run: disk_full::run,
    },
    Drill {
        name: "disk-full-leader",
        about: "the disk of the leader of three fills up: another leads, and the first is a candidate again with space",
        election: Election::ZooKeeper,
        twist: Twist::None,
        run: disk_full::of_a_leader,
    },
    Drill {
        name: "leader-killed-digest",
        about: "drill C with credentials (zk://user:password@...): nobody else can join the masters or the log",
        election: Election::ZooKeeper,
        twist: Twist::Credentials,
        run: credentials,
    },
    Drill {
        name: "agent-unreachable",
        about: "an agent is parted for longer than its pings: unreachable, and back as it was with its tasks",
        election: Election::List,
        twist: Twist::ShortPings,
        run: unreachable::run,
    },
];

/// Tasks that run for as long as a drill takes, and the framework they belong to.
struct Services {
    framework: Framework,
    history: History,
    tasks: Vec<String>,
}

impl Services {
    fn start(house: &House) -> Result<Services> {
        let history = History::new(&house.folder.join("services"))?;
        let plan = Plan { parallel: 2, seconds: vec!["1000".to_owned()], total: 2 };
        let framework = Framework::start(&house.masters_text(), plan, history.clone())?;
        wait_for("services that run", RUNS_WITHIN, || {
            let record = history.record();
            let running = record.tasks.values().filter(|task| task.states.contains(&TaskState::TASK_RUNNING)).count();
            (running == 2).then_some(())
        })
        .with_context(|| told(house, &history))?;
        let tasks = history.record().tasks.keys().cloned().collect();
        Ok(Services { framework, history, tasks })
    }

    /// The framework is subscribed again, the leader knows the tasks as running, each has begun once, and no end was told.
    fn judge(&self, house: &House) -> Result<()> {
        wait_for("the leader to know the services", BACK_WITHIN, || {
            let state = house.state()?;
            let frameworks = state["frameworks"].as_array()?;
            let mut tasks = frameworks.iter().filter_map(|framework| framework["tasks"].as_array()).flatten();
            let known = |id: &String| tasks.any(|task| task["id"] == id.as_str() && task["state"] == "TASK_RUNNING");
            self.tasks.iter().all(known).then_some(())
        })
        .with_context(|| format!("{:?}", house.state().map(|state| state["frameworks"].clone())))?;
        for task in &self.tasks {
            let lives = self.history.lives(task);
            ensure!(lives == (1, 0), "{task} has begun {} times and ended {} times", lives.0, lives.1);
        }
        let record = self.history.record();
        ensure!(record.objections.is_empty(), "{:?}", record.objections);
        for (id, task) in &record.tasks {
            ensure!(!task.has_ended(), "{id} is told to have ended: {:?}", task.states);
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.framework.teardown()
    }
}

/// Runs one new job to its end.
fn job(house: &House, name: &str, limit: Duration) -> Result<()> {
    let history = History::new(&house.folder.join(name))?;
    let plan = Plan { parallel: 1, seconds: vec!["0".to_owned()], total: 1 };
    let framework = Framework::start(&house.masters_text(), plan, history.clone())?;
    wait_for(name, limit, || {
        let record = history.record();
        let done = record.tasks.values().any(|task| task.states.contains(&TaskState::TASK_FINISHED));
        done.then_some(())
    })
    .with_context(|| told(house, &history))?;
    framework.teardown()
}

/// What a framework and its master know of each other, for a failure's report.
fn told(house: &House, history: &History) -> String {
    let state = house.state().unwrap_or_default();
    let known = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let frameworks = known("frameworks").into_iter().map(|framework| {
        let count = |name: &str| framework[name].as_array().map_or(0, Vec::len);
        format!(
            "{} connected {}, {} offers, {} tasks",
            framework["id"],
            framework["connected"],
            count("offers"),
            count("tasks")
        )
    });
    let agents = known("slaves").into_iter().map(|agent| format!("{} active {}", agent["hostname"], agent["active"]));
    let record = history.record();
    format!(
        "leader {:?} knows frameworks {:?} and agents {:?}; subscribed {} times, tasks {:?}",
        house.leader(),
        frameworks.collect::<Vec<_>>(),
        agents.collect::<Vec<_>>(),
        record.subscriptions,
        record.tasks
    )
}

fn stop_masters(house: &mut House) -> Result<()> {
    house.masters.iter_mut().try_for_each(Daemon::stop)
}

fn start_masters(house: &mut House) -> Result<()> {
    house.masters.iter_mut().try_for_each(Daemon::start)?;
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)
}

fn masters_deleted(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    stop_masters(house)?;
    for name in MASTERS {
        std::fs::remove_dir_all(house.folder.join(name).join("work"))?;
    }
    start_masters(house)?;
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    services.end()
}

fn znodes_deleted(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    stop_masters(house)?;
    let ensemble = house.ensemble.as_ref().context("this drill needs ZooKeeper")?;
    ensemble.client("deleteall /mesos")?;
    // The agents, which look for a master there, may have made the empty group anew.
    let left = ensemble.client("ls /mesos")?;
    ensure!(
        !left.contains("json.info_") && !left.contains("log_replicas"),
        "something of /mesos is still there: {left}"
    );
    start_masters(house)?;
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    services.end()
}

fn leader_killed(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    let leader = house.leader().context("nobody leads")?;
    house.masters[leader].kill()?;
    let killed = Instant::now();
    let next = wait_for("another leader", BACK_WITHIN, || house.leader().filter(|next| *next != leader))?;
    println!("  another leader served {:.3} s after the kill", killed.elapsed().as_secs_f64());
    if let Some(ensemble) = &house.ensemble {
        lowest_leads(&ensemble.client("ls /mesos")?, &house.addresses()[next], |node| {
            ensemble.client(&format!("get {node}"))
        })?;
    }
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)?;
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    house.masters[leader].start()?;
    let address = &house.addresses()[leader];
    wait_for("the old leader to be back", BACK_WITHIN, || interop::http::get(address, "/health").ok())?;
    services.end()
}

/// The znode with the lowest sequence names the leader.
fn lowest_leads(listing: &str, leader: &str, get: impl Fn(String) -> Result<String>) -> Result<()> {
    let line = listing.lines().rev().find(|line| line.starts_with('[')).context("no listing of /mesos")?;
    let children = line.trim_matches(['[', ']']).split(", ");
    let lowest = children.filter(|child| child.starts_with("json.info_")).min().context("no contenders in /mesos")?;
    let data = get(format!("/mesos/{lowest}"))?;
    let pid = format!("\"pid\":\"master@{leader}\"");
    ensure!(data.contains(&pid), "{lowest} does not name the leader {leader}: {data}");
    Ok(())
}

fn zookeeper_wiped(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    house.ensemble.as_mut().context("this drill needs ZooKeeper")?.reinstall()?;
    // The masters may hold on to their old sessions until these are refused; then somebody leads anew.
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)?;
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    services.end()
}

/// The leader and one ZooKeeper server are parted from all others, for longer than any session lasts.
fn jepsen_2015(house: &mut House) -> Result<()> {
    const PARTED: Duration = Duration::from_secs(8);
    let services = Services::start(house)?;
    let leader = house.leader().context("nobody leads")?;
    let minority = [MASTERS[leader], "z1"];
    house.lab.part(&minority)?;
    let until = Instant::now() + PARTED;
    let next = wait_for("another leader beside the partition", BACK_WITHIN, || {
        let addresses = house.addresses();
        let others = (0..MASTERS.len()).filter(|number| *number != leader);
        others.into_iter().find(|number| leads(&addresses[*number]))
    });
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    house.lab.heal()?;
    let healed = Instant::now();
    for master in &mut house.masters {
        master.check()?;
    }
    job(house, "a job after the partition", SERVES_WITHIN)?;
    println!(
        "  a job had run {:.1} s after the partition; another leader meanwhile: {next:?}",
        healed.elapsed().as_secs_f64()
    );
    next?;
    services.judge(house)?;
    services.end()
}

/// What the masters, the agents and the log have made in ZooKeeper is theirs, and they fail over as without credentials.
fn credentials(house: &mut House) -> Result<()> {
    let ensemble = house.ensemble.as_ref().context("this drill needs ZooKeeper")?;
    for group in ["/mesos", "/mesos/log_replicas"] {
        let acl = ensemble.client(&format!("getAcl {group}"))?;
        let others = acl.lines().skip_while(|line| !line.starts_with("'world,'anyone")).nth(1).map(str::trim);
        ensure!(acl.contains("'digest,'mesos:") && others == Some(": r"), "the rights of {group}: {acl}");
    }
    leader_killed(house)
}
