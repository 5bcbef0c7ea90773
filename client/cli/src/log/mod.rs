//! `mesos-log`: the replicated log and its directories, from a shell.
//!
//! `initialize`, `read`, `replica` and `benchmark` are those of Mesos 1.11; `verify`, `export` and `import` are not in it.
//! Source: Mesos `src/log/main.cpp`, `src/log/tool/*.cpp`.

mod benchmark;
mod group;
mod initialize;
mod lines;
mod logging;
mod read;
mod replica;
mod text;
mod transfer;
mod verify;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tepui_base::duration;
use tepui_log::Restored;
use tepui_store::disk::RealDisk;
use tepui_store::{Options, Store};

/// Looks at, makes and runs replicas of the replicated log (mesos-log).
///
/// A replica's directory is the LevelDB directory of a master: <work_dir>/replicated_log. One process has it open at a time.
#[derive(Debug, Parser)]
#[command(name = "mesos-log", version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an empty directory a voting replica
    Initialize(initialize::Args),
    /// Print what a directory holds, position by position
    Read(read::Args),
    /// Run a replica
    Replica(replica::Args),
    /// Replay a trace of writes and measure each
    Benchmark(benchmark::Args),
    /// Check every byte of a directory and say what is in it; nothing is changed
    Verify(verify::Args),
    /// Print a directory as lines of JSON, with operations and registry decoded; nothing is changed
    Export(transfer::ExportArgs),
    /// Make a directory from what export printed
    Import(transfer::ImportArgs),
}

/// A reason to end with status 1, said on stderr.
type Result<T> = std::result::Result<T, String>;

/// Runs with `words`, those after the program's name. Status 0, or 1 with a reason on stderr.
pub fn main(words: Vec<String>) -> ExitCode {
    let program = match Program::try_parse_from(std::iter::once("mesos-log".to_owned()).chain(words)) {
        Ok(program) => program,
        Err(error) => {
            // Help goes to stdout with status 0, mistakes to stderr. What cannot be printed is nobody's to hear.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let result = match program.command {
        Command::Initialize(args) => initialize::run(&args),
        Command::Read(args) => read::run(args),
        Command::Replica(args) => replica::run(args),
        Command::Benchmark(args) => benchmark::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => transfer::export(&args),
        Command::Import(args) => transfer::import(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Where the log is.
#[derive(Clone, Debug, clap::Args)]
struct Directory {
    /// Path to the log
    #[arg(long)]
    path: PathBuf,
}

impl Directory {
    /// Opens it as it is, and reads it into memory.
    fn open(&self, options: Options) -> Result<(Store, Restored)> {
        open(&self.path, options)
    }

    /// The same without changing anything.
    fn look(&self) -> Result<(Store, Restored)> {
        self.open(Options { create: false, read_only: true, ..Options::default() })
    }
}

fn open(path: &Path, options: Options) -> Result<(Store, Restored)> {
    tepui_logd::directory::open(Arc::new(RealDisk), path, options).map_err(|error| error.to_string())
}

fn parse_duration(text: &str) -> std::result::Result<Duration, duration::Error> {
    duration::parse(text)
}

/// Does `work` in a thread and waits for it so long at most; `what` says what was not done in time.
fn within<T: Send + 'static>(
    timeout: Option<Duration>,
    what: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(timeout) = timeout else { return work() };
    let (sender, receiver) = mpsc::channel();
    // If nobody waits any more the process ends, and the thread with it.
    std::thread::spawn(move || drop(sender.send(work())));
    receiver.recv_timeout(timeout).map_err(|_| format!("Timed out while {what}"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Program::command().debug_assert();
    }

    #[test]
    fn what_takes_too_long_is_said() {
        let (sender, receiver) = mpsc::channel::<()>();
        let work = move || receiver.recv().map_err(|error| error.to_string());
        let result = within(Some(Duration::from_millis(1)), "waiting", work);
        assert_eq!(result, Err("Timed out while waiting".to_owned()));
        drop(sender);
    }

    #[test]
    fn the_flags_of_mesos_are_read() {
        let parse = |words: &str| {
            Program::try_parse_from(words.split(' ')).map(|program| program.command).map_err(|error| error.to_string())
        };
        match parse("mesos-log read --path=/l --from=3 --timeout=500ms").unwrap() {
            Command::Read(args) => assert_eq!((args.from, args.to), (Some(3), None)),
            other => panic!("{other:?}"),
        }
        let zookeeper = "--quorum=2 --path=/l --servers=h:2181 --znode=/log";
        for (flag, wanted) in [("--initialize", true), ("--no-initialize", false), ("--initialize=false", false)] {
            match parse(&format!("mesos-log replica {zookeeper} {flag}")).unwrap() {
                Command::Replica(args) => assert_eq!(args.initialize.wanted(), wanted, "{flag}"),
                other => panic!("{other:?}"),
            }
        }
        // All four take the logging flags.
        let logs = "--logging_level=WARNING --log_dir=/d --logbufsecs=3 --external_log_file=/f --initialize_driver_logging=false";
        let trace = "--accept_other_quorum --input=/i --output=/o";
        for (flag, quiet) in [("--quiet", true), ("--quiet=false", false), ("--no-quiet", false)] {
            let is_quiet = |words: String| match parse(&format!("mesos-log {words} {logs} {flag}")).unwrap() {
                Command::Initialize(initialize::Args { logging, .. })
                | Command::Read(read::Args { logging, .. })
                | Command::Replica(replica::Args { logging, .. })
                | Command::Benchmark(benchmark::Args { logging, .. }) => logging.is_quiet(),
                other => panic!("{other:?}"),
            };
            assert_eq!(is_quiet("initialize --path=/l".to_owned()), quiet);
            assert_eq!(is_quiet("read --path=/l".to_owned()), quiet);
            assert_eq!(is_quiet(format!("replica {zookeeper}")), quiet);
            assert_eq!(is_quiet(format!("benchmark {zookeeper} {trace}")), quiet);
        }
        assert!(parse("mesos-log replica --quorum=2 --path=/l --servers=h:2181").unwrap_err().contains("--znode"));
        assert!(parse("mesos-log read").unwrap_err().contains("--path"));
        assert!(parse("mesos-log raed --path=/l").unwrap_err().contains("'read'"));
    }
}
