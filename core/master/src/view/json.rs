//! The small shapes that the legacy endpoints share.

use crate::state::{Executor, Offer, Task};
use std::collections::BTreeMap;
use tepui_base::Wall;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::{
    AgentInfo, Attribute, CommandInfo, ContainerStatus, DomainInfo, Labels, MasterInfo, NetworkInfo, TaskStatus, value,
};
use tepui_proto::names::v0_value;
use tepui_proto::{Message, MessageName};
use tepui_resources::{Quantities, Ranges, Resources, Scalar, Set, Value};

use buffa::Enumeration;

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

/// Sums by name: scalars as numbers, cpus, gpus, mem and disk always; ranges and sets as text. Reservations and
/// volumes do not show; revocable resources have a name of their own.
pub(super) fn resources(w: &mut Writer, key: &str, resources: &Resources) {
    w.field_object(key, |w| write_resources(w, resources));
}

fn write_resources(w: &mut Writer, resources: &Resources) {
    let mut scalars: BTreeMap<String, Scalar> = BTreeMap::new();
    let mut ranges: BTreeMap<String, Ranges> = BTreeMap::new();
    let mut sets: BTreeMap<String, Set> = BTreeMap::new();
    for name in ["cpus", "gpus", "mem", "disk"] {
        scalars.insert(name.to_owned(), Scalar::default());
    }
    for resource in resources.iter() {
        let suffix = if resource.is_revocable() { "_revocable" } else { "" };
        let name = format!("{}{suffix}", resource.name().as_str());
        match resource.value() {
            Value::Scalar(amount) => *scalars.entry(name).or_default() += *amount,
            Value::Ranges(more) => *ranges.entry(name).or_default() += more,
            Value::Set(more) => *sets.entry(name).or_default() += more,
        }
    }
    scalars.iter().for_each(|(name, amount)| w.field_double(name, amount.to_f64()));
    ranges.iter().for_each(|(name, ranges)| w.field_string(name, &ranges.to_string()));
    sets.iter().for_each(|(name, set)| w.field_string(name, &set.to_string()));
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
        value::Type::RANGES => w.field_string(&attribute.name, &Ranges::from(&*attribute.ranges).to_string()),
        value::Type::SET => w.field_string(&attribute.name, &Set::from(&*attribute.set).to_string()),
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

/// A task.
pub(super) fn task(w: &mut Writer, task: &Task) {
    let details = task.details.as_deref();
    w.object(|w| {
        w.field_string("id", task.id.as_str());
        w.field_string("name", &task.name);
        w.field_string("framework_id", task.framework.as_str());
        w.field_string("executor_id", task.executor.as_ref().map_or("", |id| id.as_str()));
        w.field_string("slave_id", task.agent.as_str());
        w.field_string("state", task.state.proto_name());
        resources(w, "resources", &task.resources);
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
    });
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
        resources(w, "resources", &offer.resources);
    });
}

/// An executor, and on which agent it is.
pub(super) fn executor(w: &mut Writer, executor: &Executor, agent: &str) {
    let info = &executor.info;
    w.object(|w| {
        w.field_string("executor_id", &info.executor_id.value);
        w.field_string("name", info.name.as_deref().unwrap_or_default());
        w.field_string("framework_id", &info.framework_id.value);
        w.field_object("command", |w| command(w, &info.command));
        resources(w, "resources", &executor.resources);
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

fn command(w: &mut Writer, command: &CommandInfo) {
    if let Some(shell) = command.shell {
        w.field_bool("shell", shell);
    }
    if let Some(value) = &command.value {
        w.field_string("value", value);
    }
    strings(w, "argv", command.arguments.iter().map(String::as_str));
    optional(w, "environment", command.environment.as_option());
    w.field_array("uris", &command.uris, |w, uri| {
        w.object(|w| {
            w.field_string("value", &uri.value);
            w.field_bool("executable", uri.executable.unwrap_or(false));
        });
    });
}
