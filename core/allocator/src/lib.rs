//! The allocator: which framework is offered what is free on which agent.
//!
//! It is a machine of its own, beside the master, behind messages ([`Input`], [`Effect`]); frameworks and agents bear
//! dense keys that the master issues. [`Hierarchical`] is the allocator of Mesos: hierarchical dominant resource
//! fairness. Another policy is another type behind the [`Allocator`] trait.
//!
//! Where things are: `hierarchical/` the decisions and the books, `sorter/` the order of contenders, `role/` the tree
//! of roles and its order, `agent` an agent's ledger, `client` a framework in a role, `filter` refusals,
//! `constraints` the agents a framework wants at all, `amounts`
//! quantities as numbers, `key` the keys.

mod agent;
mod amounts;
mod bits;
mod client;
mod constraints;
mod filter;
mod hierarchical;
mod input;
mod key;
mod role;
mod sorter;

pub use constraints::{ConstraintError, ConstraintsError, Fault, OfferConstraintsFilter, PatternError, RegexLimits};
pub use hierarchical::{Hierarchical, Metrics, RoleMetrics};
pub use input::{AgentFacts, Effect, FrameworkCapabilities, FrameworkTerms, Input, OfferedAgent, Options};
pub use key::{AgentKey, FrameworkKey, Issuer, Key, Slab};

use tepui_base::Machine;

/// A policy of allocation: a machine that learns [`Input`]s and makes [`Effect`]s.
pub trait Allocator: Machine<Input = Input, Effect = Effect> {
    /// Its figures at this moment.
    fn metrics(&self) -> Metrics;
}

impl Allocator for Hierarchical {
    fn metrics(&self) -> Metrics {
        self.figures()
    }
}
