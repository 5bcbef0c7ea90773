//! An agent's ledger: what it has, who holds what of it, and what is left to offer.

use crate::amounts::{Amounts, Names};
use crate::bits::Bits;
use crate::client::Client;
use crate::input::{AgentFacts, FrameworkCapabilities};
use crate::key::FrameworkKey;
use crate::role::{RoleId, Roles};
use smallvec::SmallVec;
use std::sync::Arc;
use tepui_resources::{Resource, Resources};

/// What one framework holds (was offered or uses) under one role.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Who; it may not have been added yet.
    pub framework: FrameworkKey,
    /// Under which role.
    pub role: RoleId,
    /// What, with allocation role.
    pub resources: Resources,
}

/// Free resources that the same clients may be offered; offered all together.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Only for this role and those below it.
    reserved_to: Option<RoleId>,
    /// Reservations within reservations: only for frameworks that know of them.
    refined: bool,
    revocable: bool,
    shared: bool,
    /// What counts for the minimum of an offer.
    pub quantities: Amounts,
    /// The resources, without allocation role.
    pub resources: Resources,
    /// The last run in which it was offered: a shared resource stays here, but is offered once per run.
    offered_in: u64,
}

impl Parcel {
    /// What is neither reserved, revocable nor shared. The quantities are still to be counted.
    fn plain(resources: Resources) -> Parcel {
        Parcel {
            reserved_to: None,
            refined: false,
            revocable: false,
            shared: false,
            quantities: Amounts::default(),
            resources,
            offered_in: 0,
        }
    }

    /// Whether quota limits what may be taken of it: unreserved, and not revocable.
    pub fn is_plain(&self) -> bool {
        self.reserved_to.is_none() && !self.revocable && !self.shared
    }

    fn suits(&self, capabilities: FrameworkCapabilities) -> bool {
        (!self.shared || capabilities.shared_resources)
            && (!self.revocable || capabilities.revocable_resources)
            && (!self.refined || capabilities.reservation_refinement)
    }
}

/// Numbers of parcels in [`Agent::parcels`]; there is nearly always one.
pub type ParcelNumbers = SmallVec<[usize; 4]>;

/// One agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Where and what it is.
    pub facts: AgentFacts,
    /// Whether its resources may be offered.
    pub active: bool,
    /// Whether the whitelist lets it in.
    pub whitelisted: bool,
    /// Whether it is in another region than the master.
    pub remote: bool,
    total: Resources,
    total_scalars: Amounts,
    /// One use of each role in this list is counted in the role tree.
    reservations: Vec<RoleId>,
    holdings: Vec<Holding>,
    /// The scalar amounts of all that is held; what is shared does not count.
    used_scalars: Amounts,
    has_gpus: bool,
    has_shared: bool,
    parcels: Vec<Parcel>,
    /// Clients that were seen not to take what is free here when `free_then` was. Saves looking at their filters again
    /// and again.
    unsuited: Bits,
    /// What was free when the first of `unsuited` was noted.
    free_then: Resources,
    /// Whether something else is free than was then. Not looked at before the first is noted.
    is_changed: bool,
    /// The epoch of wishes in which nobody wanted what is free here.
    quiet_at: Option<u64>,
    /// What was last refused here. Frameworks tend to refuse the same, and then share it.
    refused: Arc<Resources>,
}

impl Agent {
    /// An agent without resources; give it some with [`Agent::set_total`].
    pub fn new(facts: AgentFacts, whitelisted: bool, remote: bool) -> Agent {
        Agent {
            facts,
            active: true,
            whitelisted,
            remote,
            total: Resources::new(),
            total_scalars: Amounts::default(),
            reservations: Vec::new(),
            holdings: Vec::new(),
            used_scalars: Amounts::default(),
            has_gpus: false,
            has_shared: false,
            parcels: Vec::new(),
            unsuited: Bits::default(),
            free_then: Resources::new(),
            is_changed: false,
            quiet_at: None,
            refused: Arc::default(),
        }
    }

    /// All resources.
    pub fn total(&self) -> &Resources {
        &self.total
    }

    /// All scalar amounts.
    pub fn total_scalars(&self) -> &Amounts {
        &self.total_scalars
    }

    /// Who holds what.
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// All that is held, without allocation roles.
    pub fn used(&self) -> Resources {
        let mut used = Resources::new();
        for holding in &self.holdings {
            used += holding.resources.clone().unallocated();
        }
        used
    }

    /// The scalar amounts of all that is held; what is shared does not count.
    pub fn used_scalars(&self) -> &Amounts {
        &self.used_scalars
    }

    /// Replaces all resources.
    pub fn set_total(&mut self, total: Resources, names: &mut Names, roles: &mut Roles) {
        let before = std::mem::take(&mut self.reservations);
        let reserved = total.iter().filter_map(Resource::reservation_role);
        self.reservations = reserved.map(|role| roles.retain(role.as_str())).collect();
        before.into_iter().for_each(|role| roles.release(role));
        self.total_scalars = names.scalars(&total);
        self.has_gpus = total.gpus().is_some_and(|gpus| !gpus.is_zero());
        self.has_shared = total.iter().any(Resource::is_shared);
        self.total = total;
        self.restock(names, roles);
        self.reconsider();
    }

    /// Adds to what a framework holds and says whether it held nothing here under that role before. Call
    /// [`Agent::restock`] after the last change, unless it was taken off the stock. `scalars` are the amounts of what of
    /// it is not shared.
    pub fn hold(&mut self, framework: FrameworkKey, role: RoleId, resources: &Resources, scalars: &Amounts) -> bool {
        self.used_scalars.add(scalars);
        match self.holding_mut(framework, role) {
            Some(holding) => {
                holding.resources += resources;
                false
            }
            None => {
                self.holdings.push(Holding { framework, role, resources: resources.clone() });
                true
            }
        }
    }

    /// Takes from what a framework holds and says whether it holds nothing here under that role now; `None`, and
    /// nothing done, if it did not hold that much. Tell [`Agent::vacate`] the amounts, and call [`Agent::restock`] after
    /// the last change.
    pub fn release(&mut self, framework: FrameworkKey, role: RoleId, resources: &Resources) -> Option<bool> {
        let holding = self.holding_mut(framework, role)?;
        if !holding.resources.contains(resources) {
            return None;
        }
        holding.resources -= resources;
        let empty = holding.resources.is_empty();
        if empty {
            self.holdings.retain(|holding| !(holding.framework == framework && holding.role == role));
        }
        Some(empty)
    }

    /// Counts amounts that were released as no longer held; what is shared does not count.
    pub fn vacate(&mut self, scalars: &Amounts) {
        self.used_scalars.subtract(scalars);
    }

    /// Works out what is left to offer from all there is and all that is held.
    pub fn restock(&mut self, names: &mut Names, roles: &Roles) {
        let free = self.free();
        if !self.unsuited.is_empty() {
            self.is_changed = free != self.free_then;
        }
        self.parcels.clear();
        // Mostly there is one parcel, and nothing to take apart.
        if !free.is_empty() && free.iter().all(|one| one.is_unreserved() && !one.is_revocable() && !one.is_shared()) {
            self.parcels.push(Parcel::plain(free));
        } else {
            free.into_iter().for_each(|resource| self.stock(resource, roles));
        }
        for parcel in &mut self.parcels {
            parcel.quantities = names.quantities(&parcel.resources);
        }
        self.quiet_at = None;
    }

    /// What nobody holds. A shared resource is free, however many hold it.
    fn free(&self) -> Resources {
        let held = self.holdings.iter().flat_map(|holding| &holding.resources);
        let mut free = self.total.clone();
        held.filter(|held| !held.is_shared()).for_each(|held| free.subtract_allocated(held));
        free
    }

    /// A refusal to keep, shared with the last one if it is the same.
    pub fn share_refusal(&mut self, refused: Resources) -> Arc<Resources> {
        if *self.refused != refused {
            self.refused = Arc::new(refused);
        }
        Arc::clone(&self.refused)
    }

    /// Forgets who did not want what is free here.
    pub fn reconsider(&mut self) {
        self.unsuited.clear();
        self.quiet_at = None;
    }

    /// Forgets that one client (by number) did not want what is free here.
    pub fn reconsider_client(&mut self, client: u32) {
        self.unsuited.remove(client);
        self.quiet_at = None;
    }

    /// Whether it can be offered at all, and there is something to offer.
    pub fn is_open(&self) -> bool {
        self.active && self.whitelisted && !self.parcels.is_empty()
    }

    /// Whether nobody wanted what is free here, and nothing has changed since that could change that.
    pub fn is_quiet(&self, epoch: u64) -> bool {
        self.quiet_at == Some(epoch)
    }

    /// Whether nothing is free.
    pub fn is_bare(&self) -> bool {
        self.parcels.is_empty()
    }

    /// Holds invariant 1: what is about to be offered (without allocation role) is there and not held. `scalars` are the
    /// amounts of what of it is not shared: shared resources may be held many times over. An agent that has changed may
    /// lack more of one than is free of another by that name, so in doubt each is looked at by itself.
    pub fn assert_free(&self, offered: &Resources, scalars: &Amounts) {
        let fits = |(name, more)| self.used_scalars.get(name).saturating_add(more) <= self.total_scalars.get(name);
        let free = scalars.iter().all(fits) || self.free().contains(&offered.non_shared());
        assert!(free, "offered beyond what there is: {offered} of {}, {} in use", self.total, self.used());
    }

    /// Starts a look at all clients.
    pub fn begin(&mut self) {
        if self.is_changed {
            self.unsuited.clear();
            self.is_changed = false;
        }
    }

    /// Ends a look at all clients in which nobody took anything.
    pub fn end_without_taker(&mut self, epoch: u64) {
        if !self.has_shared {
            self.quiet_at = Some(epoch);
        }
    }

    /// Whether a client (by number) is known not to take what is free here.
    pub fn is_unsuited(&self, client: u32) -> bool {
        self.unsuited.has(client)
    }

    /// Remembers that a client (by number) does not take what was free here when the look began.
    pub fn note_unsuited(&mut self, client: u32) {
        // What is held back because a shared resource was offered in this run is there again in the next.
        if self.has_shared {
            return;
        }
        if self.unsuited.is_empty() {
            self.free_then = match self.parcels.as_slice() {
                [only] => only.resources.clone(),
                parcels => parcels.iter().flat_map(|parcel| &parcel.resources).collect(),
            };
            self.is_changed = false;
        }
        self.unsuited.insert(client);
    }

    /// The parcels that a role may be offered in this run.
    pub fn open_to(&self, role: RoleId, roles: &Roles, run: u64) -> ParcelNumbers {
        let open = |parcel: &Parcel| {
            parcel.reserved_to.is_none_or(|reserved| roles.is_within(role, reserved))
                && !(parcel.shared && parcel.offered_in == run)
        };
        self.parcels.iter().enumerate().filter(|(_, parcel)| open(parcel)).map(|(at, _)| at).collect()
    }

    /// Whether the client's framework can deal with this agent.
    pub fn suits(&self, client: &Client, roles: &Roles, filter_gpus: bool) -> bool {
        let capabilities = client.capabilities;
        (capabilities.gpu_resources || !filter_gpus || !self.has_gpus)
            && (capabilities.region_aware || !self.remote)
            && (self.facts.multi_role || !capabilities.multi_role)
            && (self.facts.hierarchical_role || !roles.is_hierarchical(client.role))
    }

    /// Those of the parcels that the client's framework can deal with.
    pub fn suitable(&self, open: &ParcelNumbers, capabilities: FrameworkCapabilities) -> ParcelNumbers {
        open.iter().copied().filter(|at| self.parcels[*at].suits(capabilities)).collect()
    }

    /// All that is free.
    pub fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    /// A parcel.
    pub fn parcel(&self, at: usize) -> &Parcel {
        &self.parcels[at]
    }

    /// What is free, unreserved and not revocable.
    pub fn plain(&self) -> Option<&Parcel> {
        self.parcels.iter().find(|parcel| parcel.is_plain())
    }

    /// All resources of some parcels; of the plain one only a part, if one is named.
    pub fn contents(&self, parcels: &ParcelNumbers, part: Option<&Resources>) -> Resources {
        let mut all = Resources::new();
        for at in parcels {
            let parcel = &self.parcels[*at];
            all += part.filter(|_| parcel.is_plain()).unwrap_or(&parcel.resources);
        }
        all
    }

    /// Takes parcels (in ascending order) off the stock, of the plain one only a part if one is named; shared ones
    /// stay, but not for this run.
    pub fn unstock(&mut self, parcels: &ParcelNumbers, part: Option<&Resources>, names: &Names, run: u64) -> Resources {
        let mut taken = Resources::new();
        self.is_changed = true;
        for at in parcels.iter().rev() {
            let parcel = &mut self.parcels[*at];
            if let Some(part) = part.filter(|part| parcel.is_plain() && **part != parcel.resources) {
                parcel.resources -= part;
                parcel.quantities = names.known_quantities(&parcel.resources);
                taken += part;
            } else if self.parcels[*at].shared {
                self.parcels[*at].offered_in = run;
                taken += &self.parcels[*at].resources;
            } else {
                let resources = self.parcels.remove(*at).resources;
                if taken.is_empty() { taken = resources } else { taken += &resources }
            }
        }
        taken
    }

    /// Takes the agent apart when it is removed: its holdings, for the caller to settle.
    pub fn dismantle(mut self, roles: &mut Roles) -> Vec<Holding> {
        self.reservations.into_iter().for_each(|role| roles.release(role));
        std::mem::take(&mut self.holdings)
    }

    /// What a framework holds under a role.
    pub fn holding(&self, framework: FrameworkKey, role: RoleId) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.framework == framework && holding.role == role)
    }

    fn holding_mut(&mut self, framework: FrameworkKey, role: RoleId) -> Option<&mut Holding> {
        self.holdings.iter_mut().find(|holding| holding.framework == framework && holding.role == role)
    }

    fn stock(&mut self, resource: Resource, roles: &Roles) {
        let reserved_to = resource
            .reservation_role()
            .map(|role| roles.find(role.as_str()).expect("the roles an agent's resources are reserved to are in use"));
        let (refined, revocable, shared) =
            (resource.has_refined_reservations(), resource.is_revocable(), resource.is_shared());
        let alike = |parcel: &&mut Parcel| {
            (parcel.reserved_to, parcel.refined, parcel.revocable, parcel.shared)
                == (reserved_to, refined, revocable, shared)
        };
        match self.parcels.iter_mut().find(alike) {
            Some(parcel) => parcel.resources += resource,
            None => {
                let plain = Parcel::plain(resource.into());
                self.parcels.push(Parcel { reserved_to, refined, revocable, shared, ..plain });
            }
        }
    }
}
