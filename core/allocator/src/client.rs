//! Clients: one framework under one role, the contender of the second level of fairness.
//!
//! A framework is a client of each role it is subscribed to, and of each role under which it still holds something.

use crate::amounts::Amounts;
use crate::constraints::RoleFilter;
use crate::input::FrameworkCapabilities;
use crate::key::FrameworkKey;
use crate::role::RoleId;
use crate::sorter::{Standing, Standings};
use std::sync::Arc;

/// A client, by number; valid while the framework is tracked under the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// One framework under one role.
#[derive(Clone, Debug)]
pub struct Client {
    /// The framework.
    pub framework: FrameworkKey,
    /// The role.
    pub role: RoleId,
    /// The framework's capabilities, here because they are read for every agent.
    pub capabilities: FrameworkCapabilities,
    /// Whether the framework is subscribed to the role, rather than only holding something under it.
    pub subscribed: bool,
    /// Whether the framework wants no offers for the role.
    pub suppressed: bool,
    /// An offer must contain one of these; `None`: the allocator's own rule holds.
    pub minimum: Option<Vec<Amounts>>,
    /// The agents it wants at all; `None`: any.
    pub constraints: Option<Arc<RoleFilter>>,
    /// On how many agents it holds something.
    pub holdings: u32,
    /// Whether it stands in the role's order, that is, can be offered to.
    pub ranked: bool,
}

/// All clients and what each has.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<u32>,
    /// What each client has, under the client's number.
    pub standings: Standings,
}

impl Clients {
    /// Adds a client; its number may have been another's before.
    pub fn add(&mut self, client: Client, standing: Standing) -> ClientId {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[at as usize] = Some(client);
        self.standings.put(at, standing);
        ClientId(at)
    }

    /// Takes a client out. Whatever is kept under its number elsewhere must go with it.
    pub fn remove(&mut self, id: ClientId) -> Client {
        self.standings.take(id.0);
        self.free.push(id.0);
        self.slots[id.0 as usize].take().expect("a client that leaves was there")
    }

    /// The client of that number.
    pub fn get(&self, id: ClientId) -> &Client {
        self.slots[id.0 as usize].as_ref().expect("a client number is held only while the client is there")
    }

    /// The client of that number, to change.
    pub fn get_mut(&mut self, id: ClientId) -> &mut Client {
        self.slots[id.0 as usize].as_mut().expect("a client number is held only while the client is there")
    }

    /// All clients.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &Client)> {
        self.slots.iter().enumerate().filter_map(|(at, slot)| Some((ClientId(at as u32), slot.as_ref()?)))
    }
}
