//! Words every other crate speaks: time as data, text forms of durations and sizes, ids, and the contract of a
//! state machine.
//!
//! Nothing here reads a clock, draws a random number, opens a file or starts a thread; what a machine needs of these
//! reaches it as an input. `core/clippy.toml` and `cargo xtask tidy` hold every crate of `core/` to that.

pub mod bytes;
pub mod date;
pub mod double;
pub mod duration;
pub mod effect_queue;
pub mod id;
pub mod machine;
pub mod record;
pub mod rng;
pub mod series;
pub mod time;
pub mod wait_status;

pub use effect_queue::EffectQueue;
pub use id::{AgentId, ContainerId, ExecutorId, FrameworkId, OfferId, TaskId};
pub use machine::{Machine, Outbox, WriteKey};
pub use rng::Rng;
pub use time::{Instant, Now, Wall};
pub use wait_status::WaitStatus;

/// A map with a fixed hasher: the same insertions give the same iteration order in every run.
#[expect(clippy::disallowed_types, reason = "with a fixed hasher it is what the rule asks for")]
pub type Map<K, V> = std::collections::HashMap<K, V, FixedState>;
/// A set with a fixed hasher; see [`Map`].
#[expect(clippy::disallowed_types, reason = "with a fixed hasher it is what the rule asks for")]
pub type Set<K> = std::collections::HashSet<K, FixedState>;
/// The hasher of [`Map`] and [`Set`]: SipHash with constant keys.
pub type FixedState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
