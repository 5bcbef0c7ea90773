//! `/tasks`: tasks of all frameworks, a page at a time.

use super::{Query, json};
use crate::state::{Framework, Shown, Snapshot, Task};
use std::sync::Arc;
use tepui_authz::Action;
use tepui_proto::json::Writer;
use tepui_wire::Request;

/// Tasks on a page, unless the query says otherwise.
const DEFAULT_LIMIT: usize = 100;

/// `/tasks?limit=&offset=&order=&framework_id=&task_id=`: by the time of the first status, newest first unless `order`
/// is `asc`.
pub(super) fn write_tasks(snapshot: &Snapshot, request: &Request, query: &Query, w: &mut Writer) {
    // Mesos reads an int and takes it for a size: -1 is more than there can be.
    let number = |key: &str, default| {
        query.get(key).and_then(|text| text.parse::<i32>().ok()).map_or(default, |number| number as isize as usize)
    };
    let shown = |framework: &&Arc<Framework>| {
        query.get("framework_id").is_none_or(|id| framework.id.as_str() == id)
            && snapshot.approvers.approved(&request.principal, Action::ViewFramework, &framework.info.user)
            && snapshot.approvers.approved(&request.principal, Action::ViewTask, &framework.info.user)
    };
    let frameworks = snapshot.frameworks.values().chain(&snapshot.completed).filter(shown);
    let mut tasks: Vec<&Arc<Shown<Task>>> = frameworks
        .flat_map(|one| one.tasks.values().chain(one.unreachable.values()).chain(&one.completed))
        .filter(|task| query.get("task_id").is_none_or(|id| task.id.as_str() == id))
        .collect();
    // Tasks without a status come first here, and so last when the order is turned round.
    let first = |task: &Task| task.statuses.first().map_or(f64::NEG_INFINITY, |status| status.timestamp.unwrap_or(0.0));
    tasks.sort_by(|left, right| first(left).total_cmp(&first(right)));
    if query.get("order").is_none_or(|order| order != "asc") {
        tasks.reverse();
    }
    let offset = number("offset", 0);
    let end = offset.wrapping_add(number("limit", DEFAULT_LIMIT));
    let page = tasks.into_iter().take(end).skip(offset);
    w.field_array("tasks", page, |w, task| json::task(w, task));
}
