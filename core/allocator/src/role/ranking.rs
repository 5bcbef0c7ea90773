//! The order of roles: level one of hierarchical fairness.
//!
//! Siblings are compared by the weighted dominant share of their whole subtrees. A role that has frameworks itself
//! and ranked roles below competes with the latter in a place of its own, named `<path>/.`, of weight 1.

use super::tree::{RoleId, Roles};
use crate::amounts::Pool;
use crate::sorter::{Order, Standing, Standings};
use smallvec::SmallVec;
use std::sync::Arc;

/// Whose allocation a standing of the role order sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The frameworks of exactly this role.
    Only(RoleId),
    /// The frameworks of this role and of all roles below it.
    Within(RoleId),
}

/// The standing of a role's subtree.
fn subtree(id: RoleId) -> u32 {
    id.0 * 2
}

/// The standing of a role's own frameworks among the roles below it.
fn own(id: RoleId) -> u32 {
    id.0 * 2 + 1
}

impl Roles {
    /// A framework is tracked under the role from now on; the first one ranks the role.
    pub fn join(&mut self, id: RoleId, pool: &Pool) {
        let role = self.at_mut(id);
        role.members += 1;
        if role.members > 1 {
            return;
        }
        if role.below.is_empty() {
            self.rank(id, pool);
        } else {
            self.add_own(id, None, pool);
        }
    }

    /// A framework is no longer tracked under the role; with the last one the role loses its rank, unless roles
    /// below it have one.
    pub fn leave(&mut self, id: RoleId) {
        let role = self.at_mut(id);
        role.members -= 1;
        if role.members > 0 {
            return;
        }
        if role.below.is_empty() {
            self.unrank(id);
        } else {
            role.below.remove(own(id));
            self.standings.take(own(id));
        }
    }

    /// Changes what is allocated under a role: `change` sees each standing concerned, from the role up.
    pub fn charge(&mut self, id: RoleId, pool: &Pool, mut change: impl FnMut(Scope, &mut Standing)) {
        let Roles { slots, standings, top, .. } = self;
        let role = slots[id.0 as usize].as_mut().expect("a role number is held only while the role is in use");
        if !role.below.is_empty() {
            role.below.settle(standings, own(id), pool, |standing| change(Scope::Only(id), standing));
        }
        let mut next = Some(id);
        while let Some(id) = next {
            next = slots[id.0 as usize].as_ref().and_then(|role| role.parent);
            let siblings = match next {
                Some(parent) => &mut slots[parent.0 as usize].as_mut().expect("a child keeps its parent").below,
                None => &mut *top,
            };
            siblings.settle(standings, subtree(id), pool, |standing| change(Scope::Within(id), standing));
        }
    }

    /// The scopes [`Roles::charge`] may pass through.
    pub fn scopes(&self, id: RoleId) -> impl Iterator<Item = Scope> + '_ {
        [Scope::Only(id)].into_iter().chain(self.upwards(id).map(Scope::Within))
    }

    /// A role and the roles above it.
    pub fn upwards(&self, id: RoleId) -> impl Iterator<Item = RoleId> + '_ {
        std::iter::successors(Some(id), |id| self.at(*id).parent)
    }

    /// Sets a role's weight from now on; `weight` is positive.
    pub fn weigh(&mut self, path: &str, weight: f64, pool: &Pool) {
        let id = self.set_weight(path, weight);
        if self.is_ranked(id) {
            let Roles { slots, standings, top, .. } = self;
            let parent = slots[id.0 as usize].as_ref().and_then(|role| role.parent);
            let siblings = match parent {
                Some(parent) => &mut slots[parent.0 as usize].as_mut().expect("a child keeps its parent").below,
                None => top,
            };
            siblings.settle(standings, subtree(id), pool, |standing| standing.weight = weight);
        }
        self.release(id);
    }

    /// Brings the order of roles, and of the frameworks in each, up to date with the pool.
    pub fn refresh(&mut self, clients: &mut Standings, pool: &Pool) {
        self.top.refresh(&mut self.standings, pool);
        for role in self.slots.iter_mut().flatten() {
            role.below.refresh(&mut self.standings, pool);
            role.clients.refresh(clients, pool);
        }
    }

    /// The roles with frameworks, first served first: of the top-level roles, and what is below them, those that
    /// `is_asked`. Only right after [`Roles::refresh`].
    pub fn in_order<'a>(&'a self, is_asked: impl Fn(RoleId) -> bool + 'a) -> impl Iterator<Item = RoleId> + 'a {
        let mut stack: SmallVec<[std::slice::Iter<'_, u32>; 4]> = SmallVec::new();
        stack.push(self.top.as_slice().iter());
        // An explicit stack: the depth of a path is the choice of a peer.
        std::iter::from_fn(move || {
            loop {
                let Some(at) = stack.last_mut()?.next() else {
                    stack.pop();
                    continue;
                };
                let id = RoleId(at / 2);
                if stack.len() == 1 && !is_asked(id) {
                    continue;
                }
                let below = &self.at(id).below;
                if *at == own(id) || below.is_empty() {
                    return Some(id);
                }
                stack.push(below.as_slice().iter());
            }
        })
    }

    /// The order of the frameworks in a role (numbers of clients).
    pub fn clients(&self, id: RoleId) -> &Order {
        &self.at(id).clients
    }

    /// The order of the frameworks in a role, to change.
    pub fn clients_mut(&mut self, id: RoleId) -> &mut Order {
        &mut self.at_mut(id).clients
    }

    /// The chance of each role with frameworks that can be offered to: among siblings, in proportion to their weights,
    /// and within the chance of their parent (`sorter/random/sorter.cpp`). Roles whose frameworks want nothing count
    /// among their siblings, as in Mesos.
    pub fn chances(&self) -> Vec<(RoleId, f64)> {
        let mut chances = Vec::new();
        // An explicit stack: the depth of a path is the choice of a peer.
        let mut stack = vec![(self.top.as_slice(), 1.0)];
        while let Some((siblings, whole)) = stack.pop() {
            let weights: f64 = siblings.iter().map(|at| self.standings.get(*at).weight).sum();
            for at in siblings {
                let (id, chance) = (RoleId(at / 2), whole * self.standings.get(*at).weight / weights);
                let role = self.at(id);
                if *at != own(id) && !role.below.is_empty() {
                    stack.push((role.below.as_slice(), chance));
                } else if !role.clients.is_empty() {
                    chances.push((id, chance));
                }
            }
        }
        chances
    }

    /// What the frameworks of exactly this role have; nothing for a role without rank.
    pub fn own_standing(&self, id: RoleId) -> Option<&Standing> {
        let role = self.at(id);
        let at = if role.below.is_empty() { subtree(id) } else { own(id) };
        (role.members > 0).then(|| self.standings.get(at))
    }

    /// What a ranked role's subtree has; nothing for a role without rank.
    pub fn standing(&self, id: RoleId) -> Option<&Standing> {
        self.is_ranked(id).then(|| self.standings.get(subtree(id)))
    }

    fn is_ranked(&self, id: RoleId) -> bool {
        let role = self.at(id);
        role.members > 0 || !role.below.is_empty()
    }

    /// Puts a role among its siblings, and its unranked ancestors among theirs. The caller has made sure that the
    /// role itself counts as ranked, by a member or by something below it.
    fn rank(&mut self, id: RoleId, pool: &Pool) {
        let mut next = Some(id);
        while let Some(id) = next {
            let (path, weight, parent) = {
                let role = self.at(id);
                (Arc::from(role.path.as_str()), role.weight, role.parent)
            };
            self.standings.put(subtree(id), Standing::new(path, weight));
            next = None;
            let Some(parent) = parent else {
                self.top.insert(&mut self.standings, subtree(id), pool);
                return;
            };
            if !self.is_ranked(parent) {
                next = Some(parent);
            } else if self.at(parent).below.is_empty() {
                // A leaf becomes an inner role: its frameworks get a place of their own and keep their history.
                let history = self.standings.get(subtree(parent)).clone();
                self.add_own(parent, Some(history), pool);
            }
            let Roles { slots, standings, .. } = self;
            let below = &mut slots[parent.0 as usize].as_mut().expect("a child keeps its parent").below;
            below.insert(standings, subtree(id), pool);
        }
    }

    /// Takes a role out from among its siblings, and the ancestors that were ranked only for it.
    fn unrank(&mut self, id: RoleId) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            self.standings.take(subtree(id));
            let Some(parent) = self.at(id).parent else {
                self.top.remove(subtree(id));
                return;
            };
            let above = self.at_mut(parent);
            above.below.remove(subtree(id));
            if above.below.as_slice() == [own(parent)] {
                // Only its own frameworks are left below: it is a leaf again, with the history of its subtree.
                above.below.remove(own(parent));
                self.standings.take(own(parent));
            } else if above.below.is_empty() && above.members == 0 {
                next = Some(parent);
            }
        }
    }

    /// Gives a role's own frameworks a place among the roles below it.
    fn add_own(&mut self, id: RoleId, history: Option<Standing>, pool: &Pool) {
        let name = Arc::from(format!("{}/.", self.at(id).path));
        let standing = match history {
            Some(history) => history.renamed(name),
            None => Standing::new(name, 1.0),
        };
        self.standings.put(own(id), standing);
        let Roles { slots, standings, .. } = self;
        let below = &mut slots[id.0 as usize].as_mut().expect("the role is in use").below;
        below.insert(standings, own(id), pool);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amounts::Amounts;

    fn pool() -> Pool {
        let mut pool = Pool::default();
        pool.replace(&Amounts::default(), &cpus(100));
        pool
    }

    fn cpus(whole: i64) -> Amounts {
        let mut amounts = Amounts::default();
        amounts.add_one(0, whole * 1_000);
        amounts
    }

    fn order(roles: &mut Roles, pool: &Pool) -> Vec<String> {
        roles.refresh(&mut Standings::default(), pool);
        roles.in_order(|_| true).map(|id| roles.path(id).to_string()).collect()
    }

    fn join(roles: &mut Roles, path: &str, pool: &Pool) -> RoleId {
        let id = roles.retain(path);
        roles.join(id, pool);
        id
    }

    fn give(roles: &mut Roles, id: RoleId, whole: i64, pool: &Pool) {
        roles.charge(id, pool, |_, standing| {
            standing.allocated.add(&cpus(whole));
            standing.count += 1;
        });
    }

    #[test]
    fn a_subtree_competes_as_one() {
        let (mut roles, pool) = (Roles::default(), pool());
        let (ab, ac, d) =
            (join(&mut roles, "a/b", &pool), join(&mut roles, "a/c", &pool), join(&mut roles, "d", &pool));
        assert_eq!(order(&mut roles, &pool), ["a/b", "a/c", "d"]);
        give(&mut roles, ab, 2, &pool);
        assert_eq!(order(&mut roles, &pool), ["d", "a/c", "a/b"]);
        give(&mut roles, d, 5, &pool);
        give(&mut roles, ac, 4, &pool);
        assert_eq!(order(&mut roles, &pool), ["d", "a/b", "a/c"]);
        roles.weigh("a", 2.0, &pool);
        assert_eq!(order(&mut roles, &pool), ["a/b", "a/c", "d"]);
    }

    #[test]
    fn a_role_with_frameworks_and_children_competes_with_its_children() {
        let (mut roles, pool) = (Roles::default(), pool());
        let a = join(&mut roles, "a", &pool);
        give(&mut roles, a, 3, &pool);
        let ab = join(&mut roles, "a/b", &pool);
        assert_eq!(order(&mut roles, &pool), ["a/b", "a"]);
        give(&mut roles, ab, 4, &pool);
        assert_eq!(order(&mut roles, &pool), ["a", "a/b"]);
        assert_eq!(roles.standing(a).unwrap().allocated, cpus(7));
        roles.charge(ab, &pool, |_, standing| standing.allocated.subtract(&cpus(4)));
        roles.leave(ab);
        roles.release(ab);
        assert_eq!(order(&mut roles, &pool), ["a"]);
        assert_eq!(roles.standing(a).unwrap().allocated, cpus(3));
        assert_eq!(roles.standing(a).unwrap().count, 2, "a leaf again, with the history of its subtree");
    }

    #[test]
    fn who_wants_nothing_counts_among_its_siblings_and_is_not_drawn() {
        let (mut roles, mut clients, pool) = (Roles::default(), Standings::default(), pool());
        let [ax, ay, b] = ["a/x", "a/y", "b"].map(|path| join(&mut roles, path, &pool));
        roles.weigh("b", 3.0, &pool);
        for (number, id) in [ax, b].into_iter().enumerate() {
            clients.put(number as u32, Standing::new(Arc::from("f"), 1.0));
            roles.clients_mut(id).insert(&mut clients, number as u32, &pool);
        }
        let chances: std::collections::BTreeMap<u32, f64> =
            roles.chances().into_iter().map(|(id, chance)| (id.0, chance)).collect();
        assert_eq!((chances.get(&ax.0), chances.get(&ay.0), chances.get(&b.0)), (Some(&0.125), None, Some(&0.75)));
    }

    #[test]
    fn roles_come_and_go_in_any_order() {
        let (mut roles, pool) = (Roles::default(), pool());
        let ids: Vec<RoleId> =
            ["a/b/c", "a", "a/b", "x/y", "a/b/c/d"].iter().map(|p| join(&mut roles, p, &pool)).collect();
        assert_eq!(order(&mut roles, &pool), ["a", "a/b", "a/b/c", "a/b/c/d", "x/y"]);
        for id in ids {
            roles.leave(id);
            roles.release(id);
        }
        assert_eq!(roles.len(), 0);
        assert!(order(&mut roles, &pool).is_empty());
    }
}
