//! The registrar: one machine that owns the registry and answers each request for a change.

use crate::operation::{Error, Operation};
use crate::state::State;
use std::sync::Arc;
use tepui_base::{Instant, Machine, Now, Outbox};
use tepui_proto::mesos::MasterInfo;

/// Names one operation between request and answer; chosen by the master, increasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// What the registrar is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A newly elected master wants the registry and puts its name into it. Always first.
    Recover(Arc<MasterInfo>),
    /// Apply a mutation.
    Apply(OperationId, Operation),
}

/// What the registrar answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The registry as it stood when the master recovered it.
    Recovered(State),
    /// The mutation is in the registry and will outlive this master (`Ok`: whether it changed anything), or was
    /// refused.
    Applied(OperationId, Result<bool, Error>),
}

/// The registrar over memory.
#[derive(Clone, Debug, Default)]
pub struct Registrar {
    state: State,
}

impl Registrar {
    /// A registrar that holds what an earlier one left.
    pub fn new(state: State) -> Registrar {
        Registrar { state }
    }

    /// The registry as it stands.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl Machine for Registrar {
    type Input = Input;
    type Effect = Output;

    fn handle(&mut self, _: Now, input: Input, out: &mut Outbox<Output>) {
        match input {
            Input::Recover(master) => {
                self.state.master = Some(master);
                out.push(Output::Recovered(self.state.clone()));
            }
            Input::Apply(id, operation) => out.push(Output::Applied(id, operation.perform(&mut self.state))),
        }
    }

    fn tick(&mut self, _: Now, _: &mut Outbox<Output>) {}

    fn deadline(&self) -> Option<Instant> {
        None
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
}
