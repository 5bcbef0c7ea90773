//! Groups and variables in ZooKeeper.
//!
//! * [`Group`]: members that come and go with their sessions (masters that contend, replicas of the log).
//! * [`Variables`]: named values with versions (the storage of State).
//! * [`Url`]: the `zk://` addresses of both.
//!
//! Not done here: what a group's members mean (`core/election`), TLS, SASL.

pub mod fuzz;
mod group;
mod url;
mod variables;
mod zookeeper;

pub use group::{Error, Event as GroupEvent, Group, Member, Members};
pub use url::{Credentials, SCHEME, Url, UrlError, redacted};
pub use variables::{Value, Variables};
pub use zookeeper::{Acl, Client, Code, Config, Event, Mode, Stat};
