//! Log lines on stderr.

use anyhow::{Result, bail};
use tracing::level_filters::LevelFilter;

/// Logs at or above a level of Mesos (`INFO`, `WARNING`, `ERROR`) to stderr, or nothing. `TEPUI_LOG` overrides the level
/// with finer words (`debug`, `trace`).
pub fn set_up(level: &str, quiet: bool) -> Result<()> {
    let filter = match level {
        _ if quiet => LevelFilter::OFF,
        "INFO" => LevelFilter::INFO,
        "WARNING" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        other => bail!("--logging_level={other} cannot be used: expecting INFO, WARNING or ERROR"),
    };
    let filter = std::env::var("TEPUI_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(filter);
    // A second call in one process (a cluster started by a command that logs already) changes nothing.
    let _ = tracing_subscriber::fmt().with_max_level(filter).with_writer(std::io::stderr).with_target(false).try_init();
    Ok(())
}
