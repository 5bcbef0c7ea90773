//! A storage together with its log, as one machine.
//!
//! Nothing can come between the two: what the storage asks, the log learns at once, and the other way round.

use crate::log_storage::{Act, Ask, LogStorage, StorageId, Told};
use std::collections::VecDeque;
use tepui_base::machine::Entry as Leaving;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_log::{Answer, Effect, Log};

/// What the two learn.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Of a user of the storage.
    Ask(StorageId, Ask),
    /// For the log.
    Log(tepui_log::Input),
}

/// What the two do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To a user of the storage.
    Told(StorageId, Told),
    /// An effect of the log. Its key, if it has one, is the log's.
    Log(Effect),
}

/// See the module's text.
#[derive(Debug)]
pub struct Logged {
    log: Log,
    storage: LogStorage,
}

impl Logged {
    /// A storage over this log. `seed` spreads the tries to become its writer.
    pub fn new(log: Log, seed: u64) -> Logged {
        Logged { log, storage: LogStorage::new(seed) }
    }

    /// Lets out what the log does, and hands its answers to the storage.
    fn route(&mut self, now: Now, inner: &mut Outbox<Effect>, acts: &mut VecDeque<Act>, out: &mut Outbox<Output>) {
        let mut next = Vec::new();
        for entry in inner.drain() {
            match entry {
                Leaving::Free(Effect::Answer(answer)) => self.storage.answered(now.monotonic, answer, &mut next),
                Leaving::Free(effect) => out.push(Output::Log(effect)),
                Leaving::Write(key, effect) => out.write(key, Output::Log(effect)),
                Leaving::Lazy(effect) => out.lazy(Output::Log(effect)),
                // The storage has no use for the one answer that waits for the disk: that the replica votes.
                Leaving::After(_, Effect::Answer(Answer::Recovered)) => {}
                Leaving::After(key, effect) => out.after(key, Output::Log(effect)),
            }
        }
        acts.extend(next);
    }

    /// Does what the storage says, and what comes of that.
    fn act(&mut self, now: Now, mut acts: VecDeque<Act>, out: &mut Outbox<Output>) {
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Log(request) => {
                    let mut inner = Outbox::default();
                    self.log.handle(now, tepui_log::Input::Request(request), &mut inner);
                    self.route(now, &mut inner, &mut acts, out);
                }
                Act::Tell(id, told) => out.push(Output::Told(id, told)),
            }
        }
    }
}

impl Machine for Logged {
    type Input = Input;
    type Effect = Output;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Output>) {
        let mut acts = VecDeque::new();
        match input {
            Input::Ask(id, ask) => {
                let mut next = Vec::new();
                self.storage.ask(id, ask, &mut next);
                acts.extend(next);
            }
            Input::Log(input) => {
                let mut inner = Outbox::default();
                self.log.handle(now, input, &mut inner);
                self.route(now, &mut inner, &mut acts, out);
            }
        }
        self.act(now, acts, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Output>) {
        let (mut inner, mut acts, mut next) = (Outbox::default(), VecDeque::new(), Vec::new());
        self.log.tick(now, &mut inner);
        self.route(now, &mut inner, &mut acts, out);
        self.storage.tick(now.monotonic, &mut next);
        acts.extend(next);
        self.act(now, acts, out);
    }

    fn deadline(&self) -> Option<Instant> {
        [self.log.deadline(), self.storage.deadline()].into_iter().flatten().min()
    }
}
