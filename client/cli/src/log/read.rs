//! `mesos-log read`: the positions of a directory, as protobuf prints them.

use super::logging::Logging;
use super::{Directory, Result, parse_duration, text, within};
use crate::output::unless_left;
use std::io::Write;
use std::time::Duration;
use tepui_log::records::{self, Record, key};

/// Its flags.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    directory: Directory,
    /// Position from which to start reading the log [default: its beginning]
    #[arg(long)]
    pub from: Option<u64>,
    /// Position from which to stop reading the log [default: its end]
    #[arg(long)]
    pub to: Option<u64>,
    /// Maximum time allowed for the command to finish (e.g., 500ms, 1sec, etc.)
    #[arg(long, value_parser = parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub logging: Logging,
}

/// Stands above each position.
const LINE: &str = "----------------------------------------------";

pub fn run(args: Args) -> Result<()> {
    args.logging.set_up()?;
    within(args.timeout, "reading the replica", move || read(&args))
}

fn read(args: &Args) -> Result<()> {
    let (store, restored) = args.directory.look()?;
    let (begin, end) = restored.range();
    let (from, to) = (args.from.unwrap_or(begin), args.to.unwrap_or(end));
    tracing::info!("Attempting to read the log from {from} to {to}");
    check_range(from, to, begin, end)?;
    // No position that is in the log lacks a key.
    let keys = |position| key(position).unwrap_or_default();
    let pairs = store.range(&keys(from), &keys(to)).map_err(|error| error.to_string())?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (_, value) in pairs {
        if let Record::Action(action) = records::record(&value).map_err(|error| error.to_string())? {
            let printed = write!(out, "{LINE}\n{}", text::action(&action.to_proto()));
            if printed.is_err() {
                return unless_left(printed).map_err(|error| error.to_string());
            }
        }
    }
    unless_left(out.flush()).map_err(|error| error.to_string())
}

fn check_range(from: u64, to: u64, begin: u64, end: u64) -> Result<()> {
    let what = match (from, to) {
        _ if to < from => "to < from",
        _ if from < begin => "truncated position",
        _ if end < to => "past end of log",
        _ => return Ok(()),
    };
    Err(format!("Bad read range ({what})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_refused_as_in_mesos() {
        assert_eq!(check_range(2, 5, 2, 5), Ok(()));
        assert_eq!(check_range(3, 2, 0, 5), Err("Bad read range (to < from)".to_owned()));
        assert_eq!(check_range(1, 2, 2, 5), Err("Bad read range (truncated position)".to_owned()));
        assert_eq!(check_range(2, 6, 2, 5), Err("Bad read range (past end of log)".to_owned()));
    }
}
