//! `/containers` and `/monitor/statistics`: the containers of executors, and what they use.
//!
//! What cannot be measured is left out, as in Mesos when measuring fails. Keys are sorted. Source: `src/slave/http.cpp`.

use super::{Snapshot, Viewer};
use crate::state::{Executor, executor::Phase};
use tepui_api::Host;
use tepui_proto::ToProto;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::value::Type;
use tepui_proto::mesos::{ContainerStatus, ResourceStatistics};
use tepui_wire::Request;

/// What the agent knows of a container.
pub fn status(executor: &Executor) -> ContainerStatus {
    let container_id = executor.container.to_field();
    ContainerStatus { container_id, executor_pid: executor.pid, ..ContainerStatus::default() }
}

/// What a container uses now, and what it may use.
pub fn statistics(snapshot: &Snapshot, host: &dyn Host, executor: &Executor) -> Option<ResourceStatistics> {
    let mut statistics = host.usage(executor.container.as_str())?;
    statistics.timestamp = snapshot.now.wall.as_secs_f64();
    let allocated = executor.allocated();
    let amount = |name: &str| -> f64 {
        let scalars = allocated.iter().filter(|one| one.name == name && one.r#type == Type::SCALAR);
        scalars.map(|one| one.scalar.value).sum()
    };
    let (cpus, mem_bytes) = (amount("cpus"), amount("mem") * MEGABYTE);
    if cpus > 0.0 {
        statistics.cpus_soft_limit = Some(cpus);
    }
    if mem_bytes > 0.0 {
        statistics.mem_limit_bytes = Some(mem_bytes as u64);
        statistics.mem_soft_limit_bytes = Some(mem_bytes as u64);
    }
    Some(statistics)
}

/// Bytes in a unit of `mem`.
const MEGABYTE: f64 = 1024.0 * 1024.0;

/// Executors whose container exists.
pub fn live<'a>(snapshot: &'a Snapshot, viewer: Viewer<'a>) -> impl Iterator<Item = &'a Executor> {
    snapshot.state.executors().filter(move |executor| executor.phase != Phase::Terminated && viewer.executor(executor))
}

/// All containers, or the one that the query names.
pub fn json(snapshot: &Snapshot, host: &dyn Host, request: &Request, viewer: Viewer<'_>) -> String {
    let query = request.query_pairs();
    let wanted = query.get("container_id");
    let is_wanted = |executor: &&Executor| wanted.is_none_or(|wanted| wanted == executor.container.as_str());
    let mut out = Writer::new();
    out.array(live(snapshot, viewer).filter(is_wanted), |out, executor| {
        out.object(|out| {
            out.field_string("container_id", executor.container.as_str());
            identity(out, executor);
            if let Some(statistics) = statistics(snapshot, host, executor) {
                out.field_sorted("statistics", &statistics, Names::V0);
            }
            out.field_sorted("status", &status(executor), Names::V0);
        });
    });
    out.finish()
}

/// Executors that can be measured.
pub fn monitor(snapshot: &Snapshot, host: &dyn Host, viewer: Viewer<'_>) -> String {
    let measured = live(snapshot, viewer);
    let measured = measured.filter_map(|executor| Some((executor, statistics(snapshot, host, executor)?)));
    let mut out = Writer::new();
    out.array(measured, |out, (executor, statistics)| {
        out.object(|out| {
            identity(out, executor);
            out.field_sorted("statistics", &statistics, Names::V0);
        });
    });
    out.finish()
}

fn identity(out: &mut Writer, executor: &Executor) {
    let info = &executor.info;
    out.field_string("executor_id", executor.id.as_str());
    out.field_string("executor_name", info.name.as_deref().unwrap_or(""));
    out.field_string("framework_id", executor.framework.as_str());
    out.field_string("source", info.source.as_deref().unwrap_or(""));
}
