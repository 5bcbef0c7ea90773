//! An emulated agent: it registers, answers pings, and pretends to run tasks.

use super::host::Host;
use super::spec::AgentSpec;
use super::task::Task;
use anyhow::bail;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tepui_base::rng::uuid_v4;
use tepui_net::Outlet;
use tepui_proto::mesos::agent_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, ApplyOperationMessage, KillTaskMessage, PingAgentMessage,
    PongAgentMessage, RegisterAgentMessage, ReregisterAgentMessage, RunTaskGroupMessage, RunTaskMessage,
    ShutdownFrameworkMessage, ShutdownMessage, StatusUpdateAcknowledgementMessage, UnregisterAgentMessage,
    UpdateAgentMessage, UpdateOperationStatusMessage,
};
use tepui_proto::mesos::{
    AgentID, AgentInfo, ExecutorInfo, FrameworkInfo, OperationState, OperationStatus, Resource, TaskInfo, TaskState,
    UUID,
};
use tepui_proto::{Message as Proto, MessageField, MessageName, names};
use tepui_wire::{Message, NetEffect, Upid};
use tokio::sync::watch;

/// How long an agent waits for the master's answer before it asks again; Mesos' agents wait about as long.
const RETRY: Duration = Duration::from_secs(5);
/// How often it asks before the scenario is told.
const TRIES: u32 = 12;

/// A handle on an emulated agent. The agent is gone when it is dropped: it answers nothing any more.
pub struct Agent {
    pub(super) inner: Arc<Inner>,
    pub(super) host: Arc<Host>,
}

/// What is told and awaited about an agent's place in the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
enum Standing {
    /// Not (yet) admitted.
    #[default]
    Out,
    Registered(AgentID),
    /// The master told it to go, for this reason.
    Shutdown(String),
}

/// The agent behind its handle.
pub(super) struct Inner {
    pid: Upid,
    /// `pid` as text, as every status update carries it.
    pid_text: String,
    master: Upid,
    outlet: Outlet,
    spec: AgentSpec,
    standing: watch::Sender<Standing>,
    answers_pings: AtomicBool,
    last_uuid: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frameworks: BTreeMap<String, FrameworkInfo>,
    tasks: BTreeMap<String, Task>,
}

impl State {
    /// The executors of its tasks that are not command executors, each once.
    fn executors(&self) -> Vec<ExecutorInfo> {
        let mut found = BTreeMap::new();
        for task in self.tasks.values() {
            if let Some(executor) = task.info.executor.as_option() {
                let mut executor = executor.clone();
                executor.framework_id = task.framework_id().into();
                found.insert((task.framework().to_owned(), executor.executor_id.value.clone()), executor);
            }
        }
        found.into_values().collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.host.remove(&self.inner.pid.id);
    }
}

impl Agent {
    /// Where it listens.
    pub fn pid(&self) -> &Upid {
        &self.inner.pid
    }

    /// Its id, once it has registered.
    pub fn id(&self) -> Option<AgentID> {
        self.inner.id()
    }

    /// Registers, or registers again if it has an id, and waits for the master's answer.
    pub async fn register(&self) -> anyhow::Result<AgentID> {
        let mut standing = self.inner.standing.subscribe();
        standing.mark_unchanged();
        self.host.link();
        for _ in 0..TRIES {
            self.inner.send_registration();
            let Ok(changed) = tokio::time::timeout(RETRY, standing.changed()).await else { continue };
            changed?;
            return match standing.borrow_and_update().clone() {
                Standing::Registered(id) => Ok(id),
                Standing::Shutdown(reason) => bail!("{} is to shut down: {reason}", self.inner.pid),
                Standing::Out => bail!("{} has left meanwhile", self.inner.pid),
            };
        }
        bail!("the master does not answer the registration of {}", self.inner.pid)
    }

    /// Leaves the cluster in order.
    pub fn unregister(&self) {
        if let Some(id) = self.id() {
            self.inner.send(&UnregisterAgentMessage { agent_id: id.into(), ..Default::default() });
            self.inner.standing.send_replace(Standing::Out);
        }
    }

    /// Whether it answers pings; without, the master takes it for lost after a while.
    pub fn answer_pings(&self, on: bool) {
        self.inner.answers_pings.store(on, Ordering::Relaxed);
    }

    /// Reports a state of a task, after those that are still to be reported. Without effect on an unknown task.
    pub fn report(&self, task: &str, state: TaskState) {
        let mut tasks = self.inner.state();
        if let Some(task) = tasks.tasks.get_mut(task) {
            task.push(state);
            self.inner.advance(task);
        }
    }

    /// Sends all updates that are not acknowledged once more, as agents do after a while.
    pub fn retry_updates(&self) {
        let (state, Some(id)) = (self.inner.state(), self.id()) else { return };
        for update in state.tasks.values().filter_map(|task| task.on_its_way(&id, &self.inner.pid_text)) {
            self.inner.send(&update);
        }
    }

    /// Says that it has resources to spare, which are offered as revocable ones.
    pub fn oversubscribe(&self, resources: Vec<Resource>) {
        self.inner.send_update(Some(resources));
    }

    /// Its tasks that are not over and acknowledged, and what they have come to.
    pub fn tasks(&self) -> BTreeMap<String, TaskState> {
        self.inner.state().tasks.iter().map(|(id, task)| (id.clone(), task.latest())).collect()
    }
}

impl Inner {
    pub fn new(pid: Upid, master: Upid, outlet: Outlet, spec: AgentSpec) -> Inner {
        Inner {
            pid_text: pid.to_string(),
            pid,
            master,
            outlet,
            spec,
            standing: watch::Sender::default(),
            answers_pings: AtomicBool::new(true),
            last_uuid: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> Option<AgentID> {
        match &*self.standing.borrow() {
            Standing::Registered(id) => Some(id.clone()),
            Standing::Out | Standing::Shutdown(_) => None,
        }
    }

    fn send<M: Proto + MessageName>(&self, message: &M) {
        self.send_to(&self.master, message);
    }

    fn send_to<M: Proto + MessageName>(&self, to: &Upid, message: &M) {
        let name = names::v0::<M>().into_owned();
        let body = message.encode_to_bytes();
        self.outlet.apply(NetEffect::Send(Message { from: self.pid.clone(), to: to.clone(), name, body }));
    }

    /// Unique among all agents of all emulators at one master: it begins with the address. Marked as a random UUID,
    /// because Mesos drops an update whose UUID is of no known version.
    fn uuid(&self) -> [u8; 16] {
        let number = self.last_uuid.fetch_add(1, Ordering::Relaxed) as u32;
        let address = u64::from(u32::from(self.pid.ip)) << 16 | u64::from(self.pid.port);
        // Agents that share an address differ in their ids.
        let id = self.pid.id.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        uuid_v4(u128::from(address) << 80 | u128::from(id) << 32 | u128::from(number))
    }

    fn resource_version(&self) -> MessageField<UUID> {
        MessageField::some(UUID { value: vec![1; 16], ..UUID::default() })
    }

    fn send_registration(&self) {
        let info = self.spec.info(self.pid.port);
        match self.id() {
            None => self.send(&RegisterAgentMessage {
                agent: info.into(),
                version: Some(self.spec.version.clone()),
                agent_capabilities: self.spec.capabilities_proto(),
                resource_version_uuid: self.resource_version(),
                ..Default::default()
            }),
            Some(id) => self.send(&self.reregistration(info, id)),
        }
    }

    fn reregistration(&self, mut info: AgentInfo, id: AgentID) -> ReregisterAgentMessage {
        let state = self.state();
        info.id = id.clone().into();
        ReregisterAgentMessage {
            agent: info.into(),
            tasks: state.tasks.values().map(|task| task.record(&id)).collect(),
            executor_infos: state.executors(),
            frameworks: state.frameworks.values().cloned().collect(),
            version: Some(self.spec.version.clone()),
            agent_capabilities: self.spec.capabilities_proto(),
            resource_version_uuid: self.resource_version(),
            ..Default::default()
        }
    }

    /// Takes a message; whatever an emulated agent has no use for is dropped.
    pub fn receive(&self, message: &Message) {
        // Bytes of a master under test are not trusted to be well-formed, but a broken message helps no scenario.
        if let Err(error) = self.dispatch(message) {
            tracing::error!(agent = %self.pid, name = message.name, %error, "The master sent what cannot be read");
        }
    }

    fn dispatch(&self, message: &Message) -> Result<(), String> {
        match message.name.strip_prefix("mesos.internal.").unwrap_or_default() {
            "PingSlaveMessage" => self.pinged(message, &read::<PingAgentMessage>(message)?),
            "RunTaskMessage" => self.run(read(message)?),
            "RunTaskGroupMessage" => self.run_group(read(message)?),
            "StatusUpdateAcknowledgementMessage" => self.acknowledged(&read(message)?),
            "KillTaskMessage" => self.kill(&read(message)?),
            "SlaveRegisteredMessage" => self.registered(read::<AgentRegisteredMessage>(message)?.agent_id),
            "SlaveReregisteredMessage" => self.registered(read::<AgentReregisteredMessage>(message)?.agent_id),
            "ShutdownFrameworkMessage" => self.shutdown_framework(&read(message)?),
            "ApplyOperationMessage" => self.apply_operation(read(message)?),
            "ShutdownMessage" => {
                let reason = read::<ShutdownMessage>(message)?.message.unwrap_or_default();
                self.standing.send_replace(Standing::Shutdown(reason));
            }
            _ => {}
        }
        Ok(())
    }

    fn pinged(&self, message: &Message, ping: &PingAgentMessage) {
        if !self.answers_pings.load(Ordering::Relaxed) {
            return;
        }
        self.send_to(&message.from, &PongAgentMessage::default());
        if !ping.connected && self.id().is_some() {
            self.send_registration();
        }
    }

    fn registered(&self, id: MessageField<AgentID>) {
        self.standing.send_replace(Standing::Registered(id.into_option().unwrap_or_default()));
        if self.spec.capabilities.contains(&Capability::RESOURCE_PROVIDER) {
            self.send_update(None);
        }
    }

    /// What an agent with resource providers says after each registration and when it has more or less to spare.
    fn send_update(&self, oversubscribed: Option<Vec<Resource>>) {
        self.send(&UpdateAgentMessage {
            agent_id: self.id().unwrap_or_default().into(),
            update_oversubscribed_resources: Some(oversubscribed.is_some()),
            oversubscribed_resources: oversubscribed.unwrap_or_default(),
            operations: MessageField::some(Default::default()),
            resource_providers: MessageField::some(Default::default()),
            resource_version_uuid: self.resource_version(),
            ..Default::default()
        });
    }

    fn run(&self, message: RunTaskMessage) {
        let framework = message.framework.into_option().unwrap_or_default();
        self.launch(framework, message.task.into_option());
    }

    fn run_group(&self, message: RunTaskGroupMessage) {
        let framework = message.framework.into_option().unwrap_or_default();
        let mut tasks = message.task_group.into_option().unwrap_or_default().tasks;
        for task in &mut tasks {
            task.executor = message.executor.clone();
        }
        self.launch(framework, tasks);
    }

    fn launch(&self, framework: FrameworkInfo, tasks: impl IntoIterator<Item = TaskInfo>) {
        let mut state = self.state();
        let id = (*framework.id).clone();
        if !state.frameworks.contains_key(&id.value) {
            state.frameworks.insert(id.value.clone(), framework);
        }
        for info in tasks {
            let key = info.task_id.value.clone();
            let mut task = Task::new(id.clone(), info, &self.spec.task_states);
            self.advance(&mut task);
            state.tasks.insert(key, task);
        }
    }

    /// Sends the next update of a task, if it is time for it.
    fn advance(&self, task: &mut Task) {
        let id = self.id().unwrap_or_default();
        if let Some(update) = task.next(&id, &self.pid_text, self.uuid()) {
            self.send(&update);
        }
    }

    fn acknowledged(&self, message: &StatusUpdateAcknowledgementMessage) {
        let mut state = self.state();
        let Some(task) = state.tasks.get_mut(&message.task_id.value) else { return };
        if task.acknowledged(&message.uuid) {
            state.tasks.remove(&message.task_id.value);
        } else {
            self.advance(task);
        }
    }

    fn kill(&self, message: &KillTaskMessage) {
        if let Some(task) = self.state().tasks.get_mut(&message.task_id.value) {
            task.push(TaskState::TASK_KILLED);
            self.advance(task);
        }
    }

    fn shutdown_framework(&self, message: &ShutdownFrameworkMessage) {
        let (mut state, id) = (self.state(), &message.framework_id.value);
        state.tasks.retain(|_, task| task.framework() != id);
        state.frameworks.remove(id);
    }

    /// Every operation succeeds at once.
    fn apply_operation(&self, message: ApplyOperationMessage) {
        let agent_id: MessageField<AgentID> = self.id().unwrap_or_default().into();
        let status = OperationStatus {
            operation_id: message.operation_info.id.clone(),
            state: OperationState::OPERATION_FINISHED,
            uuid: MessageField::some(UUID { value: self.uuid().to_vec(), ..UUID::default() }),
            agent_id: agent_id.clone(),
            ..OperationStatus::default()
        };
        self.send(&UpdateOperationStatusMessage {
            framework_id: message.framework_id,
            agent_id,
            latest_status: MessageField::some(status.clone()),
            status: MessageField::some(status),
            operation_uuid: message.operation_uuid,
            ..Default::default()
        });
    }
}

/// The body as the message it should be. Required fields are not checked: that costs as much as the reading itself,
/// and the master's own tests do it.
fn read<M: Proto>(message: &Message) -> Result<M, String> {
    M::decode_from_slice(&message.body).map_err(|error| error.to_string())
}
