//! One thread that waits for the agent, for children and for the machine's deadline, and does what the machine says.

use crate::agent::Agent;
use crate::settings::Settings;
use crate::task;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};
use tepui_base::{EffectQueue, Machine, Now, Outbox, Wall};
use tepui_executor::{Effect, Executor, Input};

/// Why the loop cannot even begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed that never should.
    #[error("{0}: {1}")]
    System(&'static str, nix::Error),
    /// No randomness.
    #[error("/dev/urandom: {0}")]
    Random(std::io::Error),
}

/// Runs until the machine ends; gives the exit code.
pub fn run(settings: Settings) -> Result<u8, Error> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.thread_block().map_err(|e| Error::System("sigmask", e))?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(&children, flags).map_err(|e| Error::System("signalfd", e))?;
    // What loses its parent below this process becomes its child, and can be found and killed.
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| Error::System("prctl", e))?;
    let executor = Executor::new(settings.executor.clone(), seed()?);
    let mut shell = Shell {
        executor,
        settings,
        signals,
        agent: None,
        task: None,
        inputs: VecDeque::from([Input::Started]),
        queue: EffectQueue::default(),
        started_at: Instant::now(),
        exit: None,
    };
    loop {
        shell.settle();
        if let Some(code) = shell.exit {
            task::kill_all();
            return Ok(code);
        }
        shell.wait()?;
    }
}

fn seed() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    let mut source = std::fs::File::open("/dev/urandom").map_err(Error::Random)?;
    source.read_exact(&mut bytes).map_err(Error::Random)?;
    Ok(u64::from_ne_bytes(bytes))
}

struct Shell {
    executor: Executor,
    settings: Settings,
    signals: SignalFd,
    agent: Option<Agent>,
    /// The task's first process, until it is reaped.
    task: Option<i32>,
    inputs: VecDeque<Input>,
    queue: EffectQueue<Effect>,
    started_at: Instant,
    exit: Option<u8>,
}

impl Shell {
    /// Hands all inputs to the machine and does all it says, which may give new inputs.
    fn settle(&mut self) {
        let mut out = Outbox::default();
        let now = self.now();
        if self.executor.deadline().is_some_and(|at| at <= now.monotonic) {
            self.executor.tick(now, &mut out);
        }
        loop {
            self.queue.submit(&mut out);
            while let Some(effect) = self.queue.pop_ready() {
                self.perform(effect);
            }
            let Some(input) = self.inputs.pop_front() else { return };
            self.executor.handle(self.now(), input, &mut out);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect => self.connect(),
            Effect::Call(call) => {
                let sent = self.agent.as_mut().map(|agent| agent.send(&call));
                if let Some(Err(e)) = sent {
                    self.disconnect(format!("Failed to send a call: {e}"));
                }
            }
            Effect::Fork(command) => match task::fork(*command, self.settings.user.as_deref()) {
                Ok(pid) => {
                    self.task = Some(pid);
                    self.inputs.push_back(Input::Forked);
                }
                Err(e) => self.inputs.push_back(Input::ForkFailed(e.to_string())),
            },
            Effect::Signal(signal) => {
                if let Some(pid) = self.task {
                    task::signal(pid, signal);
                }
            }
            Effect::Log(text) => eprintln!("{text}"),
            Effect::Exit(code) => self.exit = Some(code),
        }
    }

    fn connect(&mut self) {
        match Agent::connect(&self.settings.agent) {
            Ok(agent) => {
                self.agent = Some(agent);
                self.inputs.push_back(Input::Connected);
            }
            Err(e) => self.disconnect(e.to_string()),
        }
    }

    fn disconnect(&mut self, why: String) {
        self.agent = None;
        self.inputs.push_back(Input::Disconnected(why));
    }

    /// Waits for something to happen, and turns it into inputs.
    fn wait(&mut self) -> Result<(), Error> {
        let timeout = self.timeout();
        let mut descriptors = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if let Some(agent) = &self.agent {
            descriptors.extend(agent.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        }
        match poll(&mut descriptors, timeout) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => return Ok(()),
            Err(e) => return Err(Error::System("poll", e)),
        }
        // An error or a hang-up counts as well: reading tells which.
        let is_ready = |at: usize| descriptors.get(at).is_some_and(|fd| fd.revents().is_some_and(|r| !r.is_empty()));
        let (children, agent) = (is_ready(0), [is_ready(1), is_ready(2)]);
        drop(descriptors);
        if children {
            self.reap();
        }
        if let Some(Err(why)) = self.agent.as_mut().map(|connected| connected.read(agent, &mut self.inputs)) {
            self.disconnect(why);
        }
        Ok(())
    }

    fn reap(&mut self) {
        // One signal may stand for many children.
        while let Ok(Some(_)) = self.signals.read_signal() {}
        for (pid, status) in task::reap() {
            if self.task == Some(pid) {
                self.task = None;
                self.inputs.push_back(Input::Exited(status));
            }
        }
    }

    fn timeout(&self) -> PollTimeout {
        let Some(at) = self.executor.deadline() else { return PollTimeout::NONE };
        let wait = at.since(self.now().monotonic);
        // A millisecond more, not to wake up just before the deadline.
        PollTimeout::try_from(wait.saturating_add(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX)
    }

    fn now(&self) -> Now {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: tepui_base::Instant(nanos(self.started_at.elapsed())), wall: Wall(nanos(wall)) }
    }
}
