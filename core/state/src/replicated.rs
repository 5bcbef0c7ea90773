//! The storage over the log, with the log: one machine.

use crate::log_storage::{LogStorage, Said};
use crate::request::{Answer, Request, RequestId};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_log as log;

/// What the storage and its log do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To who asked.
    Answer(RequestId, Answer),
    /// The log's own: messages, writes and reads. Never an answer of it.
    Log(log::Effect),
}

/// What the storage and its log learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A request.
    Ask(RequestId, Request),
    /// Give up what was asked, and the writer's place.
    Resign,
    /// For the log. Never a request of a client.
    Log(log::Input),
}

/// A storage and the log under it. What one says to the other is heard at once. `L` is the log, or what stands for it in a
/// test.
#[derive(Debug)]
pub struct Replicated<L = log::Log> {
    storage: LogStorage,
    log: L,
}

impl<L: Machine<Input = log::Input, Effect = log::Effect>> Replicated<L> {
    /// A storage over this log.
    pub fn new(log: L) -> Replicated<L> {
        Replicated { storage: LogStorage::default(), log }
    }

    /// The log.
    pub fn log(&self) -> &L {
        &self.log
    }

    /// Lets the two talk until neither has anything to say.
    fn converse(&mut self, now: Now, mut said: Said, mut inner: Outbox<log::Effect>, out: &mut Outbox<Effect>) {
        loop {
            for entry in inner.drain() {
                match entry {
                    Entry::Free(log::Effect::Answer(answer)) => self.storage.hear(answer, &mut said),
                    Entry::Free(effect) => out.push(Effect::Log(effect)),
                    Entry::Write(key, effect) => out.write(key, Effect::Log(effect)),
                    Entry::Lazy(effect) => out.lazy(Effect::Log(effect)),
                    Entry::After(key, effect) => out.after(key, Effect::Log(effect)),
                }
            }
            for (id, answer) in said.answers.drain(..) {
                out.push(Effect::Answer(id, answer));
            }
            if said.wishes.is_empty() {
                return;
            }
            for wish in said.wishes.drain(..) {
                self.log.handle(now, log::Input::Request(wish), &mut inner);
            }
        }
    }
}

impl<L: Machine<Input = log::Input, Effect = log::Effect>> Machine for Replicated<L> {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        let (mut said, mut inner) = (Said::default(), Outbox::default());
        match input {
            Input::Ask(id, request) => self.storage.ask(id, request, &mut said),
            Input::Resign => self.storage.resign(&mut said),
            Input::Log(input) => self.log.handle(now, input, &mut inner),
        }
        self.converse(now, said, inner, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        let mut inner = Outbox::default();
        self.log.tick(now, &mut inner);
        self.converse(now, Said::default(), inner, out);
    }

    fn deadline(&self) -> Option<Instant> {
        self.log.deadline()
    }
}
