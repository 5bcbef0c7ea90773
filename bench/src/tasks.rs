//! Command tasks from ACCEPT to their end, as a scheduler sees them.
//!
//! Latencies count from the moment the ACCEPT call is made to the moment the update is handed to the scheduler. Tasks per
//! second count from the first ACCEPT to the last terminal update. Updates are acknowledged at once, offers used as soon
//! as they come, and what a task does not need is given back without a filter.

use crate::durations::Durations;
use crate::output::say;
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::time::Instant;
use tepui_sdk::mesos::{Filters, Offer, TaskInfo, TaskState, TaskStatus};
use tepui_sdk::scheduler::{Event, Events};
use tepui_sdk::{Scheduler, call, is_terminal, messages, resources};
use tokio::task::JoinSet;

/// What to run, and where.
#[derive(clap::Args)]
pub struct Arguments {
    /// The master, `host:port`.
    #[arg(long)]
    master: String,
    /// How many tasks.
    #[arg(long, default_value_t = 200)]
    tasks: usize,
    /// How many of them may be under way at once; 0 for as many as the offers hold.
    #[arg(long, default_value_t = 0)]
    parallel: usize,
    /// What each task runs, as a shell command.
    #[arg(long, default_value = "true")]
    command: String,
    /// Cpus of each task.
    #[arg(long, default_value_t = 1.0)]
    cpus: f64,
    /// Memory of each task in MB.
    #[arg(long, default_value_t = 32.0)]
    mem: f64,
    /// The user tasks run as; the agent must know it.
    #[arg(long, env = "USER", default_value = "root")]
    user: String,
}

/// Runs the tasks and prints the figures.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(drive(arguments))?;
    say!("{} tasks of cpus {} mem {}: {}", arguments.tasks, arguments.cpus, arguments.mem, arguments.command);
    say!("ACCEPT -> TASK_RUNNING   {}", report.running);
    say!("ACCEPT -> TASK_FINISHED  {}", report.finished);
    let (first, last) = (report.first_accept, report.last_end);
    let seconds = first.zip(last).map_or(f64::NAN, |(first, last)| last.duration_since(first).as_secs_f64());
    say!("{:.1} tasks per second ({seconds:.2} s in all)", arguments.tasks as f64 / seconds);
    match report.failed {
        0 => Ok(()),
        failed => bail!("{failed} tasks did not finish well"),
    }
}

/// What was measured so far.
#[derive(Default)]
struct Report {
    running: Durations,
    finished: Durations,
    failed: usize,
    first_accept: Option<Instant>,
    last_end: Option<Instant>,
}

struct Bench<'a> {
    arguments: &'a Arguments,
    scheduler: Scheduler,
    /// Calls that the master has not answered yet; events are taken meanwhile.
    calls: JoinSet<Result<(), tepui_sdk::scheduler::Error>>,
    launched: usize,
    ended: usize,
    /// When the tasks under way were accepted.
    under_way: HashMap<String, Instant>,
    report: Report,
}

async fn drive(arguments: &Arguments) -> anyhow::Result<Report> {
    let framework = messages::framework("tepui-bench tasks", &arguments.user);
    let builder = Scheduler::builder(&arguments.master, framework).implicit_acknowledgements(true);
    let (scheduler, mut events) = builder.connect()?;
    let mut bench = Bench {
        arguments,
        scheduler,
        calls: JoinSet::new(),
        launched: 0,
        ended: 0,
        under_way: HashMap::new(),
        report: Report::default(),
    };
    while bench.ended < arguments.tasks {
        bench.step(&mut events).await?;
    }
    bench.scheduler.teardown().await?;
    Ok(bench.report)
}

impl Bench<'_> {
    async fn step(&mut self, events: &mut Events) -> anyhow::Result<()> {
        tokio::select! {
            event = events.next() => match event.context("the scheduler has ended")? {
                Event::Offers(offers) => offers.into_iter().for_each(|offer| self.offered(offer)),
                Event::Update(status) => self.updated(&status),
                Event::Disconnected(reason) | Event::Error(reason) => bail!("{reason}"),
                _ => {}
            },
            Some(answered) = self.calls.join_next() => answered??,
        }
        Ok(())
    }

    fn offered(&mut self, offer: Offer) {
        let tasks = self.tasks_for(&offer);
        let filters = Filters { refuse_seconds: Some(0.0), ..Filters::default() };
        let operations = if tasks.is_empty() { Vec::new() } else { vec![call::launch(tasks)] };
        let scheduler = self.scheduler.clone();
        // Without an operation this declines.
        self.calls.spawn(async move { scheduler.accept(&[offer], operations, Some(filters)).await });
    }

    /// As many tasks as the offer holds and the limits allow; from here on they count as under way.
    fn tasks_for(&mut self, offer: &Offer) -> Vec<TaskInfo> {
        let wanted = resources::scalars(&[("cpus", self.arguments.cpus), ("mem", self.arguments.mem)]);
        let mut pool = resources::offered(offer);
        let mut tasks = Vec::new();
        let now = Instant::now();
        while self.may_launch()
            && let Some(taken) = resources::take(&mut pool, &wanted)
        {
            let id = format!("bench-{}", self.launched);
            let command = messages::shell(&self.arguments.command);
            let mut task = messages::task(&id, command, taken.to_proto());
            task.agent_id = offer.agent_id.clone();
            tasks.push(task);
            self.under_way.insert(id, now);
            self.launched += 1;
            self.report.first_accept.get_or_insert(now);
        }
        tasks
    }

    fn may_launch(&self) -> bool {
        let limit = self.arguments.parallel;
        self.launched < self.arguments.tasks && (limit == 0 || self.under_way.len() < limit)
    }

    fn updated(&mut self, status: &TaskStatus) {
        let now = Instant::now();
        let id = &status.task_id.value;
        let Some(&accepted) = self.under_way.get(id) else { return };
        let passed = now.duration_since(accepted);
        if status.state == TaskState::TASK_RUNNING {
            self.report.running.push(passed);
        }
        if !is_terminal(status.state) {
            return;
        }
        self.under_way.remove(id);
        self.ended += 1;
        self.report.last_end = Some(now);
        if status.state == TaskState::TASK_FINISHED {
            self.report.finished.push(passed);
        } else {
            self.report.failed += 1;
            eprintln!("{id}: {:?} {}", status.state, status.message.as_deref().unwrap_or_default());
        }
    }
}
