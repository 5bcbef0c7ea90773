//! Roles: the tree their paths span, and the order in which they are served.
//!
//! A role (`a/b/c`) exists here while something uses it: a framework under it, resources held or reserved under it, a
//! weight, or a role below it. It is *ranked* while frameworks are under it or under a role below it; only ranked
//! roles take part in the order.
//!
//! Not done here: quota guarantees and limits, which will stand beside the weight.

mod ranking;
mod tree;

pub use ranking::Scope;
pub use tree::{RoleId, Roles};
