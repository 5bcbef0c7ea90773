//! The operator: stores one maintenance schedule after the other and reads them back, as a register that must never lose
//! what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tepui_sdk::Operator;
use tepui_sdk::mesos::maintenance::{Schedule, Window};
use tepui_sdk::mesos::{MachineID, TimeInfo, Unavailability};

use crate::history::History;

/// No call waits longer for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Between two masters that did not answer.
const PAUSE: Duration = Duration::from_millis(20);
/// When the machines of the schedules are to be away: never, in effect. In nanoseconds since the epoch (the year 2200).
const START: i64 = 7_258_118_400_000_000_000;

/// A running operator.
pub struct Writer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Writes until it is stopped.
    pub fn start(masters: Vec<String>, history: History) -> std::io::Result<Writer> {
        let is_over = Arc::new(AtomicBool::new(false));
        let runtime = runtime()?;
        let over = is_over.clone();
        let thread = std::thread::spawn(move || runtime.block_on(run(masters, history, over)));
        Ok(Writer { is_over, thread: Some(thread) })
    }

    /// Ends it, after one more read.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("a writer is stopped once");
        thread.join().map_err(|_| anyhow::anyhow!("the operator panicked"))
    }
}

/// Stores one schedule at a master; whether it was acknowledged.
pub fn store(master: &str, number: u64) -> anyhow::Result<bool> {
    let operator = Operator::new(master)?;
    let answer =
        async { tokio::time::timeout(ANSWER_WITHIN, operator.update_maintenance_schedule(schedule(number))).await };
    Ok(matches!(runtime()?.block_on(answer), Ok(Ok(()))))
}

/// The number of the schedule that a master has.
pub fn stored(master: &str) -> anyhow::Result<u64> {
    let operator = Operator::new(master)?;
    let answer = async { tokio::time::timeout(ANSWER_WITHIN, operator.maintenance_schedule()).await };
    Ok(number(&runtime()?.block_on(answer)??))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run(masters: Vec<String>, history: History, is_over: Arc<AtomicBool>) {
    let mut at = 0;
    let mut last_read = 0;
    while !is_over.load(Ordering::Relaxed) {
        let Ok(operator) = Operator::new(&masters[at % masters.len()]) else { return };
        if !write(&operator, &history).await || !read(&operator, &history, &mut last_read).await {
            at += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn write(operator: &Operator, history: &History) -> bool {
    let number = {
        let mut record = history.record();
        record.sent += 1;
        record.is_between = true;
        record.sent
    };
    let answer = tokio::time::timeout(ANSWER_WITHIN, operator.update_maintenance_schedule(schedule(number))).await;
    let is_stored = matches!(answer, Ok(Ok(())));
    let mut record = history.record();
    record.is_between = false;
    if is_stored {
        record.stored = number;
        record.stored_at.insert(number, Instant::now());
        record.operations.0 += 1;
    } else {
        record.unanswered.insert(number);
    }
    is_stored
}

async fn read(operator: &Operator, history: &History, last: &mut u64) -> bool {
    let stored = history.record().stored;
    let Ok(Ok(schedule)) = tokio::time::timeout(ANSWER_WITHIN, operator.maintenance_schedule()).await else {
        return false;
    };
    let number = number(&schedule);
    let mut record = history.record();
    record.operations.1 += 1;
    if number < stored.max(*last) || number > record.sent {
        let text = format!("schedule {number} was read after {stored} was stored and {last} was read");
        record.objections.push(text);
    }
    *last = number;
    true
}

fn schedule(number: u64) -> Schedule {
    let machine = MachineID { hostname: Some(format!("schedule-{number}")), ..MachineID::default() };
    let start = TimeInfo { nanoseconds: START, ..TimeInfo::default() };
    let unavailability = Unavailability { start: start.into(), ..Unavailability::default() };
    let window = Window { machine_ids: vec![machine], unavailability: unavailability.into(), ..Window::default() };
    Schedule { windows: vec![window], ..Schedule::default() }
}

fn number(schedule: &Schedule) -> u64 {
    let machine = schedule.windows.first().and_then(|window| window.machine_ids.first());
    let name = machine.and_then(|machine| machine.hostname.as_deref()).unwrap_or_default();
    name.strip_prefix("schedule-").and_then(|number| number.parse().ok()).unwrap_or(0)
}
