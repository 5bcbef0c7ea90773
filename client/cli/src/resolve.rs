//! `mesos-resolve`: prints the leading master of an address.

use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;
use tepui_base::duration;
use tepui_sdk::Operator;
use tepui_sdk::operator::Error;

/// How long a master is waited for, unless told otherwise.
const DEFAULT_TIMEOUT: &str = "5secs";

/// The flags of Mesos 1.11.
#[derive(Clone, Debug, Parser)]
#[command(name = "mesos-resolve", about = "Prints the ip:port of the leading master")]
pub struct Args {
    /// host:port, or file:///path of a file that holds it
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
    let result = match crate::runtime() {
        Ok(runtime) => runtime.block_on(async { tokio::time::timeout(args.timeout, resolve(args)).await }),
        Err(error) => Ok(Err(error.to_string())),
    };
    match result {
        Ok(Ok(leader)) => {
            println!("{leader}");
            ExitCode::SUCCESS
        }
        Ok(Err(reason)) => {
            eprintln!("Failed to detect master from '{}': {reason}", args.master);
            ExitCode::FAILURE
        }
        Err(_) => {
            let within = duration::format(args.timeout);
            eprintln!("Failed to detect master from '{}' within {within}", args.master);
            ExitCode::from(u8::MAX)
        }
    }
}

/// Asks until a master answers; the caller sets the limit.
async fn resolve(args: &Args) -> Result<String, String> {
    const PAUSE: Duration = Duration::from_millis(200);
    let master = crate::master_text(&args.master)?;
    let operator = Operator::new(&master).map_err(|error| error.to_string())?;
    loop {
        match operator.master().await {
            Ok(answer) => {
                let info = &answer.master_info;
                let address = info.address.as_option();
                let host = address.and_then(|a| a.ip.clone()).or_else(|| info.hostname.clone());
                let port = address.map_or(i64::from(info.port), |a| i64::from(a.port));
                return host.map(|host| format!("{host}:{port}")).ok_or("the leader names no address".to_owned());
            }
            Err(error @ (Error::Connection { .. } | Error::Refused { status: 503, .. })) => {
                if args.verbose && !args.no_verbose {
                    eprintln!("{error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
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
    async fn what_comes_later_is_refused_by_name() {
        let args = parse(&["zk://h:2181/mesos"]).unwrap();
        assert!(resolve(&args).await.unwrap_err().contains("ZooKeeper"));
        let args = parse(&["file:///no/such/file"]).unwrap();
        assert!(resolve(&args).await.unwrap_err().contains("/no/such/file"));
    }
}
