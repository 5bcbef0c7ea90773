//! The judges of the log. They see what replicas say when it leaves them, what their disks hold once it is durable, and
//! what clients ask and are answered; never a field of a machine.

mod clients;
mod ledger;
mod replicas;
#[cfg(test)]
mod tests;

use super::observe::{self, Promised, Record, Said, Value};
use crate::disk::Disk;
use bytes::Bytes;
use clients::Clients;
pub use ledger::Ledger;
use replicas::{Replicas, Scope, Stored};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use tepui_log::{Answer, Change, Request};
use tepui_wire::{Message, Upid};

/// Names a node: its place in the world.
pub type NodeId = usize;

/// All judges and what they have found.
pub struct Checks {
    /// What was proposed, accepted and decided.
    pub ledger: Ledger,
    replicas: Replicas,
    clients: Clients,
    /// What the promises that were asked for are about, by who asked; nothing once it is not clear.
    scopes: HashMap<Upid, Vec<(u64, Option<Scope>)>>,
    /// What was said last: most messages go to several nodes, with one body.
    last: Option<Last>,
    /// Objections; empty: nothing.
    pub violations: Vec<String>,
}

impl Checks {
    /// Judges of a group of so many replicas, of which `quorum` decide.
    pub fn new(nodes: usize, quorum: usize) -> Checks {
        Checks {
            ledger: Ledger::new(quorum),
            replicas: Replicas::new(nodes),
            clients: Clients::new(nodes, quorum),
            scopes: HashMap::new(),
            last: None,
            violations: Vec::new(),
        }
    }

    /// A message leaves a node whose disk is this one.
    pub fn sent(&mut self, now: u64, node: NodeId, disk: &Disk, message: &Message) {
        let last = match self.last.take().filter(|last| last.is_of(message)) {
            Some(last) => last,
            None => match observe::said(message) {
                Ok(said) => Last { body: message.body.clone(), name: message.name.clone(), said },
                Err(text) => return self.object(now, node, text),
            },
        };
        self.judge(now, node, disk, message, &last.said);
        self.last = Some(last);
    }

    fn judge(&mut self, now: u64, node: NodeId, disk: &Disk, message: &Message, said: &Said) {
        let mut found = Vec::new();
        match said {
            Said::PromiseRequest(proposal, position) => {
                let scope = Some(position.map_or(Scope::General, Scope::Position));
                let of_process = self.scopes.entry(message.from.clone()).or_default();
                match of_process.iter_mut().find(|(asked, _)| asked == proposal) {
                    Some((_, known)) => *known = known.filter(|known| Some(*known) == scope),
                    None => of_process.push((*proposal, scope)),
                }
            }
            Said::WriteRequest(proposal, position, value) => {
                found.extend(self.clients.appended(value));
                found.extend(self.ledger.proposed(*position, *proposal, value));
            }
            Said::Learned(action) => found.extend(self.ledger.told(action)),
            _ => {}
        }
        let scope = self.scope(&message.to, said);
        if let (Said::PromiseResponse(Promised::ACCEPT, proposal, ..), Some(Scope::General)) = (said, scope) {
            self.clients.promised(node_of(&message.to), *proposal, node);
        }
        found.extend(self.replicas.sent(node, said, scope, disk, &self.ledger));
        found.into_iter().for_each(|text| self.object(now, node, text));
    }

    /// What the promise is about that is told to this process.
    fn scope(&self, to: &Upid, said: &Said) -> Option<Scope> {
        let Said::PromiseResponse(_, proposal, ..) = said else { return None };
        self.scopes.get(to)?.iter().find(|(asked, _)| asked == proposal)?.1
    }

    /// Batches became durable on a node's disk.
    pub fn durable(&mut self, now: u64, node: NodeId, disk: &Disk, batches: &[Vec<Change>]) {
        let mut found = Vec::new();
        for change in batches.iter().flatten() {
            match read(change) {
                Ok(stored) => found.extend(self.stored(node, disk, &stored)),
                Err(text) => found.push(text),
            }
        }
        found.into_iter().for_each(|text| self.object(now, node, text));
    }

    fn stored(&mut self, node: NodeId, disk: &Disk, stored: &Stored) -> Vec<String> {
        let mut found: Vec<String> = self.replicas.changed(node, stored, &self.ledger).into_iter().collect();
        match stored {
            Stored::Record(Record::Action(action)) => {
                found.extend(action.value.as_ref().and_then(|value| self.clients.appended(value)));
                found.extend(self.ledger.stored(node, action));
            }
            Stored::Record(Record::Metadata(status, promised)) => {
                // A replica promises to its own writer without a message.
                self.clients.promised(node, *promised, node);
                found.extend(self.replicas.status(node, *status, disk, &mut self.ledger));
            }
            Stored::Deleted(_) => {}
        }
        found
    }

    /// A client asks the machine of its node.
    pub fn asked(&mut self, node: NodeId, request: &Request) {
        self.clients.asked(node, request);
    }

    /// It is answered.
    pub fn answered(&mut self, now: u64, node: NodeId, answer: &Answer) {
        let found = self.clients.answered(node, answer, &self.ledger);
        found.into_iter().for_each(|text| self.object(now, node, text));
    }

    /// A process has ended, and with it everything its client waited for.
    pub fn ended(&mut self, node: NodeId) {
        self.clients.ended(node);
    }

    /// A replica has lost all it had.
    pub fn wiped(&mut self, node: NodeId) {
        self.replicas.wiped(node);
        self.ledger.wiped(node);
    }

    /// Whether a replica votes, as far as its disk says.
    pub fn votes(&self, node: NodeId) -> bool {
        self.replicas.votes(node)
    }

    /// What has to be true of a replica that has caught up: it holds every decision.
    pub fn caught_up(&mut self, now: u64, node: NodeId, disk: &Disk) {
        let found = replicas::lacks(disk, &self.ledger, true);
        found.into_iter().for_each(|(_, text)| self.object(now, node, text));
    }

    /// When everything has come to rest no client waits any more.
    pub fn at_rest(&mut self, now: u64, node: NodeId) {
        let found = self.clients.waiting(node);
        found.into_iter().for_each(|text| self.object(now, node, text));
    }

    /// Something is wrong.
    pub fn object(&mut self, now: u64, node: NodeId, text: String) {
        self.violations.push(format!("{:.3} s, node {node}: {text}", now as f64 / 1e9));
    }

    /// Appends and truncations that were acknowledged.
    pub fn written(&self) -> u64 {
        self.clients.written
    }

    /// Times a writer was elected.
    pub fn elections(&self) -> u64 {
        self.clients.elections
    }
}

/// What was said last.
struct Last {
    body: Bytes,
    name: String,
    said: Said,
}

impl Last {
    /// Whether this message has the same bytes in the same place. What is held cannot be replaced by others there.
    fn is_of(&self, message: &Message) -> bool {
        let (one, other) = (&self.body, &message.body);
        one.as_ptr() == other.as_ptr() && one.len() == other.len() && self.name == message.name
    }
}

fn read(change: &Change) -> Result<Stored, String> {
    match change {
        Change::Put(key, value) => match observe::record(value)? {
            Record::Action(action) if observe::key(action.position) != *key => {
                Err(format!("position {} is stored under another key", action.position))
            }
            record => Ok(Stored::Record(record)),
        },
        Change::Delete(key) => {
            let number = std::str::from_utf8(key).ok().and_then(|text| text.parse::<u64>().ok());
            Ok(Stored::Deleted(number.and_then(|number| number.checked_sub(1))))
        }
    }
}

/// A value in an objection.
fn show(value: &Value) -> String {
    match value {
        Value::Append(bytes) => format!("append {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(24)])),
        other => format!("{other:?}"),
    }
}

/// The node that a process lives on: see [`address_of`].
pub fn node_of(upid: &Upid) -> NodeId {
    usize::from(upid.ip.octets()[3]).saturating_sub(1)
}

/// Where a node listens.
pub fn address_of(node: NodeId) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, node as u8 + 1), 5050)
}
