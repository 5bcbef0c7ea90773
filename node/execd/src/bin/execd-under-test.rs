//! The command executor as a program of its own, for the tests and for measuring it. People run it as
//! `mesos-executor`, one of the names of the one binary.

fn main() -> std::process::ExitCode {
    tepui_execd::run(std::env::args().skip(1))
}
