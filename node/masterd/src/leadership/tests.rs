//! Terms of one process, over real sockets; the test says who is elected.

use super::*;
use crate::elections::Script;
use crate::{Running, Settings, start_with};
use std::net::SocketAddrV4;
use std::time::Duration;
use tepui_base::Instant;
use tepui_driver::Clock;
use tepui_proto::mesos::internal::{AgentRegisteredMessage, RegisterAgentMessage};
use tepui_proto::mesos::{AgentInfo, MasterInfo};
use tepui_proto::{Message as Proto, MessageField, MessageName, codec, names};
use tepui_wire::{Message, NetEffect, NetInput, Upid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Fails a test that hangs; far beyond what any step takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it happens soon")
}

/// A master whose elections the test decides.
struct Stage {
    running: Running,
    changes: mpsc::UnboundedSender<Change>,
    names: mpsc::UnboundedReceiver<Arc<MasterInfo>>,
    clock: Clock,
}

impl Stage {
    async fn new() -> Stage {
        let args = ["--registry=in_memory", "--ip=127.0.0.1", "--port=0"].map(str::to_owned);
        let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
        let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|_| unreachable!("no file")).unwrap();
        let settings = Settings::new(values, |_| None).unwrap();
        let (changes, script) = mpsc::unbounded_channel();
        let (named, names) = mpsc::unbounded_channel();
        let mut clock = None;
        let elections = |daemon: &Daemon| {
            clock = Some(daemon.clock);
            Ok(Elections::Scripted(Script { changes: script, names: named }))
        };
        let running = start_with(settings, elections).await.unwrap();
        Stage { running, changes, names, clock: clock.unwrap() }
    }

    fn at(&self) -> SocketAddrV4 {
        self.running.address()
    }

    fn say(&self, change: Change) {
        assert!(self.changes.send(change).is_ok());
    }

    /// Elects it, and waits until it leads.
    async fn elect(&mut self) -> Arc<Authority> {
        let authority = Authority::unlimited(self.clock);
        self.say(Change::Elected(authority.clone()));
        soon(self.running.leading.wait_for(Option::is_some)).await.unwrap();
        authority
    }

    /// Waits until no term goes on.
    async fn is_over(&mut self) {
        soon(self.running.leading.wait_for(Option::is_none)).await.unwrap();
    }

    /// The head and the body of an answer.
    async fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.at()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.0.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// An agent as far as the master can tell.
struct Agent {
    inbox: Inbox,
    outlet: tepui_net::Outlet,
    master: Upid,
    _node: tepui_net::Node,
}

impl Agent {
    async fn linked_to(stage: &Stage) -> Agent {
        let node = tepui_net::Node::bind(tepui_net::NetConfig::loopback()).await.unwrap();
        let (inbox, outlet) = node.spawn("slave(1)").unwrap();
        let master = Upid::at("master", stage.at());
        outlet.apply(NetEffect::Link { to: master.clone(), reconnect: false });
        Agent { inbox, outlet, master, _node: node }
    }

    fn send<M: Proto + MessageName>(&self, message: &M) {
        self.outlet.apply(NetEffect::Send(Message {
            epoch: None,
            from: self.outlet.upid(),
            to: self.master.clone(),
            name: names::v0::<M>().into_owned(),
            body: codec::encode(message),
        }));
    }

    /// The next input that is no ping.
    async fn next(&mut self) -> NetInput {
        loop {
            match soon(self.inbox.recv()).await {
                NetInput::Message(message) if message.name == "PING" || message.name.contains("PingSlave") => {}
                other => return other,
            }
        }
    }

    async fn register(&mut self) -> String {
        self.register_and_epoch().await.0
    }

    /// The id it is given, and the epoch that the answer carries.
    async fn register_and_epoch(&mut self) -> (String, Option<u64>) {
        self.send(&RegisterAgentMessage {
            agent: MessageField::some(AgentInfo { hostname: "agent".to_owned(), ..Default::default() }),
            version: Some("1.11.0".to_owned()),
            ..Default::default()
        });
        let NetInput::Message(message) = self.next().await else { panic!("a message") };
        (codec::decode::<AgentRegisteredMessage>(&message.body).unwrap().agent_id.value.clone(), message.epoch)
    }
}

#[tokio::test]
async fn where_leaderships_have_numbers_each_message_carries_one() {
    let mut stage = Stage::new().await;
    for epoch in [7, 12] {
        stage.say(Change::Elected(Authority::of_epoch(stage.clock, Instant(u64::MAX), epoch)));
        soon(stage.running.leading.wait_for(Option::is_some)).await.unwrap();
        let mut agent = Agent::linked_to(&stage).await;
        assert_eq!(agent.register_and_epoch().await.1, Some(epoch));
        stage.say(Change::Leader(None));
        stage.is_over().await;
    }
    stage.elect().await;
    assert_eq!(Agent::linked_to(&stage).await.register_and_epoch().await.1, None, "masters of Mesos have none");
    stage.running.stop().await;
}

#[tokio::test]
async fn before_it_is_elected_it_follows() {
    let mut stage = Stage::new().await;
    assert_eq!((stage.status("/state").await, stage.status("/health").await), (503, 200));
    let name = soon(stage.names.recv()).await.unwrap();
    let leader = MasterInfo { hostname: Some("leader".to_owned()), port: 1, ..(*name).clone() };
    stage.say(Change::Leader(Some(Arc::new(leader))));
    while stage.status("/state").await == 503 {}
    let (head, _) = stage.get("/state?x=1").await;
    assert!(
        head.contains("307 Temporary Redirect") && head.contains("Location: //leader:1/master/state?x=1"),
        "{head}"
    );
    assert!(stage.get("/metrics/snapshot").await.1.contains("\"master/elected\":0.0"));
    stage.elect().await;
    assert!(stage.get("/state").await.1.contains(&format!("\"id\":\"{}\"", name.id)), "as it was named");
    stage.running.stop().await;
}

#[tokio::test]
async fn a_term_that_is_over_is_forgotten_and_the_next_is_another_master() {
    let mut stage = Stage::new().await;
    stage.elect().await;
    let first = soon(stage.names.recv()).await.unwrap();
    let mut agent = Agent::linked_to(&stage).await;
    let id = agent.register().await;
    assert_eq!(id, format!("{}-S0", first.id));
    let mut subscriber = TcpStream::connect(stage.at()).await.unwrap();
    let call = r#"{"type":"SUBSCRIBE"}"#;
    let head =
        format!("POST /api/v1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", call.len());
    subscriber.write_all(format!("{head}{call}").as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    soon(subscriber.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    stage.say(Change::Leader(None));
    stage.is_over().await;
    let mut rest = Vec::new();
    // The stream ends, in good order or not.
    let _ = soon(subscriber.read_to_end(&mut rest)).await;
    assert_eq!(agent.next().await, NetInput::Exited(agent.master.clone()), "to its peers it has died");
    assert_eq!(stage.status("/state").await, 503);

    stage.elect().await;
    let second = soon(stage.names.recv()).await.unwrap();
    assert_ne!(first.id, second.id);
    let (_, state) = stage.get("/state").await;
    assert!(state.contains(&format!("\"id\":\"{}\"", second.id)) && state.contains("\"slaves\":[]"), "{state}");
    let recovered = state.split_once("\"recovered_slaves\":").unwrap().1;
    assert!(recovered.starts_with("[]"), "a registry in memory ends with the term: {recovered}");
    stage.running.stop().await;
}

#[tokio::test]
async fn a_term_ends_with_its_authority_and_says_nothing_more() {
    let mut stage = Stage::new().await;
    let authority = stage.elect().await;
    let mailbox = stage.running.leading.borrow().clone().unwrap();
    let mut agent = Agent::linked_to(&stage).await;
    agent.register().await;
    // The machine learns of it later than the gate, as after a pause of the process.
    authority.revoke();
    assert_eq!(agent.next().await, NetInput::Exited(agent.master.clone()));
    stage.is_over().await;
    soon(async { while mailbox.inspect(|_| ()).await.is_some() {} }).await;
    assert_eq!(stage.status("/state").await, 503);
    stage.running.stop().await;
}

#[tokio::test]
async fn many_terms_leave_nothing_behind() {
    let mut stage = Stage::new().await;
    for _ in 0..20 {
        stage.elect().await;
        // At first it has not read the registry yet, and says so by 503.
        soon(async { while stage.status("/state").await == 503 {} }).await;
        assert_eq!(stage.status("/state").await, 200);
        stage.say(Change::Leader(None));
        stage.is_over().await;
    }
    let named = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
        tasks
            .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "allocator\n"))
            .count()
    };
    // Other tests have allocators, too, but not so many; the threads end as soon as they see that nobody asks.
    soon(async {
        while named() > 10 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.running.stop().await;
}
