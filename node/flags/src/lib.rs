//! Flags as Mesos daemons take them: from the command line and from `MESOS_*` variables, by one table per daemon.
//!
//! Rules (stout `flags.hpp`): `--name=value`, `--name` and `--no-name` for booleans; names are lower-cased; the command
//! line wins over the environment; an unknown flag on the command line is refused, an unknown variable ignored, and so is
//! a word that is no flag, and all that follows `--`; a value that starts with `file://` is replaced by the file's content,
//! except where the value is itself a path.
//!
//! Every flag of 1.11 stands in the tables. What a flag does not do yet is said, never hidden: see [`Support`].

pub mod agent;
pub mod help;
pub mod logging;
pub mod master;
mod network;
mod parse;

pub use network::network;
pub use parse::{Error, Values, known, parse};

/// The type of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `1`, `false`, `0`, or nothing, which means true.
    Bool,
    /// Any text; `file://` is read.
    Text,
    /// A value in JSON; `file://` is read, and so is a path that begins with `/`.
    Json,
    /// A path, kept as it is.
    Path,
    /// A path or a value, kept as it is (`--zk`, `--master`): the user of the flag reads the file.
    PathOrText,
    /// A whole number.
    Number,
    /// A number with a fraction.
    Fraction,
    /// `15secs`.
    Duration,
    /// `64MB`.
    Bytes,
}

/// What Tepui does with a flag today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It works.
    Built,
    /// Accepted, reported in `/flags`, and without effect yet: nothing unsafe follows from that. Said once at start.
    Later,
    /// Its effect would be missed (who may do what, where state lives): a value other than the default is refused.
    Refused,
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Name, lower case.
    pub name: &'static str,
    /// Deprecated name that also works.
    pub alias: Option<&'static str>,
    /// Type of its value.
    pub kind: Kind,
    /// Default as text.
    pub default: Option<&'static str>,
    /// What Tepui does with it.
    pub support: Support,
    /// What it is for, one line.
    pub help: &'static str,
}

/// A row of a table.
pub const fn flag(
    name: &'static str,
    alias: Option<&'static str>,
    kind: Kind,
    default: Option<&'static str>,
    support: Support,
    help: &'static str,
) -> Flag {
    Flag { name, alias, kind, default, support, help }
}
