//! Maintenance: what the master does when the registrar has taken a change of the schedule, or of machines.
//!
//! The table itself is [`tepui_registry::Maintenance`]; the master's copy gets the same change. An agent belongs to the
//! machine with its host name and the address it speaks from. Source: Mesos `src/master/http.cpp`, `master.cpp`.

use crate::Master;
use crate::cx::Cx;
use crate::pending::Pending;
use crate::state::agent::machine;
use std::collections::BTreeSet;
use tepui_allocator::Input;
use tepui_base::AgentId;
use tepui_proto::MessageField;
use tepui_proto::mesos::{AgentInfo, MachineID, Unavailability};
use tepui_registry::Operation;
use tepui_registry::maintenance::{Change, MachineKey};
use tepui_wire::{RequestId, Response, Upid};

/// Why agents of a machine that goes down are removed, as they and their tasks' frameworks are told.
const DOWN: &str = "Operator initiated 'Machine DOWN'";

impl Master {
    /// Asks the registrar; the request is answered when it has the change.
    pub(crate) fn maintain(&mut self, cx: &mut Cx, request: RequestId, change: Change) {
        self.apply(cx, Operation::Maintain(change.clone()), Pending::Maintain(request, change));
    }

    /// The registrar has the change.
    pub(crate) fn maintained(&mut self, cx: &mut Cx, request: RequestId, change: &Change) {
        let mut touched: BTreeSet<MachineKey> = self.state.maintenance.machines.keys().cloned().collect();
        self.state.maintenance.apply(change);
        match change {
            Change::Start(ids) => self.take_down(cx, &keys(ids)),
            Change::Stop(ids) => self.update_unavailability(cx, &keys(ids)),
            Change::Schedule(_) => {
                touched.extend(self.state.maintenance.machines.keys().cloned());
                self.update_unavailability(cx, &touched);
            }
        }
        cx.respond(request, Response::empty(200));
    }

    /// Agents of these machines are told to end, and removed without waiting for them.
    fn take_down(&mut self, cx: &mut Cx, machines: &BTreeSet<MachineKey>) {
        for id in self.agents_on(machines) {
            let pid = self.state.agents[&id].pid.clone();
            self.shut_down(cx, &pid, DOWN);
            self.remove_agent(cx, &id, DOWN.to_owned(), None);
        }
    }

    /// What is offered and asked about agents of these machines is void: frameworks shall learn of the new window, or
    /// that there is none any more, as soon as possible.
    fn update_unavailability(&mut self, cx: &mut Cx, machines: &BTreeSet<MachineKey>) {
        for id in self.agents_on(machines) {
            self.rescind_agent(cx, &id);
            let agent = &self.state.agents[&id];
            let unavailability = self.unavailability(&agent.machine());
            let planned = unavailability.is_set();
            let agent = self.state.agent_mut(&id).expect("it was there a moment ago");
            agent.unavailability = unavailability;
            agent.inverse_statuses.clear();
            cx.allocator(Input::UpdateUnavailability { agent: agent.key, planned });
        }
    }

    fn agents_on(&self, machines: &BTreeSet<MachineKey>) -> Vec<AgentId> {
        if machines.is_empty() {
            return Vec::new();
        }
        let on = self.state.agents.values().filter(|agent| machines.contains(&MachineKey::from(&agent.machine())));
        on.map(|agent| agent.id.clone()).collect()
    }

    /// The window of a machine, if it has one.
    pub(crate) fn unavailability(&self, machine: &MachineID) -> MessageField<Unavailability> {
        let known = self.state.maintenance.machine(machine);
        known.map_or_else(MessageField::none, |machine| MessageField::some(machine.unavailability.clone()))
    }

    /// Tells an agent to end if the machine it is on is down; says whether it is.
    pub(crate) fn refuse_if_down(&mut self, cx: &mut Cx, info: &AgentInfo, pid: &Upid) -> bool {
        let is_down = self.state.maintenance.machine(&machine(info, pid)).is_some_and(|machine| machine.is_down);
        if is_down {
            self.shut_down(cx, pid, "Machine is `DOWN`");
        }
        is_down
    }
}

fn keys(ids: &[MachineID]) -> BTreeSet<MachineKey> {
    ids.iter().map(MachineKey::from).collect()
}
