//! What this program says it is.

use tepui_proto::mesos::VersionInfo;

/// Tepui's own version.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// The Mesos version whose protocols, flags and endpoints this program has; what masters, agents and clients are told.
pub const MESOS: &str = "1.11.0";

/// The version as a message.
pub fn info() -> VersionInfo {
    VersionInfo { version: MESOS.to_owned(), ..VersionInfo::default() }
}
