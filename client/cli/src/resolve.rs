//! `mesos-resolve`: prints the leading master of an address.

use crate::output::say;
use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;
use tepui_base::duration;
use tepui_detector::{Detector, Masters, SESSION_TIMEOUT, redacted};

/// How long a master is waited for, unless told otherwise.
const DEFAULT_TIMEOUT: &str = "5secs";

/// The flags of Mesos 1.11.
#[derive(Clone, Debug, Parser)]
#[command(name = "mesos-resolve", about = "Prints the ip:port of the leading master")]
pub struct Args {
    /// host:port, a list of them, zk://host:port,host:port/path, or file:///path of a file that holds one
    pub master: String,
    /// How long to wait to resolve master
    #[arg(long, default_value = DEFAULT_TIMEOUT, value_parser = |text: &str| duration::parse(text))]
    pub timeout: Duration,
    /// Say what is being asked
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true,
        action = clap::ArgAction::Set)]
    pub verbose: bool,
    /// Be silent about it
    #[arg(long = "no-verbose", overrides_with = "verbose")]
    pub no_verbose: bool,
}

/// Runs with `words`, those after the program's name. Prints the address on stdout; exit status 1 with a reason if there
/// is none or the flags are wrong, 255 if none was found in time.
pub fn main(words: Vec<String>) -> ExitCode {
    let args = match Args::try_parse_from(std::iter::once("mesos-resolve".to_owned()).chain(words)) {
        Ok(args) => args,
        Err(error) => {
            // Help goes to stdout with status 0, mistakes to stderr. What cannot be printed is nobody's to hear.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    find(&args)
}

fn find(args: &Args) -> ExitCode {
    if !crate::environment::passes("mesos-resolve") {
        return ExitCode::FAILURE;
    }
    let masters = match Masters::parse(&args.master) {
        Ok(masters) => masters,
        Err(error) => {
            eprintln!("Failed to create a master detector: {error}");
            return ExitCode::FAILURE;
        }
    };
    if args.verbose && !args.no_verbose {
        eprintln!("Detecting the leading master of {masters}");
    }
    let shown = redacted(&args.master);
    let result = match crate::runtime() {
        Ok(runtime) => runtime.block_on(async { tokio::time::timeout(args.timeout, resolve(&masters)).await }),
        Err(error) => Ok(Err(error.to_string())),
    };
    match result {
        Ok(Ok(leader)) => {
            say!("{leader}");
            ExitCode::SUCCESS
        }
        Ok(Err(reason)) => {
            eprintln!("Failed to detect master from '{shown}': {reason}");
            ExitCode::FAILURE
        }
        Err(_) => {
            let within = duration::format(args.timeout);
            eprintln!("Failed to detect master from '{shown}' within {within}");
            ExitCode::from(u8::MAX)
        }
    }
}

/// The leader's `ip:port`; the caller sets the limit.
async fn resolve(masters: &Masters) -> Result<String, String> {
    let found = Detector::open(masters, SESSION_TIMEOUT).leader().await.map_err(|trouble| trouble.to_string())?;
    found.pid().map(|pid| pid.address().to_string()).ok_or_else(|| "the leader names no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, String> {
        Args::try_parse_from(["mesos-resolve"].iter().chain(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_of_mesos_are_read() {
        let args = parse(&["--timeout=2secs", "--verbose", "m:5050"]).unwrap();
        assert_eq!((args.timeout, args.verbose, args.master.as_str()), (Duration::from_secs(2), true, "m:5050"));
        assert_eq!(parse(&["m:5050"]).unwrap().timeout, Duration::from_secs(5));
        assert!(parse(&["--timeout=soon", "m:5050"]).unwrap_err().contains("soon"));
        assert!(parse(&[]).unwrap_err().contains("<MASTER>"));
    }

    #[tokio::test]
    async fn a_given_address_is_the_answer_whether_or_not_a_master_is_there() {
        let masters = Masters::parse("master@127.0.0.1:1").unwrap();
        assert_eq!(resolve(&masters).await.as_deref(), Ok("127.0.0.1:1"));
    }
}
