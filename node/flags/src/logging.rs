//! The flags every program has: logging and help.

use crate::Kind::{Bool, Number, Text};
use crate::Support::{Built, Later};
use crate::{Flag, flag};

/// Logging flags, and `--help`.
pub static FLAGS: &[Flag] = &[
    flag("quiet", None, Bool, Some("false"), Built, "log nothing to stderr"),
    flag("logging_level", None, Text, Some("INFO"), Built, "log at or above INFO, WARNING or ERROR"),
    flag("log_dir", None, Text, None, Built, "directory of log files, one per severity"),
    flag("logbufsecs", None, Number, Some("0"), Later, "seconds that log messages may be buffered"),
    flag("initialize_driver_logging", None, Bool, Some("true"), Later, "whether drivers set up logging"),
    flag("external_log_file", None, Text, None, Built, "log file written by another program, served in the web UI"),
    flag("help", None, Bool, Some("false"), Built, "print this text"),
];
