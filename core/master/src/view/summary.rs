//! `/state-summary`: agents and frameworks with the numbers of their tasks by state, without the tasks.

use super::{Query, agents, frameworks};
use crate::state::{Framework, Snapshot, Task};
use buffa::Enumeration;
use std::collections::{BTreeMap, BTreeSet};
use tepui_authz::Action;
use tepui_base::{AgentId, FrameworkId};
use tepui_proto::json::Writer;
use tepui_proto::mesos::TaskState;
use tepui_wire::Request;

/// The states that are counted, in the order of Mesos; TASK_DROPPED, TASK_GONE and the like count nowhere.
const COUNTED: [TaskState; 10] = [
    TaskState::TASK_STAGING,
    TaskState::TASK_STARTING,
    TaskState::TASK_RUNNING,
    TaskState::TASK_KILLING,
    TaskState::TASK_FINISHED,
    TaskState::TASK_KILLED,
    TaskState::TASK_FAILED,
    TaskState::TASK_LOST,
    TaskState::TASK_ERROR,
    TaskState::TASK_UNREACHABLE,
];

/// Tasks by state, and with whom they were.
struct Counts<'a, Other> {
    tasks: [u64; COUNTED.len()],
    others: BTreeSet<&'a Other>,
}

impl<Other> Default for Counts<'_, Other> {
    fn default() -> Self {
        Counts { tasks: [0; COUNTED.len()], others: BTreeSet::new() }
    }
}

impl<'a, Other: Ord> Counts<'a, Other> {
    fn add(&mut self, task: &Task, other: &'a Other) {
        if let Some(at) = COUNTED.iter().position(|state| *state == task.state) {
            self.tasks[at] += 1;
        }
        self.others.insert(other);
    }
}

/// All counts, in one pass over all tasks of registered frameworks: running, unreachable and completed.
#[derive(Default)]
struct Summary<'a> {
    agents: BTreeMap<&'a AgentId, Counts<'a, FrameworkId>>,
    frameworks: BTreeMap<&'a FrameworkId, Counts<'a, AgentId>>,
}

impl<'a> Summary<'a> {
    fn of(snapshot: &'a Snapshot) -> Summary<'a> {
        let mut summary = Summary::default();
        for framework in snapshot.frameworks.values() {
            let counts = summary.frameworks.entry(&framework.id).or_default();
            let tasks = framework.tasks.values().chain(framework.unreachable.values()).chain(&framework.completed);
            for task in tasks {
                counts.add(task, &task.agent);
                summary.agents.entry(&task.agent).or_default().add(task, &framework.id);
            }
        }
        summary
    }
}

/// `/state-summary`
pub(super) fn write_summary(snapshot: &Snapshot, request: &Request, _: &Query, w: &mut Writer) {
    let summary = Summary::of(snapshot);
    w.field_string("hostname", &snapshot.config.hostname);
    if let Some(cluster) = &snapshot.config.cluster {
        w.field_string("cluster", cluster);
    }
    let may_see = |framework: &Framework| {
        snapshot.approvers.approved(&request.principal, Action::ViewFramework, &framework.info.user)
    };
    w.field_array("slaves", snapshot.agents.values(), |w, agent| {
        w.object(|w| {
            agents::write_agent(snapshot, &request.principal, agent, w);
            let counts = summary.agents.get(&agent.id);
            write_counts(counts, w);
            let ids = counts.into_iter().flat_map(|counts| &counts.others);
            w.field_array("framework_ids", ids, |w, id| w.string(id.as_str()));
        });
    });
    let seen = snapshot.frameworks.values().filter(|framework| may_see(framework));
    w.field_array("frameworks", seen, |w, framework| {
        w.object(|w| {
            frameworks::write_summary(framework, w);
            let counts = summary.frameworks.get(&framework.id);
            write_counts(counts, w);
            let ids = counts.into_iter().flat_map(|counts| &counts.others);
            w.field_array("slave_ids", ids, |w, id| w.string(id.as_str()));
        });
    });
}

fn write_counts<Other>(counts: Option<&Counts<'_, Other>>, w: &mut Writer) {
    for (at, state) in COUNTED.iter().enumerate() {
        w.key(state.proto_name());
        w.u64(counts.map_or(0, |counts| counts.tasks[at]));
    }
}
