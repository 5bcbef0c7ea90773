//! The registrar's way to its log: fetch once a term, then one store after the other, each for all that has queued meanwhile.
//!
//! Registrar, State and log are one machine, so that nothing can come between them: a term that is over cannot write, and
//! the simulation runs what a node runs. Source: Mesos `src/master/registrar.cpp`.

use crate::operation::{Error, Operation};
use crate::registrar::{Abort, Input, OperationId, Output, Timeouts};
use crate::state::State;
use crate::times::{Figures, Times};
use std::collections::VecDeque;
use std::sync::Arc;
use tepui_base::machine::Entry as Leaving;
use tepui_base::{Instant, Machine, Now, Outbox, Rng};
use tepui_log::{Answer, Effect, Log};
use tepui_proto::mesos::MasterInfo;
use tepui_state::{Act, Ask, Entry, LogStorage, StorageId, Told, Uuid};

/// The one variable of the registrar.
const NAME: &str = "registry";

/// How a batch of operations went.
type Results = Vec<(OperationId, Result<bool, Error>)>;

/// One store, for all operations that had queued.
#[derive(Debug)]
struct Batch {
    /// The registry with all of them.
    next: State,
    results: Results,
    /// Whether it is the one that puts the new master's name in.
    is_first: bool,
}

#[derive(Debug)]
enum Phase {
    /// No term.
    Idle,
    /// The registry is asked for.
    Fetching { master: Arc<MasterInfo>, ask: StorageId, since: Instant },
    /// A version is on its way.
    Storing { ask: StorageId, since: Instant, version: Uuid, batch: Batch },
    /// Nothing is on its way.
    Ready,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Durable {
    log: Log,
    storage: LogStorage,
    rng: Rng,
    timeouts: Timeouts,
    phase: Phase,
    /// The version that was read or stored last.
    version: Uuid,
    queue: Vec<(OperationId, Operation)>,
    next_ask: u64,
    times: Times,
}

impl Durable {
    pub fn new(log: Log, seed: u64, timeouts: Timeouts) -> Durable {
        let mut rng = Rng::new(seed);
        let storage = LogStorage::new(rng.next_u64());
        let (phase, queue, times) = (Phase::Idle, Vec::new(), Times::default());
        Durable { log, storage, rng, timeouts, phase, version: Uuid::default(), queue, next_ask: 0, times }
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    pub fn figures(&self) -> Figures {
        let log = self.log.figures();
        Figures {
            queued: self.queued(),
            log_recovered: Some(log.recovered),
            ensemble_size: Some(log.ensemble_size),
            ..self.times.figures()
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let own = self.timeout();
        [own, self.log.deadline(), self.storage.deadline()].into_iter().flatten().min()
    }

    /// When what is on its way takes too long.
    fn timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Fetching { since, .. } => Some(*since + self.timeouts.fetch),
            Phase::Storing { since, .. } => Some(*since + self.timeouts.store),
            Phase::Idle | Phase::Ready => None,
        }
    }

    pub fn handle(&mut self, now: Now, input: Input, state: &mut State, out: &mut Outbox<Output>) {
        match input {
            Input::Recover(master) => self.recover(now, master, state, out),
            Input::Apply(id, operation) => {
                // What comes before the registry is known waits for it; without a term there is nobody to answer.
                if !matches!(self.phase, Phase::Idle) {
                    self.queue.push((id, operation));
                    self.store_queue(now, state, out);
                }
            }
            Input::Resign => self.resign(now, state, out),
            Input::Log(input) => {
                let mut inner = Outbox::default();
                self.log.handle(now, input, &mut inner);
                self.route(now, inner, state, out);
            }
        }
    }

    pub fn tick(&mut self, now: Now, state: &mut State, out: &mut Outbox<Output>) {
        let (mut inner, mut acts) = (Outbox::default(), Vec::new());
        self.log.tick(now, &mut inner);
        self.route(now, inner, state, out);
        self.storage.tick(now.monotonic, &mut acts);
        self.act(now, acts, state, out);
        if self.timeout().is_none_or(|until| until > now.monotonic) {
            return;
        }
        match &self.phase {
            Phase::Fetching { .. } => {
                self.abort(now, "Failed to recover registrar: Failed to perform fetch within", true, state, out);
            }
            Phase::Storing { batch, .. } => {
                let words =
                    if batch.is_first { "Failed to recover registrar: " } else { "Failed to update registry: " };
                self.abort(now, &format!("{words}Failed to perform store within"), false, state, out);
            }
            Phase::Idle | Phase::Ready => {}
        }
    }

    fn recover(&mut self, now: Now, master: Arc<MasterInfo>, state: &mut State, out: &mut Outbox<Output>) {
        self.resign(now, state, out);
        let ask = self.next_ask();
        self.phase = Phase::Fetching { master, ask, since: now.monotonic };
        let mut acts = Vec::new();
        self.storage.ask(ask, Ask::Get(NAME.to_owned()), &mut acts);
        self.act(now, acts, state, out);
    }

    fn resign(&mut self, now: Now, state: &mut State, out: &mut Outbox<Output>) {
        // What this term knew may be of yesterday when the next one begins.
        *state = State::default();
        self.phase = Phase::Idle;
        self.queue.clear();
        let mut acts = Vec::new();
        self.storage.resign(&mut acts);
        self.act(now, acts, state, out);
    }

    fn next_ask(&mut self) -> StorageId {
        self.next_ask += 1;
        StorageId(self.next_ask)
    }

    /// Lets out what the log does, and hands its answers to the storage.
    fn route(&mut self, now: Now, mut inner: Outbox<Effect>, state: &mut State, out: &mut Outbox<Output>) {
        let mut acts = Vec::new();
        for entry in inner.drain() {
            match entry {
                Leaving::Free(Effect::Answer(answer)) if is_of_election(&answer) => {
                    out.push(Output::Log(Effect::Answer(answer)));
                }
                Leaving::Free(Effect::Answer(answer)) => self.storage.answered(now.monotonic, answer, &mut acts),
                Leaving::Free(effect) => out.push(Output::Log(effect)),
                Leaving::Write(key, effect) => out.write(key, Output::Log(effect)),
                Leaving::Lazy(effect) => out.lazy(Output::Log(effect)),
                // The storage has no use for the one answer that waits for the disk: that the replica votes.
                Leaving::After(_, Effect::Answer(Answer::Recovered)) => {}
                Leaving::After(key, effect) => out.after(key, Output::Log(effect)),
            }
        }
        self.act(now, acts, state, out);
    }

    /// Does what the storage says, and what comes of that.
    fn act(&mut self, now: Now, acts: Vec<Act>, state: &mut State, out: &mut Outbox<Output>) {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Log(request) => {
                    let mut inner = Outbox::default();
                    self.log.handle(now, tepui_log::Input::Request(request), &mut inner);
                    self.route(now, inner, state, out);
                }
                Act::Tell(ask, told) => self.told(now, ask, told, state, out),
            }
        }
    }

    fn told(&mut self, now: Now, ask: StorageId, told: Told, state: &mut State, out: &mut Outbox<Output>) {
        match (std::mem::replace(&mut self.phase, Phase::Idle), told) {
            (Phase::Fetching { master, ask: asked, since }, Told::Entry(entry)) if asked == ask => {
                self.times.fetched(since, now.monotonic);
                self.fetched(now, master, entry, state, out);
            }
            (Phase::Fetching { ask: asked, .. }, Told::Failed(why)) if asked == ask => {
                self.unreadable(now, format!("Failed to recover registrar: {why}"), state, out);
            }
            (Phase::Storing { ask: asked, version, batch, since }, Told::Done(true)) if asked == ask => {
                self.times.stored(since, now.monotonic);
                self.version = version;
                *state = batch.next;
                self.phase = Phase::Ready;
                if batch.is_first {
                    out.push(Output::Recovered(state.clone()));
                }
                batch.results.into_iter().for_each(|(id, result)| out.push(Output::Applied(id, result)));
                self.store_queue(now, state, out);
            }
            (Phase::Storing { ask: asked, .. }, Told::Done(false)) if asked == ask => {
                self.abort(now, "Failed to update registry: version mismatch", false, state, out);
            }
            // Another has written what cannot be read, and the log was read again because of it.
            (Phase::Storing { ask: asked, .. }, Told::Failed(why)) if asked == ask => {
                self.unreadable(now, format!("Failed to update registry: {why}"), state, out);
            }
            (phase, _) => self.phase = phase,
        }
    }

    fn fetched(
        &mut self,
        now: Now,
        master: Arc<MasterInfo>,
        entry: Option<Entry>,
        state: &mut State,
        out: &mut Outbox<Output>,
    ) {
        let registry = match entry {
            Some(entry) => {
                self.version = entry.uuid;
                State::from_bytes(&entry.value)
            }
            None => Ok(State::default()),
        };
        match registry {
            Ok(mut fetched) => {
                fetched.master = Some(master);
                self.store(now, Batch { next: fetched, results: Vec::new(), is_first: true }, state, out);
            }
            Err(error) => self.unreadable(now, format!("Failed to recover registrar: {error}"), state, out),
        }
    }

    /// Stores all that has queued, unless a store is on its way.
    fn store_queue(&mut self, now: Now, state: &mut State, out: &mut Outbox<Output>) {
        if !matches!(self.phase, Phase::Ready) || self.queue.is_empty() {
            return;
        }
        let mut next = state.clone();
        let queue = std::mem::take(&mut self.queue);
        let results = queue.into_iter().map(|(id, operation)| (id, operation.perform(&mut next))).collect();
        self.store(now, Batch { next, results, is_first: false }, state, out);
    }

    fn store(&mut self, now: Now, batch: Batch, state: &mut State, out: &mut Outbox<Output>) {
        let (ask, version) = (self.next_ask(), self.rng.uuid());
        let entry = Entry { name: NAME.to_owned(), uuid: version, value: batch.next.to_bytes() };
        self.phase = Phase::Storing { ask, since: now.monotonic, version, batch };
        let mut acts = Vec::new();
        self.storage.ask(ask, Ask::Set(entry, self.version), &mut acts);
        self.act(now, acts, state, out);
    }

    fn unreadable(&mut self, now: Now, why: String, state: &mut State, out: &mut Outbox<Output>) {
        self.end(now, Abort::Unreadable(why), state, out);
    }

    /// The term is over. A timeout's text ends with the time that was waited.
    fn abort(&mut self, now: Now, why: &str, is_fetch: bool, state: &mut State, out: &mut Outbox<Output>) {
        let timeout = if is_fetch { self.timeouts.fetch } else { self.timeouts.store };
        let why = match why.ends_with("within") {
            true => format!("{why} {}", tepui_base::duration::format(timeout)),
            false => why.to_owned(),
        };
        self.end(now, Abort::Passing(why), state, out);
    }

    fn end(&mut self, now: Now, abort: Abort, state: &mut State, out: &mut Outbox<Output>) {
        // First, so that whoever acts as the leader has ceased to before another can be elected.
        out.push(Output::Aborted(abort));
        self.resign(now, state, out);
    }
}

/// What the log says of who leads, where masters elect by it: for whoever asked to lead.
fn is_of_election(answer: &Answer) -> bool {
    match answer {
        Answer::Leads { .. } | Answer::Follows { .. } | Answer::NoLeader | Answer::Refused(..) => true,
        Answer::Recovered
        | Answer::Elected { .. }
        | Answer::NotElected
        | Answer::Demoted
        | Answer::Written(..)
        | Answer::Unknown(_)
        | Answer::Entries(..)
        | Answer::ReadFailed(..) => false,
    }
}
