//! The framework: keeps some tasks going, acknowledges what it is told, and asks about what it does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tepui_sdk::mesos::{Offer, TaskID, TaskStatus};
use tepui_sdk::scheduler::{Event, Events};
use tepui_sdk::{Scheduler, messages, resources};
use tokio::runtime::Runtime;

use crate::history::{History, Task};

/// Until a framework that does not come back is given up: longer than any run.
const FAILOVER_SECS: f64 = 24.0 * 3600.0;
/// How often tasks without a known end are asked about.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// A task younger than this is not asked about: it may be on its way.
const YOUNG: Duration = Duration::from_secs(5);
/// A framework that has lost its master has found the next one by then.
const TORN_DOWN_WITHIN: Duration = Duration::from_secs(30);
/// Between two tries.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Declined resources come again soon.
const REFUSE_SECS: f64 = 0.2;

/// What it is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tasks that run at a time.
    pub parallel: usize,
    /// How long each runs, in the words of `sleep`; one after the other is taken.
    pub seconds: Vec<String>,
    /// Tasks in all.
    pub total: usize,
}

/// A running framework.
pub struct Framework {
    runtime: Option<Runtime>,
    scheduler: Scheduler,
    is_over: Arc<AtomicBool>,
}

impl Framework {
    /// Starts it; it subscribes by itself.
    pub fn start(masters: &str, plan: Plan, history: History) -> Result<Framework> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let info = tepui_sdk::mesos::FrameworkInfo {
            failover_timeout: Some(FAILOVER_SECS),
            checkpoint: Some(true),
            ..messages::framework("failover", "root")
        };
        let entered = runtime.enter();
        let (scheduler, events) = Scheduler::builder(masters, info).connect().context("a framework")?;
        drop(entered);
        let is_over = Arc::new(AtomicBool::new(false));
        let worker = Worker { scheduler: scheduler.clone(), plan, history, is_over: is_over.clone() };
        runtime.spawn(worker.run(events));
        Ok(Framework { runtime: Some(runtime), scheduler, is_over })
    }

    /// Launches nothing any more; what runs is followed to its end.
    pub fn wind_down(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Ends the framework, at the master too, as soon as it is subscribed.
    pub fn teardown(mut self) -> Result<()> {
        let runtime = self.runtime.take().context("a framework ends once")?;
        let left = runtime.block_on(async {
            let until = Instant::now() + TORN_DOWN_WITHIN;
            loop {
                match self.scheduler.teardown().await {
                    Err(_) if Instant::now() < until => tokio::time::sleep(ASK_AGAIN).await,
                    left => return left,
                }
            }
        });
        runtime.shutdown_background();
        left.context("teardown")
    }
}

impl Drop for Framework {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Worker {
    scheduler: Scheduler,
    plan: Plan,
    history: History,
    is_over: Arc<AtomicBool>,
}

impl Worker {
    async fn run(self, mut events: Events) {
        let mut ask = tokio::time::interval(ASK_EVERY);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(event),
                    None => return,
                },
                _ = ask.tick() => self.ask(),
            }
        }
    }

    /// Calls wait for their answers beside the stream: a master that does not answer must not stop it.
    fn event(&self, event: Event) {
        match event {
            Event::Subscribed { .. } => self.history.record().subscriptions += 1,
            Event::Offers(offers) => offers.into_iter().for_each(|offer| self.offer(offer)),
            Event::Update(status) => self.update(status),
            Event::Error(text) => self.history.record().objections.push(format!("the framework was refused: {text}")),
            _ => {}
        }
    }

    fn offer(&self, offer: Offer) {
        let mut pool = resources::offered(&offer);
        let wanted = resources::scalars(&[("cpus", 0.1), ("mem", 32.0)]);
        let mut tasks = Vec::new();
        while let Some(id) = self.next(&offer) {
            let Some(taken) = resources::take(&mut pool, &wanted) else {
                self.history.record().tasks.remove(&id);
                break;
            };
            let number = self.history.record().tasks.len();
            let seconds = &self.plan.seconds[number % self.plan.seconds.len()];
            let command = messages::shell(self.history.command(&id, seconds));
            tasks.push(messages::task(id, command, taken.to_proto()));
        }
        let (scheduler, history) = (self.scheduler.clone(), self.history.clone());
        tokio::spawn(async move {
            if tasks.is_empty() {
                // A refusal here means that the offer is void, which is as well.
                let _ = scheduler.decline(&[offer], Some(REFUSE_SECS)).await;
                return;
            }
            let ids: Vec<String> = tasks.iter().map(|task| task.task_id.value.clone()).collect();
            let is_taken = scheduler.launch(&offer, tasks).await.is_ok();
            let mut record = history.record();
            for id in ids {
                // An answer that was lost says nothing of the call.
                let task = record.tasks.entry(id).or_default();
                task.is_taken = is_taken.then_some(true);
            }
        });
    }

    /// Names one more task, if one is wanted.
    fn next(&self, offer: &Offer) -> Option<String> {
        let mut record = self.history.record();
        let running = record.tasks.values().filter(|task| task.may_run()).count();
        let is_wanted = running < self.plan.parallel && record.tasks.len() < self.plan.total;
        if !is_wanted || self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        let id = format!("task-{:06}", record.tasks.len());
        let task = Task { agent: offer.agent_id.value.clone(), launched: Some(Instant::now()), ..Task::default() };
        record.tasks.insert(id.clone(), task);
        Some(id)
    }

    fn update(&self, status: TaskStatus) {
        let (id, uuid) = (status.task_id.value.clone(), status.uuid.clone());
        {
            let mut record = self.history.record();
            let Some(task) = record.tasks.get_mut(&id) else {
                record.objections.push(format!("{id}: an update of a task that was never launched: {status:?}"));
                return;
            };
            uuid.iter().for_each(|uuid| task.hear(uuid));
            let state = status.state;
            let ended = task.has_ended();
            if ended && uuid.is_some() && !task.states.contains(&state) {
                let text = format!("{id}: {state:?} after its end {:?}", task.states);
                record.objections.push(text);
                return;
            }
            if uuid.as_ref().is_some_and(|uuid| task.acknowledged.contains(uuid)) {
                task.repeated += 1;
            }
            task.states.push(state);
        }
        let (scheduler, history) = (self.scheduler.clone(), self.history.clone());
        tokio::spawn(async move {
            if scheduler.acknowledge(&status).await.is_ok()
                && let Some(uuid) = uuid
                && let Some(task) = history.record().tasks.get_mut(&id)
            {
                task.acknowledged.push(uuid);
            }
        });
    }

    /// Asks about tasks whose end is not known.
    fn ask(&self) {
        let record = self.history.record();
        let is_old = |task: &Task| task.launched.is_some_and(|at| at.elapsed() > YOUNG);
        let open = record.tasks.iter().filter(|(_, task)| !task.has_ended() && is_old(task));
        let open: Vec<_> = open.map(|(id, _)| (TaskID { value: id.clone(), ..TaskID::default() }, None)).collect();
        drop(record);
        if open.is_empty() {
            return;
        }
        let scheduler = self.scheduler.clone();
        tokio::spawn(async move {
            // Without a master there is no answer; the next question follows.
            let _ = scheduler.reconcile(open).await;
        });
    }
}
