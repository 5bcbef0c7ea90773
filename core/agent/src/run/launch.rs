//! Launching an executor: its record, its sandbox under `/files`, its container.

use super::Assignment;
use crate::state::{Connection, Executor, executor};
use crate::timers::Timer;
use crate::{Agent, ContainerCommand, Cx, Effect, FilesCommand, environment, paths};
use std::sync::Arc;
use tepui_base::rng::uuid_text;
use tepui_base::{AgentId, ContainerId};
use tepui_proto::MessageField;
use tepui_proto::mesos::containerizer::ContainerConfig;
use tepui_proto::mesos::executor_info::Type;

impl Agent {
    /// Launches the executor of an assignment with its tasks queued.
    pub(crate) fn launch_executor(&mut self, cx: &mut Cx<'_>, assignment: &Assignment) {
        let Some(agent) = self.state.id.clone() else { return };
        let container = ContainerId::from(uuid_text(&self.rng.uuid()));
        let executor = self.new_executor(assignment, &agent, container.clone());
        let (framework, id) = (executor.framework.clone(), executor.id.clone());
        let config = container_config(assignment, &executor);
        let checkpoint = assignment.framework.checkpoint.unwrap_or(false);
        let mut environment = environment::of_executor(&self.config, &executor, &agent, checkpoint);
        for variable in self.hooks.agent_executor_environment(&executor.info).unwrap_or_default().variables {
            environment.insert(variable.name, variable.value.unwrap_or_default());
        }
        cx.note(format!("Launching container {container} for executor '{id}' of framework {framework}"));
        self.attach_sandbox(cx, &agent, &executor);
        self.containers.insert(container.clone(), (framework.clone(), id.clone()));
        if let Some(of) = self.state.framework_mut(&framework) {
            of.executors.insert(id.clone(), Arc::new(executor));
        }
        self.queue(cx, assignment);
        if assignment.executor.r#type == Some(Type::DEFAULT) {
            let text = "executors of type DEFAULT need nested containers, which this agent does not have yet";
            self.launch_failed(cx, &container, text);
            return;
        }
        let timeout = cx.now.monotonic + self.config.executor_registration_timeout;
        self.timers.set(timeout, Timer::ExecutorRegistration(container.clone()));
        let config = Box::new(config);
        cx.push(Effect::Container(ContainerCommand::Launch { id: container, config, environment }));
    }

    fn new_executor(&self, assignment: &Assignment, agent: &AgentId, container: ContainerId) -> Executor {
        let (framework, id) = (assignment.framework_id(), assignment.executor_id());
        let path = paths::executor(&self.config.work_dir, agent, &framework, &id);
        let command = assignment.executor.command.as_option();
        let user = command.and_then(|command| command.user.clone()).unwrap_or(assignment.framework.user.clone());
        Executor {
            directory: paths::sandbox(&path, &container),
            id,
            framework,
            info: Arc::new(assignment.executor.clone()),
            generated_for_command_task: assignment.generated,
            container,
            user: self.config.switch_user.then_some(user),
            phase: executor::Phase::Registering,
            connection: Connection::None,
            pid: None,
            queued: Vec::new(),
            launched: imbl::OrdMap::new(),
            terminated: imbl::OrdMap::new(),
            completed: std::collections::VecDeque::new(),
            pending_termination: None,
            container_updates: 0,
        }
    }

    /// Serves the sandbox under its own path and, twice, as the latest run of its executor.
    fn attach_sandbox(&self, cx: &mut Cx<'_>, agent: &AgentId, executor: &Executor) {
        let path = paths::executor(&self.config.work_dir, agent, &executor.framework, &executor.id);
        let virtual_latest = paths::virtual_latest(&executor.framework, &executor.id);
        for virtual_path in [paths::latest(&path), virtual_latest, executor.directory.clone()] {
            let real_path = executor.directory.clone();
            cx.push(Effect::Files(FilesCommand::Attach { virtual_path, real_path }));
        }
    }
}

/// What the containerizer needs to know.
fn container_config(assignment: &Assignment, executor: &Executor) -> ContainerConfig {
    let tasks = assignment.tasks.iter().map(|task| &task.resources);
    // The first tasks' resources count from the start, or the executor would start in a container too small.
    let resources = executor::sum(std::iter::once(&assignment.executor.resources).chain(tasks));
    let mut info = assignment.executor.clone();
    info.resources.clone_from(&resources);
    let task = assignment.tasks.first().filter(|_| assignment.generated);
    ContainerConfig {
        command_info: info.command.clone(),
        container_info: info.container.clone(),
        executor_info: MessageField::some(info),
        resources,
        directory: executor.directory.clone(),
        user: executor.user.clone(),
        task_info: task.map_or_else(MessageField::none, |task| MessageField::some(task.clone())),
        ..ContainerConfig::default()
    }
}
