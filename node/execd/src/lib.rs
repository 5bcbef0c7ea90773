//! The program `mesos-executor`: a command executor as a process.
//!
//! There is one for each command task of a machine, so it must be small: one thread, blocking sockets, `poll(2)`, no
//! runtime, at most 4 MB of memory of its own. All decisions are those of [`tepui_executor::Executor`]; this crate
//! turns its effects into sockets, processes and signals, and those into inputs.
//!
//! It speaks the V1 executor API in protobuf. Its task runs in a session of its own and dies with it. Daemons that a
//! task leaves behind become its children (it is their subreaper), so that nothing survives the task's executor.
//!
//! Source: `launcher/executor.cpp`, `executor/executor.cpp`.

mod agent;
mod event_loop;
mod settings;
mod task;

use std::io::Write;
use std::process::ExitCode;

/// Runs the executor; `arguments` without the program's name.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let settings = match settings::read(arguments, std::env::vars_os()) {
        Ok(settings::Wish::Run(settings)) => settings,
        Ok(settings::Wish::Help) => {
            // Whoever does not read it to its end has read enough.
            let _ = std::io::stdout().write_all(settings::USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    match event_loop::run(*settings) {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            eprintln!("The executor cannot run: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the program `mesos-fetcher`, which brings the files of a command into its sandbox. It takes no arguments: its
/// environment tells it all.
pub fn run_fetcher(_arguments: impl IntoIterator<Item = String>) -> ExitCode {
    tepui_container::fetcher::program::run()
}
