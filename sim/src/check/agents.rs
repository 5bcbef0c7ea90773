//! An agent's id belongs to one life of one agent.

use super::Fact;
use crate::network::Process;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Agents {
    owners: BTreeMap<String, Process>,
}

impl Agents {
    pub fn see(&mut self, fact: &Fact, found: &mut Vec<String>) {
        if let Fact::Registered { agent, id } = fact {
            let owner = *self.owners.entry(id.clone()).or_insert(*agent);
            if owner != *agent {
                found.push(format!("agent {agent:?} was given the id {id}, which belonged to {owner:?}"));
            }
        }
    }
}
