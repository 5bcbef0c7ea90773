//! Calls about operations, which this master carries none out of: everything asked about is unknown.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, ReconcileOperationsMessage, ResourceOffersMessage,
};
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::Type;
use tepui_proto::mesos::scheduler::call::reconcile_operations;
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{AgentID, OperationID, OperationState, OperationStatus, ResourceProviderID};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Gone, Registrar, Standing, State, Unreachable};
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096";

fn asked(agent: Option<&str>) -> reconcile_operations::Operation {
    let agent_id = agent.map(|id| AgentID { value: id.to_owned(), ..Default::default() });
    reconcile_operations::Operation {
        operation_id: MessageField::some(OperationID { value: "op".to_owned(), ..Default::default() }),
        agent_id: agent_id.into(),
        ..Default::default()
    }
}

fn reconcile(operations: Vec<reconcile_operations::Operation>) -> Call {
    let reconcile = call::ReconcileOperations { operations, ..Default::default() };
    Call {
        r#type: Some(call::Type::RECONCILE_OPERATIONS),
        reconcile_operations: MessageField::some(reconcile),
        ..Default::default()
    }
}

fn acknowledge_operation(agent: &str) -> Call {
    let acknowledge = call::AcknowledgeOperationStatus {
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        operation_id: MessageField::some(OperationID { value: "op".to_owned(), ..Default::default() }),
        uuid: uuid_of(1),
        ..Default::default()
    };
    Call {
        r#type: Some(call::Type::ACKNOWLEDGE_OPERATION_STATUS),
        acknowledge_operation_status: MessageField::some(acknowledge),
        ..Default::default()
    }
}

impl World {
    fn statuses(&mut self, by: &Scheduler) -> Vec<OperationStatus> {
        let events = self.events(by, event::Type::UPDATE_OPERATION_STATUS);
        events.into_iter().map(|event| (*event.update_operation_status.status).clone()).collect()
    }
}

#[test]
fn an_unknown_operation_is_where_its_agent_is() {
    let mut registry = State::default();
    registry.admitted.insert("recovered".into(), std::sync::Arc::new(agent_info(1, AGENT, "recovered")).into());
    registry.unreachable.insert("unreachable".into(), Unreachable::new(&"unreachable".into(), 7, Standing::default()));
    registry.gone.insert("gone".into(), Gone::new(&"gone".into(), 7));
    let mut world = World::with(tepui_master::Config::new(master_pid(), "m"), Registrar::new(registry));
    let agent = world.register_agent(2, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let cases = [
        (Some("recovered"), OperationState::OPERATION_RECOVERING, "Agent is recovered but has not re-registered"),
        (Some(agent.as_str()), OperationState::OPERATION_UNKNOWN, "Operation is unknown"),
        (Some("unreachable"), OperationState::OPERATION_UNREACHABLE, "Agent is unreachable"),
        (Some("gone"), OperationState::OPERATION_GONE_BY_OPERATOR, "Agent marked gone by operator"),
        (Some("x"), OperationState::OPERATION_UNKNOWN, "Both operation and agent are unknown"),
        (None, OperationState::OPERATION_UNKNOWN, "Operation is unknown and no 'agent_id' was provided"),
    ];
    let call = reconcile(cases.iter().map(|(agent, _, _)| asked(*agent)).collect());
    let response = world.call(&scheduler, call);
    assert_eq!((response.status, text(&response).as_str()), (202, ""));
    let statuses = world.statuses(&scheduler);
    assert_eq!(statuses.len(), cases.len());
    for (status, (agent, state, message)) in statuses.iter().zip(cases) {
        assert_eq!((status.operation_id.value.as_str(), status.state), ("op", state));
        assert_eq!(status.message, Some(format!("Reconciliation: {message}")));
        assert_eq!(status.agent_id.as_option().map(|id| id.value.as_str()), agent);
        assert!(!status.uuid.is_set(), "nobody acknowledges an answer");
    }
    assert_eq!(world.call(&scheduler, reconcile(vec![])).status, 202);
    assert!(world.statuses(&scheduler).is_empty(), "none is known");
}

#[test]
fn an_agent_is_asked_about_providers_that_are_not_there() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let mut operation = asked(Some(&agent));
    operation.resource_provider_id =
        MessageField::some(ResourceProviderID { value: "rp".to_owned(), ..Default::default() });
    assert_eq!(world.call(&scheduler, reconcile(vec![operation])).status, 202);
    assert!(world.statuses(&scheduler).is_empty());
    let asked = world.received::<ReconcileOperationsMessage>(&agent_pid(1)).remove(0);
    assert_eq!(asked.framework_id.value, scheduler.id);
    assert_eq!(asked.operations[0].operation_id.value, "op");
    assert_eq!(asked.operations[0].resource_provider_id.value, "rp");
}

#[test]
fn an_acknowledgement_of_nothing_is_taken_and_dropped() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.sent.clear();
    assert_eq!(world.call(&scheduler, acknowledge_operation(&agent)).status, 202);
    assert!(world.sent.is_empty());
    let mut call = acknowledge_operation(&agent);
    call.acknowledge_operation_status.as_option_mut().unwrap().agent_id = MessageField::none();
    let response = world.call(&scheduler, call);
    assert_eq!(
        (response.status, text(&response).as_str()),
        (400, "Failed to validate scheduler::Call: Expecting 'agent_id' to be present")
    );
    let metrics = world.json("/metrics/snapshot");
    assert_eq!(metrics["master/messages_operation_status_update_acknowledgement"], 1.0);
    assert_eq!(metrics["master/invalid_operation_status_update_acknowledgements"], 2.0);
}

#[test]
fn a_driver_has_no_calls_about_operations() {
    let mut world = World::new();
    let subscribe = call::Subscribe { framework_info: MessageField::some(framework("f", &[])), ..Default::default() };
    let subscribe = MessageField::some(subscribe);
    world.send(&scheduler_pid(1), &Call { r#type: Some(call::Type::SUBSCRIBE), subscribe, ..Default::default() });
    let framework_id = world.received::<FrameworkRegisteredMessage>(&scheduler_pid(1)).remove(0).framework_id;
    for call in [reconcile(vec![asked(None)]), acknowledge_operation("x")] {
        world.send(&scheduler_pid(1), &Call { framework_id: framework_id.clone(), ..call });
    }
    assert!(world.received::<FrameworkErrorMessage>(&scheduler_pid(1)).is_empty());
    let metrics = world.json("/metrics/snapshot");
    assert_eq!(metrics["master/messages_reconcile_operations"], 0.0);
    let operation = Operation { r#type: Some(Type::RESERVE), id: asked(None).operation_id, ..Default::default() };
    let reserve = |world: &mut World, offer: &str| {
        let call = accept_ids(&[offer], vec![operation.clone()]);
        world.send(&scheduler_pid(1), &Call { framework_id: framework_id.clone(), ..call });
    };
    reserve(&mut world, "O");
    assert!(world.received::<FrameworkErrorMessage>(&scheduler_pid(1)).is_empty(), "no such offer");
    world.register_agent(1, AGENT);
    world.advance(Duration::from_secs(1));
    let offer = world.received::<ResourceOffersMessage>(&scheduler_pid(1)).remove(0).offers.remove(0);
    reserve(&mut world, &offer.id.value);
    let error = |world: &mut World| world.received::<FrameworkErrorMessage>(&scheduler_pid(1)).remove(0).message;
    let text = error(&mut world);
    let expected = "The 'id' field was set in an offer operation, but operation feedback is not supported for the \
                    SchedulerDriver API; please use the HTTP scheduler API for this feature";
    assert_eq!(text, expected);
    let metrics = world.json("/metrics/snapshot");
    let counts = ["", "reserve/", "create/"].map(|kind| metrics[format!("master/operations/{kind}error")].clone());
    assert_eq!(counts, [2.0, 2.0, 0.0], "a refused operation counts");
    assert_eq!(metrics["master/operations/total"], 2.0);
    world.input(NetInput::Exited(scheduler_pid(1)));
    assert_eq!(error(&mut world), "Framework disconnected");
    world.advance(Duration::from_secs(1));
    assert!(world.master.snapshot().frameworks.is_empty());
}
