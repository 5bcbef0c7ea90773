//! Who leads: the logic of contending and detecting over a group of members, without a connection to it.
//!
//! * [`Election`]: the machine. An agent or a framework only detects with it, a master contends as well.
//! * [`info`]: how masters tell who they are.
//! * [`list`]: masters that are asked, where there is no group.
//!
//! Not done here: the group itself (`io/coordination`), and what a master does when it leads or stops leading
//! (`node/masterd`).

mod election;
pub mod info;
pub mod list;
mod member;

pub use election::{Effect, Election, Input};
pub use member::{Member, Members};
