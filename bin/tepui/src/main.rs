//! One binary, many names. The name it was called by, or the first word after `tepui`, says which program runs; that is
//! decided before any runtime or thread exists, because the command executor must stay small.

use std::path::Path;
use std::process::ExitCode;

/// A program: its arguments without the name it was called by.
type Program = fn(Vec<String>) -> ExitCode;

/// Names the binary answers to as `argv[0]`, the word after `tepui`, and what runs.
const PROGRAMS: [(&str, &str, Program); 8] = [
    ("mesos-master", "master", tepui_cli::daemon::master),
    ("mesos-agent", "agent", tepui_cli::daemon::agent),
    ("mesos-slave", "slave", tepui_cli::daemon::agent),
    ("mesos-executor", "executor", tepui_execd::run),
    ("mesos-fetcher", "fetcher", tepui_execd::run_fetcher),
    ("mesos-execute", "execute", tepui_cli::execute::main),
    ("mesos-local", "local", tepui_cli::daemon::local),
    ("mesos-resolve", "resolve", tepui_cli::resolve::main),
];

fn main() -> ExitCode {
    let mut args = std::env::args();
    let called = args.next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut rest: Vec<String> = args.collect();
    if let Some((_, _, program)) = PROGRAMS.iter().find(|(program, ..)| *program == name) {
        return program(rest);
    }
    let word = rest.first().cloned().unwrap_or_default();
    match PROGRAMS.iter().find(|(program, short, _)| *short == word || *program == word) {
        Some((_, _, program)) => program(rest.split_off(1)),
        None => tepui_cli::main(rest),
    }
}
