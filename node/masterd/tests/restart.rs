//! A master that is started again in the same work directory, over its replicated log: a real master on real sockets, and
//! the agent's side of the protocol spoken by hand.

use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Duration;
use tepui_masterd::{Running, Settings};
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, RegisterAgentMessage, ReregisterAgentMessage,
};
use tepui_proto::mesos::{AgentID, AgentInfo, FrameworkID, FrameworkInfo, Task, TaskID, TaskState};
use tepui_proto::{Message as Proto, MessageField, MessageName, codec, names};
use tepui_wire::{Message, NetEffect, NetInput, Upid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Fails a test that hangs; far beyond what any step takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens soon")
}

fn settings(work_dir: &Path, more: &[&str]) -> Settings {
    let mut args = vec!["--ip=127.0.0.1".to_owned(), "--port=0".to_owned()];
    args.push(format!("--work_dir={}", work_dir.display()));
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
    let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|path| std::fs::read_to_string(path)).unwrap();
    // Metrics are asked for more often than they may be by default.
    let unlimited = |name: &str| (name == tepui_processes::limiter::VARIABLE).then(String::new);
    Settings::new(values, unlimited).unwrap()
}

/// A master that leads and has its registry.
async fn master(work_dir: &Path, more: &[&str]) -> Running {
    let master = tepui_masterd::start(settings(work_dir, more)).await.unwrap();
    while !get(master.address(), "/registrar(1)/registry").await.contains("master") {
        tokio::task::yield_now().await;
    }
    master
}

async fn get(master: SocketAddrV4, path: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(master).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    };
    soon(exchange).await
}

/// The agent's side.
struct Agent {
    _node: Node,
    inbox: Inbox,
    outlet: Outlet,
}

impl Agent {
    async fn new() -> Agent {
        let node = Node::bind(NetConfig::loopback()).await.unwrap();
        let (inbox, outlet) = node.spawn("slave(1)").unwrap();
        Agent { _node: node, inbox, outlet }
    }

    fn send<M: Proto + MessageName>(&self, to: &Running, message: &M) {
        let address = to.address();
        self.outlet.apply(NetEffect::Send(Message {
            from: self.outlet.upid(),
            to: Upid::new("master", *address.ip(), address.port()),
            name: names::v0::<M>().into_owned(),
            epoch: None,
            body: codec::encode(message),
        }));
    }

    /// The next message of a type; others are none of this test's business.
    async fn receive<M: Proto + MessageName>(&mut self) -> M {
        let next = async {
            loop {
                if let NetInput::Message(message) = self.inbox.recv().await
                    && message.name == names::v0::<M>()
                {
                    return codec::decode(&message.body).unwrap();
                }
            }
        };
        soon(next).await
    }
}

fn info(id: MessageField<AgentID>) -> MessageField<AgentInfo> {
    MessageField::some(AgentInfo { hostname: "a.example".to_owned(), id, ..Default::default() })
}

fn version() -> Option<String> {
    Some("1.11.0".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_registry_has_outlives_the_master_and_the_rest_comes_back_with_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::new().await;
    let first = master(folder.path(), &["--weights=a=2.5"]).await;
    agent.send(
        &first,
        &RegisterAgentMessage { agent: info(MessageField::none()), version: version(), ..Default::default() },
    );
    let id = agent.receive::<AgentRegisteredMessage>().await.agent_id;
    assert_metrics_move(&first).await;
    first.stop().await;

    // Without the flag: the weight is that of the registry.
    let second = master(folder.path(), &[]).await;
    let address = second.address();
    assert_eq!(get(address, "/weights").await, r#"[{"role":"a","weight":2.5}]"#);
    let agents = get(address, "/slaves").await;
    assert!(
        agents.starts_with(r#"{"slaves":[],"recovered_slaves":[{"id":""#) && agents.contains(&id.value),
        "{agents}"
    );

    let framework = FrameworkInfo {
        user: "nobody".to_owned(),
        name: "f".to_owned(),
        id: MessageField::some(FrameworkID { value: "F".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let task = Task {
        name: "t".to_owned(),
        task_id: MessageField::some(TaskID { value: "still-running".to_owned(), ..Default::default() }),
        framework_id: framework.id.clone(),
        agent_id: id.clone(),
        state: TaskState::TASK_RUNNING,
        ..Default::default()
    };
    let back = ReregisterAgentMessage {
        agent: info(id.clone()),
        frameworks: vec![framework],
        tasks: vec![task],
        version: version(),
        ..Default::default()
    };
    agent.send(&second, &back);
    assert_eq!(agent.receive::<AgentReregisteredMessage>().await.agent_id, id);
    let agents = get(address, "/slaves").await;
    let registered = agents.split_once(r#""recovered_slaves""#).expect("both lists are shown").0;
    assert!(registered.contains(&id.value), "{agents}");
    let tasks = get(address, "/tasks").await;
    assert!(tasks.contains("still-running") && tasks.contains("TASK_RUNNING"), "{tasks}");
    second.stop().await;
}

/// Another agent is admitted: a store, and a larger registry.
async fn assert_metrics_move(master: &Running) {
    let metric = async |name: &str| {
        let all = get(master.address(), "/metrics/snapshot").await;
        let after = all.split_once(&format!("\"registrar/{name}\":")).unwrap_or_else(|| panic!("{name}: {all}")).1;
        after.split([',', '}']).next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!((metric("log/recovered").await, metric("log/ensemble_size").await), (1.0, 1.0));
    assert_eq!(metric("queued_operations").await, 0.0);
    assert!(metric("state_fetch_ms").await > 0.0 && metric("state_store_ms").await > 0.0, "a disk takes its time");
    let before = (metric("registry_size_bytes").await, metric("state_store_ms/count").await);
    let mut other = Agent::new().await;
    let register = RegisterAgentMessage { agent: info(MessageField::none()), version: version(), ..Default::default() };
    other.send(master, &register);
    other.receive::<AgentRegisteredMessage>().await;
    assert!(metric("registry_size_bytes").await > before.0);
    assert_eq!(metric("state_store_ms/count").await, before.1 + 1.0);
    for of in ["max", "min", "p50", "p90", "p95", "p99", "p999", "p9999"] {
        assert!(metric(&format!("state_store_ms/{of}")).await > 0.0, "{of}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_master_in_a_work_directory_is_told_which_lock_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let first = master(folder.path(), &[]).await;
    let refusal = tepui_masterd::start(settings(folder.path(), &[])).await.err().expect("it is refused").to_string();
    let lock = folder.path().join("replicated_log").join("LOCK");
    assert!(refusal.contains(&lock.display().to_string()) && refusal.contains("another process"), "{refusal}");
    first.stop().await;
}

/// Mesos leaves as well. Contending again would end the same way, on every master, for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_cannot_be_read_ends_the_master_with_what_to_do() {
    let work_dir = tempfile::tempdir().unwrap();
    let (_, others) = tokio::sync::watch::channel(Default::default());
    let log = tepui_logd::replica::Settings::new(work_dir.path().join("replicated_log"), 1, others);
    let node = Node::bind(NetConfig::loopback()).await.unwrap();
    let replica = tepui_logd::Replica::start(&node, log).await.unwrap();
    soon(replica.client().recovered()).await;
    while soon(replica.client().elect()).await.unwrap().is_none() {}
    let position = soon(replica.client().append("no operation".into())).await.unwrap();
    replica.stop().await;
    let mut master = tepui_masterd::start(settings(work_dir.path(), &[])).await.unwrap();
    let why = soon(master.exited()).await;
    assert!(why.starts_with(&format!("Failed to recover registrar: position {position} of the log: ")), "{why}");
    assert!(why.contains("move `replicated_log` away on every master"), "{why}");
    master.stop().await;
}
