//! The tree of role paths: numbers instead of texts, counted uses, weights.

use crate::amounts::Amounts;
use crate::quota::Quota;
use crate::sorter::{Order, Standings};
use std::collections::BTreeSet;
use tepui_base::Map;
use tepui_resources::Role;

/// The weight of a role nobody gave one.
const DEFAULT_WEIGHT: f64 = 1.0;

/// A role, by number; valid while the role is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub(super) u32);

impl RoleId {
    /// The number: small, and used again once the role is gone.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) path: Role,
    pub(super) parent: Option<RoleId>,
    /// The role without parent above it, or itself.
    top: RoleId,
    /// Only of a role without parent.
    quota: Option<Box<Quota>>,
    /// What keeps the role here: clients, holdings, reservations, a weight, quota, children.
    uses: u32,
    pub(super) weight: f64,
    /// How many frameworks are tracked under exactly this role.
    pub(super) members: u32,
    /// The frameworks of this role that can be offered to (numbers of clients).
    pub(super) clients: Order,
    /// The ranked roles right below, and this role's own place among them when it has frameworks itself.
    pub(super) below: Order,
}

/// All roles in use.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    pub(super) slots: Vec<Option<Node>>,
    free: Vec<u32>,
    by_path: Map<Role, RoleId>,
    with_quota: BTreeSet<RoleId>,
    /// The ranked roles without a parent.
    pub(super) top: Order,
    pub(super) standings: Standings,
}

impl Roles {
    /// Finds or adds a role and its ancestors, and counts one use. Every `retain` is matched by one
    /// [`Roles::release`].
    pub fn retain(&mut self, path: &str) -> RoleId {
        let mut parent = None;
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
            parent = Some(match self.find(&path[..end]) {
                Some(id) => id,
                None => self.add(&path[..end], parent),
            });
        }
        let id = parent.expect("even an empty path has one element");
        self.at_mut(id).uses += 1;
        id
    }

    /// Counts one more use of a role that is in use.
    pub fn retain_id(&mut self, id: RoleId) {
        self.at_mut(id).uses += 1;
    }

    /// Gives one use back; a role without uses is forgotten, and its parent loses one use.
    pub fn release(&mut self, id: RoleId) {
        let mut next = Some(id);
        while let Some(id) = next {
            let role = self.at_mut(id);
            role.uses = role.uses.checked_sub(1).expect("a use given back was counted");
            if role.uses > 0 {
                return;
            }
            assert!(role.members == 0 && role.below.is_empty(), "an unused role has no frameworks");
            next = role.parent;
            let role = self.slots[id.0 as usize].take().expect("seen above");
            self.by_path.remove(&role.path);
            self.free.push(id.0);
        }
    }

    /// The role of that path, if it is in use.
    pub fn find(&self, path: &str) -> Option<RoleId> {
        self.by_path.get(path).copied()
    }

    /// The path of a role.
    pub fn path(&self, id: RoleId) -> &Role {
        &self.at(id).path
    }

    /// Whether the path has more than one element.
    pub fn is_hierarchical(&self, id: RoleId) -> bool {
        self.at(id).parent.is_some()
    }

    /// Whether `id` is `ancestor` or below it.
    pub fn is_within(&self, id: RoleId, ancestor: RoleId) -> bool {
        let mut next = Some(id);
        while let Some(id) = next {
            if id == ancestor {
                return true;
            }
            next = self.at(id).parent;
        }
        false
    }

    /// Sets a role's weight, which must be positive. A weight other than 1 keeps the role known.
    pub(super) fn set_weight(&mut self, path: &str, weight: f64) -> RoleId {
        let id = self.retain(path);
        let before = std::mem::replace(&mut self.at_mut(id).weight, weight);
        if before == DEFAULT_WEIGHT && weight != DEFAULT_WEIGHT {
            self.retain_id(id);
        } else if before != DEFAULT_WEIGHT && weight == DEFAULT_WEIGHT {
            self.release(id);
        }
        id
    }

    /// Sets a top-level role's quota, or takes it away, and returns the role if it has one now. Quota keeps the role
    /// known.
    pub fn set_quota(&mut self, path: &str, quota: Option<Box<Quota>>) -> Option<RoleId> {
        let id = self.retain(path);
        assert!(self.at(id).parent.is_none(), "the master lets quota be set on top-level roles only");
        let has_quota = quota.is_some();
        let had_quota = std::mem::replace(&mut self.at_mut(id).quota, quota).is_some();
        if has_quota {
            self.with_quota.insert(id);
        } else {
            self.with_quota.remove(&id);
        }
        match (had_quota, has_quota) {
            (false, true) => self.retain_id(id),
            (true, false) => self.release(id),
            _ => {}
        }
        self.release(id);
        has_quota.then_some(id)
    }

    /// The role without parent above a role, or itself.
    pub fn top_of(&self, id: RoleId) -> RoleId {
        self.at(id).top
    }

    /// The quota that holds for a role, and the top-level role that has it.
    pub fn quota(&self, id: RoleId) -> Option<(RoleId, &Quota)> {
        if self.with_quota.is_empty() {
            return None;
        }
        let top = self.at(id).top;
        Some((top, self.at(top).quota.as_deref()?))
    }

    /// All roles that have quota.
    pub fn quotas(&self) -> impl Iterator<Item = (RoleId, &Quota)> {
        self.with_quota.iter().filter_map(|id| self.quota(*id))
    }

    /// Whether any role has quota.
    pub fn have_quota(&self) -> bool {
        !self.with_quota.is_empty()
    }

    /// Counts amounts as consumed of the quota that holds for a role, or as no longer consumed.
    pub fn consume(&mut self, id: RoleId, amounts: &Amounts, more: bool) {
        let top = self.at(id).top;
        let Some(quota) = self.at_mut(top).quota.as_deref_mut() else { return };
        if more { quota.consumed.add(amounts) } else { quota.consumed.subtract(amounts) }
    }

    /// All roles in use, by number.
    pub fn ids(&self) -> impl Iterator<Item = RoleId> + '_ {
        let used = |(at, slot): (usize, &Option<Node>)| slot.is_some().then_some(RoleId(at as u32));
        self.slots.iter().enumerate().filter_map(used)
    }

    /// How many roles are in use.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    pub(super) fn at(&self, id: RoleId) -> &Node {
        self.slots[id.0 as usize].as_ref().expect("a role number is held only while the role is in use")
    }

    pub(super) fn at_mut(&mut self, id: RoleId) -> &mut Node {
        self.slots[id.0 as usize].as_mut().expect("a role number is held only while the role is in use")
    }

    fn add(&mut self, path: &str, parent: Option<RoleId>) -> RoleId {
        if let Some(parent) = parent {
            self.retain_id(parent);
        }
        let path = Role::from(path);
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[at as usize] = Some(Node {
            path: path.clone(),
            parent,
            top: parent.map_or(RoleId(at), |parent| self.at(parent).top),
            quota: None,
            uses: 0,
            weight: DEFAULT_WEIGHT,
            members: 0,
            clients: Order::default(),
            below: Order::default(),
        });
        self.by_path.insert(path, RoleId(at));
        RoleId(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_lives_as_long_as_it_is_used() {
        let mut roles = Roles::default();
        let deep = roles.retain("a/b/c");
        let a = roles.find("a").unwrap();
        assert_eq!(roles.len(), 3);
        assert!(roles.is_within(deep, a) && !roles.is_within(a, deep));
        let sibling = roles.retain("a/bc");
        assert!(!roles.is_within(sibling, roles.find("a/b").unwrap()));
        roles.release(deep);
        assert_eq!(roles.len(), 2);
        roles.release(sibling);
        assert_eq!(roles.len(), 0);
    }

    #[test]
    fn a_weight_keeps_a_role() {
        let mut roles = Roles::default();
        let id = roles.set_weight("a", 2.0);
        roles.release(id);
        assert_eq!(roles.len(), 1);
        let id = roles.set_weight("a", 1.0);
        roles.release(id);
        assert_eq!(roles.len(), 0);
    }
}
