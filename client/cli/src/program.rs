//! `tepui` and its subcommands.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A cluster manager: Apache Mesos, rebuilt.
///
/// The daemons and tools of Mesos are here under their own names too: `tepui master`, `tepui agent`, `tepui execute`,
/// `tepui local`, `tepui resolve` take the flags of mesos-master, mesos-agent, mesos-execute, mesos-local and
/// mesos-resolve. A link of that name to this program does the same.
#[derive(Debug, Parser)]
#[command(name = "tepui", version, about, disable_help_subcommand = true, after_help = AFTER)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Daemons and tools of Mesos: tepui master|agent|execute|local|resolve --help\n\
                     First command to try: tepui run -- echo hello";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command as a task, with its output and exit status
    Run(Box<crate::run::Args>),
    /// Start a cluster on loopback that stays up
    Dev(crate::dev::Args),
    /// Run a recording of a master (TEPUI_RECORD=DIR) again and print what it did
    Replay {
        /// A file master-*.inputs
        file: std::path::PathBuf,
    },
}

/// Runs what a person typed after `tepui`.
pub fn main(args: Vec<String>) -> ExitCode {
    match Program::try_parse_from(std::iter::once("tepui".to_owned()).chain(args)) {
        Ok(Program { command: Command::Run(args) }) => crate::run::main(*args),
        Ok(Program { command: Command::Dev(args) }) => crate::dev::main(args),
        Ok(Program { command: Command::Replay { file } }) => replay(&file),
        Err(error) => {
            // Help and version go to stdout with status 0, mistakes to stderr with status 2.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

/// Prints each effect on a line, with the number of the input it came from.
fn replay(file: &std::path::Path) -> ExitCode {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = tepui_masterd::recording::run(file, |number, effect| {
        // A reader that leaves early (`| head`) is no failure of the replay.
        let _ = writeln!(out, "{number}: {effect:?}");
    });
    match result {
        Ok(count) => {
            eprintln!("{count} inputs and timers");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tepui replay: {error}");
            ExitCode::FAILURE
        }
    }
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
    fn a_typing_mistake_is_met_with_a_suggestion() {
        let text = |args: &[&str]| Program::try_parse_from(args).unwrap_err().to_string();
        assert!(text(&["tepui", "runn", "--", "true"]).contains("'run'"));
        assert!(text(&["tepui", "run", "--cpu", "1", "--", "true"]).contains("'--cpus'"));
        assert!(text(&["tepui", "run"]).contains("<COMMAND>..."));
    }
}
