//! `mesos-log initialize`: an empty directory becomes a replica that votes.

use super::logging::Logging;
use super::{Directory, Result, open, parse_duration, within};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tepui_logd::directory::changes;
use tepui_store::disk::{Disk, RealDisk};
use tepui_store::{Durability, Options};

/// Its flags.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    directory: Directory,
    /// Maximum time allowed for the command to finish (e.g., 500ms, 1sec, etc.)
    #[arg(long, value_parser = parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub logging: Logging,
}

/// Whether `replica` and `benchmark` initialize the log first.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Initialize {
    /// Whether to initialize the log
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "true", require_equals = true,
        action = clap::ArgAction::Set)]
    initialize: bool,
    /// Leave the log as it is
    #[arg(long = "no-initialize", overrides_with = "initialize")]
    no_initialize: bool,
}

impl Initialize {
    pub fn wanted(self) -> bool {
        self.initialize && !self.no_initialize
    }

    /// Does so if it is wanted.
    pub fn apply(self, path: &Path) -> Result<()> {
        if self.wanted() { initialize(path) } else { Ok(()) }
    }
}

pub fn run(args: &Args) -> Result<()> {
    args.logging.set_up()?;
    let path = args.directory.path.clone();
    within(args.timeout, "setting replica status", move || initialize(&path))
}

fn initialize(path: &Path) -> Result<()> {
    let (mut store, restored) = open(path, Options::default())?;
    let first = tepui_log::initialize(&restored).ok_or("The log is not empty")?;
    store.apply(&changes(first), Durability::Sync).map_err(|error| error.to_string())?;
    forget_reached(path)
}

/// What was once in a directory that is made anew is not missed in it.
pub fn forget_reached(path: &Path) -> Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    tepui_logd::quorum::forget_reached(&disk, path).map_err(|error| error.to_string())
}
