//! The registry of several masters: it is one, whoever writes it; what it has confirmed every later master reads; and only
//! one master commits at a time.

use crate::network::Process;
use std::collections::{BTreeSet, VecDeque};
use tepui_base::AgentId;
use tepui_proto::mesos::AgentInfo;
use tepui_registry::{Input, Operation, OperationId, Output, State};

/// Which agents are in which list, reckoned here: a judge must not believe the very code it judges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lists {
    admitted: BTreeSet<AgentId>,
    unreachable: BTreeSet<AgentId>,
    gone: BTreeSet<AgentId>,
}

impl Lists {
    fn of(state: &State) -> Lists {
        Lists {
            admitted: state.admitted.keys().cloned().collect(),
            unreachable: state.unreachable.keys().cloned().collect(),
            gone: state.gone.keys().cloned().collect(),
        }
    }

    fn perform(&mut self, operation: &Operation) {
        let id = |info: &AgentInfo| AgentId::from(info.id.value.as_str());
        match operation {
            Operation::AdmitAgent(info) => drop(self.admitted.insert(id(info))),
            Operation::MarkAgentUnreachable(info, _) => self.unreachable.extend(self.admitted.take(&id(info))),
            Operation::MarkAgentReachable(info) => {
                self.unreachable.remove(&id(info));
                self.admitted.insert(id(info));
            }
            Operation::MarkAgentGone(id, _) => {
                let (admitted, unreachable) = (self.admitted.take(id), self.unreachable.take(id));
                self.gone.extend(admitted.or(unreachable));
            }
            Operation::RemoveAgent(info) => drop(self.admitted.remove(&id(info))),
            Operation::Prune { unreachable, gone } => {
                self.unreachable.retain(|id| !unreachable.contains(id));
                self.gone.retain(|id| !gone.contains(id));
            }
            _ => {}
        }
    }
}

/// See the module's text.
#[derive(Default)]
pub struct Registry {
    /// What must be in it.
    confirmed: State,
    /// The same of agents alone.
    lists: Lists,
    /// Whose term began last, and whose registry was read last.
    leader: Option<Process>,
    writer: Option<Process>,
    /// What the writer has asked and was not told, in order.
    pending: VecDeque<(OperationId, Operation)>,
    /// Operations confirmed.
    pub count: u64,
}

impl Registry {
    /// A term begins; gives the term before.
    pub fn term_begins(&mut self, term: Process) -> Option<Process> {
        self.leader.replace(term)
    }

    /// A term asks its registrar.
    pub fn asked(&mut self, term: Process, input: &Input) {
        if let Input::Apply(id, operation) = input
            && self.writer == Some(term)
        {
            self.pending.push_back((*id, operation.clone()));
        }
    }

    /// It is answered.
    pub fn answered(&mut self, term: Process, output: &Output, found: &mut Vec<String>) {
        match output {
            Output::Recovered(state) => self.recovered(term, state, found),
            Output::Applied(id, result) => {
                if self.writer != Some(term) {
                    found.push(format!("{term:?} commits, and {:?} has read the registry since", self.writer));
                    return;
                }
                self.count += 1;
                match self.pending.pop_front() {
                    Some((asked, operation)) if asked == *id => {
                        let expected = operation.perform(&mut self.confirmed);
                        if expected != *result {
                            found.push(format!("{operation:?} should give {expected:?}, and gives {result:?}"));
                        }
                        self.lists.perform(&operation);
                        self.compare(&operation, found);
                    }
                    other => found.push(format!("{id:?} is answered, and what was asked first is {other:?}")),
                }
            }
            Output::Aborted(_) | Output::Log(_) => {}
        }
    }

    fn compare(&self, operation: &Operation, found: &mut Vec<String>) {
        let is = Lists::of(&self.confirmed);
        if is != self.lists {
            found.push(format!("{operation:?} makes {is:?} of the agents, and should make {:?}", self.lists));
        }
    }

    /// What a master reads is all that was confirmed, and perhaps a beginning of what the writer before was not told.
    fn recovered(&mut self, term: Process, state: &State, found: &mut Vec<String>) {
        let mut read = state.clone();
        read.master = None;
        let mut may = self.confirmed.clone();
        let mut pending = std::mem::take(&mut self.pending);
        while may != read {
            let Some((_, operation)) = pending.pop_front() else {
                let counts = |state: &State| (state.admitted.len(), state.unreachable.len(), state.gone.len());
                let (should, is) = (counts(&self.confirmed), counts(&read));
                found.push(format!(
                    "{term:?} reads a registry that is not what was confirmed: {is:?} admitted, unreachable and gone \
                     agents where there were {should:?}"
                ));
                break;
            };
            // A refused operation changes nothing.
            let _ = operation.perform(&mut may);
            self.lists.perform(&operation);
        }
        let is = Lists::of(&read);
        if may == read && is != self.lists {
            found.push(format!("{term:?} reads {is:?}, where {:?} was confirmed", self.lists));
        }
        self.lists = is;
        (self.confirmed, self.writer) = (read, Some(term));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tepui_proto::mesos::AgentID;

    const FIRST: Process = Process { host: 1, life: 1 };
    const SECOND: Process = Process { host: 3, life: 1 };

    fn admit(id: &str) -> Operation {
        let id = AgentID { value: id.to_owned(), ..AgentID::default() };
        Operation::AdmitAgent(Arc::new(AgentInfo { id: id.into(), ..AgentInfo::default() }))
    }

    fn with(agents: &[&str]) -> State {
        let mut state = State::default();
        for id in agents {
            admit(id).perform(&mut state).unwrap();
        }
        state
    }

    /// A first master that has admitted `a`, and has asked for `b` and `c` and was not told.
    fn registry() -> Registry {
        let (mut registry, mut found) = (Registry::default(), Vec::new());
        registry.answered(FIRST, &Output::Recovered(State::default()), &mut found);
        for (number, id) in ["a", "b", "c"].into_iter().enumerate() {
            registry.asked(FIRST, &Input::Apply(OperationId(number as u64), admit(id)));
        }
        registry.answered(FIRST, &Output::Applied(OperationId(0), Ok(true)), &mut found);
        assert!(found.is_empty(), "{found:?}");
        registry
    }

    fn objections(outputs: &[(Process, Output)]) -> usize {
        let (mut registry, mut found) = (registry(), Vec::new());
        outputs.iter().for_each(|(term, output)| registry.answered(*term, output, &mut found));
        found.len()
    }

    #[test]
    fn the_next_master_reads_what_was_confirmed_and_a_beginning_of_the_rest() {
        for (read, objected) in [
            (&["a"][..], 0),
            (&["a", "b"], 0),
            (&["a", "b", "c"], 0),
            (&["a", "c"], 1),
            (&["b"], 1),
            (&[], 1),
            (&["a", "b", "c", "d"], 1),
        ] {
            assert_eq!(objections(&[(SECOND, Output::Recovered(with(read)))]), objected, "{read:?}");
        }
    }

    #[test]
    fn nobody_commits_after_another_has_read_the_registry() {
        let late = (FIRST, Output::Applied(OperationId(1), Ok(true)));
        assert_eq!(objections(std::slice::from_ref(&late)), 0);
        assert_eq!(objections(&[(SECOND, Output::Recovered(with(&["a", "b"]))), late]), 1);
    }

    #[test]
    fn an_operation_gives_what_it_must_give_and_answers_keep_their_order() {
        assert_eq!(objections(&[(FIRST, Output::Applied(OperationId(1), Ok(false)))]), 1);
        assert_eq!(objections(&[(FIRST, Output::Applied(OperationId(2), Ok(true)))]), 1);
    }

    #[test]
    fn the_lists_are_reckoned_without_the_code_that_is_judged() {
        let info = |id: &str| match admit(id) {
            Operation::AdmitAgent(info) => info,
            _ => unreachable!(),
        };
        let operations = [
            admit("a"),
            admit("b"),
            admit("c"),
            Operation::MarkAgentUnreachable(info("a"), 1),
            Operation::MarkAgentUnreachable(info("b"), 1),
            Operation::MarkAgentReachable(info("a")),
            Operation::MarkAgentGone("c".into(), 1),
            Operation::MarkAgentGone("d".into(), 1),
            Operation::Prune { unreachable: vec!["b".into()], gone: vec![] },
            Operation::RemoveAgent(info("a")),
        ];
        let (mut lists, mut state) = (Lists::default(), State::default());
        for operation in &operations {
            let _ = operation.perform(&mut state);
            lists.perform(operation);
            assert_eq!(lists, Lists::of(&state), "{operation:?}");
        }
        let unwritten = Registry {
            confirmed: State::default(),
            lists: Lists { admitted: ["a".into()].into(), ..Lists::default() },
            ..Registry::default()
        };
        let mut found = Vec::new();
        unwritten.compare(&admit("a"), &mut found);
        assert_eq!(found.len(), 1);
    }
}
