//! `/containers`: the containers of executors. What they use is not measured here, so `statistics` is absent, as in
//! Mesos when measuring fails.

use super::{Snapshot, Viewer};
use crate::state::{Executor, executor::Phase};
use tepui_proto::ToProto;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::ContainerStatus;
use tepui_wire::{Request, query};

/// What the agent knows of a container.
pub fn status(executor: &Executor) -> ContainerStatus {
    let container_id = executor.container.to_field();
    ContainerStatus { container_id, executor_pid: executor.pid, ..ContainerStatus::default() }
}

/// Executors whose container exists.
pub fn live<'a>(snapshot: &'a Snapshot, viewer: Viewer<'a>) -> impl Iterator<Item = &'a Executor> {
    snapshot.state.executors().filter(move |executor| executor.phase != Phase::Terminated && viewer.executor(executor))
}

/// All containers, or the one named in the query.
pub fn json(snapshot: &Snapshot, request: &Request, viewer: Viewer<'_>) -> String {
    let wanted = query::decode(&request.query).ok().and_then(|mut query| query.remove("container_id"));
    let is_wanted = |executor: &&Executor| wanted.as_ref().is_none_or(|id| executor.container.as_str() == id);
    let mut out = Writer::new();
    out.array(live(snapshot, viewer).filter(is_wanted), |out, executor| {
        let info = &executor.info;
        out.object(|out| {
            out.field_string("container_id", executor.container.as_str());
            out.field_string("executor_id", executor.id.as_str());
            out.field_string("executor_name", info.name.as_deref().unwrap_or(""));
            out.field_string("framework_id", executor.framework.as_str());
            out.field_string("source", info.source.as_deref().unwrap_or(""));
            out.field_message("status", &status(executor), Names::V0);
        });
    });
    out.finish()
}
