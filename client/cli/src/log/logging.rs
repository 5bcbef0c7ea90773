//! The logging flags that all commands of 1.11's `mesos-log` take. Source: Mesos `src/logging/flags.cpp`.

use super::Result;
use crate::logging;
use clap::ArgAction::Set;
use std::path::PathBuf;

/// Names the files below `--log_dir`.
const PROGRAM: &str = "mesos-log";

/// See the module's text.
#[derive(Clone, Debug, clap::Args)]
pub struct Logging {
    /// Disable logging to stderr
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true,
        action = Set)]
    quiet: bool,
    /// Log to stderr
    #[arg(long = "no-quiet", overrides_with = "quiet", hide = true)]
    no_quiet: bool,
    /// Log at or above this level: INFO, WARNING or ERROR
    #[arg(long = "logging_level", alias = "logging-level", default_value = "INFO")]
    logging_level: String,
    /// Directory of log files, one per severity
    #[arg(long = "log_dir")]
    log_dir: Option<PathBuf>,
    /// Seconds that log messages may be buffered; here they never are
    #[arg(long)]
    logbufsecs: Option<i64>,
    /// Log file written by another program; nothing shows it here
    #[arg(long = "external_log_file")]
    external_log_file: Option<PathBuf>,
    /// Whether drivers set up logging; no driver is here
    #[arg(long = "initialize_driver_logging", num_args = 0..=1, default_missing_value = "true", default_value = "true",
        require_equals = true, action = Set)]
    initialize_driver_logging: bool,
    /// No driver is here
    #[arg(long = "no-initialize_driver_logging", overrides_with = "initialize_driver_logging", hide = true)]
    no_initialize_driver_logging: bool,
}

impl Logging {
    /// Whether nothing goes to stderr.
    pub fn is_quiet(&self) -> bool {
        self.quiet && !self.no_quiet
    }

    /// Logs as these flags say from now on.
    pub fn set_up(&self) -> Result<()> {
        let files = self.log_dir.as_deref().map(|dir| (PROGRAM, dir));
        logging::set_up_with(&self.logging_level, self.is_quiet(), files).map_err(|error| format!("{error:#}"))
    }
}
