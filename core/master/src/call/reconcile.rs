//! RECONCILE: the framework asks for what is known of its tasks.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::metrics::Counter;
use crate::state::status::{Made, add_unreachable_time, known};
use tepui_base::{AgentId, FrameworkId, TaskId, Wall};
use tepui_proto::ProtoId;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::StatusUpdate;
use tepui_proto::mesos::scheduler::call::reconcile;
use tepui_proto::mesos::task_status::Reason;

impl Master {
    /// Answers each task asked about, or all that are known if none is. There is no answer about a task that may be on
    /// an agent that has not come back since a failover of the master.
    pub(crate) fn reconcile(&mut self, cx: &mut Cx, from: &FrameworkId, tasks: &[reconcile::Task]) {
        self.state.metrics.count(Counter::ReconcileTasks);
        let answers: Vec<StatusUpdate> = if tasks.is_empty() {
            let tasks = self.state.frameworks[from].tasks.values();
            tasks.map(|task| latest(task, cx.now.wall)).collect()
        } else {
            tasks
                .iter()
                .filter_map(|task| {
                    let agent = task.agent_id.as_option().map(AgentId::from);
                    self.reconcile_one(from, &task.task_id.id(), agent.as_ref(), cx.now.wall)
                })
                .collect()
        };
        for update in answers {
            self.tell(cx, from, Event::Update(Box::new(update), None));
        }
    }

    fn reconcile_one(
        &self,
        from: &FrameworkId,
        id: &TaskId,
        agent: Option<&AgentId>,
        now: Wall,
    ) -> Option<StatusUpdate> {
        let framework = &self.state.frameworks[from];
        if let Some(task) = framework.tasks.get(id) {
            return Some(latest(task, now));
        }
        let recovered = &self.state.recovered_agents;
        if agent.map_or(!recovered.is_empty(), |agent| recovered.contains_key(agent)) {
            return None;
        }
        let (state, message, since) = self.whereabouts(agent);
        let state = framework.lost_as(state);
        let (reason, message) = (Reason::REASON_RECONCILIATION, format!("Reconciliation: {message}"));
        let mut update = Made { framework: from, agent, task: id, state, reason, message }.update(now);
        if let Some(since) = since {
            add_unreachable_time(&mut update, since);
        }
        Some(update)
    }

    /// What must have become of a task that is not known, by the agent it should be on.
    fn whereabouts(&self, agent: Option<&AgentId>) -> (TaskState, &'static str, Option<i64>) {
        let Some(agent) = agent else { return (TaskState::TASK_UNKNOWN, "Task is unknown", None) };
        if self.state.agents.contains_key(agent) {
            (TaskState::TASK_GONE, "Task is unknown to the agent", None)
        } else if let Some(since) = self.state.unreachable.get(agent) {
            (TaskState::TASK_UNREACHABLE, "Task is unreachable", Some(*since))
        } else if self.state.gone.contains_key(agent) {
            (TaskState::TASK_GONE_BY_OPERATOR, "Task is gone", None)
        } else {
            (TaskState::TASK_UNKNOWN, "Task is unknown", None)
        }
    }
}

fn latest(task: &crate::state::Task, now: Wall) -> StatusUpdate {
    known(task, task.told_state(), Reason::REASON_RECONCILIATION, "Reconciliation: Latest task state", now)
}
