//! `POST /slave(1)/api/v1`: the calls of the operator API that only read.
//!
//! Protobuf answers are the plain messages. In JSON the lists of tasks, executors and frameworks are shown even when
//! empty, unlike all other fields; that is how Mesos prints them.

use super::{Snapshot, Viewer, agent_info, containers, metrics};
use crate::state::{Executor, Framework, task};
use std::sync::Arc;
use std::time::Duration;
use tepui_api::{FilesError, Host, accepted_or, content_type, post_only};
use tepui_authz::Action;
use tepui_proto::json::{self, Names, Writer};
use tepui_proto::mesos::agent::response::{
    self, GetAgent, GetContainers, GetExecutors, GetFlags, GetFrameworks, GetHealth, GetLoggingLevel, GetMetrics,
    GetState, GetTasks, GetVersion, ListFiles, ReadFile,
};
use tepui_proto::mesos::agent::{Call, Response as Answer, call};
use tepui_proto::mesos::{Flag, Task, TaskState};
use tepui_proto::{ContentType, Message, MessageField, MessageName, ToProto, codec};
use tepui_wire::{Request, Response};

const UNSUPPORTED: &str =
    "Expecting 'Content-Type' of application/json or application/x-protobuf or application/recordio";
const NOT_ACCEPTABLE: &str =
    "Expecting 'Accept' to allow application/json or application/x-protobuf or application/recordio";

/// Answers a call.
pub fn respond(snapshot: &Snapshot, host: &dyn Host, request: &Request, viewer: Viewer<'_>) -> Response {
    match answer(snapshot, host, request, viewer) {
        Ok((form, Some(answer))) => Response::with_type(200, form.as_str(), encode(form, &answer)),
        Ok((_, None)) => Response::empty(200),
        Err(response) => response,
    }
}

/// Nothing to say is an answer, too.
fn answer(
    snapshot: &Snapshot,
    host: &dyn Host,
    request: &Request,
    viewer: Viewer<'_>,
) -> Result<(ContentType, Option<Answer>), Response> {
    post_only(request)?;
    if request.header("content-type") == Some("application/recordio")
        && request.header("message-content-type").is_none()
    {
        return Err(Response::text(400, "Expecting 'Message-Content-Type' to be set for streaming requests"));
    }
    let form = content_type(request, UNSUPPORTED)?;
    if request.header("message-content-type").is_some() {
        let text = "Expecting 'Message-Content-Type' to be not set for non-streaming requests";
        return Err(Response::text(415, text));
    }
    let accept = accepted_or(request, NOT_ACCEPTABLE)?;
    if request.header("message-accept").is_some() {
        return Err(Response::text(406, "Expecting 'Message-Accept' to be not set for non-streaming responses"));
    }
    let call = read(form, &request.body).map_err(|text| Response::text(400, text))?;
    let kind = validate(&call).map_err(|part| {
        Response::text(400, format!("Failed to validate agent::Call: Expecting '{part}' to be present"))
    })?;
    if kind == call::Type::GET_FLAGS && !viewer.sees(Action::ViewFlags, "") {
        return Err(Response::text(403, "403 Forbidden."));
    }
    if let Some(answer) = of_host(snapshot, host, &call, viewer) {
        return answer.map(|answer| (accept, answer)).map_err(|error| error.response());
    }
    match of_call(snapshot, kind, viewer) {
        Some(answer) => Ok((accept, Some(answer))),
        None if kind == call::Type::UNKNOWN => Err(Response::status(501)),
        None => Err(Response::text(501, format!("{kind:?} calls are not implemented by this agent"))),
    }
}

/// Every call but the plain reads has a part of its own, named as its type is.
fn validate(call: &Call) -> Result<call::Type, &'static str> {
    let kind = call.r#type.ok_or("type")?;
    let expected = match kind {
        call::Type::GET_METRICS => ("get_metrics", call.get_metrics.is_set()),
        call::Type::SET_LOGGING_LEVEL => ("set_logging_level", call.set_logging_level.is_set()),
        call::Type::LIST_FILES => ("list_files", call.list_files.is_set()),
        call::Type::READ_FILE => ("read_file", call.read_file.is_set()),
        call::Type::LAUNCH_NESTED_CONTAINER => ("launch_nested_container", call.launch_nested_container.is_set()),
        call::Type::WAIT_NESTED_CONTAINER => ("wait_nested_container", call.wait_nested_container.is_set()),
        call::Type::KILL_NESTED_CONTAINER => ("kill_nested_container", call.kill_nested_container.is_set()),
        call::Type::REMOVE_NESTED_CONTAINER => ("remove_nested_container", call.remove_nested_container.is_set()),
        call::Type::LAUNCH_NESTED_CONTAINER_SESSION => {
            ("launch_nested_container_session", call.launch_nested_container_session.is_set())
        }
        call::Type::ATTACH_CONTAINER_INPUT => ("attach_container_input", call.attach_container_input.is_set()),
        call::Type::ATTACH_CONTAINER_OUTPUT => ("attach_container_output", call.attach_container_output.is_set()),
        call::Type::LAUNCH_CONTAINER => ("launch_container", call.launch_container.is_set()),
        call::Type::WAIT_CONTAINER => ("wait_container", call.wait_container.is_set()),
        call::Type::KILL_CONTAINER => ("kill_container", call.kill_container.is_set()),
        call::Type::REMOVE_CONTAINER => ("remove_container", call.remove_container.is_set()),
        call::Type::ADD_RESOURCE_PROVIDER_CONFIG => {
            ("add_resource_provider_config", call.add_resource_provider_config.is_set())
        }
        call::Type::UPDATE_RESOURCE_PROVIDER_CONFIG => {
            ("update_resource_provider_config", call.update_resource_provider_config.is_set())
        }
        call::Type::REMOVE_RESOURCE_PROVIDER_CONFIG => {
            ("remove_resource_provider_config", call.remove_resource_provider_config.is_set())
        }
        call::Type::MARK_RESOURCE_PROVIDER_GONE => {
            ("mark_resource_provider_gone", call.mark_resource_provider_gone.is_set())
        }
        _ => return Ok(kind),
    };
    if expected.1 { Ok(kind) } else { Err(expected.0) }
}

/// What the process around the agent answers, or helps to answer; nothing if the call is not for it.
fn of_host(
    snapshot: &Snapshot,
    host: &dyn Host,
    call: &Call,
    viewer: Viewer<'_>,
) -> Option<Result<Option<Answer>, FilesError>> {
    use response::Type;
    let of = |kind| Answer { r#type: Some(kind), ..Answer::default() };
    let answer = match call.r#type? {
        call::Type::GET_METRICS => {
            let mut values = metrics::values(snapshot);
            values.extend(host.metrics());
            let part = GetMetrics { metrics: tepui_api::metrics::to_proto(values), ..Default::default() };
            Ok(Answer { get_metrics: set(part), ..of(Type::GET_METRICS) })
        }
        call::Type::GET_CONTAINERS => {
            Ok(Answer { get_containers: get_containers(snapshot, host, viewer), ..of(Type::GET_CONTAINERS) })
        }
        call::Type::GET_LOGGING_LEVEL => {
            let part = GetLoggingLevel { level: host.logging_level(), ..Default::default() };
            Ok(Answer { get_logging_level: set(part), ..of(Type::GET_LOGGING_LEVEL) })
        }
        call::Type::SET_LOGGING_LEVEL => {
            let nanoseconds = u64::try_from(call.set_logging_level.duration.nanoseconds).unwrap_or(0);
            host.set_logging_level(call.set_logging_level.level, Duration::from_nanos(nanoseconds));
            return Some(Ok(None));
        }
        call::Type::LIST_FILES => host.list_files(&call.list_files.path).map(|file_infos| Answer {
            list_files: set(ListFiles { file_infos, ..Default::default() }),
            ..of(Type::LIST_FILES)
        }),
        call::Type::READ_FILE => {
            let asked = &call.read_file;
            host.read_file(&asked.path, asked.offset, asked.length).map(|(size, data)| Answer {
                read_file: set(ReadFile { size, data, ..Default::default() }),
                ..of(Type::READ_FILE)
            })
        }
        _ => return None,
    };
    Some(answer.map(Some))
}

fn read(form: ContentType, body: &[u8]) -> Result<Call, String> {
    match form {
        // A call that lacks a required field does not parse either.
        ContentType::Protobuf => {
            codec::decode(body).map_err(|_| "Failed to parse body into a protobuf object".to_owned())
        }
        ContentType::Json => {
            let value = json::parse(body).map_err(|error| format!("Failed to parse body into JSON: {error}"))?;
            json::from_value(&value, Names::V1).map_err(|error| error.to_string())
        }
    }
}

fn of_call(snapshot: &Snapshot, kind: call::Type, viewer: Viewer<'_>) -> Option<Answer> {
    let none = Answer::default();
    Some(match kind {
        call::Type::GET_HEALTH => {
            let health = GetHealth { healthy: true, ..GetHealth::default() };
            Answer { r#type: Some(response::Type::GET_HEALTH), get_health: set(health), ..none }
        }
        call::Type::GET_FLAGS => {
            Answer { r#type: Some(response::Type::GET_FLAGS), get_flags: set(flags(snapshot)), ..none }
        }
        call::Type::GET_VERSION => {
            let version_info = set(snapshot.config.version.clone());
            let version = GetVersion { version_info, ..GetVersion::default() };
            Answer { r#type: Some(response::Type::GET_VERSION), get_version: set(version), ..none }
        }
        // Neither operations nor resource providers can be there yet.
        call::Type::GET_OPERATIONS => {
            Answer { r#type: Some(response::Type::GET_OPERATIONS), get_operations: set(Default::default()), ..none }
        }
        call::Type::GET_RESOURCE_PROVIDERS => Answer {
            r#type: Some(response::Type::GET_RESOURCE_PROVIDERS),
            get_resource_providers: set(Default::default()),
            ..none
        },
        call::Type::GET_AGENT => {
            let agent_info = set(agent_info(&snapshot.config, &snapshot.state));
            let agent = GetAgent { agent_info, ..GetAgent::default() };
            Answer { r#type: Some(response::Type::GET_AGENT), get_agent: set(agent), ..none }
        }
        call::Type::GET_STATE => {
            let state = GetState {
                get_tasks: set(tasks(snapshot, viewer)),
                get_executors: set(executors(snapshot, viewer)),
                get_frameworks: set(frameworks(snapshot, viewer)),
                ..GetState::default()
            };
            Answer { r#type: Some(response::Type::GET_STATE), get_state: set(state), ..none }
        }
        call::Type::GET_TASKS => {
            Answer { r#type: Some(response::Type::GET_TASKS), get_tasks: set(tasks(snapshot, viewer)), ..none }
        }
        call::Type::GET_EXECUTORS => Answer {
            r#type: Some(response::Type::GET_EXECUTORS),
            get_executors: set(executors(snapshot, viewer)),
            ..none
        },
        call::Type::GET_FRAMEWORKS => Answer {
            r#type: Some(response::Type::GET_FRAMEWORKS),
            get_frameworks: set(frameworks(snapshot, viewer)),
            ..none
        },
        _ => return None,
    })
}

fn set<M: Message>(message: M) -> MessageField<M> {
    MessageField::some(message)
}

fn flags(snapshot: &Snapshot) -> GetFlags {
    let flag =
        |(name, value): (&String, &String)| Flag { name: name.clone(), value: Some(value.clone()), ..Flag::default() };
    GetFlags { flags: snapshot.config.flags.iter().map(flag).collect(), ..GetFlags::default() }
}

/// With no container Mesos shows the type alone.
fn get_containers(snapshot: &Snapshot, host: &dyn Host, viewer: Viewer<'_>) -> MessageField<GetContainers> {
    let container = |executor: &Executor| response::get_containers::Container {
        framework_id: executor.framework.to_field(),
        executor_id: executor.id.to_field(),
        executor_name: executor.info.name.clone(),
        container_id: executor.container.to_field(),
        container_status: set(containers::status(executor)),
        resource_statistics: containers::statistics(snapshot, host, executor)
            .map_or_else(MessageField::none, MessageField::some),
        ..Default::default()
    };
    let containers: Vec<_> = containers::live(snapshot, viewer).map(container).collect();
    if containers.is_empty() {
        return MessageField::none();
    }
    set(GetContainers { containers, ..GetContainers::default() })
}

/// All frameworks, those that left last.
fn all<'a>(snapshot: &'a Snapshot, viewer: Viewer<'a>) -> impl Iterator<Item = &'a Arc<Framework>> {
    let all = snapshot.state.frameworks.values().chain(&snapshot.state.completed_frameworks);
    all.filter(move |framework| viewer.framework(framework))
}

fn tasks(snapshot: &Snapshot, viewer: Viewer<'_>) -> GetTasks {
    let mut tasks = GetTasks::default();
    let copy = |task: &Arc<Task>| viewer.task(task).then(|| (**task).clone());
    for framework in all(snapshot, viewer) {
        for executor in framework.executors.values().chain(&framework.completed_executors) {
            let queued = executor.queued.iter();
            let record = |task| task::record(task, TaskState::TASK_STAGING, &framework.id);
            tasks.queued_tasks.extend(queued.map(|queued| record(&queued.task)));
            tasks.launched_tasks.extend(executor.launched.values().filter_map(copy));
            tasks.terminated_tasks.extend(executor.terminated.values().filter_map(copy));
            tasks.completed_tasks.extend(executor.completed.iter().filter_map(copy));
        }
    }
    tasks
}

fn executors(snapshot: &Snapshot, viewer: Viewer<'_>) -> GetExecutors {
    let seen = |executor: &&Arc<Executor>| viewer.executor(executor);
    let show = |executor: &Arc<Executor>| response::get_executors::Executor {
        executor_info: set((*executor.info).clone()),
        ..Default::default()
    };
    GetExecutors {
        executors: all(snapshot, viewer)
            .flat_map(|framework| framework.executors.values())
            .filter(seen)
            .map(show)
            .collect(),
        completed_executors: all(snapshot, viewer)
            .flat_map(|framework| &framework.completed_executors)
            .filter(seen)
            .map(show)
            .collect(),
        ..GetExecutors::default()
    }
}

fn frameworks(snapshot: &Snapshot, viewer: Viewer<'_>) -> GetFrameworks {
    let seen = |framework: &&Arc<Framework>| viewer.framework(framework);
    let show = |framework: &Arc<Framework>| response::get_frameworks::Framework {
        framework_info: set((*framework.info).clone()),
        ..Default::default()
    };
    GetFrameworks {
        frameworks: snapshot.state.frameworks.values().filter(seen).map(show).collect(),
        completed_frameworks: snapshot.state.completed_frameworks.iter().filter(seen).map(show).collect(),
        ..GetFrameworks::default()
    }
}

fn encode(form: ContentType, answer: &Answer) -> bytes::Bytes {
    if form == ContentType::Protobuf {
        return form.encode(answer);
    }
    let mut out = Writer::new();
    let kind = format!("{:?}", answer.r#type.unwrap_or_default());
    let is_listed = |kind: &str| ["GET_STATE", "GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS"].contains(&kind);
    if !is_listed(&kind) {
        return form.encode(answer);
    }
    out.object(|out| {
        out.field_string("type", &kind);
        match answer.get_state.as_option() {
            Some(state) => out.field_object("get_state", |out| {
                write_tasks(out, &state.get_tasks);
                write_executors(out, &state.get_executors);
                write_frameworks(out, &state.get_frameworks);
            }),
            None => {
                answer.get_tasks.as_option().into_iter().for_each(|tasks| write_tasks(out, tasks));
                answer.get_executors.as_option().into_iter().for_each(|executors| write_executors(out, executors));
                answer.get_frameworks.as_option().into_iter().for_each(|frameworks| write_frameworks(out, frameworks));
            }
        }
    });
    out.finish().into()
}

fn write_tasks(out: &mut Writer, tasks: &GetTasks) {
    out.field_object("get_tasks", |out| {
        list(out, "pending_tasks", &tasks.pending_tasks);
        list(out, "queued_tasks", &tasks.queued_tasks);
        list(out, "launched_tasks", &tasks.launched_tasks);
        list(out, "terminated_tasks", &tasks.terminated_tasks);
        list(out, "completed_tasks", &tasks.completed_tasks);
    });
}

fn write_executors(out: &mut Writer, executors: &GetExecutors) {
    out.field_object("get_executors", |out| {
        list(out, "executors", &executors.executors);
        list(out, "completed_executors", &executors.completed_executors);
    });
}

fn write_frameworks(out: &mut Writer, frameworks: &GetFrameworks) {
    out.field_object("get_frameworks", |out| {
        list(out, "frameworks", &frameworks.frameworks);
        list(out, "completed_frameworks", &frameworks.completed_frameworks);
    });
}

fn list<M: Message + MessageName>(out: &mut Writer, key: &str, messages: &[M]) {
    out.field_array(key, messages, |out, message| out.message(message, Names::V1));
}
