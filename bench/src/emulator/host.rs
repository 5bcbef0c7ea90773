//! Where emulated agents live: a node for each port, and the way from a message to its agent.

use super::agent::{Agent, Inner};
use super::spec::AgentSpec;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_wire::{NetEffect, NetInput, Response, Upid};
use tokio::task::JoinHandle;

/// The id every agent process begins with; what follows is its number.
const FAMILY: &str = "slave(";

/// Agents of one operating system process: all behind one port unless one asks for a port of its own.
pub struct Emulator {
    master: SocketAddrV4,
    shared: tokio::sync::OnceCell<Arc<Host>>,
    next: AtomicU64,
}

impl Emulator {
    /// For a master that listens there. Nothing is bound before the first agent.
    pub fn new(master: SocketAddrV4) -> Emulator {
        Emulator { master, shared: tokio::sync::OnceCell::new(), next: AtomicU64::new(1) }
    }

    /// Where the master listens.
    pub fn master(&self) -> SocketAddrV4 {
        self.master
    }

    /// An agent that shares the port (and so the connection to the master) with all others made this way. It does not
    /// register by itself.
    pub async fn agent(&self, spec: AgentSpec) -> Result<Agent, tepui_net::Error> {
        let host = self.shared.get_or_try_init(|| Host::bind(self.master)).await?;
        Ok(host.add(self.number(), spec))
    }

    /// An agent with a port of its own, whose connections end when it is dropped.
    pub async fn agent_with_port(&self, spec: AgentSpec) -> Result<Agent, tepui_net::Error> {
        Ok(Host::bind(self.master).await?.add(self.number(), spec))
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// One port.
pub(super) struct Host {
    node: Node,
    outlet: Outlet,
    master: Upid,
    agents: Arc<Mutex<HashMap<String, Arc<Inner>>>>,
    taking: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.taking.abort();
        // The node outlives its handles until it is told to end; there may be no runtime left to tell it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let node = self.node.clone();
            runtime.spawn(async move { node.shutdown().await });
        }
    }
}

impl Host {
    async fn bind(master: SocketAddrV4) -> Result<Arc<Host>, tepui_net::Error> {
        let ip = if master.ip().is_loopback() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let node = Node::bind(NetConfig { ip, ..NetConfig::default() }).await?;
        // The process itself is not an agent: it only owns the family of ids that agents have.
        let (inbox, outlet) = node.spawn("agents").expect("a new node has no processes");
        outlet.receive_family(FAMILY);
        let agents = Arc::default();
        let taking = tokio::spawn(take(inbox, outlet.clone(), Arc::clone(&agents)));
        Ok(Arc::new(Host { node, outlet, master: Upid::at("master", master), agents, taking }))
    }

    fn add(self: &Arc<Host>, number: u64, spec: AgentSpec) -> Agent {
        let id = format!("{FAMILY}{number})");
        let inner = Arc::new(Inner::new(self.node.upid(&id), self.master.clone(), self.outlet.clone(), spec));
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).insert(id, inner.clone());
        Agent { inner, host: self.clone() }
    }

    /// An agent is no more; whatever still comes for it is thrown away.
    pub(super) fn remove(&self, id: &str) {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Watches the master, as agents do.
    pub(super) fn link(&self) {
        self.outlet.apply(NetEffect::Link { to: self.master.clone(), reconnect: false });
    }
}

/// Hands each message to its agent.
async fn take(mut inbox: Inbox, outlet: Outlet, agents: Arc<Mutex<HashMap<String, Arc<Inner>>>>) {
    loop {
        match inbox.recv().await {
            NetInput::Message(message) => {
                let agent = agents.lock().unwrap_or_else(PoisonError::into_inner).get(&*message.to.id).cloned();
                if let Some(agent) = agent {
                    agent.receive(&message);
                }
            }
            NetInput::Http(id, _) => outlet.apply(NetEffect::Respond(id, Response::status(404))),
            // A lost master is for the scenario to notice; agents stay silent until they are told to register.
            NetInput::Exited(_) | NetInput::StreamClosed(_) => {}
        }
    }
}
