//! The registry of a master, in a replicated log.

use crate::judge::{Diary, Subject};
use crate::replica::{Inside, Replica, SYNCS};
use crate::skip::Skip;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::MessageField;
use tepui_proto::mesos::{AgentID, AgentInfo, MasterInfo, WeightInfo};
use tepui_registry::{Input, Operation, OperationId, Output, Registrar, State, Timeouts};
use tepui_store::disk::Disk;

/// See the module's text.
pub struct Registry;

impl Inside for Registrar {
    fn build(log: tepui_log::Log) -> Registrar {
        Registrar::durable(log, 7, Timeouts::default())
    }

    fn input(input: tepui_log::Input) -> Input {
        Input::Log(input)
    }

    fn effect(output: Output) -> Result<tepui_log::Effect, Output> {
        match output {
            Output::Log(effect) => Ok(effect),
            output => Err(output),
        }
    }
}

fn agent(number: usize, hostname: &str) -> Arc<AgentInfo> {
    let id = MessageField::some(AgentID { value: format!("agent-{number}"), ..Default::default() });
    Arc::new(AgentInfo { hostname: hostname.to_owned(), id, ..Default::default() })
}

fn id(number: usize) -> AgentId {
    AgentId::from(format!("agent-{number}").as_str())
}

/// Batches of operations that are asked for at once; some are refused.
fn batches() -> Vec<Vec<Operation>> {
    let weight = |weight| WeightInfo { role: Some("role".to_owned()), weight, ..Default::default() };
    let mut batches: Vec<Vec<Operation>> = vec![
        vec![Operation::AdmitAgent(agent(0, "host"))],
        vec![Operation::AdmitAgent(agent(0, "host")), Operation::AdmitAgent(agent(1, "host"))],
        (2..6).map(|number| Operation::AdmitAgent(agent(number, "a-host-with-a-long-name.example"))).collect(),
        vec![Operation::MarkAgentUnreachable(agent(1, "host"), 5)],
        vec![Operation::UpdateWeights(vec![weight(2.5)]), Operation::MarkAgentGone(id(2), 6)],
        vec![Operation::MarkAgentReachable(agent(1, "host"))],
        vec![Operation::DrainAgent { id: id(3), max_grace_period: None, mark_gone: true }],
        vec![Operation::MarkAgentDrained(id(3)), Operation::RemoveAgent(agent(4, "host"))],
        vec![Operation::Prune { unreachable: Vec::new(), gone: vec![id(2)] }],
    ];
    let renamed = |round: usize| Operation::UpdateAgent(agent(5, &format!("host-{round}").repeat(20)));
    batches.extend((0..6).map(|round| vec![renamed(round)]));
    batches
}

fn recovered(registrar: &mut Replica<Registrar>) -> Result<State, String> {
    registrar.input(Input::Recover(Arc::new(MasterInfo { id: "master".to_owned(), ..Default::default() })));
    match registrar.told()? {
        Output::Recovered(mut state) => {
            state.master = None;
            Ok(state)
        }
        other => Err(format!("{other:?} instead of the registry")),
    }
}

impl Subject for Registry {
    type Content = State;
    type Running = Replica<Registrar>;

    const SYNCS: &'static [Skip] = SYNCS;

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<State>) {
        let mut registrar = Replica::<Registrar>::start(disk).unwrap();
        let mut content = recovered(&mut registrar).unwrap();
        let mut last = 0;
        for batch in batches() {
            let begun = diary.now();
            let inputs =
                batch.iter().zip(last..).map(|(operation, id)| Input::Apply(OperationId(id), operation.clone()));
            registrar.inputs(inputs);
            for operation in &batch {
                let expected = operation.perform(&mut content);
                assert_eq!(registrar.told(), Ok(Output::Applied(OperationId(last), expected)));
                last += 1;
                diary.acknowledged(begun, &content);
            }
        }
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(State, Self::Running), String> {
        let mut registrar = Replica::start(disk)?;
        Ok((recovered(&mut registrar)?, registrar))
    }
}
