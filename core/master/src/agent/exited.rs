//! The link to an agent broke, and what it comes back to.

use crate::Master;
use crate::cx::Cx;
use crate::event::NO_PID;
use crate::state::status;
use crate::timers::Timer;
use std::collections::BTreeMap;
use tepui_allocator::Input;
use tepui_base::{AgentId, ExecutorId, FrameworkId, OfferId, Set, TaskId};
use tepui_proto::mesos::internal::{
    AgentReregisteredMessage, KillTaskMessage, ReconcileTasksMessage, ReregisterAgentMessage,
};
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{TaskState, TaskStatus};
use tepui_proto::{MessageField, ProtoId, ToProto};
use tepui_wire::Upid;

impl Master {
    /// Nothing more is offered of the agent. Frameworks that do not checkpoint lose their tasks there at once; the
    /// others wait for it.
    pub(crate) fn agent_exited(&mut self, cx: &mut Cx, id: &AgentId) {
        let agent = self.state.agent_mut(id).expect("only registered agents are linked");
        if !agent.connected {
            return;
        }
        agent.connected = false;
        agent.active = false;
        agent.disconnections += 1;
        let (key, number) = (agent.key, agent.disconnections);
        cx.allocator(Input::DeactivateAgent(key));
        self.rescind_agent(cx, id);
        for owner in self.state.agents[id].frameworks() {
            if !self.state.frameworks[&owner].info.checkpoint.unwrap_or(false) {
                self.drop_from_agent(cx, id, &owner);
            }
        }
        let patience = self.config.agent_reregister_timeout;
        self.timers.set(cx.now.monotonic + patience, Timer::Reregister(id.clone(), number));
    }

    /// Takes back every offer of the agent's resources, and every inverse offer about it.
    pub(crate) fn rescind_agent(&mut self, cx: &mut Cx, id: &AgentId) {
        let offers: Vec<OfferId> = self.state.agents[id].offers.iter().cloned().collect();
        for offer in offers {
            self.rescind_offer(cx, &offer);
        }
        self.rescind_inverse_offers_of_agent(cx, id);
    }

    fn drop_from_agent(&mut self, cx: &mut Cx, id: &AgentId, owner: &FrameworkId) {
        let agent = self.state.agents[id].clone();
        let text = format!("Agent {} disconnected", agent.info.hostname);
        for (_, task_id) in agent.tasks.iter().filter(|(framework, _)| framework == owner) {
            let task = &self.state.frameworks[owner].tasks[task_id];
            let (state, reason) = (TaskState::TASK_LOST, Reason::REASON_AGENT_DISCONNECTED);
            let update = status::about(task, state, reason, text.clone(), cx.now.wall);
            self.update_task(cx, owner, task_id, &update);
            self.remove_task(cx, owner, task_id, false);
            if self.state.frameworks[owner].is_connected() {
                self.forward(cx, owner, update, NO_PID);
            }
        }
        for executor in agent.executors_of(owner) {
            self.remove_executor(cx, owner, id, executor);
        }
    }

    /// A known agent says what it runs: it is told which of our tasks it does not have, loses the executors it does
    /// not have, and is told again what to kill.
    pub(crate) fn reconcile_agent(&mut self, cx: &mut Cx, id: &AgentId, pid: &Upid, message: &ReregisterAgentMessage) {
        let reported: Set<(FrameworkId, TaskId)> =
            message.tasks.iter().map(|task| (task.framework_id.id(), task.task_id.id())).collect();
        let reregistered = AgentReregisteredMessage {
            agent_id: id.to_field(),
            reconciliations: self.reconciliations(cx, id, &reported),
            connection: self.connection(),
            ..Default::default()
        };
        cx.send(&self.config.pid, pid, &reregistered);
        let executors: Set<(FrameworkId, ExecutorId)> =
            message.executor_infos.iter().map(|info| (info.framework_id.id(), info.executor_id.id())).collect();
        let agent = self.state.agents[id].clone();
        for (owner, executor) in agent.executors.iter().filter(|known| !executors.contains(known)) {
            self.remove_executor(cx, owner, id, executor);
        }
        for task in &message.tasks {
            let key = (task.framework_id.id(), task.task_id.id());
            if !crate::state::task::is_terminal(task.state) && agent.killed.contains(&key) {
                let message = KillTaskMessage {
                    framework_id: task.framework_id.clone(),
                    task_id: task.task_id.clone(),
                    ..Default::default()
                };
                cx.send(&self.config.pid, pid, &message);
            }
        }
    }

    /// Per framework, the tasks this master knows on the agent and the agent does not.
    fn reconciliations(
        &self,
        cx: &Cx,
        id: &AgentId,
        reported: &Set<(FrameworkId, TaskId)>,
    ) -> Vec<ReconcileTasksMessage> {
        let mut missing: BTreeMap<&FrameworkId, Vec<TaskStatus>> = BTreeMap::new();
        for key in self.state.agents[id].tasks.iter().filter(|key| !reported.contains(key)) {
            let task = &self.state.frameworks[&key.0].tasks[&key.1];
            missing.entry(&key.0).or_default().push(TaskStatus {
                task_id: key.1.to_field(),
                agent_id: id.to_field(),
                state: task.told_state(),
                source: Some(Source::SOURCE_MASTER),
                message: Some("Reconciliation request".to_owned()),
                reason: Some(Reason::REASON_RECONCILIATION),
                timestamp: Some(cx.now.wall.as_secs_f64()),
                ..Default::default()
            });
        }
        missing
            .into_iter()
            .map(|(owner, statuses)| ReconcileTasksMessage {
                framework_id: owner.to_field(),
                statuses,
                framework: MessageField::some((*self.state.frameworks[owner].info).clone()),
                ..Default::default()
            })
            .collect()
    }
}
