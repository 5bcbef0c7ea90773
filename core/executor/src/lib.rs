//! The command executor: runs the one command of one task, and tells the agent what becomes of it.
//!
//! ```text
//! Started -> Connect -> Connected -> SUBSCRIBE -> LAUNCH -> STARTING, Fork -> RUNNING -> Exited -> FINISHED | FAILED |
//! KILLED -> ACKNOWLEDGED -> Exit
//! ```
//!
//! Invariants:
//! - One task in a life; a second one is answered with `TASK_FAILED` and changes nothing.
//! - Every update is kept until the agent acknowledges it, and sent again with each new subscription.
//! - Nothing follows a terminal update of the task.
//! - The task's tree gets SIGTERM once; SIGKILL follows after the shortest grace period that anyone asked for.
//!
//! Not done: checks and health checks (a task that has them runs without, and the log says so), root filesystems,
//! terminals, the V0 executor protocol, and default executors for task groups.
//!
//! Source: `launcher/executor.cpp` (the task), `executor/executor.cpp` (the connection to the agent).

mod command;
mod config;
mod connection;
mod effect;
mod input;
mod kill;
mod status;
mod task;

pub use command::Command;
pub use config::{Config, DEFAULT_SHUTDOWN_GRACE_PERIOD, Recovery};
pub use effect::{Effect, Signal};
pub use input::Input;

use connection::Connection;
use status::Unacknowledged;
use task::Task;
use tepui_base::{Instant, Machine, Now, Outbox, Rng};
use tepui_proto::mesos::executor::event::Type;
use tepui_proto::mesos::executor::{Event, call};

type Out = Outbox<Effect>;

/// The machine. See the crate's text.
#[derive(Debug)]
pub struct Executor {
    config: Config,
    rng: Rng,
    connection: Connection,
    task: Option<Task>,
    /// Updates not acknowledged yet, oldest first.
    unacknowledged: Vec<Unacknowledged>,
    /// Whether the framework wants to hear of `TASK_KILLING`.
    reports_killing: bool,
    /// When to stop waiting for the acknowledgement of the terminal update.
    give_up_at: Option<Instant>,
    /// When a shutdown has taken long enough.
    die_at: Option<Instant>,
    is_done: bool,
}

impl Executor {
    /// A new executor; it waits for [`Input::Started`]. `seed` is for the ids of updates and for back-off.
    pub fn new(config: Config, seed: u64) -> Executor {
        Executor {
            config,
            rng: Rng::new(seed),
            connection: Connection::default(),
            task: None,
            unacknowledged: Vec::new(),
            reports_killing: false,
            give_up_at: None,
            die_at: None,
            is_done: false,
        }
    }

    fn received(&mut self, now: Now, event: Event, out: &mut Out) {
        match event.r#type {
            Some(Type::SUBSCRIBED) => self.subscribed(&event.subscribed, out),
            Some(Type::LAUNCH) => self.launch(now, event.launch.task.clone(), out),
            Some(Type::LAUNCH_GROUP) => {
                log(out, "LAUNCH_GROUP event is not supported");
                self.shutdown(now, out);
            }
            Some(Type::KILL) => self.kill(now, &event.kill, out),
            Some(Type::ACKNOWLEDGED) => self.acknowledged(&event.acknowledged, out),
            Some(Type::SHUTDOWN) => self.shutdown(now, out),
            Some(Type::ERROR) => log(out, format!("Error: {}", event.error.message)),
            Some(Type::MESSAGE | Type::HEARTBEAT) => {}
            Some(Type::UNKNOWN) | None => log(out, "Received an UNKNOWN event and ignored"),
        }
    }

    /// The agent, or the loss of it, asks for an end: the task is killed, and in the worst case this process goes
    /// without waiting for it.
    fn shutdown(&mut self, now: Now, out: &mut Out) {
        log(out, "Shutting down");
        match &self.task {
            None => self.exit(0, out),
            Some(task) if task.has_ended() => self.leave_if_alone(out),
            Some(_) => {
                let grace = self.config.shutdown_grace_period.saturating_sub(config::SHUTDOWN_MARGIN);
                self.begin_kill(now, grace, out);
            }
        }
        self.die_at.get_or_insert(now.monotonic + self.config.shutdown_grace_period);
    }

    /// When the task has ended and no agent will ever take the news, there is nothing left to do.
    fn leave_if_alone(&mut self, out: &mut Out) {
        if self.task.as_ref().is_some_and(Task::has_ended) && self.connection.is_given_up() {
            self.exit(1, out);
        }
    }

    fn die(&mut self, out: &mut Out) {
        log(out, "The shutdown grace period is over; killing the task and leaving");
        if self.task.as_ref().is_some_and(|task| !task.has_ended()) {
            out.push(Effect::Signal(Signal::Kill));
        }
        self.exit(1, out);
    }

    fn exit(&mut self, code: u8, out: &mut Out) {
        self.is_done = true;
        out.push(Effect::Exit(code));
    }
}

impl Machine for Executor {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Out) {
        if self.is_done {
            return;
        }
        match input {
            Input::Started => self.connection.start(now, out),
            Input::Connected => self.connected(now, out),
            Input::Disconnected(why) => self.disconnected(now, &why, out),
            Input::Refused { call, status, reason, body } => self.refused(call, status, &reason, &body, out),
            Input::Event(event) => self.received(now, *event, out),
            Input::Forked => self.forked(now, out),
            Input::ForkFailed(why) => self.fork_failed(now, &why, out),
            Input::Exited(status) => self.exited(now, status, out),
        }
    }

    fn tick(&mut self, now: Now, out: &mut Out) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.monotonic);
        if !self.is_done && is_due(self.die_at) {
            self.die(out);
        }
        if !self.is_done && is_due(self.give_up_at) {
            log(out, "Did not receive ACK for the terminal status update from the agent");
            self.exit(1, out);
        }
        if !self.is_done {
            self.tick_connection(now, out);
        }
        if !self.is_done {
            self.tick_task(now, out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_done {
            return None;
        }
        let task = self.task.as_ref().and_then(Task::deadline);
        [self.die_at, self.give_up_at, self.connection.deadline(), task].into_iter().flatten().min()
    }
}

fn log(out: &mut Out, text: impl Into<String>) {
    out.push(Effect::Log(text.into()));
}

/// A call of this executor, still without its content.
fn call_of(config: &Config, r#type: call::Type) -> tepui_proto::mesos::executor::Call {
    use tepui_proto::ToProto;
    tepui_proto::mesos::executor::Call {
        framework_id: config.framework_id.to_field(),
        executor_id: config.executor_id.to_field(),
        r#type: Some(r#type),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
