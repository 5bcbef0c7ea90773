//! The leader is killed again and again, each time between a write and its acknowledgement, and every write that was
//! acknowledged must be read afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use interop::process::wait_for;

use crate::framework::{Framework, Plan};
use crate::history::History;
use crate::house::{AGENTS, House};
use crate::operator::Writer;

/// From a kill to the next write that is acknowledged, on a busy machine.
const SERVES_WITHIN: Duration = Duration::from_secs(60);
/// Until a master that was started again takes part in the log.
const VOTES_WITHIN: Duration = Duration::from_secs(60);
/// From the end of the kills until the end of every task is known.
const ENDED_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks for an open write; a write takes about a millisecond.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// What came of the kills.
#[derive(Default)]
struct Report {
    /// Kills whose open write was never acknowledged.
    between: u32,
    /// Per kill: until a new write was acknowledged by the next leader.
    serving_after: Vec<Duration>,
}

/// Kills the leader so many times, and judges.
pub fn run(house: &mut House, kills: u32) -> Result<()> {
    let history = History::new(&house.folder.join("tasks"))?;
    let plan = Plan { parallel: 4, seconds: ["0", "1", "3"].map(str::to_owned).to_vec(), total: 100_000 };
    let framework = Framework::start(&house.masters_text(), plan, history.clone())?;
    let writer = Writer::start(house.addresses(), history.clone())?;
    let mut report = Report::default();
    for number in 1..=kills {
        kill(house, &history, &mut report).with_context(|| format!("kill {number}"))?;
    }
    house.wait_for_agents(AGENTS.len(), SERVES_WITHIN)?;
    framework.wind_down();
    let ended = wait_for("the end of every task", ENDED_WITHIN, || history.open(|_| false).is_empty().then_some(()));
    writer.stop()?;
    let objections = history.judge(|_| false);
    print(&mut report, &history);
    ended.with_context(|| format!("{:?}", history.open(|_| false)))?;
    if !objections.is_empty() {
        bail!("{} objections, the first: {}", objections.len(), objections[0]);
    }
    ensure!(report.between > 0, "no kill landed between a write and its acknowledgement");
    framework.teardown()
}

fn kill(house: &mut House, history: &History, report: &mut Report) -> Result<()> {
    let stored = history.record().stored;
    wait_for("writes that are acknowledged", SERVES_WITHIN, || (history.record().stored > stored + 2).then_some(()))?;
    let leader = wait_for("a leader", SERVES_WITHIN, || house.leader())?;
    let open = open_write(history)?;
    house.masters[leader].kill()?;
    let killed = Instant::now();
    wait_for("a write at the next leader", SERVES_WITHIN, || (history.record().stored > open).then_some(()))?;
    let first = history.record().stored_at.range(open + 1..).next().map(|(_, at)| *at);
    report.serving_after.extend(first.map(|at| at.duration_since(killed)));
    report.between += u32::from(history.record().unanswered.contains(&open));
    house.masters[leader].start()?;
    wait_for("the replica of the killed master", VOTES_WITHIN, || house.votes(leader).then_some(()))
}

/// Waits until a write is on its way; its number.
fn open_write(history: &History) -> Result<u64> {
    let until = Instant::now() + SERVES_WITHIN;
    loop {
        let record = history.record();
        if record.is_between {
            return Ok(record.sent);
        }
        drop(record);
        ensure!(Instant::now() < until, "the operator writes nothing");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn print(report: &mut Report, history: &History) {
    report.serving_after.sort();
    let times = &report.serving_after;
    let at = |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1));
    let millis = |hundredths| at(hundredths).map_or(0, Duration::as_millis);
    println!("  leaders killed: {}, between a write and its acknowledgement: {}", times.len(), report.between);
    println!(
        "  from the kill to the next acknowledged write: p50 {} ms, p99 {} ms, most {} ms",
        millis(50),
        millis(99),
        millis(100)
    );
    let record = history.record();
    println!("  schedules: {} stored and acknowledged, {} read", record.operations.0, record.operations.1);
    println!("  tasks: {} launched", record.tasks.len());
}
