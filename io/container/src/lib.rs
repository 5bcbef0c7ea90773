//! Containers without isolation: Mesos' `posix` launcher, its fetcher, and the sandboxes both work in.
//!
//! An agent hands over a [`Launch`] and hears of it by [`Event`]s; [`Containerizer`] does the rest:
//!
//! ```text
//! launch -> sandbox -> runtime files -> fetch -> LaunchInfo -> fork/exec -> Launched -> exit or destroy -> Terminated
//! ```
//!
//! Invariants:
//! - Each launch ends in exactly one [`Event::LaunchFailed`] or [`Event::Terminated`]; the latter only after
//!   [`Event::Launched`].
//! - When an end is reported, its first process is reaped and all others of its tree, session and process group have
//!   been sent SIGKILL.
//! - A program gets the environment it was given and nothing of the agent's own.
//!
//! **Where isolation will go.** The step between "fetch" and "fork" is data: a
//! [`ContainerLaunchInfo`](tepui_proto::mesos::containerizer::ContainerLaunchInfo), as in Mesos. An isolator prepares by
//! adding to that value (mounts, namespaces, environment, limits), isolates once a pid is known, watches for a limit
//! (which becomes the `reason` and `limited_resources` of the termination), and is updated with new resources.
//! [`launch_info::unsupported`] names what the posix launcher cannot honour; such a launch is refused, never weakened.
//!
//! Not done here: isolators, images, nested containers, recovery of containers after a restart of the agent, the
//! fetcher's cache, https and HDFS downloads.
//!
//! Source: `slave/containerizer/mesos/{containerizer,launcher,launch}.cpp`, `slave/containerizer/fetcher.cpp`.

mod child;
pub mod containerizer;
pub mod fetcher;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod launch_info;
pub mod process;
pub mod runtime;
pub mod sandbox;
pub mod tree;
pub mod usage;
pub mod user;

pub use containerizer::{Config, Containerizer, Event, Launch};
