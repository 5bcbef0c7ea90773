//! An agent with a containerizer that starts executors of this world. Its containers die with it: there is no recovery
//! yet.

use super::command::CommandHost;
use super::custom::CustomHost;
use super::{Host, Input, Local, Role};
use crate::check::containers::Container;
use crate::check::{Fact, observe};
use crate::detector::Detector;
use crate::driven::Driven;
use crate::network::{HostId, Process};
use crate::world::{Event, World};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tepui_agent::{Agent, Config, ContainerCommand, ContainerEvent, Effect, Input as In, Leader};
use tepui_base::{ContainerId, Instant, WaitStatus};
use tepui_proto::mesos::VersionInfo;
use tepui_proto::mesos::containerizer::{ContainerConfig, ContainerTermination};
use tepui_resources::Resources;
use tepui_wire::Upid;

/// What each agent has.
pub const RESOURCES: &str = "cpus:8;mem:16384;disk:65536";
/// The program of command executors.
const COMMAND_EXECUTOR: &str = "/libexec/mesos-executor";
const MILLI: u64 = 1_000_000;

/// See the module's text.
pub struct AgentHost {
    pid: Upid,
    detector: Detector,
    process: Option<Driven<Agent>>,
    containers: BTreeMap<ContainerId, HostId>,
}

impl AgentHost {
    /// An agent that will listen at `pid` and finds its master with this.
    pub fn new(pid: Upid, detector: Detector) -> AgentHost {
        AgentHost { pid, detector, process: None, containers: BTreeMap::new() }
    }

    fn config(&self, world: &mut World) -> Config {
        let resources = Resources::parse(RESOURCES, "*").expect("the text is a constant").to_proto();
        Config {
            pid: self.pid.clone(),
            hostname: self.pid.ip.to_string(),
            resources,
            attributes: Vec::new(),
            domain: None,
            work_dir: "/work".to_owned(),
            launcher_dir: "/libexec".to_owned(),
            command_executor: Ok(COMMAND_EXECUTOR.to_owned()),
            http_command_executor: true,
            sandbox_directory: "/mnt/mesos/sandbox".to_owned(),
            switch_user: false,
            isolation: "posix/cpu,posix/mem".to_owned(),
            executor_environment: BTreeMap::new(),
            libprocess_ip: None,
            executor_registration_timeout: Duration::from_secs(60),
            executor_reregistration_timeout: Duration::from_secs(2),
            executor_shutdown_grace_period: Duration::from_secs(5),
            registration_backoff_factor: Duration::from_secs(1),
            recovery_timeout: Duration::from_secs(60),
            max_completed_executors_per_framework: 20,
            flags: BTreeMap::new(),
            version: VersionInfo { version: "1.11.0".to_owned(), ..VersionInfo::default() },
            own_version: String::new(),
            master_hostname: None,
            start_time: world.clock().wall,
            seed: world.rng.next_u64(),
        }
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            for effect in crate::planted::agent_effect(world, me, effect) {
                observe::agent_effect(world, me, &effect);
                match effect {
                    Effect::Net(effect) => world.net(me, effect),
                    Effect::Container(command) => self.container(world, me, command),
                    Effect::Redetect => self.detector.again(world, me),
                    Effect::Exit(_) => {
                        let wait = 1_000 * MILLI + world.rng.below(15_000 * MILLI);
                        world.after(wait, Event::Restart(me.host));
                        world.crash(me.host);
                    }
                    Effect::Files(_) | Effect::Note(_) => {}
                }
            }
        }
    }

    fn container(&mut self, world: &mut World, me: Process, command: ContainerCommand) {
        match command {
            ContainerCommand::Launch { id, config, environment } => self.launch(world, me, id, &config, environment),
            ContainerCommand::Destroy(id) => {
                if let Some(&host) = self.containers.get(&id) {
                    let wait = MILLI + world.rng.below(20 * MILLI);
                    let ended = Local::ExecutorEnded(host, WaitStatus::signaled(9));
                    world.after(wait, Event::Local(me, ended));
                }
            }
            ContainerCommand::Update { id, sequence, .. } => {
                let event = ContainerEvent::Updated { id, sequence, error: None };
                world.after(MILLI, Event::Local(me, Local::Container(event)));
            }
        }
    }

    fn launch(
        &mut self,
        world: &mut World,
        me: Process,
        id: ContainerId,
        config: &ContainerConfig,
        environment: BTreeMap<String, String>,
    ) {
        if world.rng.below(100) == 0 {
            let event = ContainerEvent::LaunchFailed { id, message: "no space left on device".to_owned() };
            return world.after(5 * MILLI, Event::Local(me, Local::Container(event)));
        }
        let get = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let (framework, id_of_executor) = (get("MESOS_FRAMEWORK_ID"), get("MESOS_EXECUTOR_ID"));
        let is_command = config.command_info.value.as_deref() == Some(COMMAND_EXECUTOR);
        let host: Box<dyn Host> =
            if is_command { CommandHost::boxed(me, environment) } else { CustomHost::boxed(me, &environment) };
        let number = world.slots.len();
        let port = 10_000 + (number % 50_000) as u16;
        let third = (number / 50_000) as u8;
        let address = SocketAddrV4::new(Ipv4Addr::new(10, 1, third, me.host as u8), port);
        let executor = world.add(host, address, Some(me.host));
        self.containers.insert(id.clone(), executor);
        let container = Container::new(me, framework, id_of_executor, !is_command);
        world.checks.see(world.now, &Fact::ContainerUp { host: executor, container });
        let wait = 5 * MILLI + world.rng.below(45 * MILLI);
        let event = ContainerEvent::Launched { id, pid: executor as u32 };
        world.after(wait, Event::Local(me, Local::Container(event)));
        world.after(wait + MILLI, Event::Local(me, Local::Start(executor)));
    }

    fn ended(&mut self, world: &mut World, me: Process, executor: HostId, status: WaitStatus) {
        let found = self.containers.iter().find(|(_, host)| **host == executor).map(|(id, _)| id.clone());
        let Some(id) = found else { return };
        self.containers.remove(&id);
        world.remove(executor);
        world.checks.see(world.now, &Fact::ContainerDown { host: executor, status: Some(status.0) });
        let termination = ContainerTermination { status: Some(status.0), ..ContainerTermination::default() };
        let event = ContainerEvent::Terminated { id, termination };
        let wait = MILLI + world.rng.below(10 * MILLI);
        world.after(wait, Event::Local(me, Local::Container(event)));
    }
}

impl Host for AgentHost {
    fn role(&self) -> Role {
        Role::Agent
    }

    fn start(&mut self, world: &mut World, me: Process) {
        for executor in std::mem::take(&mut self.containers).into_values() {
            world.remove(executor);
            world.checks.see(world.now, &Fact::ContainerDown { host: executor, status: None });
        }
        let config = self.config(world);
        self.process = Some(Driven::new(Agent::new(config)));
        self.detector.start(world, me);
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        let input = match input {
            Input::Local(local) => match self.detector.input(world, me, local) {
                Some(local) => Input::Local(local),
                None => return,
            },
            input => input,
        };
        let input = match input {
            Input::Net(input) => In::Net(input),
            Input::Local(Local::Epoch(epoch)) => In::Leader(Leader { epoch: Some(epoch), ..Leader::default() }),
            Input::Local(Local::Detected(master)) => In::Detected(master),
            Input::Local(Local::Container(event)) => In::Container(event),
            Input::Local(Local::Leave(unregister)) => In::Terminate { unregister },
            Input::Local(Local::ExecutorEnded(host, status)) => return self.ended(world, me, host, status),
            Input::Local(Local::Start(executor)) => {
                // It may have been destroyed before it began.
                if self.containers.values().any(|host| *host == executor) {
                    world.start(executor);
                }
                return;
            }
            _ => return,
        };
        observe::agent_input(world, me, &input);
        let is_old = world.checks.epoch_heard(me, &input);
        for input in crate::planted::agent_input(world, me, input) {
            let (Some(agent), now) = (&mut self.process, world.clock()) else { return };
            let effects = agent.handle(now, input);
            // That it does nothing is noted.
            if is_old && effects.iter().any(|effect| !matches!(effect, Effect::Note(_))) {
                world.checks.object(world.now, format!("agent {me:?} does what a master of an older epoch says"));
            }
            self.perform(world, me, effects);
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        self.detector.tick(world, me);
        let (Some(agent), now) = (&mut self.process, world.clock()) else { return };
        let effects = agent.tick(now);
        self.perform(world, me, effects);
    }

    fn deadline(&self) -> Option<Instant> {
        self.process.as_ref().and_then(Driven::deadline).into_iter().chain(self.detector.deadline()).min()
    }

    fn dependants(&self) -> Vec<HostId> {
        self.containers.values().copied().collect()
    }
}
