//! `POST /api/v1`: the operator's reads, in JSON and protobuf.

use super::json::USUAL;
use super::{maintenance, metrics, roles, terms};
use crate::state::agent::Provider;
use crate::state::{Agent, Framework, Snapshot};
use buffa::Enumeration;
use bytes::Bytes;
use std::time::Duration;
use tepui_api::{Host, NOT_ACCEPTABLE, UNSUPPORTED, accepted_or, content_type, post_only};
use tepui_authz::{Action, Principal};
use tepui_base::{FrameworkId, Wall};
use tepui_proto::json::{self, Names, Writer};
use tepui_proto::mesos::master::call::Type;
use tepui_proto::mesos::master::response::{
    self, GetAgents, GetExecutors, GetFlags, GetFrameworks, GetHealth, GetLoggingLevel, GetMaintenanceSchedule,
    GetMaintenanceStatus, GetMaster, GetMetrics, GetQuota, GetRoles, GetState, GetTasks, GetVersion, GetWeights,
    ListFiles, ReadFile, get_agents, get_executors, get_frameworks,
};
use tepui_proto::mesos::master::{Call, Response as ApiResponse};
use tepui_proto::mesos::{Flag, FrameworkInfo, Role, TimeInfo, VersionInfo, value};
use tepui_proto::{ContentType, MessageField, ToProto, codec, v1};
use tepui_resources::Quantities;
use tepui_wire::{Request, Response};

/// Calls that change something, or open a stream.
const WRITES: [Type; 5] = [
    Type::TEARDOWN,
    Type::SUBSCRIBE,
    Type::UPDATE_MAINTENANCE_SCHEDULE,
    Type::START_MAINTENANCE,
    Type::STOP_MAINTENANCE,
];

/// Whether a call changes nothing (or is none: that is found out in answering it).
pub(super) fn is_read(request: &Request) -> bool {
    read_call(request).map_or(true, |(call, _)| !call.r#type.is_some_and(|kind| WRITES.contains(&kind)))
}

/// Whether many may ask the same at once and the answer is large: the reads of the cluster.
pub(super) fn is_shared(request: &Request) -> bool {
    let kind = read_call(request).ok().and_then(|(call, _)| call.r#type);
    matches!(
        kind,
        Some(
            Type::GET_STATE
                | Type::GET_AGENTS
                | Type::GET_FRAMEWORKS
                | Type::GET_EXECUTORS
                | Type::GET_TASKS
                | Type::GET_ROLES
        )
    )
}

/// Reads and checks a call, and in which form the answer is to be. Checks come in the order of Mesos.
pub(crate) fn read_call(request: &Request) -> Result<(Call, ContentType), Response> {
    post_only(request)?;
    let content = content_type(request, UNSUPPORTED)?;
    let call =
        v1::decode_master_call(content, &request.body).map_err(|error| Response::text(400, error.to_string()))?;
    validate(&call).map_err(|part| {
        Response::text(400, format!("Failed to validate master::Call: Expecting '{part}' to be present"))
    })?;
    let accepted = accepted_or(request, NOT_ACCEPTABLE)?;
    Ok((call, accepted))
}

/// Every call but the plain reads has a part of its own, named as its type is.
fn validate(call: &Call) -> Result<(), &'static str> {
    let expected = match call.r#type.ok_or("type")? {
        Type::GET_METRICS => ("get_metrics", call.get_metrics.is_set()),
        Type::SET_LOGGING_LEVEL => ("set_logging_level", call.set_logging_level.is_set()),
        Type::LIST_FILES => ("list_files", call.list_files.is_set()),
        Type::READ_FILE => ("read_file", call.read_file.is_set()),
        Type::UPDATE_WEIGHTS => ("update_weights", call.update_weights.is_set()),
        Type::RESERVE_RESOURCES => ("reserve_resources", call.reserve_resources.is_set()),
        Type::UNRESERVE_RESOURCES => ("unreserve_resources", call.unreserve_resources.is_set()),
        Type::CREATE_VOLUMES => ("create_volumes", call.create_volumes.is_set()),
        Type::DESTROY_VOLUMES => ("destroy_volumes", call.destroy_volumes.is_set()),
        Type::GROW_VOLUME => ("grow_volume", call.grow_volume.is_set()),
        Type::SHRINK_VOLUME => ("shrink_volume", call.shrink_volume.is_set()),
        Type::UPDATE_MAINTENANCE_SCHEDULE => ("update_maintenance_schedule", call.update_maintenance_schedule.is_set()),
        Type::START_MAINTENANCE => ("start_maintenance", call.start_maintenance.is_set()),
        Type::STOP_MAINTENANCE => ("stop_maintenance", call.stop_maintenance.is_set()),
        Type::DRAIN_AGENT => ("drain_agent", call.drain_agent.is_set()),
        Type::DEACTIVATE_AGENT => ("deactivate_agent", call.deactivate_agent.is_set()),
        Type::REACTIVATE_AGENT => ("reactivate_agent", call.reactivate_agent.is_set()),
        Type::UPDATE_QUOTA => ("update_quota", call.update_quota.is_set()),
        Type::SET_QUOTA => ("set_quota", call.set_quota.is_set()),
        Type::REMOVE_QUOTA => ("remove_quota", call.remove_quota.is_set()),
        Type::TEARDOWN => ("teardown", call.teardown.is_set()),
        Type::MARK_AGENT_GONE => ("mark_agent_gone", call.mark_agent_gone.is_set()),
        _ => return Ok(()),
    };
    if expected.1 { Ok(()) } else { Err(expected.0) }
}

/// Answers a read.
pub(super) fn respond(snapshot: &Snapshot, host: &dyn Host, request: &Request) -> Response {
    if !snapshot.recovered {
        return Response::text(503, "Master has not finished recovery");
    }
    let (call, accepted) = match read_call(request) {
        Ok(read) => read,
        Err(response) => return response,
    };
    let kind = call.r#type.unwrap_or(Type::UNKNOWN);
    if kind == Type::GET_FLAGS && !snapshot.approvers.approved(&request.principal, Action::ViewFlags, "") {
        return Response::text(403, "403 Forbidden.");
    }
    let answer = match of_host(host, &call, || metrics::collect(snapshot)) {
        Some(Ok(Some(answer))) => Some(answer),
        Some(Ok(None)) => return Response::empty(200),
        Some(Err(response)) => return response,
        None => answer(snapshot, &request.principal, kind),
    };
    match answer {
        Some(answer) => Response::with_type(200, accepted.as_str(), encode(&answer, accepted)),
        None if kind == Type::UNKNOWN => Response::text(501, "501 Not Implemented."),
        None => Response::text(501, format!("{} calls are not implemented by this master", kind.proto_name())),
    }
}

fn of(kind: response::Type) -> ApiResponse {
    ApiResponse { r#type: Some(kind), ..Default::default() }
}

/// What the process around the master answers: nothing if the call is not for it, `Ok(None)` if there is nothing to say.
fn of_host(
    host: &dyn Host,
    call: &Call,
    own_metrics: impl Fn() -> tepui_api::metrics::Values,
) -> Option<Result<Option<ApiResponse>, Response>> {
    use response::Type as Answer;
    let set = Ok::<_, tepui_api::FilesError>;
    let answer = match call.r#type? {
        Type::GET_METRICS => {
            let mut values = own_metrics();
            values.extend(host.metrics());
            let part = GetMetrics { metrics: tepui_api::metrics::to_proto(values), ..Default::default() };
            set(ApiResponse { get_metrics: MessageField::some(part), ..of(Answer::GET_METRICS) })
        }
        Type::GET_LOGGING_LEVEL => {
            let part = GetLoggingLevel { level: host.logging_level(), ..Default::default() };
            set(ApiResponse { get_logging_level: MessageField::some(part), ..of(Answer::GET_LOGGING_LEVEL) })
        }
        Type::SET_LOGGING_LEVEL => {
            let nanoseconds = u64::try_from(call.set_logging_level.duration.nanoseconds).unwrap_or(0);
            host.set_logging_level(call.set_logging_level.level, Duration::from_nanos(nanoseconds));
            return Some(Ok(None));
        }
        Type::LIST_FILES => host.list_files(&call.list_files.path).map(|file_infos| {
            let part = ListFiles { file_infos, ..Default::default() };
            ApiResponse { list_files: MessageField::some(part), ..of(Answer::LIST_FILES) }
        }),
        Type::READ_FILE => {
            let asked = &call.read_file;
            host.read_file(&asked.path, asked.offset, asked.length).map(|(size, data)| {
                let part = ReadFile { size, data, ..Default::default() };
                ApiResponse { read_file: MessageField::some(part), ..of(Answer::READ_FILE) }
            })
        }
        _ => return None,
    };
    Some(answer.map(Some).map_err(|error| error.response()))
}

fn answer(snapshot: &Snapshot, principal: &Principal, kind: Type) -> Option<ApiResponse> {
    use response::Type as Answer;
    let view = View::new(snapshot, principal);
    Some(match kind {
        Type::GET_HEALTH => ApiResponse {
            get_health: MessageField::some(GetHealth { healthy: true, ..Default::default() }),
            ..of(Answer::GET_HEALTH)
        },
        Type::GET_FLAGS => ApiResponse { get_flags: MessageField::some(view.flags()), ..of(Answer::GET_FLAGS) },
        Type::GET_VERSION => ApiResponse { get_version: MessageField::some(view.version()), ..of(Answer::GET_VERSION) },
        Type::GET_MASTER => ApiResponse { get_master: MessageField::some(view.master()), ..of(Answer::GET_MASTER) },
        // Operations can be asked for, but none can be made yet.
        Type::GET_OPERATIONS => {
            ApiResponse { get_operations: MessageField::some(Default::default()), ..of(Answer::GET_OPERATIONS) }
        }
        Type::GET_QUOTA => {
            let status = MessageField::some(terms::quota_status(snapshot, principal));
            let quota = GetQuota { status, ..Default::default() };
            ApiResponse { get_quota: MessageField::some(quota), ..of(Answer::GET_QUOTA) }
        }
        Type::GET_WEIGHTS => {
            let weight_infos = terms::weights(snapshot, principal);
            // With no weights Mesos shows the type alone.
            let part = (!weight_infos.is_empty()).then(|| GetWeights { weight_infos, ..Default::default() });
            ApiResponse { get_weights: part.into(), ..of(Answer::GET_WEIGHTS) }
        }
        Type::GET_ROLES => ApiResponse { get_roles: MessageField::some(view.roles()), ..of(Answer::GET_ROLES) },
        Type::GET_TASKS => ApiResponse { get_tasks: MessageField::some(view.tasks()), ..of(Answer::GET_TASKS) },
        Type::GET_EXECUTORS => {
            ApiResponse { get_executors: MessageField::some(view.executors()), ..of(Answer::GET_EXECUTORS) }
        }
        Type::GET_FRAMEWORKS => {
            ApiResponse { get_frameworks: MessageField::some(view.frameworks()), ..of(Answer::GET_FRAMEWORKS) }
        }
        Type::GET_AGENTS => ApiResponse { get_agents: MessageField::some(view.agents()), ..of(Answer::GET_AGENTS) },
        Type::GET_MAINTENANCE_SCHEDULE => {
            let schedule = MessageField::some(maintenance::schedule(snapshot, principal));
            let part = GetMaintenanceSchedule { schedule, ..Default::default() };
            let get_maintenance_schedule = MessageField::some(part);
            ApiResponse { get_maintenance_schedule, ..of(Answer::GET_MAINTENANCE_SCHEDULE) }
        }
        Type::GET_MAINTENANCE_STATUS => {
            let status = MessageField::some(maintenance::status(snapshot, principal));
            let part = GetMaintenanceStatus { status, ..Default::default() };
            ApiResponse { get_maintenance_status: MessageField::some(part), ..of(Answer::GET_MAINTENANCE_STATUS) }
        }
        Type::GET_STATE => ApiResponse { get_state: MessageField::some(view.state()), ..of(Answer::GET_STATE) },
        _ => return None,
    })
}

fn encode(answer: &ApiResponse, form: ContentType) -> Bytes {
    if form == ContentType::Protobuf {
        return codec::encode(answer);
    }
    let mut writer = Writer::new();
    let kind = answer.r#type.unwrap_or(response::Type::UNKNOWN);
    let part: fn(&ApiResponse, &mut Writer) = match kind {
        response::Type::GET_TASKS => |answer, w| write_tasks(w, &answer.get_tasks),
        response::Type::GET_EXECUTORS => |answer, w| write_executors(w, &answer.get_executors),
        response::Type::GET_FRAMEWORKS => |answer, w| write_frameworks(w, &answer.get_frameworks),
        response::Type::GET_AGENTS => |answer, w| write_agents(w, &answer.get_agents),
        response::Type::GET_STATE => |answer, w| write_state(w, &answer.get_state),
        _ => return Bytes::from(json::to_string(answer, Names::V1)),
    };
    writer.object(|w| {
        w.field_string("type", kind.proto_name());
        part(answer, w);
    });
    Bytes::from(writer.finish())
}

/// `get_state`, in an answer and in the first event of a stream.
pub(crate) fn write_state(w: &mut Writer, state: &GetState) {
    w.field_object("get_state", |w| {
        write_tasks(w, &state.get_tasks);
        write_executors(w, &state.get_executors);
        write_frameworks(w, &state.get_frameworks);
        write_agents(w, &state.get_agents);
    });
}

/// These answers show their lists even when they are empty, and what only V0 messages have.
fn list<M: tepui_proto::Message + tepui_proto::MessageName>(w: &mut Writer, key: &str, items: &[M]) {
    w.field_array(key, items, |w, item| w.message(item, Names::V1AndV0Fields));
}

fn write_tasks(w: &mut Writer, part: &GetTasks) {
    w.field_object("get_tasks", |w| {
        list(w, "tasks", &part.tasks);
        list(w, "unreachable_tasks", &part.unreachable_tasks);
        list(w, "completed_tasks", &part.completed_tasks);
    });
}

fn write_executors(w: &mut Writer, part: &GetExecutors) {
    w.field_object("get_executors", |w| list(w, "executors", &part.executors));
}

fn write_frameworks(w: &mut Writer, part: &GetFrameworks) {
    w.field_object("get_frameworks", |w| {
        list(w, "frameworks", &part.frameworks);
        list(w, "completed_frameworks", &part.completed_frameworks);
    });
}

fn write_agents(w: &mut Writer, part: &GetAgents) {
    w.field_object("get_agents", |w| {
        list(w, "agents", &part.agents);
        list(w, "recovered_agents", &part.recovered_agents);
    });
}

/// A snapshot as one principal sees it.
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    principal: &'a Principal,
}

impl<'a> View<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, principal: &'a Principal) -> View<'a> {
        View { snapshot, principal }
    }

    /// Everything.
    pub(crate) fn state(&self) -> GetState {
        GetState {
            get_tasks: MessageField::some(self.tasks()),
            get_executors: MessageField::some(self.executors()),
            get_frameworks: MessageField::some(self.frameworks()),
            get_agents: MessageField::some(self.agents()),
            ..Default::default()
        }
    }

    fn flags(&self) -> GetFlags {
        let flags = self.snapshot.config.flags.iter().map(|(name, value)| Flag {
            name: name.clone(),
            value: Some(value.clone()),
            ..Default::default()
        });
        GetFlags { flags: flags.collect(), ..Default::default() }
    }

    fn version(&self) -> GetVersion {
        let build = &self.snapshot.config.build;
        let info = VersionInfo {
            version: build.version.clone(),
            build_date: Some(build.date.clone()),
            build_time: Some(build.time_secs),
            build_user: Some(build.user.clone()),
            git_sha: build.git_sha.clone(),
            ..Default::default()
        };
        GetVersion { version_info: MessageField::some(info), ..Default::default() }
    }

    fn master(&self) -> GetMaster {
        GetMaster {
            master_info: MessageField::some((*self.snapshot.info).clone()),
            start_time: self.snapshot.started.map(Wall::as_secs_f64),
            elected_time: self.snapshot.elected.map(Wall::as_secs_f64),
            ..Default::default()
        }
    }

    fn roles(&self) -> GetRoles {
        let roles = roles::known(self.snapshot, self.principal, Quantities::from_scalars).into_iter().map(
            |(name, holdings)| Role {
                weight: roles::weight(self.snapshot, &name),
                name,
                frameworks: holdings.frameworks.iter().map(ToProto::to_proto).collect(),
                resources: scalars(&holdings.held().filter(|name| USUAL.contains(&name.as_str()))),
                ..Default::default()
            },
        );
        GetRoles { roles: roles.collect(), ..Default::default() }
    }

    fn tasks(&self) -> GetTasks {
        let mut out = GetTasks::default();
        for framework in self.seen_frameworks() {
            if !self.may(Action::ViewTask, framework) {
                continue;
            }
            out.tasks.extend(framework.tasks.values().map(|task| task.to_proto()));
            out.unreachable_tasks.extend(framework.unreachable.values().map(|task| task.to_proto()));
            out.completed_tasks.extend(framework.completed.iter().map(|task| task.to_proto()));
        }
        out
    }

    fn executors(&self) -> GetExecutors {
        let frameworks = self.snapshot.frameworks.values();
        let seen = frameworks.filter(|one| self.may(Action::ViewFramework, one) && self.may(Action::ViewExecutor, one));
        let executors = seen.flat_map(|one| &one.executors).map(|((agent, _), executor)| get_executors::Executor {
            executor_info: MessageField::some((*executor.info).clone()),
            agent_id: agent.to_field(),
            ..Default::default()
        });
        GetExecutors { executors: executors.collect(), ..Default::default() }
    }

    fn frameworks(&self) -> GetFrameworks {
        let seen = |framework: &&std::sync::Arc<Framework>| self.may(Action::ViewFramework, framework);
        let (registered, completed) = (&self.snapshot.frameworks, &self.snapshot.completed);
        GetFrameworks {
            frameworks: registered.values().filter(seen).map(|one| self.framework(one)).collect(),
            completed_frameworks: completed.iter().filter(seen).map(|one| self.framework(one)).collect(),
            ..Default::default()
        }
    }

    fn framework(&self, framework: &Framework) -> get_frameworks::Framework {
        let offers = framework.offers.iter().filter_map(|id| {
            let offer = self.snapshot.offers.get(id)?;
            Some(offer.to_view(self.snapshot.agents.get(&offer.agent)?))
        });
        let inverse_offers = framework.inverse_offers.iter().filter_map(|id| {
            let offer = self.snapshot.inverse_offers.get(id)?;
            Some(offer.to_proto(self.snapshot.agents.get(&offer.agent)?))
        });
        // Events show all three; this only what is known. When one subscribed that an agent has told of is not.
        let known = |at: Wall| optional_time((at != Wall(0)).then_some(at));
        get_frameworks::Framework {
            registered_time: known(framework.registered),
            reregistered_time: known(framework.reregistered),
            unregistered_time: known(framework.unregistered),
            offers: offers.collect(),
            inverse_offers: inverse_offers.collect(),
            allocated_resources: framework.used.to_endpoint(),
            offered_resources: framework.offered.to_endpoint(),
            offer_constraints: MessageField::some((*framework.offer_constraints).clone()),
            ..self.framework_head(framework)
        }
    }

    /// A framework without what it holds, as events show it.
    pub(crate) fn framework_head(&self, framework: &Framework) -> get_frameworks::Framework {
        get_frameworks::Framework {
            framework_info: MessageField::some((*framework.info).clone()),
            active: framework.active,
            connected: framework.is_connected(),
            recovered: framework.is_recovered(),
            registered_time: time(framework.registered),
            reregistered_time: time(framework.reregistered),
            unregistered_time: time(framework.unregistered),
            ..Default::default()
        }
    }

    fn agents(&self) -> GetAgents {
        GetAgents {
            agents: self.snapshot.agents.values().map(|agent| self.agent(agent)).collect(),
            recovered_agents: self.snapshot.recovered_agents.values().map(|info| (**info).clone()).collect(),
            ..Default::default()
        }
    }

    pub(crate) fn agent(&self, agent: &Agent) -> get_agents::Agent {
        get_agents::Agent {
            agent_info: MessageField::some((*agent.info).clone()),
            active: agent.active,
            deactivated: Some(agent.standing.deactivated),
            drain_info: agent.standing.drain_info.as_deref().cloned().into(),
            version: agent.version.clone(),
            pid: Some(agent.pid.to_string()),
            registered_time: time(agent.registered),
            reregistered_time: optional_time(agent.reregistered),
            total_resources: agent.total.to_endpoint(),
            allocated_resources: agent.used_total().to_endpoint(),
            offered_resources: agent.offered.to_endpoint(),
            capabilities: agent.capabilities.clone(),
            resource_providers: agent.providers.values().map(resource_provider).collect(),
            ..Default::default()
        }
    }

    /// Frameworks the principal may see, over or not.
    fn seen_frameworks(&self) -> impl Iterator<Item = &Framework> {
        let all = self.snapshot.frameworks.values().chain(&self.snapshot.completed);
        all.map(|framework| &**framework).filter(|framework| self.may(Action::ViewFramework, framework))
    }

    /// A registered framework, if the principal may see it and what `action` names of it.
    pub(crate) fn seen(&self, action: Action, id: &FrameworkId) -> Option<&Framework> {
        let framework = self.snapshot.frameworks.get(id)?;
        (self.may(Action::ViewFramework, framework) && self.may(action, framework)).then_some(framework)
    }

    /// Whether the principal may do this with a framework of this description.
    pub(crate) fn approved(&self, action: Action, info: &FrameworkInfo) -> bool {
        self.snapshot.approvers.approved(self.principal, action, &info.user)
    }

    fn may(&self, action: Action, framework: &Framework) -> bool {
        self.approved(action, &framework.info)
    }
}

fn resource_provider(provider: &Provider) -> get_agents::agent::ResourceProvider {
    get_agents::agent::ResourceProvider {
        resource_provider_info: MessageField::some(provider.info.clone()),
        total_resources: provider.total.to_proto(),
        ..Default::default()
    }
}

fn time(at: Wall) -> MessageField<TimeInfo> {
    MessageField::some(TimeInfo { nanoseconds: at.as_nanos_i64(), ..Default::default() })
}

fn optional_time(at: Option<Wall>) -> MessageField<TimeInfo> {
    at.map_or_else(MessageField::none, time)
}

/// Amounts as scalar resources.
pub(super) fn scalars(quantities: &Quantities) -> Vec<tepui_proto::mesos::Resource> {
    let scalar = |amount: f64| MessageField::some(value::Scalar { value: amount, ..Default::default() });
    quantities
        .iter()
        .map(|(name, amount)| tepui_proto::mesos::Resource {
            name: name.as_str().to_owned(),
            r#type: value::Type::SCALAR,
            scalar: scalar(amount.to_f64()),
            ..Default::default()
        })
        .collect()
}
