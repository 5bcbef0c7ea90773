//! Log lines: on stderr, and below `--log_dir` in the files glog would write.

mod files;
mod glog;

use crate::environment::VERBOSITY;
use anyhow::{Context, Result, bail};
use files::Files;
use glog::Glog;
use std::path::Path;
use std::sync::OnceLock;
use tepui_flags::Values;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Sets the level with finer words (`debug`, `trace`) than `--logging_level` has.
const LEVEL_VARIABLE: &str = "TEPUI_LOG";

/// `glog` makes the lines on stderr those of Mesos, for programs that read them.
const FORMAT_VARIABLE: &str = "TEPUI_LOG_FORMAT";

/// How a daemon logs: `--logging_level`, `--quiet` and `--log_dir`. `program` names the files.
pub fn set_up_from(program: &str, values: &Values) -> Result<()> {
    let level = values.get("logging_level").unwrap_or("INFO");
    set_up_with(level, values.bool("quiet"), values.get("log_dir").map(|dir| (program, Path::new(dir))))
}

/// Logs at or above a level of Mesos (`INFO`, `WARNING`, `ERROR`) to stderr, or nothing.
pub fn set_up(level_name: &str, quiet: bool) -> Result<()> {
    set_up_with(level_name, quiet, None)
}

/// The same, and to files of a program in a directory.
pub fn set_up_with(level_name: &str, quiet: bool, files: Option<(&str, &Path)>) -> Result<()> {
    let level = level(level_name)?;
    let open = |(program, dir): (&str, &Path)| {
        Files::open(dir, program).with_context(|| format!("--log_dir={}", dir.display()))
    };
    let files = files.map(open).transpose()?;
    let files = files.map(|files| fmt::layer().event_format(Glog).with_ansi(false).with_writer(files));
    install(files.map(Layer::boxed), stderr()?.filter(!quiet), level);
    Ok(())
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

struct Stderr(Boxed);

impl Stderr {
    fn filter(self, wanted: bool) -> Option<Boxed> {
        wanted.then_some(self.0)
    }
}

fn stderr() -> Result<Stderr> {
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    match std::env::var(FORMAT_VARIABLE).ok().as_deref() {
        None | Some("" | "text") => Ok(Stderr(layer.boxed())),
        Some("glog") => Ok(Stderr(layer.with_ansi(false).event_format(Glog).boxed())),
        Some(other) => bail!("{FORMAT_VARIABLE}={other} cannot be used: expecting text or glog"),
    }
}

fn level(name: &str) -> Result<LevelFilter> {
    let level = match name {
        "INFO" => LevelFilter::INFO,
        "WARNING" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        other => bail!("--logging_level={other} cannot be used: expecting INFO, WARNING or ERROR"),
    };
    let named = std::env::var(LEVEL_VARIABLE).ok().and_then(|text| text.parse().ok());
    Ok(named.unwrap_or_else(|| level.max(verbose(std::env::var(VERBOSITY).ok().as_deref()))))
}

/// The level that `value` of `GLOG_v` asks for at least; as for glog, what is no number asks for nothing.
fn verbose(value: Option<&str>) -> LevelFilter {
    match value.and_then(|text| text.parse().ok()).unwrap_or(0) {
        i32::MIN..=0 => LevelFilter::OFF,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

type Change = Box<dyn Fn(LevelFilter) + Send + Sync>;

/// The log's level at the start, and how it is changed.
static LEVEL: OnceLock<(LevelFilter, Change)> = OnceLock::new();

/// A second call in one process (a cluster started by a command that logs already) changes nothing.
fn install(files: Option<Boxed>, stderr: Option<Boxed>, level: LevelFilter) {
    let layers: Vec<Boxed> = files.into_iter().chain(stderr).collect();
    let (filter, handle) = reload::Layer::new(level);
    if tracing_subscriber::registry().with(layers).with(filter).try_init().is_ok() {
        let change = move |level| drop(handle.reload(level));
        let _ = LEVEL.set((level, Box::new(change)));
    }
}

/// Makes the log as verbose as a level of `/logging/toggle` says: 0 as it was at the start, 1 debug, more traces. It never
/// becomes less verbose than it was.
pub fn set_verbosity(verbosity: u32) {
    let Some((original, change)) = LEVEL.get() else { return };
    let wanted = match verbosity {
        0 => *original,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    change(wanted.max(*original));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbosity_of_glog_shows_debug_lines_or_more() {
        for (value, level) in [
            (None, LevelFilter::OFF),
            (Some("0"), LevelFilter::OFF),
            (Some("x"), LevelFilter::OFF),
            (Some("-1"), LevelFilter::OFF),
            (Some("1"), LevelFilter::DEBUG),
            (Some("2"), LevelFilter::TRACE),
        ] {
            assert_eq!(verbose(value), level, "{value:?}");
        }
    }
}
