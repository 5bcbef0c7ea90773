//! The small shapes that the legacy endpoints share.

use crate::state::{Executor, Offer, Shown, Task};
use tepui_base::Wall;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::{
    AgentInfo, Attribute, ContainerStatus, DomainInfo, Labels, MasterInfo, NetworkInfo, TaskStatus, value,
};
use tepui_proto::names::v0_value;
use tepui_proto::{Message, MessageName};
use tepui_resources::{Quantities, Ranges, Resource, Scalar, Set, Value};

use buffa::Enumeration;

/// Bytes to begin the text of one record with: most need no more, so that it never moves while it grows.
pub(super) const TEXT_ROOM: usize = 1024;

/// A time in seconds.
pub(super) fn time(w: &mut Writer, key: &str, at: Wall) {
    w.field_double(key, at.as_secs_f64());
}

/// A message that is written only if it is there.
pub(super) fn optional<M: Message + MessageName>(w: &mut Writer, key: &str, message: Option<&M>) {
    if let Some(message) = message {
        w.field_message(key, message, Names::V0);
    }
}

/// An array of strings.
pub(super) fn strings<'a>(w: &mut Writer, key: &str, items: impl IntoIterator<Item = &'a str>) {
    w.field_array(key, items, |w, item| w.string(item));
}

/// Capabilities by name; ones this version does not know have none.
pub(super) fn capabilities<E: Enumeration>(w: &mut Writer, kinds: impl IntoIterator<Item = Option<E>>) {
    w.field_array("capabilities", kinds.into_iter().flatten(), |w, kind| w.string(&v0_value(kind.proto_name())));
}

/// Scalars that are always shown, with 0.0 if there is none.
pub(super) const USUAL: [&str; 4] = ["disk", "mem", "gpus", "cpus"];

/// Sums by name: scalars as numbers, cpus, gpus, mem and disk always; ranges and sets as text. Reservations and
/// volumes do not show; revocable resources have a name of their own.
pub(super) fn resources<'a>(w: &mut Writer, key: &str, resources: impl IntoIterator<Item = &'a Resource>) {
    w.key(key);
    sums(w, resources);
}

/// The object of [`resources`].
pub(super) fn sums<'a>(w: &mut Writer, resources: impl IntoIterator<Item = &'a Resource>) {
    let mut usual = [Scalar::ZERO; USUAL.len()];
    let mut others: Vec<&Resource> = Vec::new();
    for resource in resources {
        let name = resource.name().as_str();
        match (USUAL.iter().position(|one| *one == name), resource.value()) {
            (Some(at), Value::Scalar(amount)) if !resource.is_revocable() => usual[at] += *amount,
            _ => others.push(resource),
        }
    }
    w.object(|w| {
        USUAL.iter().zip(usual).for_each(|(name, amount)| w.field_double(name, amount.to_f64()));
        other_resources(w, others);
    });
}

/// Scalars first, then ranges, then sets, each by name; equal names are added together.
fn other_resources(w: &mut Writer, mut others: Vec<&Resource>) {
    let place = |resource: &Resource| match resource.value() {
        Value::Scalar(_) => 0,
        Value::Ranges(_) => 1,
        Value::Set(_) => 2,
    };
    others.sort_by_key(|resource| (place(resource), resource.name().as_str(), resource.is_revocable()));
    let is_same = |left: &&Resource, right: &&Resource| {
        left.name() == right.name() && left.is_revocable() == right.is_revocable() && place(left) == place(right)
    };
    for same in others.chunk_by(is_same) {
        let first = same[0];
        if first.is_revocable() {
            w.key(&format!("{}_revocable", first.name().as_str()));
        } else {
            w.key(first.name().as_str());
        }
        let values = || same.iter().map(|resource| resource.value());
        match first.value() {
            Value::Scalar(_) => w.double(values().map(Value::quantity).sum::<Scalar>().to_f64()),
            Value::Ranges(only) if same.len() == 1 => w.display(only),
            Value::Ranges(_) => {
                let mut sum = Ranges::default();
                values().for_each(|value| {
                    if let Value::Ranges(more) = value {
                        sum += more
                    }
                });
                w.display(&sum);
            }
            Value::Set(_) => {
                let mut sum = Set::default();
                values().for_each(|value| {
                    if let Value::Set(more) = value {
                        sum += more
                    }
                });
                w.display(&sum);
            }
        }
    }
}

/// Amounts by name, none for those that are zero.
pub(super) fn quantities(w: &mut Writer, key: &str, quantities: &Quantities) {
    w.field_object(key, |w| {
        let mut sorted: Vec<_> = quantities.iter().collect();
        sorted.sort_by(|left, right| left.0.as_str().cmp(right.0.as_str()));
        sorted.into_iter().for_each(|(name, amount)| w.field_double(name.as_str(), amount.to_f64()));
    });
}

/// Labels, if there are any.
pub(super) fn labels(w: &mut Writer, labels: Option<&Labels>) {
    if let Some(labels) = labels {
        w.field_array("labels", &labels.labels, |w, label| w.message(label, Names::V0));
    }
}

/// The head of an agent: what it says of itself.
pub(super) fn agent_info(w: &mut Writer, info: &AgentInfo) {
    w.field_string("id", &info.id.value);
    w.field_string("hostname", &info.hostname);
    w.key("port");
    w.i64(i64::from(info.port.unwrap_or(5051)));
    w.field_object("attributes", |w| info.attributes.iter().for_each(|one| attribute(w, one)));
    domain(w, info.domain.as_option());
}

fn attribute(w: &mut Writer, attribute: &Attribute) {
    match attribute.r#type {
        value::Type::SCALAR => w.field_double(&attribute.name, attribute.scalar.value),
        value::Type::RANGES => w.field_display(&attribute.name, &Ranges::from(&*attribute.ranges)),
        value::Type::SET => w.field_display(&attribute.name, &Set::from(&*attribute.set)),
        value::Type::TEXT => w.field_string(&attribute.name, &attribute.text.value),
    }
}

fn domain(w: &mut Writer, domain: Option<&DomainInfo>) {
    optional(w, "domain", domain);
}

/// A master.
pub(super) fn master_info(w: &mut Writer, info: &MasterInfo) {
    w.field_string("id", &info.id);
    w.field_string("pid", info.pid.as_deref().unwrap_or_default());
    w.key("port");
    w.u64(u64::from(info.port));
    w.field_string("hostname", info.hostname.as_deref().unwrap_or_default());
    domain(w, info.domain.as_option());
}

/// A task; who may see one sees all of it, so that its text serves every reader.
pub(super) fn task(w: &mut Writer, task: &Shown<Task>) {
    w.raw(task.text(|task| {
        let mut w = Writer::with_capacity(TEXT_ROOM);
        w.object(|w| task_fields(w, task));
        w.finish()
    }));
}

fn task_fields(w: &mut Writer, task: &Task) {
    let details = task.details.as_deref();
    w.field_string("id", task.id.as_str());
    w.field_string("name", &task.name);
    w.field_string("framework_id", task.framework.as_str());
    w.field_string("executor_id", task.executor.as_ref().map_or("", |id| id.as_str()));
    w.field_string("slave_id", task.agent.as_str());
    w.field_string("state", task.state.proto_name());
    resources(w, "resources", task.resources.iter());
    if let Some(limits) = details.map(|details| &details.limits).filter(|limits| !limits.is_empty()) {
        w.field_object("limits", |w| limits.iter().for_each(|(name, limit)| w.field_double(name, limit.value)));
    }
    w.field_string("role", task.role().map_or("", |role| role.as_str()));
    w.field_array("statuses", &task.statuses, |w, one| status(w, one));
    if let Some(user) = &task.user {
        w.field_string("user", user);
    }
    if let Some(details) = details {
        labels(w, details.labels.as_option());
        optional(w, "discovery", details.discovery.as_option());
        optional(w, "container", details.container.as_option());
        optional(w, "health_check", details.health_check.as_option());
    }
}

fn status(w: &mut Writer, status: &TaskStatus) {
    w.object(|w| {
        w.field_string("state", status.state.proto_name());
        w.field_double("timestamp", status.timestamp.unwrap_or(0.0));
        labels(w, status.labels.as_option());
        if let Some(container) = status.container_status.as_option() {
            w.field_object("container_status", |w| container_status(w, container));
        }
        if let Some(healthy) = status.healthy {
            w.field_bool("healthy", healthy);
        }
    });
}

fn container_status(w: &mut Writer, status: &ContainerStatus) {
    optional(w, "container_id", status.container_id.as_option());
    if !status.network_infos.is_empty() {
        w.field_array("network_infos", &status.network_infos, network_info);
    }
    optional(w, "cgroup_info", status.cgroup_info.as_option());
}

fn network_info(w: &mut Writer, info: &NetworkInfo) {
    w.object(|w| {
        if !info.groups.is_empty() {
            strings(w, "groups", info.groups.iter().map(String::as_str));
        }
        labels(w, info.labels.as_option());
        if !info.ip_addresses.is_empty() {
            w.field_array("ip_addresses", &info.ip_addresses, |w, one| w.message(one, Names::V0));
        }
        if let Some(name) = &info.name {
            w.field_string("name", name);
        }
        if !info.port_mappings.is_empty() {
            w.field_array("port_mappings", &info.port_mappings, |w, one| w.message(one, Names::V0));
        }
    });
}

/// An offer.
pub(super) fn offer(w: &mut Writer, offer: &Offer) {
    w.object(|w| {
        w.field_string("id", offer.id.as_str());
        w.field_string("framework_id", offer.framework.as_str());
        w.field_object("allocation_info", |w| w.field_string("role", offer.role.as_str()));
        w.field_string("slave_id", offer.agent.as_str());
        resources(w, "resources", offer.resources.iter());
    });
}

/// An executor, and on which agent it is.
pub(super) fn executor(w: &mut Writer, executor: &Executor, agent: &str) {
    let info = &executor.info;
    w.object(|w| {
        w.field_string("executor_id", &info.executor_id.value);
        w.field_string("name", info.name.as_deref().unwrap_or_default());
        w.field_string("framework_id", &info.framework_id.value);
        w.key("command");
        tepui_api::write_command(w, &info.command);
        resources(w, "resources", executor.resources.iter());
        if let Some(first) = executor.resources.iter().next() {
            w.field_string("role", first.allocation_role().map_or("", |role| role.as_str()));
        }
        labels(w, info.labels.as_option());
        if let Some(kind) = info.r#type {
            w.field_string("type", kind.proto_name());
        }
        w.field_string("slave_id", agent);
    });
}
