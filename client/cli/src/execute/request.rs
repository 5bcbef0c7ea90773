//! From flags to what is asked of the cluster.

use super::container;
use std::time::Duration;
use tepui_flags::Values;
use tepui_proto::json::{self, Names};
use tepui_resources::Resources;
use tepui_sdk::mesos::framework_info::{Capability, capability};
use tepui_sdk::mesos::{
    CommandInfo, ContainerInfo, Environment, ExecutorID, ExecutorInfo, FrameworkInfo, NetworkInfo, TaskGroupInfo,
    TaskInfo, container_info, environment, executor_info,
};
use tepui_sdk::{ContentType, messages};

/// What the executor of a task group needs for itself.
const EXECUTOR_RESOURCES: [(&str, f64); 3] = [("cpus", 0.1), ("mem", 32.0), ("disk", 32.0)];

/// One task, or several that live and die together.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// One task with a command.
    Task(Box<TaskInfo>),
    /// A group and the executor it runs in.
    Group(Box<ExecutorInfo>, Vec<TaskInfo>),
}

/// Everything `mesos-execute` was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Address of the master.
    pub master: String,
    /// Who asks.
    pub framework: FrameworkInfo,
    /// What is to run.
    pub work: Work,
    /// How calls are encoded.
    pub content_type: ContentType,
    /// When a running task is to be killed.
    pub kill_after: Option<Duration>,
    /// Principal and secret.
    pub credentials: Option<(String, String)>,
}

impl Work {
    /// The tasks.
    pub fn tasks(&self) -> &[TaskInfo] {
        match self {
            Work::Task(task) => std::slice::from_ref(task),
            Work::Group(_, tasks) => tasks,
        }
    }
}

/// Reads the request off the flags; the error is for people.
pub fn request(flags: &Values, user: &str) -> Result<Request, String> {
    let master = crate::master_text(flags.get("master").ok_or("Missing required option --master")?)?;
    let (task, group) = (flags.is_given("task"), flags.is_given("task_group"));
    if task && group {
        return Err("Either task or task group should be set but not both. Provide either '--task' OR '--task_group'"
            .to_owned());
    }
    let alone = ["name", "command", "env", "appc_image", "docker_image", "volumes"];
    if (task || group) && alone.iter().any(|name| flags.is_given(name)) {
        return Err("'--name, --command, --env, --appc_image, --docker_image, --volumes' can only be set when both \
                    '--task' and '--task_group' are not set"
            .to_owned());
    }
    if task && flags.is_given("networks") {
        return Err("'--networks' can only be set when '--task' is not set".to_owned());
    }
    let work = match (task, group) {
        (true, _) => Work::Task(Box::new(message(flags, "task")?.unwrap_or_default())),
        (_, true) => task_group(flags)?,
        _ => Work::Task(Box::new(command_task(flags)?)),
    };
    let secret = flags.get("secret").map(str::to_owned);
    Ok(Request {
        master,
        framework: framework(flags, user)?,
        work,
        content_type: content_type(flags.get("content_type").unwrap_or_default())?,
        kill_after: flags.is_given("kill_after").then(|| flags.duration("kill_after")),
        credentials: flags.get("principal").map(str::to_owned).zip(secret),
    })
}

fn content_type(text: &str) -> Result<ContentType, String> {
    match text {
        "json" | "application/json" => Ok(ContentType::Json),
        "protobuf" | "application/x-protobuf" => Ok(ContentType::Protobuf),
        other => Err(format!("Invalid content type '{other}'")),
    }
}

/// A flag whose value is a message in JSON, in place or in a file (`file:///path` or `/path`).
pub(super) fn message<M: tepui_proto::Message + tepui_proto::MessageName>(
    flags: &Values,
    name: &str,
) -> Result<Option<M>, String> {
    let Some(value) = flags.get(name) else { return Ok(None) };
    let text = text(value)?;
    let failed = |error: json::Error| format!("Failed to load value '{value}' for flag '{name}': {error}");
    json::from_slice(text.as_bytes(), Names::V1).map(Some).map_err(failed)
}

pub(super) fn text(value: &str) -> Result<String, String> {
    let path = value.strip_prefix("file://").or_else(|| value.starts_with('/').then_some(value));
    match path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("Error reading file '{path}': {error}")),
        None => Ok(value.to_owned()),
    }
}

fn task_group(flags: &Values) -> Result<Work, String> {
    let group: TaskGroupInfo = message(flags, "task_group")?.unwrap_or_default();
    let networks: Vec<NetworkInfo> = container::networks(flags);
    let container = (!networks.is_empty()).then(|| ContainerInfo {
        r#type: container_info::Type::MESOS,
        network_infos: networks,
        ..ContainerInfo::default()
    });
    let resources = EXECUTOR_RESOURCES.iter().map(|(name, amount)| messages::scalar(*name, *amount)).collect();
    let executor = ExecutorInfo {
        r#type: Some(executor_info::Type::DEFAULT),
        executor_id: ExecutorID { value: "default-executor".to_owned(), ..ExecutorID::default() }.into(),
        resources,
        container: container.into(),
        ..ExecutorInfo::default()
    };
    Ok(Work::Group(Box::new(executor), group.tasks))
}

fn command_task(flags: &Values) -> Result<TaskInfo, String> {
    let name = flags.get("name").ok_or("Missing required option --name")?;
    let shell = flags.bool("shell");
    let command = match (shell, flags.get("command")) {
        (true, None) => return Err("Missing required option --command".to_owned()),
        (true, Some(line)) => messages::shell(line),
        // Mesos leaves the command out as well: the image's own entry point runs.
        (false, _) => CommandInfo { shell: Some(false), ..CommandInfo::default() },
    };
    let environment = flags.get("env").map(variables).transpose()?;
    let command = CommandInfo { environment: environment.into(), ..command };
    let text = flags.get("resources").unwrap_or_default();
    let resources =
        Resources::parse(text, "*").map_err(|error| format!("Failed to parse resources '{text}': {error}"))?;
    let task = messages::task(name, command, resources.to_proto());
    Ok(TaskInfo { container: container::info(flags)?.into(), ..task })
}

fn variables(text: &str) -> Result<Environment, String> {
    let object: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("Failed to load value '{text}' for flag 'env': {error}"))?;
    let variable = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(value) => {
            Ok(environment::Variable { name, value: Some(value), ..environment::Variable::default() })
        }
        _ => Err(format!("Failed to load value for flag 'env': the value of '{name}' is not a JSON string")),
    };
    let variables = object.into_iter().map(variable).collect::<Result<_, _>>()?;
    Ok(Environment { variables, ..Environment::default() })
}

fn framework(flags: &Values, user: &str) -> Result<FrameworkInfo, String> {
    use capability::Type;
    let mut kinds = vec![Type::RESERVATION_REFINEMENT, Type::TASK_KILLING_STATE, Type::REVOCABLE_RESOURCES];
    if flags.bool("partition_aware") {
        kinds.push(Type::PARTITION_AWARE);
    }
    for name in flags.get("framework_capabilities").unwrap_or_default().split(',').filter(|name| !name.is_empty()) {
        let fault = match <Type as tepui_proto::Enumeration>::from_proto_name(name) {
            Some(Type::GPU_RESOURCES) => {
                kinds.push(Type::GPU_RESOURCES);
                continue;
            }
            Some(_) => "an unsupported",
            None => "an unknown",
        };
        return Err(format!("Flags '--framework_capabilities' specifies {fault} capability '{name}'"));
    }
    let capability = |kind| Capability { r#type: Some(kind), ..Capability::default() };
    Ok(FrameworkInfo {
        user: user.to_owned(),
        name: "mesos-execute instance".to_owned(),
        role: flags.get("role").map(str::to_owned),
        checkpoint: Some(flags.bool("checkpoint")),
        principal: flags.get("principal").map(str::to_owned),
        capabilities: kinds.into_iter().map(capability).collect(),
        ..FrameworkInfo::default()
    })
}
