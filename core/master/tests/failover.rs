//! A master dies and another takes its place: what the new one knows, what it shows, what it learns, and what is told.

mod harness;

use harness::*;
use serde_json::json;
use std::time::Duration;
use tepui_base::{FrameworkId, TaskId};
use tepui_master::metrics::Counter;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentReregisteredMessage, FrameworkRegisteredMessage, FrameworkReregisteredMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UpdateFrameworkMessage,
};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{FrameworkInfo, Task, TaskID, TaskState};
use tepui_proto::{ContentType, MessageField};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";
const MINUTE: Duration = Duration::from_secs(60);

fn checkpointing(capabilities: &[Capability]) -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), failover_timeout: Some(3600.0), ..framework("f", capabilities) }
}

/// A cluster with a running task `t`, whose master has just failed over: agent and framework have not come back.
struct FailedOver {
    world: World,
    agent: String,
    info: FrameworkInfo,
}

impl FailedOver {
    fn new(capabilities: &[Capability]) -> FailedOver {
        let mut world = World::new();
        let agent = world.register_agent(1, AGENT);
        let scheduler = world.subscribe(checkpointing(capabilities), ContentType::Json);
        world.advance(Duration::from_secs(1));
        let offer = world.offers(&scheduler).remove(0);
        world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
        world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
        world.fail_over();
        let info = FrameworkInfo { id: field_id(&scheduler.id), ..checkpointing(capabilities) };
        FailedOver { world, agent, info }
    }

    fn framework(&self) -> &str {
        &self.info.id.value
    }

    /// The task as the agent has it; `unacknowledged` is the newest update that was not.
    fn task(&self, state: TaskState, unacknowledged: Option<(TaskState, u8)>) -> Task {
        Task {
            name: "name of t".to_owned(),
            task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
            framework_id: self.info.id.clone(),
            agent_id: MessageField::some(tepui_proto::mesos::AgentID {
                value: self.agent.clone(),
                ..Default::default()
            }),
            state,
            resources: task("t", &self.agent, "cpus:1;mem:32").resources,
            status_update_state: unacknowledged.map(|(state, _)| state),
            status_update_uuid: unacknowledged.map(|(_, uuid)| uuid_of(uuid)),
            ..Default::default()
        }
    }

    fn agent_returns(&mut self, state: TaskState, unacknowledged: Option<(TaskState, u8)>) {
        let tasks = vec![self.task(state, unacknowledged)];
        let message = reregister_message(1, AGENT, &self.agent, vec![self.info.clone()], tasks);
        self.world.send(&agent_pid(1), &message);
        assert_eq!(self.world.received::<AgentReregisteredMessage>(&agent_pid(1)).len(), 1);
    }

    fn framework_returns(&mut self) -> Scheduler {
        self.world.subscribe(self.info.clone(), ContentType::Json)
    }

    fn reconcile(&mut self, by: &Scheduler, with_agent: bool) -> Vec<(TaskState, String)> {
        let agent_id =
            if with_agent { self.task(TaskState::TASK_RUNNING, None).agent_id } else { MessageField::none() };
        let task_id = self.task(TaskState::TASK_RUNNING, None).task_id;
        let tasks = vec![call::reconcile::Task { task_id, agent_id, ..Default::default() }];
        let reconcile = MessageField::some(call::Reconcile { tasks, ..Default::default() });
        self.world.call(by, Call { r#type: Some(call::Type::RECONCILE), reconcile, ..Default::default() });
        let updates = self.world.updates(by).into_iter();
        updates.map(|update| (update.state, update.message.unwrap_or_default())).collect()
    }
}

#[test]
fn a_new_master_has_a_new_id_and_the_agents_of_the_registry() {
    let mut over = FailedOver::new(&[]);
    let agent = over.agent.clone();
    let world = &mut over.world;
    let id = world.master.snapshot().info.id.clone();
    assert!(!agent.starts_with(&id), "the agent was named by the master before");
    for path in ["/state", "/slaves"] {
        let shown = world.json(path);
        assert_eq!(shown["slaves"], json!([]), "{path}");
        let recovered = &shown["recovered_slaves"];
        assert_eq!((&recovered[0]["id"], recovered.as_array().unwrap().len()), (&json!(agent), 1), "{path}");
        assert_eq!(recovered[0]["hostname"], "agent1.local");
        for absent in ["pid", "registered_time", "used_resources", "active"] {
            assert!(recovered[0].get(absent).is_none(), "{path}: {absent} is not known");
        }
    }
    assert_eq!(world.json("/slaves?slave_id=other")["recovered_slaves"], json!([]));
    let agents: serde_json::Value =
        serde_json::from_str(&text(&world.post_json("/api/v1", r#"{"type":"GET_AGENTS"}"#))).unwrap();
    assert_eq!(agents["get_agents"]["recovered_agents"][0]["id"]["value"], json!(agent));
    assert_eq!(agents["get_agents"]["agents"], json!([]));
    assert_eq!(world.json("/metrics/snapshot")["master/slaves_unreachable"], json!(0.0));
    let next = world.register_agent(2, AGENT);
    assert_eq!(next, format!("{id}-S0"), "agents that are new are named by this master");
}

#[test]
fn a_framework_known_from_its_agents_only_is_shown_as_recovered() {
    let mut over = FailedOver::new(&[]);
    over.agent_returns(TaskState::TASK_RUNNING, None);
    let id = over.framework().to_owned();
    for path in ["/state", "/frameworks"] {
        let shown = &over.world.json(path)["frameworks"][0];
        assert_eq!(shown["id"], json!(id), "{path}");
        let connection = ["active", "connected", "recovered"].map(|name| shown[name].as_bool().unwrap());
        assert_eq!(connection, [false, false, true], "{path}");
        assert_eq!(shown["registered_time"], json!(0.0), "when it subscribed is not known");
        assert!(shown.get("reregistered_time").is_none() && shown.get("pid").is_none(), "{path}");
        assert_eq!(shown["tasks"][0]["state"], "TASK_RUNNING", "{path}");
    }
    let frameworks = over.world.post_json("/api/v1", r#"{"type":"GET_FRAMEWORKS"}"#);
    let frameworks: serde_json::Value = serde_json::from_str(&text(&frameworks)).unwrap();
    let shown = &frameworks["get_frameworks"]["frameworks"][0];
    assert_eq!(
        (&shown["recovered"], &shown["connected"], &shown["active"]),
        (&json!(true), &json!(false), &json!(false))
    );
    for absent in ["registered_time", "reregistered_time", "unregistered_time"] {
        assert!(shown.get(absent).is_none(), "{absent} is not known");
    }
    assert_eq!(over.world.json("/slaves")["recovered_slaves"], json!([]), "the agent is back");
    over.world.advance(Duration::from_secs(2));
    assert!(over.world.master.snapshot().offers.is_empty(), "nobody is there to take an offer");
    over.world.audit();
}

#[test]
fn tasks_run_on_whoever_comes_back_first() {
    for agent_first in [true, false] {
        let mut over = FailedOver::new(&[]);
        let scheduler = if agent_first {
            over.agent_returns(TaskState::TASK_RUNNING, None);
            over.framework_returns()
        } else {
            let scheduler = over.framework_returns();
            over.agent_returns(TaskState::TASK_RUNNING, None);
            scheduler
        };
        assert_eq!(scheduler.id, over.framework());
        assert!(over.world.updates(&scheduler).is_empty(), "nothing has changed, so nothing is told");
        let told = over.world.received::<UpdateFrameworkMessage>(&agent_pid(1));
        assert_eq!(told.len(), 1, "the agent hears where the framework is (agent first: {agent_first})");
        let snapshot = over.world.master.snapshot();
        let framework = &snapshot.frameworks[&FrameworkId::from(over.framework())];
        assert!(framework.is_connected() && framework.registered.0 > 0);
        assert_eq!(framework.tasks[&TaskId::from("t")].state, TaskState::TASK_RUNNING);
        assert_eq!(
            snapshot.agents.values().next().unwrap().used_total().to_string(),
            "cpus(allocated: *):1; mem(allocated: *):32"
        );
        over.world.advance(Duration::from_secs(1));
        assert_eq!(over.world.master.snapshot().offers.len(), 1, "what is left is offered");
        over.world.audit();
    }
}

#[test]
fn a_driver_that_comes_back_is_told_what_1_11_tells_it() {
    let mut over = FailedOver::new(&[]);
    over.agent_returns(TaskState::TASK_RUNNING, None);
    let reregister = call::Subscribe { framework_info: MessageField::some(over.info.clone()), ..Default::default() };
    let call = Call {
        r#type: Some(call::Type::SUBSCRIBE),
        framework_id: over.info.id.clone(),
        subscribe: MessageField::some(reregister),
        ..Default::default()
    };
    let pid = scheduler_pid(1);
    over.world.send(&pid, &call);
    assert_eq!(over.world.received::<FrameworkRegisteredMessage>(&pid).len(), 1, "as if it were new: MESOS-786");
    over.world.send(&pid, &call);
    assert_eq!(over.world.received::<FrameworkReregisteredMessage>(&pid).len(), 1, "it did not get the first answer");
}

#[test]
fn another_instance_takes_a_framework_over_from_a_new_master_as_from_the_old_one() {
    let mut over = FailedOver::new(&[]);
    over.agent_returns(TaskState::TASK_RUNNING, None);
    let (first, second) = (over.framework_returns(), over.framework_returns());
    let error = over.world.events(&first, event::Type::ERROR).remove(0).error.message.clone();
    assert_eq!((error.as_str(), first.id == second.id), ("Framework failed over", true));
    assert!(over.world.closed.contains(&first.stream) && !over.world.closed.contains(&second.stream));
    over.world.update(1, &second.id, "t", TaskState::TASK_FAILED, 3);
    assert_eq!(over.world.updates(&second)[0].state, TaskState::TASK_FAILED);
    over.world.audit();
}

#[test]
fn an_update_that_was_not_acknowledged_is_sent_again_and_its_acknowledgement_counts() {
    let mut over = FailedOver::new(&[]);
    over.agent_returns(TaskState::TASK_FINISHED, Some((TaskState::TASK_RUNNING, 1)));
    let scheduler = over.framework_returns();
    let (id, agent) = (scheduler.id.clone(), over.agent.clone());
    let update = status_update(&agent, &id, "t", TaskState::TASK_RUNNING, 1);
    let update = tepui_proto::mesos::internal::StatusUpdate { latest_state: Some(TaskState::TASK_FINISHED), ..update };
    let pid = Some(agent_pid(1).to_string());
    over.world
        .send(&agent_pid(1), &StatusUpdateMessage { update: MessageField::some(update), pid, ..Default::default() });
    assert_eq!(over.world.updates(&scheduler)[0].uuid, Some(uuid_of(1)));
    over.world.call(&scheduler, acknowledge(&agent, "t", 1));
    over.world.update(1, &id, "t", TaskState::TASK_FINISHED, 2);
    over.world.call(&scheduler, acknowledge(&agent, "t", 2));
    let passed_on = over.world.received::<StatusUpdateAcknowledgementMessage>(&agent_pid(1));
    assert_eq!(passed_on.iter().map(|one| one.uuid.clone()).collect::<Vec<_>>(), [uuid_of(1), uuid_of(2)]);
    let snapshot = over.world.master.snapshot();
    let framework = &snapshot.frameworks[&FrameworkId::from(id.as_str())];
    assert!(framework.tasks.is_empty() && framework.completed.len() == 1, "it is over, and acknowledged");
    over.world.audit();
}

#[test]
fn an_acknowledgement_that_crosses_the_failover_reaches_the_agent_it_was_for() {
    let mut over = FailedOver::new(&[]);
    over.agent_returns(TaskState::TASK_RUNNING, Some((TaskState::TASK_RUNNING, 1)));
    let scheduler = over.framework_returns();
    let agent = over.agent.clone();
    over.world.call(&scheduler, acknowledge(&agent, "t", 1));
    let passed_on = over.world.received::<StatusUpdateAcknowledgementMessage>(&agent_pid(1));
    assert_eq!(passed_on.len(), 1, "the update was sent through the master before, and need not be sent again");
}

#[test]
fn an_acknowledgement_for_an_agent_that_is_not_back_is_dropped() {
    let mut over = FailedOver::new(&[]);
    let scheduler = over.framework_returns();
    let agent = over.agent.clone();
    over.world.call(&scheduler, acknowledge(&agent, "t", 1));
    assert!(over.world.received::<StatusUpdateAcknowledgementMessage>(&agent_pid(1)).is_empty());
    assert_eq!(over.world.master.snapshot().metrics.get(Counter::InvalidStatusUpdateAcknowledgements), 1);
}

#[test]
fn reconciliation_says_nothing_until_it_can_say_the_truth() {
    for aware in [true, false] {
        let capabilities: &[Capability] = if aware { &[Capability::PARTITION_AWARE] } else { &[] };
        let mut over = FailedOver::new(capabilities);
        let scheduler = over.framework_returns();
        assert!(over.reconcile(&scheduler, true).is_empty() && over.reconcile(&scheduler, false).is_empty());
        over.world.advance(10 * MINUTE);
        let unreachable = if aware { TaskState::TASK_UNREACHABLE } else { TaskState::TASK_LOST };
        assert_eq!(
            over.reconcile(&scheduler, true),
            [(unreachable, "Reconciliation: Task is unreachable".to_owned())],
            "the agent has had its ten minutes"
        );
        over.agent_returns(TaskState::TASK_RUNNING, None);
        let told = over.world.updates(&scheduler);
        assert_eq!(told[0].state, TaskState::TASK_RUNNING, "it was told that it is unreachable or lost");
        assert_eq!(told[0].message.as_deref(), Some("Unreachable agent re-reregistered"));
        for with_agent in [true, false] {
            let latest = (TaskState::TASK_RUNNING, "Reconciliation: Latest task state".to_owned());
            assert_eq!(over.reconcile(&scheduler, with_agent), [latest], "aware: {aware}");
        }
        over.world.audit();
    }
}

#[test]
fn an_agent_has_ten_minutes_from_each_failover() {
    let mut over = FailedOver::new(&[]);
    over.world.advance(9 * MINUTE);
    over.world.fail_over();
    over.world.advance(9 * MINUTE);
    assert_eq!(over.world.master.snapshot().recovered_agents.len(), 1);
    over.world.advance(MINUTE);
    let snapshot = over.world.master.snapshot();
    assert_eq!((snapshot.recovered_agents.len(), snapshot.unreachable.len()), (0, 1));
    assert_eq!(snapshot.metrics.get(Counter::RecoveryAgentRemovals), 1);
    over.world.fail_over();
    let snapshot = over.world.master.snapshot();
    assert_eq!((snapshot.recovered_agents.len(), snapshot.unreachable.len()), (0, 1), "the registry knows it");
    over.agent_returns(TaskState::TASK_RUNNING, None);
    over.world.fail_over();
    let snapshot = over.world.master.snapshot();
    assert_eq!((snapshot.recovered_agents.len(), snapshot.unreachable.len()), (1, 0), "and knows that it is back");
}

#[test]
fn nothing_is_done_before_the_registry_is_known() {
    let mut over = FailedOver::new(&[]);
    over.world.hold_registry = true;
    over.world.fail_over();
    let message = reregister_message(1, AGENT, &over.agent, vec![over.info.clone()], vec![]);
    over.world.send(&agent_pid(1), &message);
    assert!(over.world.sent.is_empty(), "messages are dropped; agents try again");
    let legacy = ["/teardown", "/maintenance/schedule", "/machine/down", "/machine/up"];
    for path in ["/api/v1", "/api/v1/scheduler"].into_iter().chain(legacy) {
        let response = over.world.post_json(path, r#"{"type":"GET_HEALTH"}"#);
        assert_eq!((response.status, text(&response).as_str()), (503, "Master has not finished recovery"), "{path}");
    }
    assert_eq!(over.world.json("/state")["slaves"], json!([]), "what it has is shown");
    assert_eq!(over.world.json("/metrics/snapshot")["master/elected"], json!(1.0));
    over.world.hold_registry = false;
    over.world.release_registry();
    over.agent_returns(TaskState::TASK_RUNNING, None);
}
