//! LAUNCH: tasks with their own executor or none, each judged for itself.

use super::{Purse, Refusal, decorate, downgrade_for, prepare_task, resource_versions};
use crate::Master;
use crate::call::subscribe::pid_text;
use crate::cx::Cx;
use crate::state::Task;
use crate::validate;
use tepui_authz::Action;
use tepui_proto::mesos::TaskInfo;
use tepui_proto::mesos::health_check::Type as HealthCheckType;
use tepui_proto::mesos::internal::RunTaskMessage;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::{MessageField, ToProto};
use tepui_resources::Resources;

impl Master {
    /// A resource that is malformed spoils all tasks of the operation; anything else only its own task.
    pub(super) fn launch(&mut self, cx: &mut Cx, purse: &mut Purse, operation: Operation) {
        let has_id = operation.id.is_set();
        let mut tasks = operation.launch.into_option().unwrap_or_default().task_infos;
        let prepared = tasks.iter_mut().try_for_each(|task| prepare_task(task, &purse.role));
        let error = match prepared {
            Err(text) => Some(text),
            Ok(()) if has_id => Some("The `id` field cannot be set on LAUNCH operations".to_owned()),
            Ok(()) => None,
        };
        if let Some(text) = error {
            let refusal = Refusal::error(Reason::REASON_TASK_INVALID, text);
            return self.answer(cx, &purse.framework, &tasks, &refusal);
        }
        for mut task in tasks {
            complete(&mut task, purse);
            self.launch_task(cx, purse, task);
        }
    }

    fn launch_task(&mut self, cx: &mut Cx, purse: &mut Purse, task: TaskInfo) {
        let refused = match self.may_run(purse, &task) {
            Err(text) => Some((text, Reason::REASON_TASK_UNAUTHORIZED)),
            Ok(()) => {
                let framework = &self.state.frameworks[&purse.framework];
                let agent = &self.state.agents[&purse.agent];
                let valid = validate::task::validate(&task, framework, agent, &purse.available());
                valid.err().map(|text| (text, Reason::REASON_TASK_INVALID))
            }
        };
        if let Some((text, reason)) = refused {
            let refusal = Refusal::error(reason, text);
            return self.answer(cx, &purse.framework, std::slice::from_ref(&task), &refusal);
        }
        let (launch_executor, mut consumed) = match task.executor.as_option() {
            Some(executor) => self.ensure_executor(purse, executor),
            None => (true, Resources::new()),
        };
        let resources = Resources::from_proto(&task.resources);
        consumed += &resources;
        purse.spend(&consumed);
        self.add_task(cx, Task::staging(&task, &purse.framework, resources));
        let framework = self.state.framework_mut(&purse.framework).expect("a caller is registered");
        framework.metrics.launch += 1;
        self.send_run_task(cx, purse, task, launch_executor);
    }

    fn send_run_task(&mut self, cx: &mut Cx, purse: &Purse, mut task: TaskInfo, launch_executor: bool) {
        let framework = &self.state.frameworks[&purse.framework];
        let agent = &self.state.agents[&purse.agent];
        decorate(self, &mut task, framework, agent);
        downgrade_for(agent, &mut task);
        let message = RunTaskMessage {
            framework: MessageField::some((*framework.info).clone()),
            task: MessageField::some(task),
            resource_version_uuids: resource_versions(agent),
            pid: Some(pid_text(framework)),
            launch_executor: Some(launch_executor),
            ..Default::default()
        };
        cx.send(&self.config.pid, &agent.pid, &message);
    }

    /// Whether the framework may run a task as the user it asks for.
    pub(super) fn may_run(&self, purse: &Purse, task: &TaskInfo) -> Result<(), String> {
        let framework = &self.state.frameworks[&purse.framework];
        let user = task
            .command
            .user
            .as_deref()
            .or(task.executor.command.user.as_deref())
            .unwrap_or(framework.info.user.as_str());
        if self.state.approvers.approved(&framework.info.principal, Action::RunTask, user) {
            return Ok(());
        }
        let principal = framework.info.principal.as_deref().unwrap_or_default();
        Err(format!("Principal '{principal}' is not authorized to launch task as user '{user}'"))
    }
}

/// Fills in what a framework may leave out.
fn complete(task: &mut TaskInfo, purse: &Purse) {
    if let Some(executor) = task.executor.as_option_mut()
        && !executor.framework_id.is_set()
    {
        executor.framework_id = purse.framework.to_field();
    }
    if let Some(check) = task.health_check.as_option_mut()
        && check.r#type.is_none()
    {
        check.r#type = match (check.command.is_set(), check.http.is_set()) {
            (true, false) => Some(HealthCheckType::COMMAND),
            (false, true) => Some(HealthCheckType::HTTP),
            _ => None,
        };
    }
}
