//! A real agent on a real network, with a master played by the test and executors that are shell commands.

use std::time::Duration;
use tepui_agentd::{Handle, Settings};
use tepui_driver::Clock;
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::*;
use tepui_proto::{Message, MessageField, MessageName, codec, names};
use tepui_wire::{NetEffect, NetInput, Upid};

/// Long enough for a slow machine, short enough to say that something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    _dir: tempfile::TempDir,
    agent: Handle,
    inbox: Inbox,
    outlet: Outlet,
    agent_pid: Upid,
}

fn field<M: Message>(message: M) -> MessageField<M> {
    MessageField::some(message)
}

impl World {
    /// An agent that has registered.
    async fn start() -> World {
        let dir = tempfile::tempdir().unwrap();
        let master = Node::bind(NetConfig::loopback()).await.unwrap();
        let (inbox, outlet) = master.spawn("master").unwrap();
        let args = [
            "--ip=127.0.0.1".to_owned(),
            "--port=0".to_owned(),
            format!("--master={}", master.address()),
            format!("--work_dir={}", dir.path().join("work").display()),
            format!("--runtime_dir={}", dir.path().join("run").display()),
            "--resources=cpus:4;mem:1024;disk:1024".to_owned(),
            "--registration_backoff_factor=10ms".to_owned(),
            "--no-switch_user".to_owned(),
        ];
        let read_file = |_: &str| unreachable!("no flag names a file");
        let values = tepui_flags::parse(&[tepui_flags::agent::FLAGS], &args, &[], "MESOS_", &read_file).unwrap();
        let settings = Settings::from_values(&values, |_| None).unwrap();
        let mesos = VersionInfo { version: "1.11.0".into(), ..VersionInfo::default() };
        let agent = tepui_agentd::start(&settings, mesos, "0.1.0", Clock::default()).await.unwrap();
        let agent_pid = agent.node().upid("slave(1)");
        let mut world = World { _dir: dir, agent, inbox, outlet, agent_pid };
        let register: RegisterAgentMessage = world.expect().await;
        assert_eq!(register.agent.hostname, "localhost");
        world.send(&AgentRegisteredMessage { agent_id: agent_id(), ..Default::default() });
        world
    }

    fn send<M: Message + MessageName>(&self, message: &M) {
        self.outlet.apply(NetEffect::Send(tepui_wire::Message {
            from: self.outlet.upid(),
            to: self.agent_pid.clone(),
            name: names::v0::<M>().into_owned(),
            body: codec::encode(message),
        }));
    }

    /// The next message of a kind; others are passed over.
    async fn expect<M: Message + MessageName>(&mut self) -> M {
        let name = names::v0::<M>();
        let next = async {
            loop {
                if let NetInput::Message(message) = self.inbox.recv().await
                    && message.name == name
                {
                    return codec::decode(&message.body).unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("no {name}"))
    }

    async fn get(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.agent.node().address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

fn agent_id() -> MessageField<AgentID> {
    field(AgentID { value: "M-S0".into(), ..AgentID::default() })
}

fn executor_task(command: &str) -> RunTaskMessage {
    let id = || field(FrameworkID { value: "M-0000".into(), ..FrameworkID::default() });
    let executor = ExecutorInfo {
        executor_id: field(ExecutorID { value: "e".into(), ..ExecutorID::default() }),
        framework_id: id(),
        command: field(CommandInfo { value: Some(command.into()), ..CommandInfo::default() }),
        ..ExecutorInfo::default()
    };
    let task = TaskInfo {
        name: "t".into(),
        task_id: field(TaskID { value: "t".into(), ..TaskID::default() }),
        agent_id: agent_id(),
        executor: field(executor),
        ..TaskInfo::default()
    };
    let framework = FrameworkInfo { user: "root".into(), name: "test".into(), id: id(), ..FrameworkInfo::default() };
    RunTaskMessage {
        framework: field(framework),
        task: field(task),
        launch_executor: Some(true),
        ..RunTaskMessage::default()
    }
}

#[tokio::test]
async fn an_executor_that_ends_without_a_word_fails_its_task() {
    let mut world = World::start().await;
    world.send(&executor_task("echo hello; echo $MESOS_EXECUTOR_ID >&2; exit 7"));
    let update: StatusUpdateMessage = world.expect().await;
    assert_eq!(update.update.status.state, TaskState::TASK_FAILED);
    let exited: ExitedExecutorMessage = world.expect().await;
    assert_eq!(exited.status, 7 << 8, "a wait status");
    let path = "/frameworks/M-0000/executors/e/runs/latest";
    let stdout = world.get(&format!("/files/read?path={path}/stdout&offset=0")).await;
    assert_eq!(stdout, (200, r#"{"data":"hello\n","offset":0}"#.into()));
    let stderr = world.get(&format!("/files/download?path={path}/stderr")).await;
    assert_eq!(stderr, (200, "e\n".into()));
    let (_, listing) = world.get(&format!("/files/browse?path={path}")).await;
    assert!(listing.contains("/stdout\""), "{listing}");
}

#[tokio::test]
async fn an_agent_that_leaves_leaves_no_process() {
    let mut world = World::start().await;
    world.send(&executor_task("echo ready; exec sleep 1000"));
    let launched = async {
        loop {
            let snapshot = world.agent.snapshot().await.unwrap();
            if let Some(pid) = snapshot.state.executors().find_map(|executor| executor.pid) {
                return pid;
            }
            tokio::task::yield_now().await;
        }
    };
    let pid = tokio::time::timeout(PATIENCE, launched).await.unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    let (status, state) = world.get("/state").await;
    assert_eq!(status, 200);
    assert!(state.contains(r#""queued_tasks":[{"id":"t""#), "{state}");
    tokio::time::timeout(PATIENCE, world.agent.terminate(true)).await.unwrap();
    let _: UnregisterAgentMessage = world.expect().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn endpoints_are_found_with_and_without_the_id_of_the_agent() {
    let world = World::start().await;
    for path in ["/health", "/slave(1)/health", "/slave%281%29/health"] {
        assert_eq!(world.get(path).await, (200, String::new()), "{path}");
    }
    for path in ["/version", "/metrics/snapshot", "/flags", "/slave(1)/state"] {
        assert_eq!(world.get(path).await.0, 200, "{path}");
    }
    assert_eq!(world.get("/nothing").await.0, 404);
}
