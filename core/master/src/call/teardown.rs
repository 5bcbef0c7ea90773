//! TEARDOWN, and every other way a framework ends.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::state::task::is_terminal;
use crate::state::{Connection, status};
use crate::subscribers::Change;
use std::sync::Arc;
use tepui_allocator::Input;
use tepui_base::{AgentId, ExecutorId, FrameworkId, TaskId};
use tepui_proto::ToProto;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::ShutdownFrameworkMessage;
use tepui_proto::mesos::task_status::Reason;

impl Master {
    /// The framework ends itself. Only a driver's word is a message that is counted.
    pub(crate) fn teardown(&mut self, cx: &mut Cx, id: &FrameworkId) {
        if self.state.frameworks[id].pid.is_some() {
            self.state.metrics.count(Counter::UnregisterFramework);
        }
        self.remove_framework(cx, id);
    }

    /// Ends a framework: agents shut its executors down, its tasks are killed (it is not told), its id is never used
    /// again.
    pub(crate) fn remove_framework(&mut self, cx: &mut Cx, id: &FrameworkId) {
        if self.state.frameworks[id].active {
            self.deactivate_framework(cx, id, false);
        }
        self.withdraw_offers(cx, id, false);
        for agent in self.state.agents.values() {
            let message = ShutdownFrameworkMessage { framework_id: id.to_field(), ..Default::default() };
            cx.send(&self.config.pid, &agent.pid, &message);
        }
        self.kill_all(cx, id);
        let executors: Vec<(AgentId, ExecutorId)> = self.state.frameworks[id].executors.keys().cloned().collect();
        for (agent, executor) in executors {
            self.remove_executor(cx, id, &agent, &executor);
        }
        self.detach(cx, id);
        self.timers.cancel_failover(id);
        let mut framework = self.state.frameworks.remove(id).expect("a framework is removed once");
        let record = Arc::make_mut(&mut framework);
        assert!(record.used.is_empty() && record.offered.is_empty(), "a framework that ends holds nothing");
        record.connection = Connection::Disconnected;
        record.active = false;
        record.unregistered = cx.now.wall;
        cx.allocator(Input::RemoveFramework(record.key));
        self.keys.framework_ids.remove(record.key);
        self.keys.frameworks.retire(record.key);
        let info = framework.info.clone();
        self.state.completed.push_back(framework);
        while self.state.completed.len() > self.config.max_completed_frameworks {
            self.state.completed.pop_front();
        }
        self.publish(cx, Change::FrameworkRemoved(&info));
    }

    fn kill_all(&mut self, cx: &mut Cx, id: &FrameworkId) {
        let message = || format!("Framework {id} removed");
        let tasks: Vec<TaskId> = self.state.frameworks[id].tasks.keys().cloned().collect();
        for task_id in tasks {
            let task = &self.state.frameworks[id].tasks[&task_id];
            let update =
                status::about(task, TaskState::TASK_KILLED, Reason::REASON_FRAMEWORK_REMOVED, message(), cx.now.wall);
            self.update_task(cx, id, &task_id, &update);
            self.remove_task(cx, id, &task_id, false);
        }
        let limit = self.config.max_completed_tasks_per_framework;
        let framework = self.state.framework_mut(id).expect("a framework is removed once");
        let (mut told, mut ended) = (Vec::new(), 0);
        for task_id in std::mem::take(&mut framework.unreachable_order) {
            let Some(mut task) = framework.unreachable.remove(&task_id) else { continue };
            let killed = Arc::make_mut(&mut task);
            let (state, reason) = (TaskState::TASK_KILLED, Reason::REASON_FRAMEWORK_REMOVED);
            let update = status::about(killed, state, reason, message(), cx.now.wall);
            if !is_terminal(killed.state) {
                killed.state = TaskState::TASK_KILLED;
                ended += 1;
            }
            let is_news = killed.is_news(&update.status);
            killed.add_status(&update.status);
            if is_news {
                told.push((killed.state, update));
            }
            framework.add_completed(task, limit);
        }
        framework.metrics.terminal[TaskState::TASK_KILLED as usize] += ended;
        for (state, update) in told {
            self.publish(cx, Change::TaskUpdated(id, state, &update.status));
        }
    }
}
