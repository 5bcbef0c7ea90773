//! The registrar: one machine that owns the registry and answers each request for a change.

use crate::durable::Durable;
use crate::operation::{Error, Operation};
use crate::state::State;
use crate::times::{Figures, Times};
use std::sync::Arc;
use std::time::Duration;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_log::Log;
use tepui_proto::mesos::MasterInfo;

/// Names one operation between request and answer; chosen by the master, increasing within a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// What the registrar is asked, and what its log learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A newly elected master wants the registry and puts its name into it: a term begins. What the term before has asked
    /// and not been told is not answered any more.
    Recover(Arc<MasterInfo>),
    /// Apply a mutation.
    Apply(OperationId, Operation),
    /// The term is over. The registrar's log goes on as a replica of other masters' logs.
    Resign,
    /// For the log. Without one it is dropped.
    Log(tepui_log::Input),
}

/// What the registrar answers, and what its log does.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The registry as it stood when the master recovered it.
    Recovered(State),
    /// The mutation is in the registry and will outlive this master (`Ok`: whether it changed anything), or was
    /// refused.
    Applied(OperationId, Result<bool, Error>),
    /// The registry could not be read or stored: the term is over, and whatever was asked in it may or may not have been
    /// done. Why, in Mesos' words.
    Aborted(Abort),
    /// An effect of the log. Its key, if it has one, is the log's. An answer is one that says who leads.
    Log(tepui_log::Effect),
}

/// Why a term is over, in Mesos' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Another term may go well.
    Passing(String),
    /// The log holds what cannot be read: so would every term end, of any master. Where it stands, if that can be said.
    Unreadable(String),
}

/// How long the registrar waits for its log (`--registry_fetch_timeout`, `--registry_store_timeout`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For an election and the reading of the registry.
    pub fetch: Duration,
    /// For one store.
    pub store: Duration,
}

impl Default for Timeouts {
    /// Those of 1.11.
    fn default() -> Timeouts {
        Timeouts { fetch: Duration::from_secs(60), store: Duration::from_secs(20) }
    }
}

#[derive(Debug, Default)]
enum Storage {
    #[default]
    Memory,
    Log(Box<Durable>),
}

/// The registrar, over memory or over a replicated log.
#[derive(Debug, Default)]
pub struct Registrar {
    state: State,
    storage: Storage,
    /// Of a registrar in memory, where all takes no time; one over a log has its own.
    times: Times,
}

impl Registrar {
    /// A registrar in memory that holds what an earlier one left.
    pub fn new(state: State) -> Registrar {
        Registrar { state, storage: Storage::Memory, times: Times::default() }
    }

    /// A registrar that keeps the registry in a log. `seed` gives the versions of what is stored their names.
    pub fn durable(log: Log, seed: u64, timeouts: Timeouts) -> Registrar {
        let storage = Storage::Log(Box::new(Durable::new(log, seed, timeouts)));
        Registrar { state: State::default(), storage, times: Times::default() }
    }

    /// The registry as it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The log, if there is one.
    pub fn log(&self) -> Option<&Log> {
        match &self.storage {
            Storage::Memory => None,
            Storage::Log(durable) => Some(durable.log()),
        }
    }

    /// How many operations wait for a store.
    pub fn queued(&self) -> usize {
        match &self.storage {
            Storage::Memory => 0,
            Storage::Log(durable) => durable.queued(),
        }
    }

    /// For the metrics.
    pub fn figures(&self) -> Figures {
        match &self.storage {
            Storage::Memory => self.times.figures(),
            Storage::Log(durable) => durable.figures(),
        }
    }
}

impl Machine for Registrar {
    type Input = Input;
    type Effect = Output;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Output>) {
        match (&mut self.storage, input) {
            (Storage::Log(durable), input) => durable.handle(now, input, &mut self.state, out),
            (Storage::Memory, Input::Recover(master)) => {
                self.times.fetched(now.monotonic, now.monotonic);
                self.times.stored(now.monotonic, now.monotonic);
                self.state.master = Some(master);
                out.push(Output::Recovered(self.state.clone()));
            }
            (Storage::Memory, Input::Apply(id, operation)) => {
                self.times.stored(now.monotonic, now.monotonic);
                out.push(Output::Applied(id, operation.perform(&mut self.state)));
            }
            // In Mesos the next term is that of another process, which has nothing in its memory.
            (Storage::Memory, Input::Resign) => self.state = State::default(),
            (Storage::Memory, Input::Log(_)) => {}
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Output>) {
        if let Storage::Log(durable) = &mut self.storage {
            durable.tick(now, &mut self.state, out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.storage {
            Storage::Memory => None,
            Storage::Log(durable) => durable.deadline(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;
    use tepui_base::machine::Entry;
    use tepui_proto::mesos::{AgentID, AgentInfo};

    #[test]
    fn each_operation_is_answered_in_order() {
        let agent = Arc::new(AgentInfo {
            id: MessageField::some(AgentID { value: "S0".to_owned(), ..Default::default() }),
            ..Default::default()
        });
        let (mut registrar, mut out) = (Registrar::default(), Outbox::default());
        registrar.handle(Now::default(), Input::Recover(Arc::default()), &mut out);
        let admit = Operation::AdmitAgent(agent);
        registrar.handle(Now::default(), Input::Apply(OperationId(1), admit.clone()), &mut out);
        registrar.handle(Now::default(), Input::Apply(OperationId(2), admit), &mut out);
        let answers: Vec<_> = out.drain().collect();
        assert!(matches!(&answers[0], Entry::Free(Output::Recovered(state)) if state.admitted.is_empty()));
        assert_eq!(answers[1], Entry::Free(Output::Applied(OperationId(1), Ok(true))));
        assert_eq!(answers[2], Entry::Free(Output::Applied(OperationId(2), Err(Error::AlreadyAdmitted))));
        assert_eq!(registrar.state().admitted.len(), 1);
    }

    #[test]
    fn what_is_in_memory_ends_with_the_term() {
        let (mut registrar, mut out) = (Registrar::default(), Outbox::default());
        registrar.handle(Now::default(), Input::Recover(Arc::default()), &mut out);
        assert_ne!(*registrar.state(), State::default());
        registrar.handle(Now::default(), Input::Resign, &mut out);
        assert_eq!(*registrar.state(), State::default());
    }
}
