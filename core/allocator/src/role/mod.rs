//! Roles: the tree their paths span, and the order in which they are served.
//!
//! A role (`a/b/c`) exists here while something uses it: a framework under it, resources held or reserved under it, a
//! weight, quota, or a role below it. It is *ranked* while frameworks are under it or under a role below it; only ranked
//! roles take part in the order.

mod ranking;
mod tree;

pub use ranking::Scope;
pub use tree::{RoleId, Roles};
