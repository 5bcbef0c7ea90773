//! What the agents and frameworks of these tests say.

use std::net::SocketAddr;
use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::{Capability as AgentCapability, capability::Type as AgentCapabilityType};
use tepui_proto::mesos::framework_info::{Capability, capability::Type as CapabilityType};
use tepui_proto::mesos::internal::{RegisterAgentMessage, ReregisterAgentMessage, StatusUpdate};
use tepui_proto::mesos::offer::{Operation, operation};
use tepui_proto::mesos::scheduler::{Call, call};
use tepui_proto::mesos::{
    AgentID, AgentInfo, CommandInfo, ExecutorID, ExecutorInfo, Filters, FrameworkID, FrameworkInfo, Offer, OfferID,
    Resource, Task, TaskGroupInfo, TaskID, TaskInfo, TaskState, TaskStatus, executor_info,
};
use tepui_resources::Resources;
use tepui_wire::Request;

pub fn request(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        body: body.to_vec().into(),
        peer: SocketAddr::from(([10, 0, 3, 1], 50000)),
        principal: None,
        nonce: 0x1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0 + body.len() as u128,
    }
}

pub fn field_id(id: &str) -> MessageField<FrameworkID> {
    MessageField::some(FrameworkID { value: id.to_owned(), ..Default::default() })
}

pub fn framework(name: &str, capabilities: &[CapabilityType]) -> FrameworkInfo {
    let capability = |kind: &CapabilityType| Capability { r#type: Some(*kind), ..Default::default() };
    FrameworkInfo {
        user: "user".to_owned(),
        name: name.to_owned(),
        capabilities: capabilities.iter().map(capability).collect(),
        ..Default::default()
    }
}

fn agent_capabilities() -> Vec<AgentCapability> {
    use AgentCapabilityType as T;
    let all = [
        T::MULTI_ROLE,
        T::HIERARCHICAL_ROLE,
        T::RESERVATION_REFINEMENT,
        T::RESOURCE_PROVIDER,
        T::RESIZE_VOLUME,
        T::AGENT_OPERATION_FEEDBACK,
        T::AGENT_DRAINING,
        T::TASK_RESOURCE_LIMITS,
    ];
    all.map(|kind| AgentCapability { r#type: Some(kind), ..Default::default() }).to_vec()
}

pub fn agent_info(number: u8, resources: &str, id: &str) -> AgentInfo {
    let parsed = Resources::parse(resources, "*").unwrap();
    AgentInfo {
        hostname: format!("agent{number}.local"),
        port: Some(5051),
        resources: parsed.to_downgraded().unwrap(),
        checkpoint: Some(true),
        id: if id.is_empty() {
            MessageField::none()
        } else {
            MessageField::some(AgentID { value: id.to_owned(), ..Default::default() })
        },
        ..Default::default()
    }
}

pub fn register_message(number: u8, resources: &str) -> RegisterAgentMessage {
    RegisterAgentMessage {
        agent: MessageField::some(agent_info(number, resources, "")),
        version: Some("1.11.0".to_owned()),
        agent_capabilities: agent_capabilities(),
        resource_version_uuid: MessageField::some(tepui_proto::mesos::UUID {
            value: vec![9; 16],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An agent comes back with frameworks and tasks.
pub fn reregister_message(
    number: u8,
    resources: &str,
    id: &str,
    frameworks: Vec<FrameworkInfo>,
    tasks: Vec<Task>,
) -> ReregisterAgentMessage {
    ReregisterAgentMessage {
        agent: MessageField::some(agent_info(number, resources, id)),
        frameworks,
        tasks,
        version: Some("1.11.0".to_owned()),
        agent_capabilities: agent_capabilities(),
        ..Default::default()
    }
}

pub fn task(id: &str, agent: &str, resources: &str) -> TaskInfo {
    TaskInfo {
        name: format!("name of {id}"),
        task_id: MessageField::some(TaskID { value: id.to_owned(), ..Default::default() }),
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        resources: Resources::parse(resources, "*").unwrap().to_proto(),
        command: MessageField::some(CommandInfo { value: Some("true".to_owned()), ..Default::default() }),
        ..Default::default()
    }
}

pub fn launch_operation(tasks: Vec<TaskInfo>) -> Operation {
    Operation {
        r#type: Some(operation::Type::LAUNCH),
        launch: MessageField::some(operation::Launch { task_infos: tasks, ..Default::default() }),
        ..Default::default()
    }
}

/// An executor of the agent's own kind, as groups need one.
pub fn default_executor(framework: &str, resources: Vec<Resource>) -> ExecutorInfo {
    ExecutorInfo {
        r#type: Some(executor_info::Type::DEFAULT),
        executor_id: MessageField::some(ExecutorID { value: "e".to_owned(), ..Default::default() }),
        framework_id: field_id(framework),
        resources,
        ..Default::default()
    }
}

pub fn group_operation(executor: ExecutorInfo, tasks: Vec<TaskInfo>) -> Operation {
    let group = operation::LaunchGroup {
        executor: MessageField::some(executor),
        task_group: MessageField::some(TaskGroupInfo { tasks, ..Default::default() }),
        ..Default::default()
    };
    Operation {
        r#type: Some(operation::Type::LAUNCH_GROUP),
        launch_group: MessageField::some(group),
        ..Default::default()
    }
}

pub fn offer_ids(ids: &[&str]) -> Vec<OfferID> {
    ids.iter().map(|id| OfferID { value: (*id).to_owned(), ..Default::default() }).collect()
}

/// ACCEPT with no filter for what is left.
pub fn accept(offers: &[&Offer], operations: Vec<Operation>) -> Call {
    let ids: Vec<&str> = offers.iter().map(|offer| offer.id.value.as_str()).collect();
    accept_ids(&ids, operations)
}

pub fn accept_ids(ids: &[&str], operations: Vec<Operation>) -> Call {
    let accept = call::Accept {
        offer_ids: offer_ids(ids),
        operations,
        filters: MessageField::some(Filters { refuse_seconds: Some(0.0), ..Default::default() }),
        ..Default::default()
    };
    Call { r#type: Some(call::Type::ACCEPT), accept: MessageField::some(accept), ..Default::default() }
}

pub fn acknowledge(agent: &str, task: &str, uuid: u8) -> Call {
    let acknowledge = call::Acknowledge {
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        task_id: MessageField::some(TaskID { value: task.to_owned(), ..Default::default() }),
        uuid: uuid_of(uuid),
        ..Default::default()
    };
    Call { r#type: Some(call::Type::ACKNOWLEDGE), acknowledge: MessageField::some(acknowledge), ..Default::default() }
}

pub fn uuid_of(number: u8) -> Vec<u8> {
    tepui_base::rng::uuid_v4(u128::from(number)).to_vec()
}

pub fn status_update(agent: &str, framework: &str, task: &str, state: TaskState, uuid: u8) -> StatusUpdate {
    let agent_id = MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() });
    let status = TaskStatus {
        task_id: MessageField::some(TaskID { value: task.to_owned(), ..Default::default() }),
        agent_id: agent_id.clone(),
        state,
        timestamp: Some(1.0),
        uuid: Some(uuid_of(uuid)),
        ..Default::default()
    };
    StatusUpdate {
        framework_id: field_id(framework),
        agent_id,
        status: MessageField::some(status),
        timestamp: 1.0,
        uuid: Some(uuid_of(uuid)),
        latest_state: Some(state),
        ..Default::default()
    }
}
