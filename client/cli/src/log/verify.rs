//! `mesos-log verify`: every byte of a directory, and what it adds up to.

use super::{Directory, Result, parse_duration, within};
use crate::output::say;
use std::time::Duration;

/// Its flags.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    directory: Directory,
    /// Maximum time allowed for the command to finish (e.g., 500ms, 1sec, etc.)
    #[arg(long, value_parser = parse_duration)]
    timeout: Option<Duration>,
}

pub fn run(args: &Args) -> Result<()> {
    let directory = args.directory.clone();
    within(args.timeout, "verifying the replica", move || verify(&directory))
}

fn verify(directory: &Directory) -> Result<()> {
    let (store, restored) = directory.look()?;
    let report = store.report();
    say!("{}: {}", directory.path.display(), report.manifest);
    for (name, level, entries, bytes) in &report.tables {
        say!("  {name}: {entries} entries, {bytes} bytes, level {level}");
    }
    for (name, records, bytes) in &report.wals {
        say!("  {name}: {records} writes, {bytes} bytes");
    }
    for repair in &report.repairs {
        let name = repair.path.file_name().unwrap_or_default().to_string_lossy();
        say!("  {name}: a write that was never acknowledged is cut off at byte {}: {}", repair.offset, repair.what);
    }
    let (metadata, (begin, end)) = (restored.metadata(), restored.range());
    let status = format!("{:?}", metadata.status).to_uppercase();
    say!("status {status}, promised {}", metadata.promised);
    say!("positions {begin} to {end}, {} of them not known to be decided", restored.missing());
    say!("No damage found");
    Ok(())
}
