//! Frameworks, executors and tasks as the endpoints from before V1 show them, keys in the order of Mesos.
//!
//! Source: `common/http.cpp`, `FrameworkWriter` and `ExecutorWriter` of `slave/http.cpp`.

use super::{Viewer, resources};
use crate::state::framework::has_capability;
use crate::state::{Executor, Framework};
use std::sync::Arc;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::executor_info::Type as ExecutorType;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::{ContainerStatus, Labels, NetworkInfo, Resource, Task, TaskInfo, TaskStatus};

/// These endpoints print V0 messages.
const V0: Names = Names::V0;

pub fn framework(out: &mut Writer, framework: &Framework, viewer: Viewer<'_>) {
    let info = &framework.info;
    out.object(|out| {
        out.field_string("id", framework.id.as_str());
        out.field_string("name", &info.name);
        out.field_string("user", &info.user);
        out.field_double("failover_timeout", info.failover_timeout.unwrap_or(0.0));
        out.field_bool("checkpoint", info.checkpoint.unwrap_or(false));
        out.field_string("hostname", info.hostname.as_deref().unwrap_or(""));
        if let Some(principal) = &info.principal {
            out.field_string("principal", principal);
        }
        if has_capability(info, Capability::MULTI_ROLE) {
            out.field_array("roles", &info.roles, |out, role| out.string(role));
        } else {
            out.field_string("role", info.role.as_deref().unwrap_or("*"));
        }
        let seen = |executor: &&Arc<Executor>| viewer.executor(executor);
        let current = framework.executors.values().filter(seen);
        out.field_array("executors", current, |out, of| executor(out, of, viewer));
        let completed = framework.completed_executors.iter().filter(seen);
        out.field_array("completed_executors", completed, |out, of| executor(out, of, viewer));
    });
}

fn executor(out: &mut Writer, executor: &Executor, viewer: Viewer<'_>) {
    let seen = |task: &&Arc<Task>| viewer.task(task);
    let allocated = executor.allocated();
    let info = &executor.info;
    out.object(|out| {
        out.field_string("id", executor.id.as_str());
        out.field_string("name", info.name.as_deref().unwrap_or(""));
        out.field_string("source", info.source.as_deref().unwrap_or(""));
        out.field_string("container", executor.container.as_str());
        out.field_string("directory", &executor.directory);
        out.key("resources");
        resources::write(out, &allocated);
        write_role(out, &info.resources);
        write_labels(out, info.labels.as_option());
        if let Some(kind) = info.r#type {
            out.field_string("type", if kind == ExecutorType::DEFAULT { "DEFAULT" } else { "CUSTOM" });
        }
        out.field_array("tasks", executor.launched.values().filter(seen), |out, t| task(out, t));
        out.field_array("queued_tasks", &executor.queued, |out, queued| queued_task(out, &queued.task));
        let done = executor.completed.iter().chain(executor.terminated.values()).filter(seen);
        out.field_array("completed_tasks", done, |out, t| task(out, t));
    });
}

fn queued_task(out: &mut Writer, task: &TaskInfo) {
    out.object(|out| {
        out.field_string("id", &task.task_id.value);
        out.field_string("name", &task.name);
        out.field_string("slave_id", &task.agent_id.value);
        out.key("resources");
        resources::write(out, &task.resources);
        write_role(out, &task.resources);
        if let Some(command) = task.command.as_option() {
            out.key("command");
            tepui_api::write_command(out, command);
        }
        if let Some(executor) = task.executor.as_option() {
            out.field_string("executor_id", &executor.executor_id.value);
        }
        if let Some(discovery) = task.discovery.as_option() {
            out.field_message("discovery", discovery, V0);
        }
    });
}

fn task(out: &mut Writer, task: &Task) {
    out.object(|out| {
        out.field_string("id", &task.task_id.value);
        out.field_string("name", &task.name);
        out.field_string("framework_id", &task.framework_id.value);
        out.field_string("executor_id", &task.executor_id.value);
        out.field_string("slave_id", &task.agent_id.value);
        out.field_string("state", &format!("{:?}", task.state));
        out.key("resources");
        resources::write(out, &task.resources);
        if !task.limits.is_empty() {
            let limits = &task.limits;
            out.field_object("limits", |out| {
                limits.iter().for_each(|(name, limit)| out.field_double(name, limit.value))
            });
        }
        write_role(out, &task.resources);
        out.field_array("statuses", &task.statuses, status);
        if let Some(user) = &task.user {
            out.field_string("user", user);
        }
        write_labels(out, task.labels.as_option());
        if let Some(discovery) = task.discovery.as_option() {
            out.field_message("discovery", discovery, V0);
        }
        if let Some(container) = task.container.as_option() {
            out.field_message("container", container, V0);
        }
        if let Some(check) = task.health_check.as_option() {
            out.field_message("health_check", check, V0);
        }
    });
}

fn status(out: &mut Writer, status: &TaskStatus) {
    out.object(|out| {
        out.field_string("state", &format!("{:?}", status.state));
        out.field_double("timestamp", status.timestamp.unwrap_or(0.0));
        write_labels(out, status.labels.as_option());
        if let Some(container) = status.container_status.as_option() {
            out.key("container_status");
            container_status(out, container);
        }
        if let Some(healthy) = status.healthy {
            out.field_bool("healthy", healthy);
        }
    });
}

fn container_status(out: &mut Writer, status: &ContainerStatus) {
    out.object(|out| {
        if let Some(id) = status.container_id.as_option() {
            out.field_message("container_id", id, V0);
        }
        if !status.network_infos.is_empty() {
            out.field_array("network_infos", &status.network_infos, network_info);
        }
        if let Some(cgroup) = status.cgroup_info.as_option() {
            out.field_message("cgroup_info", cgroup, V0);
        }
    });
}

fn network_info(out: &mut Writer, info: &NetworkInfo) {
    out.object(|out| {
        if !info.groups.is_empty() {
            out.field_array("groups", &info.groups, |out, group| out.string(group));
        }
        write_labels(out, info.labels.as_option());
        if !info.ip_addresses.is_empty() {
            out.field_array("ip_addresses", &info.ip_addresses, |out, address| out.message(address, V0));
        }
        if let Some(name) = &info.name {
            out.field_string("name", name);
        }
        if !info.port_mappings.is_empty() {
            out.field_array("port_mappings", &info.port_mappings, |out, mapping| out.message(mapping, V0));
        }
    });
}

/// The role resources are allocated to: all of a task or executor go to one.
fn write_role(out: &mut Writer, resources: &[Resource]) {
    if let Some(first) = resources.first() {
        out.field_string("role", first.allocation_info.role.as_deref().unwrap_or("*"));
    }
}

fn write_labels(out: &mut Writer, labels: Option<&Labels>) {
    if let Some(labels) = labels {
        out.field_array("labels", &labels.labels, |out, label| out.message(label, V0));
    }
}
