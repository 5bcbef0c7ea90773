//! The flags every program has: logging and help.

use crate::Kind::{Bool, Number, Text};
use crate::Support::{Built, Later};
use crate::{Flag, Kind, Support};

const fn flag(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    support: Support,
    help: &'static str,
) -> Flag {
    Flag { name, alias: None, kind, default, support, help }
}

/// Logging flags, and `--help`.
pub static FLAGS: &[Flag] = &[
    flag("quiet", Bool, Some("false"), Built, "log nothing to stderr"),
    flag("logging_level", Text, Some("INFO"), Built, "log at or above INFO, WARNING or ERROR"),
    flag("log_dir", Text, None, Later, "directory of log files"),
    flag("logbufsecs", Number, Some("0"), Later, "seconds that log messages may be buffered"),
    flag("initialize_driver_logging", Bool, Some("true"), Later, "whether drivers set up logging"),
    flag("external_log_file", Text, None, Later, "log file written by another program, served in the web UI"),
    flag("help", Bool, Some("false"), Built, "print this text"),
];
